//! Messages that wait, over the wire: offline, behind slow readers, through crashes and full disks (XEP-0160, XEP-0203).
#![allow(clippy::unwrap_used)]

use std::process::Command;

use metronome_testkit::{Backend, Client, Seen, Server, ServerPings, Setup, on_both_stores, on_both_stores_with};

/// Nobody is slowed down.
const FAST: &str = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"15 MiB\"";

fn online(server: &Server, name: &str, resource: &str) -> Client {
    let mut client = Client::login(server, name, resource);
    client.send("<presence/>");
    client.wait_for(&format!("<presence from='{name}@localhost/{resource}'"));
    client
}

fn write(alice: &mut Client, to: &str, body: impl std::fmt::Display) {
    alice.send(&format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>"));
}

/// Everything sent to this bare address before is settled: a request to it is answered behind it.
fn settle(alice: &mut Client, to: &str) {
    alice.send(&format!("<iq to='{to}' type='get' id='settle'><ping xmlns='urn:xmpp:ping'/></iq>"));
    alice.expect("<iq type='error' id='settle'");
}

/// The id that a message has in its recipient's archive.
fn archive_id(seen: &Seen) -> u64 {
    seen.attribute_of("stanza-id", "id").unwrap().parse().unwrap()
}

/// Expects these bodies in this order, with ids that grow; answers the ids.
fn expect_bodies(bob: &mut Client, bodies: impl IntoIterator<Item = String>) -> Vec<u64> {
    let mut ids = Vec::new();
    for body in bodies {
        let seen = bob.expect(&format!("<message><body>{body}</body>"));
        ids.push(archive_id(&seen));
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    ids
}

fn numbers(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}

/// Reads what this session was written and proves it, by answering the server's ping.
fn prove(bob: &mut Client) {
    bob.server_pings(ServerPings::Shown);
    let ping = bob.wait_for("<iq type='get' from='localhost'><ping xmlns='urn:xmpp:ping'");
    bob.send(&format!("<iq type='result' to='localhost' id='{}'/>", ping.attribute("id").unwrap()));
    bob.expect_nothing_before_ping();
}

#[test]
fn offline_messages_come_in_order_with_the_time_they_were_sent() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut carol = Client::login(server, "carol", "phone");
        numbers(0..10).for_each(|body| write(&mut alice, "bob@localhost", body));
        settle(&mut alice, "bob@localhost");
        write(&mut carol, "bob@localhost/gone", "carol");
        settle(&mut carol, "bob@localhost");
        let mut bob = Client::login(server, "bob", "desk");
        bob.expect_nothing_before_ping();
        bob.available();
        for body in numbers(0..10) {
            let seen = bob.expect(&format!("<message from='alice@localhost/phone'><body>{body}</body>"));
            assert_eq!(seen.attribute_of("delay", "from").unwrap(), "localhost", "{seen}");
            assert!(seen.contains("<delay xmlns='urn:xmpp:delay'"), "{seen}");
            let stamp = seen.attribute_of("delay", "stamp").unwrap();
            assert!(stamp.starts_with("20") && stamp.ends_with('Z'), "{stamp}");
        }
        bob.expect("<message from='carol@localhost/phone' to='bob@localhost/gone'><body>carol</body>");
        // What comes now has no stamp, and an id behind all of them.
        write(&mut alice, "bob@localhost", "live");
        let live = bob.expect("<message><body>live</body>");
        assert!(!live.contains("<delay") && archive_id(&live) == 12, "{live}");
    });
}

#[test]
fn a_session_with_a_negative_priority_is_not_given_what_waits() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        write(&mut alice, "bob@localhost", "wait");
        settle(&mut alice, "bob@localhost");
        let mut bob = Client::login(server, "bob", "desk");
        bob.send("<presence><priority>-1</priority></presence>");
        bob.expect("<presence from='bob@localhost/desk'");
        bob.expect_nothing_before_ping();
        bob.send("<presence/>");
        bob.expect_all(&["<presence from='bob@localhost/desk'", "<message><body>wait</body>"]);
    });
}

