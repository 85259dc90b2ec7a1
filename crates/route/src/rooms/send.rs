//! What a room sends: one written body for all, and to each a start of its own. Nothing is waited for, but for what goes the way of messages
//! between people because it is kept for who is away.

use std::sync::Arc;
use std::time::Duration;

use metronome_features::blocking::check;
use metronome_host::announcement::Announcement;
use metronome_host::blocking::What;
use metronome_host::effect::Effect as HostEffect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::outbox::Frame;
use metronome_host::session::{Offered, Session, Shown};
use metronome_host::waves;
use metronome_muc::{Effect, Outgoing, Stamp, To};
use metronome_proto::jid::Jid;
use metronome_proto::payload::stanza_id;
use metronome_proto::stanza::{Kind, MessageType, Name, Stanza};
use metronome_proto::xml::Content;

use super::task::Task;
use crate::waking::wake;
use crate::written::Written;
use crate::{copies, csi, deliver, made, presence, remotes};

/// So many stanzas go to one who enters before others of this thread go on.
const TURN: usize = 128;

/// So often a room waits a moment for one who enters to read what is there already: a client that reads needs less, and one that does not
/// holds nobody up for longer.
const MOMENTS: usize = 10;
const MOMENT: Duration = Duration::from_millis(1);

/// Whether a session takes it.
async fn offer(session: &Session, frame: &Frame) -> bool {
    for _ in 0..MOMENTS {
        match session.offer_part(frame.clone()) {
            Offered::Full => tokio::time::sleep(MOMENT).await,
            offered => return offered == Offered::Queued,
        }
    }
    false
}

/// Where those gather who are told something together and are woken together; none where they are few.
fn wave_of(to: &[Jid]) -> Option<Vec<Arc<Session>>> {
    (to.len() >= waves::MANY).then(|| Vec::with_capacity(to.len()))
}

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
        let mut effects = effects.into_iter().peekable();
        while let Some(effect) = effects.next() {
            match effect {
                Effect::Send(first) => match first.to.clone() {
                    To::One(to) => {
                        let mut run = vec![first];
                        let is_next =
                            |effect: &Effect| matches!(effect, Effect::Send(next) if next.to == To::One(to.clone()));
                        while let Some(Effect::Send(next)) = effects.next_if(is_next) {
                            run.push(next);
                        }
                        self.feed(run, &to).await;
                    }
                    _ => self.send_one(first, row).await,
                },
                Effect::Reply(content) => answer = Some(content),
                Effect::End => {}
            }
        }
        answer
    }

    /// What somebody gets who enters, which is as much as others are there. Who does not take it all is not in the room.
    async fn feed(&mut self, run: Vec<Outgoing>, to: &Jid) {
        let Some(session) = self.server.sessions.at(to) else {
            for outgoing in run {
                self.send_one(Outgoing { to: To::These(vec![to.clone()]), ..outgoing }, None).await;
            }
            return;
        };
        for (n, Outgoing { kind, from, id, lang, content, .. }) in run.into_iter().enumerate() {
            let what = if let Kind::Presence(_) = kind { What::PresenceIn } else { What::Message };
            if check::denies(&self.server, &session, &from, what) {
                continue;
            }
            let stanza = Stanza { kind, from, to: Some(to.clone()), id, lang, content };
            if !offer(&session, &Frame::whole(stanza.to_vec())).await {
                self.server.counters.dropped.add();
                session.wake();
                return self.lost.push(to.clone());
            }
            if n % TURN == TURN - 1 {
                session.wake();
                tokio::task::yield_now().await;
            }
        }
        session.wake();
    }

    async fn send_one(&mut self, outgoing: Outgoing, row: Option<u64>) {
        let Outgoing { kind, from, id, lang, content, stamp, to } = outgoing;
        let stanza = Stanza { kind, from, to: None, id, lang, content };
        let to = match to {
            To::These(to) => to,
            To::One(to) => vec![to],
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

    /// Who has no room for who comes and goes would see others than are there, and must know: they are in the room no more.
    fn show(&mut self, stanza: &Stanza, to: &[Jid]) {
        let announcement = Announcement::new(stanza);
        let mut wave = wave_of(to);
        for jid in to {
            match self.server.sessions.at(jid) {
                Some(session) if check::denies(&self.server, &session, &stanza.from, What::PresenceIn) => {}
                Some(session) => {
                    let shown = match &mut wave {
                        Some(_) => session.show_directly_unwoken(&announcement),
                        None => session.show_directly(&announcement),
                    };
                    if shown == Shown::Dropped && self.room.as_ref().is_some_and(|room| room.occupant_of(jid).is_some())
                    {
                        self.lost.push(jid.clone());
                    }
                    presence::show::count(&self.server, shown);
                    if let Some(wave) = &mut wave {
                        wave.push(session);
                    }
                }
                None if remotes::is_remote(&self.server, jid) => {
                    remotes::announce(&self.server, &stanza.from, &announcement, jid);
                }
                None => {}
            }
        }
        self.wake(wave);
    }

    /// Wakes those who were told something together; with what the room tells them in a moment, if it tells much.
    fn wake(&self, wave: Option<Vec<Arc<Session>>>) {
        if let Some(wave) = wave {
            wake(&self.server, &self.waves, wave);
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
        let mut wave = wave_of(to);
        for jid in to {
            match self.server.sessions.at(jid) {
                Some(session) => {
                    let frame = || written.to(&session.jid, &[]);
                    self.hand(&session, &stanza, || match wave {
                        Some(_) => csi::offer_unwoken(&session, frame(), &stanza, passing),
                        None => csi::offer(&session, frame(), &stanza, passing),
                    });
                    if let Some(wave) = &mut wave {
                        wave.push(session);
                    }
                }
                None if remotes::is_remote(&self.server, jid) => elsewhere.push(jid),
                // Its end is on the way here, or nobody will tell it.
                None => self.lost.push(jid.clone()),
            }
        }
        self.wake(wave);
        if !elsewhere.is_empty() {
            if let Some(row) = row {
                stanza.content = stanza.content.with(&stanza_id::tree(&self.address, &row.to_string()));
            }
            elsewhere.into_iter().for_each(|jid| self.push(&stanza, jid));
        }
    }

    /// Who has no room for what is said misses something, and must know: they are in the room no more.
    fn hand(&mut self, session: &Session, stanza: &Stanza, offer: impl FnOnce() -> Offered) {
        if check::denies(&self.server, session, &stanza.from, What::Message) {
            return;
        }
        match offer() {
            Offered::Queued => self.server.counters.delivered.add(Name::Message),
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
