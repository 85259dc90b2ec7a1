//! What people call themselves and say in order to do something to whoever reads it, and paths that are not what they seem.

use crate::{configure, enter, founded, get, is_missing, last_day, lines, links, page, person, say, server};

const LOGGED: (&str, &str) = ("enablelogging", "1");

/// As it stands in XML.
const TRICK: &str = "&lt;/title&gt;&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt;&quot; onload=&quot;alert(1)";

/// CVE-2009-0934: scripts in the logs of rooms.
#[test]
fn names_subjects_and_messages_stay_text() {
    let server = server("");
    let room = "b-\\26lt\\3bscript\\3e-100%~@rooms.localhost";
    let mut alice = founded(&server, room, &[LOGGED, ("roomname", TRICK), ("roomdesc", TRICK)]);
    let mut bob = person(&server, "bob");
    enter(&mut bob, room, TRICK);
    for (id, inside) in [
        ("1", format!("<body>{TRICK}</body>")),
        ("2", format!("<body>/me {TRICK}</body>")),
        ("3", "<body>https://example.org/&quot;&gt;&lt;script&gt; javascript:alert(1) https://a/&apos;onload=x</body>".to_owned()),
        ("4", "<body>hidden</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><script>x</script></body></html>".to_owned()),
    ] {
        say(&mut bob, room, id, &inside);
    }
    say(&mut alice, room, "5", &format!("<subject>{TRICK}</subject>"));
    let mut browser = server.dial_as_browser().browse();
    let list = page(&mut browser, "/logs/");
    let place = links(&list, "/logs/")[0].clone();
    let name = place.trim_start_matches("/logs/").trim_end_matches('/').to_owned();
    assert_eq!(name, "b-~5c26lt~5c3bscript~5c3e-100~25~7e", "{list}");
    let calendar = page(&mut browser, &place);
    assert!(calendar.contains("&lt;/title&gt;"), "{calendar}");
    let day = last_day(&mut browser, &name);
    let log = page(&mut browser, &day);
    assert_eq!(lines(&log).len(), 5, "{log}");
    assert!(!log.contains("href='javascript"), "{log}");
    assert_eq!(log.matches("<title>").count(), 1, "{log}");
}

/// CVE-2009-0496 and CVE-2009-0497: scripts and other files by way of a page of logs.
#[test]
fn paths_that_are_no_room_and_no_day_find_nothing() {
    let server = server("");
    let mut alice = founded(&server, "coven@rooms.localhost", &[LOGGED]);
    crate::say_text(&mut alice, "coven@rooms.localhost", "hello");
    let mut browser = server.dial_as_browser().browse();
    for day in [
        "2026-02-30",
        "2026-13",
        "2026-13-01",
        "2026",
        "20261301",
        "today",
        "2026-11-23%20",
        "-",
        "..;",
        "99999-01-01",
        "2026-1-1",
        "%D9%A2%D9%A0%D9%A2%D9%A6-11-23",
        "1969-12-31",
        "2026-11-23T00:00:00Z",
        "~2e~2e",
    ] {
        is_missing(&mut browser, &format!("/logs/coven/{day}/"));
    }
    for room in
        ["COVEN", "coven%20", "coven@rooms.localhost", "~63oven", "~", "%2A", "coven'--", "~2e~2e", "~00", "nobody"]
    {
        is_missing(&mut browser, &format!("/logs/{room}/"));
    }
    for trick in [
        "/logs/../logs/coven/",
        "/logs/%2e%2e/",
        "/logs//coven/",
        "/logs/coven%2f..%2f/",
        "/logs/%63oven/",
        "/logs/coven%00/",
    ] {
        assert_eq!(get(&mut browser, trick).status, 400, "{trick}");
    }
    // A day on which nothing was said is a page like others, and what stands behind an address is a number or nothing.
    assert!(page(&mut browser, "/logs/coven/1970-01-01/").contains("Nothing to read."));
    let day = last_day(&mut browser, "coven");
    for after in ["-1", "x", "18446744073709551616", "1%27", "%ff", "0"] {
        assert_eq!(lines(&page(&mut browser, &format!("{day}?after={after}"))).len(), 1, "{after}");
    }
    assert!(lines(&page(&mut browser, &format!("{day}?after=18446744073709551615"))).is_empty());
    for after in ["coven", "~", "%ff", "%27%20OR%201=1", "zzz"] {
        assert_eq!(get(&mut browser, &format!("/logs/?after={after}")).status, 200, "{after}");
    }
    assert_eq!(browser.ask("POST", "/logs/coven/", "Content-Length: 0\r\n").status, 405);
    // Locked for its owner alone, a room is not there yet.
    let mut bob = person(&server, "bob");
    enter(&mut bob, "new@rooms.localhost", "first");
    is_missing(&mut browser, "/logs/new/");
    configure(&mut bob, "new@rooms.localhost", &[LOGGED]);
    page(&mut browser, "/logs/new/");
}

#[test]
fn who_reads_too_much_waits() {
    let server = server("limits.web.pages = \"3/h\"");
    let mut browser = server.dial_as_browser().browse();
    for _ in 0..3 {
        page(&mut browser, "/logs/");
    }
    assert_eq!(get(&mut browser, "/logs/").status, 429);
    assert_eq!(get(&mut browser, "/feeds/news").status, 429);
    assert_eq!(get(&mut browser, "/assets/pages.css").status, 200);
    // Who comes through a proxy is somebody else.
    let other = browser.ask("GET", "/logs/", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n");
    assert_eq!(other.status, 200);
}
