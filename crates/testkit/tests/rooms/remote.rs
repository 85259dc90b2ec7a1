//! Occupants from other servers, and what happens when those are gone.

use std::time::Duration;

use metronome_testkit::{Client, Server, World};

use crate::{admin, configuration, error, join_stanza, owner, short, until};

const ROOM: &str = "coven@rooms.a.example";

/// Two servers that find each other; the rooms are on the first.
fn servers(world: &World) -> (Server, Server) {
    let a = world.setup("a.example", "alice").account("carol@a.example").start();
    for domain in ["a.example", "rooms.a.example"] {
        world.publish(domain, &a);
    }
    (a, world.server("b.example", "bob", ""))
}

fn person(server: &Server, name: &str, domain: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "here");
    client
}

#[track_caller]
fn enter(client: &mut Client, nick: &str) -> Vec<metronome_testkit::Seen> {
    client.send(&join_stanza(ROOM, nick, ""));
    let (mut came, subject) = until(client, "<message type='groupchat'><subject");
    came.push(subject);
    came
}

#[track_caller]
fn does(client: &mut Client, payload: &str) {
    client.send(&format!("<iq type='set' id='does' to='{ROOM}'>{payload}</iq>"));
    let answer = until(client, "<iq id='does'").1;
    assert!(answer.fits("<iq type='result'"), "{answer}");
}

fn say(client: &mut Client, body: &str) {
    client.send(&format!("<message to='{ROOM}' type='groupchat' id='{body}'><body>{body}</body></message>"));
}

#[track_caller]
fn hears(client: &mut Client, nick: &str, body: &str) {
    until(client, &format!("<message type='groupchat' from='{ROOM}/{nick}'><body>{body}</body>"));
}

/// Alice has made the room and is in it as `first`, bob has come from the other server as `second`.
fn room(a: &Server, b: &Server) -> (Client, Client) {
    let mut alice = person(a, "alice", "a.example");
    enter(&mut alice, "first");
    does(&mut alice, &owner("<x xmlns='jabber:x:data' type='submit'/>"));
    let mut bob = person(b, "bob", "b.example");
    let came = enter(&mut bob, "second");
    assert_eq!(short(&came[1]), "second none/participant bob@b.example/here 110");
    until(&mut alice, &format!("<presence from='{ROOM}/second'"));
    (alice, bob)
}

#[test]
fn people_of_two_servers_talk_in_one_room() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = room(&a, &b);
    say(&mut alice, "hello");
    hears(&mut bob, "first", "hello");
    say(&mut bob, "hello to you");
    hears(&mut alice, "second", "hello to you");
    bob.send(&format!("<message to='{ROOM}/first' type='chat'><body>psst</body></message>"));
    until(&mut alice, &format!("<message type='chat' from='{ROOM}/second'><body>psst"));
    does(&mut alice, &admin("<item affiliation='admin' jid='bob@b.example'/>"));
    let told = until(&mut bob, &format!("<presence from='{ROOM}/second'><item affiliation='admin'")).1;
    assert!(told.contains("role='moderator'"), "{told}");
    bob.send(&format!("<presence to='{ROOM}/second' type='unavailable'/>"));
    assert_eq!(short(&until(&mut bob, "<presence type='unavailable'").1), "-second admin/none bob@b.example/here 110");
    until(&mut alice, "<presence type='unavailable'");
}

#[test]
fn a_remote_session_that_ends_leaves() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, bob) = room(&a, &b);
    bob.close();
    let gone = until(&mut alice, "<presence type='unavailable'").1;
    assert!(short(&gone).starts_with("-second none/none bob@b.example/here"), "{gone}");
}

/// A server that is gone loses its occupants; they are told nothing, and the others hear why.
#[test]
fn a_server_that_cannot_be_reached_loses_its_occupants() {
    let world = World::new();
    let (a, mut b) = servers(&world);
    let (mut alice, _bob) = room(&a, &b);
    b.kill();
    say(&mut alice, "anybody there");
    let gone = until(&mut alice, "<presence type='unavailable'").1;
    assert_eq!(short(&gone), "-second none/none bob@b.example/here 333");
}

/// The same names at another server are other people.
#[test]
fn a_ban_of_a_domain_removes_everybody_there() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = room(&a, &b);
    does(&mut alice, &admin("<item affiliation='outcast' jid='b.example'/>"));
    assert_eq!(
        short(&until(&mut bob, "<presence type='unavailable'").1),
        "-second outcast/none bob@b.example/here 110 301"
    );
    bob.send(&join_stanza(ROOM, "second", ""));
    assert_eq!(error(&until(&mut bob, "<presence type='error'").1), "auth forbidden");
    let mut carol = person(&a, "carol", "a.example");
    enter(&mut carol, "third");
}

/// Who makes rooms: those of other servers only where the service lets everybody.
#[test]
fn strangers_make_no_rooms_unless_everybody_may() {
    let world = World::new();
    let (a, b) = servers(&world);
    let mut bob = person(&b, "bob", "b.example");
    bob.send(&join_stanza(ROOM, "first", ""));
    assert_eq!(error(&bob.expect("<presence type='error'")), "cancel not-allowed");
    a.write_options(&format!("rooms.creation = \"everybody\"\n{}", world.names().options()));
    assert_eq!(a.control().ask("reload", serde_json::json!({}))["exit"], 0);
    let came = enter(&mut bob, "first");
    assert_eq!(short(&came[0]), "first owner/moderator bob@b.example/here 110 201");
    does(&mut bob, &configuration(&[("persistentroom", "1")]));
}

/// A client of an old kind that answers every message with an error brings down nobody but itself, and nothing goes round in circles.
#[test]
fn errors_are_not_answered_with_errors() {
    let world = World::new();
    let (a, b) = servers(&world);
    let (mut alice, mut bob) = room(&a, &b);
    for kind in ["message", "presence", "iq"] {
        for to in
            [ROOM.to_owned(), format!("{ROOM}/first"), format!("{ROOM}/nobody"), "none@rooms.a.example/x".to_owned()]
        {
            bob.send(&format!(
                "<{kind} type='error' id='e' to='{to}'><error type='modify'>\
                 <bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{kind}>"
            ));
        }
    }
    say(&mut alice, "over");
    let (before, _) = until(&mut bob, "<message type='groupchat'");
    assert!(before.iter().all(|seen| seen.attribute("type").as_deref() != Some("error")), "{before:?}");
    assert!(bob.next_within(Duration::from_millis(1)).is_none());
}
