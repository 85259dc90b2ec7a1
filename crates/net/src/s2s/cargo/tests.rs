//! What goes out and what is known to have arrived, with other sides that count rightly, wrongly and not at all.

use std::task::Waker;

use metronome_host::options::Values;
use metronome_host::server::ForTest;
use metronome_proto::jid::Jid;
use metronome_store::backend::memory;

use super::*;

const BYTES_MAX: usize = 16 * 1024;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn server() -> Arc<Server> {
    let values = Values::defaults(&[metronome_host::hosts::SETTINGS, metronome_host::gate::SETTINGS]);
    let parts =
        ForTest { opened: memory::open(), values, features: &[], domains: &["a.example", "c.example"], seed: 7 };
    Server::for_test(parts, |_| {}).unwrap()
}

fn remote(server: &Server, local: &str) -> Arc<Remote> {
    server.remotes.of(&jid(local), &jid("b.example")).unwrap()
}

/// A stored stanza with this number.
fn store(remote: &Arc<Remote>, row: u64) {
    let from = jid(&format!("alice@{}", remote.local));
    let stanza = Stanza::new(Kind::Iq(IqType::Get), from).with_to(jid("bob@b.example")).with_id(&row.to_string());
    remote.push_stored(row, 1, Arc::new(stanza));
}

fn load(cargo: &mut Cargo, server: &Arc<Server>) -> String {
    let mut out = Vec::new();
    let mut cx = TaskContext::from_waker(Waker::noop());
    while cargo.poll_load(server, &mut cx, &mut out, BYTES_MAX) == Loaded::Something {}
    String::from_utf8(out).unwrap()
}

/// The other side answers the ping that was written last.
fn answer_ping(server: &Server, out: &str) {
    let ping = out.split("<iq").last().unwrap();
    assert!(ping.contains("urn:xmpp:ping") && ping.contains("from='a.example' to='b.example'"), "{out}");
    let id = ping.split("id='").nth(1).unwrap().split('\'').next().unwrap();
    let answer = Stanza::new(Kind::Iq(IqType::Result), jid("b.example")).with_to(jid("a.example")).with_id(id);
    assert!(server.asked.answer(&answer));
}

/// A cargo whose other side counts, with these pairs.
fn counted(server: &Server, locals: &[&str]) -> Cargo {
    let mut cargo = Cargo::default();
    for local in locals {
        cargo.carry(remote(server, local).carry().unwrap(), 0);
    }
    cargo.ask_to_count(&mut Vec::new(), 0);
    assert!(cargo.counts(sm::Answered::Enabled));
    cargo
}

#[test]
fn an_acknowledgement_proves_what_was_sent_up_to_it_of_each_pair() {
    let server = server();
    let (a, c) = (remote(&server, "a.example"), remote(&server, "c.example"));
    let mut cargo = counted(&server, &["a.example", "c.example"]);
    (1..=3).for_each(|row| store(&a, row));
    (4..=5).for_each(|row| store(&c, row));
    let out = load(&mut cargo, &server);
    assert_eq!((out.matches("<iq").count(), out.matches("<r ").count()), (5, 1), "{out}");
    assert_eq!(cargo.acknowledged(2), Ok(()));
    assert_eq!((a.report().rows, c.report().rows), (1, 2));
    assert_eq!(cargo.acknowledged(4), Ok(()));
    assert_eq!((a.report().rows, c.report().rows), (0, 1));
    assert_eq!(cargo.acknowledged(5), Ok(()));
    assert_eq!((a.report().rows, c.report().rows), (0, 0));
}

#[test]
fn one_question_is_asked_at_a_time_and_the_next_behind_what_came_meanwhile() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = counted(&server, &["a.example"]);
    store(&a, 1);
    assert!(load(&mut cargo, &server).contains("<r "));
    store(&a, 2);
    assert!(!load(&mut cargo, &server).contains("<r "), "the first is not answered");
    cargo.acknowledged(1).unwrap();
    assert!(load(&mut cargo, &server).contains("<r "), "of the second nothing is known");
    cargo.acknowledged(2).unwrap();
    assert_eq!(load(&mut cargo, &server), "");
}

#[test]
fn nobody_has_more_than_was_sent_or_less_than_before() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = counted(&server, &["a.example"]);
    (1..=2).for_each(|row| store(&a, row));
    load(&mut cargo, &server);
    assert_eq!(cargo.acknowledged(3), Err(TooHigh { h: 3, sent: 2 }));
    assert_eq!(cargo.acknowledged(1), Ok(()));
    assert_eq!(cargo.acknowledged(0), Err(TooHigh { h: 0, sent: 2 }));
    assert_eq!(cargo.acknowledged(u32::MAX), Err(TooHigh { h: u32::MAX, sent: 2 }));
    assert_eq!(a.report().rows, 1);
}

