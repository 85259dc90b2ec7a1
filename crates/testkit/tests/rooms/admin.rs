//! Rooms as administrators manage them: by commands over the socket and with a client, and as owners of all rooms.

use metronome_testkit::{Client, Seen, Server, ask};
use serde_json::{Value, json};

use crate::readers::{denied, query};
use crate::{
    INFO, ITEMS, ROOM, SERVICE, answer, configuration, coven, does, enter, error, founded, guest, hears, owner, pass,
    person, quiet, refused, say, say_heard, sees, server, short, shorts, shut_out, until, with,
};

/// A server whose administrator is dave.
fn administrated() -> Server {
    let server = server();
    server.control().run("user role", json!({ "jid": "dave@localhost", "role": "admin" }));
    server
}

fn rooms(server: &Server) -> Vec<String> {
    let listed = server.control().run("room list", json!({}));
    let name = |row: &Value| row["room"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

/// What a command that must fail says.
#[track_caller]
fn problem(server: &Server, command: &str, given: Value) -> String {
    let reply = server.control().ask(command, given);
    assert_ne!(reply["exit"], 0, "{command}: {reply}");
    reply["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_room_is_made_shown_changed_and_destroyed_by_commands() {
    let server = server();
    let control = server.control();
    let config = "membersonly = true\nroomname = The coven\npresencebroadcast = moderator participant";
    control.run("room create", json!({ "room": ROOM, "owner": "alice@localhost", "config": config }));
    assert_eq!(rooms(&server), [ROOM]);
    let shown = control.run("room show", json!({ "room": ROOM }));
    assert_eq!(shown["roomname"], "The coven");
    assert_eq!((&shown["membersonly"], &shown["persistentroom"]), (&json!(true), &json!(true)));
    assert_eq!(shown["presencebroadcast"], "moderator participant");
    assert_eq!((&shown["occupants"], &shown["owners"]), (&json!(0), &json!(1)));
    assert!(problem(&server, "room create", json!({ "room": ROOM, "owner": "bob@localhost" })).contains("already"));

    assert_eq!(shut_out(&mut person(&server, "bob"), "second", ""), "auth registration-required");
    control.run("room affiliation", json!({ "room": ROOM, "who": "bob@localhost", "affiliation": "member" }));
    let mut alice = person(&server, "alice");
    enter(&mut alice, "first");
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let occupants = control.run("room occupants", json!({ "room": ROOM }));
    let row = |nick, jid, role| json!({ "nick": nick, "jid": jid, "role": role });
    let expected = json!([
        row("first", "alice@localhost/phone", "moderator"),
        row("second", "bob@localhost/phone", "participant")
    ]);
    assert_eq!(occupants, expected);

    control.run("room set", json!({ "room": ROOM, "field": "moderatedroom", "value": "true" }));
    assert!(until(&mut bob, "<message").1.contains("<status code='104'/>"));
    control.run(
        "room affiliation",
        json!({ "room": ROOM, "who": "bob@localhost", "affiliation": "outcast", "reason": "no" }),
    );
    let gone = until(&mut bob, "<presence type='unavailable'").1;
    assert!(short(&gone).ends_with("301") && gone.contains("<reason>no</reason>"), "{gone}");
    let known = control.run("room affiliations", json!({ "room": ROOM }));
    let who = |who, affiliation| json!({ "who": who, "affiliation": affiliation });
    assert_eq!(known, json!([who("alice@localhost", "owner"), who("bob@localhost", "outcast")]));

    control.run("room destroy", json!({ "room": ROOM, "reason": "It is over" }));
    let gone = until(&mut alice, "destroy").1;
    assert!(gone.contains("<reason>It is over</reason>"), "{gone}");
    assert!(rooms(&server).is_empty());
    assert_eq!(error(&ask(&mut alice, "get", ROOM, INFO)), "cancel item-not-found");
}

#[test]
fn a_mistake_is_told_and_changes_nothing() {
    let server = server();
    let _alice = founded(&server, &[("persistentroom", "1")]);
    for (command, given, why) in [
        ("room show", json!({ "room": "heath@rooms.localhost" }), "there is no room heath@rooms.localhost"),
        ("room show", json!({ "room": "coven@localhost" }), "localhost is no service with rooms of this server"),
        ("room show", json!({ "room": "rooms.localhost" }), "`room` must be the address of a room"),
        ("room list", json!({ "host": "elsewhere.example" }), "elsewhere.example has no rooms"),
        ("room set", json!({ "room": ROOM, "field": "colour", "value": "red" }), "no room has a field `colour`"),
        ("room set", json!({ "room": ROOM, "field": "membersonly", "value": "perhaps" }), "cannot have this value"),
        ("room set", json!({ "room": ROOM, "field": "maxusers", "value": "10001" }), "does not let so many"),
        (
            "room affiliation",
            json!({ "room": ROOM, "who": "alice@localhost", "affiliation": "none" }),
            "keeps an owner",
        ),
        (
            "room affiliation",
            json!({ "room": ROOM, "who": "a@b/c", "affiliation": "member" }),
            "must be a bare address",
        ),
        ("room create", json!({ "room": "x@rooms.localhost", "owner": "localhost" }), "must be an address"),
        (
            "room create",
            json!({ "room": "x@rooms.localhost", "owner": "alice@localhost", "config": "membersonly" }),
            "is not of the form",
        ),
        ("room destroy", json!({ "room": ROOM, "alternate": ROOM }), "another room"),
        ("room destroy", json!({ "room": ROOM, "announce": "soon" }), "is not of the form `seconds text`"),
        ("room superuser", json!({ "jid": "bob@localhost", "state": "on" }), "bob@localhost is no administrator"),
    ] {
        let said = problem(&server, command, given.clone());
        assert!(said.contains(why), "{command} {given}: {said}");
    }
    assert_eq!(rooms(&server), [ROOM]);
    let known = server.control().run("room affiliations", json!({ "room": ROOM }));
    assert_eq!(known, json!([{ "who": "alice@localhost", "affiliation": "owner" }]));
}

fn command(client: &mut Client, name: &str, inside: &str) -> Seen {
    let node = format!("urn:metronome:commands:{name}");
    let xml = format!("<command xmlns='http://jabber.org/protocol/commands' node='{node}' action='{inside}'/>");
    ask(client, "set", "localhost", &xml)
}

#[test]
fn an_administrator_sees_the_rooms_of_its_domain_with_a_client_and_others_do_not() {
    let server = administrated();
    let _alice = founded(&server, &[("publicroom", "0"), ("persistentroom", "1")]);
    let mut dave = person(&server, "dave");
    let form = command(&mut dave, "room-list", "execute");
    let session = form.attribute_of("command", "sessionid").unwrap();
    let listed = ask(
        &mut dave,
        "set",
        "localhost",
        &format!(
            "<command xmlns='http://jabber.org/protocol/commands' node='urn:metronome:commands:room-list' \
             action='complete' sessionid='{session}'/>"
        ),
    );
    assert!(listed.contains(&format!("<value>{ROOM}</value>")), "{listed}");
    let mut bob = person(&server, "bob");
    assert_eq!(error(&command(&mut bob, "room-list", "execute")), "cancel forbidden");
}

#[test]
fn an_administrator_owns_every_room_while_it_says_so() {
    let server = administrated();
    let secret = [("publicroom", "0"), ("membersonly", "1"), ("passwordprotectedroom", "1"), ("roomsecret", "x")];
    let mut alice = founded(&server, &secret);
    let mut dave = person(&server, "dave");
    assert_eq!(shut_out(&mut dave, "fourth", ""), "auth registration-required");
    assert_eq!(refused(&mut dave, "get", &owner("")), "auth forbidden");
    assert!(!ask(&mut dave, "get", SERVICE, ITEMS).contains(ROOM));

    let superuser = |state| server.control().run("room superuser", json!({ "jid": "dave@localhost", "state": state }));
    superuser("on");
    assert!(ask(&mut dave, "get", SERVICE, ITEMS).contains(ROOM), "hidden rooms are shown");
    assert!(
        shorts(&enter(&mut dave, "fourth"))
            .iter()
            .any(|seen| seen.starts_with("fourth owner/moderator") || seen.starts_with("fourth none/moderator"))
    );
    pass(&mut [&mut alice]);
    does(&mut dave, "set", &configuration(&[("membersonly", "0")]));
    pass(&mut [&mut alice]);
    dave.send(&format!("<presence type='unavailable' to='{ROOM}/fourth'/>"));
    until(&mut dave, "<presence type='unavailable'");

    superuser("off");
    assert_eq!(shut_out(&mut dave, "fourth", ""), "auth not-authorized");
    assert_eq!(refused(&mut dave, "get", &owner("")), "auth forbidden");
    let known = answer(
        &mut alice,
        "get",
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query>",
    );
    assert!(!known.contains("dave@"), "nothing of it is stored: {known}");
}

#[test]
fn a_superuser_reads_what_was_said_in_every_room() {
    let server = administrated();
    let secret = [("membersonly", "1"), ("passwordprotectedroom", "1"), ("roomsecret", "x"), ("persistentroom", "1")];
    let mut alice = founded(&server, &secret);
    say_heard(&mut alice, "between us");
    let mut dave = person(&server, "dave");
    assert_eq!(denied(&mut dave, ""), "auth forbidden");
    let superuser = |state| server.control().run("room superuser", json!({ "jid": "dave@localhost", "state": state }));
    superuser("on");
    let page = query(&mut dave, "");
    assert_eq!(page.bodies(), ["between us"]);
    assert!(page.results[0].contains("jid='alice@localhost/phone'"), "as an owner: {}", page.results[0]);
    superuser("off");
    assert_eq!(denied(&mut dave, ""), "auth forbidden");
}

#[test]
fn what_was_said_is_removed_from_the_archive_by_a_command() {
    let server = server();
    let mut alice = founded(&server, &[("persistentroom", "1")]);
    ["one", "two", "three"].iter().for_each(|body| drop(say_heard(&mut alice, body)));
    let shown = server.control().run("room show", json!({ "room": ROOM }));
    assert_eq!(shown["archived_messages"], 3);
    server.control().run("room purge", json!({ "room": ROOM, "days": 1 }));
    assert_eq!(server.control().run("room show", json!({ "room": ROOM }))["archived_messages"], 3, "none is so old");
    server.control().run("room purge", json!({ "room": ROOM }));
    assert_eq!(server.control().run("room show", json!({ "room": ROOM }))["archived_messages"], 0);
    let came = enter(&mut person(&server, "bob"), "second");
    assert!(!came.iter().any(|seen| seen.contains("<body>")), "{came:?}");
}

#[test]
fn a_room_announces_its_end_before_it_comes() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let announce = "0 This room closes\n0 Go to the heath";
    let told = server.control().run(
        "room destroy",
        json!({ "room": ROOM, "announce": announce, "alternate": "heath@rooms.localhost", "reason": "We move" }),
    );
    assert!(told.as_str().unwrap().contains("is destroyed in 0 seconds"), "{told}");
    for client in [&mut alice, &mut bob] {
        for text in ["This room closes", "Go to the heath"] {
            let said = client.expect(&format!("<message type='groupchat' from='{ROOM}'><body>"));
            assert_eq!(said.text_of("body").as_deref(), Some(text));
        }
        let gone = client.expect("<presence type='unavailable'");
        assert_eq!(gone.attribute_of("destroy", "jid").as_deref(), Some("heath@rooms.localhost"), "{gone}");
    }
}

#[test]
fn a_fast_writer_is_refused_and_then_removed_and_moderators_are_not() {
    let server = with("limits.rooms.messages = \"2/h\"\nlimits.rooms.refused = 2");
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for number in 0..5 {
        say(&mut bob, &format!("b{number}"));
    }
    hears(&mut carol, "second", "b0");
    hears(&mut carol, "second", "b1");
    let gone = carol.expect("<presence type='unavailable'");
    assert!(short(&gone).starts_with("-second none/none") && short(&gone).ends_with("307"), "{gone}");
    let (before, _) = until(&mut bob, "<presence type='unavailable'");
    let errors: Vec<_> = before.iter().filter(|seen| seen.fits("<message type='error'")).map(error).collect();
    assert_eq!(errors[..2], ["wait policy-violation", "wait policy-violation"]);
    pass(&mut [&mut alice, &mut carol]);
    for number in 0..5 {
        say(&mut alice, &format!("a{number}"));
        hears(&mut carol, "first", &format!("a{number}"));
    }
    quiet(&mut [&mut carol]);
    assert_eq!(
        shorts(&enter(&mut bob, "second")).last().map(String::as_str),
        Some("second none/participant bob@localhost/phone 110")
    );
    sees(&mut carol, "second none/participant");
}

#[test]
fn an_owner_may_want_slower_writers_than_the_service() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[("x-muc#roomconfig_messages_per_minute", "1")]);
    say(&mut bob, "one");
    hears(&mut carol, "second", "one");
    say(&mut bob, "two");
    assert_eq!(error(&until(&mut bob, "<message type='error'").1), "wait policy-violation");
    say(&mut alice, "three");
    hears(&mut carol, "first", "three");
    does(&mut alice, "set", &configuration(&[("x-muc#roomconfig_messages_per_minute", "")]));
    assert!(until(&mut carol, "<message").1.contains("<status code='104'/>"));
    say(&mut bob, "four");
    hears(&mut carol, "second", "four");
}
