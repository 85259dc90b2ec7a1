//! Section 4: exchanging presence information (directed presence is in `directed.rs`).

use metronome_testkit::{Client, Seen, Server, on_both_stores, on_both_stores_with};

use crate::{befriend, interested, online, online_at, online_with, pass, quiet, subscribe};

/// What is different between people who are and who are not connected: alice sees bob and bob sees alice, carol sees alice and
/// is not seen by her. None of them is there now.
fn acquainted(server: &Server) {
    let mut alice = online(server, "alice", "once");
    let mut bob = online(server, "bob", "once");
    let mut carol = online(server, "carol", "once");
    befriend(&mut alice, &mut bob);
    subscribe(&mut carol, &mut alice);
    for client in [alice, bob, carol] {
        client.close();
    }
}

fn shows(came: &[Seen], pattern: &str) -> usize {
    came.iter().filter(|seen| seen.fits(pattern)).count()
}

#[test]
fn section_4_2_2_initial_presence_goes_to_subscribers_and_own_resources() {
    on_both_stores(|server| {
        acquainted(server);
        let mut desk = online(server, "alice", "desk");
        let mut bob_desk = online(server, "bob", "desk");
        let mut bob_phone = online_at(server, "bob", "phone", -1);
        let mut bob_connected = interested(server, "bob", "connected");
        let mut carol = online(server, "carol", "desk");
        pass(&mut [&mut desk, &mut bob_desk, &mut bob_phone, &mut bob_connected, &mut carol]);
        let mut phone = interested(server, "alice", "phone");
        quiet(&mut [&mut desk, &mut bob_desk, &mut carol]);
        phone.send(
            "<presence id='p1' xml:lang='en'><show>chat</show><status>here &amp; now</status><priority>7</priority>\
             <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:example' ver='x'/></presence>",
        );
        let pattern = "<presence from='alice@localhost/phone' id='p1'><show>chat</show>";
        for client in [&mut desk, &mut bob_desk, &mut bob_phone, &mut carol] {
            let seen = client.expect(pattern);
            assert_eq!(seen.attribute("type"), None, "{seen}");
            let to = seen.attribute("to").unwrap_or_default();
            assert_eq!(to.split('/').next(), Some(client.bare()), "{seen}");
            for part in ["<status>here &amp; now</status>", "<priority>7</priority>", "ver='x'"] {
                assert!(seen.contains(part), "{seen}");
            }
        }
        // The sender itself hears it too, whose own presence is the last thing it needs.
        let came = phone.so_far();
        assert_eq!(shows(&came, pattern), 1, "{came:?}");
        quiet(&mut [&mut desk, &mut bob_desk, &mut bob_phone, &mut bob_connected, &mut carol]);
    });
}

#[test]
fn section_4_3_who_becomes_available_sees_the_contacts_that_are_there() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob_desk = online_with(server, "bob", "desk", "<presence><show>dnd</show></presence>").0;
        let mut bob_phone = online_at(server, "bob", "phone", -1);
        let mut bob_connected = interested(server, "bob", "connected");
        let mut carol = online(server, "carol", "desk");
        let (mut alice, came) = online_with(server, "alice", "phone", "<presence/>");
        // Bob is seen with all that he has, carol is not: she is the one who sees alice.
        assert_eq!(came.len(), 3, "{came:?}");
        assert_eq!(shows(&came, "<presence from='bob@localhost/desk'><show>dnd</show>"), 1, "{came:?}");
        assert_eq!(shows(&came, "<presence from='bob@localhost/phone'><priority>-1</priority>"), 1, "{came:?}");
        assert_eq!(shows(&came, "<presence from='alice@localhost/phone'"), 1, "{came:?}");
        // Another resource of hers sees them as well, and the first one.
        let (_desk, came) = online_with(server, "alice", "desk", "<presence/>");
        for from in ["bob@localhost/desk", "bob@localhost/phone", "alice@localhost/phone", "alice@localhost/desk"] {
            assert_eq!(shows(&came, &format!("<presence from='{from}'")), 1, "{came:?}");
        }
        assert_eq!(came.len(), 4, "{came:?}");
        let seen_by_carol = carol.so_far();
        assert_eq!(shows(&seen_by_carol, "<presence from='alice@localhost/phone'"), 1, "{seen_by_carol:?}");
        pass(&mut [&mut bob_desk, &mut bob_phone]);
        alice.so_far();
        quiet(&mut [&mut bob_connected, &mut carol, &mut alice]);
    });
}

