//! Requests that are slow, endless, too many, or not what they seem.

use std::time::Duration;

use metronome_testkit::Setup;

#[test]
fn paths_that_could_be_read_in_two_ways_reach_nobody() {
    let server = Setup::default().web().start();
    let mut browser = server.dial_as_browser().browse();
    for path in
        ["//healthz", "/./healthz", "/a/../healthz", "/%2e%2e/healthz", "/healthz%00", "/%68ealthz", "/x%2fhealthz"]
    {
        assert_eq!(browser.ask("GET", path, "").status, 400, "{path}");
    }
    assert_eq!(browser.ask("GET", "/healthz", "").status, 200);
}

#[test]
fn a_request_has_one_host() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    for head in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n"] {
        let mut browser = dial.browse();
        browser.send(head.as_bytes());
        assert_eq!(browser.answer("GET").status, 400, "{head}");
    }
}

#[test]
fn a_head_is_bounded_in_bytes_and_fields() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    let many = "X: y\r\n".repeat(100);
    let long = format!("X: {}\r\n", "y".repeat(40_000));
    for fields in [&many, &long] {
        let mut browser = dial.browse();
        browser.send(format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
        assert_eq!(browser.try_answer("GET").map(|answer| answer.status), Some(431));
    }
    let mut endless = dial.browse();
    endless.send(b"GET /");
    while endless.send(&[b'a'; 4096]) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn more_than_a_route_takes_is_refused_announced_or_not() {
    let server = Setup::default().web().start();
    let mut browser = server.dial_as_browser().browse();
    let refused = browser.ask("GET", "/healthz", "Content-Length: 100000000000\r\n");
    assert_eq!(refused.status, 413);
}

/// What a proxy reads as one request and we as two, or the other way round, is how somebody's request becomes another's (RFC 9112 section 11.2).
#[test]
fn a_request_that_could_be_read_in_two_ways_is_the_last_of_its_connection() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    let statuses = |fields: &str, body: &str| {
        let mut browser = dial.browse();
        let next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        browser.send(format!("POST /http-bind HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{body}{next}").as_bytes());
        let first = browser.answer("POST").status;
        (first, browser.try_answer("GET").map(|answer| answer.status))
    };
    let chunks = "1\r\nx\r\n0\r\n\r\n";
    // One that says its length in one way is followed by others.
    assert_eq!(statuses("Content-Length: 1", "x"), (200, Some(200)));
    assert_eq!(statuses("Transfer-Encoding: chunked", chunks), (200, Some(200)));
    for both in ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"] {
        assert_eq!(statuses(both, chunks), (200, None), "{both}");
    }
    for wrong in [
        "Content-Length: 1\r\nContent-Length: 2",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding : chunked\r\nContent-Length: 1",
        "Transfer-Encoding:\u{b}chunked\r\nContent-Length: 1",
        "Content-Length: 1\r\nX:\r\n Transfer-Encoding: chunked",
        "Content-Length: 1\r\nX: a\rTransfer-Encoding: chunked",
    ] {
        assert_eq!(statuses(wrong, "x"), (400, None), "{wrong:?}");
    }
}

#[test]
fn who_says_nothing_is_let_go() {
    let server = Setup::default().web().start();
    let mut silent = server.dial_as_browser().browse();
    let mut slow = server.dial_as_browser().browse();
    slow.send(b"GET /healthz HTTP/1.1\r\nHost: local");
    // Both have fifteen seconds for a whole head.
    for connection in [&mut silent, &mut slow] {
        assert!(connection.ends_within(Duration::from_secs(25)));
    }
}

#[test]
fn an_address_has_as_many_connections_as_everywhere() {
    let server = Setup::default().web().options("limits.connections = 3\nweb.proxies = []").start();
    let dial = server.dial_as_browser();
    let mut held: Vec<_> = (0..3).map(|_| dial.browse()).collect();
    for browser in &mut held {
        assert_eq!(browser.ask("GET", "/healthz", "").status, 200);
    }
    let mut one_more = dial.browse();
    one_more.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(one_more.try_answer("GET").is_none());
    drop(held.pop());
    server.expect_log("a connection is turned away");
}
