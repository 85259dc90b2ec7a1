use std::task::{Context, Poll, Waker};

use metronome_host::gate::Closed;
use metronome_host::linked::{Opened, Secrecy, Served, Stream, Way};
use metronome_host::options::Values;
use metronome_host::server::{ForTest, only_answer};
use metronome_model::Unavailable;
use metronome_store::backend::faults::Faults;
use metronome_store::backend::memory;
use serde_json::{Value, json};

use super::*;

fn server() -> (Arc<Server>, Faults) {
    let (opened, faults) = Faults::wrap(memory::open());
    let values = Values::defaults(&[metronome_host::hosts::SETTINGS, gate::SETTINGS]);
    let values = values.with(BLOCK.key, "[\"listed.example\"]");
    let parts = ForTest { opened, values, features: &[], domains: &["ours.example"], seed: 1 };
    let server = Server::for_test(parts, only_answer);
    (server.unwrap(), faults)
}

async fn run_as(server: &Arc<Server>, verb: &str, given: Value) -> Result<String, Failed> {
    let command = FEATURE.commands.iter().find(|command| command.name == verb).unwrap();
    let Value::Object(given) = given else { panic!("an object") };
    let answer = (command.run)(server, Arguments::check(command.fields, given)?).await?;
    Ok(answer.to_text())
}

fn judged(server: &Server, remote: &str) -> Result<(), Closed> {
    let hosts = server.hosts.load();
    server.gate.judge(hosts.get("ours.example").unwrap(), remote, server.clock.unix_ms())
}

#[tokio::test]
async fn a_rule_counts_at_once_and_is_stored() {
    let (server, _) = server();
    let blocked = run_as(&server, "s2s block", json!({ "domain": "Bad.example", "for": "2d", "why": "spam" })).await;
    assert_eq!(blocked.unwrap(), "bad.example is blocked for 2 d");
    assert_eq!(judged(&server, "rooms.bad.example"), Err(Closed::Blocked));
    let again = gate::Gate::default();
    again.load(&*server.store, server.clock.unix_ms()).await.unwrap();
    assert_eq!(again.rules(server.clock.unix_ms()), server.gate.rules(server.clock.unix_ms()));
    let listed = run_as(&server, "s2s rules", json!({})).await.unwrap();
    assert!(listed.contains("bad.example") && listed.contains("2 d") && listed.contains("spam"), "{listed}");
    assert!(listed.contains("listed.example") && listed.contains("configuration"), "{listed}");
    server.clock.advance(2 * 24 * 60 * 60 * 1000);
    assert_eq!(judged(&server, "bad.example"), Ok(()));
}

#[tokio::test]
async fn what_was_decided_can_be_taken_back() {
    let (server, _) = server();
    run_as(&server, "s2s allow", json!({ "domain": "listed.example" })).await.unwrap();
    assert_eq!(judged(&server, "listed.example"), Ok(()));
    let unblocked = run_as(&server, "s2s unblock", json!({ "domain": "listed.example" })).await;
    assert_eq!(unblocked.unwrap(), "listed.example is allowed no more");
    assert_eq!(judged(&server, "listed.example"), Err(Closed::Blocked));
    let failed = run_as(&server, "s2s unblock", json!({ "domain": "listed.example" })).await.unwrap_err();
    assert!(failed.hint.contains("federation.block"), "{failed:?}");
}

#[tokio::test]
async fn what_cannot_be_stored_does_not_happen() {
    let (server, faults) = server();
    faults.fail_commits(1, Unavailable::DiskFull);
    assert!(run_as(&server, "s2s block", json!({ "domain": "bad.example" })).await.is_err());
    assert_eq!(judged(&server, "bad.example"), Ok(()));
    run_as(&server, "s2s block", json!({ "domain": "bad.example" })).await.unwrap();
    faults.fail_commits(1, Unavailable::DiskFull);
    assert!(run_as(&server, "s2s unblock", json!({ "domain": "bad.example" })).await.is_err());
    assert_eq!(judged(&server, "bad.example"), Err(Closed::Blocked));
}

#[tokio::test]
async fn own_domains_and_odd_times_are_refused() {
    let (server, _) = server();
    let own = run_as(&server, "s2s block", json!({ "domain": "ours.example" })).await.unwrap_err();
    assert_eq!(own.message, "ours.example is a domain of this server");
    let odd = run_as(&server, "s2s block", json!({ "domain": "bad.example", "for": "soon" })).await.unwrap_err();
    assert_eq!(odd.exit, 2, "{odd:?}");
}

#[tokio::test]
async fn a_ban_is_stored_without_anybody_waiting_for_it() {
    let (server, _) = server();
    let storing = tokio::spawn(run(server.clone()));
    tokio::task::yield_now().await;
    let host = server.hosts.load().get("ours.example").unwrap().clone();
    for _ in 0..50 {
        server.gate.offend(&server.clock, &host, "bad.example", "a flood");
    }
    assert_eq!(judged(&server, "bad.example"), Err(Closed::Banned));
    let again = gate::Gate::default();
    while again.rules(server.clock.unix_ms()).is_empty() {
        tokio::task::yield_now().await;
        again.load(&*server.store, server.clock.unix_ms()).await.unwrap();
    }
    storing.abort();
}

/// A stream with this remote domain, in the table.
fn stream(server: &Server, id: u64, remote: &str) -> metronome_host::linked::Entered {
    let entered = server.linked.enter(Stream::new(id, [192, 0, 2, 1].into(), Opened::ByThem, Secrecy::Encrypted, 0));
    let (local, remote) = (Jid::parse("ours.example").unwrap(), Jid::parse(remote).unwrap());
    entered.note(Served { local, remote, way: Way::In, proof: "dialback" });
    entered
}

fn end_of(stream: &Stream) -> Option<End> {
    match stream.poll_close(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(end) => Some(end),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn streams_are_listed_and_closed_by_their_remote_domain() {
    let (server, _) = server();
    let (one, other) = (stream(&server, 1, "one.example"), stream(&server, 2, "other.example"));
    let listed = run_as(&server, "s2s list", json!({})).await.unwrap();
    assert!(listed.contains("one.example") && listed.contains("other.example") && listed.contains("dialback"), "{listed}");
    let listed = run_as(&server, "s2s list", json!({ "domain": "one.example" })).await.unwrap();
    assert!(!listed.contains("other.example"), "{listed}");
    let closed = run_as(&server, "s2s close", json!({ "domain": "one.example" })).await;
    assert_eq!(closed.unwrap(), "1 stream with one.example is closed");
    assert_eq!((end_of(&one), end_of(&other)), (Some(End::InOrder), None));
    let failed = run_as(&server, "s2s close", json!({ "domain": "nobody.example" })).await.unwrap_err();
    assert_eq!(failed.message, "there is no stream with nobody.example");
}
