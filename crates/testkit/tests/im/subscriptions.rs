//! Section 3: managing presence subscriptions, with the tables of Appendix A over the wire.

use metronome_testkit::{Client, Push, Seen, Setup, on_both_stores};

use crate::{befriend, interested, online, online_at, pass, quiet, say, subscribe, without_availability};

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

/// The states of alice towards bob as Appendix A.1 names them, and how they come about: who says what.
const STATES: [(&str, &[(&str, &str)]); 9] = [
    ("None", &[]),
    ("None + Pending Out", &[(ALICE, "subscribe")]),
    ("None + Pending In", &[(BOB, "subscribe")]),
    ("None + Pending Out+In", &[(ALICE, "subscribe"), (BOB, "subscribe")]),
    ("To", &[(ALICE, "subscribe"), (BOB, "subscribed")]),
    ("To + Pending In", &[(ALICE, "subscribe"), (BOB, "subscribed"), (BOB, "subscribe")]),
    ("From", &[(BOB, "subscribe"), (ALICE, "subscribed")]),
    ("From + Pending Out", &[(BOB, "subscribe"), (ALICE, "subscribed"), (ALICE, "subscribe")]),
    ("Both", &[(BOB, "subscribe"), (ALICE, "subscribed"), (ALICE, "subscribe"), (BOB, "subscribed")]),
];

