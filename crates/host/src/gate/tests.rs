use std::sync::Arc;

use metronome_proto::jid::Jid;

use super::*;
use crate::registry::Registry;

const NOW_MS: u64 = 1_000_000;
const HOUR_MS: u64 = 3_600_000;

fn host(settings: &[(&str, &str)]) -> Host {
    let mut values = Values::defaults(&[SETTINGS, crate::hosts::SETTINGS]);
    for (key, value) in settings {
        values = values.with(key, value);
    }
    let registry = Arc::new(Registry::new(&[]));
    Host::new(Jid::parse("ours.example").unwrap(), values, registry, None)
}

fn rule(verdict: Verdict, until_ms: Option<u64>) -> Rule {
    Rule { verdict, since_ms: NOW_MS, until_ms, why: "a test".into() }
}

fn judged(gate: &Gate, host: &Host, remote: &str) -> Result<(), Closed> {
    gate.judge(host, remote, NOW_MS)
}

#[test]
fn a_listed_domain_is_closed_with_all_below_it() {
    let (gate, host) = (Gate::default(), host(&[("federation.block", "[\"bad.example\"]")]));
    assert_eq!(judged(&gate, &host, "bad.example"), Err(Closed::Blocked));
    assert_eq!(judged(&gate, &host, "rooms.bad.example"), Err(Closed::Blocked));
    assert_eq!(judged(&gate, &host, "notbad.example"), Ok(()));
    assert_eq!(judged(&gate, &host, "example"), Ok(()));
}

#[test]
fn the_nearest_rule_counts_and_a_rule_before_a_list() {
    let lists = [("federation.block", "[\"bad.example\"]"), ("federation.allow", "[\"good.bad.example\"]")];
    let (gate, host) = (Gate::default(), host(&lists));
    assert_eq!(judged(&gate, &host, "good.bad.example"), Ok(()));
    assert!(gate.set("good.bad.example", rule(Verdict::Blocked, None)));
    assert_eq!(judged(&gate, &host, "good.bad.example"), Err(Closed::Blocked));
    assert!(gate.set("bad.example", rule(Verdict::Allowed, None)));
    assert_eq!(judged(&gate, &host, "other.bad.example"), Ok(()));
    assert!(gate.remove("bad.example").is_some() && gate.remove("bad.example").is_none());
    assert_eq!(judged(&gate, &host, "other.bad.example"), Err(Closed::Blocked));
}

#[test]
fn a_protected_domain_speaks_with_allowed_ones_only() {
    let settings = [("federation.only_allowed", "true"), ("federation.allow", "[\"friend.example\"]")];
    let (gate, protected) = (Gate::default(), host(&settings));
    assert_eq!(judged(&gate, &protected, "stranger.example"), Err(Closed::NotAllowed));
    assert_eq!(judged(&gate, &protected, "friend.example"), Ok(()));
    assert!(gate.set("stranger.example", rule(Verdict::Allowed, Some(NOW_MS + 1))));
    assert_eq!(judged(&gate, &protected, "stranger.example"), Ok(()));
    assert_eq!(gate.judge(&protected, "stranger.example", NOW_MS + 1), Err(Closed::NotAllowed));
    let alone = host(&[("federation.enabled", "false"), ("federation.allow", "[\"friend.example\"]")]);
    assert_eq!(judged(&gate, &alone, "friend.example"), Err(Closed::Disabled));
}

#[test]
fn so_many_offences_make_a_ban_that_ends() {
    let clock = Clock::manual(NOW_MS);
    let settings = [("federation.ban.after", "\"3/h\""), ("federation.ban.time", "\"2 h\"")];
    let (gate, host) = (Gate::default(), host(&settings));
    assert!(!gate.offend(&clock, &host, "bad.example", "one"));
    assert!(!gate.offend(&clock, &host, "bad.example", "two"));
    assert!(!gate.offend(&clock, &host, "other.example", "one"));
    assert!(gate.offend(&clock, &host, "bad.example", "three"));
    assert_eq!(judged(&gate, &host, "bad.example"), Err(Closed::Banned));
    assert_eq!(judged(&gate, &host, "other.example"), Ok(()));
    assert_eq!(&*gate.rules(NOW_MS)[0].1.why, "three");
    assert_eq!(gate.judge(&host, "bad.example", NOW_MS + 2 * HOUR_MS), Ok(()));
}

