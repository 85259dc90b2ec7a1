//! What people do with their files by ad-hoc commands (XEP-0050), and administrators with everybody's.

use metronome_testkit::{Client, Seen, Server, ask, condition};
use serde_json::json;

use crate::{get, names, server, upload};

/// Sends a command about uploads to localhost.
#[track_caller]
fn command(client: &mut Client, verb: &str, attributes: &str, inside: &str) -> Seen {
    let node = format!("urn:metronome:commands:upload-{verb}");
    let xml =
        format!("<command xmlns='http://jabber.org/protocol/commands' node='{node}' {attributes}>{inside}</command>");
    ask(client, "set", "localhost", &xml)
}

/// Goes on with a command.
#[track_caller]
fn go_on(client: &mut Client, verb: &str, before: &Seen, fields: &[(&str, &str)]) -> Seen {
    let session = before.attribute_of("command", "sessionid").unwrap_or_else(|| panic!("{before}"));
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    command(client, verb, &format!("sessionid='{session}'"), &form)
}

fn status(answer: &Seen) -> String {
    answer.attribute_of("command", "status").unwrap_or_else(|| panic!("{answer}"))
}

fn png(server: &Server, client: &mut Client, name: &str) -> crate::Slot {
    upload(server, client, name, "image/png", b"file")
}

#[test]
fn people_list_and_delete_their_own_files() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "phone");
    let (one, two) = (png(&server, &mut alice, "one.png"), png(&server, &mut alice, "two.png"));
    let other = png(&server, &mut bob, "bob.png");
    let list = command(&mut alice, "list", "", "");
    assert_eq!(status(&list), "completed");
    for told in [one.id(), two.id(), "one.png", "two.png", "image/png", "message"] {
        assert!(list.contains(&format!("<value>{told}</value>")), "{told}: {list}");
    }
    assert!(!list.contains(other.id()) && !list.contains("bob.png"), "{list}");
    let asked = command(&mut alice, "delete", "", "");
    assert!(asked.contains("two.png, 4 B") && asked.contains(two.id()), "what there is is offered: {asked}");
    let confirm = go_on(&mut alice, "delete", &asked, &[("file", one.id())]);
    assert_eq!(status(&confirm), "executing");
    assert_eq!(status(&go_on(&mut alice, "delete", &confirm, &[])), "completed");
    assert_eq!((get(&server, &one.path).status, get(&server, &two.path).status), (404, 200));
    let asked = command(&mut alice, "purge", "", "");
    let confirm = go_on(&mut alice, "purge", &asked, &[]);
    let done = go_on(&mut alice, "purge", &confirm, &[]);
    assert!(done.contains("1 files of alice@localhost were deleted, 4 B"), "{done}");
    assert_eq!((get(&server, &two.path).status, get(&server, &other.path).status), (404, 200));
}

#[test]
fn nobody_deletes_the_files_of_others() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "phone");
    let slot = png(&server, &mut alice, "one.png");
    let asked = command(&mut bob, "delete", "", "");
    for fields in [&[("file", slot.id())][..], &[("jid", "alice@localhost"), ("file", slot.id())][..]] {
        let confirm = go_on(&mut bob, "delete", &asked, fields);
        let done = if status(&confirm) == "executing" { go_on(&mut bob, "delete", &confirm, &[]) } else { confirm };
        assert!(!done.contains("is deleted"), "{done}");
        assert_eq!(get(&server, &slot.path).status, 200);
        if status(&done) != "executing" {
            break;
        }
    }
    assert_eq!(condition(&command(&mut bob, "usage", "", "")), "forbidden");
}

#[test]
fn administrators_see_and_delete_the_files_of_all() {
    let server = server();
    let control = server.control();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "phone");
    let slot = png(&server, &mut alice, "one.png");
    png(&server, &mut alice, "two.png");
    let kept = png(&server, &mut bob, "bob.png");
    let usage = control.run("upload usage", json!({ "host": "localhost" }));
    let row = |jid: &str, files: u64| json!({ "jid": jid, "files": files, "size": 4 * files });
    assert_eq!(usage, json!([row("alice@localhost", 2), row("bob@localhost", 1)]));
    let list = control.run("upload list", json!({ "jid": "alice@localhost" }));
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    let refused = control.ask("upload delete", json!({ "jid": "alice@localhost", "file": kept.id() }));
    assert_eq!(refused["exit"], 1, "{refused}");
    for wrong in ["../one.png", "x", &"0".repeat(32)] {
        assert_eq!(control.ask("upload delete", json!({ "jid": "alice@localhost", "file": wrong }))["exit"], 1);
    }
    let none = control.run("upload purge", json!({ "jid": "alice@localhost", "days": 1 }));
    assert_eq!(none, "0 files of alice@localhost were deleted, 0 B");
    control.run("upload delete", json!({ "jid": "alice@localhost", "file": slot.id() }));
    assert_eq!(get(&server, &slot.path).status, 404);
    control.run("upload purge", json!({ "jid": "alice@localhost" }));
    assert_eq!((names(&server, "files").len(), get(&server, &kept.path).status), (1, 200));
}