#[test]
fn section_4_3_only_who_is_available_sees_others() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut alice = interested(server, "alice", "phone");
        bob.send("<presence><show>away</show></presence>");
        bob.so_far();
        alice.expect_nothing_before_ping();
        alice.send("<presence/>");
        alice.expect_so_far(&[
            "<presence from='alice@localhost/phone'",
            "<presence from='bob@localhost/desk'><show>away</show>",
        ]);
        alice.send("<presence type='unavailable'/>");
        alice.so_far();
        bob.send("<presence/>");
        bob.so_far();
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_4_3_2_a_probe_is_answered_for_who_may_see_and_refused_alike_for_all_others() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online_with(server, "bob", "desk", "<presence><show>dnd</show></presence>").0;
        let mut bob_phone = online(server, "bob", "phone");
        let mut alice = online(server, "alice", "phone");
        pass(&mut [&mut bob, &mut bob_phone, &mut alice]);
        let mut probe = |to: &str| {
            alice.send(&format!("<presence type='probe' to='{to}'/>"));
            alice.settle(to)
        };
        let came = probe("bob@localhost");
        assert_eq!(shows(&came, "<presence from='bob@localhost/desk'><show>dnd</show>"), 1, "{came:?}");
        assert_eq!(shows(&came, "<presence from='bob@localhost/phone'"), 1, "{came:?}");
        assert_eq!(came.len(), 2, "{came:?}");
        // Carol is there or not, lets nobody in, and is not told from who does not exist.
        let answer = |came: Vec<Seen>, to: &str| came.iter().map(|seen| seen.replace(to, "*")).collect::<Vec<_>>();
        let absent = answer(probe("carol@localhost"), "carol@localhost");
        let nobody = answer(probe("nobody@localhost"), "nobody@localhost");
        let mut carol = online(server, "carol", "desk");
        carol.so_far();
        let stranger = answer(probe("carol@localhost"), "carol@localhost");
        assert_eq!((&stranger, &absent), (&nobody, &nobody));
        assert!(nobody.iter().all(|seen| seen.contains("type='unsubscribed'")), "{nobody:?}");
        // A client's probe is the server's to answer: nobody is shown it.
        quiet(&mut [&mut bob, &mut bob_phone]);
        assert_eq!(shows(&carol.so_far(), "<presence type='probe'"), 0);
        // Who has gone is unavailable, if anything is said at all.
        bob.close();
        bob_phone.close();
        alice.so_far();
        alice.send("<presence type='probe' to='bob@localhost'/>");
        let came = alice.settle("bob@localhost");
        assert!(came.iter().all(|seen| seen.fits("<presence type='unavailable'")) && came.len() <= 1, "{came:?}");
    });
}

#[test]
fn section_4_4_updates_go_where_the_initial_presence_went_and_ask_nothing() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        let mut desk = online(server, "alice", "desk");
        let mut phone = online(server, "alice", "phone");
        pass(&mut [&mut bob, &mut carol, &mut desk, &mut phone]);
        for show in ["away", "xa", "dnd", "chat"] {
            phone.send(&format!("<presence><show>{show}</show></presence>"));
            for client in [&mut bob, &mut carol, &mut desk] {
                client.expect(&format!("<presence from='alice@localhost/phone'><show>{show}</show>"));
            }
            phone.expect_so_far(&[&format!("<presence from='alice@localhost/phone'><show>{show}</show>")]);
        }
        // Who comes later sees the last of them.
        bob.close();
        let (_, came) = online_with(server, "bob", "new", "<presence/>");
        assert_eq!(shows(&came, "<presence from='alice@localhost/phone'><show>chat</show>"), 1, "{came:?}");
    });
}