/// What alice's stanza does in each of the states: whether bob's clients get it (A.2 and A.3 together), and her state afterwards.
type Rows = [(bool, &'static str); 9];

const SUBSCRIBE: Rows = [
    (true, "None + Pending Out"),
    (false, "None + Pending Out"),
    (true, "None + Pending Out+In"),
    (false, "None + Pending Out+In"),
    (false, "To"),
    (false, "To + Pending In"),
    (true, "From + Pending Out"),
    (false, "From + Pending Out"),
    (false, "Both"),
];

const UNSUBSCRIBE: Rows = [
    (false, "None"),
    (true, "None"),
    (false, "None + Pending In"),
    (true, "None + Pending In"),
    (true, "None"),
    (true, "None + Pending In"),
    (false, "From"),
    (true, "From"),
    (true, "From"),
];

/// Where nobody has asked it is an approval in advance (section 3.4).
const SUBSCRIBED: Rows = [
    (false, "None, approved"),
    (false, "None + Pending Out, approved"),
    (true, "From"),
    (true, "From + Pending Out"),
    (false, "To, approved"),
    (true, "Both"),
    (false, "From"),
    (false, "From + Pending Out"),
    (false, "Both"),
];

const UNSUBSCRIBED: Rows = [
    (false, "None"),
    (false, "None + Pending Out"),
    (true, "None"),
    (true, "None + Pending Out"),
    (false, "To"),
    (true, "To"),
    (true, "None"),
    (true, "None + Pending Out"),
    (true, "To"),
];

/// The same seen by the other one.
fn mirrored(state: &str) -> &str {
    match state.trim_end_matches(", approved") {
        "None + Pending Out" => "None + Pending In",
        "None + Pending In" => "None + Pending Out",
        "To" => "From",
        "To + Pending In" => "From + Pending Out",
        "From" => "To",
        "From + Pending Out" => "To + Pending In",
        same => same,
    }
}

/// What a client sees of a state in its roster, which has the contact if its owner has ever said that it should.
fn shown(state: &str, contact: &str, is_listed: bool) -> Option<String> {
    let subscription = state.split([' ', ',']).next().unwrap().to_lowercase();
    let ask = if state.contains("Out") { " ask" } else { "" };
    let approved = if state.ends_with("approved") { " approved" } else { "" };
    is_listed.then(|| format!("{contact} {subscription}{ask}{approved}"))
}

/// Alice and bob, both available and interested.
struct Pair {
    alice: Client,
    bob: Client,
}

impl Pair {
    fn say(&mut self, who: &str, verb: &str) -> Vec<Seen> {
        match who {
            ALICE => say(&mut self.alice, verb, BOB),
            _ => say(&mut self.bob, verb, ALICE),
        }
    }

    /// Nothing connects them any more, and neither is in the other's roster.
    fn part(&mut self) {
        for verb in ["unsubscribe", "unsubscribed"] {
            self.say(ALICE, verb);
            self.say(BOB, verb);
        }
        self.alice.send_roster_set("part", &format!("<item jid='{BOB}' subscription='remove'/>"));
        self.bob.send_roster_set("part", &format!("<item jid='{ALICE}' subscription='remove'/>"));
        pass(&mut [&mut self.alice, &mut self.bob]);
        pass(&mut [&mut self.alice, &mut self.bob]);
        assert!(self.alice.roster().items.is_empty() && self.bob.roster().items.is_empty());
    }

    /// Alice says `verb` in one of the states.
    fn check(&mut self, verb: &str, (state, history): (&str, &[(&str, &str)]), (delivered, after): (bool, &str)) {
        let context = format!("alice says {verb} in the state {state}");
        self.part();
        for (who, earlier) in history {
            self.say(who, earlier);
        }
        pass(&mut [&mut self.alice, &mut self.bob]);
        let has_listed = |who: &str| {
            history.iter().any(|(other, verb)| *other == who && matches!(*verb, "subscribe" | "subscribed"))
        };
        let before = [self.alice.roster().line(BOB), self.bob.roster().line(ALICE)];
        assert_eq!(before[0], shown(state, BOB, has_listed(ALICE)), "before {context}");
        assert_eq!(before[1], shown(mirrored(state), ALICE, has_listed(BOB)), "before {context}");

        self.alice.send(&format!("<presence type='{verb}' to='{BOB}' id='v'><status>{verb}</status></presence>"));
        let to_alice = without_availability(self.alice.settle(BOB));
        let to_bob = without_availability(self.bob.so_far());

        let is_listed = has_listed(ALICE) || matches!(verb, "subscribe" | "subscribed");
        let now = [shown(after, BOB, is_listed), shown(mirrored(after), ALICE, has_listed(BOB))];
        assert_eq!(self.alice.roster().line(BOB), now[0], "after {context}");
        assert_eq!(self.bob.roster().line(ALICE), now[1], "after {context}");
        // Pushes tell each of them what has changed in its roster, and nothing else; bob gets the stanza first.
        let mut expected = Vec::new();
        if delivered {
            expected.push(format!("<presence from='{ALICE}' to='{BOB}' type='{verb}' id='v'><status>{verb}</status>"));
        }
        let push =
            |line: &Option<String>| line.clone().map(|_| "<iq type='set'><query xmlns='jabber:iq:roster'".to_owned());
        expected.extend(push(&now[1]).filter(|_| before[1] != now[1]));
        let fits =
            to_bob.len() == expected.len() && to_bob.iter().zip(&expected).all(|(seen, pattern)| seen.fits(pattern));
        assert!(fits, "{context}\n expected {expected:#?}\n bob got {to_bob:#?}");
        let pushes: Vec<_> = to_alice.iter().map(|seen| Push::read(seen).map(|push| push.item.to_string())).collect();
        let expected: Vec<_> = (before[0] != now[0]).then(|| now[0].clone()).into_iter().collect();
        assert_eq!(pushes, expected, "{context}: {to_alice:?}");
        let pushed: Vec<_> = to_bob.iter().filter_map(Push::read).map(|push| push.item.to_string()).collect();
        let expected: Vec<_> = (before[1] != now[1]).then(|| now[1].clone()).flatten().into_iter().collect();
        assert_eq!(pushed, expected, "{context}");
    }
}

fn check_all(verb: &str, rows: Rows) {
    on_both_stores(|server| {
        let mut pair = Pair { alice: online(server, "alice", "phone"), bob: online(server, "bob", "desk") };
        for (state, row) in STATES.into_iter().zip(rows) {
            pair.check(verb, state, row);
        }
    });
}

#[test]
fn appendix_a_subscribe_in_every_state() {
    check_all("subscribe", SUBSCRIBE);
}

#[test]
fn appendix_a_unsubscribe_in_every_state() {
    check_all("unsubscribe", UNSUBSCRIBE);
}

#[test]
fn appendix_a_subscribed_in_every_state() {
    check_all("subscribed", SUBSCRIBED);
}

#[test]
fn appendix_a_unsubscribed_in_every_state() {
    check_all("unsubscribed", UNSUBSCRIBED);
}

#[test]
fn section_3_1_2_a_request_comes_from_the_account_with_its_payload_and_is_pushed_as_pending() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        let mut bob = online(server, "bob", "desk");
        // Whatever the client claims, and whichever resource it names.
        phone.send(
            "<presence type='subscribe' from='alice@localhost/phone' to='bob@localhost/desk' id='s1' xml:lang='en'>\
             <status>It is me, alice</status><nick xmlns='http://jabber.org/protocol/nick'>Al</nick></presence>",
        );
        let seen = bob.expect("<presence type='subscribe' from='alice@localhost' to='bob@localhost' id='s1'>");
        assert!(seen.contains("<status>It is me, alice</status>") && seen.contains(">Al</nick>"), "{seen}");
        for alice in [&mut phone, &mut desk] {
            assert_eq!(alice.expect_push().item.to_string(), "bob@localhost none ask");
            assert_eq!(alice.roster().lines(), ["bob@localhost none ask"]);
        }
        // Who is asked does not see it in the roster.
        assert!(bob.roster().items.is_empty());
        quiet(&mut [&mut phone, &mut desk, &mut bob]);
    });
}

