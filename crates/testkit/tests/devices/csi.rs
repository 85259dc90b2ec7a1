//! XEP-0352: Client State Indication.

use metronome_testkit::{Client, Sasl, Server, on_both_stores, on_both_stores_with};

const INACTIVE: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";
const ACTIVE: &str = "<active xmlns='urn:xmpp:csi:0'/>";
const STATE: &str = "<message to='bob@localhost/phone' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>";

/// Alice, and bob whose phone nobody looks at. The server has heard so: it answers in order.
fn inactive(server: &Server) -> (Client, Client) {
    let (mut alice, mut bob) = (Client::login(server, "alice", "phone"), Client::login(server, "bob", "phone"));
    bob.available();
    bob.so_far();
    bob.send(INACTIVE);
    bob.expect_nothing_before_ping();
    alice.settle("bob@localhost");
    (alice, bob)
}

/// Presence that is settled when this returns.
fn show(alice: &mut Client, status: &str) {
    alice.send(&format!("<presence to='bob@localhost/phone'><status>{status}</status></presence>"));
    alice.settle("bob@localhost");
}

// XEP-0352 example 1
#[test]
fn the_feature_is_announced_once_the_client_has_logged_in() {
    on_both_stores(|server| {
        let mut client = Client::direct_tls(server);
        let features = client.open();
        assert!(!features.contains("<csi "), "{features}");
        assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
        let features = client.open();
        assert!(features.contains("<csi xmlns='urn:xmpp:csi:0'/>"), "{features}");
    });
}

// XEP-0352 example 2
// XEP-0352 example 3
#[test]
fn presence_and_chat_states_wait_for_a_message() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = inactive(server);
        show(&mut alice, "1");
        alice.send(STATE);
        show(&mut alice, "2");
        alice.send("<message to='bob@localhost' type='chat'><body>look!</body></message>");
        bob.expect("<presence from='alice@localhost/phone'><status>2</status>");
        bob.expect("<message from='alice@localhost/phone'><body>look!</body>");
        // It waits again: of two only the last has come when somebody looks.
        show(&mut alice, "3");
        show(&mut alice, "4");
        bob.send(ACTIVE);
        bob.expect("<presence from='alice@localhost/phone'><status>4</status>");
        alice.send(STATE);
        bob.expect("<message from='alice@localhost/phone'><composing");
    });
}

/// Section 5.1.
// XEP-0352 example 4
#[test]
fn what_waited_comes_before_the_answer_to_what_was_asked_behind_active() {
    on_both_stores(|server| {
        let (mut alice, mut bob) = inactive(server);
        for round in 0..20 {
            show(&mut alice, &format!("{round}"));
            bob.send(&format!(
                "{ACTIVE}<iq type='get' to='localhost' id='p{round}'><ping xmlns='urn:xmpp:ping'/></iq>{INACTIVE}"
            ));
            bob.expect(&format!("<presence from='alice@localhost/phone'><status>{round}</status>"));
            bob.expect(&format!("<iq type='result' id='p{round}'"));
        }
    });
}

#[test]
fn a_new_stream_is_active() {
    on_both_stores(|server| {
        let (mut alice, bob) = inactive(server);
        bob.close();
        let mut bob = Client::login(server, "bob", "phone");
        bob.available();
        bob.so_far();
        show(&mut alice, "1");
        bob.expect("<presence from='alice@localhost/phone'><status>1</status>");
    });
}

#[test]
fn the_administrator_sets_what_waits() {
    on_both_stores_with("[csi]\nchat_states = \"send\"\nheld = 2", |server| {
        let (mut alice, mut bob) = inactive(server);
        alice.send(STATE);
        bob.expect("<message from='alice@localhost/phone'><composing");
        show(&mut alice, "1");
        alice.send("<message to='bob@localhost/phone' type='groupchat'><body>one more</body></message>");
        bob.expect("<presence from='alice@localhost/phone'><status>1</status>");
        bob.expect("<message type='groupchat'><body>one more</body>");
    });
}

#[test]
fn what_is_no_state_ends_the_stream() {
    on_both_stores(|server| {
        for strange in ["<asleep xmlns='urn:xmpp:csi:0'/>", "<inactive xmlns='urn:xmpp:csi:1'/>", "<active/>"] {
            let mut client = Client::login(server, "carol", "phone");
            client.send(strange);
            client.expect_stream_error("unsupported-stanza-type");
        }
    });
}
