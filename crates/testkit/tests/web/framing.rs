//! What must not be in the frames of a WebSocket, and what it comes to: nobody else notices, and nothing grows.

use metronome_testkit::{Backend, Client, Server, Setup};

use crate::logged_in;

const TEXT: u8 = 0x81;

fn server() -> Server {
    Setup::default().web().store(Backend::Memory).start()
}

fn opened(server: &Server) -> Client {
    let mut client = server.dial_as_browser().websocket();
    client.open();
    client
}

#[test]
fn frames_that_break_the_protocol_close_the_connection_with_its_code() {
    let server = server();
    let wrong: [(u8, &[u8], u16); 9] = [
        (0xc1, b"<r xmlns='urn:xmpp:sm:3'/>", 1002),
        (0x83, b"x", 1002),
        (0x8b, b"x", 1002),
        (0x80, b"continued", 1002),
        (0x09, b"a ping in pieces", 1002),
        (0x89, &[b'x'; 126], 1002),
        (0x88, &[0], 1002),
        (0x88, &1005u16.to_be_bytes(), 1002),
        (0x82, b"<a/>", 1003),
    ];
    for (first, payload, code) in wrong {
        let mut client = opened(&server);
        client.send_frame(first, payload);
        assert_eq!(client.expect_code(), Some(code), "{first:02x}");
    }
    let mut unmasked = opened(&server);
    unmasked.send_below(&[TEXT, 4, b'<', b'a', b'/', b'>']);
    assert_eq!(unmasked.expect_code(), Some(1002));
    let mut nested = opened(&server);
    nested.send_frame(0x01, b"<a");
    nested.send_frame(TEXT, b"<b/>");
    assert_eq!(nested.expect_code(), Some(1002));
}

#[test]
fn a_message_is_one_element_and_what_is_smuggled_behind_it_never_counts() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let message = "<message xmlns='jabber:client' to='bob@localhost' type='chat'><body>x</body></message>";
    let wrong = [
        (message.repeat(2), "bad-format"),
        (format!("{message}<a"), "bad-format"),
        (format!(" {message}"), "bad-format"),
        (format!("{message}text"), "bad-format"),
        (format!("{message}{}", "\n".repeat(65)), "bad-format"),
        ("<message xmlns='jabber:client'>".to_owned(), "bad-format"),
        ("hello".to_owned(), "bad-format"),
        (String::new(), "bad-format"),
        ("</stream:stream>".to_owned(), "not-well-formed"),
        ("<!DOCTYPE a><a/>".to_owned(), "restricted-xml"),
        ("<a>&lol;</a>".to_owned(), "restricted-xml"),
    ];
    for (text, condition) in wrong {
        let mut client = logged_in(&server, "alice", "browser");
        client.send_message(&text);
        let error = client.wait_for("<stream:error");
        assert!(error.contains(&format!("<{condition} ")), "{text}: {error}");
        client.wait_for("</stream:stream>");
    }
    let mut latin = logged_in(&server, "alice", "browser");
    latin.send_frame(TEXT, b"<message><body>\xff</body></message>");
    latin.wait_for("<stream:error");
    bob.expect_nothing_before_ping();
}

#[test]
fn a_message_in_pieces_is_one_and_a_million_pieces_are_none() {
    let server = server();
    let mut client = logged_in(&server, "alice", "browser");
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let (head, tail) = ping.split_at(30);
    client.send_frame(0x01, head.as_bytes());
    client.send_frame(0x89, b"between");
    client.send_frame(0x00, b"");
    client.send_frame(0x80, tail.as_bytes());
    client.expect("<pong>between</pong>");
    client.expect("<iq type='result' id='p'");
    let growth = server.steady_growth(3, || {
        let mut client = logged_in(&server, "alice", "pieces");
        client.send_frame(0x01, b"<message>");
        let pieces = [0x00, 0x81, 0, 0, 0, 0, b'x'].repeat(10_000);
        for _ in 0..100 {
            if !client.send_below(&pieces) {
                break;
            }
        }
        assert!(!client.drain(metronome_testkit::WAIT).contains("result"));
    });
    assert!(growth < 2 * 1024 * 1024, "{growth} bytes");
}

