//! What is said on a running stream with another server, element by element: stanzas of proved pairs, dialback, and who has had how much.

use metronome_host::linked::{Opened, Served, Way};
use metronome_proto::ns;
use metronome_proto::payload::dialback::{Dialback, Says};
use metronome_proto::payload::sm::{self, Answered, Said};
use metronome_proto::payload::{Malformed, bidi};
use metronome_proto::stanza::error::Condition as StanzaCondition;
use metronome_proto::stanza::{Received, Refused, Unreadable};
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::xml::Element;

use super::authorise::{Pair, Proof};
use super::cargo::TooHigh;
use super::dialback::{Facts, Heard, Verdict, Verified, Ways};
use super::negotiate::limits;
use super::outbound::called;
use super::policy;
use super::run::Run;
use super::streams::{self, Order};
use super::verify::verify;

impl Run {
    /// What the negotiation has left to be done.
    pub(super) fn begin(&mut self, accepted: Vec<Pair>, asks: Option<Pair>, first: Option<Element>) {
        let proved: Vec<Pair> = self.proofs.pairs().map(|(pair, _)| pair.clone()).collect();
        for pair in &proved {
            self.note_proof(pair);
        }
        for pair in accepted {
            self.accepted(pair, "external");
        }
        if let Some(pair) = asks {
            self.ask(&pair);
        }
        if let Some(first) = first {
            self.heard(first);
        }
    }

    /// An offence counts for those who have proved who they are: nobody gets another domain banned.
    fn offended(&self, why: &str) {
        let server = self.server();
        for (pair, _) in self.proofs.pairs() {
            if let Some(host) = server.hosts.load().spoken_for(pair.local.as_str()) {
                server.gate.offend(&server.clock, host, pair.remote.as_str(), why);
                return;
            }
        }
    }

    /// The rules about other servers have changed, or our own domains: a pair that may not talk any more ends the stream, and the others
    /// make new ones.
    pub(super) fn judge_again(&mut self) {
        if let Some(condition) = self.closed() {
            self.fail(condition);
        }
    }

    fn closed(&self) -> Option<Condition> {
        let server = self.server();
        let (hosts, now_ms) = (server.hosts.load(), server.clock.unix_ms());
        let judge = |local: &str, remote: &str| match hosts.spoken_for(local) {
            None => Some(Condition::HostGone),
            Some(host) => server.gate.judge(host, remote, now_ms).err().map(|_| Condition::PolicyViolation),
        };
        let proved = self.proofs.pairs().find_map(|(pair, _)| judge(pair.local.as_str(), pair.remote.as_str()));
        proved.or_else(|| self.cargo.pairs().find_map(|remote| judge(remote.local.as_str(), remote.remote.as_str())))
    }

