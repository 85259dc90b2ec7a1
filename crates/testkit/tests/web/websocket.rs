//! RFC 7395: a client's stream in messages, from its beginning to its end, and its place among all others.

use metronome_testkit::{Backend, Client, Given, Sasl, Setup, user_agent, websocket_fields};

use crate::{chat, logged_in};

#[test]
fn a_client_logs_in_talks_and_leaves() {
    for store in [Backend::Sqlite, Backend::Memory] {
        let server = Setup::default().web().store(store).start();
        let mut bob = Client::login(&server, "bob", "desk");
        bob.available();
        let mut alice = server.dial_as_browser().websocket();
        let features = alice.open();
        // TLS is there already, or it is not: no stream within a message can be encrypted (section 3.9).
        assert!(!features.contains("starttls"), "{features}");
        assert!(features.contains("SCRAM-SHA-256") && features.contains("urn:xmpp:sasl:2"), "{features}");
        assert!(features.contains("SCRAM-SHA-256-PLUS"), "nobody is between: {features}");
        let outcome = alice.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
        assert!(outcome.fits("<success"), "{outcome}");
        alice.open();
        alice.bind("browser");
        alice.available();
        alice.send(&chat("bob@localhost", "hello"));
        bob.wait_for("<message from='alice@localhost/browser'><body>hello</body>");
        bob.send(&chat("alice@localhost", "hi"));
        let seen = alice.expect("<message from='bob@localhost/desk'><body>hi</body>");
        assert!(seen.contains("xmlns='jabber:client'"), "{seen}");
        assert!(alice.close().is_empty());
        assert_eq!(server.figure("sessions"), 1);
    }
}

#[test]
fn what_a_client_has_read_before_it_left_is_not_sent_again() {
    let server = Setup::default().web().start();
    let mut bob = Client::login(&server, "bob", "desk");
    let mut alice = logged_in(&server, "alice", "browser");
    alice.available();
    bob.send(&chat("alice@localhost", "1"));
    alice.expect("<message><body>1</body>");
    alice.close();
    bob.send(&chat("alice@localhost", "2"));
    bob.expect_nothing_before_ping();
    let mut again = logged_in(&server, "alice", "browser");
    again.send("<presence/>");
    again.wait_for("<message><body>2</body>");
    again.expect_nothing_before_ping();
}

#[test]
fn a_stream_is_resumed_across_transports_both_ways() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    let mut bob = Client::login(&server, "bob", "desk");
    let mut alice = logged_in(&server, "alice", "browser");
    let name = alice.enable();
    alice.available();
    alice.drop_connection();
    bob.send(&chat("alice@localhost", "1"));
    bob.expect_nothing_before_ping();
    let (mut alice, handled) = Client::resume(&server, "alice", &name, 1);
    assert_eq!(handled, 1);
    alice.wait_for("<message><body>1</body>");
    alice.drop_connection();
    bob.send(&chat("alice@localhost", "2"));
    bob.expect_nothing_before_ping();
    let (mut alice, handled) = dial.websocket().resumes("alice", &name, 2);
    assert_eq!(handled, 1);
    alice.wait_for("<message><body>2</body>");
    alice.send(&chat("bob@localhost", "3"));
    bob.available();
    bob.wait_for("<message from='alice@localhost/browser'><body>3</body>");
}

#[test]
fn a_second_connection_takes_the_place_of_one_that_still_stands() {
    let server = Setup::default().web().start();
    let mut first = logged_in(&server, "alice", "browser");
    let name = first.enable();
    first.available();
    let (mut second, _) = server.dial_as_browser().websocket().resumes("alice", &name, 1);
    first.wait_for("<stream:error");
    first.wait_for("</stream:stream>");
    second.expect_nothing_before_ping();
}

