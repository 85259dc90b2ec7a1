//! Pages over what is stored, as a browser gets them: the logs of rooms, open nodes as feeds, and everybody's own archive. Who may see what,
//! what hostile names and messages come to, and paths that are not what they seem.
#![allow(clippy::unwrap_used)]

mod archive;
mod feeds;
mod room_hostile;
mod room_logs;

use metronome_testkit::{Answer, Backend, Browser, Client, Seen, Server, Setup};

/// The room of most scenarios.
const ROOM: &str = "coven@rooms.localhost";

fn server(options: &str) -> Server {
    Setup::default().store(Backend::Memory).web().options(options).start()
}

/// Asks for a page as a browser does.
#[track_caller]
fn get(browser: &mut Browser, path: &str) -> Answer {
    browser.ask("GET", path, "Accept: text/html\r\n")
}

/// A page that is there, with the header fields that all have.
#[track_caller]
fn page(browser: &mut Browser, path: &str) -> String {
    let answer = get(browser, path);
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, Some("text/html; charset=utf-8")),
        "{path}: {answer:?}"
    );
    let policy = answer.field("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    let text = answer.text();
    is_sound(text);
    assert!(text.contains("name='viewport'") && text.contains("href='/assets/pages.css'"), "{text}");
    text.to_owned()
}

/// There is nothing in a page that runs, or that was put in by somebody.
#[track_caller]
fn is_sound(text: &str) {
    for tag in text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let is_sound = tag.matches('\'').count() % 2 == 0 && !tag.contains('"') && !tag.starts_with("script");
        assert!(is_sound && !tag.contains(" style=") && !tag.contains("' on"), "{tag}: {text}");
    }
}

#[track_caller]
fn is_missing(browser: &mut Browser, path: &str) {
    assert_eq!(get(browser, path).status, 404, "{path}");
}

/// Where the links of a page lead that begin like this.
fn links(page: &str, beginning: &str) -> Vec<String> {
    let all = page.split("href='").skip(1).filter_map(|rest| rest.split('\'').next());
    all.filter(|link| link.starts_with(beginning)).map(str::to_owned).collect()
}

/// The messages on a page, each without its markup.
fn lines(page: &str) -> Vec<String> {
    let lines = page.split("<li id='m").skip(1).filter_map(|line| line.split_once("</time>")?.1.split("</li>").next());
    lines.map(|line| line.split('<').filter_map(|part| part.split('>').nth(1).or(Some(part))).collect()).collect()
}

// ---- rooms -------------------------------------------------------------------------------------------------------

fn person(server: &Server, name: &str) -> Client {
    Client::login(server, name, "phone")
}

/// Enters a room with this nickname, written as in XML, and passes over all that comes up to the subject.
#[track_caller]
fn enter(client: &mut Client, room: &str, nick: &str) {
    client.send(&format!("<presence to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    until(client, "<message type='groupchat'><subject");
}

/// Passes over everything before the first piece that fits, and answers that.
#[track_caller]
fn until(client: &mut Client, pattern: &str) -> Seen {
    loop {
        let seen = client.next_piece();
        if seen.fits(pattern) {
            return seen;
        }
    }
}

/// The room of this address is configured so, whether it is new or not.
#[track_caller]
fn configure(client: &mut Client, room: &str, fields: &[(&str, &str)]) {
    let field =
        |(var, value): &(&str, &str)| format!("<field var='muc#roomconfig_{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    client.send(&format!(
        "<iq type='set' id='configure' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/muc#roomconfig</value></field>{fields}</x></query></iq>"
    ));
    assert!(until(client, "<iq id='configure'").fits("<iq type='result'"));
    // What is said in the millisecond in which a room becomes public is not shown.
    std::thread::sleep(std::time::Duration::from_millis(2));
}

/// Alice makes a room and is `first` in it.
#[track_caller]
fn founded(server: &Server, room: &str, fields: &[(&str, &str)]) -> Client {
    let mut alice = person(server, "alice");
    enter(&mut alice, room, "first");
    configure(&mut alice, room, fields);
    alice
}

/// Says something, given as the inside of a message, and waits until everybody there has heard it; answers its id in the archive.
#[track_caller]
fn say(client: &mut Client, room: &str, id: &str, inside: &str) -> String {
    client.send(&format!("<message to='{room}' type='groupchat' id='{id}'>{inside}</message>"));
    until(client, &format!("<message type='groupchat' id='{id}'")).attribute_of("stanza-id", "id").unwrap_or_default()
}

/// Says this text.
#[track_caller]
fn say_text(client: &mut Client, room: &str, text: &str) -> String {
    say(client, room, text, &format!("<body>{text}</body>"))
}

/// The last day of a room's log on which something was said.
#[track_caller]
fn last_day(browser: &mut Browser, room: &str) -> String {
    let calendar = page(browser, &format!("/logs/{room}/"));
    let days = links(&calendar, &format!("/logs/{room}/"));
    let day =
        days.iter().rfind(|link| link.trim_end_matches('/').rsplit('/').next().unwrap().len() == "2026-11-23".len());
    day.unwrap_or_else(|| panic!("a day with something: {calendar}")).clone()
}
