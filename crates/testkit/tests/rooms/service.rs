//! What a service allows and looks after: who makes rooms and how many, with which configuration they begin, names that are nobody else's,
//! rooms that have moved, and those that nobody uses or owns.

use metronome_testkit::{Backend, Client, Dial, Server, Setup, ask};
use serde_json::{Value, json};

use crate::{
    INFO, ROOM, SERVICE, answer, configuration, coven, does, enter, enter_in, error, founded, owner, pass, person,
    server, shut_out, until, with,
};

const UNIQUE: &str = "<unique xmlns='http://jabber.org/protocol/muc#unique'/>";
const INSTANT: &str = "<x xmlns='jabber:x:data' type='submit'/>";

/// Wants to enter a room that is not there: the error, with its text.
#[track_caller]
fn creates_not(client: &mut Client, room: &str) -> (String, String) {
    client.send(&crate::join_stanza(room, "nick", ""));
    let (_, seen) = until(client, "<presence type='error'");
    (error(&seen), seen.text_of("text").unwrap_or_default())
}

/// Makes a room and leaves it, with this configuration.
#[track_caller]
fn made(client: &mut Client, room: &str, fields: &[(&str, &str)]) {
    enter_in(client, room, "nick", "");
    assert!(ask(client, "set", room, &configuration(fields)).fits("<iq type='result'"));
    client.send(&format!("<presence type='unavailable' to='{room}/nick'/>"));
    until(client, "<presence type='unavailable'");
}

#[test]
fn administrators_make_rooms_where_others_may_not() {
    let server = with("rooms.creation = \"admins\"");
    server.control().run("user role", json!({ "jid": "dave@localhost", "role": "admin" }));
    let mut bob = person(&server, "bob");
    assert_eq!(creates_not(&mut bob, ROOM), ("cancel not-allowed".into(), "You may not make rooms here".into()));
    assert_eq!(error(&ask(&mut bob, "get", SERVICE, UNIQUE)), "cancel not-allowed");
    enter(&mut person(&server, "dave"), "fourth");
}

/// A guest, who comes from an address of its own.
fn anonymous(server: &Server) -> Client {
    let dial: Dial = server.dial().from("127.0.0.2");
    let mut client = dial.direct();
    client.open();
    client.auth("ANONYMOUS", b"");
    client.expect("<success");
    client.open();
    client.bind("");
    client
}

#[test]
fn guests_make_rooms_only_where_the_service_lets_them() {
    let options =
        "auth.mechanisms = [\"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"ANONYMOUS\"]\nrooms.creation = \"everybody\"";
    let server = with(options);
    assert_eq!(creates_not(&mut anonymous(&server), ROOM).0, "cancel not-allowed");
    let server = with(&format!("{options}\nrooms.creation_by_guests = true"));
    enter(&mut anonymous(&server), "nick");
}

#[test]
fn nobody_owns_more_rooms_than_they_may() {
    let server = with("limits.rooms.rooms_each = 2");
    let mut bob = person(&server, "bob");
    let keep = [("persistentroom", "1")];
    made(&mut bob, "one@rooms.localhost", &keep);
    made(&mut bob, "two@rooms.localhost", &keep);
    let refused = creates_not(&mut bob, "three@rooms.localhost");
    assert_eq!(refused, ("wait resource-constraint".into(), "You own as many rooms as you may have here".into()));
    made(&mut person(&server, "alice"), "three@rooms.localhost", &keep);
    server.control().run("room destroy", json!({ "room": "one@rooms.localhost" }));
    made(&mut bob, "four@rooms.localhost", &keep);
}

#[test]
fn a_service_has_no_more_rooms_than_it_may() {
    let server = with("limits.rooms.rooms = 1");
    made(&mut person(&server, "bob"), ROOM, &[("persistentroom", "1")]);
    let refused = creates_not(&mut person(&server, "alice"), "heath@rooms.localhost");
    assert_eq!(refused, ("wait resource-constraint".into(), "This service has as many rooms as it may have".into()));
}