#[test]
fn numbers_begin_anew_beyond_the_largest() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = counted(&server, &["a.example"]);
    (cargo.sent, cargo.acked) = (u32::MAX - 1, u32::MAX - 1);
    (1..=4).for_each(|row| store(&a, row));
    load(&mut cargo, &server);
    assert_eq!(cargo.sent, 2);
    assert_eq!(cargo.acknowledged(u32::MAX), Ok(()));
    assert_eq!(a.report().rows, 3);
    assert_eq!(cargo.acknowledged(1), Ok(()));
    assert_eq!(a.report().rows, 1);
    assert_eq!(cargo.acknowledged(u32::MAX), Err(TooHigh { h: u32::MAX, sent: 2 }));
}

#[test]
fn who_does_not_count_is_pinged_behind_what_was_sent() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.carry(a.carry().unwrap(), 0);
    store(&a, 1);
    let out = load(&mut cargo, &server);
    store(&a, 2);
    assert!(!load(&mut cargo, &server).contains("urn:xmpp:ping"), "one ping at a time");
    answer_ping(&server, &out);
    let out = load(&mut cargo, &server);
    assert_eq!(a.report().rows, 1, "the second came behind the ping");
    assert!(out.contains("urn:xmpp:ping"));
}

#[test]
fn who_does_not_answer_pings_is_left_alone() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.carry(a.carry().unwrap(), 0);
    store(&a, 1);
    load(&mut cargo, &server);
    server.asked.expire(u64::MAX);
    store(&a, 2);
    assert!(!load(&mut cargo, &server).contains("urn:xmpp:ping"));
    assert!(!cargo.is_busy(), "such a stream may be closed for its silence");
    cargo.closed_in_order();
    assert_eq!(a.report().rows, 0, "its orderly end is the proof");
}

#[test]
fn a_refusal_to_count_falls_back_to_pings() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.carry(a.carry().unwrap(), 0);
    let mut out = Vec::new();
    cargo.ask_to_count(&mut out, 0);
    cargo.ask_to_count(&mut out, 0);
    assert_eq!(String::from_utf8(out).unwrap(), "<enable xmlns='urn:xmpp:sm:3'/>");
    store(&a, 1);
    assert!(!load(&mut cargo, &server).contains("urn:xmpp:ping"));
    assert!(cargo.counts(sm::Answered::Failed));
    assert!(load(&mut cargo, &server).contains("urn:xmpp:ping"));
    assert!(!cargo.counts(sm::Answered::Enabled), "nobody asked again");
}

#[test]
fn who_has_opened_the_stream_may_first_say_that_it_counts() {
    let server = server();
    let a = remote(&server, "a.example");
    let accepted = || {
        let mut cargo = Cargo::of_accepted();
        assert!(!cargo.look_at_the_clock(u64::MAX), "nothing waits for it yet");
        cargo.carry(a.carry().unwrap(), 5_000);
        cargo
    };
    store(&a, 1);
    let mut cargo = accepted();
    assert_eq!(load(&mut cargo, &server), "");
    cargo.count();
    let out = load(&mut cargo, &server);
    assert!(out.contains("id='1'") && out.contains("<r "), "{out}");
    assert_eq!(cargo.acknowledged(1), Ok(()));
    assert_eq!(a.report().rows, 0);
    drop(cargo);
    // One that says something else does not count, or not yet.
    store(&a, 2);
    let mut cargo = accepted();
    cargo.is_spoken_to();
    assert!(load(&mut cargo, &server).contains("id='2'"));
    drop(cargo);
    // One that is silent is not waited for any longer.
    let mut cargo = accepted();
    assert!(!cargo.look_at_the_clock(6_000));
    assert_eq!(load(&mut cargo, &server), "");
    assert!(cargo.look_at_the_clock(6_001));
    store(&a, 3);
    assert!(load(&mut cargo, &server).contains("id='3'"));
}

#[test]
fn what_was_sent_before_the_other_side_counts_is_proved_by_a_ping() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.carry(a.carry().unwrap(), 0);
    store(&a, 1);
    let pinged = load(&mut cargo, &server);
    store(&a, 2);
    assert!(load(&mut cargo, &server).contains("id='2'"));
    cargo.count();
    assert!(cargo.awaits_proof(0), "nobody has counted the second one");
    answer_ping(&server, &pinged);
    let again = load(&mut cargo, &server);
    assert_eq!(a.report().rows, 1);
    answer_ping(&server, &again);
    load(&mut cargo, &server);
    assert_eq!((a.report().rows, cargo.awaits_proof(0)), (0, false));
}

