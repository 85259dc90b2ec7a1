//! What a room must not tell or give, whoever asks and however: what belonged to another account, real addresses, and what is said behind
//! closed doors.

use metronome_testkit::{Client, Server, ask};

use crate::{
    INFO, ROOM, admin, answer, bodies, configuration, coven, does, enter, form, founded, guest, pass, person, refused,
    say, say_heard, server, short, shut_out, so_far, until,
};

const MAM: &str = "<query xmlns='urn:xmpp:mam:2'/>";

/// Bob's account is removed, and somebody else has its name.
#[track_caller]
fn successor(server: &Server, mut bob: Client) -> Client {
    bob.send("<iq type='set' id='end'><query xmlns='jabber:iq:register'><remove/></query></iq>");
    until(&mut bob, "<iq type='result' id='end'");
    server.control().add_user("bob@localhost");
    person(server, "bob")
}

/// Whoever gets the name of a removed account is a stranger to the room: to its door, its lists and its archive.
#[test]
fn the_next_holder_of_a_name_is_nothing_to_the_room() {
    let server = server();
    let mut alice = founded(&server, &[("membersonly", "1"), ("persistentroom", "1")]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    say_heard(&mut alice, "for members");
    let bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut bob = successor(&server, bob);
    assert_eq!(refused(&mut bob, "set", MAM), "auth forbidden", "before anything else is asked");
    assert_eq!(shut_out(&mut bob, "second", ""), "auth registration-required");
    assert_eq!(refused(&mut bob, "get", &admin("<item affiliation='member'/>")), "auth forbidden");
    let admins = answer(&mut alice, "get", &admin("<item affiliation='admin'/>"));
    assert!(!admins.contains("<item "), "{admins}");
}

/// A room without its owner is nobody's: it ends, and is not the successor's.
#[test]
fn a_room_of_a_removed_owner_is_not_its_successors() {
    let server = server();
    let mut bob = person(&server, "bob");
    enter(&mut bob, "first");
    does(&mut bob, "set", &configuration(&[("persistentroom", "1")]));
    let mut bob = successor(&server, bob);
    let answered = ask(&mut bob, "get", ROOM, &crate::owner(""));
    assert_eq!(answered.attribute("type").as_deref(), Some("error"), "{answered}");
}

/// What goes wrong between two occupants is told without who they are.
#[test]
fn an_error_that_is_passed_on_names_nobody() {
    let server = server();
    let (_alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!("<iq type='get' id='v' to='{ROOM}/third'><query xmlns='jabber:iq:version'/></iq>"));
    let asked = until(&mut carol, "<iq type='get'").1;
    assert!(!asked.contains("bob@localhost"), "{asked}");
    let id = asked.attribute("id").unwrap();
    carol.send(&format!(
        "<iq type='error' id='{id}' to='{ROOM}/second'><query xmlns='jabber:iq:version'/>\
         <error type='cancel' by='carol@localhost'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:carol@localhost</gone></error></iq>"
    ));
    let answered = until(&mut bob, "<iq type='error' id='v'").1;
    assert!(answered.contains("<gone ") && !answered.contains("carol@localhost"), "{answered}");
}

#[test]
fn what_members_speak_of_is_not_told_at_the_door() {
    let server = server();
    let mut alice = founded(&server, &[]);
    alice.send(&format!("<message to='{ROOM}' type='groupchat'><subject>the plan</subject></message>"));
    pass(&mut [&mut alice]);
    let mut bob = person(&server, "bob");
    assert!(answer(&mut bob, "get", INFO).contains("the plan"));
    does(&mut alice, "set", &configuration(&[("membersonly", "1")]));
    assert!(!answer(&mut bob, "get", INFO).contains("the plan"));
}

/// A domain is no person: whoever invites one does not let all its people in.
#[test]
fn nobody_invites_a_whole_domain() {
    let server = server();
    let mut alice = founded(&server, &[("membersonly", "1")]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    bob.send(&format!(
        "<message to='{ROOM}' id='i'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='localhost'/></x></message>"
    ));
    assert_eq!(crate::error(&until(&mut bob, "<message type='error' id='i'").1), "cancel item-not-found");
    assert_eq!(shut_out(&mut person(&server, "carol"), "third", ""), "auth registration-required");
}

/// Admins decide on those who register, in the form that they are sent; nobody decides for them.
#[test]
fn admins_decide_on_those_who_register() {
    let server = server();
    let fields = [("x-muc#roomconfig_registration", "1"), ("x-muc#roomconfig_registrationapproval", "1")];
    let (mut alice, mut bob, mut carol) = coven(&server, &fields);
    let ask = format!(
        "<query xmlns='jabber:iq:register'>{}</query>",
        form("register", &[("muc#register_roomnick", "bobby")])
    );
    does(&mut bob, "set", &ask);
    let asked = until(&mut alice, "<message").1;
    assert!(asked.contains("muc#register_allow") && asked.contains("<value>bob@localhost</value>"), "{asked}");
    let decision = |client: &mut Client| {
        let filled =
            [("muc#register_roomnick", "bobby"), ("x-muc#register_jid", "bob@localhost"), ("muc#register_allow", "1")];
        client.send(&format!("<message to='{ROOM}' id='d'>{}</message>", form("register", &filled)));
    };
    decision(&mut carol);
    assert_eq!(crate::error(&until(&mut carol, "<message type='error' id='d'").1), "auth forbidden");
    assert!(so_far(&mut bob).is_empty(), "nothing has happened");
    decision(&mut alice);
    let seen = until(&mut bob, "<presence").1;
    assert!(short(&seen).starts_with("second member/participant"), "{seen}");
}

/// In a room that is large, those who come are heard by all.
#[test]
fn in_a_large_room_those_who_come_are_heard_and_not_shown() {
    let server = server();
    let mut alice = founded(&server, &[("x-muc#roomconfig_quietabove", "2")]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut carol = person(&server, "carol");
    let came = enter(&mut carol, "third");
    assert_eq!(came.iter().filter(|seen| seen.fits("<presence")).count(), 3, "{came:?}");
    assert!(so_far(&mut alice).is_empty() && so_far(&mut bob).is_empty());
    say(&mut carol, "hello");
    assert_eq!(bodies(&[until(&mut bob, "<message").1]), ["hello"]);
}
