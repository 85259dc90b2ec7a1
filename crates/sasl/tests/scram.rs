//! SCRAM from end to end: every hash, channel binding and its downgrades, unknown users.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use metronome_sasl::client::ClientBinding;
use metronome_sasl::{ChannelBinding, ChannelBindings, Failure, Hash, MechanismName, Offer, Step, StreamFacts};

fn scrams() -> impl Iterator<Item = (MechanismName, Hash)> {
    MechanismName::ALL.into_iter().filter_map(|mechanism| Some((mechanism, mechanism.hash()?)))
}

/// The failure, or `None` for a login that succeeded.
fn failure(offer: &Offer, mechanism: MechanismName, binding: ClientBinding<'_>) -> Option<Failure> {
    let juliet = client(mechanism.hash().unwrap(), "juliet", binding);
    scram(offer, mechanism.as_str(), juliet, "r0m30").1.err()
}

#[test]
fn every_hash_logs_in_with_and_without_binding() {
    let offer = Offer::new(&everything(), tls());
    let end_point = ClientBinding::Bind(ChannelBinding::TlsServerEndPoint, END_POINT);
    for (mechanism, hash) in scrams() {
        let bindings = match mechanism.is_plus() {
            true => vec![(exporter(), Some("tls-exporter")), (end_point, Some("tls-server-end-point"))],
            false => vec![(ClientBinding::Unsupported, None)],
        };
        for (binding, name) in bindings {
            let (_, result) = scram(&offer, mechanism.as_str(), client(hash, "Juliet", binding), "r0m30");
            let identity = result.unwrap().identity;
            assert_eq!(identity.authcid(), "juliet");
            assert_eq!(identity.binding().map(ChannelBinding::as_str), name);
        }
    }
}

#[test]
fn names_with_commas_and_equals_signs_log_in() {
    let offer = Offer::new(&everything(), tls());
    let (_, result) =
        scram(&offer, "SCRAM-SHA-256", client(Hash::Sha256, "o,=k", ClientBinding::Unsupported), "pencil");
    assert_eq!(result.unwrap().identity.authcid(), "o,=k");
}

#[test]
fn a_downgrade_is_refused() {
    let with_plus = Offer::new(&everything(), tls());
    let without_plus = Offer::new(&everything(), tls_without_bindings());
    for (mechanism, _) in scrams() {
        if mechanism.is_plus() {
            assert_eq!(failure(&with_plus, mechanism, ClientBinding::Unsupported), Some(Failure::MalformedRequest));
            assert_eq!(failure(&with_plus, mechanism, ClientBinding::NotOffered), Some(Failure::MalformedRequest));
            continue;
        }
        let stripped = failure(&with_plus, mechanism, ClientBinding::NotOffered);
        assert_eq!(stripped, Some(Failure::NotAuthorized), "{mechanism:?}: somebody removed -PLUS from the list");
        assert_eq!(failure(&without_plus, mechanism, ClientBinding::NotOffered), None, "{mechanism:?}: y is true here");
        assert_eq!(failure(&with_plus, mechanism, exporter()), Some(Failure::MalformedRequest), "{mechanism:?}");
        assert_eq!(failure(&without_plus, mechanism, exporter()), Some(Failure::MalformedRequest), "{mechanism:?}");
    }
}

#[test]
fn a_wrong_or_unavailable_binding_is_refused() {
    let offer = Offer::new(&everything(), tls());
    let bindings = ChannelBindings { tls_exporter: None, ..tls().bindings };
    let only_end_point = Offer::new(&everything(), StreamFacts { bindings, ..tls() });
    for (mechanism, _) in scrams().filter(|(mechanism, _)| mechanism.is_plus()) {
        let cases: [&[u8]; 4] = [b"", b"exported keying material, 32 by!", &EXPORTER[..31], END_POINT];
        for bytes in cases {
            let wrong = ClientBinding::Bind(ChannelBinding::TlsExporter, bytes);
            assert_eq!(failure(&offer, mechanism, wrong), Some(Failure::NotAuthorized));
        }
        assert_eq!(failure(&only_end_point, mechanism, exporter()), Some(Failure::NotAuthorized));
    }
    for unknown in ["tls-unique", "TLS-EXPORTER", "tls-exporter2", "x"] {
        let first = format!("p={unknown},,n=juliet,r=clientnonce");
        let step = send(&mut *begin(&offer, "SCRAM-SHA-256-PLUS").unwrap(), first.as_bytes(), &[]);
        assert!(matches!(step, Step::Fail(Failure::NotAuthorized)), "{unknown}: {step:?}");
    }
}

