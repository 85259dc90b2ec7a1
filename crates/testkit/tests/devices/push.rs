//! XEP-0357: Push Notifications. The service is a client of the server.

use metronome_testkit::{Client, Seen, Server, Setup, on_both_stores, on_both_stores_with};

const NODE: &str = "n&lt;1>";

/// The service of these scenarios, which needs no presence.
fn service(server: &Server) -> Client {
    Client::login(server, "carol", "push")
}

/// Bob's phone enables the service and leaves.
fn away(server: &Server) {
    let mut phone = Client::login(server, "bob", "phone");
    phone.send(&format!(
        "<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='carol@localhost/push' node='{NODE}'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>\
         http://jabber.org/protocol/pubsub#publish-options</value></field><field var='secret'><value>s3</value></field></x>\
         </enable></iq>"
    ));
    phone.expect("<iq type='result' id='on'");
    phone.close();
}

fn write(client: &mut Client, body: &str) {
    client.send(&format!("<message to='bob@localhost' type='chat'><body>{body}</body></message>"));
    client.settle("bob@localhost");
}

/// The next notification, answered.
fn told(service: &mut Client) -> Seen {
    let seen = service.expect(
        "<iq type='set' from='localhost' to='carol@localhost/push'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish",
    );
    service.send(&format!("<iq type='result' to='localhost' id='{}'/>", seen.attribute("id").unwrap()));
    seen
}

// XEP-0357 example 4
// XEP-0357 example 5
#[test]
fn an_account_announces_that_services_are_told() {
    on_both_stores(|server| {
        let mut bob = Client::login(server, "bob", "phone");
        bob.send(
            "<iq type='get' to='bob@localhost' id='i'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        );
        bob.expect("<iq type='result' id='i'><feature var='urn:xmpp:push:0'/>");
    });
}

// XEP-0357 example 9
// XEP-0357 example 13
#[test]
fn a_service_is_told_of_messages_for_who_is_away_and_not_what_they_say() {
    on_both_stores(|server| {
        let (mut service, mut alice) = (service(server), Client::login(server, "alice", "phone"));
        away(server);
        write(&mut alice, "words for bob alone");
        let seen = told(&mut service);
        for part in [
            "<publish node='n&lt;1&gt;'><item><notification xmlns='urn:xmpp:push:0'>",
            "<value>urn:xmpp:push:summary</value>",
            "<field var='message-count'><value>1</value></field>",
            "<publish-options><x xmlns='jabber:x:data' type='submit'>",
            "<field var='secret'><value>s3</value></field>",
        ] {
            assert!(seen.contains(part), "{part} in {seen}");
        }
        assert!(!seen.contains("alice") && !seen.contains("words"), "{seen}");
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn a_service_is_told_more_where_the_administrator_allows_it() {
    on_both_stores_with("[push]\ncontent = \"sender\"", |server| {
        let (mut service, mut alice) = (service(server), Client::login(server, "alice", "phone"));
        away(server);
        write(&mut alice, "words for bob alone");
        let seen = told(&mut service);
        assert!(
            seen.contains("<field var='last-message-sender'><value>alice@localhost/phone</value></field>"),
            "{seen}"
        );
        assert!(!seen.contains("words"), "{seen}");
    });
}

#[test]
fn nobody_is_told_of_what_the_phone_sees_or_sends_itself() {
    on_both_stores(|server| {
        let (mut service, mut alice) = (service(server), Client::login(server, "alice", "phone"));
        away(server);
        let mut phone = Client::login(server, "bob", "phone");
        phone.available();
        write(&mut alice, "seen");
        phone.wait_for("<message from='alice@localhost/phone'><body>seen</body>");
        phone.send("<message to='alice@localhost' type='chat'><body>sent</body></message>");
        phone.settle("alice@localhost");
        service.expect_nothing_before_ping();
    });
}

#[test]
fn a_service_that_does_not_know_the_node_is_not_asked_again() {
    on_both_stores(|server| {
        let (mut service, mut alice) = (service(server), Client::login(server, "alice", "phone"));
        away(server);
        write(&mut alice, "1");
        let seen = service.expect("<iq type='set' from='localhost'><pubsub");
        service.send(&format!(
            "<iq type='error' to='localhost' id='{}'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
            seen.attribute("id").unwrap()
        ));
        server.expect_log("a push service is disabled");
        write(&mut alice, "2");
        service.expect_nothing_before_ping();
    });
}

#[test]
fn services_outlive_the_server() {
    let mut server = Setup::default().start();
    away(&server);
    for stop in [Server::restart as fn(&mut Server), Server::crash] {
        stop(&mut server);
        let (mut service, mut alice) = (service(&server), Client::login(&server, "alice", "phone"));
        write(&mut alice, "still there?");
        assert!(told(&mut service).contains("node='n&lt;1&gt;'"));
    }
}
