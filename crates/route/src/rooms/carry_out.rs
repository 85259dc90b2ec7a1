//! A decision becomes durable, then it is done, then it is seen. Messages that change nothing but the archive go to the store one behind the
//! other, so that they share its commits; everything else waits until those are done.

use std::collections::HashMap;

use metronome_features::muc::record::{Stored, Writing};
use metronome_host::effect::Effects;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Load;
use metronome_model::{AccountId, Outcome, Unavailable};
use metronome_muc::{ArchiveOp, Decision, Effect, RoomOp};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::roll::Roll;
use super::task::Task;
use crate::{finish, remotes};

/// Messages that are on their way to the store at a time.
const PENDING_MAX: usize = 64;

/// A message that is sent once it is stored.
pub(super) struct Pending {
    env: Option<Box<Envelope>>,
    effects: Vec<Effect>,
    /// None if there is nothing to store of it.
    outcome: Option<oneshot::Receiver<Outcome>>,
}

/// Whose place in the room a decision may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Concerns<'a> {
    /// Nobody's.
    Nobody,
    /// That of one session, and of those that share its nickname.
    One(&'a Jid),
    /// Anybody's.
    All,
}

/// The ids of rows that were appended.
type Ids = SmallVec<[u64; 2]>;

impl Task {
    /// Does what was decided because of a stanza, or of nothing that anybody waits for; false if it could not be stored.
    pub(super) async fn carry_out(
        &mut self,
        env: Option<Box<Envelope>>,
        decision: Decision,
        concerns: Concerns<'_>,
    ) -> bool {
        let mut ends = decision.effects.contains(&Effect::End);
        if decision.ops.is_empty() && decision.change.is_empty() && !ends {
            self.send_behind(env, decision).await;
            return true;
        }
        let Decision { ops, archive, change, effects } = decision;
        self.flush().await;
        let mut env = env;
        let ids = match self.store(env.as_deref_mut(), ops, archive).await {
            Ok(ids) => ids,
            // Who leaves has left, whatever becomes of the room: it is there until it can be removed.
            Err(_) if ends && matches!(concerns, Concerns::One(_)) => {
                ends = false;
                Ids::new()
            }
            Err(refuse) => {
                self.undone(env, refuse);
                return false;
            }
        };
        let concerned = self.sessions_of(concerns);
        if let Some(room) = &mut self.room {
            room.apply(change);
        }
        if concerns != Concerns::Nobody {
            self.note_roll();
        }
        let gone = self.follow_sessions(concerned);
        self.send(env, effects, ids.first().copied()).await;
        if ends {
            self.over();
        }
        self.lost.extend(gone);
        true
    }

    /// A decision that leaves the room as it is: sent behind what is on its way to the store.
    async fn send_behind(&mut self, mut env: Option<Box<Envelope>>, decision: Decision) {
        let Decision { archive, effects, .. } = decision;
        if env.as_ref().is_some_and(|env| !env.record.ops.is_empty()) {
            // What was said to all before comes before it; what was said to others need not.
            if self.pending.iter().any(|pending| !pending.effects.is_empty()) {
                self.flush().await;
            }
            // What another gets is with the writer before what its sender keeps, and counts as handled: then it is stored before.
            self.send_effects(effects, None).await;
            let (outcome, _) = self.submit(env.as_deref_mut(), Vec::new(), Vec::new(), HashMap::new()).await;
            self.pending.push(Pending { env, effects: Vec::new(), outcome: Some(outcome) });
            return self.flush_if_many().await;
        }
        let is_stored = !archive.is_empty() && self.stored.is_some();
        if !is_stored && self.pending.is_empty() {
            return self.send(env, effects, None).await;
        }
        let outcome = match is_stored {
            true => Some(self.submit(env.as_deref_mut(), Vec::new(), archive, HashMap::new()).await.0),
            false => None,
        };
        self.pending.push(Pending { env, effects, outcome });
        self.flush_if_many().await;
    }

    async fn flush_if_many(&mut self) {
        if self.pending.len() >= PENDING_MAX {
            self.flush().await;
        }
    }

    /// Waits for what is on its way to the store, and sends it.
    pub(super) async fn flush(&mut self) {
        let mut has_talked = false;
        for Pending { mut env, effects, outcome } in std::mem::take(&mut self.pending) {
            let outcome = match outcome {
                Some(outcome) => outcome.await.unwrap_or(Outcome::Unavailable(Unavailable::Stopping)),
                None => Outcome::Done { ids: Ids::new() },
            };
            match outcome {
                Outcome::Done { ids } => {
                    has_talked |= !effects.is_empty() && !ids.is_empty();
                    note_stored(env.as_deref_mut());
                    self.send(env, effects, ids.first().copied()).await;
                }
                other => self.undone(env, refusal_of(&other)),
            }
        }
        if has_talked {
            self.note_talk();
        }
    }

    fn undone(&mut self, env: Option<Box<Envelope>>, refuse: Refuse) {
        // A room that could not be made is none.
        if self.room.as_ref().is_some_and(|room| room.sessions().len() == 0) && self.stored.is_none() {
            self.over();
        }
        if let Some(env) = env {
            self.refuse(env, refuse);
        }
    }

