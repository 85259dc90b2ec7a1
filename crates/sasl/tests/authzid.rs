//! A client acts as itself or not at all: every mechanism, every kind of authorization identity.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use metronome_sasl::client::ClientBinding;
use metronome_sasl::{Failure, MechanismName, Offer, Step, client};

/// What juliet@example.org asks to act as, and whether she may.
const TABLE: [(&str, bool); 18] = [
    ("", true),
    ("juliet@example.org", true),
    ("JULIET@example.org", true),
    ("juliet@example.org/balcony", false),
    ("juliet@example.org/", false),
    ("romeo@example.org", false),
    ("admin@example.org", false),
    ("juliet@example.com", false),
    ("juliet@sub.example.org", false),
    ("juliet@example.org.evil", false),
    ("julie@example.org", false),
    ("juliet", false),
    ("example.org", false),
    ("@example.org", false),
    ("juliet@", false),
    ("juliet@@example.org", false),
    ("juliet@example.org ", false),
    ("admin@example.org@example.org", false),
];

fn log_in(mechanism: MechanismName, authzid: &str) -> Result<metronome_sasl::Success, Failure> {
    let offer = Offer::new(&everything(), tls());
    let name = mechanism.as_str();
    let message = match mechanism {
        MechanismName::Plain => client::plain(authzid, "juliet", "r0m30"),
        MechanismName::External => authzid.as_bytes().to_vec(),
        scram_name => {
            let binding = if scram_name.is_plus() { exporter() } else { ClientBinding::Unsupported };
            let juliet = client::Scram { authzid, ..client(scram_name.hash().unwrap(), "juliet", binding) };
            return scram(&offer, name, juliet, "r0m30").1;
        }
    };
    match send(&mut *begin(&offer, name)?, &message, &certificate()) {
        Step::Done(success) => Ok(success),
        Step::Fail(failure) => Err(failure),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_oneself_may_be_asked_for() {
    for mechanism in MechanismName::ALL.into_iter().filter(|&name| name != MechanismName::Anonymous) {
        for (authzid, allowed) in TABLE {
            match log_in(mechanism, authzid) {
                Ok(success) => {
                    assert!(allowed, "{mechanism:?} let juliet act as {authzid:?}");
                    assert_eq!(success.identity.authcid(), "juliet");
                    assert_eq!(success.identity.host(), HOST);
                    assert_eq!(success.identity.mechanism(), mechanism);
                    assert_eq!(success.identity.channel_bound(), mechanism.is_plus());
                    assert!(!success.identity.anonymous());
                }
                Err(failure) => {
                    assert!(!allowed, "{mechanism:?} refused {authzid:?}");
                    assert_eq!(failure, Failure::InvalidAuthzid, "{mechanism:?} {authzid:?}");
                }
            }
        }
    }
}

#[test]
fn what_a_guest_sends_never_becomes_a_name() {
    let offer = Offer::new(&everything(), tls());
    for trace in ["", "admin@example.org", "juliet"] {
        let Step::Done(success) = send(&mut *begin(&offer, "ANONYMOUS").unwrap(), trace.as_bytes(), &[]) else {
            panic!("{trace:?} refused")
        };
        assert!(success.identity.anonymous());
        assert_eq!(success.identity.authcid(), "guest-1");
    }
}

#[test]
fn certificates_follow_xep_0178() {
    let offer = Offer::new(&everything(), tls());
    let log_in = |authzid: &str, addresses: &[&str]| {
        let addresses: Vec<String> = addresses.iter().map(|address| address.to_string()).collect();
        match send(&mut *begin(&offer, "EXTERNAL").unwrap(), authzid.as_bytes(), &addresses) {
            Step::Done(success) => Ok(success.identity.authcid().to_owned()),
            Step::Fail(failure) => Err(failure),
            other => panic!("{other:?}"),
        }
    };
    let juliet = Ok(String::from("juliet"));
    let (both, none) = (["juliet@example.org", "romeo@example.org"], Err(Failure::NotAuthorized));
    assert_eq!(log_in("", &["juliet@example.org"]), juliet);
    assert_eq!(log_in("", &["Juliet@Example.ORG", "juliet@example.org"]), juliet, "one address written twice");
    assert_eq!(log_in("", &["juliet@example.org", "romeo@example.com"]), juliet, "one address of this host");
    assert_eq!(log_in("juliet@example.org", &both), juliet);
    assert_eq!(log_in("romeo@example.org", &both), Ok(String::from("romeo")));
    assert_eq!(log_in("", &both), none, "several, none named");
    assert_eq!(log_in("admin@example.org", &both), Err(Failure::InvalidAuthzid));
    assert_eq!(log_in("", &[]), none);
    assert_eq!(log_in("juliet@example.org", &[]), none);
    for stranger in
        ["example.org", "@example.org", "juliet@example.org/x", "juliet@example.com", "x juliet@example.org"]
    {
        assert_eq!(log_in("", &[stranger]), none, "{stranger}");
    }
}
