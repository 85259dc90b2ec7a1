//! Section 2: managing the roster.

use std::collections::HashSet;

use metronome_testkit::{Client, Push, Roster, Sasl, Setup, on_both_stores};

use crate::{befriend, interested, online, pass, quiet, say, subscribe};

/// Brings a cached roster up to date as a client does: with the whole roster, or with the pushes that follow an empty result.
fn synchronise(client: &mut Client, cached: &mut Roster) -> Vec<Push> {
    let since = cached.ver.clone().unwrap();
    if let Some(whole) = client.roster_since(&since) {
        *cached = whole;
        return Vec::new();
    }
    let pushes: Vec<Push> = client.so_far().iter().map(|seen| Push::read(seen).unwrap()).collect();
    pushes.iter().for_each(|push| cached.take(push));
    pushes
}

#[test]
fn section_2_1_4_a_new_account_has_an_empty_roster() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for to in ["", "to='alice@localhost'"] {
            alice.send(&format!("<iq type='get' id='r' {to}><query xmlns='jabber:iq:roster'/></iq>"));
            let result =
                alice.expect("<iq type='result' id='r' to='alice@localhost/phone'><query xmlns='jabber:iq:roster'");
            assert!(!result.contains("<item"), "{result}");
            assert!(result.attribute("from").is_none_or(|from| from == "alice@localhost"), "{result}");
        }
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_2_1_4_the_roster_is_nobody_elses_to_see() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        alice.set_item("<item jid='carol@localhost' name='Carol'/>");
        let mut bob = online(server, "bob", "desk");
        let mut ask = |to: &str| {
            bob.send(&format!("<iq type='get' id='r' to='{to}'><query xmlns='jabber:iq:roster'/></iq>"));
            bob.expect(&format!("<iq type='error' id='r' from='{to}'")).replace(to, "*")
        };
        let stranger = ask("alice@localhost");
        assert_eq!(stranger, ask("nobody@localhost"), "the answer does not tell whether the account exists");
        assert!(!stranger.contains("carol"), "{stranger}");
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_2_2_pushes_go_to_those_who_have_asked_for_the_roster() {
    on_both_stores(|server| {
        let mut connected = interested(server, "alice", "connected");
        let mut available = Client::login(server, "alice", "available");
        available.send("<presence/>");
        let mut both = online(server, "alice", "both");
        let mut neither = Client::login(server, "alice", "neither");
        pass(&mut [&mut connected, &mut available, &mut both]);
        neither.send_roster_set("s", "<item jid='bob@localhost'/>");
        neither.expect("<iq type='result' id='s'");
        assert_eq!(connected.expect_push().item.to_string(), "bob@localhost none");
        assert_eq!(both.expect_push().item.to_string(), "bob@localhost none");
        quiet(&mut [&mut neither, &mut available, &mut connected, &mut both]);
    });
}

