//! Entering a room (section 7.2, with the order of section 7.1): who may, and what is told to whom.

use metronome_testkit::{Client, Seen};

use crate::{
    ROOM, admin, configuration, coven, does, enter, enter_in, error, founded, guest, join_stanza, pass, person, quiet,
    sees, server, short, shorts, shut_out, so_far,
};

// XEP-0045 example 18
// XEP-0045 example 20
// XEP-0045 example 21
// XEP-0045 example 41
#[test]
fn who_enters_is_shown_the_others_then_itself_then_the_subject() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut carol = person(&server, "carol");
    let came = enter(&mut carol, "third");
    let presence =
        ["first owner/moderator", "second none/participant", "third none/participant carol@localhost/phone 110"];
    assert_eq!(shorts(&came), presence);
    assert_eq!(came.len(), 4, "{came:?}");
    assert_eq!(came[2].attribute("id").as_deref(), Some("join"));
    let subject = &came[3];
    assert!(subject.attribute("from").unwrap().starts_with(ROOM) && !subject.contains("<body"), "{subject}");
    assert_eq!(subject.text_of("subject").as_deref(), Some(""));
    sees(&mut alice, "third none/participant carol@localhost/phone");
    sees(&mut bob, "third none/participant");
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0045 example 19
#[test]
fn who_names_no_nickname_does_not_get_in() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    bob.send(&format!("<presence to='{ROOM}' id='none'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    let seen = bob.expect(&format!("<presence type='error' id='none' from='{ROOM}'"));
    assert_eq!(error(&seen), "modify jid-malformed");
    quiet(&mut [&mut alice, &mut bob]);
}

/// The presence that one sends is the one that others see, with nothing in it that only rooms say.
#[test]
fn what_the_presence_says_comes_along() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    let forged = "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/>\
                  <status code='110'/></x><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>";
    bob.send(&format!(
        "<presence to='{ROOM}/second'><show>away</show><status>tea</status>{forged}\
         <x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    let seen = sees(&mut alice, "second none/participant bob@localhost/phone");
    assert!(seen.contains("<show>away</show>") && seen.contains("<status>tea</status>"), "{seen}");
    assert!(!seen.contains("forged") && !seen.contains("protocol/muc'"), "{seen}");
    assert_eq!(seen.matches("muc#user").count(), 1, "{seen}");
    let came = enter_in(&mut person(&server, "carol"), ROOM, "third", "");
    let second = came.iter().find(|seen| short(seen).starts_with("second")).unwrap();
    assert!(second.contains("<status>tea</status>") && !second.contains("forged"), "{second}");
}

#[test]
fn who_is_in_already_and_enters_again_is_sent_everything_anew() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let first: Vec<String> = shorts(&enter(&mut bob, "second"));
    let again: Vec<String> = shorts(&enter(&mut bob, "second"));
    assert_eq!(first, again);
    assert_eq!(
        again,
        ["first owner/moderator", "third none/participant", "second none/participant bob@localhost/phone 110"]
    );
    for client in [&mut alice, &mut carol] {
        assert!(so_far(client).iter().all(|seen| short(seen).starts_with("second none/participant")));
    }
}

// XEP-0045 example 22
#[test]
fn where_registered_nicknames_count_nobody_has_another() {
    let server = server();
    let mut alice = founded(&server, &[("x-muc#roomconfig_reservednick", "1")]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost' nick='thirdwitch'/>"));
    let mut bob = person(&server, "bob");
    let came = enter(&mut bob, "somebody");
    assert_eq!(short(&came[1]), "thirdwitch member/participant bob@localhost/phone 110 210");
    sees(&mut alice, "thirdwitch member/participant bob@localhost/phone");
}

// XEP-0045 example 23
// XEP-0045 example 24
#[test]
fn where_everybody_sees_addresses_those_who_enter_are_warned() {
    let server = server();
    let mut alice = founded(&server, &[("whois", "anyone")]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut carol = person(&server, "carol");
    let came = enter(&mut carol, "third");
    assert_eq!(
        shorts(&came),
        [
            "first owner/moderator alice@localhost/phone",
            "second none/participant bob@localhost/phone",
            "third none/participant carol@localhost/phone 100 110",
        ]
    );
    for client in [&mut alice, &mut bob] {
        sees(client, "third none/participant carol@localhost/phone");
    }
}

// XEP-0045 example 25
// XEP-0045 example 26
#[test]
fn a_password_is_asked_for() {
    let server = server();
    let mut alice = founded(&server, &[("passwordprotectedroom", "1"), ("roomsecret", "cauldronburn")]);
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "second", ""), "auth not-authorized");
    assert_eq!(shut_out(&mut bob, "second", "<password>cauldron</password>"), "auth not-authorized");
    enter_in(&mut bob, ROOM, "second", "<password>cauldronburn</password>");
    sees(&mut alice, "second none/participant bob@localhost/phone");
    // Who is no member hears nothing of the password by a wrong one.
    does(&mut alice, "set", &configuration(&[("membersonly", "1")]));
    assert_eq!(
        shut_out(&mut person(&server, "dave"), "fourth", "<password>no</password>"),
        "auth registration-required"
    );
}

// XEP-0045 example 27
#[test]
fn strangers_do_not_enter_a_room_of_members() {
    let server = server();
    let mut alice = founded(&server, &[("membersonly", "1")]);
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "second", ""), "auth registration-required");
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    let came = enter(&mut bob, "second");
    assert!(shorts(&came).contains(&"second member/participant bob@localhost/phone 110".to_owned()), "{came:?}");
}

