//! XEP-0030: Service Discovery of hosts and accounts, with forms (XEP-0128). Answers from the registry: what is announced is what
//! the features say they do. Keeps nothing; what a host says is kept in its snapshot (see `caps`).

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting, Unfit, Values};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Role};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::disco::{self, Identity, Info, Item, Items};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Content, Tree};

use crate::{adhoc, caps, components, proxy65, pubsub, roster, strangers, upload};

/// What the host is called.
pub const NAME: Setting =
    Setting::new("disco.name", Kind::Text, "\"Metronome\"", "The name under which clients show the server.").per_host();

/// What belongs to it without being served here.
pub const ITEMS: Setting = Setting::new(
    "disco.items",
    Kind::List,
    "[]",
    "Addresses that clients find under the server besides its own services, each as `\"address\"` or `\"address = Name\"`.",
)
.per_host();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "disco",
    xeps: &[
        Xep::new(4, "2.13.2", "Data Forms"),
        Xep::new(30, "2.5.0", "Service Discovery"),
        Xep::new(128, "1.0.1", "Service Discovery Extensions"),
    ],
    disco: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    disco_account: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    disco_services: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    iq: &[
        handler(At::Host, ns::DISCO_INFO),
        handler(At::Host, ns::DISCO_ITEMS),
        handler(At::OwnAccount, ns::DISCO_INFO),
        handler(At::OwnAccount, ns::DISCO_ITEMS),
        handler(At::Account, ns::DISCO_INFO),
        handler(At::Account, ns::DISCO_ITEMS),
        handler(At::Services, ns::DISCO_INFO),
        handler(At::Services, ns::DISCO_ITEMS),
    ],
    settings: SETTINGS,
    check,
    ..Feature::NONE
};

/// The settings of discovery.
pub const SETTINGS: &[Setting] = &[NAME, ITEMS];

const fn handler(at: At, ns: &'static str) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns,
        name: "query",
        asks: match at {
            At::Host => Asks::Snapshot,
            At::OwnAccount | At::Account | At::Services | At::Service(_) | At::Room => Asks::Read,
        },
        handle: match at {
            At::Host => |server, env| Box::pin(answer_for_host(server, env)),
            At::OwnAccount => |server, env| Box::pin(answer_for_own_account(server, env)),
            At::Account => |server, env| Box::pin(answer_for_account(server, env)),
            At::Services | At::Service(_) | At::Room => |server, env| Box::pin(answer_for_service(server, env)),
        },
    }
}

/// What is asked for, and of which node; an empty node is none.
enum Query {
    Info(Option<String>),
    Items(Option<String>),
}

impl Query {
    fn of(env: &Envelope) -> Result<Query, Refuse> {
        let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
        let node = disco::node(&query).filter(|node| !node.is_empty());
        Ok(if query.ns() == ns::DISCO_INFO { Query::Info(node) } else { Query::Items(node) })
    }
}

async fn answer_for_host(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    let announced = caps::announced(server, &host);
    let answer = match Query::of(env)? {
        Query::Items(Some(node)) if node == ns::COMMANDS => adhoc::items(server, env, At::Host).await?.tree(),
        Query::Info(None) => announced.info.tree(),
        Query::Info(Some(node)) if node == announced.caps.disco_node() => announced.info.tree().attr("node", node),
        Query::Items(None) => pubsub::discovery::nodes_of(server, env, items_of_host(server, &host).items).await?,
        Query::Info(Some(node)) if adhoc::is_node(server, &node) => adhoc::info(server, env, At::Host, &node).await?.tree(),
        Query::Info(Some(node)) => pubsub::discovery::info(server, env, &node).await?,
        Query::Items(Some(node)) => pubsub::discovery::items_of_node(server, env, &node).await?,
    };
    reply(env, &answer);
    Ok(())
}