#[test]
fn rooms_begin_with_what_the_service_says_and_owners_change_it() {
    let defaults =
        "rooms.instant = true\nrooms.defaults = [\"membersonly = true\", \"whois = anyone\", \"maxusers = 7\"]";
    let server = with(defaults);
    let mut alice = person(&server, "alice");
    enter(&mut alice, "first");
    assert_eq!(shut_out(&mut person(&server, "bob"), "second", ""), "auth registration-required");
    let info = answer(&mut alice, "get", INFO);
    assert!(info.contains("muc_membersonly") && info.contains("muc_nonanonymous"), "{info}");
    let form = answer(&mut alice, "get", &owner(""));
    assert!(form.split("muc#roomconfig_maxusers").nth(1).unwrap().contains("<value>7</value>"), "{form}");
    does(&mut alice, "set", &configuration(&[("membersonly", "0")]));
    enter(&mut person(&server, "bob"), "second");
}

#[test]
fn defaults_that_make_no_sense_are_not_put_into_force() {
    let server = server();
    server.write_options("rooms.defaults = [\"colour = red\"]");
    let reply = server.control().ask("reload", json!({}));
    assert!(reply["message"].as_str().unwrap_or_default().contains("no room has a field `colour`"), "{reply}");
}

// XEP-0307 example 1
// XEP-0307 example 2
// XEP-0307 example 3
// XEP-0307 example 4
// XEP-0307 example 5
#[test]
fn a_name_that_the_service_has_made_up_is_nobody_elses() {
    let server = server();
    let (mut alice, mut bob) = (person(&server, "alice"), person(&server, "bob"));
    assert!(ask(&mut alice, "get", SERVICE, INFO).contains("<feature var='http://jabber.org/protocol/muc#unique'/>"));
    let name = ask(&mut alice, "get", SERVICE, UNIQUE).text_of("unique").unwrap();
    assert_ne!(ask(&mut alice, "get", SERVICE, UNIQUE).text_of("unique").unwrap(), name);
    let room = format!("{name}@{SERVICE}");
    let refused = creates_not(&mut bob, &room);
    assert_eq!(refused, ("cancel not-allowed".into(), "This name is reserved for somebody else".into()));
    enter_in(&mut alice, &room, "first", "");
    assert!(ask(&mut alice, "set", &room, &owner(INSTANT)).fits("<iq type='result'"));
    enter_in(&mut bob, &room, "second", "");
    let nonsense = "<unique xmlns='http://jabber.org/protocol/muc#unique'>mine</unique>";
    assert_eq!(error(&ask(&mut bob, "get", SERVICE, nonsense)), "modify bad-request");
}

#[test]
fn nobody_has_many_names_made_up() {
    let server = server();
    let mut alice = person(&server, "alice");
    for _ in 0..10 {
        assert!(ask(&mut alice, "get", SERVICE, UNIQUE).fits("<iq type='result'"));
    }
    assert_eq!(error(&ask(&mut alice, "get", SERVICE, UNIQUE)), "wait resource-constraint");
    assert!(ask(&mut person(&server, "bob"), "get", SERVICE, UNIQUE).fits("<iq type='result'"));
}

#[test]
fn a_room_that_has_moved_says_where_to_also_after_a_restart() {
    let mut server = Setup::default().store(Backend::Sqlite).account("dave@localhost").start();
    let alice = founded(&server, &[("persistentroom", "1")]);
    let destroy = json!({ "room": ROOM, "alternate": "heath@rooms.localhost", "reason": "We have moved" });
    server.control().run("room destroy", destroy);
    drop(alice);
    for _ in 0..2 {
        let mut bob = person(&server, "bob");
        bob.send(&crate::join_stanza(ROOM, "second", ""));
        let (_, seen) = until(&mut bob, "<presence type='error'");
        assert_eq!(error(&seen), "cancel gone");
        assert_eq!(seen.text_of("gone").as_deref(), Some("xmpp:heath@rooms.localhost?join"), "{seen}");
        assert_eq!(seen.text_of("text").as_deref(), Some("We have moved"), "{seen}");
        let listed = server.control().run("room list", json!({ "destroyed": true }));
        assert_eq!((&listed[0]["room"], &listed[0]["successor"]), (&json!(ROOM), &json!("heath@rooms.localhost")));
        server.restart();
    }
    server.control().run("room create", json!({ "room": ROOM, "owner": "alice@localhost" }));
    enter(&mut person(&server, "bob"), "second");
}