#[test]
fn section_2_3_2_adding_a_contact_pushes_to_interested_resources() {
    on_both_stores(|server| {
        let mut phone = interested(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        let mut bob = online(server, "bob", "desk");
        phone.send_roster_set(
            "ph1",
            "<item jid='bob@localhost' name='Bob &amp; co'><group>Friends</group><group>Chess &lt;club&gt;</group></item>",
        );
        let found = phone.expect_all(&[
            "<iq type='result' id='ph1' to='alice@localhost/phone'",
            "<iq type='set' to='alice@localhost/phone'",
        ]);
        assert!(!found[0].contains("<query"), "{}", found[0]);
        let line = "bob@localhost none 'Bob & co' [Chess <club>, Friends]";
        assert_eq!(Push::read(&found[1]).unwrap().item.to_string(), line);
        assert_eq!(desk.expect_push().item.to_string(), line);
        for alice in [&mut phone, &mut desk] {
            assert_eq!(alice.roster().lines(), [line]);
        }
        // A contact does not hear of it.
        quiet(&mut [&mut bob, &mut phone, &mut desk]);
    });
}

#[test]
fn section_2_3_2_pushes_have_ids_of_their_own_and_need_no_answer() {
    on_both_stores(|server| {
        let mut alice = interested(server, "alice", "phone");
        let mut ids = HashSet::new();
        for number in 0..20 {
            alice.send_roster_set("s", &format!("<item jid='{number}@contacts.example'/>"));
            let found = alice.expect_all(&["<iq type='result' id='s'", "<iq type='set'"]);
            let push = Push::read(&found[1]).unwrap();
            assert!(ids.insert(push.id.clone()), "{} again", push.id);
            match number % 3 {
                0 => alice.send(&format!(
                    "<iq type='error' id='{}'><error type='cancel'>\
                     <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
                    push.id
                )),
                1 => alice.send(&format!("<iq type='result' id='{}'/>", push.id)),
                _ => {}
            }
        }
        assert_eq!(alice.roster().items.len(), 20);
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_2_4_an_item_becomes_exactly_what_was_set() {
    on_both_stores(|server| {
        let mut alice = interested(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        for (item, line) in [
            ("<item jid='bob@localhost' name='Bob'><group>A</group></item>", "bob@localhost none 'Bob' [A]"),
            // A group more, another, none.
            (
                "<item jid='bob@localhost' name='Bob'><group>A</group><group>B</group></item>",
                "bob@localhost none 'Bob' [A, B]",
            ),
            ("<item jid='bob@localhost' name='Bob'><group>C</group></item>", "bob@localhost none 'Bob' [C]"),
            ("<item jid='bob@localhost' name='Bob'/>", "bob@localhost none 'Bob'"),
            // Another name, none.
            ("<item jid='bob@localhost' name='Bobby'/>", "bob@localhost none 'Bobby'"),
            ("<item jid='bob@localhost'/>", "bob@localhost none"),
        ] {
            assert_eq!(alice.set_item(item).item.to_string(), line);
            assert_eq!(alice.roster().lines(), [line]);
        }
        // What the two are to each other stays.
        subscribe(&mut alice, &mut bob);
        assert_eq!(alice.set_item("<item jid='bob@localhost' name='B'/>").item.to_string(), "bob@localhost to 'B'");
        say(&mut bob, "subscribe", "alice@localhost");
        pass(&mut [&mut bob, &mut alice]);
        assert_eq!(
            bob.set_item("<item jid='alice@localhost' name='A'/>").item.to_string(),
            "alice@localhost from ask 'A'"
        );
        quiet(&mut [&mut bob, &mut alice]);
    });
}

#[test]
fn section_2_4_2_a_set_that_changes_nothing_is_confirmed_and_pushed_too() {
    on_both_stores(|server| {
        let mut alice = interested(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        let mut versions = HashSet::new();
        for _ in 0..3 {
            let push = alice.set_item("<item jid='bob@localhost' name='Bob'><group>A</group></item>");
            assert_eq!(push.item.to_string(), "bob@localhost none 'Bob' [A]");
            assert_eq!(desk.expect_push().ver, push.ver);
            assert!(versions.insert(push.ver), "section 2.6.3: each push has a version of its own");
        }
        assert_eq!(alice.roster().lines(), ["bob@localhost none 'Bob' [A]"]);
        quiet(&mut [&mut alice, &mut desk]);
    });
}

#[test]
fn section_2_1_5_a_set_cannot_claim_a_subscription() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        for claim in ["both", "to", "from", "none", "nonsense", ""] {
            let item = format!(
                "<item jid='bob@localhost' name='{claim}.' subscription='{claim}' ask='subscribe' approved='true'/>"
            );
            assert_eq!(alice.set_item(&item).item.to_string(), format!("bob@localhost none '{claim}.'"));
        }
        assert_eq!(alice.roster().lines(), ["bob@localhost none '.'"]);
        // And not lose one either.
        befriend(&mut alice, &mut bob);
        assert_eq!(
            alice.set_item("<item jid='bob@localhost' name='Bob' subscription='none'/>").item.to_string(),
            "bob@localhost both 'Bob'"
        );
        quiet(&mut [&mut bob, &mut alice]);
    });
}

#[test]
fn section_2_5_2_removing_a_contact_that_nothing_connects_is_told_to_nobody_else() {
    on_both_stores(|server| {
        let mut phone = interested(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        let mut bob = online(server, "bob", "desk");
        phone.set_item("<item jid='bob@localhost' name='Bob'><group>A</group></item>");
        desk.expect_push();
        let push = phone.set_item("<item jid='bob@localhost' subscription='remove'/>");
        assert_eq!(push.item.to_string(), "bob@localhost remove");
        assert_eq!(desk.expect_push().item.to_string(), "bob@localhost remove");
        assert!(phone.roster().items.is_empty());
        phone.settle("bob@localhost");
        quiet(&mut [&mut bob, &mut phone, &mut desk]);
    });
}

#[test]
fn section_2_5_2_removing_a_contact_ends_the_subscriptions_to_and_from_it() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let item = "<item jid='bob@localhost' subscription='remove'/>";
        let remove = |alice: &mut Client| {
            alice.send_roster_set("set", item);
            alice.settle("bob@localhost")
        };
        let push = |line: &str| format!("<iq type='set'><query xmlns='jabber:iq:roster'{line}");

        // To: the contact is unsubscribed from.
        subscribe(&mut alice, &mut bob);
        let told = remove(&mut alice);
        assert!(
            told.iter().any(|seen| seen.fits("<presence type='unavailable' from='bob@localhost/desk'")),
            "{told:?}"
        );
        let came = bob.so_far();
        let [unsubscribe, push_to_bob] = &came[..] else { panic!("{came:?}") };
        assert!(unsubscribe.fits("<presence type='unsubscribe' from='alice@localhost' to='bob@localhost'"), "{came:?}");
        assert_eq!(Push::read(push_to_bob).unwrap().item.to_string(), "alice@localhost none");

        // From: the contact's subscription is cancelled.
        subscribe(&mut bob, &mut alice);
        remove(&mut alice);
        bob.expect_so_far(&[
            "<presence type='unavailable' from='alice@localhost/phone'",
            "<presence type='unsubscribed' from='alice@localhost' to='bob@localhost'",
            &push(""),
        ]);
        assert_eq!(bob.roster().lines(), ["alice@localhost none"]);

        // Both.
        befriend(&mut alice, &mut bob);
        let told = remove(&mut alice);
        assert!(told.iter().any(|seen| seen.fits("<iq type='result' id='set'")), "{told:?}");
        assert!(told.iter().any(|seen| seen.contains("subscription='remove'")), "{told:?}");
        let came = bob.so_far();
        for kind in ["unsubscribe", "unsubscribed"] {
            let pattern = format!("<presence type='{kind}' from='alice@localhost' to='bob@localhost'");
            assert_eq!(came.iter().filter(|seen| seen.fits(&pattern)).count(), 1, "{came:?}");
        }
        assert!(
            came.iter().any(|seen| seen.fits("<presence type='unavailable' from='alice@localhost/phone'")),
            "{came:?}"
        );
        assert_eq!(bob.roster().lines(), ["alice@localhost none"]);
        assert!(alice.roster().items.is_empty());
        // Nothing connects them any more.
        alice.send("<presence><show>away</show></presence>");
        bob.send("<presence><show>away</show></presence>");
        alice.expect_so_far(&["<presence from='alice@localhost/phone'"]);
        bob.expect_so_far(&["<presence from='bob@localhost/desk'"]);
    });
}

#[test]
fn section_2_5_2_removing_a_contact_takes_a_request_to_it_back() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        say(&mut alice, "subscribe", "bob@localhost");
        pass(&mut [&mut alice]);
        alice.set_item("<item jid='bob@localhost' subscription='remove'/>");
        let mut bob = interested(server, "bob", "desk");
        bob.send("<presence/>");
        bob.expect_so_far(&["<presence from='bob@localhost/desk'"]);
        // And an approval that comes too late is none.
        say(&mut bob, "subscribed", "alice@localhost");
        alice.expect_nothing_before_ping();
        assert!(alice.roster().items.is_empty());
    });
}

