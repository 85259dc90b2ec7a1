//! The subject (sections 7.3 and 8.1).

use metronome_testkit::Client;

use crate::{ROOM, configuration, coven, does, enter, error, hears, pass, person, quiet, server};

fn subject(client: &mut Client, inside: &str) {
    client.send(&format!("<message to='{ROOM}' type='groupchat' id='s'>{inside}</message>"));
}

// XEP-0045 example 84
// XEP-0045 example 85
// XEP-0045 example 86
#[test]
fn a_moderator_changes_the_subject_and_everybody_is_told() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    subject(&mut alice, "<subject>Fire Burn and Cauldron Bubble!</subject>");
    for client in [&mut alice, &mut bob, &mut carol] {
        let seen = client.expect(&format!("<message type='groupchat' id='s' from='{ROOM}/first'"));
        assert!(
            seen.contains("<subject>Fire Burn and Cauldron Bubble!</subject>") && !seen.contains("<body"),
            "{seen}"
        );
    }
    let info = crate::answer(&mut bob, "get", crate::INFO);
    assert!(info.contains("Fire Burn and Cauldron Bubble!"), "{info}");
}

// XEP-0045 example 87
#[test]
fn others_do_not_change_it() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    subject(&mut bob, "<subject>mine</subject>");
    assert_eq!(error(&bob.expect(&format!("<message type='error' id='s' from='{ROOM}'"))), "auth forbidden");
    quiet(&mut [&mut alice, &mut carol]);
}

/// muc#roomconfig_changesubject, which does not concern visitors.
#[test]
fn participants_change_it_where_the_room_lets_them() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[("changesubject", "1")]);
    subject(&mut bob, "<subject>by a participant</subject>");
    for client in [&mut alice, &mut bob, &mut carol] {
        client.expect(&format!("<message from='{ROOM}/second'><subject>by a participant"));
    }
    does(&mut alice, "set", &configuration(&[("moderatedroom", "1"), ("changesubject", "1")]));
    let mut dave = person(&server, "dave");
    enter(&mut dave, "fourth");
    subject(&mut dave, "<subject>by a visitor</subject>");
    assert_eq!(error(&dave.expect("<message type='error' id='s'")), "auth forbidden");
}

// XEP-0045 example 88
#[test]
fn the_subject_is_taken_away() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    subject(&mut alice, "<subject>for a while</subject>");
    subject(&mut alice, "<subject/>");
    bob.expect("<message><subject>for a while");
    let seen = bob.expect(&format!("<message from='{ROOM}/first'><subject"));
    assert_eq!(seen.text_of("subject").as_deref(), Some(""), "{seen}");
    let came = enter(&mut person(&server, "dave"), "fourth");
    let last = came.last().unwrap();
    assert_eq!(last.text_of("subject").as_deref(), Some(""), "{last}");
    assert!(last.attribute_of("delay", "stamp").is_some(), "it was taken away: {last}");
}

/// Only a subject alone is one: with a body or a thread it is a message like others.
#[test]
fn a_message_with_a_subject_and_more_is_a_message() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    subject(&mut bob, "<subject>no</subject><body>a letter</body>");
    for client in [&mut alice, &mut bob, &mut carol] {
        assert!(hears(client, "second", "a letter").contains("<subject>no</subject>"));
    }
    subject(&mut bob, "<subject>no</subject><thread>t</thread>");
    pass(&mut [&mut alice]);
    let came = enter(&mut person(&server, "dave"), "fourth");
    assert_eq!(came.last().unwrap().text_of("subject").as_deref(), Some(""));
}

/// Section 7.2.15: it is no part of the past, whoever reads that.
#[test]
fn subjects_are_not_among_the_past() {
    let server = server();
    let (mut alice, _bob, _carol) = coven(&server, &[]);
    subject(&mut alice, "<subject>first</subject>");
    subject(&mut alice, "<subject>second</subject>");
    crate::say_heard(&mut alice, "between");
    subject(&mut alice, "<subject>third</subject>");
    crate::until(&mut alice, "<message><subject>third");
    let mut dave = person(&server, "dave");
    let came = enter(&mut dave, "fourth");
    let subjects: Vec<_> = came.iter().filter_map(|seen| seen.text_of("subject")).collect();
    assert_eq!(subjects, ["third"], "{came:?}");
    quiet(&mut [&mut dave]);
}
