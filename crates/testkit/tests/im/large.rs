//! Rosters, requests and presence that are together larger than what a session may have waiting: nobody is kept from coming
//! online by them, and nothing that matters is left out.

use metronome_testkit::{Client, Push, Seen, Server, on_both_stores_with};

use crate::{befriend, online, online_with, quiet, say};

/// Nobody is slowed down.
const FAST: &str = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"";

/// More than a twelfth of a megabyte, and less than a stanza may have.
const LARGE: usize = 100_000;

const CROWD: usize = 15;

fn crowd(server: &Server, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|number| format!("crowd{number}")).collect();
    names.iter().for_each(|name| server.control().add_user(&format!("{name}@localhost")));
    names
}

fn count(came: &[Seen], pattern: &str) -> usize {
    came.iter().filter(|seen| seen.fits(pattern)).count()
}

#[test]
fn large_requests_of_a_crowd_keep_nobody_from_coming_online() {
    on_both_stores_with(FAST, |server| {
        let status = "x".repeat(LARGE);
        for name in crowd(server, CROWD) {
            let mut stranger = Client::login(server, &name, "desk");
            stranger
                .send(&format!("<presence type='subscribe' to='alice@localhost'><status>{status}</status></presence>"));
            stranger.settle("alice@localhost");
        }
        for _ in 0..2 {
            let (mut alice, came) = online_with(server, "alice", "phone", "<presence/>");
            assert_eq!(count(&came, "<presence type='subscribe'"), CROWD);
            assert!(came.iter().all(|seen| seen.len() < LARGE), "not all that strangers say is kept");
            alice.expect_nothing_before_ping();
            alice.close();
        }
        // And each of them can be answered.
        let mut alice = online(server, "alice", "phone");
        say(&mut alice, "subscribed", "crowd0@localhost");
        say(&mut alice, "unsubscribed", "crowd1@localhost");
        alice.so_far();
        assert_eq!(alice.roster().lines(), ["crowd0@localhost from"]);
    });
}

#[test]
fn a_large_roster_comes_whole_and_in_pushes() {
    on_both_stores_with(FAST, |server| {
        let mut alice = Client::login(server, "alice", "phone");
        let empty = alice.roster_since("").unwrap();
        let name = "n".repeat(1000);
        let groups: String = ["a", "b", "c"].map(|group| format!("<group>{}</group>", group.repeat(1000))).concat();
        // A roster may have a limit in bytes besides the one in contacts; what is in it then must be had all the same.
        let mut count = 0;
        while count < 500 {
            let item = format!("<item jid='c{count}@contacts.example' name='{name}'>{groups}</item>");
            alice.send_roster_set("set", &item);
            let came = alice.so_far();
            if came.iter().any(|seen| seen.fits("<iq type='error' id='set'><resource-constraint")) {
                break;
            }
            count += 1;
        }
        assert!(count > 100, "{count}");
        let whole = alice.roster_since("").unwrap();
        assert_eq!(whole.items.len(), count);
        // A client that knows an old version gets the same, one way or the other.
        let mut desk = Client::login(server, "alice", "desk");
        let mut cached = empty;
        match desk.roster_since(&cached.ver.clone().unwrap()) {
            Some(roster) => cached = roster,
            None => desk.so_far().iter().filter_map(Push::read).for_each(|push| cached.take(&push)),
        }
        assert_eq!(cached, whole);
        desk.expect_nothing_before_ping();
    });
}

#[test]
fn a_presence_that_is_too_large_is_refused() {
    on_both_stores_with(FAST, |server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        let status = "x".repeat(LARGE);
        for to in ["", "to='bob@localhost'", "to='bob@localhost/desk'"] {
            alice.send(&format!("<presence {to} id='p'><status>{status}</status></presence>"));
            alice.expect("<presence type='error' id='p'><policy-violation");
        }
        quiet(&mut [&mut alice, &mut bob]);
    });
}
