//! A room comes into memory, with those who were in it when the server stopped; and is left behind at the next stop.

use std::collections::HashMap;
use std::sync::Arc;

use metronome_features::muc::record::{self, Stored};
use metronome_features::muc::settings;
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Op, Record, RoomChange, SavedOccupant};
use metronome_muc::{Room, Session, default_role};
use metronome_proto::jid::Jid;
use metronome_proto::xml::Content;

use super::relay::Relayed;
use super::task::Task;
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
            host,
            room: None,
            stored: None,
            inside: HashMap::new(),
            pending: Vec::new(),
            relayed: Relayed::default(),
            lost: Vec::new(),
        };
        let Some(mut stored) = stored else { return Ok(task) };
        let occupants = std::mem::take(&mut stored.occupants);
        let (rows, stored) = record::read(stored);
        task.room = Some(Room::read(address.clone(), rows));
        task.stored = Some(stored);
        if !occupants.is_empty() {
            occupants.into_iter().for_each(|saved| task.put_back(saved));
            task.change(RoomChange::SaveOccupants(Vec::new())).await;
        }
        Ok(task)
    }

    /// Somebody who was there when the server stopped. Whoever did not come back leaves, so that the others hear of it.
    fn put_back(&mut self, saved: SavedOccupant) {
        let presence = Content::parse(&saved.presence).unwrap_or_default();
        let session = Session { jid: saved.jid.clone(), presence, entered_ms: saved.joined_ms };
        let Some(room) = &mut self.room else { return };
        if !room.restore(saved.nick.clone(), saved.role, session) || remotes::is_remote(&self.server, &saved.jid) {
            return;
        }
        let occupant = self.address.with_resource(&saved.nick).unwrap_or_else(|_| self.address.clone());
        let session = self.server.sessions.at(&saved.jid).filter(|session| saved.account == Some(session.account));
        let is_there = session.is_some_and(|session| session.note_directed(&occupant));
        self.inside.insert(saved.jid.clone(), occupant);
        if !is_there {
            self.lost.push(saved.jid);
        }
    }

    /// A session that was resumed says who it was here, after a process that could not save it.
    pub(super) fn resume(&mut self, jid: Jid, occupant: &Jid) {
        let (Some(room), Some(nick)) = (&mut self.room, occupant.resource()) else { return };
        let Some(session) = self.server.sessions.at(&jid) else { return };
        let role = default_role(room.config(), room.affiliation(&jid));
        let entered_ms = self.server.clock.unix_ms();
        let there = Session { jid: jid.clone(), presence: Content::empty(), entered_ms };
        if room.restore(nick.into(), role, there) && session.note_directed(occupant) {
            self.inside.insert(jid, occupant.clone());
        }
    }

    /// The server stops: those who may go on with the next process are in the room then.
    pub(super) async fn save_occupants(&mut self) {
        let (Some(room), Some(_)) = (&self.room, &self.stored) else { return };
        let mut saved = Vec::new();
        for occupant in room.occupants() {
            for session in &occupant.sessions {
                let ours = self.server.sessions.at(&session.jid);
                if ours.is_none() && !remotes::is_remote(&self.server, &session.jid) {
                    continue;
                }
                saved.push(SavedOccupant {
                    nick: occupant.nick.clone(),
                    jid: session.jid.clone(),
                    account: ours.map(|session| session.account),
                    role: occupant.role,
                    joined_ms: session.entered_ms,
                    presence: session.presence.bytes().to_vec().into(),
                });
            }
        }
        if !saved.is_empty() {
            self.change(RoomChange::SaveOccupants(saved)).await;
        }
    }

    /// A change of the room's rows that nobody waits for.
    async fn change(&self, change: RoomChange) {
        let Some(Stored { id, .. }) = &self.stored else { return };
        let outcome = self.server.commit(Record::of(Op::Room { owner: *id, change: Box::new(change) })).await;
        if !outcome.is_done() {
            tracing::warn!(room = self.address.as_str(), ?outcome, "who is in a room could not be stored");
        }
    }
}
