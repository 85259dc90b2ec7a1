//! Sessions outlive the server, whether it is stopped or killed.

use metronome_testkit::{Client, Server, Setup};

use crate::{befriend, bodies, chat, managed, next};

/// Ends the server in both ways.
fn each_end(run: impl Fn(&mut Server, fn(&mut Server))) {
    for end in [Server::restart, Server::crash] {
        let mut server = Setup::default().start();
        run(&mut server, end);
    }
}

#[test]
fn a_stream_is_resumed_on_a_new_process_with_all_that_was_not_acknowledged() {
    each_end(|server, end| {
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, previd) = managed(server, "alice", "phone");
        for number in 0..5 {
            bob.send(&chat("alice@localhost", number));
        }
        assert_eq!(bodies(&mut alice, 5), ["0", "1", "2", "3", "4"]);
        alice.acknowledge(3);
        alice.send(&chat("bob@localhost", "one"));
        assert_eq!(alice.handled().0, 2);
        // Once a second what has changed is noted.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        end(server);
        let mut bob = Client::login(server, "bob", "desk");
        bob.send(&chat("alice@localhost", 5));
        bob.settle("alice@localhost");
        let (mut alice, handled) = Client::resume(server, "alice", &previd, 4);
        assert_eq!(handled, 2);
        let mut came = Vec::new();
        while came.len() < 3 {
            let seen = next(&mut alice);
            came.extend(seen.text_of("body"));
        }
        assert_eq!(came, ["3", "4", "5"]);
        bob.send(&chat("alice@localhost", 6));
        alice.wait_for("<message");
        alice.send(&chat("bob@localhost", "two"));
        assert_eq!(alice.handled().0, 3);
    });
}

#[test]
fn what_the_client_had_before_a_crash_does_not_come_again() {
    each_end(|server, end| {
        let mut bob = Client::login(server, "bob", "desk");
        let (mut alice, previd) = managed(server, "alice", "phone");
        for number in 0..30 {
            bob.send(&chat("alice@localhost", number));
        }
        // It has not acknowledged any of them, and the server had no time to note them.
        assert_eq!(bodies(&mut alice, 30).len(), 30);
        end(server);
        let (mut alice, handled) = Client::resume(server, "alice", &previd, 21);
        if handled == 0 {
            // The server did not come to note her presence, so she says it again.
            alice.send("<presence/>");
        }
        let mut came = Vec::new();
        while came.len() < 10 {
            came.extend(next(&mut alice).text_of("body"));
        }
        let expected: Vec<_> = (20..30).map(|number| number.to_string()).collect();
        assert_eq!(came, expected);
        let mut bob = Client::login(server, "bob", "desk");
        bob.send(&chat("alice@localhost", "next"));
        loop {
            let seen = next(&mut alice);
            if let Some(body) = seen.text_of("body") {
                assert_eq!(body, "next");
                break;
            }
        }
    });
}

#[test]
fn what_is_sent_again_after_a_crash_is_stored_once() {
    each_end(|server, end| {
        let (mut alice, previd) = managed(server, "alice", "phone");
        for number in 0..200 {
            alice.send(&chat("bob@localhost", number));
        }
        while alice.handled().0 < 201 {}
        // How far the server gets from here on nobody knows; the client waits for no answer.
        for number in 200..260 {
            alice.send(&chat("bob@localhost", number));
        }
        end(server);
        let (mut alice, handled) = Client::resume(server, "alice", &previd, 1);
        assert!(handled >= 201, "{handled}");
        for number in (handled - 1)..260 {
            alice.send(&chat("bob@localhost", number));
        }
        // It was perhaps told of some unasked.
        while alice.handled().0 != 261 {}
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let expected: Vec<_> = (0..260).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&mut bob, 260), expected);
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn nobody_sees_those_go_who_come_back_and_those_are_gone_who_do_not() {
    each_end(|server, end| {
        befriend(server);
        let (mut alice, alices) = managed(server, "alice", "phone");
        let (mut bob, bobs) = managed(server, "bob", "desk");
        alice.wait_for("<presence from='bob@localhost/desk'");
        bob.wait_for("<presence from='alice@localhost/phone'");
        // A session without stream management ends with the server.
        let mut other = Client::login(server, "alice", "tablet");
        other.available();
        bob.wait_for("<presence from='alice@localhost/tablet'");
        std::thread::sleep(std::time::Duration::from_millis(2500));
        end(server);
        let (mut bob, _) = Client::resume(server, "bob", &bobs, 3);
        // He hears of all who are there as they are now, and of nobody who is still there as gone.
        let mut came = Vec::new();
        let from = |came: &[metronome_testkit::Seen]| {
            came.iter().any(|seen| seen.fits("<presence from='alice@localhost/phone'"))
        };
        while !from(&came) {
            came.push(next(&mut bob));
        }
        let gone =
            |seen: &metronome_testkit::Seen| seen.fits("<presence type='unavailable' from='alice@localhost/phone'");
        assert!(!came.iter().any(gone));
        let (mut alice, _) = Client::resume(server, "alice", &alices, 2);
        alice.wait_for("<presence from='bob@localhost/desk'");
        alice.send("<presence type='unavailable'/>");
        bob.wait_for("<presence type='unavailable' from='alice@localhost/phone'");
    });
}

#[test]
fn a_stream_of_a_deleted_account_or_of_an_old_password_is_not_taken_up() {
    let mut server = Setup::default().start();
    let (_alice, alices) = managed(&server, "alice", "phone");
    server.kill();
    server.start_again();
    server.control().renew_password("alice@localhost");
    server.restart();
    let mut alice = Client::direct_tls(&server);
    alice.authenticate("alice");
    alice.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{alices}' h='1'/>"));
    alice.expect("<failed xmlns='urn:xmpp:sm:3'><item-not-found");
}

#[test]
fn a_stream_can_be_resumed_from_the_moment_its_client_hears_its_name() {
    let mut server = Setup::default().start();
    for _ in 0..5 {
        let mut clients: Vec<_> =
            ["phone", "desk", "tablet", "watch"].map(|resource| Client::login(&server, "alice", resource)).into();
        for client in &mut clients {
            client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        }
        let enabled = clients.iter_mut().map(|client| client.expect("<enabled xmlns='urn:xmpp:sm:3' resume='true'"));
        let names: Vec<_> = enabled.map(|enabled| enabled.attribute("id").unwrap()).collect();
        server.crash();
        for name in names {
            let (mut client, handled) = Client::resume(&server, "alice", &name, 0);
            assert_eq!((handled, client.handled().0), (0, 0));
            client.close();
        }
    }
}
