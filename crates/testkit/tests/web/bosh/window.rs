//! Numbers and names of sessions as those use them who try whether something gives way.

use metronome_testkit::Client;

use super::server;
use super::session::Bosh;
use crate::chat;

fn said(text: &str) -> String {
    chat("bob@localhost", text).replace("<message", "<message xmlns='jabber:client'")
}

#[test]
fn a_number_outside_of_the_window_ends_the_session_and_does_nothing() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let dial = server.dial_as_browser();
    let mut other = Bosh::bound(&dial, "carol");
    for offset in [-7, -4, 3, 4, 1_000, 9_007_199_253_000_000] {
        let mut alice = Bosh::bound(&dial, "alice");
        let rid = alice.rid.checked_add_signed(offset).unwrap();
        let body = alice.wrapped_as(rid, "", &said("no"));
        alice.send(&body);
        let answer = alice.answer();
        assert!(answer.contains("type='terminate' condition='item-not-found'"), "{offset}: {answer}");
        assert!(alice.say("", &said("nor this")).contains("type='terminate'"), "{offset}: it is over");
    }
    // Others go on.
    let body = other.wrapped("", &said("yes"));
    other.send(&body);
    bob.expect("<message from='carol@localhost/bosh'><body>yes</body>");
}

#[test]
fn requests_that_overtake_each_other_are_taken_in_their_order_and_once() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let dial = server.dial_as_browser();
    let mut alice = Bosh::bound(&dial, "alice");
    let first = alice.wrapped("", &said("1"));
    let mut overtakes = alice.on(dial.browse_tls());
    let second = overtakes.wrapped("", &said("2"));
    overtakes.send(&second);
    alice.send(&first);
    bob.expect("<message><body>1</body>");
    bob.expect("<message><body>2</body>");
    assert!(!alice.answer().contains("terminate"));
    // Again and again, on connections of their own: the same answer, and nothing else.
    for _ in 0..5 {
        let mut again = alice.on(dial.browse_tls());
        again.send(&first);
        assert!(!again.answer().contains("terminate"));
    }
    let mut alice = overtakes;
    let ping = alice.wrapped("", "<iq type='get' id='p' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>");
    let mut third = alice.on(dial.browse_tls());
    third.send(&ping);
    assert!(third.answer().contains("id='p'"));
    bob.expect_nothing_before_ping();
}

#[test]
fn names_of_sessions_are_not_found_by_trying() {
    let server = server();
    let dial = server.dial_as_browser();
    let mut alice = Bosh::bound(&dial, "alice");
    let name = alice.sid.clone();
    assert!(name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "128 bits: {name}");
    let last = if name.ends_with('0') { "1" } else { "0" };
    let near = [name[..31].to_owned(), format!("{name} "), name.to_uppercase() + "0", format!("{}{last}", &name[..31])];
    let guesses = near.into_iter().chain((0..100).map(|_| format!("{:032x}", fastrand::u128(..))));
    let mut guesser = Bosh::of(dial.browse_tls(), "", alice.rid);
    for guess in guesses {
        guesser.sid = guess;
        let answer = guesser.say("", &said("no"));
        assert!(answer.contains("condition='item-not-found'"), "{answer}");
    }
    assert!(!alice.say("", "<presence xmlns='jabber:client'/>").contains("terminate"), "nobody has touched it");
}