#[test]
fn who_promises_to_count_and_never_does_is_pinged_after_a_while() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.carry(a.carry().unwrap(), 0);
    cargo.ask_to_count(&mut Vec::new(), 5);
    store(&a, 1);
    assert!(!load(&mut cargo, &server).contains("urn:xmpp:ping"));
    cargo.look_at_the_clock(ENABLE_MS + 5);
    assert!(!load(&mut cargo, &server).contains("urn:xmpp:ping"), "it has its time");
    cargo.look_at_the_clock(ENABLE_MS + 6);
    assert!(load(&mut cargo, &server).contains("urn:xmpp:ping"));
    assert!(cargo.counts(sm::Answered::Enabled), "too late, and no offence");
    store(&a, 2);
    assert!(!load(&mut cargo, &server).contains("<r "));
}

#[test]
fn who_has_not_answered_a_ping_is_pinged_again_after_a_while() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.carry(a.carry().unwrap(), 0);
    store(&a, 1);
    load(&mut cargo, &server);
    server.asked.expire(u64::MAX);
    assert_eq!(load(&mut cargo, &server), "");
    assert!(!cargo.awaits_proof(server.clock.steady_ms()), "nobody waits for an answer of the deaf");
    server.clock.advance(DEAF_MS);
    assert!(cargo.awaits_proof(server.clock.steady_ms()));
    assert!(load(&mut cargo, &server).contains("urn:xmpp:ping"), "for what was sent long ago");
}

#[test]
fn a_stream_that_is_about_to_end_takes_nothing_more_and_asks_for_what_it_has_sent() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = counted(&server, &["a.example"]);
    store(&a, 1);
    load(&mut cargo, &server);
    store(&a, 2);
    cargo.close();
    assert_eq!(load(&mut cargo, &server), "");
    assert!(cargo.awaits_proof(0));
    cargo.acknowledged(1).unwrap();
    assert!(!cargo.awaits_proof(0));
    assert_eq!((load(&mut cargo, &server), a.report().rows), (String::new(), 1));
}

#[test]
fn what_is_larger_than_the_other_side_takes_is_not_written_and_keeps_nothing_behind_it() {
    let server = server();
    let a = remote(&server, "a.example");
    let mut cargo = Cargo::default();
    cargo.set_stanza_bytes_max(Some(500));
    cargo.carry(a.carry().unwrap(), 0);
    cargo.ask_to_count(&mut Vec::new(), 0);
    assert!(cargo.counts(sm::Answered::Enabled));
    store(&a, 1);
    let large = Stanza::new(Kind::Iq(IqType::Get), jid("alice@a.example")).with_to(jid("bob@b.example"));
    a.push_stored(2, 1, Arc::new(large.with_id(&"x".repeat(500))));
    store(&a, 3);
    let out = load(&mut cargo, &server);
    assert!(!out.contains("xxx") && out.matches("<iq").count() == 2, "{out}");
    cargo.acknowledged(1).unwrap();
    assert_eq!((a.report().rows, a.take_done()), (2, Some(1)), "the large one goes back first");
    assert_eq!(cargo.acknowledged(2), Ok(()), "it was not counted");
    assert!(!cargo.awaits_proof(0));
    assert_eq!((a.take_done(), a.begin_returning(), a.begin_returning()), (None, Some(2), None));
    a.returned(2, &jid("alice@a.example"));
    a.end_giving_up();
    assert_eq!((a.take_done(), a.report().rows), (Some(3), 0));
}

#[test]
fn large_queues_are_written_in_pieces_and_nobody_waits_for_the_other() {
    let server = server();
    let (a, c) = (remote(&server, "a.example"), remote(&server, "c.example"));
    let mut cargo = counted(&server, &["a.example", "c.example"]);
    (1..=2000).for_each(|row| store(&a, row));
    (2001..=2010).for_each(|row| store(&c, row));
    let mut cx = TaskContext::from_waker(Waker::noop());
    let (mut out, mut pieces) = (Vec::new(), 0);
    while out.is_empty() || !String::from_utf8_lossy(&out).contains("c.example") {
        out.clear();
        assert_eq!(cargo.poll_load(&server, &mut cx, &mut out, 1024), Loaded::Something);
        assert!(out.len() < 2048);
        pieces += 1;
    }
    assert!(pieces <= 2, "the other pair has its turn at once, not in piece {pieces}");
}
