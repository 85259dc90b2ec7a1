//! Rosters, requests and presence that are together larger than what a session may have waiting: nobody is kept from coming
//! online by them, and nothing that matters is left out.

use std::collections::HashSet;

use metronome_testkit::{Client, Push, Seen, Server, on_both_stores_with};

use crate::{befriend, interested, online, online_at, online_with, pass, quiet, say};

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
fn much_presence_of_many_contacts_is_shown_as_there_is_room_for_it() {
    on_both_stores_with(FAST, |server| {
        let mut alice = online(server, "alice", "phone");
        let status = "x".repeat(15_000);
        let mut friends = Vec::new();
        for name in crowd(server, 60) {
            let mut friend = interested(server, &name, "desk");
            befriend(&mut alice, &mut friend);
            friend.send(&format!("<presence><status>{status}</status></presence>"));
            friend.so_far();
            friends.push(friend);
            alice.so_far();
        }
        alice.close();
        // What there is no room for at once comes behind what has been asked meanwhile.
        let (mut alice, mut came) = online_with(server, "alice", "phone", "<presence/>");
        while count(&came, "<presence") < friends.len() + 1 {
            came.push(alice.next_piece());
        }
        let from: HashSet<_> = came.iter().map(|seen| seen.attribute("from")).collect();
        assert_eq!(from.len(), friends.len() + 1, "each once");
        alice.expect_nothing_before_ping();
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

/// Somebody of whom bob is shown that they are there, and who goes while there is no room to tell him.
fn goes_in_a_flood(server: &Server, bob: &mut Client, goes: Client) {
    let mut alice = Client::login(server, "alice", "flood");
    let body = "x".repeat(LARGE);
    for kind in ["headline", "chat"] {
        for number in 0..100 {
            alice.send(&format!(
                "<message to='bob@localhost' type='{kind}' id='{number}'><body>{body}</body></message>"
            ));
        }
        alice.settle("bob@localhost");
    }
    let jid = goes.jid().to_owned();
    goes.drop_connection();
    // When it has gone there is nobody at its address.
    let mut other = Client::login(server, "alice", "other");
    loop {
        other.send(&format!("<presence to='{jid}'/>"));
        other.send(&format!("<message to='{jid}' type='groupchat' id='g'><body>there?</body></message>"));
        if !other.settle(&jid).is_empty() {
            break;
        }
    }
    bob.wait_for(&format!("<presence type='unavailable' from='{jid}'"));
}

#[test]
fn a_flood_of_messages_does_not_hide_that_a_contact_has_gone() {
    on_both_stores_with(FAST, |server| {
        let mut carol = online(server, "carol", "desk");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut carol, &mut bob);
        pass(&mut [&mut carol, &mut bob]);
        goes_in_a_flood(server, &mut bob, carol);
    });
}

#[test]
fn a_flood_of_messages_does_not_hide_that_one_device_of_a_contact_has_gone() {
    on_both_stores_with(FAST, |server| {
        let mut carol = online(server, "carol", "desk");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut carol, &mut bob);
        let phone = online(server, "carol", "phone");
        pass(&mut [&mut carol, &mut bob]);
        goes_in_a_flood(server, &mut bob, phone);
    });
}

#[test]
fn a_flood_of_messages_does_not_hide_that_ones_own_other_device_has_gone() {
    on_both_stores_with(FAST, |server| {
        let mut bob = online_at(server, "bob", "desk", 5);
        let phone = online(server, "bob", "phone");
        bob.so_far();
        goes_in_a_flood(server, &mut bob, phone);
    });
}

#[test]
fn a_flood_of_messages_does_not_hide_that_somebody_with_directed_presence_has_gone() {
    on_both_stores_with(FAST, |server| {
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        carol.send("<presence to='bob@localhost/desk'/>");
        bob.expect("<presence from='carol@localhost/desk'");
        goes_in_a_flood(server, &mut bob, carol);
    });
}

#[test]
fn large_answers_wait_for_a_client_that_has_asked_for_all_of_them_at_once() {
    const ASKED: usize = 300;
    on_both_stores_with(FAST, |server| {
        let mut bob = Client::login(server, "bob", "desk");
        let mut alice = Client::login(server, "alice", "phone");
        let card = format!("<vCard xmlns='vcard-temp'><NOTE>{}</NOTE></vCard>", "x".repeat(60_000));
        alice.send(&format!("<iq type='set' id='set'>{card}</iq>"));
        alice.expect("<iq type='result' id='set'");
        for number in 0..ASKED {
            alice.send(&format!("<iq type='get' id='{number}'><vCard xmlns='vcard-temp'/></iq>"));
            alice.send(&format!("<message to='{}' type='headline' id='m{number}'/>", bob.jid()));
        }
        // Whatever waits for the answers to be read, they come in the order in which they were asked for.
        for number in 0..ASKED {
            let answer = alice.next_piece();
            assert!(answer.fits(&format!("<iq type='result' id='{number}'")) && answer.contains(&card), "{number}");
        }
        for number in 0..ASKED {
            bob.expect(&format!("<message id='m{number}'"));
        }
    });
}
