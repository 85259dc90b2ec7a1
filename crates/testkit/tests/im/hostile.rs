//! What hostile clients try with rosters, presence and requests: each gets the error or the silence that the RFC asks for, and
//! nobody else suffers.

use metronome_testkit::{Client, Push, Seen, Server, on_both_stores, on_both_stores_with};

use crate::{befriend, interested, online, online_with, pass, quiet, say, subscribe};

#[test]
fn a_spoofed_sender_is_replaced_in_subscriptions_presence_and_requests() {
    on_both_stores(|server| {
        let mut carol = online(server, "carol", "evil");
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        pass(&mut [&mut alice, &mut bob]);
        for verb in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
            carol.send(&format!("<presence type='{verb}' from='bob@localhost' to='alice@localhost'/>"));
            carol.settle("alice@localhost");
        }
        // Carol has asked for herself and taken it back; what she said in bob's name was said in hers.
        let came = alice.so_far();
        assert!(came.iter().all(|seen| seen.attribute("from").is_none_or(|from| !from.starts_with("bob"))), "{came:?}");
        assert_eq!(alice.roster().lines(), ["bob@localhost both"]);
        assert_eq!(bob.roster().lines(), ["alice@localhost both"]);
        for presence in ["", "type='unavailable'"] {
            carol.send(&format!("<presence {presence} from='bob@localhost/desk' to='alice@localhost/phone'/>"));
            alice.expect("<presence from='carol@localhost/evil'");
        }
        carol.send("<presence from='bob@localhost/desk'><show>dnd</show></presence>");
        carol.so_far();
        carol.send("<presence type='probe' from='bob@localhost' to='alice@localhost'/>");
        let told = carol.settle("alice@localhost");
        assert!(!told.iter().any(|seen| seen.contains("from='alice@localhost/phone'")), "{told:?}");
        quiet(&mut [&mut alice, &mut bob]);
        carol.send("<presence from='@'/>");
        carol.expect_stream_error("invalid-from");
    });
}

#[test]
fn a_roster_push_of_another_client_does_not_arrive() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        pass(&mut [&mut alice, &mut bob]);
        let push = "<query xmlns='jabber:iq:roster' ver='9'><item jid='evil@localhost' subscription='both'/></query>";
        for from in ["alice@localhost", "localhost", "alice@localhost/phone", "alice@localhost/x"] {
            bob.send(&format!("<iq type='set' id='p' from='{from}' to='alice@localhost/phone'>{push}</iq>"));
            bob.expect("<iq type='error' id='p' from='alice@localhost/phone'><forbidden");
        }
        alice.expect_nothing_before_ping();
        assert_eq!(alice.roster().lines(), ["bob@localhost both"]);
    });
}

#[test]
fn a_roster_set_for_somebody_else_is_refused_as_for_nobody() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        pass(&mut [&mut alice, &mut bob]);
        let mut set = |to: &str| {
            bob.send(&format!(
                "<iq type='set' id='s' to='{to}'><query xmlns='jabber:iq:roster'><item jid='evil@localhost'/></query></iq>"
            ));
            bob.expect(&format!("<iq type='error' id='s' from='{to}'")).replace(to, "*")
        };
        let answer = set("alice@localhost");
        assert!(answer.contains("<forbidden") || answer.contains("<service-unavailable"), "{answer}");
        assert_eq!(answer, set("carol@localhost"));
        assert_eq!(answer, set("nobody@localhost"));
        alice.expect_nothing_before_ping();
        assert_eq!(alice.roster().lines(), ["bob@localhost both"]);
    });
}

