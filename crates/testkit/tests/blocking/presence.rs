//! Who sees whom when somebody is blocked and unblocked: the blocked see somebody who is away (XEP-0191 sections 3.3 and 3.4, XEP-0016
//! sections 2.10 and 2.11).

use metronome_testkit::{Client, Server, on_both_stores};

use crate::{among, befriend, block, online, privacy, set, set_list, unblock};

const GONE_ALICE: &str = "<presence from='alice@localhost/phone' type='unavailable'";

#[test]
fn the_blocked_see_us_leave_and_come_back() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        befriend(&mut alice, &mut bob);
        let came = set(&mut alice, &block(&["bob@localhost", "carol@localhost"]));
        among(&came, "<presence from='bob@localhost/desk' type='unavailable'");
        bob.expect_so_far(&[GONE_ALICE]);
        // Carol had never seen her.
        carol.expect_nothing_before_ping();
        // Nothing of either shows while the block lasts, however they come, go and ask.
        alice.send("<presence><show>dnd</show></presence>");
        alice.so_far();
        bob.send("<presence><show>away</show></presence>");
        bob.send("<presence to='alice@localhost' type='probe'/>");
        bob.settle("alice@localhost");
        bob.expect_so_far(&[]);
        let mut again = Client::login(server, "bob", "again");
        again.send("<presence/>");
        assert!(again.so_far().iter().all(|seen| !seen.contains("alice@localhost")));
        alice.expect_nothing_before_ping();
        again.close();
        bob.so_far();
        let came = set(&mut alice, &unblock(&["bob@localhost"]));
        let seen = bob.expect("<presence from='alice@localhost/phone'");
        assert!(seen.contains("<show>dnd</show>"), "{seen}");
        among(&came, "<presence from='bob@localhost/desk'><show>away</show>");
        set(&mut alice, &block(&["bob@localhost"]));
        alice.so_far();
        bob.expect_so_far(&[GONE_ALICE]);
        // A goodbye would tell that she was there.
        alice.close();
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_block_holds_for_sessions_that_come_later() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        set(&mut alice, &block(&["bob@localhost"]));
        alice.close();
        bob.so_far();
        let mut alice = Client::login(server, "alice", "phone");
        alice.send("<presence/>");
        assert!(alice.so_far().iter().all(|seen| !seen.contains("bob@localhost")));
        bob.expect_nothing_before_ping();
        let came = set(&mut alice, &unblock(&[]));
        bob.expect("<presence from='alice@localhost/phone'");
        among(&came, "<presence from='bob@localhost/desk'");
    });
}

#[test]
fn directed_presence_is_taken_back_by_a_block() {
    let server = Server::start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    alice.send("<presence to='bob@localhost/desk'/>");
    bob.expect("<presence from='alice@localhost/phone'");
    bob.send("<presence to='alice@localhost/phone'/>");
    alice.expect("<presence from='bob@localhost/desk'");
    let came = set(&mut alice, &block(&["bob@localhost"]));
    among(&came, "<presence from='bob@localhost/desk' type='unavailable'");
    bob.expect(GONE_ALICE);
    bob.send("<presence to='alice@localhost'/>");
    bob.send("<presence to='alice@localhost/phone'/>");
    bob.settle("alice@localhost");
    alice.expect_nothing_before_ping();
    alice.close();
    bob.expect_nothing_before_ping();
}

#[test]
fn presence_can_be_kept_back_in_one_direction() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        let item = |kind: &str| {
            format!("<item type='jid' value='bob@localhost' action='deny' order='1'><presence-{kind}/></item>")
        };
        set_list(&mut alice, "invisible", &item("out"));
        set(&mut alice, &privacy("<active name='invisible'/>"));
        bob.expect_so_far(&[GONE_ALICE]);
        bob.send("<presence><show>away</show></presence>");
        bob.so_far();
        let seen = alice.wait_for("<presence from='bob@localhost/desk'");
        assert!(seen.contains("away"), "{seen}");
        // Whoever is not seen is still written to.
        bob.send("<message to='alice@localhost' type='chat'><body>there?</body></message>");
        alice.wait_for("<message from='bob@localhost/desk'");
        let came = set_list(&mut alice, "invisible", &item("in"));
        bob.expect("<presence from='alice@localhost/phone'");
        among(&came, "<presence from='bob@localhost/desk' type='unavailable'");
        let came = set(&mut alice, &privacy("<active/>"));
        among(&came, "<presence from='bob@localhost/desk'><show>away</show>");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_list_of_one_session_hides_that_session_only() {
    let server = Server::start();
    let mut phone = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    befriend(&mut phone, &mut bob);
    let mut desk = online(&server, "alice", "desk");
    bob.so_far();
    phone.so_far();
    set_list(&mut phone, "hidden", "<item action='deny' order='1'><presence-out/></item>");
    set(&mut phone, &privacy("<active name='hidden'/>"));
    bob.expect_so_far(&[GONE_ALICE]);
    desk.send("<presence><show>dnd</show></presence>");
    bob.expect("<presence from='alice@localhost/desk'");
    // Its own sessions see it all the same.
    phone.send("<presence><show>xa</show></presence>");
    desk.wait_for("<presence from='alice@localhost/phone'");
    bob.expect_nothing_before_ping();
    // The list is chosen for as long as the session lasts.
    phone.close();
    bob.expect_nothing_before_ping();
    let _phone = online(&server, "alice", "phone");
    bob.expect("<presence from='alice@localhost/phone'");
}

#[test]
fn subscriptions_of_the_blocked_begin_nothing_and_end_on_both_sides() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "desk");
        alice.roster();
        befriend(&mut alice, &mut bob);
        set(&mut alice, &block(&["bob@localhost", "carol@localhost"]));
        alice.so_far();
        carol.send("<presence type='subscribe' to='alice@localhost'/>");
        carol.settle("alice@localhost");
        alice.expect_nothing_before_ping();
        assert_eq!(carol.roster().line("alice@localhost").as_deref(), Some("alice@localhost none ask"));
        bob.send("<presence type='unsubscribe' to='alice@localhost'/>");
        bob.settle("alice@localhost");
        let came = alice.so_far();
        assert!(came.iter().all(|seen| seen.name() != "presence"), "{came:?}");
        assert_eq!(alice.roster().line("bob@localhost").as_deref(), Some("bob@localhost to"));
        // Nobody asks again once the block is gone.
        set(&mut alice, &unblock(&[]));
        let mut desk = Client::login(server, "alice", "desk");
        desk.send("<presence/>");
        assert!(desk.so_far().iter().all(|seen| !seen.contains("subscribe")));
    });
}
