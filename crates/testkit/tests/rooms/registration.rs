//! Registering with a room (section 7.10), and who decides about it (section 9.9).

use metronome_testkit::{Client, ask};

use crate::{
    ROOM, answer, configuration, coven, does, enter, error, form, founded, person, refused, sees, server, short,
    shut_out,
};

const ASK: &str = "<query xmlns='jabber:iq:register'/>";
const OPEN: (&str, &str) = ("x-muc#roomconfig_registration", "1");

fn submit(nick: &str) -> String {
    format!("<query xmlns='jabber:iq:register'>{}</query>", form("register", &[("muc#register_roomnick", nick)]))
}

// XEP-0045 example 66
// XEP-0045 example 70
// XEP-0045 example 71
// XEP-0045 example 75
// XEP-0045 example 76
#[test]
fn who_registers_is_a_member_with_a_nickname() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[OPEN]);
    let asked = answer(&mut bob, "get", ASK);
    assert!(asked.contains("muc#register_roomnick") && asked.contains("type='form'"), "{asked}");
    assert!(asked.contains("http://jabber.org/protocol/muc#register"), "{asked}");
    answer(&mut bob, "set", &submit("thirdwitch"));
    sees(&mut alice, "second member/participant bob@localhost/phone");
    sees(&mut carol, "second member/participant");
    let mut dave = person(&server, "dave");
    assert_eq!(shut_out(&mut dave, "thirdwitch", ""), "cancel conflict");
}

// XEP-0045 example 67
#[test]
fn there_is_no_registering_with_a_room_that_is_not_there() {
    let server = server();
    let mut bob = person(&server, "bob");
    assert_eq!(refused(&mut bob, "get", ASK), "cancel item-not-found");
    assert_eq!(refused(&mut bob, "set", &submit("nick")), "cancel item-not-found");
}

// XEP-0045 example 68
#[test]
fn nobody_registers_where_the_room_does_not_let_them() {
    let server = server();
    let _alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    assert_eq!(refused(&mut bob, "get", ASK), "cancel not-allowed");
    assert_eq!(refused(&mut bob, "set", &submit("nick")), "cancel not-allowed");
}

// XEP-0045 example 69
#[test]
fn who_is_registered_is_told_so() {
    let server = server();
    let _alice = founded(&server, &[OPEN]);
    let mut bob = person(&server, "bob");
    answer(&mut bob, "set", &submit("thirdwitch"));
    let seen = answer(&mut bob, "get", ASK);
    assert!(seen.contains("<registered"), "{seen}");
    assert_eq!(seen.text_of("username").as_deref(), Some("thirdwitch"), "{seen}");
}

// XEP-0045 example 72
#[test]
fn a_nickname_is_registered_once() {
    let server = server();
    let _alice = founded(&server, &[OPEN]);
    let (mut bob, mut carol) = (person(&server, "bob"), person(&server, "carol"));
    answer(&mut bob, "set", &submit("thirdwitch"));
    for nick in ["thirdwitch", "THIRDWITCH", "first"] {
        assert_eq!(refused(&mut carol, "set", &submit(nick)), "cancel conflict", "{nick}");
    }
}

// XEP-0045 example 74
#[test]
fn a_form_that_is_none_registers_nobody() {
    let server = server();
    let _alice = founded(&server, &[OPEN]);
    let mut bob = person(&server, "bob");
    for inside in [
        String::new(),
        "<username>bob</username>".to_owned(),
        form("roomconfig", &[("muc#register_roomnick", "x")]),
        form("register", &[]),
    ] {
        let payload = format!("<query xmlns='jabber:iq:register'>{inside}</query>");
        assert_eq!(refused(&mut bob, "set", &payload), "modify bad-request", "{inside}");
    }
}

#[test]
fn who_is_registered_ends_it() {
    let server = server();
    let mut alice = founded(&server, &[OPEN, ("persistentroom", "1")]);
    let mut bob = person(&server, "bob");
    answer(&mut bob, "set", &submit("thirdwitch"));
    answer(&mut bob, "set", "<query xmlns='jabber:iq:register'><remove/></query>");
    assert!(!answer(&mut bob, "get", ASK).contains("<registered"));
    does(&mut alice, "get", crate::INFO);
    let came = enter(&mut person(&server, "carol"), "thirdwitch");
    assert!(came.iter().any(|seen| short(seen).starts_with("thirdwitch none/participant")), "{came:?}");
}

/// In a room of members registering opens the door, where the room lets people do so.
#[test]
fn registering_lets_one_into_a_room_of_members() {
    let server = server();
    let mut alice = founded(&server, &[OPEN, ("membersonly", "1")]);
    let mut bob = person(&server, "bob");
    assert_eq!(shut_out(&mut bob, "thirdwitch", ""), "auth registration-required");
    answer(&mut bob, "set", &submit("thirdwitch"));
    enter(&mut bob, "thirdwitch");
    does(&mut alice, "set", &configuration(&[("x-muc#roomconfig_registration", "0")]));
    let refused = ask(&mut person(&server, "carol"), "get", ROOM, ASK);
    assert_eq!(error(&refused), "cancel not-allowed");
}

#[test]
fn outcasts_do_not_register() {
    let server = server();
    let mut alice = founded(&server, &[OPEN]);
    does(&mut alice, "set", &crate::admin("<item affiliation='outcast' jid='bob@localhost'/>"));
    let mut bob: Client = person(&server, "bob");
    assert_eq!(refused(&mut bob, "set", &submit("nick")), "auth forbidden");
}