#[test]
fn section_3_1_2_asking_a_listed_contact_keeps_its_name_and_groups() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        alice.set_item("<item jid='bob@localhost' name='Bob'><group>A</group></item>");
        let pushes: Vec<_> = say(&mut alice, "subscribe", BOB).iter().filter_map(Push::read).collect();
        assert_eq!(pushes[0].item.to_string(), "bob@localhost none ask 'Bob' [A]");
        say(&mut bob, "subscribed", ALICE);
        assert_eq!(lines_after_all(&mut alice), ["bob@localhost to 'Bob' [A]"]);
    });
}

#[test]
fn section_3_1_3_a_request_waits_for_everyone_who_becomes_available() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        alice.send("<presence type='subscribe' to='bob@localhost' id='s1'><status>please</status></presence>");
        alice.settle(BOB);
        pass(&mut [&mut alice]);
        let request =
            "<presence type='subscribe' from='alice@localhost' to='bob@localhost' id='s1'><status>please</status>";
        // Being connected is not enough, a priority below zero is.
        let mut bob = interested(server, "bob", "phone");
        bob.expect_nothing_before_ping();
        bob.send("<presence><priority>-1</priority></presence>");
        bob.expect_so_far(&["<presence from='bob@localhost/phone'", request]);
        // Once for each time that a resource becomes available.
        bob.send("<presence><show>away</show></presence>");
        bob.expect_so_far(&["<presence from='bob@localhost/phone'"]);
        bob.send("<presence type='unavailable'/>");
        bob.expect_nothing_before_ping();
        bob.send("<presence/>");
        bob.expect_so_far(&["<presence from='bob@localhost/phone'", request]);
        let mut desk = Client::login(server, "bob", "desk");
        desk.send("<presence/>");
        desk.expect_so_far(&["<presence from='bob@localhost/desk'", "<presence from='bob@localhost/phone'", request]);
        bob.expect_so_far(&["<presence from='bob@localhost/desk'"]);
        // An approval ends it.
        say(&mut bob, "subscribed", ALICE);
        let mut car = Client::login(server, "bob", "car");
        car.send("<presence/>");
        let came = car.so_far();
        assert!(!came.iter().any(|seen| seen.fits("<presence type='subscribe'")), "{came:?}");
    });
}

#[test]
fn section_3_1_3_a_request_that_was_denied_or_taken_back_does_not_come_again() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut carol = online(server, "carol", "phone");
        say(&mut alice, "subscribe", BOB);
        say(&mut carol, "subscribe", BOB);
        say(&mut carol, "unsubscribe", BOB);
        let mut bob = interested(server, "bob", "phone");
        bob.send("<presence/>");
        bob.expect_so_far(&[
            "<presence from='bob@localhost/phone'",
            "<presence type='subscribe' from='alice@localhost'",
        ]);
        say(&mut bob, "unsubscribed", ALICE);
        let mut desk = interested(server, "bob", "desk");
        desk.send("<presence/>");
        desk.expect_so_far(&["<presence from='bob@localhost/phone'", "<presence from='bob@localhost/desk'"]);
    });
}

