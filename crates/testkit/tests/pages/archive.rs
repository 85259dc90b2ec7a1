//! Everybody's own archive, for whoever has logged in with a browser.

use metronome_testkit::{Answer, Backend, Browser, Client, Server, Setup, online};
use serde_json::json;

use crate::{get, lines, links, page};

/// A server with these pages.
fn server() -> Server {
    with("")
}

fn with(options: &str) -> Server {
    Setup::default().store(Backend::Memory).web().options(&format!("web.archive = true\n{options}")).start()
}

#[track_caller]
fn post(browser: &mut Browser, path: &str, fields: &str, body: &str) -> Answer {
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    browser.send(format!("{head}Content-Length: {}\r\n{fields}\r\n{body}", body.len()).as_bytes());
    browser.answer("POST")
}

fn form(name: &str, password: &str) -> String {
    format!("name={name}&password={password}")
}

/// A browser with TLS in which somebody has logged in, and the field with its cookie.
#[track_caller]
fn logged_in(server: &Server, name: &str) -> (Browser, String) {
    let mut browser = server.dial_as_browser().browse_tls();
    let answer = post(&mut browser, "/archive/login", "", &form(name, &format!("{name}-secret")));
    assert_eq!((answer.status, answer.field("location")), (303, Some("/archive/")), "{answer:?}");
    let cookie = answer.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    (browser, format!("Cookie: {cookie}\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n"))
}

/// A page for whoever has logged in.
#[track_caller]
fn read(browser: &mut Browser, cookie: &str, path: &str) -> String {
    let answer = browser.ask("GET", path, cookie);
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")), "{path}: {answer:?}");
    assert_eq!((answer.field("access-control-allow-origin"), answer.field("content-encoding")), (None, None));
    crate::is_sound(answer.text());
    answer.text().to_owned()
}

/// Whoever asks so is nobody.
#[track_caller]
fn is_nobody(browser: &mut Browser, cookie: &str) {
    assert!(browser.ask("GET", "/archive/", cookie).text().contains("type='password'"), "{cookie}");
    let answer = browser.ask("GET", "/archive/with/bob@localhost/", cookie);
    assert_eq!((answer.status, answer.field("location")), (303, Some("/archive/")), "{cookie}");
}

/// Says something, and waits until it has come.
#[track_caller]
fn say(from: &mut Client, to: &mut Client, address: &str, id: &str, inside: &str) {
    from.send(&format!("<message to='{address}' type='chat' id='{id}'>{inside}</message>"));
    to.wait_for(&format!("<message id='{id}'"));
}

#[track_caller]
fn day_with(browser: &mut Browser, cookie: &str, peer: &str) -> String {
    let place = format!("/archive/with/{peer}/");
    let calendar = read(browser, cookie, &place);
    let day = links(&calendar, &place).into_iter().rfind(|link| link.len() == place.len() + "2026-11-23/".len());
    day.unwrap_or_else(|| panic!("a day with something: {calendar}"))
}

