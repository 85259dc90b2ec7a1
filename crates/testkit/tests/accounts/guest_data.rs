//! What guests (XEP-0175) have: all that an account has while they are there, in memory only, and nothing once their last session
//! has gone.

use std::path::Path;
use std::time::{Duration, Instant};

use metronome_testkit::{Client, Push, Server, ServerPings, WAIT, ask};
use serde_json::{Value, json};

use super::guests::{from, guest, with_guests};

const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Marker of a guest</FN></vCard>";
const PRIVATE: &str = "<query xmlns='jabber:iq:private'><x xmlns='urn:example:x'>Marker of a guest</x></query>";
const ASK_CARD: &str = "<vCard xmlns='vcard-temp'/>";
const ASK_PRIVATE: &str = "<query xmlns='jabber:iq:private'><x xmlns='urn:example:x'/></query>";
const TWO: &str = "guests.sessions = 2";

/// A guest whose session is available, and who wants pushes.
fn available(server: &Server, address: &str) -> Client {
    let mut guest = guest(&from(server, address));
    guest.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>");
    guest.so_far();
    guest
}

fn online(server: &Server, name: &str) -> Client {
    let mut client = Client::login(server, name, "phone");
    client.roster();
    client.send("<presence/>");
    client.so_far();
    client
}

/// The addresses of all accounts.
fn accounts(server: &Server) -> Vec<String> {
    let Value::Array(rows) = server.control().run("user list", json!({})) else { panic!("a table") };
    rows.iter().map(|row| row["jid"].as_str().unwrap().to_owned()).collect()
}

/// Waits until no guest is left: they end once a second.
fn without_guests(server: &Server) {
    let deadline = Instant::now() + WAIT;
    while accounts(server).iter().any(|jid| jid.starts_with("guest-")) {
        assert!(Instant::now() < deadline, "a guest does not end: {:?}", accounts(server));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn say(client: &mut Client, verb: &str, to: &str) {
    client.send(&format!("<presence type='{verb}' to='{to}'/>"));
    client.settle(to);
}

/// Both see each other from now on.
fn befriend(a: &mut Client, b: &mut Client) {
    let (one, other) = (a.bare().to_owned(), b.bare().to_owned());
    say(a, "subscribe", &other);
    say(b, "subscribed", &one);
    say(b, "subscribe", &one);
    say(a, "subscribed", &other);
    a.so_far();
    b.so_far();
}

/// Whether any file below a folder has these bytes.
fn is_in(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_in(&path, needle),
            false => std::fs::read(path).unwrap().windows(needle.len()).any(|window| window == needle.as_bytes()),
        }
    })
}

#[test]
fn a_guest_has_a_roster_a_card_and_private_data_for_all_its_sessions() {
    let server = with_guests(TWO).start();
    let mut first = guest(&from(&server, "127.0.0.2"));
    assert!(first.roster().lines().is_empty());
    first.set_item("<item jid='alice@localhost' name='Alice'/>");
    assert!(ask(&mut first, "set", "", CARD).fits("<iq type='result'"));
    assert!(ask(&mut first, "set", "", PRIVATE).fits("<iq type='result'"));
    let mut second = guest(&from(&server, "127.0.0.2"));
    assert_eq!(second.roster().lines(), first.roster().lines());
    first.close();
    assert_eq!(second.roster().lines().len(), 1);
    assert!(ask(&mut second, "get", "", ASK_CARD).contains(CARD));
    assert!(ask(&mut second, "get", "", ASK_PRIVATE).contains(PRIVATE));
}

#[test]
fn who_comes_after_a_guest_from_the_same_address_finds_nothing_of_it() {
    let server = with_guests("").start();
    let mut first = available(&server, "127.0.0.2");
    let name = first.bare().to_owned();
    first.set_item("<item jid='alice@localhost' name='Alice'/>");
    ask(&mut first, "set", "", CARD);
    ask(&mut first, "set", "", PRIVATE);
    first.close();
    without_guests(&server);
    let mut next = guest(&from(&server, "127.0.0.2"));
    assert_eq!(next.bare(), name);
    assert!(next.roster().lines().is_empty());
    assert!(ask(&mut next, "get", "", ASK_CARD).contains("<item-not-found"));
    assert!(ask(&mut next, "get", "", ASK_PRIVATE).contains(ASK_PRIVATE));
    assert!(ask(&mut next, "get", "", "<query xmlns='jabber:iq:last'/>").fits("<iq type='result'"));
}

#[test]
fn subscriptions_with_a_guest_end_when_it_has_gone() {
    let server = with_guests("").start();
    let mut alice = online(&server, "alice");
    let mut first = available(&server, "127.0.0.2");
    let name = first.bare().to_owned();
    befriend(&mut first, &mut alice);
    assert_eq!(alice.roster().lines(), [format!("{name} both")]);
    first.drop_connection();
    let mut kinds = Vec::new();
    let push = loop {
        let seen = alice.next_piece();
        if let Some(push) = Push::read(&seen) {
            break push;
        }
        kinds.extend(seen.attribute("type"));
    };
    assert_eq!(kinds, ["unavailable", "unsubscribe", "unsubscribed"]);
    assert_eq!(push.item.to_string(), format!("{name} none"));
    without_guests(&server);
    let mut next = available(&server, "127.0.0.2");
    assert_eq!(next.bare(), name);
    next.send("<presence to='alice@localhost' type='probe'/>");
    next.settle("alice@localhost");
    next.expect_nothing_before_ping();
    alice.so_far();
    alice.expect_nothing_before_ping();
}

