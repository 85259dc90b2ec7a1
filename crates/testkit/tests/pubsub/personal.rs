//! XEP-0163: nodes of accounts and of domains: made by publishing, told to whoever wants them and may.

use metronome_testkit::{Backend, Client, Server, Setup, ask, on_both_stores, online};

use crate::{entry, get, publish_options, refused, set};

const MOOD: &str = "http://jabber.org/protocol/mood";

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

fn mood(what: &str) -> String {
    format!("<publish node='{MOOD}'><item><mood xmlns='{MOOD}'><{what}/></mood></item></publish>")
}

/// `viewer` may see the presence of `owner` from now on.
#[track_caller]
pub(crate) fn subscribe(viewer: &mut Client, owner: &mut Client) {
    viewer.send(&format!("<presence to='{}' type='subscribe'/>", owner.bare().to_owned()));
    owner.wait_for("<presence type='subscribe'");
    owner.send(&format!("<presence to='{}' type='subscribed'/>", viewer.bare().to_owned()));
    viewer.wait_for("<presence type='subscribed'");
    viewer.so_far();
    owner.so_far();
}

/// XEP-0163 section 3: publishing makes the node.
#[test]
fn section_3_what_is_published_to_the_own_account_makes_the_node() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let published = set(&mut alice, "", &mood("happy"));
        assert!(published.contains(&format!("<publish node='{MOOD}'>")), "{published}");
        assert!(get(&mut alice, "alice@localhost", &format!("<items node='{MOOD}'/>")).contains("<happy/>"));
        refused(&mut alice, "get", "", "<items node='nothing'/>", "item-not-found");
    });
}

/// XEP-0163 section 4: whoever sees the presence may read; all others learn nothing, not even whether there is such an account.
#[test]
fn section_4_contacts_read_and_strangers_learn_nothing() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, "", &mood("happy"));
    let items = format!("<items node='{MOOD}'/>");
    for address in ["alice@localhost", "nobody@localhost"] {
        refused(&mut bob, "get", address, &items, "item-not-found");
        refused(&mut bob, "get", address, "<subscriptions/>", "item-not-found");
        refused(&mut bob, "set", address, &format!("<subscribe node='{MOOD}' jid='bob@localhost'/>"), "item-not-found");
        refused(&mut bob, "set", address, &mood("sad"), "item-not-found");
        refused(&mut bob, "set", address, "<create node='mine'/>", "item-not-found");
    }
    subscribe(&mut bob, &mut alice);
    assert!(get(&mut bob, "alice@localhost", &items).contains("<happy/>"));
    refused(&mut bob, "set", "alice@localhost", &mood("sad"), "forbidden");
    alice.send("<presence to='bob@localhost' type='unsubscribed'/>");
    bob.wait_for("<presence type='unsubscribed'");
    refused(&mut bob, "get", "alice@localhost", &items, "item-not-found");
}

/// XEP-0060 section 7.1.5: the node must be as the publisher expects, or nothing is published.
#[test]
fn options_of_a_publication_configure_a_new_node_and_must_hold_for_one_that_is_there() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let publish = |access: &str| {
        let options = publish_options(&[("pubsub#persist_items", "true"), ("pubsub#access_model", access)]);
        format!("<publish node='storage'><item id='current'>{}</item></publish>{options}", entry("kept"))
    };
    set(&mut alice, "", &publish("whitelist"));
    set(&mut alice, "", &publish("whitelist"));
    refused(&mut alice, "set", "", &publish("open"), "conflict precondition-not-met");
    let mut bob = online(&server, "bob", "desk");
    subscribe(&mut bob, &mut alice);
    refused(&mut bob, "get", "alice@localhost", "<items node='storage'/>", "not-allowed closed-node");
}

#[test]
fn items_of_accounts_are_there_after_a_restart() {
    let mut server = Setup::default().start();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, "", &mood("happy"));
    drop(alice);
    server.crash();
    let mut alice = online(&server, "alice", "phone");
    assert!(get(&mut alice, "", &format!("<items node='{MOOD}'/>")).contains("<happy/>"));
}