async fn answer_for_own_account(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let (account, jid) = (env.sender.session()?.account, env.sender.session()?.jid.bare());
    let answer = match Query::of(env)? {
        Query::Items(Some(node)) if node == ns::COMMANDS => adhoc::items(server, env, At::OwnAccount).await?.tree(),
        Query::Info(Some(node)) if adhoc::is_node(server, &node) => {
            adhoc::info(server, env, At::OwnAccount, &node).await?.tree()
        }
        query => of_account(server, env, account, &jid, query).await?,
    };
    reply(env, &answer);
    Ok(())
}

async fn answer_for_service(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    let announced = caps::announced(server, &host);
    let answer = match Query::of(env)? {
        Query::Info(None) => announced.info.tree(),
        Query::Info(Some(node)) if node == announced.caps.disco_node() => announced.info.tree().attr("node", node),
        Query::Info(Some(node)) if node == pubsub::pending::GET_PENDING => pubsub::pending::info(),
        Query::Items(Some(node)) if node == ns::COMMANDS => pubsub::pending::items(server, env),
        Query::Info(Some(node)) => pubsub::discovery::info(server, env, &node).await?,
        Query::Items(None) => pubsub::discovery::nodes_of(server, env, Vec::new()).await?,
        Query::Items(Some(node)) => pubsub::discovery::items_of_node(server, env, &node).await?,
    };
    reply(env, &answer);
    Ok(())
}

/// Contacts who may see the account's presence may see what it is as well (section 8).
async fn answer_for_account(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let (Destination::Account(Some(account)), Some(jid)) = (env.destination, env.stanza.to.clone()) else {
        return strangers::answer(env);
    };
    if !roster::may_see(server, account, &env.stanza.from).await? {
        return strangers::answer(env);
    }
    let answer = of_account(server, env, account, &jid, Query::of(env)?).await?;
    reply(env, &answer);
    Ok(())
}

async fn of_account(
    server: &Arc<Server>,
    env: &Envelope,
    account: AccountId,
    jid: &Jid,
    query: Query,
) -> Result<Tree, Refuse> {
    match query {
        Query::Info(None) => {
            let hosts = server.hosts.load();
            let host = hosts.get(jid.domain()).ok_or(Condition::ServiceUnavailable)?;
            let features = host.registry.disco(At::OwnAccount, &host.values).into_iter().map(str::to_owned).collect();
            let identities =
                vec![Identity::new("account", kind_of(server, jid).await?), Identity::new("pubsub", "pep")];
            Ok(Info { identities, features, ..Info::default() }.tree())
        }
        Query::Items(None) => pubsub::discovery::nodes_of(server, env, items_of_account(server, account).items).await,
        // An account's commands are its own.
        Query::Items(node @ Some(_)) if node.as_deref() == Some(ns::COMMANDS) => Ok(Items { node, items: Vec::new() }.tree()),
        Query::Info(Some(node)) => pubsub::discovery::info(server, env, &node).await,
        Query::Items(Some(node)) => pubsub::discovery::items_of_node(server, env, &node).await,
    }
}

/// The type of an account as the registry of identities names it.
async fn kind_of(server: &Server, jid: &Jid) -> Result<&'static str, Refuse> {
    let facts = server.facts.of(&*server.store, jid).await?.ok_or(Condition::ServiceUnavailable)?;
    Ok(match facts.account.role {
        _ if facts.account.id.is_guest() => "anonymous",
        Role::Admin => "admin",
        Role::User => "registered",
    })
}

/// The available resources: who may ask sees them anyway.
fn items_of_account(server: &Server, account: AccountId) -> Items {
    let sessions = server.sessions.of(account);
    let available = sessions.iter().filter(|session| session.priority().is_some());
    let items = available.map(|session| Item { jid: session.jid.clone(), node: None, name: None }).collect();
    Items { node: None, items }
}