#[test]
fn section_4_5_unavailable_presence_goes_to_subscribers_and_own_resources() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        let mut desk = online(server, "alice", "desk");
        let mut phone = online(server, "alice", "phone");
        pass(&mut [&mut bob, &mut carol, &mut desk, &mut phone]);
        phone.send("<presence type='unavailable' id='u1'><status>gone &lt;home&gt;</status></presence>");
        for client in [&mut bob, &mut carol, &mut desk] {
            client.expect(
                "<presence type='unavailable' from='alice@localhost/phone' id='u1'><status>gone &lt;home&gt;</status>",
            );
        }
        // The one who says it is not available any more.
        phone.expect_nothing_before_ping();
        // It is said once, whatever the client does then.
        phone.send("<presence type='unavailable'/>");
        phone.so_far();
        quiet(&mut [&mut bob, &mut carol, &mut desk]);
        bob.send("<presence><show>away</show></presence>");
        bob.so_far();
        phone.expect_nothing_before_ping();
        desk.expect("<presence from='bob@localhost/desk'><show>away</show>");
        phone.close();
        quiet(&mut [&mut bob, &mut carol, &mut desk]);
    });
}

#[test]
fn section_4_5_a_session_that_comes_back_is_a_newcomer() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut alice = online(server, "alice", "phone");
        pass(&mut [&mut bob, &mut alice]);
        for round in 0..3 {
            alice.send("<presence type='unavailable'/>");
            bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
            bob.send(&format!("<presence><status>{round}</status></presence>"));
            bob.so_far();
            alice.so_far();
            alice.send("<presence/>");
            bob.expect("<presence from='alice@localhost/phone'");
            let seen = format!("<presence from='bob@localhost/desk'><status>{round}</status>");
            alice.expect_so_far(&["<presence from='alice@localhost/phone'", &seen]);
        }
    });
}

#[test]
fn section_4_5_2_however_a_session_ends_its_subscribers_are_told_once() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut desk = online(server, "alice", "desk");
        type End = fn(&Server, Client);
        let ends: [(&str, End); 5] = [
            ("the stream is closed", |_, client| drop(client.close())),
            ("the connection is closed", |_, mut client| client.end_connection()),
            ("the connection is reset", |_, client| client.drop_connection()),
            ("its resource is taken over", |server, mut client| {
                let taker = Client::login(server, "alice", "phone");
                client.wait_for("<stream:error");
                taker.close();
            }),
            ("it breaks the rules", |_, mut client| {
                client.send("<message></presence>");
                client.wait_for("<stream:error");
            }),
        ];
        for (how, end) in ends {
            let phone = online(server, "alice", "phone");
            pass(&mut [&mut bob, &mut desk]);
            end(server, phone);
            for client in [&mut bob, &mut desk] {
                let seen = client.next_piece();
                assert!(seen.fits("<presence type='unavailable' from='alice@localhost/phone'"), "{how}: {seen}");
                client.expect_nothing_before_ping();
            }
        }
        // Those who were never available just go.
        interested(server, "alice", "phone").close();
        interested(server, "alice", "phone").drop_connection();
        desk.settle("alice@localhost");
        quiet(&mut [&mut bob, &mut desk]);
    });
}

#[test]
fn section_4_5_1_unavailable_presence_of_a_session_that_is_not_available_is_for_nobody() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut alice = interested(server, "alice", "phone");
        alice.send("<presence type='unavailable'/>");
        alice.so_far();
        quiet(&mut [&mut bob, &mut alice]);
    });
}

#[test]
fn section_4_7_1_presence_of_no_known_type_is_refused() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut alice = online(server, "alice", "phone");
        pass(&mut [&mut bob, &mut alice]);
        for kind in ["available", "AVAILABLE", "away", ""] {
            alice.send(&format!("<presence type='{kind}' id='p'/>"));
            alice.expect("<presence type='error' id='p'><bad-request");
            alice.send(&format!("<presence type='{kind}' id='p' to='bob@localhost'/>"));
            alice.expect("<presence type='error' id='p'><bad-request");
        }
        // The four that need an address, without one; and what only servers and errors say.
        for kind in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
            alice.send(&format!("<presence type='{kind}' id='p'/>"));
            alice.expect("<presence type='error' id='p'");
        }
        alice.send("<presence type='error' id='p'/>");
        quiet(&mut [&mut alice, &mut bob]);
        assert_eq!(alice.roster().lines(), ["bob@localhost both", "carol@localhost from"]);
    });
}