#[test]
fn section_2_5_3_what_is_not_in_the_roster_cannot_be_removed() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        alice.expect_set_refused("<item jid='bob@localhost' subscription='remove'/>", "item-not-found");
        // Somebody who has only asked is not in it either, and the question stays.
        let mut bob = online(server, "bob", "desk");
        say(&mut bob, "subscribe", "alice@localhost");
        alice.expect_so_far(&["<presence type='subscribe' from='bob@localhost'"]);
        alice.expect_set_refused("<item jid='bob@localhost' subscription='remove'/>", "item-not-found");
        let mut desk = Client::login(server, "alice", "desk");
        desk.send("<presence/>");
        let came = desk.so_far();
        assert!(came.iter().any(|seen| seen.fits("<presence type='subscribe' from='bob@localhost'")), "{came:?}");
        alice.so_far();
        alice.set_item("<item jid='bob@localhost'/>");
    });
}

#[test]
fn section_2_6_1_versions_and_approvals_in_advance_are_offered_after_the_login() {
    on_both_stores(|server| {
        let mut alice = Client::direct_tls(server);
        let before = alice.open();
        assert!(!before.contains("rosterver") && !before.contains("pre-approval"), "{before}");
        assert!(alice.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
        let after = alice.open();
        assert!(after.contains("<ver xmlns='urn:xmpp:features:rosterver'"), "{after}");
        assert!(after.contains("<sub xmlns='urn:xmpp:features:pre-approval'"), "{after}");
    });
}

#[test]
fn section_2_6_2_an_empty_version_asks_for_the_whole_roster_with_its_version() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let empty = alice.roster_since("").expect("the whole roster, empty as it is");
        assert!(empty.ver.is_some() && empty.items.is_empty(), "{empty:?}");
        let pushed = alice.set_item("<item jid='bob@localhost'/>").ver;
        assert!(pushed.is_some() && pushed != empty.ver);
        let whole = alice.roster_since("").expect("the whole roster");
        assert_eq!((&whole.ver, whole.lines()), (&pushed, vec!["bob@localhost none".to_owned()]));
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_2_6_3_who_knows_the_newest_version_is_told_nothing() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let empty = alice.roster_since("").unwrap().ver.unwrap();
        assert_eq!(alice.roster_since(&empty), None);
        let ver = alice.set_item("<item jid='bob@localhost'/>").ver.unwrap();
        let mut desk = Client::login(server, "alice", "desk");
        assert_eq!(desk.roster_since(&ver), None, "nothing has changed");
        desk.expect_nothing_before_ping();
        // It is interested all the same.
        alice.set_item("<item jid='bob@localhost' name='Bob'/>");
        assert_eq!(desk.expect_push().item.to_string(), "bob@localhost none 'Bob'");
        // A change and another back are two changes.
        let now = alice.set_item("<item jid='bob@localhost'/>").ver.unwrap();
        assert_ne!(now, ver);
        assert_eq!(desk.expect_push().ver.as_ref(), Some(&now), "a change has one version for all");
        assert_eq!(desk.roster_since(&now), None);
        quiet(&mut [&mut alice, &mut desk]);
    });
}

