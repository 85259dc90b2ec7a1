//! How long rooms keep what was said, and how much of it.

use metronome_testkit::{Client, Server, Setup};
use serde_json::json;

use crate::readers::query;
use crate::{ROOM, bodies, configuration, does, enter, founded, person, say_heard, with};

fn fill(alice: &mut Client, count: usize) {
    (1..=count).for_each(|number| drop(say_heard(alice, &number.to_string())));
}

#[test]
fn rooms_have_limits_of_their_own() {
    let server = with("rooms.archive.messages = 3\narchive.messages = 1");
    let mut alice = founded(&server, &[]);
    fill(&mut alice, 5);
    server.control().run("archive expire", json!({}));
    assert_eq!(query(&mut alice, "").bodies(), ["3", "4", "5"]);
    server.control().run("archive keep", json!({ "jid": ROOM, "messages": 1 }));
    server.control().run("archive expire", json!({}));
    assert_eq!(query(&mut alice, "").bodies(), ["5"]);
    let usage = server.control().run("archive usage", json!({ "jid": ROOM })).to_string();
    assert!(usage.contains("\"messages\":1") && usage.contains("\"keeps_messages\":1"), "{usage}");
    let came = enter(&mut person(&server, "bob"), "second");
    assert_eq!(bodies(&came), ["5"], "what has left the archive is not said again");
}

#[test]
fn an_archive_is_emptied_and_goes_on_behind_its_last_id() {
    let server: Server = Setup::default().start();
    let mut alice = founded(&server, &[("persistentroom", "1")]);
    fill(&mut alice, 3);
    server.control().run("archive purge", json!({ "jid": ROOM }));
    assert!(query(&mut alice, "").bodies().is_empty());
    let heard = say_heard(&mut alice, "new");
    assert_eq!(heard.attribute_of("stanza-id", "id").as_deref(), Some("4"), "ids are not given again");
}

// XEP-0045 sections 7.2.12 and 10.2.1.
#[test]
fn who_is_recorded_in_public_is_told_so() {
    let server = with("");
    let mut alice = founded(&server, &[]);
    let codes = |seen: &metronome_testkit::Seen| crate::codes(seen);
    let came = does(&mut alice, "set", &configuration(&[("enablelogging", "1")]));
    assert_eq!(codes(&came[0]), [170], "{came:?}");
    let came = enter(&mut person(&server, "bob"), "second");
    let own = came.iter().find(|seen| codes(seen).contains(&110)).unwrap();
    assert!(codes(own).contains(&170), "{own}");
    crate::pass(&mut [&mut alice]);
    let came = does(&mut alice, "set", &configuration(&[("enablelogging", "0")]));
    assert!(came.iter().any(|seen| codes(seen) == [171]), "{came:?}");
}
