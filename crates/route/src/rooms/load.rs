//! A room comes into memory, with those who were in it when the last process ended.

use std::collections::HashMap;
use std::sync::Arc;

use metronome_features::muc::pace::Pace;
use metronome_features::muc::record;
use metronome_features::muc::{archive, avatar, settings};
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::SavedOccupant;
use metronome_muc::history;
use metronome_muc::{Entry, Input, Room, Session};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{History, Join};
use metronome_proto::xml::Content;

use super::relay::Relayed;
use super::roll::Roll;
use super::task::Task;
use super::updates::Updates;
use crate::remotes;

impl Task {
    /// Reads what is stored at an address; there may be nothing.
    pub(super) async fn load(server: &Arc<Server>, address: &Jid, host: Arc<Host>) -> Result<Task, Refuse> {
        let name = address.local().unwrap_or_default();
        let stored = server.store.room(address.domain(), name).await?;
        let mut task = Task {
            server: server.clone(),
            address: address.clone(),
            limits: settings::limits(&host.values),
            waves: Arc::default(),
            past: None,
            pace: Pace::default(),
            pace_rule: settings::pace(&host.values),
            used_ms: None,
            host,
            room: None,
            stored: None,
            inside: HashMap::new(),
            pending: Vec::new(),
            relayed: Relayed::default(),
            lost: Vec::new(),
            roll: Roll::default(),
            updates: Updates::default(),
        };
        let Some(mut stored) = stored else { return Ok(task) };
        let occupants = std::mem::take(&mut stored.occupants);
        let (rows, stored) = record::read(stored);
        let avatar = avatar::hashes(server, stored.id).await?;
        task.room = Some(Room::read(address.clone(), rows).with_avatar(avatar));
        task.stored = Some(stored);
        if !occupants.is_empty() {
            task.roll = Roll::of_stored();
            let back: Vec<_> = occupants.into_iter().filter_map(|saved| task.put_back(saved)).collect();
            for (session, since_ms) in back {
                task.tell_again(&session, since_ms).await;
            }
        }
        Ok(task)
    }

    /// Somebody who was there when the last process ended. Whoever did not come back leaves, so that the others hear of it.
    /// A session of ours that did is answered, with the time from when on it may lack something.
    fn put_back(&mut self, saved: SavedOccupant) -> Option<(Jid, u64)> {
        let presence = Content::parse(&saved.presence).unwrap_or_default();
        let account = saved.account.map(|account| *account.as_bytes());
        let session = Session { jid: saved.jid.clone(), account, presence, entered_ms: saved.since_ms };
        let room = self.room.as_mut()?;
        if !room.restore(saved.nick.clone(), saved.role, session) || remotes::is_remote(&self.server, &saved.jid) {
            return None;
        }
        let occupant = self.address.with_resource(&saved.nick).unwrap_or_else(|_| self.address.clone());
        let session = self.server.sessions.at(&saved.jid).filter(|session| saved.account == Some(session.account));
        let is_there = session.is_some_and(|session| session.note_directed(&occupant));
        self.inside.insert(saved.jid.clone(), occupant);
        if !is_there {
            self.lost.push(saved.jid);
            return None;
        }
        Some((saved.jid, saved.since_ms))
    }

    /// Everything that a session may lack: who is there, what was said, and what about. It knows by the ids what it has already.
    async fn tell_again(&mut self, session: &Jid, since_ms: u64) {
        let (Some(room), Some(stored)) = (&self.room, &self.stored) else { return };
        let Some(occupant) = room.occupant_of(session) else { return };
        let Some(own) = occupant.sessions.iter().find(|own| own.jid == *session) else { return };
        let (nick, presence) = (occupant.nick.clone(), own.presence.clone());
        let history = History { since_ms: Some(since_ms), ..History::default() };
        let wanted = history::wanted(room, &history, &self.limits, self.server.clock.unix_ms());
        // What cannot be read now is in the archive.
        let past = archive::past(&self.server, stored.id, wanted).await.unwrap_or_default();
        let join = Join { history, ..Join::default() };
        let entry = Entry { nick: &nick, presence: &presence, id: None, join: &join, past: &past };
        self.happen(session, &Input::Enter(entry)).await;
    }
}
