//! XEP-0191: the blocklist, its changes, and who is told of them.

use metronome_testkit::{Client, Server, on_both_stores};

use crate::{ask, block, blocklist, condition, set, unblock};

// XEP-0191 example 1
// XEP-0191 example 2
// XEP-0016 example 52
// XEP-0016 example 53
// XEP-0377 example 1
#[test]
fn the_server_and_the_account_announce_it() {
    let server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    for to in ["localhost", "alice@localhost"] {
        let info = ask(&mut alice, "get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
        for feature in ["urn:xmpp:blocking", "jabber:iq:privacy", "urn:xmpp:reporting:1"] {
            assert!(info.contains(&format!("var='{feature}'")), "{feature}: {info}");
        }
    }
}

// XEP-0191 example 3
// XEP-0191 example 4
// XEP-0191 example 5
// XEP-0191 example 6
// XEP-0191 example 7
// XEP-0191 example 10
// XEP-0191 example 11
// XEP-0191 example 13
// XEP-0191 example 14
#[test]
fn addresses_are_blocked_listed_and_unblocked() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        assert!(blocklist(&mut alice).is_empty());
        set(&mut alice, &block(&["Romeo@Montague.net", "iago@shakespeare.lit"]));
        set(&mut alice, &block(&["tybalt@example.com/x", "iago@shakespeare.lit"]));
        // Newest first, each once.
        let all = ["tybalt@example.com/x", "iago@shakespeare.lit", "romeo@montague.net"];
        assert_eq!(blocklist(&mut alice), all);
        set(&mut alice, &unblock(&["romeo@montague.net", "nobody@example.com"]));
        assert_eq!(blocklist(&mut alice), all[..2]);
        set(&mut alice, &unblock(&[]));
        assert!(blocklist(&mut alice).is_empty());
        set(&mut alice, &unblock(&[]));
        // The own account may be addressed as well, another may not.
        let bare = ask(&mut alice, "get", "alice@localhost", "<blocklist xmlns='urn:xmpp:blocking'/>");
        assert!(bare.fits("<iq type='result'"), "{bare}");
    });
}

#[test]
fn a_block_without_an_address_is_none() {
    let server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    for (payload, expected) in [
        (block(&[]), "bad-request"),
        ("<block xmlns='urn:xmpp:blocking'><item/></block>".to_owned(), "bad-request"),
        ("<block xmlns='urn:xmpp:blocking'><other/></block>".to_owned(), "bad-request"),
        (block(&["a@"]), "jid-malformed"),
        (unblock(&["@b"]), "jid-malformed"),
    ] {
        assert_eq!(condition(&ask(&mut alice, "set", "", &payload)), expected, "{payload}");
    }
    assert!(blocklist(&mut alice).is_empty());
}

// XEP-0191 example 8
// XEP-0191 example 12
// XEP-0191 example 15
#[test]
fn sessions_that_have_asked_for_the_list_are_told_of_changes() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        let mut desk = Client::login(server, "alice", "desk");
        let mut quiet = Client::login(server, "alice", "quiet");
        blocklist(&mut phone);
        blocklist(&mut desk);
        for (id, payload, pushed) in [
            (
                "b1",
                block(&["bob@localhost", "eve@localhost"]),
                "<item jid='bob@localhost'/><item jid='eve@localhost'/>",
            ),
            (
                "u1",
                unblock(&["bob@localhost"]),
                "<unblock xmlns='urn:xmpp:blocking'><item jid='bob@localhost'/></unblock>",
            ),
            ("u2", unblock(&[]), "<unblock xmlns='urn:xmpp:blocking'/>"),
        ] {
            phone.send(&format!("<iq type='set' id='{id}'>{payload}</iq>"));
            phone.expect(&format!("<iq type='result' id='{id}'"));
            for client in [&mut phone, &mut desk] {
                let push = client.expect("<iq type='set' from='alice@localhost'");
                assert_eq!(push.attribute("to").as_deref(), Some(client.jid()));
                assert!(push.contains(pushed), "{push}");
                client.send(&format!("<iq type='result' id='{}'/>", push.attribute("id").unwrap()));
            }
        }
        for client in [&mut phone, &mut desk, &mut quiet] {
            client.expect_nothing_before_ping();
        }
    });
}

#[test]
fn the_blocklist_outlives_a_crash() {
    let mut server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    set(&mut alice, &block(&["bob@localhost"]));
    server.crash();
    let mut alice = Client::login(&server, "alice", "phone");
    assert_eq!(blocklist(&mut alice), ["bob@localhost"]);
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<message to='alice@localhost/phone' type='chat' id='m'><body>hi</body></message>");
    assert_eq!(condition(&bob.expect("<message type='error' id='m'")), "service-unavailable");
    alice.expect_nothing_before_ping();
}
