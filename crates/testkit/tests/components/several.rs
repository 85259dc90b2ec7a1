//! Several streams of one component.

use metronome_testkit::{Client, Component, Setup, online};

use crate::{GATEWAY, server};

fn streams(most: usize) -> Setup {
    Setup::default().component(GATEWAY).options(&format!("[component]\nstreams = {most}"))
}

// XEP-0114 section 3 names the error.
#[test]
fn one_more_than_allowed_is_a_conflict() {
    let server = streams(1).start();
    let mut first = Component::connect(&server, GATEWAY);
    let mut second = server.dial_as_component().clear();
    Component::open(&mut second, GATEWAY, metronome_testkit::SECRET);
    second.expect_stream_error("conflict");
    first.nothing_before_ping();
    drop(first);
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='x@gw.localhost' type='chat' id='m'><body>x</body></message>");
    server.expect_log("a component's stream is over");
    Component::connect(&server, GATEWAY).wait_for("<message id='m'");
}

#[test]
fn one_sender_keeps_to_one_stream() {
    let server = streams(3).start();
    let mut all: Vec<Component> = (0..3).map(|_| Component::connect(&server, GATEWAY)).collect();
    for name in ["alice", "bob", "carol"] {
        let mut client = online(&server, name, "phone");
        for n in 0..30 {
            client.send(&format!("<message to='x@gw.localhost' type='chat' id='{name}-{n}'><body>x</body></message>"));
        }
        client.so_far();
        let used: Vec<usize> =
            (0..3).filter(|&at| all[at].next_within(std::time::Duration::from_millis(300)).is_some()).collect();
        assert_eq!(used.len(), 1, "{name} went over {used:?}");
        for n in 1..30 {
            all[used[0]].expect(&format!("<message id='{name}-{n}'"));
        }
    }
}

#[test]
fn an_answer_comes_back_on_the_stream_that_has_asked() {
    let server = streams(4).start();
    let mut all: Vec<Component> = (0..4).map(|_| Component::connect(&server, GATEWAY)).collect();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.available();
    alice.send("<presence to='gw.localhost'/>");
    alice.so_far();
    for (at, component) in all.iter_mut().enumerate() {
        component.send(&format!(
            "<iq from='gw.localhost' to='alice@localhost/phone' type='get' id='q{at}'><x xmlns='y'/></iq>"
        ));
        alice.wait_for(&format!("<iq from='gw.localhost' id='q{at}'"));
        alice.send(&format!("<iq to='gw.localhost' type='result' id='q{at}'/>"));
        component.wait_for(&format!("<iq from='alice@localhost/phone' type='result' id='q{at}'"));
    }
}

#[test]
fn a_stream_that_is_lost_leaves_the_rest_to_the_others() {
    let server = server();
    let (one, two) = (Component::connect(&server, GATEWAY), Component::connect(&server, GATEWAY));
    drop(one);
    server.expect_log("a component's stream is over");
    let mut two = two;
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='x@gw.localhost' type='chat' id='m'><body>x</body></message>");
    two.expect("<message id='m'");
}
