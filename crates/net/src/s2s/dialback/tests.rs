//! Dialback with servers that say the wrong thing at the wrong time: what XEP-0220 section 3.1 warns of, and what the keys must not allow.

use std::sync::Arc;

use metronome_host::gate::{self, Gate};
use metronome_host::hosts::Host;
use metronome_host::options::Values;
use metronome_host::registry::Registry;

use super::*;

const ID: &str = "D60000229F";

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn pair(local: &str, remote: &str) -> Pair {
    Pair { local: jid(local), remote: jid(remote) }
}

fn hosts(changes: &[(&str, &str)]) -> Hosts {
    let values = Values::defaults(&[metronome_host::hosts::SETTINGS, gate::SETTINGS, crate::s2s::SETTINGS]);
    let values = changes.iter().fold(values, |values, (key, value)| values.with(key, value));
    let registry = Arc::new(Registry::new(&[]));
    let host = |name: &str| Host::new(jid(name), values.clone(), registry.clone(), None);
    Hosts::new(values.clone(), vec![host("a.example"), host("chat.a.example")])
}

/// One stream with what is known on it.
struct Stream {
    hosts: Hosts,
    gate: Gate,
    secret: DialbackSecret,
    shown: Shown,
    is_encrypted: bool,
    proofs: Proofs,
    conversation: Conversation,
    /// Steady.
    now_ms: u64,
}

impl Stream {
    fn new(ways: Ways) -> Stream {
        Stream::with(ways, &[])
    }

    fn with(ways: Ways, changes: &[(&str, &str)]) -> Stream {
        Stream {
            hosts: hosts(changes),
            gate: Gate::default(),
            secret: DialbackSecret::new(b"secret"),
            shown: Shown::default(),
            is_encrypted: true,
            proofs: Proofs::default(),
            conversation: Conversation::new(ways),
            now_ms: 0,
        }
    }

    fn hear(&mut self, said: Dialback) -> Result<Heard, StreamCondition> {
        let Stream { hosts, gate, secret, shown, is_encrypted, proofs, conversation, .. } = self;
        let facts = Facts { hosts, gate, secret, shown, is_encrypted: *is_encrypted, id: ID, now_ms: 1 };
        let heard = conversation.hear(said, proofs, &facts)?;
        if let Heard::Proved(pair, proof, _) = &heard {
            proofs.add(pair.clone(), *proof).unwrap();
        }
        Ok(heard)
    }

    fn request(&mut self, from: &str, to: &str) -> Result<Heard, StreamCondition> {
        self.hear(result(from, to, Says::Key("key".into())))
    }

    fn ask(&mut self, local: &str, remote: &str) -> Option<Dialback> {
        self.conversation.ask(pair(local, remote), ID, &self.secret, self.now_ms)
    }

    fn verified(&mut self, local: &str, remote: &str, verdict: Verdict) -> Result<Verified, StreamCondition> {
        let verified = self.conversation.verified(&pair(local, remote), verdict, &self.proofs, 1)?;
        if let Verified::Say(_, Some(proof)) = &verified {
            self.proofs.add(pair(local, remote), *proof).unwrap();
        }
        Ok(verified)
    }
}

fn result(from: &str, to: &str, says: Says) -> Dialback {
    Dialback { step: Step::Result, from: jid(from), to: jid(to), id: None, says }
}

fn verify(from: &str, to: &str, id: &str, says: Says) -> Dialback {
    Dialback { step: Step::Verify, from: jid(from), to: jid(to), id: Some(id.into()), says }
}