#[test]
fn beyond_the_limit_messages_come_back() {
    on_both_stores_with("archive.unseen = 3", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        numbers(0..4).for_each(|body| write(&mut alice, "bob@localhost", body));
        alice.expect("<message type='error' from='bob@localhost' id='3'><service-unavailable");
        alice.expect_nothing_before_ping();
        let mut bob = online(server, "bob", "desk");
        expect_bodies(&mut bob, numbers(0..3));
        prove(&mut bob);
        bob.close();
        write(&mut alice, "bob@localhost", "again");
        settle(&mut alice, "bob@localhost");
    });
}

#[test]
fn what_was_seen_is_not_delivered_again() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        numbers(0..3).for_each(|body| write(&mut alice, "bob@localhost", body));
        expect_bodies(&mut bob, numbers(0..3));
        prove(&mut bob);
        bob.drop_connection();
        let mut bob = online(server, "bob", "desk");
        bob.expect_nothing_before_ping();
        // A graceful close proves it too, and at once.
        write(&mut alice, "bob@localhost", "3");
        expect_bodies(&mut bob, numbers(3..4));
        bob.close();
        let mut bob = online(server, "bob", "desk");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn what_was_seen_stays_seen_over_a_restart() {
    let mut server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    numbers(0..3).for_each(|body| write(&mut alice, "bob@localhost", body));
    expect_bodies(&mut bob, numbers(0..3));
    // The stop comes before the batch in which this is written.
    bob.close();
    drop(alice);
    server.restart();
    let mut bob = online(&server, "bob", "desk");
    bob.expect_nothing_before_ping();
}

#[test]
fn a_stop_closes_streams_in_order_and_keeps_what_was_sent() {
    let mut server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    bob.server_pings(ServerPings::Shown);
    numbers(0..20).for_each(|body| write(&mut alice, "bob@localhost", body));
    settle(&mut alice, "bob@localhost");
    server.stop();
    alice.expect_stream_error("system-shutdown");
    // What was still to be read from the store when the stop came is left there: an unbroken run, then the end.
    let mut next = 0;
    while let Some(body) = bob.next_piece().text_of("body") {
        assert_eq!(body, next.to_string(), "an unbroken run");
        next += 1;
    }
    server.start_again();
    // He has not closed his stream, so nothing proves that he had them.
    let mut bob = online(&server, "bob", "desk");
    expect_bodies(&mut bob, numbers(0..20));
}

#[test]
fn after_a_lost_connection_messages_come_once_more_under_the_same_ids() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        bob.server_pings(ServerPings::Shown);
        numbers(0..3).for_each(|body| write(&mut alice, "bob@localhost", body));
        let first = expect_bodies(&mut bob, numbers(0..3));
        bob.drop_connection();
        settle(&mut alice, "bob@localhost");
        let mut bob = online(server, "bob", "desk");
        let second = expect_bodies(&mut bob, numbers(0..3));
        assert_eq!(first, second);
        prove(&mut bob);
        bob.drop_connection();
        let mut bob = online(server, "bob", "desk");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_device_that_comes_later_is_given_what_nobody_has_proved() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut desk = online(server, "bob", "desk");
        desk.server_pings(ServerPings::Shown);
        write(&mut alice, "bob@localhost", "0");
        expect_bodies(&mut desk, numbers(0..1));
        let mut phone = Client::login(server, "bob", "phone");
        phone.send("<presence/>");
        phone.wait_for("<message><body>0</body>");
        desk.wait_for("<presence from='bob@localhost/phone'");
    });
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    let mut server = Setup::default().options(FAST).start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    bob.server_pings(ServerPings::Shown);
    numbers(0..50).for_each(|body| write(&mut alice, "bob@localhost", body));
    settle(&mut alice, "bob@localhost");
    let live = expect_bodies(&mut bob, numbers(0..50));
    // More is under way when the kill comes; of that anything may be lost, and nothing doubled.
    numbers(50..150).for_each(|body| write(&mut alice, "bob@localhost", body));
    server.crash();
    let mut bob = online(&server, "bob", "desk");
    let kept = expect_bodies(&mut bob, numbers(0..50));
    assert_eq!(kept, live);
    let mut next = 50;
    bob.send("<iq type='get' id='end' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
    while let Some(seen) = Some(bob.next_piece()).filter(|seen| !seen.fits("<iq id='end'")) {
        if let Some(body) = seen.text_of("body") {
            assert_eq!(body, next.to_string(), "an unbroken run");
            next += 1;
        }
    }
    let mut server = server;
    drop(bob);
    server.restart();
    let mut bob = online(&server, "bob", "desk");
    expect_bodies(&mut bob, numbers(0..next));
}

