//! The service of XEP-0357 as it usually is: a component.

use metronome_testkit::{Client, Component, Server};

use crate::server;

const SERVICE: &str = "gw.localhost";

/// Bob's phone enables the service and leaves.
fn away(server: &Server) {
    let mut phone = Client::login(server, "bob", "phone");
    phone.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='gw.localhost' node='n1'/></iq>");
    phone.expect("<iq type='result' id='on'");
    phone.close();
}

#[test]
fn a_service_that_is_a_component_is_told_of_messages() {
    let server = server();
    let (mut service, mut alice) = (Component::connect(&server, SERVICE), Client::login(&server, "alice", "phone"));
    away(&server);
    for _ in 0..2 {
        alice.send("<message to='bob@localhost' type='chat'><body>words for bob alone</body></message>");
        let told = service.expect(
            "<iq type='set' to='gw.localhost'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n1'>",
        );
        assert!(!told.contains("words for bob"), "{told}");
        let (from, id) = (told.attribute("from").unwrap(), told.attribute("id").unwrap());
        service.send(&format!("<iq type='result' from='gw.localhost' to='{from}' id='{id}'/>"));
        service.nothing_before_ping();
    }
}

#[test]
fn a_service_that_comes_back_is_told_what_came_meanwhile() {
    let server = server();
    away(&server);
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<message to='bob@localhost' type='chat'><body>x</body></message>");
    alice.settle("bob@localhost");
    let mut service = Component::connect(&server, SERVICE);
    service.expect("<iq type='set' to='gw.localhost'><pubsub xmlns='http://jabber.org/protocol/pubsub'>");
}
