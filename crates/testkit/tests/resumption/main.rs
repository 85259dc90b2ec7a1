//! XEP-0198 over the wire: acknowledgements, streams that are resumed on another connection, and sessions that outlive the server.
#![allow(clippy::unwrap_used)]

mod counting;
mod faults;
mod given_up;
mod hostile;
mod resent;
mod restarts;
mod resuming;

use metronome_testkit::{Client, Seen, Server};

/// Logs in, enables stream management with resumption, and becomes available: the first stanza of each side. Answers the stream's name.
fn managed(server: &Server, name: &str, resource: &str) -> (Client, String) {
    let mut client = Client::login(server, name, resource);
    let previd = client.enable();
    client.available();
    (client, previd)
}

fn chat(to: &str, body: impl std::fmt::Display) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

/// The bodies of the next messages; whatever else comes is a mistake, requests of stream management aside.
fn bodies(client: &mut Client, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let seen = next(client);
        bodies.push(seen.text_of("body").unwrap_or_else(|| client.fail(&format!("this is no message: {seen}"))));
    }
    bodies
}

/// The next stanza; elements of stream management are passed over.
fn next(client: &mut Client) -> Seen {
    loop {
        let seen = client.next_piece();
        if !seen.fits("<r xmlns='urn:xmpp:sm:3'") && !seen.fits("<a xmlns='urn:xmpp:sm:3'") {
            return seen;
        }
    }
}

/// Nothing else comes; requests of stream management aside.
fn quiet(client: &mut Client) {
    client.send("<iq type='get' id='quiet' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
    let seen = next(client);
    assert!(seen.fits("<iq type='result' id='quiet'"), "{seen}");
}

/// Its stream ends with this error.
fn ends_with(client: &mut Client, condition: &str) -> Seen {
    let error = client.wait_for("<stream:error");
    assert!(error.contains(&format!("<{condition} ")), "{error}");
    error
}

/// Alice and bob see each other's presence from here on; what they are told of it is passed over.
fn befriend(server: &Server) {
    let (mut alice, mut bob) = (Client::login(server, "alice", "first"), Client::login(server, "bob", "first"));
    for (one, other) in [(&mut alice, "bob@localhost"), (&mut bob, "alice@localhost")] {
        one.send(&format!("<presence type='subscribe' to='{other}'/>"));
        one.send(&format!("<presence type='subscribed' to='{other}'/>"));
        one.settle(other);
    }
    for (one, other) in [(&mut alice, "bob@localhost"), (&mut bob, "alice@localhost")] {
        one.send(&format!("<presence type='subscribe' to='{other}'/>"));
        one.send(&format!("<presence type='subscribed' to='{other}'/>"));
        one.settle(other);
    }
    alice.close();
    bob.close();
}
