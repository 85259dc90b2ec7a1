//! Components that speak with other servers.

use metronome_testkit::{Client, Component, Server, World};

const FAR: &str = "gw.a.example";

/// Two servers, of which the first has a component that others find.
fn servers(world: &World) -> (Server, Server) {
    let a = world.setup("a.example", "alice").component(FAR).start();
    world.publish("a.example", &a);
    world.publish(FAR, &a);
    (a, world.server("b.example", "bob", ""))
}

fn bob(b: &Server) -> Client {
    let mut bob = b.dial().domain("b.example").direct();
    bob.log_in("bob", "desk");
    bob.available();
    bob
}

#[test]
fn a_component_is_reached_from_other_servers_and_reaches_them() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut component, mut bob) = (Component::connect(&a, FAR), bob(&b));
    bob.send("<message to='x@gw.a.example' type='chat' id='1'><body>from far</body></message>");
    component.wait_for("<message from='bob@b.example/desk' to='x@gw.a.example' id='1'><body>from far</body>");
    component
        .send("<message from='x@gw.a.example/y' to='bob@b.example' type='chat' id='2'><body>back</body></message>");
    bob.wait_for("<message from='x@gw.a.example/y' id='2'><body>back</body>");
    bob.send("<iq to='gw.a.example' type='get' id='3'><ping xmlns='urn:xmpp:ping'/></iq>");
    component.wait_for("<iq from='bob@b.example/desk' to='gw.a.example' type='get' id='3'");
    component.send("<iq from='gw.a.example' to='bob@b.example/desk' type='result' id='3'/>");
    bob.wait_for("<iq from='gw.a.example' type='result' id='3'");
    let answer = component.ask("gw.a.example", "b.example", "get", "<query xmlns='jabber:iq:version'/>");
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{answer}");
    component.send("<presence from='x@gw.a.example' to='bob@b.example' type='subscribe'/>");
    bob.wait_for("<presence from='x@gw.a.example' type='subscribe'");
    bob.send("<presence to='x@gw.a.example' type='subscribed'/>");
    component.wait_for("<presence from='bob@b.example' to='x@gw.a.example' type='subscribed'");
    component.wait_for("<presence from='bob@b.example/desk' to='x@gw.a.example'");
}

#[test]
fn what_cannot_go_from_a_component_to_another_server_comes_back_to_it() {
    let world = World::new();
    let (a, _b) = servers(&world);
    let mut component = Component::connect(&a, FAR);
    component
        .send("<iq from='x@gw.a.example' to='nowhere.example' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    component.wait_for("<iq from='nowhere.example' to='x@gw.a.example' type='error' id='1'><remote-server-not-found");
    component.send("<message from='x@gw.a.example' to='y@nowhere.example' type='chat' id='2'><body>x</body></message>");
    component
        .wait_for("<message from='y@nowhere.example' to='x@gw.a.example' type='error' id='2'><remote-server-not-found");
}

#[test]
fn a_component_that_stays_at_home_is_not_found() {
    let world = World::new();
    let stays = "[host.\"gw.a.example\".federation]\nenabled = false";
    let a = world.setup("a.example", "alice").component(FAR).options(stays).start();
    world.publish(FAR, &a);
    let b = world.server("b.example", "bob", "");
    let (mut component, mut bob) = (Component::connect(&a, FAR), bob(&b));
    bob.send("<iq to='gw.a.example' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    let refused = bob.wait_for("<iq from='gw.a.example' type='error' id='1'");
    assert!(refused.contains("remote-server-"), "{refused}");
    component.send("<iq from='x@gw.a.example' to='b.example' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>");
    component.wait_for("<iq from='b.example' to='x@gw.a.example' type='error' id='2'><remote-server-not-found");
}