/// What a host or a service says that it is and can do.
pub(crate) fn info_of_host(server: &Server, host: &Host) -> Info {
    if let Some(beside) = &host.beside {
        let (category, kind) = beside.service.identity;
        let mut features: Vec<&str> = host.registry.disco(host.at(), &host.values);
        features.extend(pubsub::announced_by_option(host));
        features.extend(upload::announced(server, host));
        features.extend(proxy65::announced(server, host));
        features.sort_unstable();
        let features = features.into_iter().map(str::to_owned).collect();
        let identities = vec![Identity::new(category, kind).named(beside.service.title)];
        return Info { identities, features, extensions: upload::form(server, host).into_iter().collect(), ..Info::default() };
    }
    let name = host.values.text(&NAME);
    let features = host.registry.features();
    let others = features.iter().flat_map(|feature| feature.identities);
    Info {
        node: None,
        identities: std::iter::once(&("server", "im"))
            .chain(others)
            .map(|(category, kind)| Identity::new(category, kind).named(name))
            .collect(),
        features: host.registry.disco(At::Host, &host.values).into_iter().map(str::to_owned).collect(),
        extensions: features
            .iter()
            .flat_map(|feature| feature.disco_forms)
            .filter_map(|form| form(server, host))
            .collect(),
    }
}

fn items_of_host(server: &Server, host: &Host) -> Items {
    let item_of = |service: &Arc<Host>| {
        let title = service.beside.as_ref().map(|beside| beside.service.title.to_owned());
        Item { jid: service.name.clone(), node: None, name: title }
    };
    let is_idle = |service: &Host| upload::is_idle(server, service) || proxy65::is_idle(server, service);
    let usable = host.services.iter().filter(|service| !is_idle(service));
    let mut items: Vec<Item> = usable.map(item_of).collect();
    items.extend(components::items(server, host));
    let listed = host.values.list(&ITEMS).iter().filter_map(|entry| item(entry).ok());
    items.extend(listed);
    Items { node: None, items }
}

/// `address = Name`.
fn item(entry: &str) -> Result<Item, String> {
    let (address, name) = entry.split_once('=').map_or((entry, ""), |(address, name)| (address, name.trim()));
    let address = address.trim();
    let jid = Jid::parse(address).map_err(|why| format!("`{address}` is not an address: {why}"))?;
    Ok(Item { jid, node: None, name: Some(name.to_owned()).filter(|name| !name.is_empty()) })
}

fn check(values: &Values) -> Result<(), Unfit> {
    for entry in values.list(&ITEMS) {
        item(entry).map_err(|message| Unfit {
            setting: &ITEMS,
            message,
            hint: "write it like \"rooms.example.org = Rooms\"",
        })?;
    }
    Ok(())
}

/// The host or service that a request names: not always the sender's own.
pub(crate) fn asked_host(server: &Server, env: &Envelope) -> Arc<Host> {
    let to = env.stanza.to.as_ref().filter(|to| to.domain() != env.host.name.domain());
    to.and_then(|to| server.hosts.load().answering(to.domain()).cloned()).unwrap_or_else(|| env.host.clone())
}

fn reply(env: &mut Envelope, answer: &Tree) {
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(answer))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_an_address_and_may_have_a_name() {
        let read = |entry: &str| item(entry).map(|item| (item.jid.to_string(), item.name));
        assert_eq!(read("rooms.example.org"), Ok(("rooms.example.org".into(), None)));
        assert_eq!(read(" a@b = The = Sign "), Ok(("a@b".into(), Some("The = Sign".into()))));
        assert!(read("= Rooms").is_err() && read("a b@").is_err());
    }

    #[test]
    fn an_item_that_is_none_is_not_put_into_force() {
        let values = Values::defaults(&[SETTINGS]);
        assert!(check(&values).is_ok());
        let unfit = check(&values.with("disco.items", r#"["rooms.example.org", "@"]"#)).unwrap_err();
        assert_eq!(unfit.setting.key, "disco.items");
        assert!(unfit.message.starts_with("`@` is not an address"), "{}", unfit.message);
    }
}
