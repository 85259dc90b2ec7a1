//! Dialback on one stream (XEP-0220): what was asked on it, in both directions, and what each answer means. A pure machine: it is told
//! what the other side says and tells what to do about it, so it can be shown everything that a hostile server might say.
//!
//! Answers count only where this very stream has an open question for exactly that pair. Questions about our own keys are answered from
//! the secret alone and leave nothing behind.

use metronome_host::gate::Gate;
use metronome_host::hosts::Hosts;
use metronome_proto::jid::Jid;
use metronome_proto::payload::dialback::{Dialback, Says, Step};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stream::error::Condition as StreamCondition;
use metronome_sasl::{DialbackSecret, DialbackUse};

use super::authorise::{Method, PAIRS_MAX, Pair, Proof, Proofs};
use super::external::Shown;
use super::policy;

/// Most questions of the other side that are being looked into at a time.
const ASKING_MAX: usize = 16;
/// The same while nothing is proved: each costs connections to wherever the other side likes.
const ASKING_UNPROVED_MAX: usize = 4;
/// Most of its requests that may end with an error; the next one ends the stream.
const ERRORS_MAX: u32 = 10;

/// In which directions stanzas may flow on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// To us: the other side has opened it.
    In,
    /// From us: we have opened it.
    Out,
    /// Both (XEP-0288).
    Both,
}

impl Ways {
    /// Whether stanzas may come.
    pub(super) fn takes(self) -> bool {
        self != Ways::Out
    }
}

/// What is known where something is heard.
pub(super) struct Facts<'a> {
    pub(super) hosts: &'a Hosts,
    pub(super) gate: &'a Gate,
    pub(super) secret: &'a DialbackSecret,
    /// The certificate that the other side has shown.
    pub(super) shown: &'a Shown,
    pub(super) is_encrypted: bool,
    /// The stream's id.
    pub(super) id: &'a str,
    pub(super) now_ms: u64,
}

/// The questions of one stream.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) ways: Ways,
    /// Ours that are not answered: may we send? With when each was asked, in steady milliseconds.
    asked: Vec<(Pair, u64)>,
    /// Ours that nobody has answered in time: an answer that comes after all is no offence.
    given_up: Vec<Pair>,
    /// The other side's that are being looked into.
    asking: Vec<Pair>,
    errors: u32,
}

/// A key about which its domain's own server is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Who claims to have made it, and to whom.
    pub(super) pair: Pair,
    /// The id of the stream that it came over.
    pub(super) id: String,
    pub(super) key: String,
}

/// What comes of an element.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing.
    Nothing,
    /// This is said.
    Say(Dialback),
    /// The domain's own server is asked, and then [`Conversation::verified`].
    Verify(Question),
    /// The other side has proved this pair, and is told so.
    Proved(Pair, Proof, Dialback),
    /// The other side takes what we send for this pair.
    Accepted(Pair),
    /// It does not.
    Refused(Pair, Condition),
}

/// What a domain's own server says of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has made it.
    Valid,
    /// It has not.
    Invalid,
    /// Nobody knows, and the other side hears this.
    Unknown(Condition),
}

/// What comes of a verdict.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verified {
    /// The other side is told; with a proof if it is one.
    Say(Dialback, Option<Proof>),
    /// The other side is told, and the stream ends: it has proved nothing, and has tried to be somebody else (section 2.2.1).
    SayAndEnd(Dialback),
}

impl Conversation {
    /// Nothing was said yet.
    pub(super) fn new(ways: Ways) -> Conversation {
        Conversation { ways, asked: Vec::new(), given_up: Vec::new(), asking: Vec::new(), errors: 0 }
    }