#[test]
fn everything_is_asked_for_with_the_login_and_a_token_does_the_next() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    let agent = user_agent("d4565fa7-4d72-4749-b3d3-740edbf87770");
    let bind = "<bind xmlns='urn:xmpp:bind:0'><tag>web</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>";
    let token = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>";
    let mut alice = dial.websocket();
    let success = alice.log_in_second("alice", &format!("{agent}{bind}{token}"));
    assert!(success.contains("<enabled ") && success.contains("<bound "), "{success}");
    assert!(success.contains("alice@localhost/web/"), "{success}");
    alice.expect("<stream:features");
    let name = success.attribute_of("enabled", "id").unwrap();
    let given = Given::of(&success, "HT-SHA-256-NONE");
    alice.available();
    alice.drop_connection();
    let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{name}' h='1'/>");
    let mut again = dial.websocket();
    again.open_as("alice");
    again.prove("alice", &given, &format!("{agent}<fast xmlns='urn:xmpp:fast:0'/>{resume}"));
    let success = again.expect("<success xmlns='urn:xmpp:sasl:2'");
    assert_eq!(success.attribute_of("resumed", "previd"), Some(name));
    again.expect_nothing_before_ping();
}

#[test]
fn without_tls_nobody_logs_in_unless_it_is_private() {
    let strict = Setup::default().web().start();
    let dial = strict.dial_as_browser();
    let mut readable = dial.browse().websocket(&dial, "");
    readable.send(&Client::header("localhost"));
    readable.expect_stream_error("policy-violation");
    // A proxy that is believed says that its client came with TLS; it cannot be bound to that.
    let mut private = dial.browse().websocket(&dial, "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n");
    let features = private.open();
    assert!(features.contains("SCRAM-SHA-256") && !features.contains("-PLUS"), "{features}");
    let mut encrypted =
        dial.browse_tls().websocket(&dial, "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n");
    let features = encrypted.open();
    assert!(!features.contains("-PLUS"), "the TLS connection is that of the proxy: {features}");
    // This machine's own connections, where that is said.
    let own = Setup::default().web().options("web.private = [\"127.0.0.1\"]").start();
    let dial = own.dial_as_browser();
    let mut client = dial.browse().websocket(&dial, "");
    client.log_in("alice", "browser");
    client.expect_nothing_before_ping();
}

#[test]
fn a_page_is_not_asked_to_be_bound_to_what_it_cannot_see() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    let mut page = dial.browse_tls().websocket(&dial, "Origin: https://localhost\r\n");
    let features = page.open();
    assert!(features.contains("SCRAM-SHA-256") && !features.contains("-PLUS"), "{features}");
    assert!(!features.contains("urn:xmpp:sasl-cb:0"), "{features}");
    let outcome = page.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
    assert!(outcome.fits("<success"), "{outcome}");
}

#[test]
fn a_handshake_is_what_the_rfc_says_or_nothing() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    let ask = |fields: &str| dial.browse().ask("GET", "/xmpp-websocket", fields);
    let right = websocket_fields();
    let without = |name: &str| {
        let lines = right.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{name}:")));
        lines.collect::<String>()
    };
    let page = ask("Accept: text/html\r\n");
    assert_eq!((page.status, page.field("upgrade")), (426, Some("websocket")));
    assert!(page.text().contains("WebSocket"), "{}", page.text());
    assert_eq!(ask(&without("Upgrade")).status, 426);
    assert_eq!(ask(&without("Connection")).status, 426);
    let version = ask(&right.replace("Version: 13", "Version: 8"));
    assert_eq!((version.status, version.field("sec-websocket-version")), (426, Some("13")));
    assert_eq!(ask(&without("Sec-WebSocket-Key")).status, 400);
    assert_eq!(ask(&format!("{}Sec-WebSocket-Key: short\r\n", without("Sec-WebSocket-Key"))).status, 400);
    assert_eq!(ask(&without("Sec-WebSocket-Protocol")).status, 501);
    assert_eq!(ask(&right.replace("Protocol: xmpp", "Protocol: chat")).status, 501);
    let several = ask(&right.replace("Protocol: xmpp", "Protocol: chat, xmpp"));
    assert_eq!((several.status, several.field("sec-websocket-protocol")), (101, Some("xmpp")));
    assert_eq!(dial.browse().ask_host("nobody.example", "GET", "/xmpp-websocket", &right).status, 404);
    assert_eq!(dial.browse().ask("POST", "/xmpp-websocket", &right).status, 405);
    assert_eq!(dial.browse().ask("HEAD", "/xmpp-websocket", &right).status, 400);
}