#[test]
fn section_3_1_3_asking_again_is_one_request() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        for number in 0..5 {
            alice.send(&format!("<presence type='subscribe' to='bob@localhost' id='s{number}'/>"));
        }
        alice.settle(BOB);
        let mut bob = online_came(server, "bob");
        bob.1.retain(|seen| seen.fits("<presence type='subscribe' from='alice@localhost'"));
        assert_eq!(bob.1.len(), 1, "{:?}", bob.1);
        say(&mut alice, "subscribe", BOB);
        bob.0.expect_nothing_before_ping();
    });
}

#[test]
fn section_3_1_3_a_request_waits_through_a_crash_and_a_restart() {
    let mut server = Setup::default().start();
    let mut alice = online(&server, "alice", "phone");
    alice.send(
        "<presence type='subscribe' to='bob@localhost' id='s1' xml:lang='de'><status>bitte &amp; danke</status>\
         <nick xmlns='http://jabber.org/protocol/nick'>Al</nick></presence>",
    );
    alice.settle(BOB);
    let (_, first) = online_came(&server, "bob");
    let request = first.iter().find(|seen| seen.fits("<presence type='subscribe'")).unwrap().clone();
    assert!(request.contains("<status>bitte &amp; danke</status>") && request.contains(">Al</nick>"), "{request}");
    server.crash();
    assert!(online_came(&server, "bob").1.contains(&request), "as it came the first time");
    server.restart();
    let (mut bob, came) = online_came(&server, "bob");
    assert!(came.contains(&request), "{came:?}");
    say(&mut bob, "subscribed", ALICE);
    server.crash();
    let (mut bob, came) = online_came(&server, "bob");
    assert!(!came.iter().any(|seen| seen.fits("<presence type='subscribe'")), "{came:?}");
    assert_eq!(bob.roster().lines(), ["alice@localhost from"]);
    assert_eq!(Client::login(&server, "alice", "phone").roster().lines(), ["bob@localhost to"]);
}

#[test]
fn section_3_1_5_and_3_1_6_an_approval_is_delivered_then_pushed_then_the_contact_is_seen() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob_desk = online(server, "bob", "desk");
        let mut bob_phone = online_at(server, "bob", "phone", -3);
        let mut bob_connected = interested(server, "bob", "connected");
        say(&mut alice, "subscribe", BOB);
        pass(&mut [&mut alice, &mut bob_desk, &mut bob_phone, &mut bob_connected]);
        bob_desk.send("<presence type='subscribed' to='alice@localhost' from='bob@localhost/desk' id='ok'/>");
        alice.expect("<presence type='subscribed' from='bob@localhost' to='alice@localhost' id='ok'");
        assert_eq!(alice.expect_push().item.to_string(), "bob@localhost to");
        alice.expect_all(&[
            "<presence from='bob@localhost/desk'",
            "<presence from='bob@localhost/phone'><priority>-3</priority>",
        ]);
        for bob in [&mut bob_desk, &mut bob_phone, &mut bob_connected] {
            assert_eq!(bob.expect_push().item.to_string(), "alice@localhost from");
        }
        quiet(&mut [&mut alice, &mut bob_desk, &mut bob_phone, &mut bob_connected]);
        // From now on alice sees bob, and bob does not see alice.
        bob_desk.send("<presence><show>dnd</show></presence>");
        alice.expect("<presence from='bob@localhost/desk'><show>dnd</show>");
        alice.send("<presence><show>away</show></presence>");
        alice.expect("<presence from='alice@localhost/phone'><show>away</show>");
        pass(&mut [&mut bob_desk]);
        quiet(&mut [&mut bob_connected]);
    });
}

