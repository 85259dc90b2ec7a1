//! Whom a command may be about, decided once for all commands by what their fields say they are: a user's own account, an
//! administrator's own domain, an operator's everything.

use std::sync::Arc;

use metronome_proto::jid::Jid;
use serde_json::{Map, Value};

use super::asker::is_operator;
use super::{Asker, Command, Failed, FieldKind, Role};
use crate::server::Server;
use crate::session::Session;

/// Fills in what `asker` need not say, and refuses what is not its business. [`super::run`] does it for every command; doors that ask
/// in several steps do it behind each.
pub fn narrow(
    server: &Server,
    command: &Command,
    asker: &Asker,
    mut given: Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let Asker::Session { session, role } = asker else { return Ok(given) };
    for field in command.fields {
        let own = match field.kind {
            FieldKind::Own => session.jid.bare_str(),
            FieldKind::Domain | FieldKind::Service if *role < Role::Operator => session.jid.domain(),
            _ => continue,
        };
        given.entry(field.name).or_insert_with(|| own.into());
    }
    if *role == Role::Operator {
        return Ok(given);
    }
    for field in command.fields {
        let Some(value) = given.get(field.name).and_then(Value::as_str) else { continue };
        match field.kind {
            FieldKind::Own if *role == Role::User => refuse_others(session, value)?,
            FieldKind::Own => refuse_outside(server, session, value)?,
            FieldKind::Jid | FieldKind::Session if command.role > Role::User => refuse_outside(server, session, value)?,
            FieldKind::Room => {
                refuse_elsewhere(server, session, value.rsplit_once('@').map_or(value, |(_, domain)| domain))?
            }
            FieldKind::Service => refuse_elsewhere(server, session, value)?,
            FieldKind::Domain if value != session.jid.domain() => {
                return Err(Failed::problem(format!("you may administer {} only", session.jid.domain())));
            }
            _ => {}
        }
    }
    Ok(given)
}

/// Somebody without a role asks for its own account.
fn refuse_others(session: &Session, given: &str) -> Result<(), Failed> {
    let is_own = Jid::parse(given).is_ok_and(|jid| jid.as_str() == session.jid.bare_str());
    if is_own { Ok(()) } else { Err(Failed::problem("this is for your own account only")) }
}

/// An administrator asks for its domain, or for a service that its domain has.
fn refuse_elsewhere(server: &Server, session: &Session, domain: &str) -> Result<(), Failed> {
    let (own, hosts) = (session.jid.domain(), server.hosts.load());
    // What is no domain is told so by the check of the arguments.
    let Ok(domain) = Jid::parse(domain) else { return Ok(()) };
    let service = hosts.service(domain.domain()).and_then(|host| host.beside.as_ref());
    if domain.domain() == own || service.is_some_and(|beside| beside.domain.as_str() == own) {
        return Ok(());
    }
    Err(Failed::problem(format!("you may administer {own} and its services only")))
}

/// An administrator asks for accounts of its domain, and not for those that may do more than itself.
fn refuse_outside(server: &Server, session: &Arc<Session>, given: &str) -> Result<(), Failed> {
    // What is no address is told so by the check of the arguments.
    let Ok(jid) = Jid::parse(given) else { return Ok(()) };
    if jid.domain() != session.jid.domain() {
        return Err(Failed::problem(format!("you may administer {} only", session.jid.domain())));
    }
    if is_operator(&server.hosts.load().values, &jid) {
        return Err(Failed::problem(format!("{} is an operator's account", jid.bare())));
    }
    Ok(())
}
