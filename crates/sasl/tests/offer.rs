//! What is offered, and that nothing else can be used.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use metronome_sasl::{
    ChannelBindings, ClientCertificate, Failure, Hash, Input, MechanismName, Offer, PlainRule, Rules, Step, StreamFacts,
};

fn offered(rules: &Rules, facts: StreamFacts) -> Vec<&'static str> {
    Offer::new(rules, facts).names().map(MechanismName::as_str).collect()
}

#[test]
fn strongest_first_and_plus_before_plain_variants() {
    let facts = StreamFacts { certificate: ClientCertificate::Absent, ..tls() };
    let names = offered(&Rules::default(), facts);
    let expected = [
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-512",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-1",
        "PLAIN",
    ];
    assert_eq!(names, expected);
    assert_eq!(offered(&everything(), tls()), MechanismName::ALL.map(MechanismName::as_str));
}

#[test]
fn without_tls_there_is_neither_plain_nor_plus() {
    let facts = StreamFacts { encrypted: false, certificate: ClientCertificate::Absent, ..tls() };
    assert_eq!(offered(&Rules::default(), facts.clone()), ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]);
    assert_eq!(Offer::new(&Rules::default(), facts.clone()).bindings().count(), 0);
    let rules = Rules { plain: PlainRule::Always, scram: vec![], ..Rules::default() };
    assert_eq!(offered(&rules, facts), ["PLAIN"]);
    assert!(!offered(&Rules { plain: PlainRule::Never, ..everything() }, tls()).contains(&"PLAIN"));
}

#[test]
fn bindings_are_announced_as_the_connection_has_them() {
    let names = |bindings| -> Vec<&'static str> {
        let offer = Offer::new(&Rules::default(), StreamFacts { bindings, ..tls() });
        offer.bindings().map(|binding| binding.as_str()).collect()
    };
    assert_eq!(names(tls().bindings), ["tls-exporter", "tls-server-end-point"]);
    assert_eq!(names(ChannelBindings { tls_exporter: None, ..tls().bindings }), ["tls-server-end-point"]);
    assert!(names(ChannelBindings::default()).is_empty());
    let no_scram = Rules { scram: vec![], ..Rules::default() };
    assert_eq!(Offer::new(&no_scram, tls()).bindings().count(), 0);
}

#[test]
fn what_is_not_offered_is_an_invalid_mechanism() {
    let rules = [
        Rules::default(),
        everything(),
        Rules { scram: vec![Hash::Sha256], plain: PlainRule::Never, external: false, anonymous: false, tokens: true },
        Rules { scram: vec![], plain: PlainRule::Never, external: false, anonymous: true, tokens: true },
        Rules { scram: vec![], plain: PlainRule::Never, external: false, anonymous: false, tokens: true },
    ];
    let streams = [tls(), tls_without_bindings(), StreamFacts::default()];
    for (rules, facts) in rules.iter().flat_map(|rules| streams.iter().map(move |facts| (rules, facts))) {
        let offer = Offer::new(rules, facts.clone());
        for mechanism in MechanismName::ALL {
            let begun = begin(&offer, mechanism.as_str());
            match offer.names().any(|name| name == mechanism) {
                true => assert!(begun.is_ok(), "{mechanism:?} {rules:?}"),
                false => assert_eq!(begun.err(), Some(Failure::InvalidMechanism), "{mechanism:?} {rules:?}"),
            }
        }
        for unknown in ["", "plain", "PLAIN ", "DIGEST-MD5", "SCRAM-MD5", "SCRAM-SHA-1-PLUS-PLUS", "OAUTHBEARER"] {
            assert_eq!(begin(&offer, unknown).err(), Some(Failure::InvalidMechanism), "{unknown:?}");
        }
        assert_eq!(offer.is_empty(), offer.names().count() == 0);
    }
}

#[test]
fn a_missing_initial_response_is_asked_for_once() {
    let offer = Offer::new(&everything(), tls());
    for mechanism in offer.names() {
        let mut exchange = begin(&offer, mechanism.as_str()).unwrap();
        assert!(matches!(exchange.step(Input::NoInitialResponse), Step::Challenge(empty) if empty.is_empty()));
        assert!(matches!(exchange.step(Input::NoInitialResponse), Step::Fail(Failure::MalformedRequest)));
    }
}

#[test]
fn garbage_oversize_and_answers_out_of_turn_end_the_exchange() {
    let offer = Offer::new(&everything(), tls());
    let long = vec![b'a'; 4097];
    for mechanism in offer.names() {
        let garbage: [&[u8]; 5] = [b"\xFF\xFE", b"\0\0\0\0", b"\xC3", b"a\xED\xA0\x80", &long];
        for message in garbage {
            if mechanism == MechanismName::Anonymous && message == b"\0\0\0\0" {
                continue; // a trace may be any text
            }
            let mut exchange = begin(&offer, mechanism.as_str()).unwrap();
            let step = send(&mut *exchange, message, &certificate());
            assert!(matches!(step, Step::Fail(Failure::MalformedRequest)), "{mechanism:?} {message:?} {step:?}");
            let after = exchange.step(Input::Client(b"n,,n=juliet,r=x"));
            assert!(matches!(after, Step::Fail(Failure::MalformedRequest)), "{mechanism:?} went on after its end");
        }
        let mut exchange = begin(&offer, mechanism.as_str()).unwrap();
        let step = exchange.step(Input::Verdict(metronome_sasl::Verdict::Right));
        assert!(
            matches!(step, Step::Fail(Failure::MalformedRequest)),
            "{mechanism:?} took a verdict it did not ask for"
        );
    }
}

#[test]
fn an_unreachable_store_is_a_temporary_failure() {
    let offer = Offer::new(&everything(), tls());
    let mut exchange = begin(&offer, "PLAIN").unwrap();
    assert!(matches!(exchange.step(Input::Client(b"\0juliet\0r0m30")), Step::Need(_)));
    assert!(matches!(exchange.step(Input::Unavailable), Step::Fail(Failure::TemporaryAuthFailure)));
}

#[test]
fn plain_is_read_strictly() {
    let offer = Offer::new(&everything(), tls());
    let log_in = |message: &[u8]| match send(&mut *begin(&offer, "PLAIN").unwrap(), message, &[]) {
        Step::Done(success) => Ok(success.identity.authcid().to_owned()),
        Step::Fail(failure) => Err(failure),
        other => panic!("{other:?}"),
    };
    assert_eq!(log_in(b"\0juliet\0r0m30"), Ok(String::from("juliet")));
    assert_eq!(log_in(b"\0Juliet\0r0m30"), Ok(String::from("juliet")));
    for malformed in ["", "juliet", "\0juliet", "\0\0r0m30", "\0juliet\0", "\0juliet\0r0m30\0", "\0juliet\0r0\0m30"] {
        assert_eq!(log_in(malformed.as_bytes()), Err(Failure::MalformedRequest), "{malformed:?}");
    }
    for wrong in ["\0juliet\0r0m31", "\0nobody\0r0m30", "\0juliet@example.org\0r0m30", "\0juliet\0r0m\u{7}"] {
        assert_eq!(log_in(wrong.as_bytes()), Err(Failure::NotAuthorized), "{wrong:?}");
    }
}