fn token(page: &str) -> String {
    page.split("name='token' value='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
}

#[test]
fn everybody_reads_their_own_archive_and_nobody_elses() {
    let server = Setup::default().web().options("web.archive = true").start();
    let (mut alice, mut bob) = (online(&server, "alice", "phone"), online(&server, "bob", "desk"));
    let mut carol = online(&server, "carol", "desk");
    say(&mut alice, &mut bob, "bob@localhost", "1", "<body>hello bob</body>");
    say(&mut bob, &mut alice, "alice@localhost", "2", "<body>hello alice</body>");
    say(&mut carol, &mut bob, "bob@localhost", "3", "<body>between carol and bob</body>");
    let (mut browser, cookie) = logged_in(&server, "alice");
    let people = read(&mut browser, &cookie, "/archive/");
    assert_eq!(links(&people, "/archive/with/"), ["/archive/with/bob@localhost/"], "{people}");
    let day = day_with(&mut browser, &cookie, "bob@localhost");
    let log = read(&mut browser, &cookie, &day);
    assert_eq!(lines(&log), [" You hello bob", " bob@localhost hello alice"], "{log}");
    let month = format!("{}/", &day[..day.len() - 4]);
    assert_eq!(links(&read(&mut browser, &cookie, &month), &day), [&*day]);
    let none = read(&mut browser, &cookie, "/archive/with/carol@localhost/");
    assert!(none.contains("There is nothing in your archive."), "{none}");
    let found = browser.ask("GET", "/archive/find?with=bob%40localhost%2Fdesk", &cookie);
    assert_eq!((found.status, found.field("location")), (303, Some("/archive/with/bob@localhost/")));
    // The same address leads everybody to their own.
    let (mut other, bobs) = logged_in(&server, "bob");
    assert!(read(&mut other, &bobs, "/archive/with/bob@localhost/").contains("There is nothing in your archive."));
    let day = day_with(&mut other, &bobs, "carol@localhost");
    assert_eq!(lines(&read(&mut other, &bobs, &day)), [" carol@localhost between carol and bob"]);
}

#[test]
fn the_cookie_is_for_these_pages_and_ends_with_the_login() {
    let server = server();
    let mut browser = server.dial_as_browser().browse_tls();
    let answer = post(&mut browser, "/archive/login", "", &form("%20alice%40localhost", "alice-secret"));
    let set = answer.field("set-cookie").unwrap().to_owned();
    let (cookie, rest) = set.split_once(';').unwrap();
    assert_eq!(rest, " Path=/archive/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure");
    assert!(cookie.len() >= "archive=".len() + 43, "{cookie}");
    let cookie = format!("Cookie: x=y; {cookie}\r\n");
    let people = read(&mut browser, &cookie, "/archive/");
    assert!(people.contains("alice@localhost"), "{people}");
    for nobody in ["", "Cookie: archive=\r\n", "Cookie: archive=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"] {
        is_nobody(&mut browser, nobody);
    }
    // Other sites can neither end a login nor begin one.
    let token = format!("token={}", token(&people));
    let site = |site: &str| format!("{cookie}Origin: {site}\r\n");
    for (fields, body) in
        [(site("https://localhost"), "token=x"), (site("https://localhost"), ""), (cookie.clone(), "token=")]
    {
        assert_eq!(post(&mut browser, "/archive/logout", &fields, body).status, 403, "{fields} {body}");
    }
    let foreign = post(&mut browser, "/archive/logout", &site("https://evil.example"), &token);
    assert_eq!((foreign.status, foreign.field("set-cookie")), (303, None));
    for fields in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let answer = post(&mut browser, "/archive/login", fields, &form("alice", "alice-secret"));
        assert_eq!((answer.status, answer.field("set-cookie")), (403, None), "{fields}");
    }
    read(&mut browser, &cookie, "/archive/");
    let out = post(&mut browser, "/archive/logout", &site("https://localhost"), &token);
    assert_eq!(out.status, 303);
    assert!(out.field("set-cookie").unwrap().starts_with("archive=; Path=/archive/; Max-Age=0;"), "{out:?}");
    is_nobody(&mut browser, &cookie);
    assert_eq!(browser.ask("GET", "/archive/logout", &cookie).status, 405);
}

/// The chat page has the same name and runs scripts: what others make them do must not reach these pages.
#[test]
fn scripts_and_frames_of_this_site_see_nothing() {
    let server = server();
    let (mut browser, cookie) = logged_in(&server, "alice");
    for wanted in ["empty", "iframe", "object", "worker"] {
        let fields =
            format!("{cookie}Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: {wanted}\r\n");
        for path in ["/archive/", "/archive/with/bob@localhost/", "/archive/find?with=bob@localhost"] {
            let answer = browser.ask("GET", path, &fields);
            assert_eq!(answer.status, 403, "{wanted} {path}: {answer:?}");
            assert!(!answer.text().contains("alice"), "{answer:?}");
        }
        let answer = post(&mut browser, "/archive/login", &fields, &form("alice", "alice-secret"));
        assert_eq!((answer.status, answer.field("set-cookie")), (403, None), "{wanted}");
    }
    let window = "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let answer = browser.ask("GET", "/archive/", &format!("{cookie}{window}"));
    assert!(answer.status == 200 && answer.text().contains("alice@localhost"), "{answer:?}");
    // Whoever opens a window has no hold of it: its policies are others than those of the pages that run scripts.
    for (name, value) in [("opener", "same-origin"), ("embedder", "require-corp"), ("resource", "same-origin")] {
        assert_eq!(answer.field(&format!("cross-origin-{name}-policy")), Some(value), "{answer:?}");
    }
    assert_eq!(post(&mut browser, "/archive/login", window, &form("alice", "alice-secret")).status, 303);
}

/// Failures are counted by accounts; who tries many of them is stopped as well.
#[test]
fn nobody_guesses_at_one_account_after_the_other() {
    let server = with("limits.web.pages = \"3/h\"");
    let mut browser = server.dial_as_browser().browse_tls();
    for name in ["anna", "anton", "arthur"] {
        assert_eq!(post(&mut browser, "/archive/login", "", &form(name, "password")).status, 403, "{name}");
    }
    assert_eq!(post(&mut browser, "/archive/login", "", &form("alice", "alice-secret")).status, 429);
}

#[test]
fn who_may_not_log_in_elsewhere_may_not_here() {
    let server = with("limits.login_failures.per_ip = \"3/min\"");
    let mut browser = server.dial_as_browser().browse_tls();
    let refused = |browser: &mut Browser, name: &str, password: &str| {
        let answer = post(browser, "/archive/login", "Accept: text/html\r\n", &form(name, password));
        assert_eq!((answer.status, answer.field("set-cookie")), (403, None), "{name}");
        answer.text().to_owned()
    };
    let wrong = refused(&mut browser, "alice", "wrong");
    for (name, password) in [
        ("nobody", "wrong"),
        ("alice%00", "alice-secret"),
        ("", "alice-secret"),
        ("alice", ""),
        ("alice%40elsewhere.example", "alice-secret"),
        ("alice%40localhost%2Fphone", "alice-secret"),
        ("alice", "wrong"),
        ("alice", "wrong"),
    ] {
        assert_eq!(refused(&mut browser, name, password), wrong, "all are told the same: {name}");
    }
    assert_eq!(refused(&mut browser, "alice", "alice-secret"), wrong, "after too many failures");
    assert_eq!(
        post(&mut browser, "/archive/login", "", &form("bob", "bob-secret")).status,
        303,
        "others are not concerned"
    );
    for broken in ["", "name=alice", "password=x", "name=%ff&password=x"] {
        assert_eq!(post(&mut browser, "/archive/login", "", broken).status, 400, "{broken}");
    }
    browser.send(b"POST /archive/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n");
    assert_eq!(browser.answer("POST").status, 413);
}