// XEP-0045 example 28
#[test]
fn outcasts_do_not_enter() {
    let server = server();
    let mut alice = founded(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='outcast' jid='bob@localhost'/>"));
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "second", ""), "auth forbidden");
    quiet(&mut [&mut alice]);
}

// XEP-0045 example 29
#[test]
fn a_nickname_is_one_persons_in_whatever_case() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "first", ""), "cancel conflict");
    assert_eq!(shut_out(&mut bob, "FIRST", ""), "cancel conflict");
    does(&mut alice, "set", &admin("<item affiliation='member' jid='carol@localhost' nick='reserved'/>"));
    assert_eq!(shut_out(&mut bob, "Reserved", ""), "cancel conflict");
    let came = enter(&mut person(&server, "carol"), "reserved");
    assert!(short(&came[1]).starts_with("reserved member/participant"), "{came:?}");
}

/// Section 7.2.9: several sessions of one account are one occupant.
#[test]
fn several_sessions_of_an_account_share_a_nickname() {
    let server = server();
    let (mut alice, mut phone, mut carol) = coven(&server, &[]);
    let mut laptop = Client::login(&server, "bob", "laptop");
    enter(&mut laptop, "second");
    pass(&mut [&mut alice, &mut phone, &mut carol]);
    crate::say(&mut laptop, "from the laptop");
    for client in [&mut alice, &mut phone, &mut carol, &mut laptop] {
        crate::hears(client, "second", "from the laptop");
    }
    alice.send(&format!("<message to='{ROOM}/second' type='chat'><body>to both</body></message>"));
    for client in [&mut phone, &mut laptop] {
        client.expect(&format!("<message type='chat' from='{ROOM}/first'><body>to both"));
    }
    laptop.send(&format!("<presence to='{ROOM}/second' type='unavailable'/>"));
    sees(&mut laptop, "-second none/none bob@localhost/laptop 110");
    let gone = |seen: &Seen| short(seen).starts_with('-');
    for client in [&mut alice, &mut phone, &mut carol] {
        assert!(!so_far(client).iter().any(gone), "the occupant is still there");
    }
    crate::say(&mut phone, "still here");
    crate::hears(&mut carol, "second", "still here");
}

