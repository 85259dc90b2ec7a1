//! Files on their way up and down: whole, in parts, through restarts, and without filling the memory.

use metronome_testkit::{Client, Setup};

use crate::{browser, get, head, names, put, server, slot, upload};

#[test]
fn a_file_is_uploaded_with_a_slot_and_fetched_by_whoever_knows_its_address() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = slot(&mut alice, "très cool.jpg", 5, "image/jpeg");
    assert!(slot.url.starts_with(&format!("https://localhost:{}/upload/", server.https().port())), "{}", slot.url);
    assert!(slot.url.ends_with("/tr%C3%A8s%20cool.jpg"), "{}", slot.url);
    assert_eq!(get(&server, &slot.path).status, 404);
    let mut encrypted = server.dial_as_browser().browse_tls();
    encrypted.send(head(&slot, "image/jpeg", 5).as_bytes());
    encrypted.send(b"hello");
    let answer = encrypted.answer("PUT");
    assert_eq!((answer.status, answer.text()), (201, ""));
    for mut browser in [browser(&server), encrypted] {
        let answer = browser.ask("GET", &slot.path, "");
        assert_eq!((answer.status, answer.text()), (200, "hello"));
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("content-length", "5"),
            ("content-disposition", "inline; filename=\"tr_s cool.jpg\"; filename*=UTF-8''tr%C3%A8s%20cool.jpg"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
            ("referrer-policy", "no-referrer"),
            ("access-control-allow-origin", "*"),
            ("accept-ranges", "bytes"),
        ] {
            let origin = "Origin: https://elsewhere.example\r\n";
            let answer = browser.ask("HEAD", &slot.path, origin);
            assert_eq!((answer.status, answer.field(name)), (200, Some(value)), "{answer:?}");
        }
    }
    let bob = get(&server, &slot.path.replace("tr%C3%A8s%20cool", "sehr%20cool"));
    assert_eq!(bob.status, 404, "nobody gives a file another name than its owner did");
}

#[test]
fn a_part_of_a_file_is_a_range_of_bytes() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = upload(&server, &mut alice, "digits.bin", "application/octet-stream", b"0123456789");
    let mut browser = browser(&server);
    let mut ask = |fields: &str| browser.ask("GET", &slot.path, fields);
    for (range, status, said, body) in [
        ("bytes=0-3", 206, Some("bytes 0-3/10"), "0123"),
        ("bytes=4-", 206, Some("bytes 4-9/10"), "456789"),
        ("bytes=-2", 206, Some("bytes 8-9/10"), "89"),
        ("bytes=8-100", 206, Some("bytes 8-9/10"), "89"),
        ("bytes=0-1,4-5", 200, None, "0123456789"),
        ("nonsense", 200, None, "0123456789"),
    ] {
        let answer = ask(&format!("Range: {range}\r\n"));
        assert_eq!((answer.status, answer.field("content-range"), answer.text()), (status, said, body), "{range}");
    }
    for range in ["bytes=10-", "bytes=99999999999999999999-", "bytes=-0"] {
        let answer = ask(&format!("Range: {range}\r\n"));
        assert_eq!((answer.status, answer.field("content-range")), (416, Some("bytes */10")), "{range}");
    }
    let tag = ask("").field("etag").unwrap().to_owned();
    assert_eq!(ask("If-None-Match: \"x\"\r\n").status, 200);
    assert_eq!(ask(&format!("Range: bytes=1-1\r\nIf-Range: {tag}\r\n")).text(), "1");
    assert_eq!(ask("Range: bytes=1-1\r\nIf-Range: \"x\"\r\n").status, 200);
    let known = browser.ask("HEAD", &slot.path, &format!("If-None-Match: \"x\", {tag}\r\n"));
    assert_eq!((known.status, known.field("content-type")), (304, None), "{known:?}");
}

#[test]
fn what_a_browser_would_run_is_saved_as_bytes() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    for (name, media_type) in [
        ("page.html", "text/html"),
        ("page.xhtml", "application/xhtml+xml"),
        ("drawing.svg", "image/svg+xml"),
        ("script.js", "text/javascript"),
        ("feed.xml", "application/atom+xml"),
    ] {
        let slot = upload(&server, &mut alice, name, media_type, b"<script>alert(1)</script>");
        let answer = get(&server, &slot.path);
        assert_eq!(answer.field("content-type"), Some("application/octet-stream"), "{media_type}");
        assert!(answer.field("content-disposition").unwrap().starts_with("attachment; "), "{answer:?}");
        assert_eq!(
            answer.field("content-security-policy").unwrap(),
            "default-src 'none'; frame-ancestors 'none'; sandbox"
        );
    }
    let slot = upload(&server, &mut alice, "note.txt", "text/plain", b"hello");
    assert_eq!(get(&server, &slot.path).field("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn a_page_of_another_site_may_upload_and_fetch() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = slot(&mut alice, "a.png", 1, "image/png");
    let asked = "Origin: https://chat.example\r\nAccess-Control-Request-Method: PUT\r\n\
                 Access-Control-Request-Headers: authorization, content-type\r\n";
    let answer = browser(&server).ask("OPTIONS", &slot.path, asked);
    assert!(answer.status < 300, "{answer:?}");
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.field("access-control-allow-credentials"), None);
    assert!(answer.field("access-control-allow-methods").unwrap().contains("PUT"), "{answer:?}");
    assert!(answer.field("access-control-allow-headers").unwrap().contains("authorization"), "{answer:?}");
    let deleted = browser(&server).ask("DELETE", &slot.path, "");
    assert_eq!((deleted.status, deleted.field("allow")), (405, Some("GET, HEAD, PUT, OPTIONS")));
}

#[test]
fn files_outlive_the_server_and_slots_do_not() {
    let mut server = Setup::default().web().start();
    let mut alice = Client::login(&server, "alice", "phone");
    let kept = upload(&server, &mut alice, "a.png", "image/png", b"kept");
    let lost = slot(&mut alice, "b.png", 4, "image/png");
    server.crash();
    assert_eq!(get(&server, &kept.path).text(), "kept");
    assert_eq!(put(&server, &lost, "image/png", b"lost").status, 403);
    let mut alice = Client::login(&server, "alice", "phone");
    upload(&server, &mut alice, "c.png", "image/png", b"more");
    assert_eq!(names(&server, "files").len(), 2);
}

#[test]
fn a_large_file_goes_to_the_disk_as_it_comes() {
    const MIB: usize = 1 << 20;
    const SIZE: usize = 96 * MIB;
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    upload(&server, &mut alice, "small.bin", "application/octet-stream", &[7; MIB]);
    let before = server.resident_bytes();
    let slot = slot(&mut alice, "large.bin", SIZE, "application/octet-stream");
    let mut browser = browser(&server);
    browser.send(head(&slot, "application/octet-stream", SIZE).as_bytes());
    let piece = vec![7; MIB];
    let mut most = 0;
    for _ in 0..SIZE / MIB {
        assert!(browser.send(&piece));
        most = most.max(server.resident_bytes());
    }
    assert_eq!(browser.answer("PUT").status, 201);
    let answer = browser.ask("GET", &slot.path, "");
    assert_eq!((answer.status, answer.body.len()), (200, SIZE));
    assert!(answer.body.iter().all(|byte| *byte == 7));
    most = most.max(server.resident_bytes());
    let growth = most.saturating_sub(before);
    assert!(growth < 24 * MIB as u64, "{growth} bytes for a file of {SIZE}");
}
