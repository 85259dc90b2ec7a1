//! Invitations through the room and without it (sections 7.8, 7.9 and 9.5, XEP-0249).

use metronome_testkit::{Client, Seen};

use crate::{
    ROOM, admin, codes, configuration, coven, does, enter, error, founded, guest, quiet, server, short, shorts,
};

fn invite(client: &mut Client, invites: &str) {
    client.send(&format!(
        "<message to='{ROOM}' id='invite'><x xmlns='http://jabber.org/protocol/muc#user'>{invites}</x></message>"
    ));
}

/// Somebody whom messages to the account reach.
fn at_home(server: &metronome_testkit::Server, name: &str) -> Client {
    metronome_testkit::online(server, name, "phone")
}

#[track_caller]
fn invitation(client: &mut Client) -> Seen {
    // Whoever becomes a member by it is told that as well.
    crate::until(client, &format!("<message from='{ROOM}'><invite")).1
}

// XEP-0045 example 56
// XEP-0045 example 57
#[test]
fn the_room_invites_in_the_name_of_an_occupant() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("passwordprotectedroom", "0")]);
    let mut dave = at_home(&server, "dave");
    invite(&mut bob, "<invite to='dave@localhost'><reason>the place for all good witches</reason></invite>");
    let seen = invitation(&mut dave);
    assert!(seen.contains("<reason>the place for all good witches</reason>"), "{seen}");
    assert_eq!(seen.attribute_of("invite", "from"), Some(format!("{ROOM}/second")), "the address is hidden: {seen}");
    assert_eq!(seen.attribute_of("invite", "to"), None, "{seen}");
    assert!(!seen.contains("<password"), "{seen}");
    does(
        &mut alice,
        "set",
        &configuration(&[("passwordprotectedroom", "1"), ("roomsecret", "cauldronburn"), ("whois", "anyone")]),
    );
    invite(&mut alice, "<invite to='dave@localhost'/>");
    let seen = invitation(&mut dave);
    assert_eq!(seen.text_of("password").as_deref(), Some("cauldronburn"), "{seen}");
    assert_eq!(seen.attribute_of("invite", "from").as_deref(), Some("alice@localhost"), "{seen}");
}

// XEP-0045 example 58
// XEP-0045 example 59
#[test]
fn who_was_invited_declines() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let mut dave = at_home(&server, "dave");
    invite(&mut bob, "<invite to='dave@localhost'/>");
    let from = invitation(&mut dave).attribute_of("invite", "from").unwrap();
    let decline = format!(
        "<message to='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='{from}'>\
         <reason>too busy</reason></decline></x></message>"
    );
    dave.send(&decline);
    let seen = bob.expect(&format!("<message from='{ROOM}'><decline"));
    assert_eq!(seen.attribute_of("decline", "from").as_deref(), Some("dave@localhost"), "{seen}");
    assert!(seen.contains("<reason>too busy</reason>"), "{seen}");
    // Once; and who was not invited writes to nobody through the room.
    dave.send(&decline);
    carol.send(&decline.replace(&from, "alice@localhost"));
    dave.so_far();
    quiet(&mut [&mut carol, &mut bob, &mut alice]);
}

// XEP-0045 example 63
// XEP-0045 example 64
#[test]
fn several_are_invited_to_go_on_with_a_conversation() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let (mut bob, mut carol) = (at_home(&server, "bob"), at_home(&server, "carol"));
    invite(
        &mut alice,
        "<invite to='bob@localhost/phone'><continue thread='e0ffe4'/></invite>\
         <invite to='carol@localhost'><reason>both</reason><continue thread='e0ffe4'/></invite>",
    );
    for client in [&mut bob, &mut carol] {
        let seen = invitation(client);
        assert_eq!(seen.attribute_of("continue", "thread").as_deref(), Some("e0ffe4"), "{seen}");
        assert_eq!(seen.matches("<invite").count(), 1, "nobody is told of the others: {seen}");
    }
}

