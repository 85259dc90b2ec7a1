//! A store that is slow or cannot take anything, and connections that look alive: what clients with stream management are told then.

use metronome_testkit::{Client, Server, Setup};
use rusqlite::Connection;

use crate::{bodies, chat, managed};

/// Nothing is committed while this is there: another process has the lock of the database, so commits wait for five seconds, and
/// fail then, or at once where something must be read first.
struct Held(Connection);

impl Held {
    fn hold(server: &Server) -> Held {
        let file = server.folder().join("data").join("metronome.db");
        let connection = Connection::open(file).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Held(connection)
    }

    fn release(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

fn ping(client: &mut Client, id: &str) {
    client.send(&format!("<iq type='get' id='{id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"));
}

#[test]
fn what_is_said_right_behind_enable_is_counted_and_told_behind_enabled() {
    let mut server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    let message = chat("bob@localhost", "early");
    alice.send(&format!("<enable xmlns='urn:xmpp:sm:3' resume='true'/>{message}<r xmlns='urn:xmpp:sm:3'/>"));
    let enabled = alice.expect("<enabled xmlns='urn:xmpp:sm:3' resume='true'");
    let told = alice.expect("<a xmlns='urn:xmpp:sm:3'");
    assert_eq!(told.attribute("h").as_deref(), Some("1"));
    server.crash();
    let (_alice, handled) = Client::resume(&server, "alice", &enabled.attribute("id").unwrap(), 0);
    assert_eq!(handled, 1);
}

#[test]
fn a_stream_that_the_store_does_not_take_is_counted_and_cannot_be_resumed() {
    let server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    let held = Held::hold(&server);
    alice.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let enabled = alice.expect("<enabled xmlns='urn:xmpp:sm:3'");
    assert!(enabled.attribute("resume").is_none() && enabled.attribute("id").is_none(), "{enabled}");
    ping(&mut alice, "ping");
    alice.expect("<iq type='result' id='ping'");
    assert_eq!(alice.handled().0, 1, "nobody resumes it, so nothing need be stored");
    held.release();
    alice.drop_connection();
    let mut again = Client::login(&server, "alice", "tablet");
    again.enable();
}

#[test]
fn a_slow_disk_delays_what_is_acknowledged_and_loses_nothing() {
    let mut server = Setup::default().start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let (mut alice, previd) = managed(&server, "alice", "phone");
    // What the writer needs to know of both archives it knows from here on, so it waits for the lock.
    alice.send(&chat("bob@localhost", "fast"));
    assert_eq!(alice.handled().0, 2);
    let held = Held::hold(&server);
    alice.send(&chat("bob@localhost", "slow"));
    assert_eq!(alice.handled().0, 2, "it is not durable");
    held.release();
    assert_eq!(bodies(&mut bob, 2), ["fast", "slow"]);
    while alice.handled().0 != 3 {}
    server.crash();
    let (_alice, handled) = Client::resume(&server, "alice", &previd, 1);
    assert_eq!(handled, 3);
}

#[test]
fn what_the_disk_refused_is_answered_before_it_is_acknowledged() {
    let mut server = Setup::default().start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let (mut alice, previd) = managed(&server, "alice", "phone");
    let held = Held::hold(&server);
    alice.send(&chat("bob@localhost", "refused"));
    let error = alice.wait_for("<message type='error' id='refused'");
    assert!(error.contains("type='wait'"), "{error}");
    held.release();
    // That it is handled is known to the store before it is told.
    while alice.handled().0 != 2 {}
    server.crash();
    let (mut alice, handled) = Client::resume(&server, "alice", &previd, 1);
    assert_eq!(handled, 2);
    alice.send(&chat("bob@localhost", "kept"));
    assert_eq!(alice.handled().0, 3);
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    assert_eq!(bodies(&mut bob, 1), ["kept"]);
    bob.expect_nothing_before_ping();
}

#[test]
fn a_number_that_could_not_be_stored_is_not_told_and_what_is_beyond_it_is_sent_again() {
    let mut server = Setup::default().start();
    let (mut alice, previd) = managed(&server, "alice", "phone");
    assert_eq!(alice.handled().0, 1);
    let held = Held::hold(&server);
    ping(&mut alice, "ping");
    alice.expect("<iq type='result' id='ping'");
    assert_eq!(alice.handled().0, 1, "the store does not know of the second");
    server.kill();
    held.release();
    server.start_again();
    let (mut alice, handled) = Client::resume(&server, "alice", &previd, 1);
    assert_eq!(handled, 1);
    ping(&mut alice, "ping");
    alice.wait_for("<iq type='result' id='ping'");
    assert_eq!(alice.handled().0, 2);
}

#[test]
fn a_connection_that_is_half_open_is_given_up_and_its_session_waits() {
    let server = Setup::default().options("limits.c2s.answer = \"2 s\"\nlimits.c2s.idle = \"1 s\"").start();
    let mut bob = Client::login(&server, "bob", "desk");
    let (alice, previd) = managed(&server, "alice", "phone");
    // The connection stays open and says nothing more.
    bob.send(&chat("alice@localhost", "unread"));
    bob.settle("alice@localhost");
    // Who says nothing is given up here, so he does not wait for that himself.
    bob.close();
    server.expect_log("a session waits for its client");
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send(&chat("alice@localhost", "later"));
    bob.settle("alice@localhost");
    let (mut again, _) = Client::resume(&server, "alice", &previd, 1);
    assert_eq!(bodies(&mut again, 2), ["unread", "later"]);
    drop(alice);
}
