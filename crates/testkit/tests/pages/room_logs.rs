//! The logs of rooms that their owners let be recorded in public.

use metronome_testkit::{Setup, ask};

use crate::{
    ROOM, configure, enter, founded, get, is_missing, last_day, lines, links, page, person, say, say_text, server,
    until,
};

const LOGGED: (&str, &str) = ("enablelogging", "1");

#[test]
fn a_room_is_in_the_list_with_a_calendar_and_a_page_for_each_day() {
    let server = Setup::default().web().start();
    let mut alice = founded(
        &server,
        ROOM,
        &[LOGGED, ("persistentroom", "1"), ("roomname", "The Coven"), ("roomdesc", "Where shall we meet?")],
    );
    let mut bob = person(&server, "bob");
    enter(&mut bob, ROOM, "second");
    say_text(&mut alice, ROOM, "hello");
    say(&mut bob, ROOM, "act", "<body>/me waves, see https://example.org/?a=1&amp;b=2</body>");
    say(&mut alice, ROOM, "subject", "<subject>Fire and water</subject>");
    let mut browser = server.dial_as_browser().browse();
    let list = page(&mut browser, "/logs/");
    assert_eq!(links(&list, "/logs/"), ["/logs/coven/"], "{list}");
    assert!(list.contains("The Coven") && list.contains("Where shall we meet?"), "{list}");
    let day = last_day(&mut browser, "coven");
    let log = page(&mut browser, &day);
    assert_eq!(
        lines(&log),
        [
            " first hello",
            " second waves, see https://example.org/?a=1&amp;b=2",
            " first has set the subject: Fire and water"
        ],
        "{log}"
    );
    assert!(log.contains("<a href='https://example.org/?a=1&amp;b=2' rel='noopener noreferrer nofollow'>"), "{log}");
    assert!(log.contains("href='xmpp:coven@rooms.localhost?join'"), "{log}");
    assert!(!log.contains("alice") && !log.contains("bob"), "nicknames alone: {log}");
    let month = &day[..day.len() - 4];
    assert_eq!(links(&page(&mut browser, &format!("{month}/")), &day), [&*day]);
    let compact = day.replace('-', "");
    for other in [compact, day.trim_end_matches('/').to_owned()] {
        let to = get(&mut browser, &other);
        assert_eq!(to.status, 301, "{other}");
        assert_eq!(to.field("location"), Some(&*day), "{other}");
    }
    assert_eq!(get(&mut browser, "/logs").field("location"), Some("/logs/"));
    assert_eq!(get(&mut browser, "/logs/coven").field("location"), Some("/logs/coven/"));
    // The service is a name of its own, with the same pages.
    assert_eq!(browser.ask_host("rooms.localhost", "GET", &day, "").status, 200);
    assert_eq!(browser.ask_host("nobody.example", "GET", &day, "").status, 404);
    let style = browser.ask("GET", "/assets/pages.css", "");
    assert_eq!((style.status, style.field("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(style.text().contains("color-scheme: light dark"));
}

/// XEP-0045 section 7.2.12: status 170 is what tells people.
#[test]
fn only_what_was_said_after_everybody_was_told_is_shown() {
    let server = server("");
    let mut alice = founded(&server, ROOM, &[]);
    say_text(&mut alice, ROOM, "among us");
    let mut browser = server.dial_as_browser().browse();
    is_missing(&mut browser, "/logs/coven/");
    configure(&mut alice, ROOM, &[LOGGED]);
    assert!(page(&mut browser, "/logs/coven/").contains("Nothing was said yet."));
    say_text(&mut alice, ROOM, "in public");
    let day = last_day(&mut browser, "coven");
    assert_eq!(lines(&page(&mut browser, &day)), [" first in public"]);
    configure(&mut alice, ROOM, &[("enablelogging", "0")]);
    is_missing(&mut browser, &day);
    say_text(&mut alice, ROOM, "among us again");
    configure(&mut alice, ROOM, &[LOGGED]);
    assert!(
        page(&mut browser, "/logs/coven/").contains("Nothing was said yet."),
        "what was said before stays where it was"
    );
}

#[test]
fn rooms_that_are_not_open_to_all_are_not_there() {
    let server = server("");
    let mut alice = founded(&server, ROOM, &[LOGGED]);
    say_text(&mut alice, ROOM, "hello");
    let mut browser = server.dial_as_browser().browse();
    let day = last_day(&mut browser, "coven");
    let nothing = get(&mut browser, "/logs/nowhere/").text().to_owned();
    for (closed, open) in [
        (&[("publicroom", "0")][..], &[("publicroom", "1")][..]),
        (&[("membersonly", "1")], &[("membersonly", "0")]),
        (&[("passwordprotectedroom", "1"), ("roomsecret", "x")], &[("passwordprotectedroom", "0")]),
        (&[("enablearchiving", "0")], &[("enablearchiving", "1")]),
    ] {
        configure(&mut alice, ROOM, closed);
        for path in ["/logs/coven/", &day, &day[..day.len() - 4]] {
            let path = format!("{}/", path.trim_end_matches('/'));
            let answer = get(&mut browser, &path);
            assert_eq!((answer.status, answer.text()), (404, &*nothing), "{closed:?} {path}");
        }
        assert!(page(&mut browser, "/logs/").contains("There are no rooms to read here."), "{closed:?}");
        configure(&mut alice, ROOM, open);
        assert!(
            page(&mut browser, "/logs/coven/").contains("Nothing was said yet."),
            "what was said among fewer stays: {open:?}"
        );
    }
}

#[test]
fn what_was_taken_back_is_not_shown_again() {
    let server = server("");
    let mut alice = founded(&server, ROOM, &[LOGGED]);
    let mut bob = person(&server, "bob");
    enter(&mut bob, ROOM, "second");
    let id = say_text(&mut bob, ROOM, "potions");
    let own = say_text(&mut bob, ROOM, "mistake");
    let moderate = format!(
        "<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>"
    );
    assert!(ask(&mut alice, "set", ROOM, &moderate).fits("<iq type='result'"));
    say(
        &mut bob,
        ROOM,
        "back",
        &format!("<body>fallback</body><retract xmlns='urn:xmpp:message-retract:1' id='{own}'/>"),
    );
    let mut browser = server.dial_as_browser().browse();
    let day = last_day(&mut browser, "coven");
    let log = page(&mut browser, &day);
    assert_eq!(
        lines(&log),
        [" second A moderator has removed this message.", " second has taken a message back."],
        "{log}"
    );
    assert!(!log.contains("potions") && !log.contains("mistake") && !log.contains("fallback"), "{log}");
}

#[test]
fn a_long_day_is_read_in_pages() {
    let server = server("");
    let mut alice = founded(&server, ROOM, &[LOGGED]);
    for number in 1..=250 {
        alice.send(&format!(
            "<message to='{ROOM}' type='groupchat' id='n{number}'><body>number {number}.</body></message>"
        ));
    }
    until(&mut alice, "<message type='groupchat' id='n250'");
    let mut browser = server.dial_as_browser().browse();
    let mut path = last_day(&mut browser, "coven");
    let mut all = Vec::new();
    loop {
        let log = page(&mut browser, &path);
        all.extend(lines(&log));
        match links(&log, "/logs/coven/").into_iter().find(|link| link.contains("?after=")) {
            Some(next) => path = next,
            None => break,
        }
    }
    let expected: Vec<_> = (1..=250).map(|number| format!(" first number {number}.")).collect();
    // Midnight may lie between two of them: then the rest is on the page of the next day, which is the last one.
    assert!(expected.ends_with(&all) && !all.is_empty(), "{} lines: {all:?}", all.len());
}

#[test]
fn a_room_tells_where_its_log_is_and_an_administrator_can_do_without() {
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let on = server("web.url = \"https://chat.example\"");
    let mut alice = founded(&on, ROOM, &[]);
    assert!(!ask(&mut alice, "get", ROOM, info).contains("muc#roominfo_logs"));
    configure(&mut alice, ROOM, &[LOGGED]);
    let told = ask(&mut alice, "get", ROOM, info);
    assert!(told.contains("muc#roominfo_logs") && told.contains("https://chat.example/logs/coven/"), "{told}");
    let off = server("rooms.logs = false");
    let mut alice = founded(&off, ROOM, &[LOGGED]);
    assert!(!ask(&mut alice, "get", ROOM, info).contains("muc#roominfo_logs"));
    let mut browser = off.dial_as_browser().browse();
    is_missing(&mut browser, "/logs/");
    is_missing(&mut browser, "/logs/coven/");
}