#[test]
fn section_4_7_2_3_priorities_lie_between_minus_128_and_127() {
    on_both_stores(|server| {
        acquainted(server);
        let mut bob = online(server, "bob", "desk");
        let mut alice = online(server, "alice", "phone");
        pass(&mut [&mut bob, &mut alice]);
        for good in ["-128", "127", "0", "-1", " 5 "] {
            alice.send(&format!("<presence><priority>{good}</priority></presence>"));
            bob.expect(&format!("<presence from='alice@localhost/phone'><priority>{good}</priority>"));
            alice.expect("<presence from='alice@localhost/phone'");
        }
        for bad in ["128", "-129", "high", "", "1.5", "99999999999999999999"] {
            alice.send(&format!("<presence id='b'><priority>{bad}</priority></presence>"));
            alice.expect("<presence type='error' id='b'><bad-request");
        }
        quiet(&mut [&mut bob, &mut alice]);
    });
}

#[test]
fn section_4_one_account_with_many_contacts_is_seen_by_all_of_them() {
    on_both_stores(|server| {
        let names: Vec<String> = (0..8).map(|number| format!("friend{number}")).collect();
        let mut alice = online(server, "alice", "phone");
        let mut friends: Vec<Client> = names
            .iter()
            .map(|name| {
                server.control().add_user(&format!("{name}@localhost"));
                let mut friend = online(server, name, "desk");
                befriend(&mut alice, &mut friend);
                friend
            })
            .collect();
        pass(&mut [&mut alice]);
        alice.send("<presence><show>away</show></presence>");
        for friend in &mut friends {
            friend.expect("<presence from='alice@localhost/phone'><show>away</show>");
        }
        alice.close();
        for friend in &mut friends {
            friend.expect("<presence type='unavailable' from='alice@localhost/phone'");
            friend.expect_nothing_before_ping();
        }
        let (mut alice, came) = online_with(server, "alice", "desk", "<presence/>");
        assert_eq!(came.len(), names.len() + 1, "{came:?}");
        for friend in friends {
            let name = friend.bare().to_owned();
            friend.drop_connection();
            alice.expect(&format!("<presence type='unavailable' from='{name}/desk'"));
        }
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_4_2_4_what_the_other_may_not_see_does_not_come_with_a_message() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        // They write to each other, and neither hears how the other comes and goes.
        alice.send("<message to='bob@localhost' type='chat' id='m'><body>hello</body></message>");
        bob.expect("<message id='m' from='alice@localhost/phone'>");
        alice.send("<presence><show>away</show></presence>");
        alice.so_far();
        alice.close();
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn section_4_4_who_reads_late_sees_the_last_presence_all_the_same() {
    on_both_stores_with("limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"", |server| {
        let mut alice = online(server, "alice", "phone");
        let mut carol = online(server, "carol", "desk");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        befriend(&mut carol, &mut bob);
        pass(&mut [&mut alice, &mut carol, &mut bob]);
        // More than sockets and the server together keep for him.
        let padding = "x".repeat(1000);
        carol.send("<presence><status>here</status></presence>");
        carol.so_far();
        for number in 0..12_000 {
            alice
                .send(&format!("<presence><status>{number}</status><x xmlns='urn:example:x'>{padding}</x></presence>"));
            if number % 500 == 0 {
                alice.so_far();
            }
        }
        alice.send("<presence><show>xa</show><status>last</status></presence>");
        alice.so_far();
        carol.send("<presence type='unavailable'/>");
        carol.so_far();
        let mut last = None;
        let mut carol_is_there = true;
        for seen in bob.so_far() {
            match seen.attribute("from").as_deref() {
                Some("alice@localhost/phone") => last = seen.text_of("status"),
                Some("carol@localhost/desk") => carol_is_there = seen.attribute("type").is_none(),
                _ => {}
            }
        }
        assert_eq!((last.as_deref(), carol_is_there), (Some("last"), false));
    });
}
