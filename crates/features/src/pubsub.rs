//! XEP-0060: Publish-Subscribe, on a service of each domain, and on every account and domain itself (XEP-0163). Verbs are decided in the
//! crate `pubsub`; this gathers what a decision needs, holds the locks of the nodes, and puts what comes of it into the envelope.

mod announced;
mod approval;
pub(crate) mod archive;
mod asked;
mod audience;
mod change;
mod commands;
pub mod discovery;
pub mod feeds;
pub mod last;
pub mod missed;
pub mod nodes;
pub(crate) mod pending;
mod place;
mod reads;
mod relatives;
mod settings;
mod trust;
pub mod upkeep;

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Askers, Asks, At, Feature, IqHandler, Service, Xep};
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Outcome};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FormType};
use metronome_proto::payload::pubsub::{Payload, Publication, PubsubError, Request};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Content, Tree};
use metronome_pubsub::Verb;

use crate::conversions::bookmarks;
use asked::Asked;
use place::{Kind, Place};

pub use change::Acted;
pub use approval::{admit as admit_answer, is_answer};
pub use settings::{PLACE, SETTINGS};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "pubsub",
    xeps: &[
        Xep::new(60, "1.30.0", "Publish-Subscribe"),
        Xep::new(163, "1.2.2", "Personal Eventing Protocol"),
        Xep::new(222, "1.0", "Persistent Storage of Public Data via PubSub"),
        Xep::new(223, "1.1.1", "Persistent Storage of Private Data via PubSub"),
        Xep::new(131, "1.2", "Stanza Headers and Internet Metadata"),
        Xep::new(248, "0.5.0", "PubSub Collection Nodes"),
        Xep::new(395, "0.2.0", "Atomically Compare-And-Publish PubSub Items"),
        Xep::new(413, "0.2.1", "Order-By"),
        Xep::new(442, "0.2.0", "PubSub Message Archive Management"),
        Xep::new(462, "0.1.1", "PubSub Type Filtering"),
        Xep::new(312, "0.3", "PubSub Since"),
        Xep::new(330, "0.1", "Pubsub Subscription"),
        Xep::new(465, "0.1.1", "Pubsub Public Subscriptions"),
        Xep::new(470, "0.2.0", "Pubsub Attachments"),
        Xep::new(499, "0.1.0", "Pubsub Extended Discovery"),
    ],
    identities: &[("pubsub", "pep")],
    disco: announced::ACCOUNT,
    disco_account: announced::ACCOUNT,
    service: Some(&SERVICE),
    iq: IQ,
    settings: SETTINGS,
    commands: commands::COMMANDS,
    ..Feature::NONE
};

/// The service that each domain has.
pub static SERVICE: Service = Service {
    name: "pubsub",
    identity: ("pubsub", "service"),
    title: "Publish-Subscribe",
    disco: announced::SERVICE,
    place: &PLACE,
    askers: Askers::Anybody,
};

const AT_SERVICE: At = At::Service("pubsub");

const IQ: &[IqHandler] = &[
    handler(AT_SERVICE, IqType::Get, ns::PUBSUB),
    handler(AT_SERVICE, IqType::Set, ns::PUBSUB),
    handler(AT_SERVICE, IqType::Get, ns::PUBSUB_OWNER),
    handler(AT_SERVICE, IqType::Set, ns::PUBSUB_OWNER),
    handler(At::Host, IqType::Get, ns::PUBSUB),
    handler(At::Host, IqType::Set, ns::PUBSUB),
    handler(At::Host, IqType::Get, ns::PUBSUB_OWNER),
    handler(At::Host, IqType::Set, ns::PUBSUB_OWNER),
    handler(At::OwnAccount, IqType::Get, ns::PUBSUB),
    handler(At::OwnAccount, IqType::Set, ns::PUBSUB),
    handler(At::OwnAccount, IqType::Get, ns::PUBSUB_OWNER),
    handler(At::OwnAccount, IqType::Set, ns::PUBSUB_OWNER),
    handler(At::Account, IqType::Get, ns::PUBSUB),
    handler(At::Account, IqType::Set, ns::PUBSUB),
    handler(At::Account, IqType::Get, ns::PUBSUB_OWNER),
    handler(At::Account, IqType::Set, ns::PUBSUB_OWNER),
    IqHandler { ns: ns::MAM, name: "query", handle: |_, env| Box::pin(std::future::ready(archive::form(env))), ..handler(AT_SERVICE, IqType::Get, ns::MAM) },
    of_node(AT_SERVICE),
    of_node(At::Host),
    of_node(At::Account),
    IqHandler {
        kind: IqType::Set,
        at: AT_SERVICE,
        ns: ns::COMMANDS,
        name: "command",
        asks: Asks::Read,
        handle: |server, env| Box::pin(pending::admit(server, env)),
    },
];