#[test]
fn section_2_6_3_interim_pushes_tell_the_last_state_of_each_item_in_the_order_of_the_changes() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        phone.roster_since("");
        for name in ["a", "b", "c", "d", "e"] {
            phone.set_item(&format!("<item jid='{name}@contacts.example'/>"));
        }
        let mut cached = phone.roster_since("").unwrap();
        assert_eq!(cached.items.len(), 5);
        let changes = [("b", "one"), ("d", "one"), ("b", "two"), ("f", "new"), ("a", "one"), ("d", "three")];
        let live: Vec<Push> = changes
            .iter()
            .map(|(name, as_name)| phone.set_item(&format!("<item jid='{name}@contacts.example' name='{as_name}'/>")))
            .collect();
        let versions: HashSet<_> = live.iter().map(|push| push.ver.clone().unwrap()).collect();
        assert_eq!(versions.len(), changes.len(), "each push has a version of its own");
        let mut desk = Client::login(server, "alice", "desk");
        let pushes = synchronise(&mut desk, &mut cached);
        let told: Vec<_> = pushes.iter().map(|push| push.item.to_string()).collect();
        assert_eq!(
            told,
            [
                "b@contacts.example none 'two'",
                "f@contacts.example none 'new'",
                "a@contacts.example none 'one'",
                "d@contacts.example none 'three'"
            ]
        );
        let ids: HashSet<_> = pushes.iter().map(|push| &push.id).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(cached, phone.roster_since("").unwrap(), "the cache is what the roster is");
        // Half of them were enough: what came last says how far.
        let mut half = Client::login(server, "alice", "half");
        let mut known = cached.clone();
        known.ver = pushes[1].ver.clone();
        let rest: Vec<_> = synchronise(&mut half, &mut known).iter().map(|push| push.item.jid.clone()).collect();
        assert_eq!(rest, ["a@contacts.example", "d@contacts.example"]);
    });
}

