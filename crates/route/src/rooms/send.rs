//! What a room sends: one written body for all, and to each a start of its own. Nothing is waited for, but for what goes the way of messages
//! between people because it is kept for who is away.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_host::activity::Passing;
use metronome_host::announcement::Announcement;
use metronome_host::blocking::What;
use metronome_host::effect::Effect as HostEffect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::session::{Offered, Session, Shown};
use metronome_muc::{Effect, Outgoing, Stamp, To};
use metronome_proto::jid::Jid;
use metronome_proto::payload::stanza_id;
use metronome_proto::stanza::{Kind, MessageType, Stanza};
use metronome_proto::xml::Content;

use super::task::Task;
use crate::written::Written;
use crate::{copies, csi, deliver, made, remotes};

impl Task {
    /// Sends what was decided, then lets go of the stanza that led to it. `row` is the id of the new row.
    pub(super) async fn send(&mut self, env: Option<Box<Envelope>>, effects: Vec<Effect>, row: Option<u64>) {
        let answer = self.send_effects(effects, row).await;
        let Some(mut env) = env else { return };
        if let (Some(content), Kind::Iq(_)) = (answer, env.stanza.kind) {
            env.effects.push(HostEffect::Reply(env.stanza.result(content)));
        }
        // XEP-0280 section 6.1: what somebody sends to an occupant, their other devices have as well.
        let is_private = env.stanza.to.as_ref().is_some_and(|to| to.is_full());
        if let (Some(session), true, Kind::Message(_)) = (env.sender.as_session(), is_private, env.stanza.kind) {
            copies::of_sent(&self.server, session, &env.stanza, row.filter(|_| env.sent_row.is_some()));
        }
        env.destination = Destination::Nobody;
        deliver::admitted(&self.server, &mut env);
    }

    /// Sends what was decided; with the content of the answer, if there is one.
    pub(super) async fn send_effects(&mut self, effects: Vec<Effect>, row: Option<u64>) -> Option<Content> {
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Send(outgoing) => self.send_one(outgoing, row).await,
                Effect::Reply(content) => answer = Some(content),
                Effect::End => {}
            }
        }
        answer
    }

    async fn send_one(&mut self, outgoing: Outgoing, row: Option<u64>) {
        let Outgoing { kind, from, id, lang, content, stamp, to } = outgoing;
        let stanza = Stanza { kind, from, to: None, id, lang, content };
        let to = match to {
            To::These(to) => to,
            To::Everyone => self.room.as_ref().map(|room| room.sessions().cloned().collect()).unwrap_or_default(),
        };
        match kind {
            Kind::Presence(_) => self.show(&stanza, &to),
            Kind::Message(MessageType::Groupchat) => {
                self.say(stanza, row.filter(|_| stamp == Stamp::Archived), &to);
                // Others of this thread go on between two messages to many.
                tokio::task::yield_now().await;
            }
            _ => {
                let stanzas = to.into_iter().map(|to| stanza.clone().with_to(to)).collect();
                made::send_all(self.server.clone(), stanzas).await;
            }
        }
    }

    fn show(&self, stanza: &Stanza, to: &[Jid]) {
        let announcement = Announcement::new(stanza);
        for jid in to {
            match self.server.sessions.at(jid) {
                Some(session) if check::denies(&self.server, &session, &stanza.from, What::PresenceIn) => {}
                Some(session) if session.show_directly(&announcement) == Shown::Dropped => {
                    self.server.counters.dropped.add();
                }
                Some(_) => {}
                None if remotes::is_remote(&self.server, jid) => {
                    remotes::announce(&self.server, &stanza.from, &announcement, jid);
                }
                None => {}
            }
        }
    }

    fn say(&mut self, mut stanza: Stanza, row: Option<u64>, to: &[Jid]) {
        let mut own = Vec::new();
        if let Some(row) = row {
            stanza_id::write_stanza_id(&mut own, &self.address, &row.to_string());
        }
        let written = Written::new(&stanza, &[stanza.content.bytes(), &own]);
        let passing = csi::passing(&stanza);
        let mut elsewhere = Vec::new();
        for jid in to {
            match self.server.sessions.at(jid) {
                Some(session) => self.hand(&session, &stanza, &written, passing),
                None if remotes::is_remote(&self.server, jid) => elsewhere.push(jid),
                // Its end is on the way here, or nobody will tell it.
                None => self.lost.push(jid.clone()),
            }
        }
        if !elsewhere.is_empty() {
            if !own.is_empty() {
                let content = [stanza.content.bytes(), &own[..]].concat();
                stanza.content = Content::parse(&content).unwrap_or(stanza.content);
            }
            elsewhere.into_iter().for_each(|jid| self.push(&stanza, jid));
        }
    }

    /// Who has no room for what is said misses something, and must know: they are in the room no more.
    fn hand(&mut self, session: &Session, stanza: &Stanza, written: &Written, passing: Option<Passing>) {
        if check::denies(&self.server, session, &stanza.from, What::Message) {
            return;
        }
        match csi::offer(session, written.to(&session.jid, &[]), stanza, passing) {
            Offered::Queued => self.server.counters.messages_delivered.add(),
            Offered::Deferred | Offered::Spared => {}
            Offered::Full => {
                self.server.counters.dropped.add();
                self.lost.push(session.jid.clone());
            }
            Offered::Gone => self.server.counters.dropped.add(),
        }
    }

    /// What cannot go to another server ends the presence of its recipient, if the failure says so.
    fn push(&mut self, stanza: &Stanza, jid: &Jid) {
        let pushed = remotes::push(&self.server, Arc::new(stanza.clone().with_to(jid.clone())));
        if pushed.error().is_some_and(|error| metronome_muc::says_gone(&error)) {
            self.lost.push(jid.clone());
        }
    }
}
