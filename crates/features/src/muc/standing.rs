//! What somebody is to all rooms of a service, and who may make one. Administrators of a domain become owners of all of its rooms by a
//! switch of their account, and stop being it by the same; commands need no switch.

use metronome_host::command::{Asker, Role};
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::options::Values;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::switches::{Position, Switch};
use metronome_model::RoomAffiliation;
use metronome_muc::Standing;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};

use super::{redirects, settings};

/// Rooms of one owner that are counted together.
const PAGE: usize = 500;

/// What the sender of a stanza is to all rooms of `service`.
pub async fn of(server: &Server, env: &Envelope, service: &Host) -> Result<Standing, Refuse> {
    let rank = rank(server, env, service).await?;
    Ok(if rank == Rank::Superuser { Standing::Superuser } else { Standing::Ordinary })
}

/// What somebody is at the domain that has the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Nobody knows who: a guest of another domain.
    Unknown,
    /// Somebody of another domain, here or elsewhere.
    Stranger,
    /// A guest of the domain.
    Guest,
    /// An account of the domain.
    User,
    /// An administrator of it.
    Admin,
    /// One who is an owner of all rooms at present.
    Superuser,
}

async fn rank(server: &Server, env: &Envelope, service: &Host) -> Result<Rank, Refuse> {
    let Some(session) = env.sender.as_session() else { return Ok(Rank::Stranger) };
    let domain = service.beside.as_ref().map_or(&service.name, |beside| &beside.domain);
    if session.is_guest() {
        return Ok(if session.jid.domain() == domain.as_str() { Rank::Guest } else { Rank::Unknown });
    }
    let facts = server.facts.of(&*server.store, &session.jid).await?.ok_or(Condition::ServiceUnavailable)?;
    let host = server.hosts.load().get(domain.as_str()).cloned().ok_or(Condition::ServiceUnavailable)?;
    let owns = facts.switches.get(Switch::OwnsRooms) == Some(Position::On);
    Ok(match Asker::of(session, &facts.account, &host).map(|asker| asker.role()) {
        Some(Role::Admin | Role::Operator) if owns => Rank::Superuser,
        Some(Role::Admin | Role::Operator) => Rank::Admin,
        Some(Role::User) => Rank::User,
        None => Rank::Stranger,
    })
}

/// Refuses who may not make a room of `service` that is not there; section 10.1.1 says with which error.
pub async fn refuse_creation(server: &Server, env: &Envelope, service: &Host) -> Result<(), Refuse> {
    let rank = rank(server, env, service).await?;
    if rank == Rank::Superuser {
        return Ok(());
    }
    let (room, from, values) = (env.stanza.to.as_ref(), &env.stanza.from, &service.values);
    if let Some(room) = room {
        redirects::refuse(server, room).await?;
    }
    if !may_create(rank, values) {
        return Err(not_allowed("You may not make rooms here").into());
    }
    if room.is_some_and(|room| server.reserved.is_others(room, from, server.clock.steady_ms())) {
        return Err(not_allowed("This name is reserved for somebody else").into());
    }
    if server.store.rooms_count(service.name.as_str()).await? >= values.count(&settings::ROOMS) {
        return Err(full("This service has as many rooms as it may have").into());
    }
    if rank != Rank::Admin && owns_enough(server, service, from).await? {
        return Err(full("You own as many rooms as you may have here").into());
    }
    Ok(())
}

fn may_create(rank: Rank, values: &Values) -> bool {
    let creators = values.text(&settings::CREATION);
    match rank {
        Rank::Superuser | Rank::Admin => true,
        Rank::User => creators != "admins",
        Rank::Guest => creators != "admins" && values.flag(&settings::CREATION_BY_GUESTS),
        Rank::Stranger => creators == "everybody",
        Rank::Unknown => false,
    }
}

fn not_allowed(text: &str) -> StanzaError {
    StanzaError::new(Condition::NotAllowed).with_text(text)
}

/// Trying again helps once there are fewer.
fn full(text: &str) -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint).with_type(ErrorType::Wait).with_text(text)
}

async fn owns_enough(server: &Server, service: &Host, who: &Jid) -> Result<bool, Refuse> {
    let most = service.values.count(&settings::ROOMS_EACH);
    let (who, mut owned, mut after) = (who.bare(), 0, None::<Box<str>>);
    loop {
        let page = server.store.rooms_of(service.name.as_str(), &who, after.as_deref(), PAGE).await?;
        owned += page.iter().filter(|(_, affiliation)| *affiliation == RoomAffiliation::Owner).count() as u64;
        match page.last() {
            Some((last, _)) if owned < most => after = Some(last.clone()),
            _ => return Ok(owned >= most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_make_rooms_is_what_the_service_says() {
        let usual = Values::defaults(&[settings::SETTINGS]);
        let all = [Rank::Unknown, Rank::Stranger, Rank::Guest, Rank::User, Rank::Admin, Rank::Superuser];
        let creators = |creation: &str, guests: &str| {
            let values = usual.with("rooms.creation", creation).with("rooms.creation_by_guests", guests);
            all.into_iter().filter(|rank| may_create(*rank, &values)).collect::<Vec<_>>()
        };
        let least = [Rank::Admin, Rank::Superuser];
        assert_eq!(creators("\"admins\"", "true"), least);
        assert_eq!(creators("\"users\"", "false"), [&[Rank::User][..], &least].concat());
        assert_eq!(creators("\"users\"", "true"), [&[Rank::Guest, Rank::User][..], &least].concat());
        assert_eq!(creators("\"everybody\"", "false"), [&[Rank::Stranger, Rank::User][..], &least].concat());
        assert_eq!(creators("\"everybody\"", "true"), [&[Rank::Stranger, Rank::Guest, Rank::User][..], &least].concat());
    }
}
