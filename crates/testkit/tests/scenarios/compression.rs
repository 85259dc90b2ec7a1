//! XEP-0138: a client's stream is compressed after its login, if at all; and what does not end there.

use std::fmt::Write as _;

use metronome_testkit::{Client, Dial, Sasl, Seen, Server, Setup};

const ON: &str = "compression.c2s = true";
const FEATURE: &str = "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>";
const FAILURE: &str = "<failure xmlns='http://jabber.org/protocol/compress'>";

fn server() -> Server {
    Setup::default().options(ON).start()
}

/// Logs in and compresses; a resource is to be bound.
fn begun(dial: &Dial, username: &str) -> Client {
    let mut client = dial.direct();
    client.authenticate(username);
    let mut client = client.compress();
    let features = client.open();
    assert!(features.contains("urn:ietf:params:xml:ns:xmpp-bind") && !features.contains("compress"), "{features}");
    client
}

fn compressed(dial: &Dial, username: &str) -> Client {
    let mut client = begun(dial, username);
    client.bind("small");
    client
}

/// How a request is refused; the stream goes on.
fn refused(client: &mut Client, condition: &str) {
    let failure = client.expect(FAILURE);
    assert!(failure.contains(condition), "{failure}");
}

fn is_processing_failure(error: &Seen) {
    assert!(error.contains(FAILURE) && error.contains("<processing-failed"), "{error}");
}

#[test]
fn a_client_that_has_logged_in_compresses_and_talks() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    // Before the login it is not offered, with TLS from the first byte or from later on.
    for mut alice in [server.dial().direct(), server.dial().starttls()] {
        let features = alice.open();
        assert!(!features.contains("compress"), "{features}");
    }
    let mut alice = server.dial().direct();
    alice.authenticate("alice");
    let mut alice = alice.compress();
    alice.open();
    alice.bind("small");
    alice.available();
    let mut words = String::new();
    for count in 0..2000 {
        let _ = write!(words, " {count} {:x}", fastrand::u64(..));
    }
    for text in ["hello", &words, "\u{1f600}", "bye"] {
        alice.send(&format!("<message to='bob@localhost' type='chat'><body>{text}</body></message>"));
        let got = bob.expect("<message from='alice@localhost/small'");
        assert!(got.contains(&format!("<body>{text}</body>")), "{got}");
        bob.send(&format!("<message to='alice@localhost' type='chat'><body>{text}</body></message>"));
        let got = alice.expect("<message from='bob@localhost/desk'");
        assert!(got.contains(&format!("<body>{text}</body>")), "{got}");
    }
    alice.send_bytewise("<iq type='get' id='slow'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.expect("<iq type='result' id='slow'");
    assert!(alice.close().is_empty());
}

#[test]
fn it_is_offered_behind_the_login_and_only_where_the_administrator_wants_it() {
    for (options, offered) in [(ON, true), ("", false)] {
        let server = Setup::default().options(options).start();
        let mut alice = server.dial().direct();
        alice.open();
        alice.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
        let features = alice.open();
        assert_eq!(features.contains(FEATURE), offered, "{features}");
        if !offered {
            alice.ask_to_compress("zlib");
            refused(&mut alice, "<unsupported-method");
        }
        alice.bind("here");
        alice.expect_nothing_before_ping();
    }
}

#[test]
fn a_login_in_one_step_may_be_followed_by_it() {
    let server = server();
    let mut alice = server.dial().direct();
    alice.log_in_second("alice", "");
    let features = alice.expect("<stream:features");
    assert!(features.contains(FEATURE), "{features}");
    let mut alice = alice.compress();
    alice.open();
    alice.bind("small");
    alice.expect_nothing_before_ping();
    // With a resource of the server's making it comes too late.
    let mut bob = server.dial().direct();
    bob.log_in_second("bob", "<bind xmlns='urn:xmpp:bind:0'/>");
    let features = bob.expect("<stream:features");
    assert!(!features.contains("compress"), "{features}");
    bob.ask_to_compress("zlib");
    refused(&mut bob, "<setup-failed");
}

