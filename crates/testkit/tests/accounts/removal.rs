//! A removed account ends its subscriptions (RFC 6121 section 3): its contacts hear of it and their rosters say so, whichever door
//! removes it, and also after a crash.

use metronome_testkit::{Client, Push, Seen, Server, Setup, on_both_stores};
use serde_json::json;

use super::send_set;

/// Logs in, asks for the roster and becomes available.
fn online(server: &Server, name: &str) -> Client {
    let mut client = Client::login(server, name, "phone");
    client.roster();
    client.send("<presence/>");
    client.so_far();
    client
}

fn say(client: &mut Client, verb: &str, to: &str) {
    client.send(&format!("<presence type='{verb}' to='{to}'/>"));
    client.settle(to);
}

/// From now on `a` sees `b`.
fn subscribe(a: &mut Client, b: &mut Client) {
    let (asking, asked) = (a.bare().to_owned(), b.bare().to_owned());
    say(a, "subscribe", &asked);
    say(b, "subscribed", &asking);
    a.so_far();
    b.so_far();
}

/// The types of the presence stanzas among these pieces from alice, and the last push about her.
fn about_alice(came: &[Seen]) -> (Vec<String>, Option<String>) {
    let from_alice = |seen: &&Seen| seen.attribute("from").is_some_and(|from| from.starts_with("alice@localhost"));
    let presence = came.iter().filter(|seen| seen.name() == "presence").filter(from_alice);
    let mut kinds: Vec<_> = presence.map(|seen| seen.attribute("type").unwrap_or_default()).collect();
    kinds.dedup();
    let push = came.iter().filter_map(Push::read).rfind(|push| push.item.jid == "alice@localhost");
    (kinds, push.map(|push| push.item.to_string()))
}

/// How alice is removed.
type Door = fn(&Server, &mut Client);

fn by_command(server: &Server, alice: &mut Client) {
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    alice.expect_stream_error("not-authorized");
}

fn in_band(_: &Server, alice: &mut Client) {
    send_set(alice, "<remove/>");
    alice.wait_for("<iq type='result' id='set'");
    alice.expect_stream_error("not-authorized");
}

#[test]
fn contacts_of_a_removed_account_receive_unsubscribe_and_unsubscribed() {
    for door in [by_command as Door, in_band] {
        on_both_stores(|server| {
            let mut alice = online(server, "alice");
            let (mut bob, mut carol) = (online(server, "bob"), online(server, "carol"));
            subscribe(&mut alice, &mut bob);
            subscribe(&mut bob, &mut alice);
            subscribe(&mut carol, &mut alice);
            door(server, &mut alice);
            let (kinds, push) = about_alice(&bob.so_far());
            assert_eq!(push.as_deref(), Some("alice@localhost none"));
            for kind in ["unsubscribe", "unsubscribed", "unavailable"] {
                assert!(kinds.iter().any(|came| came == kind), "{kind} in {kinds:?}");
            }
            let (kinds, push) = about_alice(&carol.so_far());
            assert_eq!(push.as_deref(), Some("alice@localhost none"));
            assert!(!kinds.iter().any(|kind| kind == "unsubscribe"), "alice did not see carol: {kinds:?}");
            assert!(kinds.iter().any(|kind| kind == "unsubscribed") && kinds.iter().any(|kind| kind == "unavailable"));
            assert_eq!(bob.roster().lines(), ["alice@localhost none"]);
        });
    }
}

#[test]
fn a_request_that_waits_ends_with_whoever_made_it() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice");
        let mut bob = online(server, "bob");
        let mut carol = online(server, "carol");
        say(&mut alice, "subscribe", "bob@localhost");
        say(&mut carol, "subscribe", "alice@localhost");
        bob.so_far();
        carol.so_far();
        in_band(server, &mut alice);
        let (kinds, _) = about_alice(&bob.so_far());
        assert_eq!(kinds, ["unsubscribe"]);
        let (kinds, push) = about_alice(&carol.so_far());
        assert_eq!((kinds, push.as_deref()), (vec!["unsubscribed".to_owned()], Some("alice@localhost none")));
        // Bob is not asked again at his next login.
        bob.close();
        let mut bob = Client::login(server, "bob", "desk");
        bob.send("<presence/>");
        let (kinds, _) = about_alice(&bob.so_far());
        assert!(kinds.is_empty(), "{kinds:?}");
    });
}

#[test]
fn contacts_who_are_away_find_it_in_their_roster_also_after_a_crash() {
    let mut server = Setup::default().start();
    let mut alice = online(&server, "alice");
    let mut bob = online(&server, "bob");
    subscribe(&mut alice, &mut bob);
    subscribe(&mut bob, &mut alice);
    bob.close();
    in_band(&server, &mut alice);
    server.crash();
    let mut bob = Client::login(&server, "bob", "desk");
    assert_eq!(bob.roster().lines(), ["alice@localhost none"]);
    // A new account of that name is a stranger.
    server.control().add_user("alice@localhost");
    let mut stranger = online(&server, "alice");
    assert!(stranger.roster().lines().is_empty());
    bob.send("<presence/>");
    bob.so_far();
    stranger.expect_nothing_before_ping();
}

#[test]
fn two_who_know_each_other_can_be_removed_at_the_same_time() {
    on_both_stores(|server| {
        for _ in 0..5 {
            let mut alice = online(server, "alice");
            let mut bob = online(server, "bob");
            subscribe(&mut alice, &mut bob);
            subscribe(&mut bob, &mut alice);
            std::thread::scope(|scope| {
                for client in [&mut alice, &mut bob] {
                    scope.spawn(|| {
                        send_set(client, "<remove/>");
                        client.wait_for("<iq type='result' id='set'");
                        client.wait_for("<stream:error");
                    });
                }
            });
            let accounts = server.control().run("user list", json!({}));
            assert_eq!(accounts.as_array().unwrap().len(), 1, "{accounts}");
            server.control().add_user("alice@localhost");
            server.control().add_user("bob@localhost");
        }
    });
}