#[test]
fn after_a_crash_or_a_stop_nobody_is_taken_for_an_earlier_guest() {
    let ends: [fn(&mut Server); 2] = [Server::crash, Server::restart];
    for end in ends {
        let mut server = with_guests("").start();
        let mut alice = online(&server, "alice");
        let mut first = available(&server, "127.0.0.2");
        let name = first.bare().to_owned();
        befriend(&mut first, &mut alice);
        end(&mut server);
        let mut alice = online(&server, "alice");
        let mut next = available(&server, "127.0.0.2");
        assert_eq!(next.bare(), name);
        assert!(next.roster().lines().is_empty());
        next.expect_nothing_before_ping();
        alice.so_far();
        assert_eq!(alice.roster().lines(), [format!("{name} none")]);
    }
}

#[test]
fn what_a_guest_has_not_proved_to_have_comes_again_until_its_last_session_has_gone() {
    let server = with_guests("guests.sessions = 3").start();
    let stays = guest(&from(&server, "127.0.0.2"));
    let mut alice = Client::login(&server, "alice", "phone");
    let mut first = guest(&from(&server, "127.0.0.2"));
    first.server_pings(ServerPings::Shown);
    first.available();
    let to = first.bare().to_owned();
    alice.send(&format!("<message to='{to}' type='chat' id='m1'><body>Marker of a guest</body></message>"));
    alice.settle(&to);
    assert!(first.wait_for("<message id='m1'").contains("stanza-id"));
    first.drop_connection();
    // The guest is still there.
    let mut second = guest(&from(&server, "127.0.0.2"));
    second.server_pings(ServerPings::Shown);
    second.send("<presence/>");
    assert!(second.wait_for("<message id='m1'").contains("<delay"));
    second.drop_connection();
    stays.drop_connection();
    without_guests(&server);
    let mut next = available(&server, "127.0.0.2");
    assert_eq!(next.bare(), to);
    next.expect_nothing_before_ping();
}

#[test]
fn nothing_of_a_guest_is_on_the_disk() {
    let mut server = with_guests("").start();
    let mut one = available(&server, "127.0.0.2");
    let mut other = available(&server, "127.0.0.3");
    let name = one.bare().split('@').next().unwrap().to_owned();
    one.send_roster_set("set", "<item jid='friend@elsewhere.example' name='Marker of a guest'/>");
    ask(&mut one, "set", "", CARD);
    ask(&mut one, "set", "", PRIVATE);
    befriend(&mut one, &mut other);
    let to = one.bare().to_owned();
    other.send(&format!("<message to='{to}' type='chat' id='m1'><body>Marker of a guest</body></message>"));
    one.wait_for("<message id='m1'");
    one.send("<presence type='unavailable'><status>Marker of a guest</status></presence>");
    // What an account has written is found there: the search works.
    let mut alice = Client::login(&server, "alice", "phone");
    ask(&mut alice, "set", "", "<vCard xmlns='vcard-temp'><FN>Marker of alice</FN></vCard>");
    let data = server.folder().join("data");
    let is_clean = || {
        assert!(is_in(&data, "Marker of alice"));
        assert!(!is_in(&data, "Marker of a guest") && !is_in(&data, &name));
    };
    is_clean();
    server.crash();
    is_clean();
    assert!(!accounts(&server).iter().any(|jid| jid.starts_with("guest-")));
    let mut next = available(&server, "127.0.0.2");
    assert!(next.roster().lines().is_empty());
    assert!(ask(&mut next, "get", "", ASK_CARD).contains("<item-not-found"));
    next.close();
    other.end_connection();
    without_guests(&server);
    server.restart();
    is_clean();
}

#[test]
fn guests_who_come_and_go_leave_no_memory_behind() {
    let server = with_guests("").start();
    for number in 0..200 {
        let mut guest = available(&server, &format!("127.0.1.{}", number % 50 + 1));
        guest.send_roster_set("set", "<item jid='alice@localhost'/>");
        ask(&mut guest, "set", "", CARD);
        guest.close();
    }
    without_guests(&server);
    assert_eq!((server.figure("sessions"), accounts(&server).len()), (0, 3));
    // The slots of the tables, whose number depends on how many were there at the same time.
    assert!(server.figure("session_memory") < 32 * 1024, "{}", server.figure("session_memory"));
    assert_eq!(server.figure("panics"), 0);
}

#[test]
fn administrators_see_guests_and_change_nothing_about_them() {
    let server = with_guests("").start();
    let mut guest = available(&server, "127.0.0.2");
    let name = guest.bare().to_owned();
    let rows = server.control().run("user list", json!({}));
    let row = rows.as_array().unwrap().iter().find(|row| row["jid"] == name.as_str()).unwrap();
    assert_eq!((&row["role"], &row["sessions"]), (&json!("guest"), &json!(1)));
    for (command, more) in [
        ("user passwd", json!({ "password": "Passw0rd" })),
        ("user lock", json!({})),
        ("user disable", json!({})),
        ("user role", json!({ "role": "admin" })),
    ] {
        let mut arguments = more;
        arguments["jid"] = json!(name);
        let reply = server.control().ask(command, arguments);
        assert!(reply["exit"] == 1 && reply.to_string().contains("is a guest"), "{command}: {reply}");
    }
    guest.expect_nothing_before_ping();
    // Removing one is another word for sending it away.
    server.control().run("user delete", json!({ "jid": name }));
    guest.expect_stream_error("not-authorized");
    assert_eq!(available(&server, "127.0.0.2").bare(), name);
}