#[test]
fn section_2_6_3_whatever_was_removed_meanwhile_a_cache_becomes_the_roster() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        let mut caches = vec![phone.roster_since("").unwrap()];
        for step in 0..12 {
            let name = ["a", "b", "c"][step % 3];
            let item = match step % 4 {
                3 => format!("<item jid='{name}@contacts.example' subscription='remove'/>"),
                _ => format!("<item jid='{name}@contacts.example' name='{step}'/>"),
            };
            phone.set_item(&item);
            caches.push(phone.roster_since("").unwrap());
        }
        let now = caches.last().unwrap().clone();
        for (age, mut cached) in caches.into_iter().enumerate() {
            let mut desk = Client::login(server, "alice", &format!("desk-{age}"));
            synchronise(&mut desk, &mut cached);
            assert_eq!(cached, now, "a cache of step {age}");
            desk.close();
        }
    });
}

#[test]
fn section_2_6_3_an_unknown_version_gets_the_whole_roster() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        alice.roster_since("");
        alice.set_item("<item jid='bob@localhost'/>");
        for ver in [
            "nonsense",
            "-1",
            "99999999",
            "18446744073709551615",
            "340282366920938463463374607431768211456",
            " ",
            "1.5",
        ] {
            let whole = alice.roster_since(ver);
            assert_eq!(whole.map(|roster| roster.lines()), Some(vec!["bob@localhost none".to_owned()]), "{ver}");
            alice.expect_nothing_before_ping();
        }
    });
}

#[test]
fn section_2_6_a_subscription_is_a_change_and_a_request_that_no_client_sees_is_none() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        alice.roster_since("");
        say(&mut alice, "subscribe", "bob@localhost");
        pass(&mut [&mut alice]);
        let mut cached = alice.roster_since("").unwrap();
        assert_eq!(cached.lines(), ["bob@localhost none ask"]);
        alice.close();
        say(&mut bob, "subscribed", "alice@localhost");
        let mut alice = Client::login(server, "alice", "phone");
        let pushes = synchronise(&mut alice, &mut cached);
        assert!(pushes.len() <= 1, "{pushes:?}");
        assert_eq!(cached.lines(), ["bob@localhost to"]);
        alice.close();
        // Carol asks: alice's clients do not see it in the roster, so the version that they know stays the newest.
        let mut carol = online(server, "carol", "desk");
        say(&mut carol, "subscribe", "alice@localhost");
        let mut alice = Client::login(server, "alice", "phone");
        assert_eq!(alice.roster_since(cached.ver.as_deref().unwrap()), None);
        alice.expect_nothing_before_ping();
        assert_eq!(alice.roster_since("").unwrap().items, cached.items);
    });
}