#[test]
fn pages_of_sites_that_are_not_listed_are_turned_away_where_some_are() {
    let server = Setup::default().web().options("web.origins = [\"https://chat.example\"]").start();
    let dial = server.dial_as_browser();
    let from = |origin: &str| {
        dial.browse().ask("GET", "/xmpp-websocket", &format!("{}Origin: {origin}\r\n", websocket_fields())).status
    };
    assert_eq!(from("https://chat.example"), 101);
    assert_eq!(from("http://localhost"), 101, "this server's own");
    assert_eq!(from("https://evil.example"), 403);
    assert_eq!(from("null"), 403);
    assert_eq!(dial.browse().ask("GET", "/xmpp-websocket", &websocket_fields()).status, 101, "no browser");
    let open = Setup::default().web().start();
    let fields = format!("{}Origin: https://evil.example\r\n", websocket_fields());
    assert_eq!(open.dial_as_browser().browse().ask("GET", "/xmpp-websocket", &fields).status, 101);
}

#[test]
fn a_wrong_stream_ends_with_its_error_in_messages() {
    let server = Setup::default().web().start();
    let dial = server.dial_as_browser();
    for (header, condition) in [
        (Client::header("nobody.example"), "host-unknown"),
        (Client::header("localhost").replace(" version='1.0'", ""), "unsupported-version"),
        (Client::header("localhost").replace(" to=", " from='alice@other.example' to="), "invalid-from"),
    ] {
        let mut client = dial.websocket();
        client.send(&header);
        client.expect_stream_error(condition);
    }
    // A stanza before the login.
    let mut client = dial.websocket();
    client.open();
    client.send("<message to='bob@localhost'/>");
    client.expect_stream_error("not-authorized");
    // A stream cannot be opened twice.
    let mut client = logged_in(&server, "alice", "browser");
    client.send(&Client::header("localhost"));
    client.expect_stream_error("unsupported-stanza-type");
}

#[test]
fn a_stop_says_goodbye_and_a_session_with_a_name_outlives_it() {
    let mut server = Setup::default().web().start();
    let mut bob = logged_in(&server, "bob", "browser");
    bob.available();
    let mut alice = logged_in(&server, "alice", "browser");
    let name = alice.enable();
    alice.available();
    server.restart();
    let goodbye = bob.next_piece();
    assert!(goodbye.contains("<system-shutdown "), "{goodbye}");
    let (mut alice, _) = server.dial_as_browser().websocket().resumes("alice", &name, 1);
    alice.expect_nothing_before_ping();
}

#[test]
fn idle_websockets_cost_little() {
    const SESSIONS: u64 = 100;
    let options = "limits.c2s.sessions = 1000";
    let server = Setup::default().web().store(Backend::Memory).options(options).start();
    let sessions = |from: u64| -> Vec<Client> {
        (from..from + SESSIONS).map(|number| logged_in(&server, "alice", &format!("r{number}"))).collect()
    };
    // The first hundred make what all share.
    let _first = sessions(0);
    let before = server.resident_bytes();
    let _held = sessions(1000);
    let each = server.resident_bytes().saturating_sub(before) / SESSIONS;
    // An unoptimised build with TLS; the budget of 16 KiB is measured elsewhere.
    assert!(each < 64 * 1024, "{each} bytes for each");
}
