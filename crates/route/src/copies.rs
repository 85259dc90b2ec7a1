//! Copies for a person's other devices (XEP-0280): who gets one, and under which archive id. What is stored is handed over by the id of the
//! row in its owner's archive, so that a session that cannot take it now makes the copy of the row later (`catch_up`).

use std::sync::Arc;

use metronome_features::carbons::{self, Carbon, Copies};
use metronome_features::offline;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{Offered, Session};
use metronome_host::sessions::Devices;
use metronome_model::{ArchivedRow, Direction, Outcome};
use metronome_proto::jid::Jid;
use metronome_proto::payload::stanza_id;
use metronome_proto::stanza::{Kind, Name, Stanza};

use crate::audience::Audience;
use crate::csi;

/// Copies of a message that has come for an account, for those of its sessions that did not get the message itself (section 7).
pub(crate) fn of_received(server: &Server, stanza: &Stanza, audience: &Audience, id: Option<u64>) {
    let Some(to) = audience.others.first().map(|session| session.jid.bare()) else { return };
    let side = Direction::Received;
    let made = match carbons::decide(stanza, side).copies {
        Copies::Made => true,
        Copies::AsOfItsCause => audience.sessions.first().is_some_and(|session| is_of_copied(session, stanza, side)),
        Copies::None => false,
    };
    if !made {
        return;
    }
    if let Some(number) = carbons::number(stanza, side) {
        audience.sessions.iter().for_each(|session| session.note_copied(number));
    }
    hand(server, &audience.others, stanza, &copy(stanza, side, &to, id, |_| {}), id);
}

/// Copies of a message that a session has sent, for the account's other sessions (section 8). A message to the own account comes to them as
/// received.
pub(crate) fn of_sent(server: &Server, sender: &Session, stanza: &Stanza, id: Option<u64>) {
    let side = Direction::Sent;
    let made = match carbons::decide(stanza, side).copies {
        Copies::Made => true,
        Copies::AsOfItsCause => is_of_copied(sender, stanza, side),
        Copies::None => false,
    };
    if !made || !sender.is_copied() {
        return;
    }
    let mut others = server.sessions.of(sender.account);
    others.retain(|other| other.jid != sender.jid && other.has_carbons() && !other.is_closing());
    if others.is_empty() {
        return;
    }
    if let Some(number) = carbons::number(stanza, side) {
        sender.note_copied(number);
    }
    hand(server, &others, stanza, &copy(stanza, side, &sender.jid, id, |_| {}), id);
}

/// Whether the message that an error answers was copied: the session that the error is for, or from, remembers it.
fn is_of_copied(session: &Session, error: &Stanza, side: Direction) -> bool {
    carbons::number_answered(error, side).is_some_and(|number| session.was_copied(number))
}

/// The copy that a session is given of a row that it reads later, with the time at which it was stored if it has waited.
pub(crate) fn of_row(row: &ArchivedRow, session: &Session, has_waited: bool) -> Frame {
    let stamp = |out: &mut Vec<u8>| {
        if has_waited {
            offline::write_stamp(out, &session.jid.domain_jid(), row.at_ms);
        }
    };
    copy(&row.stanza, row.direction, &session.jid, Some(row.id), stamp).to(&session.jid)
}

fn copy(stanza: &Stanza, side: Direction, account: &Jid, id: Option<u64>, stamp: impl FnOnce(&mut Vec<u8>)) -> Carbon {
    let account = account.bare();
    Carbon::new(stanza, side, &account, stamp, |out| {
        if let Some(id) = id {
            stanza_id::write_stanza_id(out, &account, &id.to_string());
        }
    })
}

/// Nobody hears of a copy that found no room (section 10.3): what is stored is read later, the rest is counted.
fn hand(server: &Server, sessions: &Devices, stanza: &Stanza, copy: &Carbon, id: Option<u64>) {
    let passing = if id.is_none() { csi::passing(stanza) } else { None };
    for session in sessions {
        let frame = copy.to(&session.jid);
        let offered = match id {
            Some(id) => session.offer_direct(id, frame),
            None => csi::offer(session, frame, stanza, passing),
        };
        match (offered, id) {
            (Offered::Queued, _) => server.counters.delivered.add(Name::Message),
            (Offered::Deferred | Offered::Spared, _) | (_, Some(_)) => {}
            (Offered::Full | Offered::Gone, None) => server.counters.dropped.add(),
        }
    }
}

/// The sender's part of a record: run by the sender's worker, in the order of the sender's archive.
pub(crate) struct Sent {
    sender: Arc<Session>,
    stanza: Arc<Stanza>,
    id: Option<u64>,
}

impl Sent {
    /// The sender's part of a committed message; none where nobody gets a copy.
    pub(crate) fn of(env: &Envelope, outcome: &Outcome) -> Option<Sent> {
        let Outcome::Done { ids } = outcome else { return None };
        let sender = env.sender.as_session().filter(|sender| sender.is_copied())?;
        let to_others = matches!(env.destination, Destination::Account(_) | Destination::Remote);
        if !to_others || !matches!(env.stanza.kind, Kind::Message(_)) {
            return None;
        }
        let id = env.sent_row.and_then(|row| ids.get(row)).copied();
        Some(Sent { sender: sender.clone(), stanza: env.stanza.clone(), id })
    }

    /// Whose order it keeps.
    pub(crate) fn sender(&self) -> &Session {
        &self.sender
    }

    /// Hands out the copies.
    pub(crate) fn run(self, server: &Server) {
        of_sent(server, &self.sender, &self.stanza, self.id);
    }
}
