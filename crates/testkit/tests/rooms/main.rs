//! Rooms (XEP-0045 and its family) as clients see them: one file for each section of its use cases, then what belongs to rooms besides,
//! then hostile clients and the ends of servers.
#![allow(clippy::unwrap_used)]

mod admin;
mod affiliations;
mod archive;
mod bits;
mod configuration;
mod creating;
mod destroying;
mod elsewhere;
mod entering;
mod extras;
mod glue;
mod hats;
mod history;
mod hostile;
mod identity;
mod inactive;
mod invitations;
mod keeping;
mod kicks;
mod leaving;
mod moderation;
mod nicknames;
mod pictures;
mod pings;
mod readers;
mod registration;
mod remote;
mod restarts;
mod service;
mod services;
mod speaking;
mod subjects;
mod trust;
mod versions;
mod voice;

use metronome_testkit::{Backend, Client, Seen, Server, Setup, ask};

/// The service of these scenarios.
const SERVICE: &str = "rooms.localhost";
/// The room of most of them.
const ROOM: &str = "coven@rooms.localhost";

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

/// A server with four people.
fn server() -> Server {
    with("")
}

fn with(options: &str) -> Server {
    Setup::default().store(Backend::Memory).account("dave@localhost").options(options).start()
}

/// Somebody who has logged in, and is not in any room.
fn person(server: &Server, name: &str) -> Client {
    Client::login(server, name, "phone")
}

// ---- what a room tells -------------------------------------------------------------------------------------------

/// A presence of a room in short: `-` for one who goes, the nickname, affiliation and role, the real address and another nickname if
/// they are told, and the codes in their order.
fn short(seen: &Seen) -> String {
    let from = seen.attribute("from").unwrap_or_default();
    let nick = from.split_once('/').map_or("", |(_, nick)| nick);
    let gone = if seen.attribute("type").as_deref() == Some("unavailable") { "-" } else { "" };
    let of_item = |name: &str| seen.attribute_of("item", name);
    let (affiliation, role) = (of_item("affiliation").unwrap_or_default(), of_item("role").unwrap_or_default());
    let mut text = format!("{gone}{nick} {affiliation}/{role}");
    for more in [of_item("jid"), of_item("nick").map(|nick| format!("now {nick}"))].into_iter().flatten() {
        text.push_str(&format!(" {more}"));
    }
    codes(seen).iter().for_each(|code| text.push_str(&format!(" {code}")));
    text
}

/// The status codes, sorted.
fn codes(seen: &Seen) -> Vec<u16> {
    let tags = seen.split("<status").skip(1).filter_map(|tag| tag.split_once("code=").map(|(_, value)| value));
    let mut codes: Vec<u16> = tags.filter_map(|value| value.get(1..4)?.parse().ok()).collect();
    codes.sort_unstable();
    codes
}

/// The presence among these, in short.
fn shorts(seen: &[Seen]) -> Vec<String> {
    seen.iter().filter(|seen| seen.fits("<presence")).map(short).collect()
}

/// The bodies of the messages among these, in their order.
fn bodies(seen: &[Seen]) -> Vec<String> {
    seen.iter().filter(|seen| seen.fits("<message")).filter_map(|seen| seen.text_of("body")).collect()
}

/// Type and condition of an error.
#[track_caller]
fn error(seen: &Seen) -> String {
    assert_eq!(seen.attribute("type").as_deref(), Some("error"), "{seen}");
    format!("{} {}", seen.attribute_of("error", "type").unwrap_or_default(), seen.conditions()[0])
}

/// The next piece is this presence of the room, in short.
#[track_caller]
fn sees(client: &mut Client, what: &str) -> Seen {
    let seen = client.next_piece();
    if !seen.fits("<presence") || short(&seen) != what {
        client.fail(&format!("expected the presence {what}\n   found {seen}"));
    }
    seen
}

/// The next piece is what this occupant says.
#[track_caller]
fn hears(client: &mut Client, nick: &str, body: &str) -> Seen {
    let seen = client.expect(&format!("<message type='groupchat' from='{ROOM}/{nick}'><body>"));
    if seen.text_of("body").as_deref() != Some(body) {
        client.fail(&format!("expected {body} of {nick}\n   found {seen}"));
    }
    seen
}

/// Everything that has come, by a question that the room itself answers.
#[track_caller]
fn so_far(client: &mut Client) -> Vec<Seen> {
    so_far_in(client, ROOM)
}

#[track_caller]
fn so_far_in(client: &mut Client, room: &str) -> Vec<Seen> {
    client.send(&format!("<iq type='get' id='so-far' to='{room}'>{INFO}</iq>"));
    until(client, "<iq id='so-far'").0
}

/// Everything before the first piece that fits, and that.
#[track_caller]
fn until(client: &mut Client, pattern: &str) -> (Vec<Seen>, Seen) {
    let mut before = Vec::new();
    loop {
        let seen = client.next_piece();
        if seen.fits(pattern) {
            return (before, seen);
        }
        before.push(seen);
    }
}

/// Nothing more has come from the room.
#[track_caller]
fn quiet(clients: &mut [&mut Client]) {
    for client in clients {
        let came = so_far(client);
        if !came.is_empty() {
            client.fail(&format!("nothing more was expected, and there is {came:?}"));
        }
    }
}

