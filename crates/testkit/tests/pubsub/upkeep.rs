//! What happens to nodes without a request: leases, temporary subscriptions, digests, and items of whoever goes (XEP-0060 sections 12.4 and
//! 12.18, and options of subscriptions and nodes).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metronome_proto::payload::delay::format_time;
use metronome_testkit::{Backend, Setup, online};

use crate::{SERVICE, entry, get, set, submit};

fn publish(id: &str) -> String {
    format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id))
}

fn subscribe(options: &[(&str, &str)]) -> String {
    let options = submit("subscribe_options", options);
    format!("<subscribe node='musings' jid='bob@localhost'/><options>{options}</options>")
}

#[test]
fn a_digest_comes_by_itself_with_everything_that_was_published() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut bob, SERVICE, &subscribe(&[("pubsub#digest", "1"), ("pubsub#digest_frequency", "1000")]));
    set(&mut alice, SERVICE, &publish("1"));
    let told = bob.wait_for("<message type='headline'");
    assert!(told.contains(&entry("1")), "{told}");
}

#[test]
fn a_lease_ends_by_itself_and_the_subscriber_hears_of_it() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    let end = SystemTime::now() + Duration::from_secs(2);
    let end_ms = end.duration_since(UNIX_EPOCH).unwrap().as_millis();
    set(&mut bob, SERVICE, &subscribe(&[("pubsub#expire", &format_time(end_ms as i64))]));
    let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(told.contains("subscription='none'"), "{told}");
    assert!(!get(&mut bob, SERVICE, "<subscriptions/>").contains("musings"));
}

#[test]
fn a_temporary_subscription_and_what_was_published_go_with_presence() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = [
        ("pubsub#notify_sub", "1"),
        ("pubsub#publish_model", "open"),
        ("pubsub#purge_offline", "1"),
        ("pubsub#notify_retract", "1"),
    ];
    let config = submit("node_config", &config);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    set(&mut bob, SERVICE, &subscribe(&[("pubsub#expire", "presence")]));
    assert!(alice.wait_for(&format!("<message from='{SERVICE}'")).contains("subscription='subscribed'"));
    bob.send("<presence type='unavailable'/>");
    let told = alice.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(told.contains("subscription='none'"), "{told}");
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    alice.wait_for(&format!("<message from='{SERVICE}'"));
    set(&mut alice, SERVICE, &publish("1"));
    bob.available();
    assert!(bob.wait_for("<message from='pubsub.localhost'").contains("<item id='1'"));
    alice.send("<presence type='unavailable'/>");
    let told = bob.wait_for("<message type='headline'");
    assert!(told.contains("<purge node='musings'/>"), "{told}");
    assert!(!get(&mut bob, SERVICE, "<items node='musings'/>").contains("<item "));
}
