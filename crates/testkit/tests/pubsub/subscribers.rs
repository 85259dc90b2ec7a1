//! XEP-0060 sections 5.6, 5.7 and 6 on the service: what subscribers ask for, and what they are refused.

use metronome_testkit::{Backend, Server, Setup, online};

use crate::{SERVICE, entry, get, refused, set, submit};

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

fn publish(id: &str) -> String {
    format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id))
}

// XEP-0060 example 20
// XEP-0060 example 21
// XEP-0060 example 24
#[test]
fn sections_5_6_and_5_7_everybody_sees_their_own_subscriptions_and_affiliations() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    assert!(get(&mut bob, SERVICE, "<subscriptions/>").contains("<subscriptions/>"));
    assert!(get(&mut bob, SERVICE, "<affiliations/>").contains("<affiliations/>"));
    for node in ["musings", "ravings"] {
        set(&mut alice, SERVICE, &format!("<create node='{node}'/>"));
        set(&mut bob, SERVICE, &format!("<subscribe node='{node}' jid='bob@localhost/desk'/>"));
    }
    let mine = get(&mut bob, SERVICE, "<subscriptions/>");
    assert!(mine.contains("node='musings'") && mine.contains("node='ravings'"), "{mine}");
    let one = get(&mut bob, SERVICE, "<subscriptions node='ravings'/>");
    assert!(one.contains("node='ravings'") && !one.contains("musings"), "{one}");
    let owned = get(&mut alice, SERVICE, "<affiliations/>");
    assert!(owned.contains("<affiliation node='musings' affiliation='owner'/>"), "{owned}");
    assert!(!get(&mut alice, SERVICE, "<subscriptions/>").contains("musings"), "what others have is theirs");
}

// XEP-0060 example 31
// XEP-0060 example 32
// XEP-0060 example 33
#[test]
fn section_6_1_a_subscription_is_refused_for_a_reason() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let subscribe = |node: &str| format!("<subscribe node='{node}' jid='bob@localhost'/>");
    refused(&mut bob, "set", SERVICE, &subscribe("nowhere"), "item-not-found");
    for (model, conditions) in [
        ("presence", "not-authorized presence-subscription-required"),
        ("roster", "not-authorized not-in-roster-group"),
        ("whitelist", "not-allowed closed-node"),
    ] {
        let config = submit("node_config", &[("pubsub#access_model", model)]);
        set(&mut alice, SERVICE, &format!("<create node='{model}'/><configure>{config}</configure>"));
        refused(&mut bob, "set", SERVICE, &subscribe(model), conditions);
        refused(&mut bob, "get", SERVICE, &format!("<items node='{model}'/>"), conditions);
    }
    let config = submit("node_config", &[("pubsub#subscribe", "0")]);
    set(&mut alice, SERVICE, &format!("<create node='closed'/><configure>{config}</configure>"));
    refused(&mut bob, "set", SERVICE, &subscribe("closed"), "feature-not-implemented unsupported");
    let config = submit("node_config", &[("pubsub#access_model", "authorize")]);
    set(&mut alice, SERVICE, &format!("<create node='asked'/><configure>{config}</configure>"));
    let pending = set(&mut bob, SERVICE, &subscribe("asked"));
    assert!(pending.contains("subscription='pending'"), "{pending}");
    refused(&mut bob, "set", SERVICE, &subscribe("asked"), "not-authorized pending-subscription");
    refused(&mut bob, "get", SERVICE, "<items node='asked'/>", "not-authorized not-subscribed");
}

#[test]
fn section_6_1_7_a_new_subscriber_gets_the_last_item() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    for id in ["1", "2"] {
        set(&mut alice, SERVICE, &publish(id));
    }
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    let told = bob.wait_for("<message type='headline'");
    assert!(told.contains(&entry("2")) && told.contains("<delay xmlns='urn:xmpp:delay'"), "{told}");
    assert!(!told.contains(&entry("1")));
    bob.expect_nothing_before_ping();
}