#[test]
fn section_3_1_6_an_approval_meets_who_is_interested_and_waits_in_the_roster_for_the_others() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        say(&mut alice, "subscribe", BOB);
        alice.close();
        let mut interested = interested(server, "alice", "interested");
        let mut connected = Client::login(server, "alice", "connected");
        say(&mut bob, "subscribed", ALICE);
        let came = without_availability(interested.so_far());
        assert_eq!(
            came.iter().filter_map(Push::read).map(|push| push.item.to_string()).collect::<Vec<_>>(),
            ["bob@localhost to"]
        );
        // Whoever is not available is not shown anybody.
        quiet(&mut [&mut connected, &mut interested]);
        connected.send("<presence/>");
        connected.expect_so_far(&["<presence from='alice@localhost/connected'", "<presence from='bob@localhost/desk'"]);
    });
}

#[test]
fn section_3_1_1_both_may_ask_in_either_order() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        assert_eq!(alice.roster().lines(), ["bob@localhost both"]);
        assert_eq!(bob.roster().lines(), ["alice@localhost both"]);
        // Crossed: both have asked before one has answered.
        let mut carol = online(server, "carol", "desk");
        say(&mut alice, "subscribe", "carol@localhost");
        say(&mut carol, "subscribe", ALICE);
        say(&mut carol, "subscribed", ALICE);
        say(&mut alice, "subscribed", "carol@localhost");
        pass(&mut [&mut alice, &mut carol, &mut bob]);
        assert_eq!(alice.roster().lines(), ["bob@localhost both", "carol@localhost both"]);
        assert_eq!(carol.roster().lines(), ["alice@localhost both"]);
        alice.send("<presence><show>xa</show></presence>");
        for friend in [&mut bob, &mut carol] {
            friend.expect("<presence from='alice@localhost/phone'><show>xa</show>");
        }
    });
}

#[test]
fn section_3_2_cancelling_hides_every_resource_and_tells_the_contact() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut desk = online(server, "bob", "desk");
        let mut phone = online(server, "bob", "phone");
        befriend(&mut alice, &mut desk);
        pass(&mut [&mut phone]);
        desk.send("<presence type='unsubscribed' to='alice@localhost' id='no'/>");
        // The resources go while the subscription still stands, then it ends (section 3.2.2).
        alice.expect_all(&[
            "<presence type='unavailable' from='bob@localhost/desk'",
            "<presence type='unavailable' from='bob@localhost/phone'",
        ]);
        alice.expect("<presence type='unsubscribed' from='bob@localhost' to='alice@localhost' id='no'");
        assert_eq!(alice.expect_push().item.to_string(), "bob@localhost from");
        for bob in [&mut desk, &mut phone] {
            assert_eq!(bob.expect_push().item.to_string(), "alice@localhost to");
        }
        desk.send("<presence><show>dnd</show></presence>");
        desk.send("<presence type='unavailable'/>");
        desk.so_far();
        alice.expect_nothing_before_ping();
        // The other direction is as it was.
        phone.so_far();
        alice.send("<presence><show>away</show></presence>");
        phone.expect("<presence from='alice@localhost/phone'><show>away</show>");
    });
}

#[test]
fn section_3_2_denying_a_request_tells_who_has_asked() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        say(&mut alice, "subscribe", BOB);
        pass(&mut [&mut alice, &mut bob]);
        say(&mut bob, "unsubscribed", ALICE);
        alice.expect("<presence type='unsubscribed' from='bob@localhost' to='alice@localhost'");
        assert_eq!(alice.expect_push().item.to_string(), "bob@localhost none");
        assert!(bob.roster().items.is_empty());
        quiet(&mut [&mut alice, &mut bob]);
        // She may ask again.
        say(&mut alice, "subscribe", BOB);
        bob.expect("<presence type='subscribe' from='alice@localhost'");
    });
}

