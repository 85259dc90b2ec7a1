//! The task of one room: what it has in memory, and what it does with each thing that comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metronome_features::muc::pace::{Pace, Rule};
use metronome_features::muc::record::Stored;
use metronome_features::muc::settings;
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::rooms::Item;
use metronome_host::server::Server;
use metronome_host::waves::Waves;
use metronome_model::{Op, Record, RoomChange};
use metronome_muc::history::{Past, Wanted};
use metronome_muc::{Facts, Input, Limits, Room, Standing};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use super::carry_out::{Concerns, Pending};
use super::relay::Relayed;
use super::roll::Roll;
use super::updates::Updates;
use crate::{deliver, finish};

/// Things that are taken at once.
const TURN: usize = 64;
/// For how long a room stays in memory with nobody in it.
const IDLE: Duration = Duration::from_secs(30);

/// A room in use.
pub(super) struct Task {
    pub(super) server: Arc<Server>,
    /// Its bare address.
    pub(super) address: Jid,
    /// The service that has it, as it was when the room was asked for something last.
    pub(super) host: Arc<Host>,
    pub(super) limits: Limits,
    /// None while there is none at this address.
    pub(super) room: Option<Room>,
    /// What the store has of it.
    pub(super) stored: Option<Stored>,
    /// Sessions of ours that are in it, each with the address that stands in its list of those who are told when it leaves.
    pub(super) inside: HashMap<Jid, Jid>,
    /// Messages that are on their way to the store, in order.
    pub(super) pending: Vec<Pending>,
    /// Requests between occupants.
    pub(super) relayed: Relayed,
    /// Sessions that did not take what they were to get.
    pub(super) lost: Vec<Jid>,
    /// What the store knows of who is there.
    pub(super) roll: Roll,
    /// Whose presence has changed, and how often.
    pub(super) updates: Updates,
    /// Who is told something, and waits to be woken with what follows it.
    pub(super) waves: Arc<Waves>,
    /// What was read for the last who entered, while it is what there is.
    pub(super) past: Option<(Wanted, Arc<[Past]>)>,
    /// How fast people write.
    pub(super) pace: Pace,
    /// How fast they may.
    pub(super) pace_rule: Rule,
    /// When somebody was last in it, since that was noted; Unix time in milliseconds.
    pub(super) used_ms: Option<u64>,
}

/// Runs a room until nobody is in it and nothing comes any more.
pub(super) async fn run(server: &Arc<Server>, address: &Jid) {
    let Some(host) = server.hosts.load().service(address.domain()).cloned() else {
        return refuse_all(server, address, &Condition::ServiceUnavailable.into()).await;
    };
    let mut task = match Task::load(server, address, host).await {
        Ok(task) => task,
        Err(refuse) => return refuse_all(server, address, &refuse).await,
    };
    let mut items = Vec::with_capacity(TURN);
    loop {
        task.next(&mut items).await;
        if items.is_empty() && task.is_empty() {
            task.save_roll_now().await;
            task.note_use().await;
            if server.rooms.end(address) {
                return;
            }
        }
        task.follow_options();
        task.see_who_is_there();
        for item in items.drain(..) {
            task.take(item).await;
        }
        // Whoever comes later is shown what is there then.
        task.past = None;
        task.flush().await;
        task.show_put_off().await;
        task.lose().await;
        task.save_roll().await;
        task.see_who_is_there();
    }
}

/// Nothing can be done for anybody now; whoever asks later may have more luck.
async fn refuse_all(server: &Arc<Server>, address: &Jid, refuse: &Refuse) {
    let mut items = Vec::new();
    while !server.rooms.end(address) {
        std::future::poll_fn(|cx| server.rooms.poll_take(cx, address, &mut items, TURN)).await;
        for item in items.drain(..) {
            if let Item::Stanza(mut env) = item {
                finish::refuse(server, &mut env, refuse.clone());
                deliver::admitted(server, &mut env);
            }
        }
    }
}