#[test]
fn nobody_keeps_the_server_busy_with_control_frames() {
    let server = server();
    let mut client = logged_in(&server, "alice", "browser");
    client.send_frame(0x8a, b"unasked");
    client.send_frame(0x89, b"1");
    client.expect("<pong>1</pong>");
    let pings = [0x89, 0x80, 0, 0, 0, 0].repeat(5000);
    client.send_below(&pings);
    while let Some(seen) = client.next_within(metronome_testkit::WAIT) {
        assert!(seen.fits("<pong"), "{seen}");
    }
    assert_eq!(client.expect_code(), Some(1008));
}

/// What stands behind an element in its message means nothing, so no limit of what is read counted it.
#[test]
fn nobody_keeps_the_server_busy_with_white_space() {
    let server = server();
    let mut client = logged_in(&server, "alice", "browser");
    client.send_message("<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>\r\n\r\n");
    client.expect("<iq type='result' id='p'");
    client.send_below(&[TEXT, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    client.send_below(b"<presence/>");
    for _ in 0..300 {
        if !client.send_below(&[b' '; 1024]) {
            break;
        }
    }
    let error = client.wait_for("<stream:error");
    assert!(error.contains("<bad-format "), "{error}");
}

#[test]
fn a_message_is_as_large_as_a_stanza_may_be_and_no_larger() {
    let server = server();
    // Before the login it is small.
    let mut stranger = opened(&server);
    stranger.send_message(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</auth>", "x".repeat(10_000)));
    stranger.expect_stream_error("policy-violation");
    let mut client = logged_in(&server, "alice", "browser");
    let large = "x".repeat(200 * 1024);
    client
        .send_message(&format!("<message to='alice@localhost/browser' type='headline'><body>{large}</body></message>"));
    client.expect(&format!("<message type='headline'><body>{large}</body>"));
    // What is announced counts for nothing: what comes is counted.
    client.send_below(&[TEXT, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    client.send_below(b"<message><body>");
    for _ in 0..300 {
        if !client.send_below(&[b'x'; 1024]) {
            break;
        }
    }
    let error = client.wait_for("<stream:error");
    assert!(error.contains("<policy-violation "), "{error}");
}

/// No compression, whoever asks for it and wherever: it would tell of secrets by the length of what they are mixed with.
#[test]
fn nothing_is_compressed() {
    let server = server();
    let dial = server.dial_as_browser();
    // `Browser::websocket` demands that no extension is taken up.
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let mut client = dial.browse_tls().websocket(&dial, offer);
    client.log_in("alice", "browser");
    client.expect_nothing_before_ping();
    client.send_frame(0xc1, b"\x00");
    assert_eq!(client.expect_code(), Some(1002));
    let features = opened(&server);
    assert!(!features.transcript().concat().contains("compress"));
    let mut asks = logged_in(&server, "alice", "zlib");
    asks.send("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>");
    asks.expect("<failure xmlns='http://jabber.org/protocol/compress'><unsupported-method");
    let page = dial.browse().ask("GET", "/nowhere", "Accept-Encoding: gzip, deflate, br\r\n");
    assert_eq!(page.field("content-encoding"), None);
}

#[test]
fn a_close_frame_ends_a_session_and_a_lost_connection_leaves_it_to_be_resumed() {
    let server = server();
    let mut client = logged_in(&server, "alice", "browser");
    let name = client.enable();
    client.available();
    // Without `</close>` the stream is not over: the page may be loading again.
    client.send_frame(0x88, &1001u16.to_be_bytes());
    assert_eq!(client.expect_code(), Some(1000));
    let (mut client, _) = server.dial_as_browser().websocket().resumes("alice", &name, 1);
    client.expect_nothing_before_ping();
    // With it there is nothing to be resumed.
    client.close();
    let mut late = server.dial_as_browser().websocket();
    late.authenticate("alice");
    late.send(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{name}' h='1'/>"));
    late.expect("<failed xmlns='urn:xmpp:sm:3'");
}
