//! Who is in a room is stored every now and then: a crash is to those who may resume their sessions as if it had not been, and the others
//! are told of those who do not come back. Nobody waits for it, and it goes behind everything that somebody waits for.
//!
//! What such a session was sent and has not acknowledged is in nobody's hands after a crash. So for each is stored from when on that may
//! be, and what was said since then comes again, with the ids by which clients know what they have.

use std::collections::HashMap;
use std::time::Duration;

use metronome_host::server::Load;
use metronome_model::{Op, Record, RoomChange, SavedOccupant};
use metronome_muc::Room;
use metronome_proto::jid::Jid;

use super::task::Task;
use crate::remotes;

/// After what time at the earliest a change is stored.
const PAUSE_MS: u64 = 2_000;
/// The same where only something was said.
const PAUSE_OF_TALK_MS: u64 = 30_000;
/// So much later for each session: what is stored is all of them.
const PAUSE_OF_SESSION_MS: u64 = 10;
/// The latest.
const PAUSE_MS_MAX: u64 = 60_000;

/// What the store knows of who is there.
#[derive(Debug, Default)]
pub(super) struct Roll {
    /// Steady time in milliseconds at which what has changed is stored; none if nothing has.
    due_ms: Option<u64>,
    /// Why.
    why: Why,
    /// Whether what is stored stays: the server stops, and who leaves now is to be told of by the next process.
    is_closed: bool,
    /// Whether the store names anybody.
    names: bool,
    /// From when on sessions that may be resumed may lack something; Unix time in milliseconds.
    since: HashMap<Jid, u64>,
}

/// Why there is something to store.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Something was said, which matters to sessions that may be resumed.
    #[default]
    Talk,
    /// Others are there.
    People,
}

impl Roll {
    /// That of a room whose stored occupants have just been put back.
    pub(super) fn of_stored() -> Roll {
        Roll { due_ms: Some(0), why: Why::People, names: true, ..Roll::default() }
    }

    /// For how long nothing has to be stored; none if nothing has changed.
    pub(super) fn wait(&self, now_ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(self.due_ms?.saturating_sub(now_ms)))
    }
}

impl Task {
    /// Somebody came, left, or is something else in the room.
    pub(super) fn note_roll(&mut self) {
        self.roll.why = Why::People;
        self.note_roll_in(PAUSE_MS);
    }

    /// Something was said that is in the archive.
    pub(super) fn note_talk(&mut self) {
        if self.roll.due_ms.is_none() {
            self.note_roll_in(PAUSE_OF_TALK_MS);
        }
    }

    fn note_roll_in(&mut self, pause_ms: u64) {
        if self.roll.is_closed {
            return;
        }
        let sessions = self.room.as_ref().map_or(0, |room| room.sessions().len()) as u64;
        let pause_ms = (pause_ms + sessions * PAUSE_OF_SESSION_MS).min(PAUSE_MS_MAX);
        let now_ms = self.server.clock.steady_ms();
        let due_ms = self.roll.due_ms.unwrap_or(u64::MAX).min(now_ms + pause_ms);
        self.roll.due_ms = Some(due_ms);
    }

    /// Stores who is there, if that has changed and it is time.
    pub(super) async fn save_roll(&mut self) {
        let is_due = self.roll.wait(self.server.clock.steady_ms()).is_some_and(|wait| wait.is_zero());
        if is_due && let Some((record, names, bytes)) = self.roll_record() {
            let permit = self.server.writer.permit(bytes).await;
            self.server.writer.submit_bulk(permit, record, Load::Quiet);
            (self.roll.due_ms, self.roll.why, self.roll.names) = (None, Why::Talk, names);
        }
    }

    /// The same now, and waits for it: the room goes, or the server.
    pub(super) async fn save_roll_now(&mut self) {
        if self.roll.due_ms.is_none() {
            return;
        }
        if let Some((record, names, _)) = self.roll_record() {
            let outcome = self.server.commit(record).await;
            if !outcome.is_done() {
                tracing::warn!(room = self.address.as_str(), ?outcome, "who is in a room could not be stored");
            }
            (self.roll.due_ms, self.roll.why, self.roll.names) = (None, Why::Talk, names);
        }
    }

    /// The same for the last time.
    pub(super) async fn close_roll(&mut self) {
        self.note_roll();
        self.save_roll_now().await;
        self.roll.is_closed = true;
    }

    /// With whether it names anybody, and what it weighs. None if there is nothing to be stored, which is then done.
    fn roll_record(&mut self) -> Option<(Record, bool, usize)> {
        let (Some(room), Some(stored)) = (&self.room, &self.stored) else {
            self.roll = Roll::default();
            return None;
        };
        let may_resume =
            |jid: &Jid| self.server.sessions.at(jid).is_some_and(|session| session.stored_stream().is_some());
        if self.roll.why == Why::Talk && !room.sessions().any(may_resume) {
            self.roll.due_ms = None;
            return None;
        }
        let saved = self.saved(room);
        self.roll.since = saved.iter().map(|saved| (saved.jid.clone(), saved.since_ms)).collect();
        let names = !saved.is_empty();
        if !names && !self.roll.names {
            self.roll = Roll::default();
            return None;
        }
        let bytes = 4096 + saved.iter().map(SavedOccupant::len_bytes).sum::<usize>();
        tracing::trace!(room = self.address.as_str(), sessions = saved.len(), bytes, "who is in a room is stored");
        let change = Box::new(RoomChange::SaveOccupants(saved));
        Some((Record::of(Op::Room { owner: stored.id, change }), names, bytes))
    }

    /// Everybody who is there, but for sessions of ours that have ended already.
    fn saved(&self, room: &Room) -> Vec<SavedOccupant> {
        let (mut saved, now_ms) = (Vec::new(), self.server.clock.unix_ms());
        for occupant in room.occupants() {
            for session in &occupant.sessions {
                let ours = self.server.sessions.at(&session.jid);
                if ours.is_none() && !remotes::is_remote(&self.server, &session.jid) {
                    continue;
                }
                let since_ms = match ours.as_ref().is_some_and(|session| session.has_proved_all()) {
                    true => now_ms,
                    false => self.roll.since.get(&session.jid).copied().unwrap_or(session.entered_ms),
                };
                saved.push(SavedOccupant {
                    nick: occupant.nick.clone(),
                    jid: session.jid.clone(),
                    account: ours.map(|session| session.account),
                    role: occupant.role,
                    since_ms,
                    presence: session.presence.bytes().to_vec().into(),
                });
            }
        }
        saved
    }
}
