//! Archives, pictures and bits of rooms for people of other servers.

use metronome_testkit::{Client, Seen, Server, World};

use crate::{admin, bodies, error, join_stanza, owner, until};

const ROOM: &str = "coven@rooms.a.example";
const QUERY: &str = "<query xmlns='urn:xmpp:mam:2' queryid='q'/>";

fn person(server: &Server, name: &str, domain: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "here");
    client
}

#[track_caller]
fn enter(client: &mut Client, nick: &str) {
    client.send(&join_stanza(ROOM, nick, ""));
    until(client, "<message type='groupchat'><subject");
}

/// What came before the answer, and that.
#[track_caller]
fn asks(client: &mut Client, kind: &str, payload: &str) -> (Vec<Seen>, Seen) {
    client.send(&format!("<iq type='{kind}' id='ask' to='{ROOM}'>{payload}</iq>"));
    until(client, "<iq id='ask'")
}

#[test]
fn people_of_another_server_read_what_people_of_this_one_would() {
    let world = World::new();
    let a = world.setup("a.example", "alice").start();
    for domain in ["a.example", "rooms.a.example"] {
        world.publish(domain, &a);
    }
    let b = world.server("b.example", "bob", "");
    let mut alice = person(&a, "alice", "a.example");
    enter(&mut alice, "first");
    assert!(asks(&mut alice, "set", &owner("<x xmlns='jabber:x:data' type='submit'/>")).1.fits("<iq type='result'"));
    for body in ["one", "two", "three"] {
        alice.send(&format!("<message to='{ROOM}' type='groupchat' id='{body}'><body>{body}</body></message>"));
        until(&mut alice, &format!("<message type='groupchat' id='{body}'"));
    }
    let picture =
        "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>";
    assert!(asks(&mut alice, "set", picture).1.fits("<iq type='result'"));

    let mut bob = person(&b, "bob", "b.example");
    let (results, fin) = asks(&mut bob, "set", QUERY);
    assert!(fin.fits(&format!("<iq type='result' from='{ROOM}'")) && fin.contains("complete='true'"), "{fin}");
    assert_eq!(bodies(&results), ["one", "two", "three"], "the results come before their end, in order");
    for result in &results {
        assert!(result.fits(&format!("<message from='{ROOM}' to='bob@b.example/here'")), "{result}");
        assert!(result.contains(&format!("from='{ROOM}/first'")) && !result.contains("alice@a.example"), "{result}");
    }
    let newest =
        "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set></query>";
    assert_eq!(bodies(&asks(&mut bob, "set", newest).0), ["three"]);
    assert!(asks(&mut bob, "get", "<metadata xmlns='urn:xmpp:mam:2'/>").1.contains("<start id='1'"));
    assert!(asks(&mut bob, "get", "<vCard xmlns='vcard-temp'/>").1.contains("iVBORw0KGgo="));
    assert_eq!(error(&asks(&mut bob, "set", "<vCard xmlns='vcard-temp'/>").1), "auth forbidden");

    asks(&mut alice, "set", &admin("<item affiliation='outcast' jid='b.example'/>"));
    let (results, refused) = asks(&mut bob, "set", QUERY);
    assert_eq!((error(&refused).as_str(), results.len()), ("auth forbidden", 0), "everybody of this server is banned");
}
