//! Subscribers, publishers and readers on other servers and behind components.

use metronome_testkit::{Client, Component, Server, World, ask};

use crate::{entry, get, refused, set};

const SERVICE: &str = "pubsub.a.example";

/// Two servers that find each other; the first has a service and a component.
fn servers(world: &World) -> (Server, Server) {
    let a = world.setup("a.example", "alice").component("gw.a.example").start();
    for domain in ["a.example", SERVICE] {
        world.publish(domain, &a);
    }
    (a, world.server("b.example", "bob", ""))
}

fn online(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "here");
    client.send("<presence/>");
    client.so_far();
    client
}

#[test]
fn somebody_on_another_server_subscribes_and_is_told() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = (online(&a, "a.example", "alice"), online(&b, "b.example", "bob"));
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@b.example'/>");
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")));
    let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(told.contains(&entry("one")), "{told}");
    assert!(get(&mut bob, SERVICE, "<items node='musings'/>").contains(&entry("one")));
    refused(&mut bob, "set", SERVICE, "<create node='mine'/>", "forbidden");
    refused(&mut bob, "set", SERVICE, "<subscribe node='musings' jid='alice@a.example'/>", "bad-request invalid-jid");
}

#[test]
fn a_component_publishes_and_reads() {
    let world = World::new();
    let (a, _b) = servers(&world);
    let mut alice = online(&a, "a.example", "alice");
    let options = crate::submit("node_config", &[("pubsub#publish_model", "open")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{options}</configure>"));
    set(&mut alice, SERVICE, "<subscribe node='musings' jid='alice@a.example'/>");
    let mut component = Component::connect(&a, "gw.a.example");
    let pubsub = |request: &str| format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{request}</pubsub>");
    let publish = pubsub(&format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("from afar")));
    let answer = component.ask("x@gw.a.example/y", SERVICE, "set", &publish);
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{answer}");
    assert!(alice.wait_for("<message type='headline'").contains("from afar"));
    let items = component.ask("x@gw.a.example/y", SERVICE, "get", &pubsub("<items node='musings'/>"));
    assert!(items.contains("from afar"), "{items}");
}

/// An open node of an account is there for everybody, other nodes for nobody but those who see the owner.
#[test]
fn strangers_elsewhere_read_open_nodes_of_accounts_and_find_no_others() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = (online(&a, "a.example", "alice"), online(&b, "b.example", "bob"));
    let open = crate::publish_options(&[("pubsub#access_model", "open")]);
    set(&mut alice, "", &format!("<publish node='blog'><item id='1'>{}</item></publish>{open}", entry("post")));
    set(&mut alice, "", &format!("<publish node='mood'><item id='1'>{}</item></publish>", entry("happy")));
    assert!(get(&mut bob, "alice@a.example", "<items node='blog'/>").contains("post"));
    refused(&mut bob, "get", "alice@a.example", "<items node='mood'/>", "item-not-found");
    refused(&mut bob, "get", "nobody@a.example", "<items node='blog'/>", "item-not-found");
    set(&mut bob, "alice@a.example", "<subscribe node='blog' jid='bob@b.example'/>");
    assert!(bob.wait_for("<message from='alice@a.example'").contains("post"), "the last item");
    set(&mut alice, "", &format!("<publish node='blog'><item id='2'>{}</item></publish>", entry("again")));
    assert!(bob.wait_for("<message from='alice@a.example'").contains("again"));
    let info = ask(&mut bob, "get", "alice@a.example", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert_eq!(info.attribute("type").as_deref(), Some("error"), "{info}");
}

/// A client on another server that shows itself to the service is told what was published before, and its subscription ends with its presence.
#[test]
fn a_subscriber_elsewhere_comes_and_goes() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = (online(&a, "a.example", "alice"), online(&b, "b.example", "bob"));
    let config = crate::submit("node_config", &[("pubsub#notify_sub", "1")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    let options = crate::submit("subscribe_options", &[("pubsub#expire", "presence")]);
    set(&mut bob, SERVICE, &format!("<subscribe node='musings' jid='bob@b.example'/><options>{options}</options>"));
    assert!(alice.wait_for(&format!("<message from='{SERVICE}'")).contains("subscription='subscribed'"));
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")));
    assert!(bob.wait_for(&format!("<message from='{SERVICE}'")).contains("<item id='1'"));
    bob.send(&format!("<presence to='{SERVICE}'/>"));
    let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(told.contains("<item id='1'") && told.contains("<delay "), "{told}");
    bob.send("<presence type='unavailable'/>");
    assert!(alice.wait_for(&format!("<message from='{SERVICE}'")).contains("subscription='none'"));
    assert!(!get(&mut bob, SERVICE, "<subscriptions/>").contains("<subscription "));
}

/// The groups of an owner's roster count for people elsewhere as for others; and who says how long it was away hears what it has missed (XEP-0312).
#[test]
fn a_subscriber_elsewhere_follows_groups_and_hears_what_it_has_missed() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = (online(&a, "a.example", "alice"), online(&b, "b.example", "bob"));
    bob.send("<presence to='alice@a.example' type='subscribe'/>");
    alice.wait_for("<presence type='subscribe'");
    alice.send("<presence to='bob@b.example' type='subscribed'/>");
    bob.wait_for("<presence type='subscribed'");
    let group = |alice: &mut Client, name: &str| {
        let item = format!("<item jid='bob@b.example'><group>{name}</group></item>");
        ask(alice, "set", "", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
    };
    let publish = |id: &str| format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id));
    let groups = [("pubsub#access_model", "roster"), ("pubsub#roster_groups_allowed", "friends")];
    let config = crate::submit("node_config", &groups);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    let subscribe = "<subscribe node='musings' jid='bob@b.example'/>";
    refused(&mut bob, "set", SERVICE, subscribe, "not-authorized not-in-roster-group");
    group(&mut alice, "friends");
    set(&mut bob, SERVICE, subscribe);
    set(&mut alice, SERVICE, &publish("1"));
    assert!(bob.wait_for(&format!("<message from='{SERVICE}'")).contains("<item id='1'"));
    group(&mut alice, "others");
    set(&mut alice, SERVICE, &publish("2"));
    group(&mut alice, "friends");
    let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(told.contains("<item id='2'") && told.contains("<delay "), "{told}");
    bob.send(&format!("<presence to='{SERVICE}'><ago xmlns='urn:xmpp:ago:0' secs='3600'/></presence>"));
    for id in ["1", "2"] {
        let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
        assert!(told.contains(&format!("<item id='{id}'")), "{told}");
    }
}