/// muc#roomconfig_allowinvites: in a room of members an invitation makes the invited a member.
#[test]
fn who_is_invited_into_a_room_of_members_is_one() {
    let server = server();
    let mut alice = founded(&server, &[("membersonly", "1"), ("allowinvites", "1")]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut dave = at_home(&server, "dave");
    invite(&mut bob, "<invite to='dave@localhost'/>");
    invitation(&mut dave);
    dave.so_far();
    assert!(shorts(&enter(&mut dave, "fourth")).iter().any(|seen| seen.starts_with("fourth member/participant")));
}

// XEP-0045 example 135
#[test]
fn mere_members_do_not_invite_where_only_admins_do() {
    let server = server();
    let mut alice = founded(&server, &[("membersonly", "1"), ("allowinvites", "0")]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut dave = at_home(&server, "dave");
    invite(&mut bob, "<invite to='dave@localhost'><reason>come</reason></invite>");
    let refused = bob.expect(&format!("<message type='error' id='invite' from='{ROOM}'"));
    assert_eq!(error(&refused), "auth forbidden");
    assert!(dave.so_far().is_empty());
}

#[test]
fn an_invitation_into_an_open_room_makes_nobody_a_member() {
    let server = server();
    let (_alice, mut bob, _carol) = coven(&server, &[]);
    let mut dave = at_home(&server, "dave");
    invite(&mut bob, "<invite to='dave@localhost'/>");
    invitation(&mut dave);
    let came = enter(&mut dave, "fourth");
    assert!(came.iter().any(|seen| short(seen) == "fourth none/participant dave@localhost/phone 110"), "{came:?}");
}

#[test]
fn nobody_invites_from_outside_nor_outcasts() {
    let server = server();
    let mut alice = founded(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='outcast' jid='carol@localhost'/>"));
    let mut dave = at_home(&server, "dave");
    invite(&mut dave, "<invite to='bob@localhost'/>");
    assert!(error(&dave.expect("<message type='error' id='invite'")).ends_with("not-acceptable"));
    invite(&mut alice, "<invite to='carol@localhost'/>");
    assert!(error(&alice.expect("<message type='error' id='invite'")).ends_with("not-allowed"));
}

// XEP-0045 example 134
#[test]
fn a_new_member_of_a_closed_room_is_invited() {
    let server = server();
    let mut alice =
        founded(&server, &[("membersonly", "1"), ("passwordprotectedroom", "1"), ("roomsecret", "cauldronburn")]);
    let mut dave = at_home(&server, "dave");
    does(&mut alice, "set", &admin("<item affiliation='member' jid='dave@localhost'/>"));
    let (came, invited) = crate::until(&mut dave, &format!("<message from='{ROOM}'><invite"));
    assert_eq!(invited.text_of("password").as_deref(), Some("cauldronburn"), "{invited}");
    // Section 15.2: a change while away is told with the code 101.
    assert!(came.iter().any(|seen| codes(seen) == [101]), "{came:?}");
}

// XEP-0249 example 1
// XEP-0249 example 2
#[test]
fn a_direct_invitation_goes_past_the_room() {
    let server = server();
    let (mut alice, mut bob) = (at_home(&server, "alice"), at_home(&server, "bob"));
    let direct = format!("<x xmlns='jabber:x:conference' jid='{ROOM}' password='cauldronburn' reason='Hey Hecate'/>");
    let continued = format!("<x xmlns='jabber:x:conference' jid='{ROOM}' continue='true' thread='e0ffe4'/>");
    for invitation in [direct, continued] {
        alice.send(&format!("<message to='bob@localhost'>{invitation}</message>"));
        let seen = bob.expect("<message from='alice@localhost/phone'><x xmlns='jabber:x:conference'");
        assert_eq!(seen.attribute_of("x", "jid").as_deref(), Some(ROOM), "{seen}");
    }
}
