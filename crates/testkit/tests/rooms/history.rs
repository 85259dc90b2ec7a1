//! What was said before somebody entered (sections 7.2.13 and 7.2.14).

use metronome_testkit::{Client, Seen, Server};

use crate::readers::query;
use crate::{ROOM, bodies, enter_in, founded, guest, person, say_heard, server, until};

/// A room in which three things were said by bob.
fn room(server: &Server) -> (Client, Client) {
    let mut alice = founded(server, &[]);
    let mut bob = guest(server, "bob", "second", &mut [&mut alice]);
    for body in ["one", "two", "three"] {
        say_heard(&mut bob, body);
    }
    (alice, bob)
}

/// What carol is sent of the past when she enters like this.
#[track_caller]
fn past(server: &Server, history: &str) -> Vec<Seen> {
    let mut carol = person(server, "carol");
    let came = enter_in(&mut carol, ROOM, "third", history);
    carol.close();
    came.into_iter().filter(|seen| seen.contains("<body")).collect()
}

// XEP-0045 example 33
#[test]
fn the_past_comes_in_its_order_between_presence_and_subject() {
    let server = server();
    let _room = room(&server);
    let mut carol = person(&server, "carol");
    let came = enter_in(&mut carol, ROOM, "third", "");
    assert!(came[..3].iter().all(|seen| seen.fits("<presence")), "{came:?}");
    assert_eq!(bodies(&came[3..6]), ["one", "two", "three"]);
    assert!(came[6].contains("<subject"), "{came:?}");
    for (said, id) in came[3..6].iter().zip(["one", "two", "three"]) {
        assert!(said.fits(&format!("<message type='groupchat' from='{ROOM}/second' id='{id}'")), "{said}");
        assert_eq!(said.attribute_of("delay", "from").as_deref(), Some(ROOM), "{said}");
        assert_eq!(said.attribute_of("stanza-id", "by").as_deref(), Some(ROOM), "{said}");
        assert!(said.contains("<occupant-id "), "{said}");
        assert!(!said.contains("bob@localhost"), "the address of its author is hidden: {said}");
    }
}

#[test]
fn ids_in_the_past_are_those_that_were_heard() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let heard = say_heard(&mut alice, "once");
    let id = heard.attribute_of("stanza-id", "id");
    assert!(id.is_some(), "{heard}");
    assert_eq!(past(&server, "")[0].attribute_of("stanza-id", "id"), id);
}

// XEP-0045 example 35
#[test]
fn the_past_is_limited_by_characters() {
    let server = server();
    let _room = room(&server);
    assert_eq!(bodies(&past(&server, "<history maxchars='65000'/>")), ["one", "two", "three"]);
    let one = past(&server, "<history maxstanzas='1'/>")[0].chars().count();
    let some = past(&server, &format!("<history maxchars='{}'/>", 2 * one + one / 2));
    assert_eq!(bodies(&some), ["two", "three"]);
    assert!(past(&server, "<history maxchars='20'/>").is_empty());
}

// XEP-0045 example 36
#[test]
fn the_past_is_limited_by_messages() {
    let server = server();
    let _room = room(&server);
    assert_eq!(bodies(&past(&server, "<history maxstanzas='20'/>")), ["one", "two", "three"]);
    assert_eq!(bodies(&past(&server, "<history maxstanzas='2'/>")), ["two", "three"]);
    assert_eq!(bodies(&past(&server, "<history maxstanzas='2' maxchars='65000' seconds='180'/>")), ["two", "three"]);
    assert!(past(&server, "<history maxstanzas='0'/>").is_empty());
}

// XEP-0045 example 37
// XEP-0045 example 38
#[test]
fn the_past_is_limited_by_time() {
    let server = server();
    let _room = room(&server);
    assert_eq!(bodies(&past(&server, "<history seconds='180'/>")).len(), 3);
    assert_eq!(bodies(&past(&server, "<history since='1970-01-01T00:00:00Z'/>")).len(), 3);
    assert!(past(&server, "<history since='2999-01-01T00:00:00Z'/>").is_empty());
}

// XEP-0045 example 39
#[test]
fn nothing_of_the_past_comes_to_whoever_wants_none() {
    let server = server();
    let _room = room(&server);
    assert!(past(&server, "<history maxchars='0'/>").is_empty());
}

/// The room has its own bounds: how much comes without a wish, and at most.
#[test]
fn the_room_says_how_much_of_the_past_there_is() {
    let server = server();
    let mut alice = founded(&server, &[("historylength", "1"), ("muc#maxhistoryfetch", "2")]);
    for body in ["one", "two", "three"] {
        say_heard(&mut alice, body);
    }
    assert_eq!(bodies(&past(&server, "")), ["three"]);
    assert_eq!(bodies(&past(&server, "<history maxstanzas='1000'/>")), ["two", "three"]);
}

/// XEP-0308: a correction is a message that says by its id which one it corrects. What becomes of that is for clients to show, so both are
/// there, in their order and with the ids that were heard.
#[test]
fn what_was_corrected_is_there_with_its_correction_behind_it() {
    let server = server();
    let (mut alice, mut bob) = room(&server);
    bob.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='better'><body>tree</body>\
         <replace xmlns='urn:xmpp:message-correct:0' id='three'/></message>"
    ));
    let heard = until(&mut alice, "<message type='groupchat' id='better'").1;
    assert_eq!(heard.attribute_of("replace", "id").as_deref(), Some("three"), "{heard}");
    let came = past(&server, "");
    let archived = query(&mut alice, "").results;
    for seen in [&came, &archived] {
        assert_eq!(bodies(seen), ["one", "two", "three", "tree"]);
        assert!(seen[2].contains("id='three'") && !seen[2].contains("<replace"), "{}", seen[2]);
        assert!(seen[3].contains("id='better'"), "{}", seen[3]);
        assert_eq!(seen[3].attribute_of("replace", "id").as_deref(), Some("three"), "{}", seen[3]);
        let ids = [2, 3].map(|at| seen[at].attribute_of("occupant-id", "id").unwrap());
        assert_eq!(ids[0], ids[1], "of the same person");
    }
}
