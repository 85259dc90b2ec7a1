//! XEP-0060 section 7 and 8.3 on the service: what a node asks of publications, and what becomes of those that do not fit.

use metronome_testkit::{Backend, Client, Server, Setup, online};

use crate::{SERVICE, entry, get, owner_get, publish_options, refused, set, submit};

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

fn create(client: &mut Client, config: &[(&str, &str)]) {
    let config = submit("node_config", config);
    set(client, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
}

fn publish(id: &str) -> String {
    format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id))
}

#[test]
fn section_7_1_3_a_publication_must_fit_the_event_type() {
    let nothing = "<publish node='musings'/>";
    let empty = "<publish node='musings'><item id='1'/></publish>";
    for (config, request, conditions) in [
        (&[][..], nothing, "bad-request item-required"),
        (&[], empty, "bad-request payload-required"),
        (&[("pubsub#persist_items", "0"), ("pubsub#deliver_payloads", "0")], empty, "bad-request item-forbidden"),
        (&[("pubsub#max_payload_size", "10")], &*publish("1"), "not-acceptable payload-too-big"),
        (&[("pubsub#node_type", "collection")], &*publish("1"), "feature-not-implemented unsupported"),
    ] {
        let server = server();
        let mut alice = online(&server, "alice", "phone");
        create(&mut alice, config);
        refused(&mut alice, "set", SERVICE, request, conditions);
    }
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    create(&mut alice, &[("pubsub#persist_items", "0"), ("pubsub#deliver_payloads", "0")]);
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    set(&mut alice, SERVICE, nothing);
    assert!(bob.wait_for("<message type='headline'").contains("<items node='musings'/>"));
    refused(&mut bob, "get", SERVICE, "<items node='musings'/>", "feature-not-implemented unsupported");
}

#[test]
fn section_7_1_2_5_a_full_node_does_as_it_is_told() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    create(&mut alice, &[("pubsub#max_items", "2"), ("pubsub#notify_retract", "1")]);
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    for id in ["1", "2"] {
        set(&mut alice, SERVICE, &publish(id));
        bob.wait_for("<message type='headline'");
    }
    set(&mut alice, SERVICE, &publish("3"));
    assert!(bob.wait_for("<message type='headline'").contains("<retract id='1'/>"));
    assert!(bob.wait_for("<message type='headline'").contains(&entry("3")));
    let reject = submit("node_config", &[("pubsub#publish_node_full", "reject")]);
    crate::owner_set(&mut alice, SERVICE, &format!("<configure node='musings'>{reject}</configure>"));
    refused(&mut alice, "set", SERVICE, &publish("4"), "conflict node-full");
    set(&mut alice, SERVICE, &publish("3"));
    let items = get(&mut bob, SERVICE, "<items node='musings'/>");
    assert!(items.contains(&entry("2")) && items.contains(&entry("3")) && !items.contains(&entry("4")), "{items}");
}

#[test]
fn section_7_1_5_preconditions_must_hold() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    create(&mut alice, &[("pubsub#access_model", "open")]);
    let with = |fields: &[(&str, &str)]| publish("1") + &publish_options(fields);
    set(&mut alice, SERVICE, &with(&[("pubsub#access_model", "open"), ("pubsub#persist_items", "true")]));
    let closed = with(&[("pubsub#access_model", "whitelist")]);
    refused(&mut alice, "set", SERVICE, &closed, "conflict precondition-not-met");
    refused(&mut alice, "set", SERVICE, &with(&[("pubsub#nonsense", "1")]), "conflict precondition-not-met");
}

// XEP-0395 section 3
#[test]
fn nobody_overwrites_what_they_have_not_seen() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut tablet = online(&server, "alice", "tablet");
    create(&mut alice, &[]);
    set(&mut alice, SERVICE, &publish("1"));
    let seen = get(&mut tablet, SERVICE, "<items node='musings' max_items='1'/>");
    let value = seen.attribute_of("cap-v-map-entry", "cap-value").unwrap();
    let with = |id: &str| publish(id) + &publish_options(&[("pubsub#prev_item_cap_value", &value)]);
    set(&mut alice, SERVICE, &with("2"));
    let late = with("3");
    refused(&mut tablet, "set", SERVICE, &late, "conflict precondition-not-met compare-and-publish-failed");
    assert!(!get(&mut tablet, SERVICE, "<items node='musings'/>").contains(&entry("3")));
}

#[test]
fn section_7_2_3_what_is_not_there_cannot_be_retracted() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    create(&mut alice, &[]);
    set(&mut alice, SERVICE, &publish("1"));
    let retract = |id: &str| format!("<retract node='musings'>{id}</retract>");
    refused(&mut bob, "set", SERVICE, &retract("<item id='1'/>"), "forbidden");
    refused(&mut alice, "set", SERVICE, &retract("<item id='2'/>"), "item-not-found");
    refused(&mut alice, "set", SERVICE, &retract(""), "bad-request item-required");
    refused(&mut alice, "set", SERVICE, &retract("<item id='1'/><item id='2'/>"), "item-not-found");
    assert!(get(&mut bob, SERVICE, "<items node='musings'/>").contains(&entry("1")), "all or nothing");
}

#[test]
fn section_8_3_the_defaults_of_nodes_are_shown_for_each_kind() {
    let server = server();
    let mut bob = online(&server, "bob", "desk");
    let leaf = owner_get(&mut bob, SERVICE, "<default/>");
    assert!(leaf.contains("var='pubsub#max_items'"), "{leaf}");
    let collection = owner_get(&mut bob, SERVICE, "<default type='collection'/>");
    assert!(collection.contains("var='pubsub#children_max'") && !collection.contains("max_items"), "{collection}");
}