#[test]
fn section_2_3_3_a_roster_set_that_is_wrong_changes_nothing() {
    on_both_stores(|server| {
        let mut alice = interested(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        alice.set_item("<item jid='bob@localhost' name='Bob'><group>A</group></item>");
        desk.expect_push();
        let long = "x".repeat(20_000);
        for (items, condition) in [
            ("<item jid='a@b.example'/><item jid='c@b.example'/>", "bad-request"),
            ("", "bad-request"),
            ("<item name='nobody'/>", "bad-request"),
            ("<item xmlns='urn:example:other' jid='a@b.example'/>", "bad-request"),
            ("<item jid='bob@localhost'><group>A</group><group>B</group><group>A</group></item>", "bad-request"),
            ("<item jid='bob@localhost'><group/></item>", "not-acceptable"),
            ("<item jid='bob@localhost'><group>A</group><group></group></item>", "not-acceptable"),
            (&format!("<item jid='bob@localhost'><group>{long}</group></item>"), "not-acceptable"),
            (&format!("<item jid='bob@localhost' name='{long}'/>"), "not-acceptable"),
            ("<item jid='alice@localhost'/>", "not-allowed"),
            ("<item jid='ALICE@localhost'/>", "not-allowed"),
            ("<item jid='bob@localhost' subscription='remove'/><item jid='c@b.example'/>", "bad-request"),
            ("<item jid='carol@localhost' subscription='remove'/>", "item-not-found"),
        ] {
            alice.expect_set_refused(items, condition);
        }
        // An address that is none; which of the two errors it is, the RFC leaves open.
        for jid in ["a@b@c", "@localhost", "a@", "", "a b@localhost", &format!("{long}@localhost")] {
            alice.send_roster_set("r", &format!("<item jid='{jid}'/>"));
            let error = alice.expect("<iq type='error' id='r'");
            assert!(error.contains("<jid-malformed") || error.contains("<bad-request"), "{jid}: {error}");
        }
        quiet(&mut [&mut alice, &mut desk]);
        assert_eq!(alice.roster().lines(), ["bob@localhost none 'Bob' [A]"]);
    });
}

#[test]
fn a_roster_request_that_is_wrong_is_refused() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        for query in ["<query xmlns='jabber:iq:roster2'/>", "<roster xmlns='jabber:iq:roster'/>"] {
            for kind in ["get", "set"] {
                alice.send(&format!("<iq type='{kind}' id='r'>{query}</iq>"));
                alice.expect("<iq type='error' id='r'");
            }
        }
        alice.send("<iq type='get' id='r' to='localhost'><query xmlns='jabber:iq:roster'/></iq>");
        alice.expect("<iq type='error' id='r'");
        alice.send("<iq type='set' id='r' to='localhost'><query xmlns='jabber:iq:roster'><item jid='a@b.example'/></query></iq>");
        alice.expect("<iq type='error' id='r'");
        assert!(alice.roster().items.is_empty());
    });
}

#[test]
fn a_roster_has_a_limit() {
    on_both_stores_with("limits.roster = 3", |server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let fourth = "<item jid='d@b.example'/>";
        for name in ["a", "b", "c"] {
            alice.set_item(&format!("<item jid='{name}@b.example'/>"));
        }
        alice.send_roster_set("full", fourth);
        alice.expect("<iq type='error' id='full'");
        // What is there can be changed and removed.
        alice.set_item("<item jid='a@b.example' name='A'/>");
        // Asking for a subscription would add an item, and so would an approval.
        for verb in ["subscribe", "subscribed"] {
            alice.send(&format!("<presence type='{verb}' to='bob@localhost' id='p'/>"));
            let came = alice.settle("bob@localhost");
            assert!(came.len() == 1 && came[0].fits("<presence type='error' id='p'"), "{verb}: {came:?}");
        }
        bob.expect_nothing_before_ping();
        assert_eq!(alice.roster().items.len(), 3);
        alice.set_item("<item jid='b@b.example' subscription='remove'/>");
        alice.set_item(fourth);
        alice.send_roster_set("full", "<item jid='e@b.example'/>");
        alice.expect("<iq type='error' id='full'");
        assert_eq!(alice.roster().lines(), ["a@b.example none 'A'", "c@b.example none", "d@b.example none"]);
    });
}

#[test]
fn strangers_that_ask_for_subscriptions_take_no_place_of_contacts() {
    on_both_stores_with("limits.roster = 3", |server| {
        for number in 0..6 {
            let name = format!("crowd{number}");
            server.control().add_user(&format!("{name}@localhost"));
            let mut stranger = online(server, &name, "desk");
            say(&mut stranger, "subscribe", "alice@localhost");
            stranger.close();
        }
        let (mut alice, came) = online_with(server, "alice", "phone", "<presence/>");
        let requests = came.iter().filter(|seen| seen.fits("<presence type='subscribe'")).count();
        assert_eq!(requests, 6, "{came:?}");
        assert!(alice.roster().items.is_empty());
        for name in ["a", "b", "c"] {
            alice.set_item(&format!("<item jid='{name}@b.example'/>"));
        }
        alice.send_roster_set("full", "<item jid='d@b.example'/>");
        alice.expect("<iq type='error' id='full'");
        // Nobody can be let in any more, and everybody can be turned away.
        alice.send("<presence type='subscribed' to='crowd0@localhost' id='full'/>");
        alice.expect("<presence type='error' id='full'");
        let came = say(&mut alice, "unsubscribed", "crowd0@localhost");
        assert!(came.is_empty(), "{came:?}");
        let (_, came) = online_with(server, "alice", "desk", "<presence/>");
        let requests = came.iter().filter(|seen| seen.fits("<presence type='subscribe'")).count();
        assert_eq!(requests, 5, "{came:?}");
    });
}