#[test]
fn section_3_2_who_is_away_finds_the_end_in_the_roster() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        alice.close();
        pass(&mut [&mut bob]);
        say(&mut bob, "unsubscribed", ALICE);
        say(&mut bob, "unsubscribe", ALICE);
        let (mut alice, came) = crate::online_with(server, "alice", "phone", "<presence/>");
        assert!(!came.iter().any(|seen| seen.contains("from='bob@localhost/")), "{came:?}");
        assert_eq!(alice.roster().lines(), ["bob@localhost none"]);
        pass(&mut [&mut bob]);
        bob.send("<presence><show>dnd</show></presence>");
        bob.so_far();
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_3_3_unsubscribing_tells_the_contact_and_hides_it() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut phone, &mut bob);
        pass(&mut [&mut desk]);
        phone.send("<presence type='unsubscribe' to='bob@localhost' id='bye'/>");
        let came = without_availability(phone.settle(BOB));
        let pushes: Vec<_> = came.iter().filter_map(Push::read).map(|push| push.item.to_string()).collect();
        assert_eq!((pushes, came.len()), (vec!["bob@localhost from".to_owned()], 1));
        assert_eq!(desk.expect_push().item.to_string(), "bob@localhost from");
        bob.expect("<presence type='unsubscribe' from='alice@localhost' to='bob@localhost' id='bye'");
        assert_eq!(bob.expect_push().item.to_string(), "alice@localhost to");
        bob.send("<presence><show>dnd</show></presence>");
        bob.so_far();
        quiet(&mut [&mut phone, &mut desk]);
        phone.send("<presence><show>away</show></presence>");
        bob.expect("<presence from='alice@localhost/phone'><show>away</show>");
    });
}

#[test]
fn section_3_3_3_the_contact_becomes_unavailable_for_who_unsubscribes() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut desk = online(server, "bob", "desk");
        let mut phone = online(server, "bob", "phone");
        subscribe(&mut alice, &mut desk);
        pass(&mut [&mut phone]);
        alice.send("<presence type='unsubscribe' to='bob@localhost'/>");
        let came = alice.settle(BOB);
        for resource in ["desk", "phone"] {
            let pattern = format!("<presence type='unavailable' from='bob@localhost/{resource}'");
            assert_eq!(came.iter().filter(|seen| seen.fits(&pattern)).count(), 1, "{came:?}");
        }
        assert_eq!(came.len(), 3, "and a push: {came:?}");
    });
}

#[test]
fn section_3_4_an_approval_in_advance_is_pushed_and_answers_the_request() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = interested(server, "alice", "desk");
        let mut bob = online(server, "bob", "desk");
        say(&mut phone, "subscribed", BOB);
        bob.expect_nothing_before_ping();
        let mut pushed = Vec::new();
        for alice in [&mut phone, &mut desk] {
            pushed.extend(alice.so_far().iter().filter_map(Push::read).map(|push| push.item.to_string()));
            assert_eq!(alice.roster().lines(), ["bob@localhost none approved"]);
        }
        assert!(pushed.contains(&"bob@localhost none approved".to_owned()), "{pushed:?}");
        // Saying it again changes nothing.
        say(&mut phone, "subscribed", BOB);
        quiet(&mut [&mut phone, &mut desk, &mut bob]);
        bob.send("<presence type='subscribe' to='alice@localhost'/>");
        // The answer, the push and alice's presence, in this order.
        let came = bob.settle(ALICE);
        let at = |pattern: &str| came.iter().position(|seen| seen.fits(pattern));
        let approved = at("<presence type='subscribed' from='alice@localhost' to='bob@localhost'");
        let pushed = at("<iq type='set'><query xmlns='jabber:iq:roster'");
        assert!(approved.is_some() && at("<presence from='alice@localhost/phone'") > approved, "{came:?}");
        assert!(pushed.is_some(), "{came:?}");
        assert_eq!(bob.roster().lines(), ["alice@localhost to"]);
        for alice in [&mut phone, &mut desk] {
            assert_eq!(alice.expect_push().item.to_string(), "bob@localhost from");
        }
        quiet(&mut [&mut phone, &mut desk, &mut bob]);
        phone.send("<presence><show>away</show></presence>");
        bob.expect("<presence from='alice@localhost/phone'><show>away</show>");
    });
}

