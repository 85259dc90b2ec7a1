//! Leaving a room, and being lost to it (sections 7.14 and 11).

use crate::{ROOM, configuration, coven, does, enter, founded, guest, pass, person, quiet, refused, sees, server};

// XEP-0045 example 80
// XEP-0045 example 81
// XEP-0045 example 82
// XEP-0045 example 83
#[test]
fn who_goes_is_told_so_and_so_are_the_others() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    carol.send(&format!("<presence to='{ROOM}/third' id='bye' type='unavailable'><status>bye</status></presence>"));
    for (client, told) in [
        (&mut carol, "-third none/none carol@localhost/phone 110"),
        (&mut alice, "-third none/none carol@localhost/phone"),
        (&mut bob, "-third none/none"),
    ] {
        let seen = sees(client, told);
        assert!(seen.contains("<status>bye</status>"));
        // Whoever goes finds its own presence again.
        assert_eq!(seen.contains(" id='bye'"), told.ends_with("110"), "{seen}");
    }
    crate::say(&mut alice, "gone?");
    crate::hears(&mut bob, "first", "gone?");
    carol.so_far();
    assert!(!carol.so_far().iter().any(|seen| seen.contains("gone?")));
    quiet(&mut [&mut carol]);
}

#[test]
fn who_goes_from_where_it_is_not_changes_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let mut dave = person(&server, "dave");
    dave.send(&format!("<presence to='{ROOM}/third' type='unavailable'/>"));
    pass(&mut [&mut dave]);
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

/// General unavailable presence goes to rooms as well, and so does the end of a session.
#[test]
fn a_session_that_ends_leaves() {
    let server = server();
    let (mut alice, mut bob, carol) = coven(&server, &[]);
    bob.send("<presence/><presence type='unavailable'><status>offline</status></presence>");
    let gone = crate::until(&mut alice, "<presence type='unavailable'").1;
    assert!(gone.attribute("from").unwrap().ends_with("/second"), "{gone}");
    pass(&mut [&mut alice]);
    carol.close();
    let gone = alice.expect("<presence type='unavailable'");
    assert!(gone.attribute("from").unwrap().ends_with("/third"), "{gone}");
}

#[test]
fn a_connection_that_breaks_leaves() {
    let server = server();
    let (mut alice, bob, mut carol) = coven(&server, &[]);
    bob.drop_connection();
    for client in [&mut alice, &mut carol] {
        let gone = client.expect("<presence type='unavailable'");
        assert!(gone.attribute("from").unwrap().ends_with("/second"), "{gone}");
    }
    quiet(&mut [&mut alice, &mut carol]);
}

/// Section 7.14: the room ends with the last occupant, unless it is to stay.
#[test]
fn the_last_one_ends_a_room_that_is_not_to_stay() {
    let server = server();
    let mut alice = founded(&server, &[]);
    alice.send(&format!("<presence to='{ROOM}/first' type='unavailable'/>"));
    sees(&mut alice, "-first owner/none alice@localhost/phone 110");
    assert_eq!(refused(&mut alice, "get", crate::INFO), "cancel item-not-found");
    let came = enter(&mut person(&server, "bob"), "second");
    assert!(crate::short(&came[0]).starts_with("second owner/moderator"), "it is bob's now: {came:?}");
}

#[test]
fn a_room_that_is_to_stay_is_there_with_nobody_in_it() {
    let server = server();
    let mut alice = founded(&server, &[("persistentroom", "1"), ("roomname", "A Dark Cave")]);
    alice.send(&format!("<message to='{ROOM}' type='groupchat'><subject>Spells</subject></message>"));
    crate::until(&mut alice, "<message><subject>Spells");
    alice.close();
    let mut bob = person(&server, "bob");
    let info = crate::answer(&mut bob, "get", crate::INFO);
    assert!(info.contains("name='A Dark Cave'") && info.contains("muc_persistent"), "{info}");
    let came = enter(&mut bob, "second");
    assert_eq!(crate::shorts(&came), ["second none/participant bob@localhost/phone 110"]);
    assert!(came.last().unwrap().contains("<subject>Spells</subject>"), "{came:?}");
}

/// A room that stays until its owner lets it go is over when nobody is in it.
#[test]
fn a_room_that_is_not_to_stay_any_more_ends() {
    let server = server();
    let mut alice = founded(&server, &[("persistentroom", "1")]);
    alice.send(&format!("<presence to='{ROOM}/first' type='unavailable'/>"));
    sees(&mut alice, "-first owner/none alice@localhost/phone 110");
    crate::answer(&mut alice, "set", &configuration(&[("persistentroom", "0")]));
    assert_eq!(refused(&mut alice, "get", crate::INFO), "cancel item-not-found");
}

// XEP-0045 example 205
// XEP-0045 example 206
#[test]
fn who_cannot_be_reached_is_removed_and_everybody_is_told_why() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    crate::say(&mut alice, "hello");
    let heard = [&mut alice, &mut bob, &mut carol].map(|client| crate::hears(client, "first", "hello"));
    let from = heard[1].attribute("from").unwrap();
    bob.send(&format!(
        "<message type='error' to='{from}' id='hello'><error type='cancel'>\
         <recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    sees(&mut bob, "-second none/none bob@localhost/phone 110 333");
    sees(&mut alice, "-second none/none bob@localhost/phone 333");
    sees(&mut carol, "-second none/none 333");
}

/// Not every error says that somebody is gone: one about a single message does not.
#[test]
fn an_error_about_a_message_removes_nobody() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    bob.send(&format!(
        "<message type='error' to='{ROOM}/first' id='x'><error type='modify'>\
         <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ));
    pass(&mut [&mut bob]);
    let came = crate::so_far(&mut alice);
    assert!(!came.iter().any(|seen| seen.fits("<presence")), "{came:?}");
}

/// Those of one server do not leave because others do.
#[test]
fn everybody_leaves_by_itself() {
    let server = server();
    let mut alice = founded(&server, &[]);
    for round in 0..3 {
        let bob = guest(&server, "bob", "second", &mut [&mut alice]);
        let carol = guest(&server, "carol", "third", &mut [&mut alice]);
        for (client, nick) in [(bob, "second"), (carol, "third")] {
            client.close();
            let gone = alice.expect("<presence type='unavailable'");
            assert!(gone.attribute("from").unwrap().ends_with(nick), "round {round}: {gone}");
        }
    }
    drop(does(&mut alice, "get", crate::INFO));
}
