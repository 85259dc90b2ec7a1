//! The proxy for file transfers (XEP-0065 section 6): how it is found, how two parties meet there and what they send each other, and those
//! who want what is not theirs.
#![allow(clippy::unwrap_used)]

mod discovery;
mod hostile;
mod limits;
mod strangers;
mod transfers;

use std::time::{Duration, Instant};

use metronome_testkit::{Backend, Client, Party, Seen, Server, Setup, WAIT, ask, condition, stream_hash};

/// The service of these scenarios.
const SERVICE: &str = "proxy.localhost";
const ALICE: &str = "alice@localhost/phone";
const BOB: &str = "bob@localhost/desk";
/// Asks where the proxy is.
const WHERE: &str = "<query xmlns='http://jabber.org/protocol/bytestreams'/>";

fn setup(options: &str) -> Setup {
    Setup::default().store(Backend::Memory).socks().options(options)
}

/// A server, and alice, who is the requester in these scenarios.
fn started(options: &str) -> (Server, Client) {
    let server = setup(options).start();
    let alice = Client::login(&server, "alice", "phone");
    (server, alice)
}

/// The payload that lets the bytes of a stream flow.
fn activate(sid: &str, target: &str) -> String {
    let activate = format!("<activate>{target}</activate>");
    format!("<query xmlns='http://jabber.org/protocol/bytestreams' sid='{sid}'>{activate}</query>")
}

/// Type and condition of an error.
#[track_caller]
fn error(seen: &Seen) -> String {
    let condition = condition(seen);
    format!("{} {condition}", seen.attribute_of("error", "type").unwrap_or_default())
}

/// What somebody hears who wants the bytes of a stream to flow to bob.
#[track_caller]
fn refused(client: &mut Client, sid: &str) -> String {
    error(&ask(client, "set", SERVICE, &activate(sid, BOB)))
}

#[track_caller]
fn activated(client: &mut Client, sid: &str) {
    let result = ask(client, "set", SERVICE, &activate(sid, BOB));
    assert!(result.fits("<iq type='result' from='proxy.localhost'"), "{result}");
}

/// Bob and then alice, connected for a stream that alice has asked bob for.
#[track_caller]
fn connected(server: &Server, sid: &str) -> (Party, Party) {
    let hash = stream_hash(sid, ALICE, BOB);
    let target = Party::join(server.socks(), &hash);
    (Party::join(server.socks(), &hash), target)
}

/// Alice and bob, between whom bytes flow.
#[track_caller]
fn transfer(server: &Server, alice: &mut Client, sid: &str) -> (Party, Party) {
    let parties = connected(server, sid);
    activated(alice, sid);
    parties
}

/// One of the metrics.
fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.control().run("metrics", serde_json::json!({}));
    let value = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name}: {metrics}")).parse().unwrap()
}

const WAITING: &str = "metronome_bytestreams{state=\"waiting\"}";
const ACTIVE: &str = "metronome_bytestreams{state=\"active\"}";

/// Looks again until a metric is so.
#[track_caller]
fn until(server: &Server, name: &str, value: u64) {
    let deadline = Instant::now() + WAIT;
    while metric(server, name) != value {
        assert!(Instant::now() < deadline, "{name} is {}", metric(server, name));
        std::thread::sleep(Duration::from_millis(20));
    }
}