    /// Asks whether we may send for this pair; nothing if it was asked already, or if there are too many questions. `now_ms` is steady time.
    pub(super) fn ask(&mut self, pair: Pair, id: &str, secret: &DialbackSecret, now_ms: u64) -> Option<Dialback> {
        if self.asked.iter().any(|(asked, _)| *asked == pair) || self.asked.len() >= PAIRS_MAX {
            return None;
        }
        let (receiving, originating) = (pair.remote.as_str(), pair.local.as_str());
        let key = secret.key(DialbackUse { receiving, originating, stream: id }).expose().clone();
        let (from, to) = (pair.local.clone(), pair.remote.clone());
        self.asked.push((pair, now_ms));
        Some(Dialback { step: Step::Result, from, to, id: None, says: Says::Key(key) })
    }

    /// Our questions since before this steady time in milliseconds that nobody has answered, which nobody may answer any more.
    pub(super) fn give_up(&mut self, before_ms: u64) -> Vec<Pair> {
        let given_up = self.asked.extract_if(.., |(_, asked_ms)| *asked_ms < before_ms);
        let given_up: Vec<Pair> = given_up.map(|(pair, _)| pair).collect();
        self.given_up.extend(given_up.iter().cloned());
        self.given_up.truncate(PAIRS_MAX);
        given_up
    }

