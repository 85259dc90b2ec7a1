//! Nodes as administrators see and change them with `metronomectl`.

use metronome_testkit::{Server, ask, condition, online};
use serde_json::json;

use crate::{SERVICE, entry, refused, server, set};

#[track_caller]
fn fails(server: &Server, command: &str, arguments: serde_json::Value, why: &str) {
    let reply = server.control().ask(command, arguments);
    assert_ne!(reply["exit"], 0, "{reply}");
    assert!(reply["message"].as_str().unwrap().contains(why), "{reply}");
}

#[test]
fn nodes_are_listed_shown_configured_purged_and_deleted_by_commands() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")));
    set(&mut alice, "", &format!("<publish node='mood'><item id='1'>{}</item></publish>", entry("happy")));
    bob.wait_for("<message type='headline'");
    let control = server.control();
    let list = control.run("node list", json!({ "address": SERVICE }));
    assert_eq!((&list[0]["node"], &list[0]["items"]), (&"musings".into(), &1.into()), "{list}");
    let list = control.run("node list", json!({ "address": "alice@localhost" }));
    assert_eq!(list[0]["node"], "mood", "{list}");
    let node = json!({ "address": SERVICE, "node": "musings" });
    let shown = control.run("node show", node.clone());
    assert_eq!((&shown["owners"], &shown["subscriptions"]), (&"alice@localhost".into(), &1.into()), "{shown}");
    let configure =
        |field: &str, value: &str| json!({ "address": SERVICE, "node": "musings", "field": field, "value": value });
    control.run("node configure", configure("access_model", "whitelist"));
    refused(&mut bob, "get", SERVICE, "<items node='musings'/>", "closed-node");
    fails(&server, "node configure", configure("access_model", "nonsense"), "refused");
    control.run("node configure", configure("access_model", "open"));
    control.run("node purge", node.clone());
    assert_eq!(control.run("node list", json!({ "address": SERVICE }))[0]["items"], 0);
    control.run("node delete", node.clone());
    refused(&mut bob, "get", SERVICE, "<items node='musings'/>", "item-not-found");
    fails(&server, "node delete", node, "has no node `musings`");
    fails(&server, "node list", json!({ "address": "nobody@localhost" }), "has no nodes here");
    fails(&server, "node list", json!({ "address": "pubsub.elsewhere.example" }), "has no nodes here");
}

/// What belongs to an account goes with it.
#[test]
fn nodes_of_an_account_go_with_it() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, "", &format!("<publish node='mood'><item id='1'>{}</item></publish>", entry("happy")));
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    server.control().add_user("alice@localhost");
    let mut again = online(&server, "alice", "phone");
    let items = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='mood'/></pubsub>";
    assert_eq!(condition(&ask(&mut again, "get", "", items)), "item-not-found");
}