#[test]
fn thousands_of_offline_messages_do_not_hurt() {
    const COUNT: u32 = 5000;
    let server = Setup::default().options(FAST).start();
    let mut alice = Client::login(&server, "alice", "phone");
    for hundred in 0..COUNT / 100 {
        let batch: String = (hundred * 100..(hundred + 1) * 100)
            .map(|number| format!("<message to='bob@localhost' type='chat'><body>{number}</body></message>"))
            .collect();
        alice.send(&batch);
    }
    settle(&mut alice, "bob@localhost");
    let before = server.resident_bytes();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    // He is answered meanwhile.
    bob.send("<iq type='get' id='meanwhile' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
    let (mut next, mut answered_at) = (0, None);
    while next < COUNT {
        let seen = bob.next_piece();
        if seen.fits("<iq type='result' id='meanwhile'") {
            answered_at = Some(next);
            continue;
        }
        assert_eq!(seen.text_of("body").unwrap(), next.to_string());
        next += 1;
    }
    assert!(answered_at.is_some_and(|at| at < COUNT), "the ping is answered between the messages");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "pages are read as he reads: {grown} bytes");
    let late = bob.close();
    assert!(late.is_empty(), "{late:?}");
    let mut bob = online(&server, "bob", "desk");
    bob.expect_nothing_before_ping();
}

