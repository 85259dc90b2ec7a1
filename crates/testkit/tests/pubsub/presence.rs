//! What subscribers are told when they come (XEP-0060 section 12.2), and what owners find who were away.

use metronome_testkit::{Backend, Client, Setup, online};

use crate::{SERVICE, entry, owner_set, publish_options, server, set, submit};

fn publish(id: &str) -> String {
    format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id))
}

const SUBSCRIBE: &str = "<subscribe node='musings' jid='bob@localhost'/>";

#[track_caller]
fn last_item(client: &mut Client, from: &str, id: &str) {
    let told = client.wait_for(&format!("<message from='{from}'"));
    assert!(told.contains(&format!("<item id='{id}'")) && told.contains("<delay "), "{told}");
}

#[test]
fn who_has_subscribed_to_a_node_of_a_service_is_told_the_last_item_when_it_comes() {
    let mut server = Setup::default().store(Backend::Sqlite).start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut alice, SERVICE, "<create node='silent'/>");
    set(&mut bob, SERVICE, SUBSCRIBE);
    for id in ["1", "2"] {
        set(&mut alice, SERVICE, &publish(id));
        assert!(bob.wait_for("<message type='headline'").contains(&entry(id)));
    }
    bob.so_far();
    let mut phone = online(&server, "bob", "phone");
    last_item(&mut phone, SERVICE, "2");
    phone.send("<presence><show>away</show></presence>");
    phone.so_far();
    phone.expect_nothing_before_ping();
    bob.so_far();
    bob.expect_nothing_before_ping();
    // Coming again is coming.
    phone.send("<presence type='unavailable'/>");
    phone.so_far();
    phone.send("<presence/>");
    last_item(&mut phone, SERVICE, "2");
    server.restart();
    let mut desk = online(&server, "bob", "desk");
    last_item(&mut desk, SERVICE, "2");
}

#[test]
fn subscribers_who_come_are_told_as_their_subscription_and_the_node_say() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    for (node, config) in [("a", "on_sub"), ("b", "never"), ("c", "on_sub_and_presence"), ("d", "on_sub_and_presence")]
    {
        let config = submit("node_config", &[("pubsub#send_last_published_item", config)]);
        set(&mut alice, SERVICE, &format!("<create node='{node}'/><configure>{config}</configure>"));
        let options = match node {
            "c" => submit("subscribe_options", &[("pubsub#show-values", "chat")]),
            _ => submit("subscribe_options", &[]),
        };
        let subscribe = format!("<subscribe node='{node}' jid='bob@localhost'/><options>{options}</options>");
        set(&mut bob, SERVICE, &subscribe);
        set(&mut alice, SERVICE, &format!("<publish node='{node}'><item id='{node}'>{}</item></publish>", entry(node)));
    }
    let mut phone = online(&server, "bob", "phone");
    last_item(&mut phone, SERVICE, "d");
    phone.so_far();
    phone.expect_nothing_before_ping();
    let mut low = Client::login(&server, "bob", "low");
    low.send("<presence><priority>-1</priority></presence>");
    low.so_far();
    low.expect_nothing_before_ping();
}

#[test]
fn who_has_subscribed_to_a_node_of_somebody_is_told_once() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let open = publish_options(&[("pubsub#access_model", "open")]);
    set(&mut alice, "", &format!("{}{open}", publish("1")));
    let mut bob = online(&server, "bob", "desk");
    set(&mut bob, "alice@localhost", SUBSCRIBE);
    last_item(&mut bob, "alice@localhost", "1");
    let mut phone = online(&server, "bob", "phone");
    last_item(&mut phone, "alice@localhost", "1");
    phone.so_far();
    phone.expect_nothing_before_ping();
    let closed = submit("node_config", &[("pubsub#access_model", "whitelist")]);
    owner_set(&mut alice, "", &format!("<configure node='musings'>{closed}</configure>"));
    let mut tablet = online(&server, "bob", "tablet");
    tablet.so_far();
    tablet.expect_nothing_before_ping();
    let opened = submit("node_config", &[("pubsub#access_model", "open")]);
    owner_set(&mut alice, "", &format!("<configure node='musings'>{opened}</configure>"));
    for client in [&mut bob, &mut phone, &mut tablet] {
        last_item(client, "alice@localhost", "1");
    }
}

// XEP-0060 section 8.6.
#[test]
fn an_owner_who_was_away_finds_who_wants_to_subscribe() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#access_model", "authorize")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    set(&mut alice, SERVICE, &publish("1"));
    alice.close();
    set(&mut bob, SERVICE, SUBSCRIBE);
    let mut alice = online(&server, "alice", "phone");
    let asked = alice.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(asked.contains("pubsub#subscribe_authorization") && asked.contains("bob@localhost"), "{asked}");
    let approval = submit(
        "subscribe_authorization",
        &[("pubsub#node", "musings"), ("pubsub#subscriber_jid", "bob@localhost"), ("pubsub#allow", "true")],
    );
    alice.send(&format!("<message to='{SERVICE}'>{approval}</message>"));
    // The one is kept for who is away, the other is news: they go different ways.
    let told = [(); 2].map(|()| bob.wait_for(&format!("<message from='{SERVICE}'")).to_string()).concat();
    assert!(told.contains("subscription='subscribed'") && told.contains("<item id='1'"), "{told}");
}

#[test]
fn who_was_away_finds_what_a_node_wants_to_be_kept() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config =
        submit("node_config", &[("pubsub#notification_type", "normal"), ("pubsub#send_last_published_item", "never")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    set(&mut bob, SERVICE, SUBSCRIBE);
    bob.close();
    for id in ["1", "2"] {
        set(&mut alice, SERVICE, &publish(id));
    }
    let mut bob = online(&server, "bob", "desk");
    for id in ["1", "2"] {
        let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
        assert!(told.contains(&entry(id)), "{told}");
    }
}

// XEP-0312 section 2
#[test]
fn who_says_how_long_it_was_away_is_told_what_it_has_missed() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut bob, SERVICE, SUBSCRIBE);
    bob.close();
    for id in ["1", "2", "3"] {
        set(&mut alice, SERVICE, &publish(id));
    }
    for (ago, told) in
        [(" secs='3600'", &["1", "2", "3"][..]), (" secs='0'", &[]), (" secs='-1'", &["3"]), ("", &["3"])]
    {
        let mut bob = Client::login(&server, "bob", "desk");
        bob.send(&format!("<presence><ago xmlns='urn:xmpp:ago:0'{ago}/></presence>"));
        told.iter().for_each(|id| last_item(&mut bob, SERVICE, id));
        bob.so_far();
        bob.expect_nothing_before_ping();
        // Only the first presence says so.
        bob.send("<presence><show>away</show><ago xmlns='urn:xmpp:ago:0' secs='3600'/></presence>");
        bob.so_far();
        bob.expect_nothing_before_ping();
        bob.close();
    }
}