/// What changes a node is decided under the lock of that node, so other requests of the stream need not wait for it unless they are for
/// the same address.
const fn handler(at: At, kind: IqType, ns: &'static str) -> IqHandler {
    IqHandler { kind, at, ns, name: "pubsub", asks: Asks::Read, handle: |server, env| Box::pin(admit(server, env)) }
}

/// A query of the archive of a node. Other archives than those of nodes nobody asks for here.
const fn of_node(at: At) -> IqHandler {
    IqHandler {
        name: "query",
        handle: |server, env| match archive::is_of_node(env) {
            true => Box::pin(archive::answer(server, env)),
            false => Box::pin(std::future::ready(Err(Condition::ServiceUnavailable.into()))),
        },
        ..handler(at, IqType::Set, ns::MAM)
    }
}

async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let place = Place::of(server, env).await?;
    let asked = Asked::read(env);
    if let Ok(asked) = &asked {
        place::refuse_stranger(server, env, &place, asked).await?;
    } else if place.kind == Kind::Account && !place::may_see(server, env, &place).await? {
        return Err(Condition::ItemNotFound.into());
    }
    let asked = asked.map_err(|error| refuse(env, error))?;
    if let (Destination::OwnAccount, Some(owner), Asked::Request(request)) = (env.destination, place.owner, &asked) {
        bookmarks::before(server, owner, &place.address, request).await?;
        if bookmarks::changes_list(server, owner, request).await? {
            return change_list_too(server, env, &place, owner, &asked).await;
        }
    }
    change::run(server, env, &place, &asked).await
}

/// The bookmarks of an account change, and the list of them in one item in the same record (XEP-0411).
async fn change_list_too(
    server: &Arc<Server>,
    env: &mut Envelope,
    place: &Place,
    owner: AccountId,
    asked: &Asked,
) -> Result<(), Refuse> {
    let held = [ns::BOOKMARKS_LEGACY, ns::BOOKMARKS];
    let locked = server.owners.lock_nodes(owner, &held).await;
    change::run_holding(server, env, place, asked, &held).await?;
    if let Some(request) = bookmarks::list_after(server, owner, &env.record).await? {
        let (asked, who) = (Asked::Request(request), change::Who::owner(place));
        let acted = change::act_holding(server, place, &asked, &who, &held).await?;
        change::charge(server, place, &who, acted.told_max)?;
        env.record.ops.extend(acted.record.ops);
        env.effects.extend(acted.effects);
    }
    env.locked = Some(match env.locked.take() {
        Some(others) => locked.with(others),
        None => locked,
    });
    Ok(())
}

/// What a service announces only where it is configured so: that publishing makes nodes (XEP-0060 section 7.1.4).
pub(crate) fn announced_by_option(host: &Host) -> Option<&'static str> {
    let is_pubsub = host.beside.as_ref().is_some_and(|beside| beside.service.name == SERVICE.name);
    (is_pubsub && host.values.flag(&settings::AUTO_CREATE)).then_some("http://jabber.org/protocol/pubsub#auto-create")
}