    /// Another task wants something.
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::Carry(remote) => {
                let pair = Pair { local: remote.local.clone(), remote: remote.remote.clone() };
                if self.is_parting() || !self.may_serve(&pair) {
                    streams::dial_anew(&self.federation, remote);
                } else if self.serves_both_ways(&pair) {
                    self.carry(&pair, "bidi");
                } else if !self.ask(&pair) {
                    streams::dial_anew(&self.federation, remote);
                }
            }
        }
    }

    /// Whether this stream is good enough for a pair by the rules of its own host, whichever host it was opened for.
    fn may_serve(&self, pair: &Pair) -> bool {
        let (server, remote) = (self.server(), &pair.remote);
        let now_ms = server.clock.unix_ms();
        let hosts = server.hosts.load();
        hosts.spoken_for(pair.local.as_str()).is_some_and(|host| {
            server.gate.judge(host, remote.as_str(), now_ms).is_ok()
                && (self.is_encrypted || !policy::needs_tls(host, Some(remote)))
                && (policy::takes_dialback(host) || self.shown.proves(remote, now_ms).is_some())
        })
    }

    /// Whether what is for a domain may go over the stream on which it has proved itself.
    fn serves_both_ways(&self, pair: &Pair) -> bool {
        let (server, now_ms) = (self.server(), self.server().clock.unix_ms());
        let hosts = server.hosts.load();
        let takes_bidi =
            hosts.spoken_for(pair.local.as_str()).is_some_and(|host| policy::takes_bidi(host, &pair.remote));
        self.conversation.ways == Ways::Both
            && takes_bidi
            && self.proofs.get(pair.local.as_str(), pair.remote.as_str(), now_ms).is_some()
    }

    /// One element.
    pub(super) fn heard(&mut self, element: Element) {
        match Received::read(element, ns::SERVER) {
            Ok(read) => self.stanza(read),
            Err(Unreadable::Refused(refused)) => self.refused(*refused),
            Err(Unreadable::BadFrom) => self.fail(Condition::ImproperAddressing),
            Err(Unreadable::NotStanza(element)) => self.aside(&element),
        }
    }

    /// Whatever its sender may say: a stanza counts only if the pair of its domains was proved on this stream.
    fn stanza(&mut self, read: Received) {
        self.cargo.is_spoken_to();
        match self.proofs.authorise(&read, self.server().clock.unix_ms()) {
            Ok(_) => self.hand_on(read),
            Err(condition) => {
                let domain = |jid: &Option<metronome_proto::jid::Jid>| jid.as_ref().map(|jid| jid.domain().to_owned());
                tracing::warn!(link = self.link.id, peer = %self.link.address, from = domain(&read.from), to = domain(&read.to),
                    why = condition.name(), "a stanza of a domain that is not proved");
                self.offended("a stanza of a domain that is not proved");
                self.fail(condition);
            }
        }
    }

    /// A stanza that breaks the rules for stanzas goes back, by the way that leads to its sender.
    fn refused(&mut self, refused: Refused) {
        let now_ms = self.server().clock.unix_ms();
        let Some(from) = refused.from.clone() else { return self.fail(Condition::ImproperAddressing) };
        // Where its recipient cannot be read, it is for whichever domain of ours the sender's may talk to.
        let local = match &refused.to {
            Some(to) => self.proofs.authorise_pair(to.domain(), from.domain(), now_ms).map(|pair| pair.local.clone()),
            None => self.proofs.towards_any(from.domain(), now_ms).cloned().ok_or(Condition::InvalidFrom),
        };
        match local {
            Ok(local) => {
                self.list.push_settled();
                if let Some(reply) = refused.into_reply(local, from) {
                    metronome_route::remotes::send(self.server(), reply);
                }
            }
            Err(condition) => self.fail(condition),
        }
    }

    /// An element that is no stanza.
    fn aside(&mut self, element: &Element) {
        if let Some(error) = StreamError::read(element) {
            tracing::info!(
                link = self.link.id,
                remote = &*self.link.domain,
                why = error.condition.name(),
                text = error.text.as_deref(),
                "the other side ends the stream with an error"
            );
            self.ended_by_them = true;
            self.settle();
        } else if let Some(read) = Dialback::read(element) {
            match read {
                Ok(said) => self.dialback(said),
                Err(Malformed(why)) => {
                    tracing::debug!(link = self.link.id, why, "dialback that cannot be read");
                    self.fail(Condition::ImproperAddressing);
                }
            }
        } else if let Some(answered) = Answered::read(element) {
            match self.cargo.counts(answered) {
                true if answered == Answered::Enabled => self.count(),
                true => {}
                false => self.fail(Condition::UnsupportedStanzaType),
            }
        } else if let Some(said) = Said::read(element) {
            self.management(said);
        } else if !bidi::is_request(element) {
            self.fail(Condition::UnsupportedStanzaType);
        }
    }

    // ---- dialback ----------------------------------------------------------------------------------------------

    /// Asks whether we may send for a pair; false if that cannot be asked here.
    pub(super) fn ask(&mut self, pair: &Pair) -> bool {
        let now_ms = self.server().clock.steady_ms();
        let asked = self.conversation.ask(pair.clone(), &self.id, &self.federation.secret, now_ms);
        if let Some(asked) = &asked {
            asked.write(&mut self.unwritten);
        }
        asked.is_some()
    }

    fn dialback(&mut self, said: Dialback) {
        let hosts = self.server().hosts.load_full();
        let now_ms = self.server().clock.unix_ms();
        let facts = Facts {
            hosts: &hosts,
            gate: &self.federation.server.gate,
            secret: &self.federation.secret,
            shown: &self.shown,
            is_encrypted: self.is_encrypted,
            id: &self.id,
            now_ms,
        };
        match self.conversation.hear(said, &self.proofs, &facts) {
            Ok(Heard::Nothing) => {}
            Ok(Heard::Say(said)) => said.write(&mut self.unwritten),
            Ok(Heard::Verify(question)) => {
                let (federation, pair) = (self.federation.clone(), question.pair.clone());
                let asker = self.link.address;
                self.verifying.push(Box::pin(async move { (pair, verify(federation, asker, question).await) }));
            }
            Ok(Heard::Proved(pair, proof, said)) => self.prove(pair, proof, said),
            Ok(Heard::Accepted(pair)) => self.accepted(pair, "dialback"),
            Ok(Heard::Refused(pair, condition)) => self.not_accepted(pair, condition),
            Err(condition) => {
                tracing::warn!(link = self.link.id, remote = &*self.link.domain, peer = %self.link.address,
                    why = condition.name(), "dialback that was not asked for");
                self.offended("dialback that was not asked for");
                self.fail(condition);
            }
        }
    }

    /// The domain's own server was asked.
    pub(super) fn verified(&mut self, pair: &Pair, verdict: Verdict) {
        let now_ms = self.server().clock.unix_ms();
        match self.conversation.verified(pair, verdict, &self.proofs, now_ms) {
            Ok(Verified::Say(said, Some(proof))) => self.prove(pair.clone(), proof, said),
            Ok(Verified::Say(said, None)) => said.write(&mut self.unwritten),
            Ok(Verified::SayAndEnd(said)) => {
                tracing::warn!(host = pair.local.as_str(), remote = pair.remote.as_str(), peer = %self.link.address,
                    "a dialback key is not the domain's own");
                // Whose offence it is nobody knows: somebody has claimed to be that domain.
                said.write(&mut self.unwritten);
                self.settle();
            }
            Err(condition) => self.fail(condition),
        }
    }

    /// The other side has proved a pair, and is told so.
    fn prove(&mut self, pair: Pair, proof: Proof, said: Dialback) {
        match self.proofs.add(pair.clone(), proof) {
            Ok(()) => {
                said.write(&mut self.unwritten);
                self.note_proof(&pair);
                // The rules may have changed while somebody was asked.
                self.judge_again();
            }
            Err(_) => {
                let says = Says::Error(StanzaCondition::ResourceConstraint);
                Dialback { says, ..said }.write(&mut self.unwritten);
            }
        }
    }

    fn note_proof(&mut self, pair: &Pair) {
        self.unproved = None;
        self.scanner.set_limits(limits(&self.host));
        let now_ms = self.server().clock.unix_ms();
        self.server().gate.welcome(self.link.address, pair.remote.as_str(), now_ms);
        self.server().remotes.comes_from(&pair.remote, self.link.address);
        let method =
            self.proofs.get(pair.local.as_str(), pair.remote.as_str(), now_ms).map(|proof| proof.method.as_str());
        tracing::info!(link = self.link.id, host = pair.local.as_str(), remote = pair.remote.as_str(),
            peer = %self.link.address, method, tls = self.is_encrypted, "a server has proved its domain");
        // Over a stream of its own that serves both directions the other side also gets what waits for it, now or later.
        if !self.is_parting() && self.serves_both_ways(pair) && self.may_serve(pair) {
            self.federation.streams.note(pair, &self.handle);
            if self.server().remotes.known(&pair.local, &pair.remote).is_some() {
                self.carry(pair, "bidi");
            }
        }
    }

    /// The other side takes what we send for a pair, because of this proof of ours.
    fn accepted(&mut self, pair: Pair, proof: &'static str) {
        tracing::info!(link = self.link.id, host = pair.local.as_str(), remote = pair.remote.as_str(),
            peer = %self.link.address, tls = self.is_encrypted, "a server takes our stanzas");
        self.carry(&pair, proof);
        if self.conversation.ways == Ways::Both && !self.proofs.contains(&pair) {
            self.prove_back(&pair);
        }
    }

    /// What may go to a domain may also come from there (XEP-0288 section 2.2), if it is known that the other side is that domain: because it
    /// has proved it towards another one of ours, or because we have called it.
    fn prove_back(&mut self, pair: &Pair) {
        let now_ms = self.server().clock.unix_ms();
        let hosts = self.server().hosts.load_full();
        let takes_bidi =
            hosts.spoken_for(pair.local.as_str()).is_some_and(|host| policy::takes_bidi(host, &pair.remote));
        if !takes_bidi || !self.may_serve(pair) {
            return;
        }
        // Of the domains of its server only the one whose records have led there was called.
        let was_called = self.entered.opened == Opened::ByUs && *self.link.domain == *pair.remote.as_str();
        let we_called = || was_called.then(|| called(&self.shown, &pair.remote, now_ms));
        if let Some(proof) = self.proofs.of(&pair.remote, now_ms).or_else(we_called)
            && self.proofs.add(pair.clone(), proof).is_ok()
        {
            self.note_proof(pair);
        }
    }

    /// It does not.
    fn not_accepted(&mut self, pair: Pair, condition: StanzaCondition) {
        tracing::info!(link = self.link.id, host = pair.local.as_str(), remote = pair.remote.as_str(),
            peer = %self.link.address, why = condition.name(), "a server does not take our stanzas");
        streams::not_accepted(&self.federation, &pair, self.cargo.is_empty(), condition);
        if self.cargo.is_empty() && self.proofs.is_empty() && !self.conversation.is_waiting() {
            self.settle();
        }
    }

    /// What was asked before this steady time in milliseconds nobody has answered in time, and nobody may any more.
    pub(super) fn give_up_asking(&mut self, before_ms: u64) {
        for pair in self.conversation.give_up(before_ms) {
            self.not_accepted(pair, StanzaCondition::RemoteServerTimeout);
        }
    }

    fn note_served(&self, pair: &Pair, way: Way, proof: &'static str) {
        let (local, remote) = (pair.local.clone(), pair.remote.clone());
        self.entered.note(Served { local, remote, way, proof });
    }

    fn carry(&mut self, pair: &Pair, proof: &'static str) {
        if self.cargo.carries(pair) {
            return;
        }
        let Some(remote) = self.server().remotes.of(&pair.local, &pair.remote) else { return };
        if self.is_parting() {
            return streams::dial_anew(&self.federation, remote);
        }
        self.federation.streams.note(pair, &self.handle);
        // Where both sides began at once, the other one's stream carries it by now.
        let Some(carrier) = remote.carry() else { return };
        self.cargo.carry(carrier, self.server().clock.steady_ms());
        self.note_served(pair, Way::Out, proof);
        if self.counts_theirs {
            let now_ms = self.server().clock.steady_ms();
            self.cargo.ask_to_count(&mut self.unwritten, now_ms);
        }
    }

    // ---- who has had how much ----------------------------------------------------------------------------------

    /// XEP-0198 between servers: stanzas are counted, and no stream is resumed.
    fn management(&mut self, said: Result<Said, Malformed>) {
        match said {
            Ok(Said::Enable { .. }) if !self.counts && !self.proofs.is_empty() => {
                self.count();
                self.cargo.count();
                sm::enabled(None).write(&mut self.unwritten, ns::SERVER);
            }
            Ok(Said::Enable { .. }) => {
                sm::failed(StanzaCondition::UnexpectedRequest, None).write(&mut self.unwritten, ns::SERVER);
            }
            Ok(Said::Resume { .. }) => {
                sm::failed(StanzaCondition::ItemNotFound, None).write(&mut self.unwritten, ns::SERVER);
            }
            Ok(Said::Request) if self.counts => self.asked = Some(self.list.wait_for_all()),
            Ok(Said::Answer { h }) => self.has_had(h),
            Ok(Said::Request) => self.fail(Condition::PolicyViolation),
            Err(_) => self.fail(Condition::InvalidXml),
        }
    }

    fn has_had(&mut self, h: u32) {
        if let Err(TooHigh { h, sent }) = self.cargo.acknowledged(h) {
            let mut error = StreamError::new(Condition::UndefinedCondition);
            error.application = Some(sm::too_high(h, sent));
            self.fail_with(error);
        }
    }

    fn count(&mut self) {
        self.counts = true;
        self.list.count(None, 0, []);
    }

    /// Answers how much we have had, once that is settled which came before the question.
    pub(super) fn answer_how_many(&mut self) {
        if self.asked.is_some_and(|before| self.list.is_settled(before)) {
            self.asked = None;
            self.say_how_many();
        }
    }

    pub(super) fn say_how_many(&mut self) {
        sm::answer(self.list.acknowledged()).write(&mut self.unwritten, ns::SERVER);
    }

    // ---- the end -----------------------------------------------------------------------------------------------

    /// An element behind our goodbye: only how much the other side has had still counts.
    pub(super) fn heard_last(&mut self, element: &Element) {
        if let Some(Ok(Said::Answer { h })) = Said::read(element) {
            let _ = self.cargo.acknowledged(h);
        }
    }

    /// Everything is over: who still waits for an answer of this stream hears that there is none.
    pub(super) fn over(&mut self) {
        let is_empty = self.cargo.is_empty();
        self.cargo.unload();
        self.handle.close();
        for pair in self.conversation.give_up(u64::MAX) {
            streams::not_accepted(&self.federation, &pair, is_empty, StanzaCondition::RemoteServerTimeout);
        }
        for Order::Carry(remote) in self.handle.left() {
            streams::dial_anew(&self.federation, remote);
        }
    }
}