    /// Makes changes durable, if there are any, and answers with the ids of new rows.
    async fn store(
        &mut self,
        mut env: Option<&mut Envelope>,
        ops: Vec<RoomOp>,
        archive: Vec<ArchiveOp>,
    ) -> Result<Ids, Refuse> {
        if ops.is_empty() && (archive.is_empty() || self.stored.is_none()) {
            return Ok(Ids::new());
        }
        let accounts = self.accounts_of(&ops).await?;
        let (outcome, stored) = self.submit(env.as_deref_mut(), ops, archive, accounts).await;
        match outcome.await.unwrap_or(Outcome::Unavailable(Unavailable::Stopping)) {
            Outcome::Done { ids } => {
                note_stored(env);
                self.stored = stored;
                self.server.facts.forget(self.address.as_str());
                Ok(ids)
            }
            other => Err(refusal_of(&other)),
        }
    }

    /// Hands a record to the writer; with what the store has of the room once it is durable.
    async fn submit(
        &mut self,
        env: Option<&mut Envelope>,
        ops: Vec<RoomOp>,
        archive: Vec<ArchiveOp>,
        accounts: HashMap<Jid, AccountId>,
    ) -> (oneshot::Receiver<Outcome>, Option<Stored>) {
        const BYTES: usize = 4096;
        self.past = None;
        let weight = env.as_ref().map_or(BYTES, |env| env.weight());
        // What its sender keeps of a private message, and that it is handled, is stored with it.
        let record = env.map(|env| std::mem::take(&mut env.record)).unwrap_or_default();
        let mut writing = Writing {
            address: &self.address,
            stored: if ops.is_empty() { self.stored.as_ref().map(Stored::named) } else { self.stored.clone() },
            new_id: AccountId::ordinary(self.server.rng.bytes16()),
            at_ms: self.server.clock.unix_ms(),
            accounts,
            record,
        };
        writing.change(ops);
        writing.archive(archive);
        let Writing { record, stored, .. } = writing;
        let permit = self.server.writer.permit(weight + record.extra_bytes()).await;
        let (sender, receiver) = oneshot::channel();
        self.server.writer.submit(permit, record, Load::Asked(Effects::new(), sender));
        (receiver, stored)
    }

    /// The accounts of ours that are something to the room from now on.
    async fn accounts_of(&self, ops: &[RoomOp]) -> Result<HashMap<Jid, AccountId>, Refuse> {
        let mut accounts = HashMap::new();
        for op in ops {
            let RoomOp::Affiliate { jid, .. } = op else { continue };
            let is_ours = jid.local().is_some() && self.server.hosts.load().get(jid.domain()).is_some();
            if is_ours && let Some(facts) = self.server.facts.of(&*self.server.store, jid).await? {
                accounts.insert(jid.clone(), facts.account.id);
            }
        }
        Ok(accounts)
    }

    /// Those of our sessions whose place in the room may change.
    fn sessions_of(&self, concerns: Concerns<'_>) -> Vec<Jid> {
        let session = match concerns {
            Concerns::Nobody => return Vec::new(),
            Concerns::One(session) => session,
            Concerns::All => return self.inside.keys().cloned().collect(),
        };
        let occupant = self.room.as_ref().and_then(|room| room.occupant_of(session));
        let mut sessions: Vec<_> =
            occupant.iter().flat_map(|occupant| &occupant.sessions).map(|session| session.jid.clone()).collect();
        if !sessions.contains(session) {
            sessions.push(session.clone());
        }
        sessions
    }

    /// Sessions are told by their lists that they leave; what those say follows what the room says. Answers which have ended meanwhile.
    fn follow_sessions(&mut self, before: Vec<Jid>) -> Vec<Jid> {
        let Some(room) = &self.room else { return Vec::new() };
        let mut gone = Vec::new();
        for jid in before {
            let now = room.occupant_of(&jid).and_then(|occupant| room.address().with_resource(&occupant.nick).ok());
            let noted = self.inside.get(&jid);
            if noted == now.as_ref() {
                continue;
            }
            let session = self.server.sessions.at(&jid);
            if session.is_none() && remotes::is_remote(&self.server, &jid) {
                continue;
            }
            if let (Some(session), Some(noted)) = (&session, noted) {
                session.forget_directed(noted);
            }
            match now {
                Some(now) if session.is_some_and(|session| session.note_directed(&now)) => {
                    self.inside.insert(jid, now);
                }
                Some(_) => gone.push(jid),
                None => drop(self.inside.remove(&jid)),
            }
        }
        gone
    }

    /// There is no room here any more.
    fn over(&mut self) {
        for (jid, occupant) in self.inside.drain() {
            if let Some(session) = self.server.sessions.at(&jid) {
                session.forget_directed(&occupant);
            }
        }
        (self.room, self.stored, self.roll) = (None, None, Roll::default());
        self.lost.clear();
        self.server.facts.forget(self.address.as_str());
    }
}

/// Its stanza counts as stored.
fn note_stored(env: Option<&mut Envelope>) {
    if let Some(ticket) = env.and_then(|env| env.ticket.as_mut()) {
        ticket.stored();
    }
}

fn refusal_of(outcome: &Outcome) -> Refuse {
    finish::refusal_of(outcome).unwrap_or_else(|| Condition::InternalServerError.into())
}
