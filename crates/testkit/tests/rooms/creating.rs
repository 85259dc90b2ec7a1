//! Making a room (section 10.1): who may, and until when nobody else enters it.

use metronome_testkit::{Client, ask, condition};

use crate::{
    INFO, ITEMS, ROOM, SERVICE, admin, answer, configuration, enter, error, owner, person, refused, sees, server,
    short, shorts, shut_out, with,
};

const INSTANT: &str = "<x xmlns='jabber:x:data' type='submit'/>";
const CANCEL: &str = "<x xmlns='jabber:x:data' type='cancel'/>";

/// Alice has made the room, and not configured it.
fn made(server: &metronome_testkit::Server) -> Client {
    let mut alice = person(server, "alice");
    enter(&mut alice, "first");
    alice
}

// XEP-0045 example 31
// XEP-0045 example 153
// XEP-0045 example 154
// XEP-0045 example 155
#[test]
fn who_enters_first_owns_the_room_and_others_wait() {
    let server = server();
    let mut alice = person(&server, "alice");
    let came = enter(&mut alice, "first");
    assert_eq!(shorts(&came), ["first owner/moderator alice@localhost/phone 110 201"]);
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "second", ""), "cancel item-not-found");
    assert_eq!(refused(&mut bob, "get", INFO), "cancel item-not-found");
    assert!(!ask(&mut bob, "get", SERVICE, ITEMS).contains(ROOM), "it is not listed");
    assert!(answer(&mut alice, "set", &owner(INSTANT)).fits(&format!("<iq from='{ROOM}'")));
    let came = enter(&mut bob, "second");
    assert_eq!(shorts(&came), ["first owner/moderator", "second none/participant bob@localhost/phone 110"]);
    sees(&mut alice, "second none/participant bob@localhost/phone");
}

// XEP-0045 example 152
#[test]
fn who_may_not_make_rooms_is_told_so() {
    let server = with("rooms.creation = \"admins\"");
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "second", ""), "cancel not-allowed");
    assert_eq!(refused(&mut bob, "get", INFO), "cancel item-not-found");
}

// XEP-0045 example 156
// XEP-0045 example 157
// XEP-0045 example 159
// XEP-0045 example 160
#[test]
fn a_room_is_configured_before_others_enter() {
    let server = server();
    let mut alice = made(&server);
    let form = answer(&mut alice, "get", &owner(""));
    assert!(form.contains("type='form'") && form.contains("http://jabber.org/protocol/muc#roomconfig"), "{form}");
    for field in [
        "roomname",
        "roomdesc",
        "lang",
        "enablelogging",
        "changesubject",
        "allowinvites",
        "allowpm",
        "maxusers",
        "presencebroadcast",
        "getmemberlist",
        "publicroom",
        "persistentroom",
        "moderatedroom",
        "membersonly",
        "passwordprotectedroom",
        "roomsecret",
        "whois",
        "roomadmins",
        "roomowners",
    ] {
        assert!(form.contains(&format!("var='muc#roomconfig_{field}'")), "{field}: {form}");
    }
    assert!(form.contains("var='muc#maxhistoryfetch'"), "{form}");
    answer(
        &mut alice,
        "set",
        &configuration(&[
            ("roomname", "A Dark Cave"),
            ("roomdesc", "The place for all good witches!"),
            ("changesubject", "1"),
            ("maxusers", "10"),
            ("publicroom", "0"),
            ("passwordprotectedroom", "1"),
            ("roomsecret", "cauldronburn"),
            ("whois", "moderators"),
            ("muc#maxhistoryfetch", "50"),
            ("roomadmins", "bob@localhost|hecate@localhost"),
        ]),
    );
    let info = answer(&mut alice, "get", INFO);
    for part in ["name='A Dark Cave'", "muc_passwordprotected", "muc_hidden", "muc_semianonymous", "The place for all"]
    {
        assert!(info.contains(part), "{part}: {info}");
    }
    let list = answer(&mut alice, "get", &admin("<item affiliation='admin'/>"));
    assert!(list.contains("bob@localhost") && list.contains("hecate@localhost"), "{list}");
}

// XEP-0045 example 161
#[test]
fn a_configuration_that_makes_no_sense_leaves_the_room_locked() {
    let server = server();
    let mut alice = made(&server);
    let blank = configuration(&[("passwordprotectedroom", "1"), ("roomsecret", "")]);
    assert_eq!(refused(&mut alice, "set", &blank), "modify not-acceptable");
    assert_eq!(shut_out(&mut person(&server, "bob"), "second", ""), "cancel item-not-found");
    answer(&mut alice, "set", &owner(INSTANT));
    enter(&mut person(&server, "bob"), "second");
}

// XEP-0045 example 162
#[test]
fn who_cancels_has_no_room() {
    let server = server();
    let mut alice = made(&server);
    alice.send(&format!("<iq type='set' id='cancel' to='{ROOM}'>{}</iq>", owner(CANCEL)));
    let came = alice.expect_all(&["<presence type='unavailable'", "<iq type='result' id='cancel'"]);
    assert!(came[0].contains("<destroy") && short(&came[0]).starts_with("-first none/none"), "{came:?}");
    assert_eq!(refused(&mut alice, "get", INFO), "cancel item-not-found");
    let came = enter(&mut person(&server, "bob"), "second");
    assert!(short(&came[0]).ends_with("110 201"), "it is bob's to make: {came:?}");
}

/// Section 10.1.3: the room ends with its maker's visit, if nobody has configured it.
#[test]
fn a_room_that_nobody_has_configured_ends_with_its_makers_session() {
    let server = server();
    made(&server).drop_connection();
    let mut bob = person(&server, "bob");
    loop {
        bob.send(&crate::join_stanza(ROOM, "second", ""));
        let seen = bob.next_piece();
        if seen.attribute("type").is_none() {
            assert!(short(&seen).ends_with("110 201"), "{seen}");
            break;
        }
        assert_eq!(error(&seen), "cancel item-not-found");
    }
}

#[test]
fn the_maker_may_come_with_another_session_while_it_is_locked() {
    let server = server();
    let _phone = made(&server);
    let mut laptop = Client::login(&server, "alice", "laptop");
    let came = enter(&mut laptop, "first");
    assert_eq!(shorts(&came), ["first owner/moderator alice@localhost/laptop 110 201"]);
}

/// Who asks a room for something that is not there is told so, and makes none.
#[test]
fn nothing_but_entering_makes_a_room() {
    let server = server();
    let mut alice = person(&server, "alice");
    for (kind, payload) in [
        ("get", INFO.to_owned()),
        ("get", owner("")),
        ("set", owner(INSTANT)),
        ("set", configuration(&[("persistentroom", "1")])),
        ("get", admin("<item affiliation='owner'/>")),
        ("set", admin("<item affiliation='owner' jid='alice@localhost'/>")),
        ("set", owner("<destroy/>")),
    ] {
        assert_eq!(condition(&ask(&mut alice, kind, ROOM, &payload)), "item-not-found", "{payload}");
    }
    alice.send(&format!("<message to='{ROOM}' type='groupchat' id='m'><body>x</body></message>"));
    alice.expect("<message type='error' id='m'");
    assert_eq!(refused(&mut alice, "get", INFO), "cancel item-not-found");
}