/// All four stanzas from a stranger that fit no state.
#[test]
fn subscription_stanzas_out_of_state_do_nothing() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        for verb in ["unsubscribe", "unsubscribed"] {
            let came = say(&mut bob, verb, "alice@localhost");
            assert_eq!(came.len(), 0, "{verb}: {came:?}");
        }
        quiet(&mut [&mut alice, &mut bob]);
        // An approval that nobody has asked for does not show anybody to anybody.
        say(&mut bob, "subscribed", "alice@localhost");
        pass(&mut [&mut bob]);
        bob.send("<presence><show>away</show></presence>");
        bob.so_far();
        quiet(&mut [&mut alice]);
        assert!(alice.roster().items.is_empty());
        // To oneself, to the server, and to no address.
        for to in ["alice@localhost", "alice@localhost/phone", "alice@localhost/x", "localhost"] {
            for verb in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
                alice.send(&format!("<presence type='{verb}' to='{to}'/>"));
            }
        }
        alice.settle("alice@localhost");
        alice.settle("localhost");
        alice.so_far();
        assert!(alice.roster().items.keys().all(|jid| jid != "alice@localhost"), "{:?}", alice.roster());
        let (_, came) = online_with(server, "alice", "desk", "<presence/>");
        assert!(!came.iter().any(|seen| seen.fits("<presence type='subscribe'")), "{came:?}");
    });
}

/// Runs this for somebody who does not exist, for a stranger who is not there, and for one who is: the answers must be the same,
/// and nobody else may hear of it.
fn same_for_all(server: &Server, what: &str, act: impl Fn(&mut Client, &str) -> Vec<Seen>) {
    let mut bob = online(server, "bob", "desk");
    let mut alice = online(server, "alice", what);
    let mut answers = |name: &str| {
        let to = format!("{name}@localhost");
        let came = act(&mut alice, &to);
        let plain = |seen: &Seen| {
            let text = seen.replace(&to, "*");
            // The id and the version of a push are different each time.
            match Push::read(seen) {
                Some(push) => push.item.to_string().replace(&to, "*"),
                None => text,
            }
        };
        came.iter().map(plain).collect::<Vec<_>>()
    };
    let nobody = answers("nobody");
    assert_eq!(nobody, answers("carol"), "{what}: nobody, and somebody who is not there");
    assert_eq!(nobody, answers("bob"), "{what}: nobody, and somebody who is there");
    bob.so_far();
    alice.close();
    // The next one begins without what this one left.
    let mut cleaner = Client::login(server, "alice", "cleaner");
    for name in ["nobody", "carol", "bob"] {
        for verb in ["unsubscribe", "unsubscribed"] {
            cleaner.send(&format!("<presence type='{verb}' to='{name}@localhost'/>"));
        }
        cleaner.send_roster_set("c", &format!("<item jid='{name}@localhost' subscription='remove'/>"));
    }
    cleaner.so_far();
}

#[test]
fn section_8_5_1_accounts_that_do_not_exist_look_like_strangers() {
    on_both_stores(|server| {
        for verb in ["subscribe", "subscribed", "unsubscribe", "unsubscribed"] {
            same_for_all(server, verb, |alice, to| say(alice, verb, to));
            same_for_all(server, &format!("{verb}, full"), |alice, to| say(alice, verb, &format!("{to}/desk")));
        }
        same_for_all(server, "probe", |alice, to| say(alice, "probe", to));
        same_for_all(server, "directed", |alice, to| {
            alice.send(&format!("<presence to='{to}'/>"));
            alice.send(&format!("<presence to='{to}/desk'/>"));
            alice.settle(to)
        });
        same_for_all(server, "headline", |alice, to| {
            alice.send(&format!("<message type='groupchat' to='{to}' id='g'><body>x</body></message>"));
            alice.send(&format!("<message type='error' to='{to}' id='e'/>"));
            alice.settle(to)
        });
        for payload in [
            "<unknown xmlns='urn:example:unknown'/>",
            "<query xmlns='jabber:iq:roster'/>",
            "<query xmlns='http://jabber.org/protocol/disco#info'/>",
            "<query xmlns='http://jabber.org/protocol/disco#items'/>",
            "<query xmlns='jabber:iq:last'/>",
            "<query xmlns='jabber:iq:version'/>",
            "<query xmlns='jabber:iq:private'><x xmlns='urn:example:x'/></query>",
            "<ping xmlns='urn:xmpp:ping'/>",
            "<time xmlns='urn:xmpp:time'/>",
        ] {
            same_for_all(server, "iq", |alice, to| {
                for kind in ["get", "set"] {
                    alice.send(&format!("<iq type='{kind}' to='{to}' id='q'>{payload}</iq>"));
                    alice.send(&format!("<iq type='{kind}' to='{to}/desk' id='f'>{payload}</iq>"));
                }
                alice.settle(to)
            });
        }
    });
}