impl Task {
    /// Waits for the next things, until something is due; an empty room waits for a while, and where there is none nothing is waited for.
    async fn next(&self, items: &mut Vec<Item>) {
        let take = std::future::poll_fn(|cx| self.server.rooms.poll_take(cx, &self.address, items, TURN));
        let wait = match (&self.room, self.is_empty()) {
            (None, _) => Some(Duration::ZERO),
            (Some(_), true) => Some(IDLE),
            (Some(_), false) => {
                let now_ms = self.server.clock.steady_ms();
                self.roll.wait(now_ms).into_iter().chain(self.updates.wait(now_ms)).min()
            }
        };
        match wait {
            // That the time is over is seen by there being nothing.
            Some(wait) => drop(tokio::time::timeout(wait, take).await),
            None => take.await,
        }
    }

    /// Whether nobody is there, or no room.
    fn is_empty(&self) -> bool {
        self.room.as_ref().is_none_or(|room| room.sessions().len() == 0)
    }

    /// The rules of this moment.
    fn follow_options(&mut self) {
        if let Some(host) = self.server.hosts.load().service(self.address.domain())
            && !Arc::ptr_eq(host, &self.host)
        {
            self.host = host.clone();
            self.limits = settings::limits(&host.values);
            self.pace_rule = settings::pace(&host.values);
        }
    }

    /// As long as somebody is there the room is used.
    fn see_who_is_there(&mut self) {
        if self.room.as_ref().is_some_and(|room| room.sessions().len() > 0) {
            self.used_ms = Some(self.server.clock.unix_ms());
        }
    }

    /// Notes when somebody was last here, before the room leaves memory: rooms that nobody uses may end by that.
    async fn note_use(&mut self) {
        let (Some(at_ms), Some(stored)) = (self.used_ms.take(), &self.stored) else { return };
        let change = Box::new(RoomChange::Use { at_ms });
        // What cannot be noted makes the room older than it is, by its time in memory.
        let _ = self.server.commit_bulk(Record::of(Op::Room { owner: stored.id, change })).await;
    }

    async fn take(&mut self, item: Item) {
        match item {
            Item::Stanza(env) => self.stanza(env).await,
            Item::Left(session) => self.leave(&session).await,
            Item::Returned(error) => self.returned(&error).await,
            Item::Asked(asked) => {
                self.flush().await;
                let answer = self.answer(asked.question).await;
                drop(asked.answer.send(answer));
            }
            Item::Changed(jid) => self.account_changed(&jid).await,
            Item::Wake => {}
            Item::Stop(done) => {
                self.flush().await;
                self.close_roll().await;
                self.note_use().await;
                drop(done);
            }
        }
    }

    /// What a decision is made upon beside the room.
    pub(super) fn facts<'a>(&'a self, from: &'a Jid, standing: Standing) -> Facts<'a> {
        Facts {
            from,
            standing,
            account: None,
            now_ms: self.server.clock.unix_ms(),
            random: self.server.rng.bytes16(),
            limits: &self.limits,
            table: settings::table(),
        }
    }

    /// Decides and does something that nobody waits for.
    pub(super) async fn happen(&mut self, from: &Jid, input: &Input<'_>) {
        self.flush().await;
        let Some(room) = &self.room else { return };
        if let Ok(decision) = metronome_muc::decide(room, &self.facts(from, Standing::Ordinary), input) {
            self.carry_out(None, decision, Concerns::One(from)).await;
        }
    }

    /// A session of ours is gone, or not available any more.
    async fn leave(&mut self, session: &Jid) {
        if self.inside.contains_key(session) {
            self.happen(session, &Input::Leave { presence: &Content::empty(), id: None }).await;
        }
    }

    /// Those who did not take what they were to get are in the room no more.
    async fn lose(&mut self) {
        while let Some(session) = self.lost.pop() {
            self.happen(&session.clone(), &Input::Lose(&session)).await;
        }
    }

    /// An error that ends a stanza.
    pub(super) fn refuse(&self, mut env: Box<Envelope>, refuse: Refuse) {
        finish::refuse(&self.server, &mut env, refuse);
        deliver::admitted(&self.server, &mut env);
    }
}