#[test]
fn before_the_login_nobody_compresses() {
    let server = server();
    let mut readable = server.dial().clear();
    readable.open();
    readable.ask_to_compress("zlib");
    readable.expect_stream_error("policy-violation");
    let mut stranger = server.dial().direct();
    stranger.open();
    stranger.ask_to_compress("zlib");
    stranger.expect_stream_error("not-authorized");
}

#[test]
fn what_cannot_be_had_is_refused_and_the_stream_goes_on() {
    let server = server();
    let mut alice = server.dial().direct();
    alice.authenticate("alice");
    alice.ask_to_compress("lzw");
    refused(&mut alice, "<unsupported-method");
    alice.send("<compress xmlns='http://jabber.org/protocol/compress'/>");
    refused(&mut alice, "<setup-failed");
    let mut alice = alice.compress();
    alice.open();
    alice.ask_to_compress("zlib");
    refused(&mut alice, "<setup-failed");
    alice.bind("small");
    alice.ask_to_compress("zlib");
    refused(&mut alice, "<setup-failed");
    alice.expect_nothing_before_ping();
    // What is sent before the answer is of no stream.
    let mut hasty = server.dial().direct();
    hasty.authenticate("bob");
    let header = Client::header("localhost");
    hasty.send(&format!(
        "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>{header}"
    ));
    hasty.expect_stream_error("policy-violation");
}

#[test]
fn messages_of_a_websocket_are_not_compressed() {
    let server = Setup::default().web().options(ON).start();
    let mut alice = server.dial_as_browser().websocket();
    alice.open();
    alice.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
    let features = alice.open();
    assert!(!features.contains("compress"), "{features}");
    alice.ask_to_compress("zlib");
    refused(&mut alice, "<setup-failed");
    alice.bind("browser");
}

#[test]
fn a_bomb_ends_the_stream() {
    let server = server();
    let dial = server.dial();
    let mut bob = Client::login(&server, "bob", "desk");
    let bomb = " ".repeat(4 << 20);
    for inside in ["", "<message to='bob@localhost'><body>", "<message to='bob@localhost' id='"] {
        let mut bound = compressed(&dial, "alice");
        let _ = bound.try_send(format!("{inside}{bomb}").as_bytes());
        bound.expect_stream_error("policy-violation");
        let mut unbound = begun(&dial, "alice");
        let _ = unbound.try_send(format!("{inside}{bomb}").as_bytes());
        unbound.expect_stream_error("policy-violation");
    }
    bob.expect_nothing_before_ping();
}

#[test]
fn what_cannot_be_decompressed_is_told_and_ends_the_stream() {
    let server = server();
    let dial = server.dial();
    let mut alice = dial.direct();
    alice.authenticate("alice");
    let mut alice = alice.compress();
    assert!(alice.send_uncompressed(Client::header("localhost").as_bytes()));
    is_processing_failure(&alice.expect_stream_error("undefined-condition"));
    let mut alice = compressed(&dial, "alice");
    assert!(alice.send_uncompressed(&[0xff; 100]));
    is_processing_failure(&alice.expect_stream_error("undefined-condition"));
}

#[test]
fn a_stream_is_resumed_compressed_or_not() {
    let server = server();
    let dial = server.dial();
    let mut bob = Client::login(&server, "bob", "desk");
    let mut alice = compressed(&dial, "alice");
    let name = alice.enable();
    alice.available();
    let say = |bob: &mut Client, text: &str| {
        bob.send(&format!("<message to='alice@localhost' type='chat'><body>{text}</body></message>"));
        bob.expect_nothing_before_ping();
    };
    alice.drop_connection();
    say(&mut bob, "1");
    let mut alice = begun(&dial, "alice");
    assert_eq!(alice.takes_up(&name, 1), 1);
    alice.wait_for("<message><body>1</body>");
    alice.drop_connection();
    say(&mut bob, "2");
    let (mut alice, _) = Client::resume(&server, "alice", &name, 2);
    alice.wait_for("<message><body>2</body>");
    alice.drop_connection();
    say(&mut bob, "3");
    let mut alice = begun(&dial, "alice");
    alice.takes_up(&name, 3);
    alice.wait_for("<message><body>3</body>");
}
