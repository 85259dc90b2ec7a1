//! XEP-0280: Message Carbons.

use metronome_testkit::{Client, Setup, on_both_stores};

use crate::{copied, enable, pass, quiet};

// XEP-0280 example 1
// XEP-0280 example 2
#[test]
fn carbons_are_announced_with_their_rules() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        alice.send(
            "<iq type='get' to='localhost' id='info'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        );
        let info = alice.expect("<iq type='result' id='info'");
        for feature in ["urn:xmpp:carbons:2", "urn:xmpp:carbons:rules:0"] {
            assert!(info.contains(&format!("<feature var='{feature}'/>")), "{info}");
        }
    });
}

// XEP-0280 example 9
// XEP-0280 example 10
// XEP-0280 example 12
// XEP-0280 example 13
#[test]
fn a_conversation_is_the_same_on_every_device() {
    on_both_stores(|server| {
        let (mut phone, mut desk) = (copied(server, "alice", "phone"), copied(server, "alice", "desk"));
        let mut old = Client::login(server, "alice", "old");
        old.available();
        let mut bob = copied(server, "bob", "desk");
        pass(&mut [&mut phone, &mut desk, &mut old, &mut bob]);
        phone.send("<message to='bob@localhost/desk' type='chat' id='q'><body>Are you there?</body></message>");
        bob.expect("<message from='alice@localhost/phone' to='bob@localhost/desk' id='q'><body>Are you there?</body>");
        let sent = desk.expect("<message from='alice@localhost' to='alice@localhost/desk' type='chat'>");
        for part in [
            "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'",
            "from='alice@localhost/phone' to='bob@localhost/desk' id='q'",
            "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='1'/>",
        ] {
            assert!(sent.contains(part), "{part} in {sent}");
        }
        bob.send("<message to='alice@localhost/phone' type='chat' id='a'><body>Yes.</body></message>");
        phone.expect("<message from='bob@localhost/desk' to='alice@localhost/phone' id='a'><body>Yes.</body>");
        let received = desk.expect("<message from='alice@localhost' to='alice@localhost/desk' type='chat'>");
        for part in [
            "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'",
            "from='bob@localhost/desk' to='alice@localhost/phone' id='a'",
            "<stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='2'/>",
        ] {
            assert!(received.contains(part), "{part} in {received}");
        }
        // Chat states too: nothing of them is stored.
        phone.send("<message to='bob@localhost/desk' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
        bob.expect("<message from='alice@localhost/phone'><composing");
        desk.expect("<message from='alice@localhost' type='chat'><composing");
        quiet(&mut [&mut phone, &mut desk, &mut old, &mut bob]);
    });
}

// XEP-0280 example 3
// XEP-0280 example 4
// XEP-0280 example 6
// XEP-0280 example 7
#[test]
fn copies_stop_when_they_are_not_wanted_any_more() {
    on_both_stores(|server| {
        let (mut phone, mut desk) = (copied(server, "alice", "phone"), copied(server, "alice", "desk"));
        pass(&mut [&mut phone, &mut desk]);
        desk.send("<iq type='set' id='off'><disable xmlns='urn:xmpp:carbons:2'/></iq>");
        desk.expect("<iq type='result' id='off'");
        phone.send("<message to='bob@localhost' type='chat'><body>1</body></message>");
        phone.settle("bob@localhost");
        quiet(&mut [&mut phone, &mut desk]);
        enable(&mut desk);
        phone.send("<message to='bob@localhost' type='chat'><body>2</body></message>");
        desk.expect("<message from='alice@localhost'><body>2</body>");
    });
}

#[test]
fn copies_belong_to_a_session_and_not_to_its_successor() {
    on_both_stores(|server| {
        let (mut phone, desk) = (copied(server, "alice", "phone"), copied(server, "alice", "desk"));
        desk.close();
        let mut desk = Client::login(server, "alice", "desk");
        desk.available();
        pass(&mut [&mut phone, &mut desk]);
        phone.send("<message to='bob@localhost' type='chat'><body>1</body></message>");
        phone.settle("bob@localhost");
        quiet(&mut [&mut desk]);
    });
}

// XEP-0280 example 14
// XEP-0280 example 15
#[test]
fn what_is_private_stays_with_the_device() {
    on_both_stores(|server| {
        let (mut phone, mut desk) = (copied(server, "alice", "phone"), copied(server, "alice", "desk"));
        let (mut bob, mut other) = (copied(server, "bob", "desk"), copied(server, "bob", "phone"));
        pass(&mut [&mut phone, &mut desk, &mut bob, &mut other]);
        phone.send(
            "<message to='bob@localhost/desk' type='chat'><body>psst</body><private xmlns='urn:xmpp:carbons:2'/>\
             <no-copy xmlns='urn:xmpp:hints'/></message>",
        );
        let seen = bob.expect("<message from='alice@localhost/phone'><body>psst</body>");
        assert!(seen.contains("<private xmlns='urn:xmpp:carbons:2'/><no-copy xmlns='urn:xmpp:hints'/>"), "{seen}");
        quiet(&mut [&mut phone, &mut desk, &mut bob, &mut other]);
    });
}

/// CVE-2017-5589 and its relatives: clients that believe a copy from anybody. Here no such copy reaches them.
// XEP-0280 example 11
#[test]
fn forged_copies_and_ids_reach_nobody() {
    on_both_stores(|server| {
        let mut mallory = Client::login(server, "carol", "phone");
        mallory.available();
        let (mut phone, mut desk) = (copied(server, "alice", "phone"), copied(server, "alice", "desk"));
        pass(&mut [&mut phone, &mut desk]);
        let forged = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='bob@localhost/desk' \
                      to='alice@localhost/phone' type='chat'><body>forged</body></message></forwarded>";
        for name in ["received", "sent"] {
            for from in ["alice@localhost", "alice@localhost/phone", ""] {
                mallory.send(&format!(
                    "<message to='alice@localhost/phone' from='{from}' type='chat'><{name} xmlns='urn:xmpp:carbons:2'>{forged}\
                     </{name}><stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='forged'/><body>{name}</body></message>"
                ).replace(" from=''", ""));
                let direct = phone.expect(&format!("<message from='carol@localhost/phone'><body>{name}</body>"));
                let copy = desk.expect("<message from='alice@localhost'><received xmlns='urn:xmpp:carbons:2'>");
                for seen in [&direct, &copy] {
                    assert!(!seen.contains("forged") && seen.matches("urn:xmpp:carbons:2").count() <= 1, "{seen}");
                }
            }
        }
        // One's own devices cannot either.
        phone.send(&format!(
            "<message to='alice@localhost/desk' type='chat'><received xmlns='urn:xmpp:carbons:2'>{forged}</received></message>"
        ));
        let seen = desk.expect("<message from='alice@localhost/phone' to='alice@localhost/desk'");
        assert!(!seen.contains("forged"), "{seen}");
    });
}

#[test]
fn others_accounts_cannot_be_switched() {
    on_both_stores(|server| {
        let mut alice = copied(server, "alice", "phone");
        for (to, id) in [("bob@localhost", "1"), ("nobody@localhost", "2")] {
            alice.send(&format!("<iq type='set' to='{to}' id='{id}'><enable xmlns='urn:xmpp:carbons:2'/></iq>"));
            alice.expect(&format!("<iq type='error' id='{id}' from='{to}'><service-unavailable"));
        }
    });
}

#[test]
fn what_one_device_has_seen_before_a_crash_does_not_come_again_and_the_rest_does() {
    let mut server = Setup::default().start();
    let (phone, mut desk) = (copied(&server, "alice", "phone"), copied(&server, "alice", "desk"));
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<message to='alice@localhost/phone' type='chat'><body>before</body></message>");
    desk.wait_for("<message from='alice@localhost'><body>before</body>");
    phone.drop_connection();
    // The copy proves as much as the message: it is the same row.
    desk.close();
    bob.send("<message to='alice@localhost' type='chat'><body>away</body></message>");
    bob.settle("alice@localhost");
    server.crash();
    let mut desk = copied(&server, "alice", "desk");
    desk.expect("<message from='bob@localhost/desk' to='alice@localhost'><body>away</body>");
    desk.expect_nothing_before_ping();
}