#[test]
fn section_6_2_a_subscription_ends_by_its_name() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    let unsubscribe = |rest: &str| format!("<unsubscribe node='musings' jid='bob@localhost'{rest}/>");
    refused(&mut bob, "set", SERVICE, &unsubscribe(""), "unexpected-request not-subscribed");
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    refused(&mut alice, "set", SERVICE, &unsubscribe(""), "forbidden");
    refused(&mut bob, "set", SERVICE, &unsubscribe(" subid='x'"), "not-acceptable invalid-subid");
    let options = submit("subscribe_options", &[("pubsub#deliver", "0")]);
    let other = format!("<subscribe node='musings' jid='bob@localhost'/><options>{options}</options>");
    let second = set(&mut bob, SERVICE, &other);
    refused(&mut bob, "set", SERVICE, &unsubscribe(""), "bad-request subid-required");
    let subid = second.attribute_of("subscription", "subid").unwrap();
    let ended = set(&mut bob, SERVICE, &unsubscribe(&format!(" subid='{subid}'")));
    assert!(ended.contains("subscription='none'"), "{ended}");
    set(&mut bob, SERVICE, &unsubscribe(""));
    set(&mut alice, SERVICE, &publish("1"));
    bob.expect_nothing_before_ping();
}

#[test]
fn section_6_4_the_defaults_of_subscriptions_are_shown() {
    let server = server();
    let mut bob = online(&server, "bob", "desk");
    let form = get(&mut bob, SERVICE, "<default/>");
    for field in ["deliver", "digest", "digest_frequency", "expire", "show-values"] {
        assert!(form.contains(&format!("var='pubsub#{field}'")), "{field}: {form}");
    }
}

#[test]
fn sections_6_5_7_to_6_5_9_items_are_asked_for_by_number_and_by_id() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    for id in ["1", "2", "3"] {
        set(&mut alice, SERVICE, &publish(id));
    }
    let newest = get(&mut bob, SERVICE, "<items node='musings' max_items='2'/>");
    assert!(newest.contains(&entry("2")) && newest.contains(&entry("3")) && !newest.contains(&entry("1")), "{newest}");
    let chosen = get(&mut bob, SERVICE, "<items node='musings'><item id='1'/><item id='3'/><item id='9'/></items>");
    assert!(chosen.contains(&entry("1")) && chosen.contains(&entry("3")) && !chosen.contains("id='9'"), "{chosen}");
    refused(&mut bob, "get", SERVICE, "<items node='musings' subid='x'/>", "not-acceptable invalid-subid");
    refused(&mut bob, "get", SERVICE, "<items node='musings' max_items='none'/>", "bad-request");
    let ban = "<affiliations node='musings'><affiliation jid='bob@localhost' affiliation='outcast'/></affiliations>";
    crate::owner_set(&mut alice, SERVICE, ban);
    refused(&mut bob, "get", SERVICE, "<items node='musings'/>", "forbidden");
}

// XEP-0413 section 4
#[test]
fn items_are_ordered_by_creation_or_by_modification() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    for id in ["1", "2", "1"] {
        set(&mut alice, SERVICE, &publish(id));
    }
    let mut first = |order: &str| {
        let items =
            get(&mut alice, SERVICE, &format!("<items node='musings'/><order xmlns='urn:xmpp:order-by:1' {order}/>"));
        items.attribute_of("item", "id").unwrap()
    };
    assert_eq!(first("by='creation'"), "1");
    assert_eq!(first("by='modification'"), "2");
    assert_eq!(first("by='creation' desc='true'"), "2");
    assert_eq!(first("by='modification' desc='1'"), "1");
}

