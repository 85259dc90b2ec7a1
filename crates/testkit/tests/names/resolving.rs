//! From a domain to its targets (RFC 6120 section 3.2, XEP-0368).

use std::time::Duration;

use metronome_host::rng::Rng;
use metronome_net::dns::{Failure, NoAnswer};
use metronome_net::listen::Entry;
use metronome_net::s2s::resolve::{NoTarget, targets};
use metronome_testkit::{Manner, NameServer};

use super::{resolver, run};

const DIRECT: &str = "_xmpps-server._tcp.a.example";
const CLEAR: &str = "_xmpp-server._tcp.a.example";

/// The targets of a domain as text, a line for each priority, `+` before direct TLS.
fn found(names: &NameServer, domain: &str) -> Result<Vec<String>, NoTarget> {
    let groups = run(async { targets(&resolver(names), &Rng::seeded(1), domain).await })?;
    let groups = groups.iter().map(|group| {
        let written = group.iter().map(|target| match target.entry {
            Entry::DirectTls => format!("+{target}"),
            Entry::StartTls => target.to_string(),
        });
        written.collect::<Vec<_>>().join(" ")
    });
    Ok(groups.collect())
}

#[test]
fn records_of_both_kinds_are_mixed_by_priority() {
    let names = NameServer::start();
    names.service(CLEAR, (10, 0, 5269, "second.example"));
    names.service(DIRECT, (5, 0, 5270, "first.example"));
    names.service(CLEAR, (20, 0, 5269, "third.example"));
    assert_eq!(
        found(&names, "a.example").unwrap(),
        ["+first.example:5270", "second.example:5269", "third.example:5269"]
    );
}

#[test]
fn without_records_the_domain_itself_is_asked_at_the_usual_port() {
    let names = NameServer::start();
    assert_eq!(found(&names, "a.example").unwrap(), ["a.example:5269"]);
    names.address("b.example", "127.0.0.2");
    assert_eq!(found(&names, "b.example").unwrap(), ["b.example:5269"]);
}

#[test]
fn a_dot_forbids_that() {
    let names = NameServer::start();
    names.address("a.example", "127.0.0.2");
    names.service(DIRECT, (0, 0, 0, "."));
    assert_eq!(found(&names, "a.example"), Err(NoTarget::NoService));
    names.service(CLEAR, (0, 0, 5269, "host.example"));
    assert_eq!(found(&names, "a.example").unwrap(), ["host.example:5269"]);
}

#[test]
fn records_that_nobody_can_find_out_are_as_if_there_were_none() {
    let names = NameServer::start();
    names.manner(DIRECT, Manner::Broken);
    names.manner(CLEAR, Manner::Refusing);
    assert_eq!(found(&names, "a.example").unwrap(), ["a.example:5269"]);
    names.manner(CLEAR, Manner::Honest);
    names.service(CLEAR, (0, 0, 5269, "host.example"));
    assert_eq!(found(&names, "a.example").unwrap(), ["host.example:5269"]);
}

#[test]
fn international_domains_are_asked_for_in_ascii() {
    let names = NameServer::start();
    names.service("_xmpp-server._tcp.xn--mller-kva.example", (0, 0, 5269, "host.example"));
    assert_eq!(found(&names, "m\u{fc}ller.example").unwrap(), ["host.example:5269"]);
}

#[test]
fn an_address_needs_no_name_server() {
    let names = NameServer::start();
    assert_eq!(found(&names, "127.0.0.2").unwrap(), ["127.0.0.2:5269"]);
    assert_eq!(found(&names, "[::1]").unwrap(), ["[::1]:5269"]);
    assert_eq!(names.asked_in_all(), 0);
}

#[test]
fn more_than_fits_into_a_datagram_is_asked_for_again_and_cut() {
    let names = NameServer::start();
    for port in 0..200 {
        names.service(CLEAR, (port, 0, 6000 + port, "a-rather-long-name-of-a-host.a.example"));
    }
    let targets = found(&names, "a.example").unwrap();
    assert_eq!((targets.len(), &*targets[0]), (16, "a-rather-long-name-of-a-host.a.example:6000"));
}

#[test]
fn an_answer_is_used_again_and_so_is_that_there_is_none() {
    let names = NameServer::start();
    names.service(CLEAR, (0, 0, 5269, "host.example"));
    let resolver = resolver(&names);
    run(async {
        for _ in 0..5 {
            assert!(targets(&resolver, &Rng::seeded(1), "A.example").await.is_ok());
            assert_eq!(resolver.v4("host.example").await, Err(NoAnswer::Nothing));
        }
        assert_eq!(
            (names.asked(CLEAR, "SRV"), names.asked(DIRECT, "SRV"), names.asked("host.example", "A")),
            (1, 1, 1)
        );
        resolver.forget_all();
        assert_eq!(resolver.memory_usage(), 0);
        assert!(targets(&resolver, &Rng::seeded(1), "a.example").await.is_ok());
        assert_eq!(names.asked(CLEAR, "SRV"), 2);
    });
}

#[test]
fn no_search_domain_is_ever_appended() {
    let names = NameServer::start();
    let resolver = resolver(&names);
    run(async {
        let _ = resolver.v4("single").await;
        let _ = resolver.v4("not.there.example").await;
    });
    assert_eq!((names.asked("single", "A"), names.asked("not.there.example", "A"), names.asked_in_all()), (1, 1, 2));
}

#[test]
fn aliases_lead_to_addresses_and_loops_nowhere() {
    let names = NameServer::start();
    names.alias("one.example", "two.example");
    names.alias("two.example", "three.example");
    names.address("three.example", "127.0.0.3");
    names.alias("round.example", "about.example");
    names.alias("about.example", "round.example");
    let resolver = resolver(&names);
    run(async {
        assert_eq!(*resolver.v4("one.example").await.unwrap(), ["127.0.0.3".parse::<std::net::IpAddr>().unwrap()]);
        assert!(resolver.v4("round.example").await.is_err());
    });
}

#[test]
fn a_slow_answer_is_one() {
    let names = NameServer::start();
    names.address("a.example", "127.0.0.3");
    names.manner("a.example", Manner::Late(Duration::from_millis(300)));
    assert!(run(async { resolver(&names).v4("a.example").await }).is_ok());
}

#[test]
fn what_is_no_answer_is_not_believed() {
    let names = NameServer::start();
    let manners = [Manner::OtherId, Manner::OtherName, Manner::Garbage, Manner::Silent];
    for (at, manner) in manners.into_iter().enumerate() {
        names.manner(&format!("host{at}.example"), manner);
    }
    let resolver = resolver(&names);
    run(async {
        let host = |at: usize| format!("host{at}.example");
        let (first, second, third, fourth) = (host(0), host(1), host(2), host(3));
        let answers =
            tokio::join!(resolver.v4(&first), resolver.v4(&second), resolver.v4(&third), resolver.v4(&fourth));
        for answer in [answers.0, answers.1, answers.2, answers.3] {
            assert!(matches!(answer, Err(NoAnswer::Failed(Failure::Silence | Failure::Other))), "{answer:?}");
        }
    });
}

#[test]
fn many_questions_at_once_are_all_answered() {
    let names = NameServer::start();
    for at in 0..400 {
        names.address(&format!("host{at}.example"), "127.0.0.3");
    }
    let resolver = resolver(&names);
    run(async {
        let asked = (0..400).map(|at| {
            let resolver = resolver.clone();
            tokio::spawn(async move { resolver.v4(&format!("host{at}.example")).await })
        });
        for answer in asked.collect::<Vec<_>>() {
            assert!(answer.await.unwrap().is_ok());
        }
    });
}