/// Whether somebody may read a node of an account; nobody may read one that is not there.
pub(crate) async fn may_read(
    server: &Arc<Server>,
    owner: AccountId,
    address: &Jid,
    name: &str,
    who: &Jid,
) -> Result<bool, Refuse> {
    let Some(node) = nodes::node(server, owner, name).await? else { return Ok(false) };
    if address.same_bare(who) {
        return Ok(true);
    }
    let place = Place::of_account(server, owner, address)?;
    trust::allows(server, &place, &node, Verb::Read, who).await
}

/// Decides a request of the owner of an account's nodes that has not come as one: the server itself publishes, or keeps forms of the same
/// thing alike. Takes the locks of the nodes that change; whoever holds an account's lock may ask for it, and nobody who holds a node's.
pub async fn as_owner(
    server: &Arc<Server>,
    owner: AccountId,
    address: &Jid,
    request: Request,
) -> Result<Acted, Refuse> {
    let place = Place::of_account(server, owner, address)?;
    let who = change::Who::owner(&place);
    let acted = change::act(server, &place, &Asked::Request(request), &who).await?;
    change::charge(server, &place, &who, acted.told_max)?;
    Ok(acted)
}

/// Publishes an item of the server's own in a node of a service; the node is made if it is not there, open to all and with one item. Nothing
/// happens if the item stands there already. A node that somebody else has made is a `conflict`.
pub(crate) async fn publish_own(
    server: &Arc<Server>,
    service: &Arc<Host>,
    node: &str,
    id: &str,
    payload: &Tree,
) -> Result<(), Refuse> {
    let content = Content::from_tree(payload);
    let element = content.iter().next().ok_or(Condition::InternalServerError)?;
    let payload = Payload::of(&element).map_err(StanzaError::from)?;
    let place = Place::at(server, service).await?;
    let known = match place.owner {
        Some(owner) => nodes::node(server, owner, node).await?.zip(Some(owner)),
        None => None,
    };
    match known {
        Some((known, _)) if known.creator != place.address => return Err(Condition::Conflict.into()),
        Some((_, owner)) => {
            let there = server.store.items_by_id(owner, node, vec![id.into()]).await?;
            if there.first().is_some_and(|item| item.payload == payload.bytes) {
                return Ok(());
            }
        }
        None => {
            let field = |name: &str, value: &str| Field::untyped(name).value(value);
            let form = DataForm::new(FormType::Submit).field(Field::hidden_form_type(ns::PUBSUB_NODE_CONFIG));
            let form = form.field(field("pubsub#access_model", "open")).field(field("pubsub#max_items", "1"));
            as_service(server, service, Request::Create { node: Some(node.into()), config: Some(form) }).await?;
        }
    }
    let items = vec![Publication { id: Some(id.into()), payload: Some(payload) }];
    as_service(server, service, Request::Publish { node: node.into(), items, options: None }).await
}

/// What the owner of all nodes of a service asks for, done at once.
async fn as_service(server: &Arc<Server>, service: &Arc<Host>, request: Request) -> Result<(), Refuse> {
    let place = Place::at(server, service).await?;
    let acted = change::act(server, &place, &Asked::Request(request), &change::Who::owner(&place)).await?;
    match acted.commit(server).await {
        Outcome::Done { .. } => Ok(()),
        _ => Err(Condition::ResourceConstraint.into()),
    }
}

/// The error that answers a request; what of it has failed stands there in its place.
fn refuse(env: &mut Envelope, error: PubsubError) -> Refuse {
    if let Some(failed) = &error.failed {
        Arc::make_mut(&mut env.stanza).content = Content::from_tree(failed);
    }
    StanzaError::from(error).into()
}

/// The answer of a request that is granted.
fn reply(env: &mut Envelope, content: &[u8]) -> Result<(), Refuse> {
    let broken = |_| Refuse::from(StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait));
    let content = if content.is_empty() { Content::empty() } else { Content::parse(content).map_err(broken)? };
    env.effects.push(Effect::Reply(env.stanza.result(content)));
    Ok(())
}
