//! Files go with their account, whichever door it leaves by, and nobody who has its name later finds any of them.

use metronome_testkit::{Client, Setup, ask};
use serde_json::json;

use crate::{browser, eventually, get, head, names, put, server, slot, upload};

#[test]
fn files_are_gone_with_the_account() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "phone");
    let file = upload(&server, &mut alice, "a.png", "image/png", b"file");
    let kept = upload(&server, &mut bob, "b.png", "image/png", b"file");
    let waits = slot(&mut alice, "c.png", 4, "image/png");
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    assert_eq!(get(&server, &file.path).status, 404);
    assert_eq!(put(&server, &waits, "image/png", b"late").status, 403);
    eventually("the files are removed", || names(&server, "files").len() == 1);
    assert_eq!(get(&server, &kept.path).text(), "file");
    server.control().add_user("alice@localhost");
    let list = server.control().run("upload list", json!({ "jid": "alice@localhost" }));
    assert_eq!(list, json!([]));
    server.expect_log("their account has ended");
}

/// What somebody still sends when the account ends goes as well, and not within the hour.
#[test]
fn a_file_that_comes_when_its_account_has_ended_is_gone() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = slot(&mut alice, "a.bin", 200_000, "application/octet-stream");
    let mut slow = browser(&server);
    slow.send(head(&slot, "application/octet-stream", 200_000).as_bytes());
    slow.send(&[1; 100_000]);
    eventually("the file begins", || names(&server, "new").len() == 1);
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    slow.send(&[1; 100_000]);
    assert_eq!(slow.answer("PUT").status, 403);
    eventually("nothing is left", || ["new", "files", "of"].iter().all(|part| names(&server, part).is_empty()));
    assert_eq!(get(&server, &slot.path).status, 404);
}

#[test]
fn who_leaves_takes_the_files_along() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let file = upload(&server, &mut alice, "a.png", "image/png", b"file");
    let left = ask(&mut alice, "set", "localhost", "<query xmlns='jabber:iq:register'><remove/></query>");
    assert!(left.fits("<iq type='result'"), "{left}");
    assert_eq!(get(&server, &file.path).status, 404);
    eventually("the files are removed", || names(&server, "files").is_empty());
}

/// A server that stops between the end of an account and that of its files finds them when it starts again.
#[test]
fn what_was_left_behind_is_found() {
    let mut server = Setup::default().web().start();
    let mut alice = Client::login(&server, "alice", "phone");
    upload(&server, &mut alice, "a.png", "image/png", b"file");
    let folder = crate::folder(&server);
    let owner = std::fs::read_dir(folder.join("of")).unwrap().next().unwrap().unwrap().path();
    server.stop();
    // As if it were another account's, which is no more.
    std::fs::rename(&owner, owner.with_file_name(format!("00{}", &owner.file_name().unwrap().to_str().unwrap()[2..])))
        .unwrap();
    server.start_again();
    eventually("the files are removed", || names(&server, "files").is_empty() && names(&server, "of").is_empty());
}