// XEP-0465 section 4.4
#[test]
fn who_subscribes_publicly_is_seen_and_nobody_else() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut alice, SERVICE, "<subscribe node='musings' jid='alice@localhost'/>");
    let public = "<subscribe node='musings' jid='bob@localhost'><public xmlns='urn:xmpp:pps:0'/></subscribe>";
    set(&mut bob, SERVICE, public);
    let seen = get(&mut alice, SERVICE, "<items node='urn:xmpp:pps:subscribers:0/musings'/>");
    assert!(seen.contains("<subscriber xmlns='urn:xmpp:pps:0' jid='bob@localhost'/>"), "{seen}");
    assert!(!seen.contains("alice@localhost'/>"), "{seen}");
    let spoof = format!("<publish node='urn:xmpp:pps:subscribers:0/musings'><item>{}</item></publish>", entry("x"));
    refused(&mut bob, "set", SERVICE, &spoof, "forbidden");
}

// XEP-0465 section 4.4: the node can be subscribed to as usual.
#[test]
fn who_wants_to_hears_of_public_subscribers() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let special = "urn:xmpp:pps:subscribers:0/musings";
    refused(
        &mut alice,
        "set",
        SERVICE,
        &format!("<subscribe node='{special}' jid='alice@localhost'/>"),
        "item-not-found",
    );
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut alice, SERVICE, &format!("<subscribe node='{special}' jid='alice@localhost'/>"));
    let subscribe = |public: &str| format!("<subscribe node='musings' jid='bob@localhost'>{public}</subscribe>");
    set(&mut bob, SERVICE, &subscribe(""));
    set(&mut bob, SERVICE, &subscribe("<public xmlns='urn:xmpp:pps:0'/>"));
    let told = alice.wait_for("<message from='pubsub.localhost'");
    assert!(told.contains(&format!("<items node='{special}'>")), "{told}");
    assert!(told.contains("<subscriber xmlns='urn:xmpp:pps:0' jid='bob@localhost'/>"), "{told}");
    set(&mut bob, SERVICE, &subscribe(""));
    assert!(alice.wait_for("<message from='pubsub.localhost'").contains("<retract id='"));
    set(&mut alice, SERVICE, &format!("<unsubscribe node='{special}' jid='alice@localhost'/>"));
    set(&mut bob, SERVICE, &subscribe("<public xmlns='urn:xmpp:pps:0'/>"));
    alice.so_far();
    alice.expect_nothing_before_ping();
}

// XEP-0060 example 40
#[test]
fn whoever_comes_to_a_node_that_has_moved_hears_where_to() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let uri = "xmpp:alice@localhost?;node=blog";
    let delete = |node: &str| format!("<delete node='{node}'><redirect uri='{uri}'/></delete>");
    let closed = submit("node_config", &[("pubsub#access_model", "whitelist")]);
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut alice, SERVICE, &publish("1"));
    set(&mut alice, SERVICE, &format!("<create node='closed'/><configure>{closed}</configure>"));
    for node in ["musings", "closed"] {
        crate::owner_set(&mut alice, SERVICE, &delete(node));
    }
    for (kind, request) in [
        ("set", "<subscribe node='musings' jid='bob@localhost'/>"),
        ("get", "<items node='musings'/>"),
        ("set", "<publish node='musings'><item id='1'><x xmlns='urn:x'/></item></publish>"),
    ] {
        let payload = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{request}</pubsub>");
        let answer = metronome_testkit::ask(&mut bob, kind, SERVICE, &payload);
        let gone = format!("<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>{uri}</gone>");
        assert!(answer.contains(&gone), "{request}: {answer}");
    }
    refused(&mut bob, "get", SERVICE, "<items node='closed'/>", "item-not-found");
    let list =
        metronome_testkit::ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert!(!list.contains("closed") && !list.contains("alice"), "{list}");
    // Whoever had it may have it again.
    set(&mut alice, SERVICE, "<create node='musings'/>");
    assert!(!get(&mut bob, SERVICE, "<items node='musings'/>").contains("<item "));
}