fn error(heard: Result<Heard, StreamCondition>) -> Condition {
    match heard {
        Ok(Heard::Say(Dialback { says: Says::Error(condition), .. })) => condition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_asked_about_and_a_valid_one_proves_its_pair_only() {
    let mut stream = Stream::new(Ways::In);
    let question = Question { pair: pair("a.example", "b.example"), id: ID.into(), key: "key".into() };
    assert_eq!(stream.request("b.example", "a.example"), Ok(Heard::Verify(question)));
    assert!(stream.proofs.is_empty(), "nothing is proved while it is asked about");
    let said = stream.verified("a.example", "b.example", Verdict::Valid).unwrap();
    let Verified::Say(said, Some(_)) = said else { panic!("{said:?}") };
    assert_eq!(said, result("a.example", "b.example", Says::Valid));
    assert!(stream.proofs.get("a.example", "b.example", 1).is_some());
    assert!(stream.proofs.get("chat.a.example", "b.example", 1).is_none());
    assert!(stream.proofs.get("b.example", "a.example", 1).is_none());
    // Asked once more, it is so still, and nobody is called.
    assert_eq!(stream.request("b.example", "a.example"), Ok(Heard::Say(result("a.example", "b.example", Says::Valid))));
}

#[test]
fn a_result_that_nobody_asked_for_ends_the_stream() {
    for ways in [Ways::In, Ways::Out, Ways::Both] {
        for says in [Says::Valid, Says::Invalid, Says::Error(Condition::ItemNotFound)] {
            let mut stream = Stream::new(ways);
            let unasked = result("b.example", "a.example", says.clone());
            assert_eq!(stream.hear(unasked), Err(StreamCondition::InvalidFrom), "{ways:?} {says:?}");
            let mut stream = Stream::new(ways);
            let unasked = verify("b.example", "a.example", ID, says.clone());
            assert_eq!(stream.hear(unasked), Err(StreamCondition::InvalidFrom), "{ways:?} {says:?}");
            assert!(stream.proofs.is_empty());
        }
    }
}

#[test]
fn a_result_for_another_pair_ends_the_stream() {
    for (from, to) in [
        ("a.example", "b.example"),
        ("c.example", "a.example"),
        ("b.example", "chat.a.example"),
        ("sub.b.example", "a.example"),
    ] {
        let mut stream = Stream::new(Ways::Out);
        stream.ask("a.example", "b.example").unwrap();
        assert_eq!(stream.hear(result(from, to, Says::Valid)), Err(StreamCondition::InvalidFrom), "{from} {to}");
    }
}

#[test]
fn a_result_counts_once() {
    let mut stream = Stream::new(Ways::Out);
    stream.ask("a.example", "b.example").unwrap();
    let valid = || result("b.example", "a.example", Says::Valid);
    assert_eq!(stream.hear(valid()), Ok(Heard::Accepted(pair("a.example", "b.example"))));
    assert_eq!(stream.hear(valid()), Err(StreamCondition::InvalidFrom));
}

#[test]
fn a_result_that_comes_too_late_counts_for_nothing_and_may_come_once() {
    let mut stream = Stream::new(Ways::Out);
    stream.ask("a.example", "b.example").unwrap();
    assert_eq!(stream.conversation.give_up(u64::MAX), [pair("a.example", "b.example")]);
    assert_eq!(stream.hear(result("b.example", "a.example", Says::Valid)), Ok(Heard::Nothing));
    assert_eq!(stream.hear(result("b.example", "a.example", Says::Valid)), Err(StreamCondition::InvalidFrom));
}

#[test]
fn each_question_has_a_deadline_of_its_own() {
    let mut stream = Stream::new(Ways::Out);
    stream.ask("a.example", "b.example").unwrap();
    stream.now_ms = 50;
    stream.ask("chat.a.example", "b.example").unwrap();
    assert_eq!(stream.conversation.give_up(0), []);
    assert_eq!(stream.conversation.give_up(50), [pair("a.example", "b.example")]);
    let valid = stream.hear(result("b.example", "chat.a.example", Says::Valid));
    assert_eq!(valid, Ok(Heard::Accepted(pair("chat.a.example", "b.example"))));
}

#[test]
fn what_is_accepted_for_us_proves_nothing_of_the_other_side() {
    let mut stream = Stream::new(Ways::Both);
    stream.ask("a.example", "b.example").unwrap();
    stream.hear(result("b.example", "a.example", Says::Valid)).unwrap();
    assert!(stream.proofs.is_empty());
}

#[test]
fn a_refusal_tells_why_nothing_can_be_sent() {
    for (says, condition) in [
        (Says::Invalid, Condition::InternalServerError),
        (Says::Error(Condition::ItemNotFound), Condition::RemoteServerTimeout),
    ] {
        let mut stream = Stream::new(Ways::Out);
        stream.ask("a.example", "b.example").unwrap();
        let heard = stream.hear(result("b.example", "a.example", says));
        assert_eq!(heard, Ok(Heard::Refused(pair("a.example", "b.example"), condition)));
    }
}

#[test]
fn a_pair_is_asked_for_once_at_a_time() {
    let mut stream = Stream::new(Ways::Out);
    let asked = stream.ask("a.example", "b.example").unwrap();
    assert_eq!(stream.ask("a.example", "b.example"), None);
    assert!(stream.ask("chat.a.example", "b.example").is_some());
    let Says::Key(key) = asked.says else { panic!("{asked:?}") };
    let what = DialbackUse { receiving: "b.example", originating: "a.example", stream: ID };
    assert!(stream.secret.is_key(what, &key));
}

#[test]
fn a_key_of_ours_is_known_again_and_nothing_is_kept_of_it() {
    let mut stream = Stream::new(Ways::In);
    let Some(Dialback { says: Says::Key(key), .. }) = stream.ask("a.example", "b.example") else { panic!("a key") };
    let mut other = Stream::new(Ways::In);
    let mut asked = |from: &str, to: &str, id: &str, key: &str| {
        let heard = other.hear(verify(from, to, id, Says::Key(key.into())));
        match heard {
            Ok(Heard::Say(said)) => said,
            heard => panic!("{heard:?}"),
        }
    };
    assert_eq!(asked("b.example", "a.example", ID, &key), verify("a.example", "b.example", ID, Says::Valid));
    for (from, to, id, key) in [
        ("b.example", "a.example", "another", key.as_str()),
        ("c.example", "a.example", ID, &key),
        ("b.example", "chat.a.example", ID, &key),
        ("b.example", "a.example", ID, &key[1..]),
        ("b.example", "a.example", ID, "x"),
    ] {
        assert_eq!(asked(from, to, id, key).says, Says::Invalid, "{from} {to} {id} {key}");
    }
    let foreign = asked("a.example", "b.example", ID, &key);
    assert_eq!(foreign, verify("b.example", "a.example", ID, Says::Error(Condition::ItemNotFound)));
}

#[test]
fn what_cannot_be_proved_here_is_an_error_and_the_stream_stays() {
    let mut stream = Stream::new(Ways::In);
    assert_eq!(error(stream.request("b.example", "unknown.example")), Condition::ItemNotFound);
    assert_eq!(error(stream.request("chat.a.example", "a.example")), Condition::NotAllowed, "a domain of our own");
    assert_eq!(error(stream.request("a.example", "a.example")), Condition::NotAllowed);
    stream.is_encrypted = false;
    assert_eq!(error(stream.request("b.example", "a.example")), Condition::PolicyViolation);
    let mut out = Stream::new(Ways::Out);
    assert_eq!(error(out.request("b.example", "a.example")), Condition::NotAllowed, "stanzas do not come this way");
    let mut off = Stream::with(Ways::In, &[("federation.enabled", "false")]);
    assert_eq!(error(off.request("b.example", "a.example")), Condition::NotAllowed);
    let mut blocked = Stream::with(Ways::In, &[("federation.block", "[\"example\"]")]);
    assert_eq!(error(blocked.request("b.example", "a.example")), Condition::NotAllowed);
    let mut strict = Stream::with(Ways::In, &[("federation.proofs", "[\"certificate\"]")]);
    assert_eq!(error(strict.request("b.example", "a.example")), Condition::NotAuthorized);
    let mut plain = Stream::with(Ways::In, &[("federation.without_tls", "[\"b.example\"]")]);
    plain.is_encrypted = false;
    assert!(matches!(plain.request("b.example", "a.example"), Ok(Heard::Verify(_))));
    assert_eq!(error(plain.request("c.example", "a.example")), Condition::PolicyViolation);
}

#[test]
fn an_invalid_first_key_ends_the_stream_and_a_later_one_does_not() {
    let mut stream = Stream::new(Ways::In);
    stream.request("b.example", "a.example").unwrap();
    let ended = stream.verified("a.example", "b.example", Verdict::Invalid);
    assert_eq!(ended, Ok(Verified::SayAndEnd(result("a.example", "b.example", Says::Invalid))));
    let mut stream = Stream::new(Ways::In);
    stream.request("b.example", "a.example").unwrap();
    stream.verified("a.example", "b.example", Verdict::Valid).unwrap();
    stream.request("c.example", "a.example").unwrap();
    let said = stream.verified("a.example", "c.example", Verdict::Invalid);
    assert_eq!(said, Ok(Verified::Say(result("a.example", "c.example", Says::Error(Condition::Forbidden)), None)));
    assert!(stream.proofs.get("a.example", "b.example", 1).is_some());
    assert!(stream.proofs.get("a.example", "c.example", 1).is_none());
}

#[test]
fn a_request_that_is_repeated_calls_nobody_twice() {
    let mut stream = Stream::new(Ways::In);
    assert!(matches!(stream.request("b.example", "a.example"), Ok(Heard::Verify(_))));
    assert_eq!(stream.request("b.example", "a.example"), Ok(Heard::Nothing));
}

#[test]
fn so_many_keys_are_looked_into_at_a_time() {
    let mut stream = Stream::new(Ways::In);
    for n in 0..ASKING_UNPROVED_MAX {
        assert!(matches!(stream.request(&format!("b{n}.example"), "a.example"), Ok(Heard::Verify(_))));
    }
    assert_eq!(error(stream.request("b.example", "a.example")), Condition::ResourceConstraint);
    // Who has proved something may ask for more at a time.
    let proof = Proof { method: Method::Dialback, at_ms: 0, until_ms: None };
    stream.proofs.add(pair("a.example", "proved.example"), proof).unwrap();
    for n in ASKING_UNPROVED_MAX..ASKING_MAX {
        assert!(matches!(stream.request(&format!("b{n}.example"), "a.example"), Ok(Heard::Verify(_))));
    }
    assert_eq!(error(stream.request("b.example", "a.example")), Condition::ResourceConstraint);
    stream.verified("a.example", "b0.example", Verdict::Valid).unwrap();
    assert!(matches!(stream.request("b.example", "a.example"), Ok(Heard::Verify(_))));
}

#[test]
fn who_fails_again_and_again_is_cut_off() {
    let mut stream = Stream::new(Ways::In);
    for _ in 0..ERRORS_MAX {
        error(stream.request("b.example", "unknown.example"));
    }
    assert_eq!(stream.request("b.example", "unknown.example"), Err(StreamCondition::PolicyViolation));
    let mut stream = Stream::new(Ways::In);
    for _ in 0..ERRORS_MAX {
        stream.request("b.example", "a.example").unwrap();
        let unknown = Verdict::Unknown(Condition::RemoteServerNotFound);
        assert!(stream.verified("a.example", "b.example", unknown).is_ok());
    }
    stream.request("b.example", "a.example").unwrap();
    let unknown = Verdict::Unknown(Condition::RemoteServerNotFound);
    assert_eq!(stream.verified("a.example", "b.example", unknown), Err(StreamCondition::PolicyViolation));
}

#[test]
fn a_certificate_answers_at_once_if_certificates_count() {
    let mut stream = Stream::new(Ways::In);
    stream.shown = Shown::for_test(&["b.example"], 0, 100);
    assert!(matches!(stream.request("b.example", "a.example"), Ok(Heard::Proved(..))));
    assert_eq!(stream.proofs.get("a.example", "b.example", 1).unwrap().until_ms, Some(100));
    assert!(stream.proofs.get("a.example", "b.example", 101).is_none());
    assert!(matches!(stream.request("c.example", "a.example"), Ok(Heard::Verify(_))), "it is for another domain");
    let mut stream = Stream::with(Ways::In, &[("federation.proofs", "[\"dialback\"]")]);
    stream.shown = Shown::for_test(&["b.example"], 0, 100);
    assert!(matches!(stream.request("b.example", "a.example"), Ok(Heard::Verify(_))));
}
