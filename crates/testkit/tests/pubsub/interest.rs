//! XEP-0163 section 4.3: clients say in their capabilities what they want to hear of, and hear of it.

use metronome_testkit::{Client, Server, ask, online};

use crate::{publish_options, server, set};

const MOOD: &str = "urn:xmpp:mood";
/// What these clients tell of themselves, and its hash.
const TOLD: &str = "<identity category='client' type='pc'/><feature var='urn:xmpp:mood+notify'/>\
    <feature var='urn:xmpp:avatar:metadata+notify'/>";
const HASH: &str = "IZLpgEG5sAVLgJYfN6qA26sxVCo=";

fn mood(item: &str) -> String {
    format!("<publish node='{MOOD}'><item id='{item}'><mood xmlns='{MOOD}'><happy/></mood></item></publish>")
}

fn caps() -> String {
    format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:app' ver='{HASH}'/>")
}

/// Comes online with these capabilities, and tells what they are if it is asked.
fn comes(server: &Server, name: &str, resource: &str, first: bool) -> Client {
    let mut client = Client::login(server, name, resource);
    client.send(&format!("<presence>{}</presence>", caps()));
    client.wait_for(&format!("<presence from='{name}@localhost/{resource}'"));
    if first {
        tells(&mut client, TOLD);
    }
    client
}

/// Answers the question what it can do.
fn tells(client: &mut Client, told: &str) {
    let asked = client.wait_for("<iq type='get' from='localhost'");
    client.send(&format!(
        "<iq type='result' to='localhost' id='{}'><query xmlns='http://jabber.org/protocol/disco#info'>{told}</query></iq>",
        asked.attribute("id").unwrap()
    ));
}

#[track_caller]
fn befriend(one: &mut Client, other: &mut Client) {
    let (me, them) = (one.bare().to_owned(), other.bare().to_owned());
    one.send(&format!("<presence to='{them}' type='subscribe'/>"));
    other.wait_for("<presence type='subscribe'");
    other.send(&format!("<presence to='{me}' type='subscribed'/><presence to='{me}' type='subscribe'/>"));
    one.wait_for("<presence type='subscribe'");
    one.send(&format!("<presence to='{them}' type='subscribed'/>"));
    other.wait_for("<presence type='subscribed'");
    other.so_far();
    one.so_far();
}

// XEP-0163 example 1
// XEP-0163 example 2
// XEP-0163 example 3
// XEP-0163 example 4
// XEP-0163 example 5
// XEP-0163 example 6
#[test]
fn contacts_and_own_devices_hear_of_what_their_clients_ask_for() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = comes(&server, "bob", "desk", true);
    befriend(&mut bob, &mut alice);
    let mut own = comes(&server, "alice", "desk", false);
    let mut other = online(&server, "bob", "phone");
    other.so_far();
    bob.so_far();
    alice.so_far();
    set(&mut alice, "", &mood("one"));
    for (client, to) in [(&mut bob, "bob@localhost/desk"), (&mut own, "alice@localhost/desk")] {
        let event = client.wait_for(&format!("<message from='alice@localhost' type='headline' to='{to}'>"));
        assert!(event.contains("<item id='one'") && event.contains("<happy/>"), "{event}");
        assert!(event.contains("<address type='replyto' jid='alice@localhost/phone'/>"), "{event}");
    }
    other.expect_nothing_before_ping();
    alice.expect_nothing_before_ping();
}

// XEP-0163 example 7
// XEP-0163 example 8
// XEP-0163 example 9
#[test]
fn who_comes_is_told_what_was_published_before_once() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, "", &mood("one"));
    let mut desk = comes(&server, "alice", "desk", true);
    let event = desk.wait_for("<message from='alice@localhost'");
    assert!(event.contains("<item id='one'"), "{event}");
    desk.send(&format!("<presence><show>away</show>{}</presence>", caps()));
    desk.wait_for("<presence from='alice@localhost/desk'");
    desk.so_far();
    desk.expect_nothing_before_ping();
}

// XEP-0163 section 4.3.4, of what a client begins to want while it is there.
#[test]
fn who_asks_for_more_is_told_what_there_is_of_that() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, "", &mood("one"));
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:app' ver='bm90aGluZw=='/></presence>");
    tells(&mut desk, "<identity category='client' type='pc'/>");
    desk.so_far();
    desk.expect_nothing_before_ping();
    desk.send(&format!("<presence>{}</presence>", caps()));
    tells(&mut desk, TOLD);
    let event = desk.wait_for("<message from='alice@localhost'");
    assert!(event.contains("<item id='one'"), "{event}");
    desk.so_far();
    desk.expect_nothing_before_ping();
}

/// What only the owner may read nobody else hears of.
#[test]
fn a_node_that_only_its_owner_reads_tells_nobody_else() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = comes(&server, "bob", "desk", true);
    befriend(&mut bob, &mut alice);
    let private = publish_options(&[("pubsub#access_model", "whitelist")]);
    set(&mut alice, "", &format!("{}{private}", mood("secret")));
    let mut desk = comes(&server, "alice", "desk", false);
    assert!(desk.wait_for("<message from='alice@localhost'").contains("<item id='secret'"));
    bob.so_far();
    bob.expect_nothing_before_ping();
}

// XEP-0163 example 10
// XEP-0163 example 11
#[test]
fn an_account_says_that_it_has_nodes() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "alice@localhost", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("<identity category='account' type='registered'/>"), "{info}");
    assert!(info.contains("<identity category='pubsub' type='pep'/>"), "{info}");
    for feature in [
        "access-presence",
        "auto-create",
        "auto-subscribe",
        "config-node",
        "create-and-configure",
        "create-nodes",
        "filtered-notifications",
        "persistent-items",
        "publish",
        "retrieve-items",
        "subscribe",
    ] {
        assert!(
            info.contains(&format!("<feature var='http://jabber.org/protocol/pubsub#{feature}'/>")),
            "{feature}: {info}"
        );
    }
}

// XEP-0312 section 2, for who is subscribed by presence.
#[test]
fn who_says_how_long_it_was_away_is_told_all_of_what_its_client_asks_for() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    for id in ["one", "two", "one"] {
        set(&mut alice, "", &mood(id));
    }
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send(&format!("<presence><ago xmlns='urn:xmpp:ago:0' secs='60'/>{}</presence>", caps()));
    tells(&mut desk, TOLD);
    for id in ["two", "one"] {
        let event = desk.wait_for("<message from='alice@localhost'");
        assert!(event.contains(&format!("<item id='{id}'")) && event.contains("<delay "), "{event}");
    }
    desk.so_far();
    desk.expect_nothing_before_ping();
}
