//! XEP-0050: Ad-Hoc Commands: the command table as forms, for people with a client. Lists and forms derive from the table; who may do
//! what is decided in `host::command`. Asked by discovery for what there is; keeps what was said so far in `Server::dialogs`.

mod answers;
mod forms;
mod nodes;
mod steps;

use std::sync::Arc;

use metronome_host::command::{Asker, Command, OPERATORS, Role};
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::hosts::{Host, PLAIN_WITHOUT_TLS};
use metronome_host::options::{Unfit, Values};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::commands::Request;
use metronome_proto::payload::disco::{Identity, Info, Item, Items};
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::disco;
use nodes::Node;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "adhoc",
    xeps: &[Xep::new(50, "1.3.0", "Ad-Hoc Commands")],
    disco: &[ns::COMMANDS],
    disco_account: &[ns::COMMANDS],
    iq: &[setter(At::Host), setter(At::OwnAccount)],
    settings: &[OPERATORS],
    check,
    ..Feature::NONE
};

const fn setter(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Set,
        at,
        ns: ns::COMMANDS,
        name: "command",
        asks: Asks::Change,
        handle: match at {
            At::Host => |server, env| Box::pin(answer(server, env, At::Host)),
            At::OwnAccount | At::Account | At::Services | At::Service(_) | At::Room => |server, env| Box::pin(answer(server, env, At::OwnAccount)),
        },
    }
}

/// The name of a command in requests: XEP-0133's where it has one.
pub fn node_of(command: &'static Command) -> String {
    Node::of(command).name()
}

/// Who asks whom.
struct Asked {
    /// The host, or the own account.
    at: Jid,
    place: At,
    /// None for those to whom nothing is offered here.
    asker: Option<Asker>,
}

async fn answer(server: &Arc<Server>, env: &mut Envelope, place: At) -> Result<(), Refuse> {
    let request = env.stanza.content.iter().next().map(|command| Request::read(&command));
    // There may be a password in it: whatever goes wrong from here on, it is not sent back.
    Arc::make_mut(&mut env.stanza).content = Content::empty();
    let request = request.ok_or(Condition::BadRequest)?.map_err(StanzaError::from)?;
    let asked = Asked::of(server, env, place).await?;
    let node = Node::find(server, &request.node).filter(|node| asked.is_here(node)).ok_or(Condition::ItemNotFound)?;
    let asker = asked.asker.as_ref().filter(|asker| asker.role() >= node.command.role).ok_or_else(forbidden)?;
    if env.sender.session()?.is_readable() && !env.host.values.flag(&PLAIN_WITHOUT_TLS) {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("encrypt the stream first").into());
    }
    let response = steps::go(server, asker, &asked.at, node, request).await?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&response.tree()))));
    Ok(())
}

/// What discovery says of the list of commands, or of one.
pub(crate) async fn info(server: &Server, env: &Envelope, place: At, node: &str) -> Result<Info, Refuse> {
    if node == ns::COMMANDS {
        let identities = vec![Identity::new("automation", "command-list")];
        let features = vec![ns::DISCO_INFO.to_owned(), ns::DISCO_ITEMS.to_owned()];
        return Ok(Info { node: Some(node.to_owned()), identities, features, ..Info::default() });
    }
    let found = Node::find(server, node).ok_or(Condition::ItemNotFound)?;
    let asked = Asked::of(server, env, place).await?;
    if !asked.is_here(&found) {
        return Err(Condition::ItemNotFound.into());
    }
    if !asked.may(&found) {
        return Err(forbidden());
    }
    let identities = vec![Identity::new("automation", "command-node").named(found.label())];
    let features = vec![ns::COMMANDS.to_owned(), ns::DATA_FORMS.to_owned()];
    Ok(Info { node: Some(node.to_owned()), identities, features, ..Info::default() })
}

/// Whether the list of commands, or a command, has this name.
pub(crate) fn is_node(server: &Server, node: &str) -> bool {
    node == ns::COMMANDS || Node::find(server, node).is_some()
}

/// The commands that who asks may run here.
pub(crate) async fn items(server: &Server, env: &Envelope, place: At) -> Result<Items, Refuse> {
    let asked = Asked::of(server, env, place).await?;
    let item = |node: Node| Item { jid: asked.at.clone(), node: Some(node.name()), name: Some(node.label().to_owned()) };
    let items = Node::all(server).filter(|node| asked.is_here(node) && asked.may(node)).map(item).collect();
    Ok(Items { node: Some(ns::COMMANDS.to_owned()), items })
}

impl Asked {
    async fn of(server: &Server, env: &Envelope, place: At) -> Result<Asked, Refuse> {
        let host = if place == At::Host { disco::asked_host(server, env) } else { env.host.clone() };
        let at = if place == At::Host { host.name.clone() } else { env.sender.session()?.jid.bare() };
        Ok(Asked { at, place, asker: asker(server, env, &host).await? })
    }

    /// Accounts have the commands of users only.
    fn is_here(&self, node: &Node) -> bool {
        self.place == At::Host || node.command.role == Role::User
    }

    fn may(&self, node: &Node) -> bool {
        self.asker.as_ref().is_some_and(|asker| asker.role() >= node.command.role)
    }
}

/// What a session may do is asked anew for every step.
async fn asker(server: &Server, env: &Envelope, host: &Host) -> Result<Option<Asker>, Refuse> {
    // Others have no commands here.
    let Some(session) = env.sender.as_session() else { return Ok(None) };
    let facts = server.facts.of(&*server.store, &session.jid).await?;
    let facts = facts.filter(|facts| facts.account.id == session.account && !session.is_closing());
    Ok(facts.and_then(|facts| Asker::of(session, &facts.account, host)))
}

/// Section 4.4 gives it another type than the RFC.
fn forbidden() -> Refuse {
    StanzaError::new(Condition::Forbidden).with_type(ErrorType::Cancel).into()
}

fn check(values: &Values) -> Result<(), Unfit> {
    for entry in values.list(&OPERATORS) {
        let is_account = Jid::parse(entry).is_ok_and(|jid| jid.is_bare() && !jid.is_domain());
        if !is_account {
            return Err(Unfit {
                setting: &OPERATORS,
                message: format!("`{entry}` is not the address of an account"),
                hint: "write it like \"alice@example.org\"",
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_that_is_no_account_is_not_put_into_force() {
        let values = Values::defaults(&[FEATURE.settings]);
        assert!(check(&values).is_ok());
        assert!(check(&values.with(OPERATORS.key, r#"["alice@example.org"]"#)).is_ok());
        for wrong in ["example.org", "alice@example.org/x", "@", ""] {
            let unfit = check(&values.with(OPERATORS.key, &format!("[{wrong:?}]"))).unwrap_err();
            assert_eq!(unfit.setting.key, "commands.operators", "{wrong}");
        }
    }
}