#[test]
fn a_service_that_does_not_tell_where_rooms_have_gone_has_their_names_free() {
    let server = with("rooms.redirect = \"0 s\"");
    drop(founded(&server, &[("persistentroom", "1")]));
    server.control().run("room destroy", json!({ "room": ROOM, "alternate": "heath@rooms.localhost" }));
    enter(&mut person(&server, "bob"), "second");
}

fn stored(server: &Server) -> Vec<String> {
    let listed = server.control().run("room list", json!({}));
    let name = |row: &Value| row["room"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(name).collect()
}

/// Ends what nobody uses until this room is over; somebody's end is noticed by a room a moment later.
#[track_caller]
fn expires(server: &Server, room: &str) {
    let begun = std::time::Instant::now();
    while stored(server).iter().any(|name| name == room) {
        assert!(begun.elapsed().as_secs() < 60, "{room} stays");
        server.control().run("room expire", json!({}));
    }
}

#[test]
fn rooms_that_nobody_uses_end_and_those_that_stay_do_not() {
    let server = with("rooms.expire = \"1 ms\"\nrooms.expire_except = [\"support\"]");
    let mut bob = person(&server, "bob");
    for room in [ROOM, "support@rooms.localhost"] {
        made(&mut bob, room, &[("persistentroom", "1")]);
    }
    let alice = {
        let mut alice = person(&server, "alice");
        enter_in(&mut alice, "heath@rooms.localhost", "first", "");
        let form = configuration(&[("persistentroom", "1")]);
        assert!(ask(&mut alice, "set", "heath@rooms.localhost", &form).fits("<iq type='result'"));
        alice
    };
    expires(&server, ROOM);
    assert_eq!(stored(&server), ["heath@rooms.localhost", "support@rooms.localhost"]);
    drop(alice);
    expires(&server, "heath@rooms.localhost");
    assert_eq!(stored(&server), ["support@rooms.localhost"]);
    assert_eq!(error(&ask(&mut bob, "get", ROOM, INFO)), "cancel item-not-found");
}

#[test]
fn a_room_ends_with_the_account_of_its_last_owner() {
    let server = server();
    let (alice, mut bob, mut carol) = coven(&server, &[("persistentroom", "1")]);
    drop(alice);
    server.control().run("room affiliation", json!({ "room": ROOM, "who": "carol@localhost", "affiliation": "owner" }));
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    server.control().add_user("alice@localhost");
    // Whoever has the name next is nobody to the room.
    let is_known = || {
        let known = server.control().run("room affiliations", json!({ "room": ROOM }));
        known.as_array().unwrap().iter().any(|row| row["who"] == "alice@localhost")
    };
    while is_known() {
        std::thread::yield_now();
    }
    pass(&mut [&mut bob, &mut carol]);
    drop(carol);
    server.control().run("user delete", json!({ "jid": "carol@localhost" }));
    let (_, gone) = until(&mut bob, "destroy");
    assert!(gone.contains("<reason>Nobody owns this room any more</reason>"), "{gone}");
    assert!(stored(&server).is_empty());
}

#[test]
fn a_room_without_owners_stays_where_the_service_keeps_it() {
    let server = with("rooms.orphans = \"keep\"");
    drop(founded(&server, &[("persistentroom", "1")]));
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    server.control().run("room expire", json!({}));
    assert_eq!(stored(&server), [ROOM]);
    server.control().run("room affiliation", json!({ "room": ROOM, "who": "bob@localhost", "affiliation": "owner" }));
}
