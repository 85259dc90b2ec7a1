//! Nicknames, what presence says, and the nickname that is one's own (sections 7.6, 7.7 and 7.12).

use metronome_testkit::{Client, ask};

use crate::{
    ROOM, admin, answer, configuration, coven, does, enter, error, founded, guest, pass, person, quiet, sees, server,
    short, so_far,
};

fn rename(client: &mut Client, nick: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}' id='nick'/>"));
}

#[track_caller]
fn not_renamed(client: &mut Client, nick: &str) -> String {
    rename(client, nick);
    error(&client.expect(&format!("<presence type='error' id='nick' from='{ROOM}/{nick}'")))
}

// XEP-0045 example 49
// XEP-0045 example 50
#[test]
fn everybody_is_told_that_one_goes_by_another_name() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    rename(&mut carol, "oldhag");
    let sees_all =
        |jid: &str| (format!("-third none/none{jid} now oldhag 303"), format!("oldhag none/participant{jid}"));
    let (gone, there) = sees_all(" carol@localhost/phone");
    let seen = alice.next_piece();
    assert!([gone.clone(), gone.replace("none/none", "none/participant")].contains(&short(&seen)), "{seen}");
    sees(&mut alice, &there);
    let seen = bob.next_piece();
    assert!(seen.fits(&format!("<presence type='unavailable' from='{ROOM}/third'")), "{seen}");
    assert!(short(&seen).ends_with("now oldhag 303") && !seen.contains("carol@localhost"), "{seen}");
    sees(&mut bob, "oldhag none/participant");
    let seen = carol.next_piece();
    assert!(short(&seen).starts_with("-third") && short(&seen).ends_with("now oldhag 110 303"), "{seen}");
    let seen = sees(&mut carol, "oldhag none/participant carol@localhost/phone 110");
    assert_eq!(seen.attribute("id").as_deref(), Some("nick"), "{seen}");
    crate::say(&mut carol, "it is me");
    crate::hears(&mut bob, "oldhag", "it is me");
    bob.send(&format!("<message to='{ROOM}/third' type='chat' id='old'><body>hello</body></message>"));
    assert_eq!(error(&bob.expect("<message type='error' id='old'")), "cancel item-not-found");
}

// XEP-0045 example 52
#[test]
fn no_name_is_taken_from_who_has_it() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    assert_eq!(not_renamed(&mut bob, "third"), "cancel conflict");
    assert_eq!(not_renamed(&mut bob, "THIRD"), "cancel conflict");
    does(&mut alice, "set", &admin("<item affiliation='member' jid='dave@localhost' nick='kept'/>"));
    assert_eq!(not_renamed(&mut bob, "kept"), "cancel conflict");
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0045 example 53
#[test]
fn names_may_be_locked() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("x-muc#roomconfig_canchangenick", "0")]);
    assert_eq!(not_renamed(&mut bob, "other"), "cancel not-acceptable");
    quiet(&mut [&mut alice]);
    rename(&mut alice, "moderators may");
    sees(&mut alice, "-first owner/none alice@localhost/phone now moderators may 110 303");
}

#[test]
fn visitors_keep_their_name_where_the_room_says_so() {
    let server = server();
    let (mut alice, mut bob, _carol) =
        coven(&server, &[("moderatedroom", "1"), ("allowvisitornickchange", "0"), ("allowvisitorstatus", "0")]);
    assert_eq!(not_renamed(&mut bob, "other"), "cancel not-acceptable");
    bob.send(&format!("<presence to='{ROOM}/second' id='status'><status>look</status></presence>"));
    let own = bob.expect(&format!("<presence id='status' from='{ROOM}/second'"));
    assert!(!own.contains("<status>"), "it is left out: {own}");
    quiet(&mut [&mut alice]);
}

// XEP-0045 example 54
// XEP-0045 example 55
#[test]
fn everybody_is_told_what_the_presence_of_an_occupant_says() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!(
        "<presence to='{ROOM}/second'><show>xa</show><status>gone where the goblins go</status></presence>"
    ));
    for (client, told) in [
        (&mut alice, "second none/participant bob@localhost/phone"),
        (&mut bob, "second none/participant bob@localhost/phone 110"),
        (&mut carol, "second none/participant"),
    ] {
        let seen = sees(client, told);
        assert!(
            seen.contains("<show>xa</show>") && seen.contains("<status>gone where the goblins go</status>"),
            "{seen}"
        );
    }
    let came = enter(&mut person(&server, "dave"), "fourth");
    assert!(came.iter().any(|seen| seen.contains("gone where the goblins go")), "{came:?}");
}

/// RFC 6121 section 4.4: general presence goes to where directed presence went, so to rooms.
#[test]
fn presence_to_everybody_is_not_presence_to_rooms() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send("<presence><show>dnd</show></presence>");
    pass(&mut [&mut bob]);
    for client in [&mut alice, &mut carol] {
        let came = so_far(client);
        assert!(
            came.is_empty() || came.iter().all(|seen| short(seen).starts_with("second none/participant")),
            "{came:?}"
        );
    }
}

// XEP-0045 example 77
// XEP-0045 example 78
#[test]
fn one_is_told_the_own_nickname() {
    let server = server();
    let mut alice = founded(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost' nick='thirdwitch'/>"));
    let query = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>";
    let mut bob = person(&server, "bob");
    let seen = answer(&mut bob, "get", query);
    assert_eq!(seen.attribute_of("identity", "name").as_deref(), Some("thirdwitch"), "{seen}");
    assert_eq!(seen.attribute_of("identity", "category").as_deref(), Some("conference"), "{seen}");
    assert_eq!(seen.attribute_of("query", "node").as_deref(), Some("x-roomuser-item"), "{seen}");
    let seen = answer(&mut person(&server, "carol"), "get", query);
    assert!(!seen.contains("<identity"), "{seen}");
    enter(&mut bob, "another");
    assert!(ask(&mut bob, "get", ROOM, query).contains("thirdwitch"), "it is told to occupants as well");
}

/// Section 7.10: registering makes the name one's own.
#[test]
fn what_is_registered_is_refused_to_others_and_allowed_to_its_owner_in_any_room_type() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost' nick='hecate'/>"));
    pass(&mut [&mut bob]);
    rename(&mut bob, "hecate");
    let came = so_far(&mut bob);
    assert!(came.iter().any(|seen| short(seen) == "hecate member/participant bob@localhost/phone 110"), "{came:?}");
    does(&mut alice, "set", &configuration(&[("x-muc#roomconfig_reservednick", "1")]));
    pass(&mut [&mut bob]);
    assert_eq!(not_renamed(&mut bob, "free"), "cancel not-acceptable");
}
