//! With whom a server speaks: lists, rules of administrators, and bans of those who offend.

use metronome_testkit::{Client, World};
use serde_json::json;

use crate::{online, opened, proved};

/// Asks another domain, and demands this answer to begin with.
#[track_caller]
fn ask(client: &mut Client, domain: &str, answer: &str) {
    client.send(&format!("<iq to='{domain}' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"));
    client.wait_for(&answer.replace("{domain}", domain));
}

const ANSWERED: &str = "<iq type='result' id='p' from='{domain}'";
const REFUSED: &str = "<iq type='error' id='p' from='{domain}'";

/// Speaks for a domain that it has not proved.
#[track_caller]
fn offend(peer: &mut Client) {
    peer.send("<message from='x@c.example' to='alice@a.example'><body>x</body></message>");
    peer.expect("<stream:error><invalid-from");
}

#[test]
fn a_listed_domain_is_refused_in_both_directions() {
    let world = World::new();
    let a = world.server("a.example", "alice", "[federation]\nblock = [\"b.example\"]");
    let b = world.server("b.example", "bob", "");
    let c = world.server("c.example", "carol", "");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    ask(&mut alice, "b.example", REFUSED);
    ask(&mut bob, "a.example", REFUSED);
    ask(&mut alice, "c.example", ANSWERED);
    drop(c);
}

#[test]
fn a_protected_domain_speaks_with_those_who_are_allowed() {
    let world = World::new();
    let options = "[federation]\nallow = [\"c.example\"]\nonly_allowed = true";
    let a = world.server("a.example", "alice", options);
    let b = world.server("b.example", "bob", "");
    let _c = world.server("c.example", "carol", "");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    ask(&mut alice, "c.example", ANSWERED);
    ask(&mut alice, "b.example", REFUSED);
    ask(&mut bob, "a.example", REFUSED);
    a.control().run("s2s allow", json!({ "domain": "b.example" }));
    bob.send("<presence/>");
    let answered = |client: &mut Client| {
        client.send("<iq to='a.example' type='get' id='again'><ping xmlns='urn:xmpp:ping'/></iq>");
        client.wait_for("<iq id='again' from='a.example'").fits("<iq type='result'")
    };
    // What has failed is tried again after a pause.
    while !answered(&mut bob) {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn a_rule_ends_the_streams_that_there_are() {
    let world = World::new();
    let (a, b) = (world.server("a.example", "alice", ""), world.server("b.example", "bob", ""));
    let (mut alice, _bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    ask(&mut alice, "b.example", ANSWERED);
    let listed = a.control().run("s2s list", json!({ "domain": "b.example" }));
    assert!(listed.as_array().is_some_and(|rows| rows.iter().any(|row| row["state"] == "up")), "{listed}");
    a.control().run("s2s block", json!({ "domain": "b.example" }));
    b.expect_log("a server's stream is over");
    ask(&mut alice, "b.example", REFUSED);
}

#[test]
fn a_stream_is_closed_by_command_and_opened_again_when_it_is_needed() {
    let world = World::new();
    let (a, b) = (world.server("a.example", "alice", ""), world.server("b.example", "bob", ""));
    let (mut alice, _bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    ask(&mut alice, "b.example", ANSWERED);
    a.control().run("s2s close", json!({ "domain": "b.example" }));
    b.expect_log("a server's stream is over");
    let pinged = a.control().run("s2s ping", json!({ "domain": "b.example", "from": "a.example" }));
    assert!(pinged.as_str().is_some_and(|text| text.starts_with("b.example answers a.example after")), "{pinged}");
    let nowhere = a.control().ask("s2s ping", json!({ "domain": "nowhere.example", "from": "a.example" }));
    assert_eq!(nowhere["exit"], 1, "{nowhere}");
}

#[test]
fn whoever_offends_often_enough_is_banned_with_its_address() {
    let world = World::new();
    let a = world.server("a.example", "alice", "[federation.ban]\nafter = \"3/h\"");
    for _ in 0..3 {
        let mut peer = proved(&world, &a, &["b.example"]);
        offend(&mut peer);
    }
    a.expect_log("a remote domain is banned");
    opened(&world, &a, &["b.example"]).expect_stream_error("policy-violation");
    // From where it came nobody gets any further now.
    a.dial_as_server().domain("a.example").clear().expect_closed();
    let rules = a.control().run("s2s rules", json!({}));
    assert_eq!((&rules[0]["domain"], &rules[0]["rule"]), (&json!("b.example"), &json!("banned")));
    a.control().run("s2s unblock", json!({ "domain": "b.example" }));
    drop(proved(&world, &a, &["b.example"]));
}

#[test]
fn whoever_is_allowed_may_offend() {
    let world = World::new();
    let a =
        world.server("a.example", "alice", "[federation]\nallow = [\"b.example\"]\n[federation.ban]\nafter = \"1/h\"");
    for _ in 0..3 {
        let mut peer = proved(&world, &a, &["b.example"]);
        offend(&mut peer);
    }
}
