//! Uploads that are not what they say, slots in the wrong hands, and paths that lead elsewhere (RELIABILITY: what goes wrong with uploads).

use std::time::Duration;

use metronome_testkit::{Client, condition};

use crate::{SERVICE, Slot, browser, eventually, get, head, names, put, request, server, setup, slot, upload};

#[test]
fn a_slot_is_used_once() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = upload(&server, &mut alice, "a.png", "image/png", b"first");
    assert_eq!(put(&server, &slot, "image/png", b"other").status, 403);
    assert_eq!(get(&server, &slot.path).text(), "first");
    server.control().run("upload delete", serde_json::json!({ "jid": "alice@localhost", "file": slot.id() }));
    assert_eq!(put(&server, &slot, "image/png", b"again").status, 403, "not even when its file is gone");
    assert_eq!(get(&server, &slot.path).status, 404);
}

#[test]
fn a_slot_is_of_no_use_without_its_proof() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let one = slot(&mut alice, "a.png", 5, "image/png");
    let other = slot(&mut alice, "a.png", 5, "image/png");
    let with = |path: &str, proof: &str| Slot { path: path.into(), proof: proof.into(), url: String::new() };
    let renamed = one.path.replace("a.png", "b.png");
    for wrong in [
        with(&one.path, &other.proof),
        with(&one.path, "Bearer"),
        with(&one.path, "Bearer x"),
        with(&one.path, &one.proof.replace("Bearer", "Basic")),
        with(&one.path, &one.proof[..one.proof.len() - 1]),
        with(&renamed, &one.proof),
        with(&one.path.replace(one.id(), &"0".repeat(32)), &one.proof),
    ] {
        let answer = put(&server, &wrong, "image/png", b"wrong");
        assert_eq!(answer.status, 403, "{} {}: {answer:?}", wrong.path, wrong.proof);
    }
    let mut browser = browser(&server);
    browser.send(format!("PUT {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nwrong", one.path).as_bytes());
    assert_eq!(browser.answer("PUT").status, 403);
    // None of that has used it up.
    assert_eq!(put(&server, &one, "image/png", b"right").status, 201);
    assert_eq!(get(&server, &one.path).text(), "right");
}

#[test]
fn a_file_is_as_large_and_of_the_type_that_was_said() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = slot(&mut alice, "a.png", 5, "image/png");
    assert_eq!(put(&server, &slot, "image/png", b"longer").status, 413);
    assert_eq!(put(&server, &slot, "image/png", b"less").status, 400);
    assert_eq!(put(&server, &slot, "image/png", b"").status, 400);
    assert_eq!(put(&server, &slot, "text/html", b"right").status, 415);
    assert_eq!(put(&server, &slot, "not a type", b"right").status, 415);
    let Slot { path, proof, .. } = &slot;
    let send = |fields: &str, body: &str| {
        let mut browser = browser(&server);
        let head = format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {proof}\r\n{fields}\r\n");
        browser.send(head.as_bytes());
        browser.send(body.as_bytes());
        browser.answer("PUT").status
    };
    assert_eq!(send("Transfer-Encoding: chunked\r\n", "5\r\nright\r\n0\r\n\r\n"), 411);
    assert_eq!(send("Content-Length: 5\r\nContent-Range: bytes 0-4/10\r\n", "right"), 400);
    assert_eq!(send("Content-Length: 5\r\nContent-Encoding: gzip\r\n", "right"), 415);
    assert_eq!(send(&format!("Content-Length: 5\r\nAuthorization: {proof}\r\n"), "right"), 403, "one proof");
    assert!(send("Content-Length: 5\r\nContent-Length: 6\r\n", "right") >= 400);
    assert!(send("Content-Length: +5\r\n", "right") >= 400);
    assert!(names(&server, "files").is_empty() && names(&server, "new").is_empty());
    assert_eq!(send("Content-Length: 5\r\n", "right"), 201, "the type may be left out where it was said before");
    assert_eq!(get(&server, &slot.path).field("content-type"), Some("image/png"));
}

#[test]
fn what_ends_in_the_middle_leaves_nothing() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = slot(&mut alice, "a.bin", 200_000, "application/octet-stream");
    let mut browser = browser(&server);
    browser.send(head(&slot, "application/octet-stream", 200_000).as_bytes());
    browser.send(&[1; 100_000]);
    eventually("the file begins", || names(&server, "new").len() == 1);
    assert_eq!(get(&server, &slot.path).status, 404, "what is not whole is not there");
    assert_eq!(put(&server, &slot, "application/octet-stream", &[2; 200_000]).status, 403, "somebody uses the slot");
    drop(browser);
    eventually("nothing is left", || names(&server, "new").is_empty());
    assert!(names(&server, "files").is_empty() && names(&server, "of").is_empty());
    assert_eq!(put(&server, &slot, "application/octet-stream", &[3; 200_000]).status, 403, "a slot is for one try");
}

