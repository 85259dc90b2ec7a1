//! Several devices of which one has lost its connection: what the others did meanwhile comes when its stream is resumed (XEP-0198), on the
//! same server or on the next, and somebody calls it until then (XEP-0357).

use metronome_testkit::{Client, Seen, Server, ServerPings, Setup, on_both_stores};

use crate::{copied, enable};

/// A device that gets copies on a stream that can be resumed; it has had two stanzas.
fn managed(server: &Server, resource: &str) -> (Client, String) {
    let mut client = Client::login(server, "alice", resource);
    let previd = client.enable();
    enable(&mut client);
    client.available();
    (client, previd)
}

/// The next stanza.
fn next(client: &mut Client) -> Seen {
    loop {
        let seen = client.next_piece();
        if !seen.fits("<r xmlns='urn:xmpp:sm:3'") && seen.name() != "presence" {
            return seen;
        }
    }
}

fn chat(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat'><body>{body}</body></message>")
}

/// What was sent and received comes in the order of the archive, each as a copy with its id.
#[track_caller]
fn conversation(desk: &mut Client, expected: &[(&str, &str, u64)]) {
    for (which, body, id) in expected {
        let seen = next(desk);
        let pattern = format!(
            "<message from='alice@localhost' to='alice@localhost/desk' type='chat'><{which} xmlns='urn:xmpp:carbons:2'>"
        );
        assert!(seen.fits(&pattern), "{pattern}: {seen}");
        assert_eq!(seen.text_of("body").as_deref(), Some(*body), "{seen}");
        assert!(seen.contains(&format!("by='alice@localhost' id='{id}'")), "{seen}");
    }
}

#[test]
fn what_other_devices_did_meanwhile_comes_with_the_resumption() {
    on_both_stores(|server| {
        let (mut desk, previd) = managed(server, "desk");
        let mut phone = copied(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        phone.send(&chat("bob@localhost/desk", "before"));
        conversation(&mut desk, &[("sent", "before", 1)]);
        desk.drop_connection();
        for (question, answer) in [("q1", "a1"), ("q2", "a2")] {
            phone.send(&chat("bob@localhost/desk", question));
            bob.wait_for(&format!("<message><body>{question}</body>"));
            bob.send(&chat("alice@localhost/phone", answer));
            phone.wait_for(&format!("<message><body>{answer}</body>"));
        }
        // It does not say that it has had the first copy.
        let (mut desk, _) = Client::resume(server, "alice", &previd, 2);
        let all =
            [("sent", "before", 1), ("sent", "q1", 2), ("received", "a1", 3), ("sent", "q2", 4), ("received", "a2", 5)];
        conversation(&mut desk, &all);
        phone.send(&chat("bob@localhost", "after"));
        conversation(&mut desk, &[("sent", "after", 6)]);
    });
}

#[test]
fn copies_outlive_the_server_with_their_stream() {
    for end in [Server::restart as fn(&mut Server), Server::crash] {
        let mut server = Setup::default().start();
        let (mut desk, previd) = managed(&server, "desk");
        let mut phone = copied(&server, "alice", "phone");
        phone.send(&chat("bob@localhost", "before"));
        conversation(&mut desk, &[("sent", "before", 1)]);
        // What has changed is noted once a second.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        end(&mut server);
        let mut phone = copied(&server, "alice", "phone");
        let mut bob = Client::login(&server, "bob", "desk");
        bob.available();
        phone.send(&chat("bob@localhost/desk", "q"));
        bob.wait_for("<message><body>q</body>");
        bob.send(&chat("alice@localhost/phone", "a"));
        phone.wait_for("<message><body>a</body>");
        let (mut desk, _) = Client::resume(&server, "alice", &previd, 2);
        conversation(&mut desk, &[("sent", "before", 1), ("sent", "q", 2), ("received", "a", 3)]);
        phone.send(&chat("bob@localhost", "after"));
        conversation(&mut desk, &[("sent", "after", 4)]);
    }
}

fn call_me(phone: &mut Client) {
    phone.send("<iq type='set' id='call'><enable xmlns='urn:xmpp:push:0' jid='carol@localhost/push' node='n'/></iq>");
    phone.expect("<iq type='result' id='call'");
}

#[test]
fn a_service_calls_who_has_lost_its_connection() {
    on_both_stores(|server| {
        let (mut service, mut bob) = (Client::login(server, "carol", "push"), Client::login(server, "bob", "desk"));
        let (mut phone, _) = managed(server, "phone");
        call_me(&mut phone);
        phone.drop_connection();
        // Whether the server knows that yet or not: nobody looks at what comes.
        bob.send(&chat("alice@localhost", "hello"));
        service.expect("<iq type='set' from='localhost' to='carol@localhost/push'><pubsub");
    });
}

#[test]
fn a_service_calls_for_what_was_on_its_way_when_the_connection_was_lost() {
    on_both_stores(|server| {
        let (mut service, mut bob) = (Client::login(server, "carol", "push"), Client::login(server, "bob", "desk"));
        let mut phone = Client::login(server, "alice", "phone");
        phone.server_pings(ServerPings::Shown);
        call_me(&mut phone);
        phone.available();
        bob.send(&chat("alice@localhost", "hello"));
        phone.wait_for("<message><body>hello</body>");
        service.expect_nothing_before_ping();
        phone.drop_connection();
        let told = service.expect("<iq type='set' from='localhost' to='carol@localhost/push'><pubsub");
        assert!(told.contains("<field var='message-count'><value>1</value>"), "{told}");
    });
}