#[test]
fn section_3_4_an_approval_in_advance_works_for_who_is_away_and_through_a_restart() {
    let mut server = Setup::default().start();
    let mut alice = online(&server, "alice", "phone");
    alice.set_item("<item jid='bob@localhost' name='Bob'/>");
    say(&mut alice, "subscribed", BOB);
    server.crash();
    assert_eq!(interested(&server, "alice", "phone").roster().lines(), ["bob@localhost none approved 'Bob'"]);
    let mut bob = online(&server, "bob", "desk");
    bob.send("<presence type='subscribe' to='alice@localhost'/>");
    let came = without_availability(bob.settle(ALICE));
    assert!(came.iter().any(|seen| seen.fits("<presence type='subscribed' from='alice@localhost'")), "{came:?}");
    assert_eq!(bob.roster().lines(), ["alice@localhost to"]);
    server.restart();
    let (mut alice, came) = online_came(&server, "alice");
    assert!(!came.iter().any(|seen| seen.fits("<presence type='subscribe'")), "{came:?}");
    assert_eq!(alice.roster().lines(), ["bob@localhost from 'Bob'"]);
}

#[test]
fn section_3_4_an_approval_in_advance_can_be_taken_back() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        alice.set_item("<item jid='bob@localhost'/>");
        say(&mut alice, "subscribed", BOB);
        pass(&mut [&mut alice]);
        let came = say(&mut alice, "unsubscribed", BOB);
        let pushes: Vec<_> = came.iter().filter_map(Push::read).map(|push| push.item.to_string()).collect();
        assert_eq!((pushes, came.len()), (vec!["bob@localhost none".to_owned()], 1));
        bob.expect_nothing_before_ping();
        say(&mut bob, "subscribe", ALICE);
        alice.expect("<presence type='subscribe' from='bob@localhost'");
        assert_eq!(alice.roster().lines(), ["bob@localhost none"]);
    });
}

#[test]
fn section_3_contacts_of_another_domain_of_the_same_server_are_contacts_like_all() {
    let server = Setup::default().domain("second.example").account("dave@second.example").start();
    let mut alice = online(&server, "alice", "phone");
    let mut dave = server.dial().domain("second.example").direct();
    dave.log_in("dave", "desk");
    dave.roster();
    dave.send("<presence/>");
    dave.so_far();
    befriend(&mut alice, &mut dave);
    assert_eq!(alice.roster().lines(), ["dave@second.example both"]);
    assert_eq!(dave.roster().lines(), ["alice@localhost both"]);
    alice.send("<presence><show>away</show></presence>");
    dave.expect("<presence from='alice@localhost/phone'><show>away</show>");
    alice.so_far();
    dave.drop_connection();
    alice.expect("<presence type='unavailable' from='dave@second.example/desk'");
}

#[test]
fn section_3_an_account_that_is_deleted_leaves_no_subscription_behind() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        befriend(&mut alice, &mut bob);
        subscribe(&mut carol, &mut alice);
        pass(&mut [&mut alice, &mut bob, &mut carol]);
        server.control().run("user delete", serde_json::json!({ "jid": ALICE }));
        bob.wait_for("<presence type='unavailable' from='alice@localhost/phone'");
        carol.wait_for("<presence type='unavailable' from='alice@localhost/phone'");
        // Whatever is under way to them has come when the server has answered what they ask now.
        bob.settle("carol@localhost");
        assert_eq!(lines_after_all(&mut bob), ["alice@localhost none"]);
        assert_eq!(lines_after_all(&mut carol), ["alice@localhost none"]);
        // Who gets the name next is a stranger.
        server.control().add_user("alice@localhost");
        let (mut alice, came) = online_came(server, "alice");
        assert_eq!(came.len(), 1, "{came:?}");
        assert!(alice.roster().items.is_empty());
        quiet(&mut [&mut bob, &mut carol]);
        bob.send("<presence><show>dnd</show></presence>");
        bob.so_far();
        alice.expect_nothing_before_ping();
    });
}

/// A session of this account that has just become available, and what it was given then.
fn online_came(server: &metronome_testkit::Server, name: &str) -> (Client, Vec<Seen>) {
    crate::online_with(server, name, "new", "<presence/>")
}

/// The roster once everything that was under way has come.
fn lines_after_all(client: &mut Client) -> Vec<String> {
    client.so_far();
    client.roster().lines()
}