/// Takes half a minute: so long a body may say nothing.
#[test]
fn who_stops_sending_is_given_up_and_nobody_else_waits() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let stopped = slot(&mut alice, "a.bin", 1_000_000, "application/octet-stream");
    let mut slow = browser(&server);
    slow.send(head(&stopped, "application/octet-stream", 1_000_000).as_bytes());
    slow.send(b"some");
    eventually("the file begins", || names(&server, "new").len() == 1);
    let other = upload(&server, &mut alice, "b.bin", "application/octet-stream", b"meanwhile");
    assert_eq!(get(&server, &other.path).text(), "meanwhile");
    assert!(slow.ends_within(Duration::from_secs(60)), "it is given up");
    eventually("nothing is left", || names(&server, "new").is_empty());
}

#[test]
fn slots_are_not_hoarded() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    for number in 0..20 {
        slot(&mut alice, &format!("{number}.png"), 1, "image/png");
    }
    let refused = request(&mut alice, "filename='a.png' size='1'", "");
    assert_eq!(condition(&refused), "resource-constraint");
    assert!(refused.contains("<retry xmlns='urn:xmpp:http:upload:0' stamp="), "{refused}");
    let mut bob = Client::login(&server, "bob", "phone");
    slot(&mut bob, "a.png", 1, "image/png");
}

/// Many devices of one account ask at the same moment, each for as much as the account may have.
#[test]
fn a_quota_is_not_given_twice() {
    let server = setup("[upload]\nsize = \"10 KiB\"\nquota = \"10 KiB\"").start();
    let mut devices: Vec<_> =
        (0..8).map(|number| Client::login(&server, "alice", &format!("device-{number}"))).collect();
    upload(&server, &mut devices[0], "a.bin", "application/octet-stream", b"x");
    // To look at so many takes a while, in which others ask as well.
    let owner = std::fs::read_dir(crate::folder(&server).join("of")).unwrap().next().unwrap().unwrap().path();
    for number in 0..5000 {
        std::fs::write(owner.join(format!("{number:032x}-permanent-0-1700000000000")), "").unwrap();
    }
    let request = "<request xmlns='urn:xmpp:http:upload:0' filename='a.bin' size='10000'/>";
    let request = format!("<iq type='get' id='slot' to='{SERVICE}'>{request}</iq>");
    devices.iter_mut().for_each(|device| device.send(&request));
    let got = devices.iter_mut().filter_map(|device| device.wait_for("<iq id='slot'").attribute_of("put", "url"));
    assert_eq!(got.count(), 1);
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = upload(&server, &mut alice, "a.png", "image/png", b"file");
    let id = slot.id();
    let short = &id[..2];
    for path in [
        "/upload",
        "/upload/",
        &format!("/upload/{id}"),
        &format!("/upload/{id}/"),
        &format!("/upload/{id}/a.png/"),
        &format!("/upload/{id}/../{id}/a.png"),
        &format!("/upload/{id}/%2e%2e/a.png"),
        &format!("/upload/{id}/a%2epng"),
        &format!("/upload/{id}/a.png%00"),
        &format!("/upload//{id}/a.png"),
        &format!("/upload/{}/a.png", id.to_uppercase()),
        &format!("/upload/{short}%2f{id}/a.png"),
        &format!("/upload/{short}/{id}"),
        "/upload/../../metronome.toml",
        "/upload/..%2f..%2fmetronome.toml",
        "/upload/..%252f..%252fmetronome.toml",
        "/upload/%u002e%u002e/%u002e%u002e/metronome.toml",
        "/upload/%2>/a.png",
        "/upload/..;/metronome.toml",
        "/upload/....//....//etc/passwd",
        "/upload/\\..\\..\\metronome.toml",
        "/upload/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "/upload//etc/passwd",
        "/upload/file:%2f%2f%2fetc%2fpasswd/a",
        "/upload/00000000000000000000000000000000/a.png",
    ] {
        let answer = get(&server, path);
        // An upper-case id that has no letters is the same id.
        let is_same = path == slot.path;
        assert!(is_same || matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert!(!answer.body.windows(4).any(|four| four == b"root"), "{path}");
    }
    assert_eq!(get(&server, &slot.path).text(), "file");
}

#[test]
fn the_folder_is_for_the_server_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = upload(&server, &mut alice, "secret name.png", "image/png", b"file");
    let folder = crate::folder(&server);
    for part in ["files", "new", "of"] {
        let mode = std::fs::metadata(folder.join(part)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{part}: {mode:o}");
    }
    let file = folder.join("files").join(&slot.id()[..2]).join(slot.id());
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o077, 0);
    let all = [names(&server, "files"), names(&server, "of")].concat();
    assert!(all.iter().all(|name| !name.contains("secret") && !name.contains("alice")), "{all:?}");
}
