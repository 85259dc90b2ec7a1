//! How much there may be, and who may create: the bounds of the configuration, and what is said beyond them.

use metronome_testkit::{Backend, Setup, ask, condition, online};

use crate::{SERVICE, entry, get, refused, server, set, submit};

#[test]
fn who_may_create_nodes_on_the_service_is_configured() {
    for (creation, user, admin) in [("admins", "forbidden", ""), ("users", "", ""), ("everybody", "", "")] {
        let server = server(&format!("pubsub.creation = \"{creation}\""));
        server.control().run("user role", serde_json::json!({ "jid": "carol@localhost", "role": "admin" }));
        let mut alice = online(&server, "alice", "phone");
        let mut carol = online(&server, "carol", "phone");
        match user {
            "" => drop(set(&mut alice, SERVICE, "<create node='a'/>")),
            why => refused(&mut alice, "set", SERVICE, "<create node='a'/>", why),
        }
        assert_eq!(admin, "");
        set(&mut carol, SERVICE, "<create node='c'/>");
        // An administrator is owner of all nodes of the service.
        if user.is_empty() {
            set(&mut carol, SERVICE, &format!("<publish node='a'><item id='1'>{}</item></publish>", entry("x")));
        }
        refused(
            &mut alice,
            "set",
            SERVICE,
            &format!("<publish node='c'><item>{}</item></publish>", entry("x")),
            "forbidden",
        );
    }
}

#[test]
fn a_publication_makes_a_node_unless_the_service_says_otherwise() {
    for (auto, is_made) in [("true", true), ("false", false)] {
        let server = server(&format!("pubsub.auto_create = {auto}"));
        let mut alice = online(&server, "alice", "phone");
        let publish = format!("<publish node='new'><item id='1'>{}</item></publish>", entry("x"));
        if is_made {
            set(&mut alice, SERVICE, &publish);
            assert!(get(&mut alice, SERVICE, "<items node='new'/>").contains("<item id='1'"));
        } else {
            refused(&mut alice, "set", SERVICE, &publish, "item-not-found");
        }
    }
}

#[test]
fn an_account_has_so_many_nodes_and_bytes() {
    let server = server("limits.pubsub = { nodes = 2, total = \"4 KiB\", payload = \"3 KiB\" }");
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, "", "<create node='1'/>");
    set(&mut alice, "", "<create node='2'/>");
    refused(&mut alice, "set", "", "<create node='3'/>", "max-nodes-exceeded");
    let publish = |id: &str, bytes: usize| {
        format!("<publish node='1'><item id='{id}'>{}</item></publish>", entry(&"x".repeat(bytes)))
    };
    refused(&mut alice, "set", "", &publish("a", 4000), "not-acceptable payload-too-big");
    set(&mut alice, "", &publish("a", 2500));
    let full = ask(
        &mut alice,
        "set",
        "",
        &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{}</pubsub>", publish("b", 2500)),
    );
    assert_eq!(full.attribute("type").as_deref(), Some("error"), "{full}");
    let items = get(&mut alice, "", "<items node='1'/>");
    assert!(items.contains("<item id='a'") && !items.contains("<item id='b'"), "{items}");
}

#[test]
fn a_node_has_so_many_subscriptions() {
    let server = server("limits.pubsub.subscriptions = 1");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='n'/>");
    set(&mut alice, SERVICE, "<subscribe node='n' jid='alice@localhost'/>");
    refused(&mut bob, "set", SERVICE, "<subscribe node='n' jid='bob@localhost'/>", "too-many-subscriptions");
}

/// Whoever makes the server write to many is charged for it.
#[test]
fn so_many_notifications_may_be_caused_in_a_time() {
    let server = Setup::default().store(Backend::Memory).options("limits.pubsub.notifications = \"2/h\"").start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='n'/>");
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    let publish = |id: &str| format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry("x"));
    set(&mut alice, SERVICE, &publish("1"));
    set(&mut alice, SERVICE, &publish("2"));
    refused(&mut alice, "set", SERVICE, &publish("3"), "resource-constraint");
    let items = get(&mut bob, SERVICE, "<items node='n'/>");
    assert!(items.contains("<item id='2'") && !items.contains("<item id='3'"), "{items}");
}

/// XEP-0060 with names of any Unicode, and what is not a request at all.
#[test]
fn hostile_requests_are_refused_and_change_nothing() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let name = "a b/c'&amp;&lt;\u{1f600}\u{202e}";
    set(&mut alice, SERVICE, &format!("<create node=\"{name}\"/>"));
    set(&mut alice, SERVICE, &format!("<publish node=\"{name}\"><item id=\"{name}\">{}</item></publish>", entry("x")));
    assert!(get(&mut alice, SERVICE, &format!("<items node=\"{name}\"/>")).contains("\u{1f600}"));
    let long = "n".repeat(4000);
    let wrong = submit("node_config", &[("pubsub#max_items", "many")]);
    for (kind, request) in [
        ("set", format!("<create node='{long}'/>")),
        ("set", "<publish node='x'><item/><item/></publish><retract node='x'/>".to_owned()),
        ("get", "<publish node='x'><item/></publish>".to_owned()),
        ("set", "<subscribe node='x'/>".to_owned()),
        ("set", "<subscribe node='x' jid='@'/>".to_owned()),
        ("set", "<nonsense/>".to_owned()),
        ("set", String::new()),
        ("set", format!("<create node='y'/><configure>{wrong}</configure>")),
    ] {
        let payload = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{request}</pubsub>");
        let answer = ask(&mut alice, kind, SERVICE, &payload);
        assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{request:.60}: {answer:.300}");
    }
    let rsm = "<items node='x'/><set xmlns='http://jabber.org/protocol/rsm'><max>-1</max></set>";
    let payload = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{rsm}</pubsub>");
    assert!(
        ["bad-request", "item-not-found"].contains(&condition(&ask(&mut alice, "get", SERVICE, &payload)).as_str())
    );
    let nodes = ask(&mut alice, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert_eq!(nodes.matches("<item ").count(), 1, "{nodes}");
}