/// Passes over what has come.
#[track_caller]
fn pass(clients: &mut [&mut Client]) {
    clients.iter_mut().for_each(|client| drop(so_far(client)));
}

// ---- what people do ----------------------------------------------------------------------------------------------

fn join_stanza(room: &str, nick: &str, inside: &str) -> String {
    format!("<presence to='{room}/{nick}' id='join'><x xmlns='http://jabber.org/protocol/muc'>{inside}</x></presence>")
}

/// Enters, and answers all that comes up to the subject.
#[track_caller]
fn enter(client: &mut Client, nick: &str) -> Vec<Seen> {
    enter_in(client, ROOM, nick, "")
}

#[track_caller]
fn enter_in(client: &mut Client, room: &str, nick: &str, inside: &str) -> Vec<Seen> {
    client.send(&join_stanza(room, nick, inside));
    let mut came = Vec::new();
    loop {
        let seen = client.next_piece();
        let is_subject = seen.fits("<message type='groupchat'><subject") && !seen.contains("<body");
        came.push(seen);
        if is_subject {
            return came;
        }
    }
}

/// May not enter: type and condition of the error.
#[track_caller]
fn shut_out(client: &mut Client, nick: &str, inside: &str) -> String {
    client.send(&join_stanza(ROOM, nick, inside));
    let seen = client.expect("<presence type='error'");
    assert_eq!(seen.attribute("from"), Some(format!("{ROOM}/{nick}")), "{seen}");
    assert_eq!(seen.attribute("id").as_deref(), Some("join"), "{seen}");
    error(&seen)
}

/// Says something to everybody; its id is its text.
fn say(client: &mut Client, body: &str) {
    client.send(&format!("<message to='{ROOM}' type='groupchat' id='{body}'><body>{body}</body></message>"));
}

/// Says something that everybody in the room hears, and what comes before it is passed over.
#[track_caller]
fn say_heard(client: &mut Client, body: &str) -> Seen {
    say(client, body);
    until(client, &format!("<message type='groupchat' id='{body}'><body>{body}")).1
}

fn admin(items: &str) -> String {
    format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>")
}

fn owner(inside: &str) -> String {
    format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{inside}</query>")
}

/// A form that is filled in; several values stand between bars.
fn form(form_type: &str, fields: &[(&str, &str)]) -> String {
    let values = |values: &str| values.split('|').map(|value| format!("<value>{value}</value>")).collect::<String>();
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'>{}</field>", values(value));
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/muc#{form_type}</value></field>{fields}</x>"
    )
}

/// A configuration; names without a `#` are those of the XEP.
fn configuration(fields: &[(&str, &str)]) -> String {
    let name = |var: &str| if var.contains('#') { var.to_owned() } else { format!("muc#roomconfig_{var}") };
    let named: Vec<(String, &str)> = fields.iter().map(|(var, value)| (name(var), *value)).collect();
    let fields: Vec<(&str, &str)> = named.iter().map(|(var, value)| (&**var, *value)).collect();
    owner(&form("roomconfig", &fields))
}

/// Asks the room for something that it grants; answers what came besides, up to now.
#[track_caller]
fn does(client: &mut Client, kind: &str, payload: &str) -> Vec<Seen> {
    client.send(&format!("<iq type='{kind}' id='does' to='{ROOM}'>{payload}</iq>"));
    let (mut came, answer) = until(client, "<iq id='does'");
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{payload}: {answer}");
    assert_eq!(answer.attribute("from").as_deref(), Some(ROOM), "{answer}");
    came.extend(so_far(client));
    came
}

/// What the room answers to a request that it grants.
#[track_caller]
fn answer(client: &mut Client, kind: &str, payload: &str) -> Seen {
    let answer = ask(client, kind, ROOM, payload);
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{payload}: {answer}");
    answer
}

/// Asks the room for something that it refuses: type and condition.
#[track_caller]
fn refused(client: &mut Client, kind: &str, payload: &str) -> String {
    let answer = ask(client, kind, ROOM, payload);
    assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{payload}: {answer}");
    error(&answer)
}

/// Whether a stanza tells a real address, but for that of its recipient.
fn tells(seen: &Seen, jid: &str) -> bool {
    let to = seen.attribute("to").unwrap_or_default();
    seen.replacen(&format!("to='{to}'"), "", 1).contains(jid)
}

// ---- rooms to begin with -----------------------------------------------------------------------------------------

/// Alice makes the room, with this configuration, and is in it as `first`.
#[track_caller]
fn founded(server: &Server, fields: &[(&str, &str)]) -> Client {
    let mut alice = person(server, "alice");
    enter(&mut alice, "first");
    does(&mut alice, "set", &configuration(fields));
    alice
}

/// Somebody enters the room that alice has made; what those who are there see of it is passed over.
#[track_caller]
fn guest(server: &Server, name: &str, nick: &str, there: &mut [&mut Client]) -> Client {
    let mut client = person(server, name);
    enter(&mut client, nick);
    pass(there);
    client
}

/// Alice owns the room and is `first` in it, bob is `second` and carol `third`; both are nothing to it.
#[track_caller]
fn coven(server: &Server, fields: &[(&str, &str)]) -> (Client, Client, Client) {
    let mut alice = founded(server, fields);
    let mut bob = guest(server, "bob", "second", &mut [&mut alice]);
    let carol = guest(server, "carol", "third", &mut [&mut alice, &mut bob]);
    (alice, bob, carol)
}