#[test]
fn offences_are_forgotten_with_time() {
    let clock = Clock::manual(NOW_MS);
    let (gate, host) = (Gate::default(), host(&[("federation.ban.after", "\"2/h\"")]));
    for _ in 0..5 {
        assert!(!gate.offend(&clock, &host, "clumsy.example", "again"));
        clock.advance(HOUR_MS);
    }
}

#[test]
fn whoever_is_allowed_is_never_banned() {
    let clock = Clock::manual(NOW_MS);
    let settings = [("federation.ban.after", "\"1/h\""), ("federation.allow", "[\"friend.example\"]")];
    let (gate, host) = (Gate::default(), host(&settings));
    assert!(!gate.offend(&clock, &host, "friend.example", "by mistake"));
    assert!(gate.offend(&clock, &host, "stranger.example", "on purpose"));
}

#[test]
fn every_change_is_told() {
    let (gate, clock) = (Gate::default(), Clock::manual(NOW_MS));
    let mut changes = gate.changes();
    let host = host(&[("federation.ban.after", "\"1/h\"")]);
    let mut is_told = || {
        let told = changes.has_changed().unwrap();
        changes.mark_unchanged();
        told
    };
    assert!(!is_told());
    assert!(gate.set("a.example", rule(Verdict::Blocked, None)) && is_told());
    assert!(gate.remove("a.example").is_some() && is_told());
    assert!(gate.remove("a.example").is_none() && !is_told());
    assert!(gate.offend(&clock, &host, "a.example", "once") && is_told());
}

#[test]
fn an_address_of_a_banned_domain_is_turned_away_unless_others_come_from_there() {
    let gate = Gate::default();
    let (alone, shared): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
    assert!(gate.set("bad.example", rule(Verdict::Banned, Some(NOW_MS + 500))));
    gate.welcome(shared, "good.example", NOW_MS);
    gate.welcome(alone, "bad.example", NOW_MS);
    gate.turn_away(alone, "bad.example", NOW_MS);
    gate.turn_away(shared, "bad.example", NOW_MS);
    assert!(gate.is_turned_away(alone, NOW_MS) && !gate.is_turned_away(shared, NOW_MS));
    assert!(!gate.is_turned_away(alone, NOW_MS + 500), "the ban is over");
    assert!(gate.remove("bad.example").is_some());
    assert!(!gate.is_turned_away(alone, NOW_MS), "the ban was lifted");
}

#[test]
fn an_account_meets_so_many_domains() {
    let (gate, host) = (Gate::default(), host(&[("federation.limits.new_domains", "\"2/h\"")]));
    let meets = |bare: &str| gate.may_meet(&host.values, bare, NOW_MS);
    assert!(meets("alice@ours.example") && meets("alice@ours.example") && !meets("alice@ours.example"));
    assert!(meets("bob@ours.example"));
}

#[test]
fn strangers_ask_so_often_by_account_and_by_domain() {
    let (gate, host) = (Gate::default(), host(&[("federation.limits.requests_from_strangers", "\"2/h\"")]));
    let asked = |bare: &str| gate.may_request(&host.values, bare, "a.example", NOW_MS);
    let ask = |bare: &str| asked(bare) == Requests::Heard;
    assert!(ask("one@a.example") && ask("one@a.example"));
    assert_eq!(asked("one@a.example"), Requests::TooManyOfAccount);
    let let_in = (0..100).filter(|number| ask(&format!("user{number}@a.example"))).count();
    assert_eq!(let_in, 38, "forty of one domain");
    assert_eq!(asked("yet.another@a.example"), Requests::TooManyOfDomain);
    let of_another = gate.may_request(&host.values, "one@b.example", "b.example", NOW_MS);
    assert_eq!(of_another, Requests::Heard, "another domain does not notice");
}