#[test]
fn a_login_ends_with_the_right_to_it() {
    let server = server();
    let (mut browser, cookie) = logged_in(&server, "alice");
    server.control().run("user disable", json!({ "jid": "alice@localhost" }));
    is_nobody(&mut browser, &cookie);
    assert_eq!(post(&mut browser, "/archive/login", "", &form("alice", "alice-secret")).status, 403);
    server.control().run("user enable", json!({ "jid": "alice@localhost" }));
    is_nobody(&mut browser, &cookie);
    let (mut browser, cookie) = logged_in(&server, "alice");
    read(&mut browser, &cookie, "/archive/");
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    is_nobody(&mut browser, &cookie);
}

#[test]
fn a_login_of_one_domain_is_none_of_another() {
    let server =
        Setup::default().store(Backend::Memory).web().domain("other.example").options("web.archive = true").start();
    let (mut browser, cookie) = logged_in(&server, "alice");
    read(&mut browser, &cookie, "/archive/");
    let other = browser.ask_host("other.example", "GET", "/archive/", &cookie);
    assert!(other.status == 200 && other.text().contains("type='password'"), "{other:?}");
}

#[test]
fn nobody_sends_a_password_that_others_could_read() {
    let server = server();
    let mut browser = server.dial_as_browser().browse();
    let refused = get(&mut browser, "/archive/");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("with https") && !refused.text().contains("<form"), "{}", refused.text());
    assert_eq!(post(&mut browser, "/archive/login", "", &form("alice", "alice-secret")).status, 403);
    let by_proxy = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";
    let answer = post(&mut browser, "/archive/login", by_proxy, &form("alice", "alice-secret"));
    assert!(answer.status == 303 && answer.field("set-cookie").unwrap().ends_with("; Secure"), "{answer:?}");
    let off = Setup::default().store(Backend::Memory).web().start();
    let mut browser = off.dial_as_browser().browse_tls();
    crate::is_missing(&mut browser, "/archive/");
    assert_eq!(post(&mut browser, "/archive/login", "", &form("alice", "alice-secret")).status, 404);
}

#[test]
fn what_others_write_and_call_themselves_stays_text() {
    const TRICK: &str = "&lt;/title&gt;&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt;&quot; onload=&quot;alert(1)";
    let server = server();
    let (mut alice, mut bob) = (online(&server, "alice", "phone"), online(&server, "bob", "desk"));
    alice.send(&format!(
        "<iq type='set' id='add'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' name='{TRICK}'/></query></iq>"
    ));
    alice.wait_for("<iq id='add'");
    say(&mut bob, &mut alice, "alice@localhost", "1", &format!("<body>{TRICK}</body>"));
    say(&mut bob, &mut alice, "alice@localhost", "2", "<body>javascript:alert(1) https://example.org/'onload=x</body>");
    say(
        &mut bob,
        &mut alice,
        "alice@localhost",
        "3",
        &format!("<body>x</body><x xmlns='http://jabber.org/protocol/muc#user'>{TRICK}</x>"),
    );
    let (mut browser, cookie) = logged_in(&server, "alice");
    let people = read(&mut browser, &cookie, "/archive/");
    assert!(people.contains("&lt;/title&gt;"), "{people}");
    let day = day_with(&mut browser, &cookie, "bob@localhost");
    let log = read(&mut browser, &cookie, &day);
    assert_eq!((lines(&log).len(), log.matches("<title>").count()), (3, 1), "{log}");
    assert!(!log.contains("href='javascript"), "{log}");
    for path in [
        "/archive/with/BOB@localhost/",
        "/archive/with/bob@localhost~2fdesk/",
        "/archive/with/%3Cscript%3E/",
        "/archive/with/@/",
        "/archive/with/bob@localhost/2026-02-30/",
        "/archive/with/bob@localhost/today/",
        "/archive/find?with=%3Cb%3E@@",
        "/archive/find",
        "/archive/with/",
        "/archive/of/bob@localhost/",
    ] {
        assert_eq!(browser.ask("GET", path, &cookie).status, 404, "{path}");
    }
    assert_eq!(browser.ask("GET", "/archive/with/../../x/", &cookie).status, 400);
    assert_eq!(page(&mut browser, "/archive/").matches("<form").count(), 1, "without the cookie there is the way in");
}
