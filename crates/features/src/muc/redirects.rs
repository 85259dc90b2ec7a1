//! Rooms that were destroyed in favour of another one (section 10.9): whoever enters later is told where that is, for as long as the
//! service wants it, and nobody makes a room of the old name meanwhile.

use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Op, RoomRedirect};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;

use super::settings;

/// Makes the name of a room that was destroyed free again.
pub(super) fn forget(domain: &str, name: &str) -> Op {
    Op::ForgetRedirect { host: domain.into(), name: Some(name.into()) }
}

/// Refuses to enter a room that is not there if it has a successor.
pub async fn refuse(server: &Server, room: &Jid) -> Result<(), Refuse> {
    let Some(name) = room.local() else { return Ok(()) };
    let Some(redirect) = server.store.redirect(room.domain(), name).await? else { return Ok(()) };
    let hosts = server.hosts.load();
    let Some(service) = hosts.service(room.domain()) else { return Ok(()) };
    match redirect.to.as_ref().filter(|_| counts(service, &redirect, server.clock.unix_ms())) {
        Some(to) => Err(gone(to, redirect.reason.as_deref()).into()),
        None => Ok(()),
    }
}

/// Whether what was noted of a room is told still.
pub(super) fn counts(service: &Host, redirect: &RoomRedirect, now_ms: u64) -> bool {
    let span_ms = settings::ms(service.values.duration(&settings::REDIRECT));
    now_ms.saturating_sub(redirect.at_ms) < span_ms
}

fn gone(to: &Jid, reason: Option<&str>) -> StanzaError {
    let error = StanzaError { new_address: Some(join_uri(to)), ..StanzaError::new(Condition::Gone) };
    match reason {
        Some(reason) => error.with_text(reason),
        None => error,
    }
}

/// The URI with which somebody enters a room (RFC 5122, and section 17.1).
fn join_uri(room: &Jid) -> String {
    let mut uri = String::from("xmpp:");
    for byte in room.bare_str().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' | b'[' | b']' | b':' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?join"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_told_as_a_uri() {
        let uri = |text: &str| join_uri(&Jid::parse(text).unwrap());
        assert_eq!(uri("coven@rooms.example"), "xmpp:coven@rooms.example?join");
        assert_eq!(uri("a?b%c!@rooms.example/x"), "xmpp:a%3Fb%25c%21@rooms.example?join");
        let error = gone(&Jid::parse("new@rooms.example").unwrap(), Some("we have moved"));
        assert_eq!(error.new_address.as_deref(), Some("xmpp:new@rooms.example?join"));
        assert_eq!((error.condition, error.text.as_deref()), (Condition::Gone, Some("we have moved")));
    }
}
