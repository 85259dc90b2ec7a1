//! Who gets a message now: the table of RFC 6121 section 8.5, one row for each type, address and set of sessions.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_model::Direction;
use world::{Client, World, bodies};

/// Bob's sessions by resource; `None` is connected and not available.
type Devices<'a> = &'a [(&'a str, Option<i8>)];

/// What becomes of a message: who gets it now, whether it is kept for later, and the error that comes back.
#[derive(Debug, PartialEq, Eq, Default)]
struct Fate {
    given: Vec<String>,
    kept: bool,
    error: Option<&'static str>,
}

async fn fate(kind: &str, to: &str, devices: Devices<'_>) -> Fate {
    let world = World::new().await;
    let mut alice = world.connect("alice@localhost/a").await;
    let mut bobs: Vec<(String, Client)> = Vec::new();
    for (resource, priority) in devices {
        let mut bob = world.connect(&format!("bob@localhost/{resource}")).await;
        if let Some(priority) = priority {
            bob.send(&format!("<presence><priority>{priority}</priority></presence>"));
            bob.settled().await;
        }
        bobs.push(((*resource).to_owned(), bob));
    }
    alice.send(&format!("<message type='{kind}' to='{to}' id='m'><body>words</body></message>"));
    let answer = alice.settled().await;
    let mut fate = Fate::default();
    for (resource, bob) in &mut bobs {
        if bodies(&bob.so_far().await) == ["words"] {
            fate.given.push(resource.clone());
        }
    }
    fate.kept = world.rows("bob").await.iter().any(|row| row.direction == Direction::Received);
    fate.error = ["service-unavailable", "remote-server-not-found"].into_iter().find(|error| answer.contains(*error));
    assert_eq!(fate.error.is_some(), answer.contains("type='error'"), "{answer}");
    fate
}

fn to(given: &[&str]) -> Fate {
    Fate { given: given.iter().map(|&resource| resource.to_owned()).collect(), ..Fate::default() }
}

const BARE: &str = "bob@localhost";
const PHONE: &str = "bob@localhost/phone";
const AWAY: &str = "bob@localhost/away";

#[tokio::test]
async fn chat_and_normal_messages_go_to_the_highest_priority_and_are_kept() {
    let rows: &[(&str, Devices<'_>, &[&str])] = &[
        // Section 8.5.2.1.1: the bare address.
        (BARE, &[], &[]),
        (BARE, &[("phone", Some(0))], &["phone"]),
        (BARE, &[("phone", None)], &[]),
        (BARE, &[("phone", Some(-1))], &[]),
        (BARE, &[("phone", Some(1)), ("desk", Some(5))], &["desk"]),
        (BARE, &[("phone", Some(5)), ("desk", Some(5))], &["phone", "desk"]),
        (BARE, &[("phone", Some(-1)), ("desk", Some(0))], &["desk"]),
        (BARE, &[("phone", Some(-1)), ("desk", None)], &[]),
        // Section 8.5.3.1: a full address that is there, whatever its presence.
        (PHONE, &[("phone", Some(1)), ("desk", Some(5))], &["phone"]),
        (PHONE, &[("phone", Some(-1)), ("desk", Some(5))], &["phone"]),
        (PHONE, &[("phone", None), ("desk", Some(5))], &["phone"]),
        // Section 8.5.3.2.1: one that is not there is the bare address.
        (AWAY, &[("phone", Some(1)), ("desk", Some(5))], &["desk"]),
        (AWAY, &[("phone", Some(-1))], &[]),
        (AWAY, &[], &[]),
    ];
    for (address, devices, given) in rows {
        for kind in ["chat", "normal"] {
            let expected = Fate { kept: true, ..to(given) };
            assert_eq!(fate(kind, address, devices).await, expected, "{kind} to {address} with {devices:?}");
        }
    }
}

#[tokio::test]
async fn headlines_go_to_all_available_sessions_and_are_never_kept() {
    let rows: &[(&str, Devices<'_>, &[&str])] = &[
        (BARE, &[], &[]),
        (BARE, &[("phone", Some(1)), ("desk", Some(5))], &["phone", "desk"]),
        (BARE, &[("phone", Some(-1)), ("desk", Some(0))], &["desk"]),
        (BARE, &[("phone", None)], &[]),
        (PHONE, &[("phone", None), ("desk", Some(5))], &["phone"]),
        (AWAY, &[("desk", Some(5))], &[]),
    ];
    for (address, devices, given) in rows {
        assert_eq!(fate("headline", address, devices).await, to(given), "to {address} with {devices:?}");
    }
}

#[tokio::test]
async fn groupchat_goes_to_its_full_address_or_comes_back() {
    let returned = Fate { error: Some("service-unavailable"), ..Fate::default() };
    let one: Devices<'_> = &[("phone", Some(1))];
    assert_eq!(fate("groupchat", PHONE, one).await, to(&["phone"]));
    assert_eq!(fate("groupchat", BARE, one).await, returned);
    assert_eq!(fate("groupchat", AWAY, one).await, returned);
    assert_eq!(fate("groupchat", BARE, &[]).await, returned);
}

#[tokio::test]
async fn errors_go_to_their_full_address_or_nowhere() {
    let one: Devices<'_> = &[("phone", Some(1))];
    assert_eq!(fate("error", PHONE, one).await, to(&["phone"]));
    assert_eq!(fate("error", BARE, one).await, Fate::default());
    assert_eq!(fate("error", AWAY, one).await, Fate::default());
}

#[tokio::test]
async fn addresses_that_are_not_ours_or_nobodys_come_back() {
    let world = World::new().await;
    let mut alice = world.connect("alice@localhost/a").await;
    let table = [
        ("chat", "nobody@localhost", "service-unavailable"),
        ("chat", "nobody@localhost/x", "service-unavailable"),
        ("headline", "nobody@localhost", "service-unavailable"),
        ("chat", "bob@other.example", "service-unavailable"),
        ("chat", "localhost", "service-unavailable"),
        ("chat", "localhost/x", "service-unavailable"),
        ("chat", "bob@elsewhere.example", "remote-server-not-found"),
        ("chat", "elsewhere.example", "remote-server-not-found"),
    ];
    for (kind, address, error) in table {
        alice.send(&format!("<message type='{kind}' to='{address}' id='m'><body>words</body></message>"));
        let answer = alice.settled().await;
        assert!(answer.contains(error) && answer.contains(&format!("from='{address}'")), "{address}: {answer}");
    }
    assert!(world.rows("alice").await.is_empty(), "what goes nowhere is not kept as sent");
    // An error that goes nowhere is not answered (RFC 6120 section 8.3.1).
    alice.send("<message type='error' to='nobody@localhost'><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    assert_eq!(alice.settled().await, "");
}
