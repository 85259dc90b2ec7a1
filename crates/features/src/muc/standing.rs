//! What somebody is to all rooms of a service: whether they may create any, and whether they own them all.

use metronome_host::command::{Asker, Role};
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_muc::Standing;
use metronome_proto::stanza::error::Condition;

use super::settings;

/// Whether whoever sent a stanza administrates the domain of a service.
pub async fn is_admin(server: &Server, env: &Envelope, service: &Host) -> Result<bool, Refuse> {
    let Some(session) = env.sender.as_session().filter(|session| !session.is_guest()) else { return Ok(false) };
    let Some(facts) = server.facts.of(&*server.store, &session.jid).await? else { return Ok(false) };
    let domain = service.beside.as_ref().map_or(&service.name, |beside| &beside.domain);
    let Some(host) = server.hosts.load().get(domain.as_str()).cloned() else { return Ok(false) };
    let asker = Asker::of(session, &facts.account, &host);
    Ok(asker.is_some_and(|asker| asker.role() >= Role::Admin))
}

/// What whoever sent a stanza is to all rooms.
pub async fn of(server: &Server, env: &Envelope, service: &Host) -> Result<Standing, Refuse> {
    Ok(if is_admin(server, env, service).await? { Standing::Superuser } else { Standing::Ordinary })
}

/// Refuses those who may not create rooms (XEP-0045 section 10.1.1).
pub async fn refuse_creation(server: &Server, env: &Envelope, service: &Host) -> Result<(), Refuse> {
    let domain = service.beside.as_ref().map(|beside| beside.domain.as_str());
    let session = env.sender.as_session();
    let is_guest = session.is_some_and(|session| session.is_guest());
    let is_user = !is_guest && session.is_some() && domain == Some(env.stanza.from.domain());
    let may = match service.values.text(&settings::CREATION) {
        "everybody" => !is_guest,
        "users" => is_user,
        _ => is_admin(server, env, service).await?,
    };
    if may { Ok(()) } else { Err(Condition::NotAllowed.into()) }
}