#[test]
fn section_2_1_2_addresses_are_compared_as_addresses() {
    on_both_stores(|server| {
        let mut alice = interested(server, "alice", "phone");
        alice.set_item("<item jid='BOB@LocalHost' name='one'/>");
        let push = alice.set_item("<item jid='bob@localhost' name='two'/>");
        assert_eq!(push.item.to_string(), "bob@localhost none 'two'");
        assert_eq!(alice.roster().lines(), ["bob@localhost none 'two'"]);
        // A contact may be a whole domain, and may live elsewhere.
        alice.set_item("<item jid='gateway.example'/>");
        alice.set_item("<item jid='dave@elsewhere.example'/>");
        alice.set_item("<item jid='Bob@LOCALHOST' subscription='remove'/>");
        assert_eq!(alice.roster().lines(), ["dave@elsewhere.example none", "gateway.example none"]);
    });
}

#[test]
fn section_2_1_2_an_item_for_a_resource_is_an_item_of_its_own() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        alice.set_item("<item jid='bob@localhost/desk' name='Desk'/>");
        assert_eq!(alice.roster().lines(), ["bob@localhost both", "bob@localhost/desk none 'Desk'"]);
        alice.set_item("<item jid='bob@localhost/desk' subscription='remove'/>");
        alice.settle("bob@localhost");
        assert_eq!(alice.roster().lines(), ["bob@localhost both"]);
        bob.expect_nothing_before_ping();
        bob.send("<presence><show>away</show></presence>");
        alice.expect("<presence from='bob@localhost/desk'><show>away</show>");
        alice.expect_set_refused("<item jid='alice@localhost/desk'/>", "not-allowed");
    });
}

#[test]
fn section_2_3_2_what_was_confirmed_survives_a_crash_with_its_versions() {
    let mut server = Setup::default().start();
    let mut bob = online(&server, "bob", "desk");
    let mut alice = online(&server, "alice", "phone");
    befriend(&mut alice, &mut bob);
    alice.set_item("<item jid='bob@localhost' name='Bob'><group>A</group></item>");
    alice.set_item("<item jid='carol@localhost'/>");
    alice.set_item("<item jid='gone@localhost'/>");
    alice.set_item("<item jid='gone@localhost' subscription='remove'/>");
    let mut cached = alice.roster_since("").unwrap();
    assert_eq!(cached.lines(), ["bob@localhost both 'Bob' [A]", "carol@localhost none"]);
    let mut old = cached.clone();
    alice.set_item("<item jid='carol@localhost' name='Carol'/>");
    server.crash();
    let mut alice = Client::login(&server, "alice", "phone");
    let pushes = synchronise(&mut alice, &mut cached);
    assert_eq!(pushes.len(), 1, "{pushes:?}");
    assert_eq!(cached.lines(), ["bob@localhost both 'Bob' [A]", "carol@localhost none 'Carol'"]);
    // Versions go on where they were: an old one is never taken for a new one.
    let next = alice.set_item("<item jid='dave@localhost'/>").ver;
    assert!(next != cached.ver && next != old.ver);
    server.restart();
    let mut alice = Client::login(&server, "alice", "phone");
    assert_eq!(alice.roster_since(next.as_deref().unwrap()), None);
    synchronise(&mut alice, &mut old);
    assert_eq!(old.lines(), ["bob@localhost both 'Bob' [A]", "carol@localhost none 'Carol'", "dave@localhost none"]);
}

#[test]
fn section_2_changes_of_two_clients_at_once_leave_both_with_the_same_roster() {
    on_both_stores(|server| {
        let mut clients = ["phone", "desk"].map(|resource| {
            let mut client = Client::login(server, "alice", resource);
            let roster = client.roster_since("").unwrap();
            (client, roster)
        });
        for round in 0..20 {
            for (at, (client, _)) in clients.iter_mut().enumerate() {
                let contact = (round + at) % 3;
                client.send_roster_set("s", &format!("<item jid='{contact}@contacts.example' name='{at}-{round}'/>"));
            }
        }
        // The second time everything of the other one is done as well.
        for _ in 0..2 {
            for (client, roster) in &mut clients {
                client.so_far().iter().filter_map(Push::read).for_each(|push| roster.take(&push));
            }
        }
        let [(phone, by_pushes), (_, by_others)] = &mut clients;
        assert_eq!(by_pushes, by_others);
        assert_eq!(phone.roster_since("").as_ref(), Some(&*by_pushes));
    });
}