// XEP-0045 example 30
#[test]
fn a_full_room_lets_in_nobody_but_admins() {
    let server = server();
    let mut alice = founded(&server, &[("maxusers", "2")]);
    let _bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut carol = person(&server, "carol");
    assert_eq!(shut_out(&mut carol, "third", ""), "wait service-unavailable");
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='carol@localhost'/>"));
    pass(&mut [&mut carol]);
    let came = enter(&mut carol, "third");
    assert!(short(&came[2]).starts_with("third admin/moderator"), "{came:?}");
}

// XEP-0045 example 32
#[test]
fn who_enters_is_told_of_a_public_log() {
    let server = server();
    let mut alice = founded(&server, &[("enablelogging", "1"), ("whois", "anyone")]);
    let came = enter(&mut person(&server, "bob"), "second");
    assert_eq!(short(&came[1]), "second none/participant bob@localhost/phone 100 110 170");
    sees(&mut alice, "second none/participant bob@localhost/phone");
}

// XEP-0045 example 40
#[test]
fn who_enters_is_told_the_subject_and_when_it_was_set() {
    let server = server();
    let (mut alice, _bob, _carol) = coven(&server, &[]);
    alice.send(&format!("<message to='{ROOM}' type='groupchat'><subject>Fire Burn</subject></message>"));
    crate::until(&mut alice, "<message type='groupchat'><subject>Fire Burn");
    let came = enter(&mut person(&server, "dave"), "fourth");
    let subject = came.last().unwrap();
    assert!(
        subject.fits(&format!("<message from='{ROOM}/first' type='groupchat'><subject>Fire Burn</subject>")),
        "{subject}"
    );
    assert_eq!(subject.attribute_of("delay", "from").as_deref(), Some(ROOM), "{subject}");
    assert!(subject.attribute_of("delay", "stamp").is_some(), "{subject}");
    assert!(!subject.contains("<body"), "{subject}");
}

// XEP-0045 example 42
// XEP-0045 example 43
#[test]
fn who_only_believes_to_be_in_the_room_is_told_otherwise() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    bob.send(&format!("<presence to='{ROOM}/second'/>"));
    sees(&mut bob, "-second none/none 110 307 333");
    quiet(&mut [&mut alice, &mut bob]);
}

/// Section 7.2.4: where addresses are hidden only moderators see them, also those who become moderators.
#[test]
fn new_moderators_are_shown_the_addresses() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item role='moderator' nick='second'/>"));
    let came = shorts(&so_far(&mut bob));
    assert!(came.contains(&"second none/moderator bob@localhost/phone 110".to_owned()), "{came:?}");
    assert!(came.contains(&"third none/participant carol@localhost/phone".to_owned()), "{came:?}");
}

/// muc#roomconfig_presencebroadcast: moderators see all, others those with the named roles, and everybody sees itself.
#[test]
fn presence_of_some_roles_may_be_left_out() {
    let server = server();
    let mut alice = founded(&server, &[("presencebroadcast", "moderator")]);
    let mut bob = person(&server, "bob");
    assert_eq!(
        shorts(&enter(&mut bob, "second")),
        ["first owner/moderator", "second none/participant bob@localhost/phone 110"]
    );
    sees(&mut alice, "second none/participant bob@localhost/phone");
    let mut carol = person(&server, "carol");
    assert_eq!(
        shorts(&enter(&mut carol, "third")),
        ["first owner/moderator", "third none/participant carol@localhost/phone 110"]
    );
    quiet(&mut [&mut bob]);
    crate::say(&mut carol, "unseen, and heard");
    crate::hears(&mut bob, "third", "unseen, and heard");
    does(&mut alice, "set", &admin("<item role='moderator' nick='third'/>"));
    sees(&mut bob, "third none/moderator");
}

/// Whoever asks for entry by presence of a type is not let in by it (section 7.2.1).
#[test]
fn other_types_of_presence_enter_nothing() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    for kind in ["unavailable", "subscribe", "probe", "error"] {
        bob.send(&join_stanza(ROOM, "second", "").replace("<presence ", &format!("<presence type='{kind}' ")));
    }
    pass(&mut [&mut bob]);
    quiet(&mut [&mut alice]);
}
