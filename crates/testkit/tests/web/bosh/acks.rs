//! XEP-0124 section 9: both sides say what has come.

use std::time::Duration;

use super::server;
use super::session::{Bosh, Manner};

#[test]
fn requests_are_acknowledged_where_that_says_something() {
    let server = server();
    let dial = server.dial_as_browser();
    let (_, first) = Bosh::begin(&dial, "to='localhost' wait='60' hold='1'");
    assert_eq!(first.attribute("ack").as_deref(), Some("1000000"));
    let mut alice = Bosh::bound(&dial, "alice");
    alice.available();
    let held = alice.wrapped("", "");
    alice.send(&held);
    // The next comes on another connection, and with it the answer to the one that was held.
    let mut second = alice.on(dial.browse_tls());
    let next = second.wrapped("", "<iq type='get' id='p' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>");
    second.send(&next);
    let answer = alice.answer();
    assert_eq!(answer.attribute("ack"), Some(second.rid.to_string()));
    let pong = second.answer();
    assert!(pong.contains("id='p'") && pong.attribute("ack").is_none(), "{pong}");
}

#[test]
fn a_client_hears_that_an_answer_was_lost_and_has_it_again() {
    let server = server();
    let dial = server.dial_as_browser();
    let mut alice = Bosh::bound_with(Manner::Posts, &dial, "alice", "ack='1'");
    alice.available();
    let had = alice.rid;
    let lost = alice.wrapped("", "<iq type='get' id='lost' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.send(&lost);
    assert!(alice.answer().contains("id='lost'"), "it was given");
    // For as long as it may still be on its way nothing is said about it.
    std::thread::sleep(Duration::from_secs(2));
    let report = alice.say(&format!("ack='{had}'"), "");
    assert_eq!(report.attribute("report"), Some((had + 1).to_string()));
    assert!(report.attribute("time").unwrap().parse::<u64>().unwrap() >= 2000, "{report}");
    alice.send(&lost);
    assert!(alice.answer().contains("id='lost'"));
}