    /// Whether an answer of either side is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty() || !self.asking.is_empty()
    }

    /// Something was said. An error ends the stream.
    pub(super) fn hear(
        &mut self,
        said: Dialback,
        proofs: &Proofs,
        facts: &Facts<'_>,
    ) -> Result<Heard, StreamCondition> {
        match (said.step, &said.says) {
            (Step::Verify, Says::Key(_)) => Ok(Heard::Say(answer(&said, facts.hosts, facts.secret))),
            // Keys of others are asked about on streams of their own: here nobody can have an answer for us.
            (Step::Verify, _) => Err(StreamCondition::InvalidFrom),
            (Step::Result, Says::Key(key)) => {
                let key = key.clone();
                self.requested(said, key, proofs, facts)
            }
            (Step::Result, says) => self.answered(&said.from, &said.to, says),
        }
    }

    /// Step 4, for the side that has asked (section 2.1.1). What was not asked here nobody may answer here (section 3.1).
    fn answered(&mut self, from: &Jid, to: &Jid, says: &Says) -> Result<Heard, StreamCondition> {
        let is_it = |pair: &Pair| pair.local == *to && pair.remote == *from;
        let place = self.asked.iter().position(|(pair, _)| is_it(pair));
        if let (None, Some(late)) = (place, self.given_up.iter().position(is_it)) {
            self.given_up.swap_remove(late);
            return Ok(Heard::Nothing);
        }
        let (pair, _) = self.asked.remove(place.ok_or(StreamCondition::InvalidFrom)?);
        Ok(match says {
            Says::Valid => Heard::Accepted(pair),
            Says::Invalid => Heard::Refused(pair, Condition::InternalServerError),
            Says::Error(_) | Says::Key(_) => Heard::Refused(pair, Condition::RemoteServerTimeout),
        })
    }

    /// Step 1, for the side that is asked (section 2.2.1).
    fn requested(
        &mut self,
        said: Dialback,
        key: String,
        proofs: &Proofs,
        facts: &Facts<'_>,
    ) -> Result<Heard, StreamCondition> {
        let pair = Pair { local: said.to.clone(), remote: said.from.clone() };
        match self.judge(&pair, proofs, facts) {
            Judged::Refuse(condition) => self.refuse(&said, condition),
            Judged::Known => Ok(Heard::Say(said.answer(Says::Valid))),
            Judged::Repeated => Ok(Heard::Nothing),
            Judged::Certified(until_ms) => {
                let proof = Proof { method: Method::Certificate, at_ms: facts.now_ms, until_ms: Some(until_ms) };
                Ok(Heard::Proved(pair, proof, said.answer(Says::Valid)))
            }
            Judged::Open => {
                self.asking.push(pair.clone());
                Ok(Heard::Verify(Question { pair, id: facts.id.to_owned(), key }))
            }
        }
    }

    fn judge(&self, pair: &Pair, proofs: &Proofs, facts: &Facts<'_>) -> Judged {
        let Some(host) = facts.hosts.spoken_for(pair.local.as_str()) else {
            return Judged::Refuse(Condition::ItemNotFound);
        };
        // Nobody else speaks for a domain of ours, wherever its records lead to.
        let is_ours = facts.hosts.known(pair.remote.as_str()).is_some();
        let is_closed = facts.gate.judge(host, pair.remote.as_str(), facts.now_ms).is_err();
        if is_ours || is_closed || !self.ways.takes() {
            return Judged::Refuse(Condition::NotAllowed);
        }
        if !facts.is_encrypted && policy::needs_tls(host, Some(&pair.remote)) {
            return Judged::Refuse(Condition::PolicyViolation);
        }
        if proofs.get(pair.local.as_str(), pair.remote.as_str(), facts.now_ms).is_some() {
            return Judged::Known;
        }
        if self.asking.contains(pair) {
            return Judged::Repeated;
        }
        let asking_max = if proofs.is_empty() { ASKING_UNPROVED_MAX } else { ASKING_MAX };
        if proofs.pairs().count() + self.asking.len() >= PAIRS_MAX || self.asking.len() >= asking_max {
            return Judged::Refuse(Condition::ResourceConstraint);
        }
        let certified = facts.shown.proves(&pair.remote, facts.now_ms).filter(|_| policy::takes_certificates(host));
        match certified {
            Some(until_ms) => Judged::Certified(until_ms),
            None if policy::takes_dialback(host) => Judged::Open,
            None => Judged::Refuse(Condition::NotAuthorized),
        }
    }

    fn refuse(&mut self, said: &Dialback, condition: Condition) -> Result<Heard, StreamCondition> {
        self.note_error()?;
        Ok(Heard::Say(said.answer(Says::Error(condition))))
    }

    fn note_error(&mut self) -> Result<(), StreamCondition> {
        self.errors += 1;
        if self.errors > ERRORS_MAX { Err(StreamCondition::PolicyViolation) } else { Ok(()) }
    }

    /// The domain's own server has been asked. An error ends the stream.
    pub(super) fn verified(
        &mut self,
        pair: &Pair,
        verdict: Verdict,
        proofs: &Proofs,
        now_ms: u64,
    ) -> Result<Verified, StreamCondition> {
        self.asking.retain(|asking| asking != pair);
        let says =
            |says| Dialback { step: Step::Result, from: pair.local.clone(), to: pair.remote.clone(), id: None, says };
        match verdict {
            Verdict::Valid => {
                let proof = Proof { method: Method::Dialback, at_ms: now_ms, until_ms: None };
                Ok(Verified::Say(says(Says::Valid), Some(proof)))
            }
            Verdict::Invalid if proofs.is_empty() && self.asking.is_empty() => {
                Ok(Verified::SayAndEnd(says(Says::Invalid)))
            }
            Verdict::Invalid => {
                self.note_error()?;
                Ok(Verified::Say(says(Says::Error(Condition::Forbidden)), None))
            }
            Verdict::Unknown(condition) => {
                self.note_error()?;
                Ok(Verified::Say(says(Says::Error(condition)), None))
            }
        }
    }
}

/// What is thought of a request.
enum Judged {
    Refuse(Condition),
    /// The pair is proved already.
    Known,
    /// The same is being looked into.
    Repeated,
    /// The certificate proves it, until then.
    Certified(u64),
    /// Its domain's own server must be asked.
    Open,
}

/// Whether a key is one of ours (section 2.2.2): a function of the question.
pub(super) fn answer(asked: &Dialback, hosts: &Hosts, secret: &DialbackSecret) -> Dialback {
    let (Says::Key(key), Some(id)) = (&asked.says, &asked.id) else {
        return asked.answer(Says::Error(Condition::BadRequest));
    };
    if hosts.spoken_for(asked.to.as_str()).is_none() {
        return asked.answer(Says::Error(Condition::ItemNotFound));
    }
    let what = DialbackUse { receiving: asked.from.as_str(), originating: asked.to.as_str(), stream: id };
    asked.answer(if secret.is_key(what, key) { Says::Valid } else { Says::Invalid })
}

#[cfg(test)]
mod tests;