/// XEP-0163: some nodes keep their last item only; others may be named.
#[test]
fn nodes_of_one_item_keep_the_last_one_only() {
    let server = Setup::default().store(Backend::Memory).options("pubsub.singletons = [\"urn:mine:*\"]").start();
    let mut alice = online(&server, "alice", "phone");
    for what in ["one", "two"] {
        for node in ["urn:mine:x", "urn:other"] {
            set(&mut alice, "", &format!("<publish node='{node}'><item id='{what}'>{}</item></publish>", entry(what)));
        }
    }
    let kept = get(&mut alice, "", "<items node='urn:mine:x'/>");
    assert!(kept.contains("<item id='two'") && !kept.contains("<item id='one'"), "{kept}");
    let kept = get(&mut alice, "", "<items node='urn:other'/>");
    assert!(kept.contains("<item id='two'") && kept.contains("<item id='one'"), "{kept}");
}

/// XEP-0163 section 4.3: who announces that it wants a node is told, without a subscription.
// XEP-0060 example 212
// XEP-0060 example 213
// XEP-0060 example 214
// XEP-0060 example 215
#[test]
fn section_4_3_contacts_are_told_what_their_clients_want() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    subscribe(&mut bob, &mut alice);
    wants(&mut bob, MOOD);
    set(&mut alice, "", &mood("happy"));
    let told = bob.wait_for("<message type='headline' from='alice@localhost'");
    assert!(told.contains("<happy/>"), "{told}");
    set(&mut alice, "", &format!("<publish node='other'><item>{}</item></publish>", entry("x")));
    bob.expect_nothing_before_ping();
}

/// A client says by its capabilities (XEP-0115) that it wants a node, and answers what it is asked. It is over when the server has learned
/// it: a node of its own that the client wants too has told its last item.
#[track_caller]
pub(crate) fn wants(client: &mut Client, node: &str) {
    const LEARNED: &str = "urn:test:learned";
    set(client, "", &format!("<publish node='{LEARNED}'><item>{}</item></publish>", entry("learned")));
    let mut features = [node, LEARNED].map(|node| format!("{node}+notify"));
    features.sort();
    let ver = metronome_testkit::base64(sha1_of(&format!("client/pc//test<{}<", features.join("<"))));
    client.send(&format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://test.example' ver='{ver}'/></presence>"
    ));
    let asked = client.wait_for("<iq type='get'");
    let (id, from) = (asked.attribute("id").unwrap(), asked.attribute("from").unwrap());
    let features = features.map(|feature| format!("<feature var='{feature}'/>")).concat();
    client.send(&format!(
        "<iq type='result' id='{id}' to='{from}'><query xmlns='http://jabber.org/protocol/disco#info' \
         node='https://test.example#{ver}'><identity category='client' type='pc' name='test'/>{features}</query></iq>"
    ));
    client.wait_for(&format!("items node='{LEARNED}'"));
}

fn sha1_of(text: &str) -> Vec<u8> {
    use sha1::Digest as _;
    sha1::Sha1::digest(text.as_bytes()).to_vec()
}

// XEP-0060 example 211
#[test]
fn accounts_and_domains_announce_their_nodes() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    for address in ["alice@localhost", "localhost"] {
        let info = ask(&mut alice, "get", address, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
        assert!(info.contains("<identity category='pubsub' type='pep'"), "{info}");
        for feature in ["publish", "presence-subscribe", "auto-subscribe", "pubsub-on-a-jid"] {
            assert!(info.contains(&format!("<feature var='http://jabber.org/protocol/pubsub#{feature}'/>")), "{info}");
        }
    }
    set(&mut alice, "", &mood("happy"));
    let items = ask(&mut alice, "get", "alice@localhost", "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert!(items.contains(&format!("<item jid='alice@localhost' node='{MOOD}'/>")), "{items}");
}

/// A domain has nodes as an account has; its administrators are their owners, and everybody on it sees them.
#[test]
fn administrators_publish_on_their_domain() {
    let server = server();
    server.control().run("user role", serde_json::json!({ "jid": "carol@localhost", "role": "admin" }));
    let mut carol = online(&server, "carol", "phone");
    let mut alice = online(&server, "alice", "phone");
    refused(&mut alice, "set", "localhost", &mood("sad"), "item-not-found");
    set(&mut carol, "localhost", &mood("happy"));
    assert!(get(&mut alice, "localhost", &format!("<items node='{MOOD}'/>")).contains("<happy/>"));
    refused(&mut alice, "set", "localhost", &mood("sad"), "forbidden");
    set(&mut alice, "localhost", &format!("<subscribe node='{MOOD}' jid='alice@localhost'/>"));
    alice.so_far();
    set(&mut carol, "localhost", &mood("grumpy"));
    assert!(alice.wait_for("<message type='headline' from='localhost'").contains("<grumpy/>"));
}