#[test]
fn an_unknown_user_goes_through_the_same_steps() {
    let offer = Offer::new(&everything(), tls());
    for (mechanism, hash) in scrams() {
        let binding = if mechanism.is_plus() { exporter() } else { ClientBinding::Unsupported };
        let attempt = |username| scram(&offer, mechanism.as_str(), client(hash, username, binding), "wrong");
        let (known, known_result) = attempt("juliet");
        let (unknown, unknown_result) = attempt("nobody");
        assert_eq!(known_result.err(), Some(Failure::NotAuthorized));
        assert_eq!(unknown_result.err(), Some(Failure::NotAuthorized));
        // The salt is the only thing that differs, and it looks the same.
        let shape = |transcript: &[Vec<u8>]| -> Vec<String> {
            let text = String::from_utf8(transcript[0].clone()).unwrap();
            text.split(',')
                .map(|field| if field.starts_with("s=") { "s=".repeat(field.len()) } else { field.into() })
                .collect()
        };
        assert_eq!((known.len(), shape(&known)), (unknown.len(), shape(&unknown)));
        assert_eq!(unknown, attempt("nobody").0, "the same salt at the next try");
        assert_eq!(unknown, attempt("NOBODY").0, "and for the same name written otherwise");
        assert_ne!(unknown, attempt("nobody2").0);
    }
}

#[test]
fn an_unknown_user_matches_no_password() {
    let offer = Offer::new(&everything(), tls());
    for password in ["wrong", "r0m30", "secret", "pencil"] {
        let nobody = client(Hash::Sha256, "nobody", ClientBinding::Unsupported);
        assert_eq!(scram(&offer, "SCRAM-SHA-256", nobody, password).1.err(), Some(Failure::NotAuthorized));
    }
}

#[test]
fn keys_of_another_hash_are_not_used() {
    let offer = Offer::new(&everything(), tls());
    let mut exchange = begin(&offer, "SCRAM-SHA-256").unwrap();
    exchange.step(metronome_sasl::Input::Client(b"n,,n=juliet,r=x"));
    let step = exchange.step(metronome_sasl::Input::Keys(keys_of("juliet", Hash::Sha1)));
    assert!(matches!(step, Step::Fail(Failure::TemporaryAuthFailure)));
}

#[test]
fn a_final_message_cannot_be_replayed_into_another_exchange() {
    let offer = Offer::new(&everything(), tls());
    let opening = |nonce| metronome_sasl::Opening { host: HOST, nonce, names: names() };
    let (first, waiting) = client(Hash::Sha256, "juliet", ClientBinding::Unsupported).first();
    let mut watched = offer.begin("SCRAM-SHA-256", opening([1; 32])).unwrap();
    let Step::Challenge(challenge) = send(&mut *watched, &first, &[]) else { panic!() };
    let challenged = waiting.challenge(&challenge).unwrap();
    let keys = challenged.derive(&metronome_sasl::Password::new("r0m30").unwrap());
    let (last, _) = challenged.answer(&keys);
    assert!(matches!(send(&mut *watched, &last, &[]), Step::Done(_)));

    let mut replayed = offer.begin("SCRAM-SHA-256", opening([2; 32])).unwrap();
    send(&mut *replayed, &first, &[]);
    assert!(matches!(send(&mut *replayed, &last, &[]), Step::Fail(Failure::NotAuthorized)));
}
