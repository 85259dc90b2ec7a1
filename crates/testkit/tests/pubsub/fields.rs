//! The fields of a node's configuration (XEP-0060 section 16.4.4), as far as no other scenario is about what they do.

use metronome_testkit::{Client, ask, online};

use crate::{SERVICE, entry, get, owner_get, owner_set, server, set, submit};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>";

fn create(client: &mut Client, fields: &[(&str, &str)]) {
    set(client, SERVICE, &format!("<create node='n'/><configure>{}</configure>", submit("node_config", fields)));
}

fn configure(client: &mut Client, fields: &[(&str, &str)]) {
    owner_set(client, SERVICE, &format!("<configure node='n'>{}</configure>", submit("node_config", fields)));
}

fn publish(client: &mut Client, id: &str) {
    set(client, SERVICE, &format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry(id)));
}

/// A value for each that is not the one it has without being told.
const ALL: [(&str, &str); 28] = [
    ("access_model", "roster"),
    ("body_xslt", "https://example.org/body.xslt"),
    ("contact", "bob@localhost"),
    ("dataform_xslt", "https://example.org/form.xslt"),
    ("deliver_notifications", "0"),
    ("deliver_payloads", "0"),
    ("description", "What there is to tell"),
    ("item_expire", "604800"),
    ("itemreply", "publisher"),
    ("language", "de-AT"),
    ("max_items", "7"),
    ("max_payload_size", "1028"),
    ("notification_type", "normal"),
    ("notify_config", "1"),
    ("notify_delete", "0"),
    ("notify_retract", "0"),
    ("notify_sub", "1"),
    ("persist_items", "0"),
    ("presence_based_delivery", "1"),
    ("publish_model", "subscribers"),
    ("publish_node_full", "reject"),
    ("purge_offline", "1"),
    ("roster_groups_allowed", "friends"),
    ("send_last_published_item", "never"),
    ("subscribe", "0"),
    ("tempsub", "1"),
    ("title", "Diary"),
    ("type", "http://www.w3.org/2005/Atom"),
];

#[test]
fn each_field_is_shown_as_it_was_set_and_after_a_restart() {
    let mut server = metronome_testkit::Setup::default().start();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='n'/>");
    let shown = |form: &str, name: &str| {
        let (_, field) = form.split_once(&format!("var='pubsub#{name}'")).unwrap_or_else(|| panic!("{name}: {form}"));
        let field = field.split("</field>").next().unwrap_or_default();
        // The words that can be chosen stand behind it, with values of their own.
        field.split("<option").next().unwrap_or_default().to_owned()
    };
    let before = owner_get(&mut alice, SERVICE, "<configure node='n'/>");
    assert!(shown(&before, "node_type").contains("<value>leaf</value>"), "{before}");
    for (name, value) in ALL {
        assert!(!shown(&before, name).contains(&format!("<value>{value}</value>")), "{name}: {before}");
        configure(&mut alice, &[(&format!("pubsub#{name}"), value)]);
    }
    drop(alice);
    server.restart();
    let mut alice = online(&server, "alice", "phone");
    let after = owner_get(&mut alice, SERVICE, "<configure node='n'/>");
    for (name, value) in ALL {
        assert!(shown(&after, name).contains(&format!("<value>{value}</value>")), "{name}: {after}");
    }
}

/// XEP-0060 section 5.4: what is for everybody stands in the meta-data.
#[test]
fn what_describes_a_node_is_for_everybody() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let fields = ["title", "description", "type", "language", "contact", "access_model", "publish_model", "max_items"];
    let values: Vec<(String, &str)> = ALL
        .iter()
        .filter(|(name, _)| fields.contains(name) && *name != "access_model")
        .map(|(name, value)| (format!("pubsub#{name}"), *value))
        .collect();
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (&**name, *value)).collect();
    create(&mut alice, &values);
    let info = ask(&mut bob, "get", SERVICE, INFO);
    assert!(info.contains("http://jabber.org/protocol/pubsub#meta-data"), "{info}");
    for (_, value) in values {
        assert!(info.contains(&format!("<value>{value}</value>")), "{value}: {info}");
    }
}

#[test]
fn a_node_that_delivers_no_notifications_is_read_by_who_asks() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    create(&mut alice, &[("pubsub#deliver_notifications", "0")]);
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    publish(&mut alice, "1");
    bob.so_far();
    bob.expect_nothing_before_ping();
    assert!(get(&mut bob, SERVICE, "<items node='n'/>").contains("<item id='1'"));
    configure(&mut alice, &[("pubsub#deliver_notifications", "1")]);
    publish(&mut alice, "2");
    assert!(bob.wait_for("<message type='headline'").contains("<item id='2'"));
}

#[test]
fn a_node_that_asks_for_presence_tells_who_is_available() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "desk");
    create(&mut alice, &[("pubsub#send_last_published_item", "never")]);
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost/desk'/>");
    publish(&mut alice, "1");
    assert!(bob.wait_for("<message type='headline'").contains("<item id='1'"), "it was not asked for");
    configure(&mut alice, &[("pubsub#presence_based_delivery", "1")]);
    publish(&mut alice, "2");
    bob.so_far();
    bob.expect_nothing_before_ping();
    bob.available();
    publish(&mut alice, "3");
    assert!(bob.wait_for("<message type='headline'").contains("<item id='3'"));
}

#[test]
fn subscriptions_to_a_node_for_the_moment_end_with_presence() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    create(&mut alice, &[("pubsub#tempsub", "1"), ("pubsub#notify_sub", "1")]);
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    assert!(alice.wait_for(&format!("<message from='{SERVICE}'")).contains("subscription='subscribed'"));
    bob.send("<presence type='unavailable'/>");
    assert!(alice.wait_for(&format!("<message from='{SERVICE}'")).contains("subscription='none'"));
    assert!(!get(&mut bob, SERVICE, "<subscriptions/>").contains("<subscription "));
}

#[test]
fn what_is_told_of_changes_and_of_items_that_go_is_for_the_owner_to_say() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    create(&mut alice, &[("pubsub#notify_retract", "0"), ("pubsub#notify_delete", "0")]);
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    publish(&mut alice, "1");
    bob.wait_for("<message type='headline'");
    set(&mut alice, SERVICE, "<retract node='n'><item id='1'/></retract>");
    configure(&mut alice, &[("pubsub#title", "silent")]);
    bob.so_far();
    bob.expect_nothing_before_ping();
    configure(&mut alice, &[("pubsub#notify_config", "1"), ("pubsub#notify_retract", "1")]);
    assert!(bob.wait_for("<message type='headline'").contains("<configuration node='n'>"));
    publish(&mut alice, "2");
    bob.wait_for("<message type='headline'");
    set(&mut alice, SERVICE, "<retract node='n'><item id='2'/></retract>");
    assert!(bob.wait_for("<message type='headline'").contains("<retract id='2'/>"));
    owner_set(&mut alice, SERVICE, "<delete node='n'/>");
    bob.so_far();
    bob.expect_nothing_before_ping();
    create(&mut alice, &[("pubsub#notify_delete", "1")]);
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    owner_set(&mut alice, SERVICE, "<delete node='n'/>");
    assert!(bob.wait_for("<message type='headline'").contains("<delete node='n'/>"));
}