#[test]
fn with_the_archive_off_messages_wait_until_they_were_seen() {
    on_both_stores_with("archive.users = \"off\"", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        write(&mut alice, "bob@localhost", "0");
        settle(&mut alice, "bob@localhost");
        let mut bob = online(server, "bob", "desk");
        expect_bodies(&mut bob, numbers(0..1));
        bob.drop_connection();
        let mut bob = online(server, "bob", "desk");
        expect_bodies(&mut bob, numbers(0..1));
        bob.close();
        let mut bob = online(server, "bob", "desk");
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn a_slow_reader_gets_everything_once_and_in_order_from_the_store() {
    const COUNT: u32 = 1500;
    let server = Setup::default().options(FAST).start();
    let mut bob = online(&server, "bob", "desk");
    let mut alice = Client::login(&server, "alice", "phone");
    let padding = "x".repeat(10_000);
    for number in 0..COUNT {
        alice.send(&format!(
            "<message to='bob@localhost' type='chat'><body>{number}</body><p xmlns='urn:example:p'>{padding}</p></message>"
        ));
    }
    settle(&mut alice, "bob@localhost");
    // He has read nothing so far; what does not fit is in the store, not in memory.
    let resident = server.resident_bytes();
    assert!(resident < 100 << 20, "{resident} bytes");
    let (mut next, mut last) = (0, 0);
    while next < COUNT {
        let seen = bob.next_piece();
        assert_eq!(seen.text_of("body").unwrap(), next.to_string());
        assert!(archive_id(&seen) > last);
        (next, last) = (next + 1, archive_id(&seen));
    }
    bob.expect_nothing_before_ping();
}

#[test]
fn two_sessions_get_large_messages_whole() {
    on_both_stores_with(FAST, |server| {
        let mut devices = [online(server, "bob", "desk"), online(server, "bob", "phone")];
        devices[0].expect("<presence from='bob@localhost/phone'");
        let mut alice = Client::login(server, "alice", "phone");
        let body = "Größe ".repeat(1500);
        for number in 0..30 {
            alice
                .send(&format!("<message to='bob@localhost' type='chat' id='m{number}'><body>{body}</body></message>"));
        }
        devices[1].wait_for("<message id='m0'>");
        devices[0].expect("<message id='m0'>");
        for number in 1..30 {
            for bob in &mut devices {
                let seen = bob.expect(&format!("<message id='m{number}'>"));
                assert_eq!(seen.text_of("body").unwrap(), body);
            }
        }
    });
}

#[test]
fn many_senders_to_one_recipient_each_keep_their_order() {
    const SENDERS: usize = 8;
    const EACH: usize = 40;
    let setup = (0..SENDERS).fold(Setup::default(), |setup, n| setup.account(&format!("sender{n}@localhost")));
    let server = setup.options(FAST).start();
    let mut bob = online(&server, "bob", "desk");
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let server = &server;
            scope.spawn(move || {
                let mut client = Client::login(server, &format!("sender{sender}"), "x");
                for number in 0..EACH {
                    // Every third is not stored and still keeps its place.
                    let content = match number % 3 {
                        2 => "<no-store xmlns='urn:xmpp:hints'/>",
                        _ => "",
                    };
                    client.send(&format!(
                        "<message to='bob@localhost' type='chat'><body>{sender}-{number}</body>{content}</message>"
                    ));
                }
                settle(&mut client, "bob@localhost");
            });
        }
    });
    let (mut next, mut last) = ([0; SENDERS], 0);
    for _ in 0..SENDERS * EACH {
        let seen = bob.expect("<message>");
        let body = seen.text_of("body").unwrap();
        let (sender, number) = body.split_once('-').unwrap();
        let sender: usize = sender.parse().unwrap();
        assert_eq!(number.parse::<usize>().unwrap(), next[sender], "the order of sender {sender}");
        next[sender] += 1;
        if seen.contains("<stanza-id") {
            assert!(archive_id(&seen) > last, "ids only grow on a session");
            last = archive_id(&seen);
        }
    }
    bob.expect_nothing_before_ping();
}

/// A file system of two megabytes; none where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts it, which needs root: a test that cannot run has not passed.
    fn new() -> SmallDisk {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=2m", "none"];
        let mounted =
            Command::new("mount").args(mount).arg(folder.path()).output().expect("there is a program `mount`");
        assert!(mounted.status.success(), "a small disk can be mounted (as root): {mounted:?}");
        SmallDisk(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_to_senders_and_survived() {
    let disk = SmallDisk::new();
    let data = format!("server.data = \"{}\"\n{FAST}", disk.0.path().display());
    let server = Setup::default().store(Backend::Sqlite).options(&data).start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let padding = "x".repeat(20_000);
    let message = |number: usize| {
        format!("<message to='bob@localhost' type='chat' id='{number}'><body>{padding}</body></message>")
    };
    let mut given = 0;
    let refused = (0..300).find(|&number| {
        alice.send(&message(number));
        alice.send("<iq to='bob@localhost' type='get' id='settle'><ping xmlns='urn:xmpp:ping'/></iq>");
        let answer = alice.next_piece();
        if answer.fits("<iq type='error' id='settle'") {
            given += 1;
            return false;
        }
        assert!(answer.fits(&format!("<message type='error' id='{number}'><resource-constraint")), "{answer}");
        alice.expect("<iq type='error' id='settle'");
        true
    });
    assert!(refused.is_some() && given > 5, "the disk was full after {given} messages");
    // What was told to be kept was delivered, what was refused was not, and the server answers as before.
    for number in 0..given {
        bob.expect(&format!("<message id='{number}'>"));
    }
    bob.expect_nothing_before_ping();
    let grown = Command::new("mount").args(["-o", "remount,size=16m"]).arg(disk.0.path()).status().unwrap();
    assert!(grown.success());
    alice.send(&message(1000));
    bob.expect("<message id='1000'>");
    settle(&mut alice, "bob@localhost");
    drop(server);
}