#[test]
fn a_disabled_account_looks_like_one_that_does_not_exist() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut carol = online(server, "carol", "desk");
        subscribe(&mut alice, &mut carol);
        server.control().run("user disable", serde_json::json!({ "jid": "carol@localhost" }));
        alice.wait_for("<presence type='unavailable' from='carol@localhost/desk'");
        let mut ask = |to: &str| {
            alice.send(&format!("<presence type='probe' to='{to}'/>"));
            alice.send(&format!("<message to='{to}' type='chat' id='m'><body>x</body></message>"));
            alice.send(&format!("<iq type='get' to='{to}' id='q'><query xmlns='jabber:iq:version'/></iq>"));
            alice.send(&format!("<iq type='get' to='{to}/desk' id='f'><query xmlns='jabber:iq:version'/></iq>"));
            alice.settle(to).iter().map(|seen| seen.replace(to, "*")).collect::<Vec<_>>()
        };
        let disabled = ask("carol@localhost");
        let nobody = ask("nobody@localhost");
        let without_probe = |answers: &[String]| -> Vec<String> {
            answers.iter().filter(|text| !text.starts_with("<presence")).cloned().collect()
        };
        assert_eq!(without_probe(&disabled), without_probe(&nobody));
    });
}

#[test]
fn floods_of_roster_changes_and_subscriptions_are_done_one_after_another() {
    on_both_stores_with("limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"", |server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        for round in 0..100 {
            alice.send_roster_set("s", &format!("<item jid='c{}@b.example' name='{round}'/>", round % 7));
            let verb = ["subscribe", "unsubscribe"][round % 2];
            alice.send(&format!("<presence type='{verb}' to='bob@localhost'/>"));
            bob.send(&format!("<presence type='{}' to='alice@localhost'/>", ["unsubscribed", "subscribed"][round % 2]));
            bob.send(&format!("<presence><status>{round}</status></presence>"));
        }
        alice.settle("bob@localhost");
        bob.settle("alice@localhost");
        pass(&mut [&mut alice, &mut bob]);
        pass(&mut [&mut alice, &mut bob]);
        // However they met: what one sees is what the other shows.
        for verb in ["unsubscribe", "unsubscribed"] {
            say(&mut alice, verb, "bob@localhost");
            say(&mut bob, verb, "alice@localhost");
        }
        pass(&mut [&mut alice, &mut bob]);
        pass(&mut [&mut alice, &mut bob]);
        assert_eq!(alice.roster().items["bob@localhost"].to_string(), "bob@localhost none");
        assert_eq!(bob.roster().line("alice@localhost").as_deref(), Some("alice@localhost none"));
        let names: Vec<_> = alice.roster().items.values().filter_map(|item| item.name.clone()).collect();
        assert_eq!(names, ["98", "99", "93", "94", "95", "96", "97"]);
    });
}

#[test]
fn directed_presence_goes_to_a_bounded_number_of_addresses() {
    on_both_stores_with("limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"", |server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        alice.send("<presence to='bob@localhost/desk'/>");
        bob.expect("<presence from='alice@localhost/phone'");
        let mut refused = None;
        for number in 0..5000 {
            alice.send(&format!("<presence to='nobody{number}@localhost' id='{number}'/>"));
            if number % 500 == 499 {
                refused = alice.settle("nobody@localhost").first().cloned();
            }
            if refused.is_some() {
                break;
            }
        }
        let refused = refused.expect("an address too many");
        assert!(refused.fits("<presence type='error'><resource-constraint"), "{refused}");
        // Whoever was told before is told of the end, and nobody else has lost anything.
        alice.so_far();
        alice.drop_connection();
        bob.expect("<presence type='unavailable' from='alice@localhost/phone'");
        bob.expect_nothing_before_ping();
    });
}
