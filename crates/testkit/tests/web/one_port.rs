//! The port for everybody: who comes there, with TLS or without, finds what is on the port of its own kind; and who is nobody is let go.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use metronome_testkit::{Client, Dial, Party, Server, Setup, World, ask, base64, server_header, stream_hash};
use rustls::ClientConnection;

use crate::chat;

const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn server() -> Server {
    Setup::default().one_port().start()
}

/// Takes one byte at a time.
struct Slowly(TcpStream);

impl Read for Slowly {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Slowly {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(&bytes[..1])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// What is answered to somebody who says all this byte by byte, the handshake included.
fn bytewise_over_tls(server: &Server, dial: &Dial, bytes: &str, until: &str) -> String {
    let socket = TcpStream::connect(server.multi()).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut socket = Slowly(socket);
    let mut connection = ClientConnection::new(dial.tls_config(), "localhost".try_into().unwrap()).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    for byte in bytes.as_bytes() {
        connection.writer().write_all(&[*byte]).unwrap();
        while connection.wants_write() {
            connection.write_tls(&mut socket).unwrap();
        }
    }
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains(until) {
        assert!(connection.read_tls(&mut socket).unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
        let state = connection.process_new_packets().unwrap();
        let mut plain = vec![0; state.plaintext_bytes_to_read()];
        connection.reader().read_exact(&mut plain).unwrap();
        answer.extend(plain);
    }
    String::from_utf8(answer).unwrap()
}

/// A server's stream is answered as one.
fn is_served(mut peer: Client) {
    peer.send(&server_header("b.example", "a.example"));
    peer.expect("<stream:stream xmlns='jabber:server' from='a.example' to='b.example'");
    peer.expect("<stream:features");
}

#[test]
fn whoever_speaks_in_clear_text_is_known_by_its_first_words() {
    let server = server();
    let dial = server.dial_one_port();
    let mut alice = dial.starttls();
    alice.log_in("alice", "here");
    alice.available();
    assert_eq!(dial.browse().ask("GET", "/healthz", "").status, 200);
    let mut bob = dial.browse().websocket(&dial, "");
    bob.send(&Client::header("localhost"));
    bob.expect_stream_error("policy-violation");
    assert_eq!(server.figure("sessions"), 1);
}

#[test]
fn whoever_begins_with_tls_is_known_by_its_protocols() {
    let server = server();
    let dial = server.dial_one_port();
    let mut alice = dial.clone().protocols(&["xmpp-client"]).direct();
    assert_eq!(alice.tls_facts().1.as_deref(), Some("xmpp-client"));
    alice.log_in("alice", "here");
    alice.available();
    let browser = dial.clone().protocols(&["h2", "http/1.1"]);
    assert_eq!(browser.browse_tls().ask("GET", "/healthz", "").status, 200);
    let mut bob = browser.websocket();
    bob.log_in("bob", "browser");
    bob.send(&chat("alice@localhost", "hello"));
    alice.wait_for("<message from='bob@localhost/browser'><body>hello</body>");
    // What speaks none of this server's protocols is told so in the handshake (RFC 7301 section 3.2).
    let refused = dial.clone().protocols(&["h2", "imap"]).try_direct().err().unwrap();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    // Who says one thing and does another is on the port of what it has said.
    let mut liar = dial.protocols(&["xmpp-client"]).browse_tls();
    liar.send(REQUEST.as_bytes());
    assert!(liar.try_answer("GET").is_none_or(|answer| answer.status != 200));
}

#[test]
fn whoever_says_nothing_in_the_handshake_is_known_by_what_it_says_behind_it() {
    let server = server();
    let dial = server.dial_one_port();
    let mut alice = dial.direct();
    assert_eq!(alice.tls_facts().1, None);
    let features = alice.open();
    assert!(features.contains("SCRAM-SHA-256-PLUS"), "it is the same connection: {features}");
    let mut alice = dial.direct();
    alice.log_in("alice", "here");
    alice.available();
    assert_eq!(dial.browse_tls().ask("GET", "/healthz", "").status, 200);
    let mut bob = dial.websocket();
    bob.log_in("bob", "browser");
    bob.send(&chat("alice@localhost", "hello"));
    alice.wait_for("<message from='bob@localhost/browser'><body>hello</body>");
}

#[test]
fn servers_are_told_from_clients_with_tls_and_without() {
    let world = World::new();
    let a = world.setup("a.example", "alice").one_port().start();
    world.publish_at("a.example", a.multi());
    let b = world.server("b.example", "bob", "");
    let mut alice = a.dial_one_port().domain("a.example").direct();
    alice.log_in("alice", "here");
    alice.available();
    let mut bob = b.dial().domain("b.example").direct();
    bob.log_in("bob", "there");
    bob.send(&chat("alice@a.example", "hello"));
    alice.wait_for("<message from='bob@b.example/there'><body>hello</body>");
    let dial = a.dial_one_port().domain("a.example");
    is_served(dial.clear());
    is_served(dial.direct());
    // With its protocol in the handshake it is asked for its certificate.
    let shown = world.certificates().server(&["c.example"]);
    let mut peer = dial.protocols(&["xmpp-server"]).certificate(&shown).direct();
    peer.send(&server_header("c.example", "a.example"));
    peer.wait_for("<stream:features");
    let data = base64(b"c.example");
    peer.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{data}</auth>"));
    peer.expect("<success");
}

/// All of them at once; of each what it came for.
#[test]
fn clients_servers_browsers_and_transfers_share_one_port() {
    let world = World::new();
    let a = world.setup("a.example", "alice").one_port().start();
    world.publish_at("a.example", a.multi());
    let b = world.server("b.example", "bob", "");
    let dial = a.dial_one_port().domain("a.example");
    let mut alice = dial.direct();
    alice.log_in("alice", "here");
    alice.available();
    let mut again = dial.starttls();
    again.log_in("alice", "there");
    // The proxy has no other port, and says so.
    let place = "<query xmlns='http://jabber.org/protocol/bytestreams'/>";
    let told = ask(&mut alice, "get", "proxy.a.example", place);
    assert!(told.contains(&format!("host='a.example' port='{}'", a.multi().port())), "{told}");
    let hash = stream_hash("s1", "alice@a.example/here", "bob@b.example/there");
    let mut target = Party::join(a.multi(), &hash);
    let mut requester = Party::join(a.multi(), &hash);
    let activate = "<activate>bob@b.example/there</activate>";
    let payload = format!("<query xmlns='http://jabber.org/protocol/bytestreams' sid='s1'>{activate}</query>");
    assert!(ask(&mut alice, "set", "proxy.a.example", &payload).fits("<iq type='result'"));
    requester.send(b"a file");
    assert_eq!(target.read(6), b"a file");
    let mut bob = b.dial().domain("b.example").direct();
    bob.log_in("bob", "there");
    bob.send(&chat("alice@a.example", "hello"));
    alice.wait_for("<message from='bob@b.example/there'><body>hello</body>");
    assert_eq!(dial.browse().ask("GET", "/healthz", "").status, 200);
    assert_eq!(dial.clone().protocols(&["http/1.1"]).browse_tls().ask("GET", "/healthz", "").status, 200);
    is_served(dial.clear());
    target.send(b"thank you");
    target.end();
    assert_eq!(requester.read(9), b"thank you");
    requester.end();
    assert_eq!((requester.rest().unwrap(), target.rest().unwrap()), (Vec::new(), Vec::new()));
}

#[test]
fn one_byte_after_the_other_is_understood_as_well() {
    let server = server();
    let dial = server.dial_one_port();
    let mut client = dial.clear();
    client.send_bytewise(&Client::header("localhost"));
    client.expect("<stream:stream");
    client.expect("<stream:features");
    let mut browser = dial.browse();
    for byte in REQUEST.as_bytes() {
        browser.send(&[*byte]);
    }
    assert_eq!(browser.answer("GET").status, 200);
    for dial in [dial.clone(), dial.clone().protocols(&["xmpp-client"])] {
        let answer = bytewise_over_tls(&server, &dial, &Client::header("localhost"), "</stream:features>");
        assert!(answer.contains("xmlns='jabber:client'"), "{answer}");
    }
    for dial in [dial.clone(), dial.protocols(&["http/1.1"])] {
        let answer = bytewise_over_tls(&server, &dial, REQUEST, "\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[test]
fn who_is_nobody_is_let_go() {
    let server = server();
    let dial = server.dial_one_port();
    for garbage in [&b"\x04\x01\x00"[..], b"\0\0\0\0", b"\xff\xfe<", b"quit\r\n", b" <stream:stream>"] {
        let mut nobody = dial.browse();
        nobody.send(garbage);
        nobody.expect_closed();
    }
    // Handshakes that are none.
    for garbage in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x16\xff\xff\xff\xff\xff\xff", &[0x16; 40_000]] {
        let mut nobody = dial.browse();
        nobody.send(garbage);
        assert!(nobody.ends_within(Duration::from_secs(10)));
    }
    // Nothing tells a party of a transfer to encrypt, so behind encryption there is none.
    for garbage in [&b"\x16\x03\x01\x00\x05hello"[..], b"\x05\x01\x00"] {
        let mut inside = dial.browse_tls();
        inside.send(garbage);
        inside.expect_closed();
    }
    // A stream that is none is told so as on the port for clients, and so is one whose header never ends.
    let mut wrong = dial.clear();
    wrong.send("<?php ?>");
    wrong.expect("<stream:stream");
    wrong.expect_stream_error("restricted-xml");
    let mut endless = dial.clear();
    let _ = endless.try_send(format!("<stream:stream to='{}", "x".repeat(20_000)).as_bytes());
    endless.expect("<stream:stream");
    endless.expect_stream_error("policy-violation");
    // A party of a transfer that names none is told so as on the port for transfers.
    let mut party = Party::greet(server.multi());
    assert_eq!(party.name("example.org"), 4);
    assert_eq!(party.rest().unwrap(), b"");
    // Whoever ends before it is known is forgotten.
    let mut gone = dial.clear();
    gone.send("<stream:str");
    gone.end_connection();
    gone.expect_closed();
}

#[test]
fn who_says_nothing_or_too_little_is_let_go() {
    let server = server();
    let dial = server.dial_one_port();
    let mut silent = [dial.browse(), dial.browse(), dial.browse(), dial.browse_tls()];
    silent[1].send(b"<stream:stream to='");
    silent[2].send(b"\x16\x03\x01");
    // Each has ten seconds.
    for connection in &mut silent {
        assert!(connection.ends_within(Duration::from_secs(25)));
    }
}

#[test]
fn an_address_has_as_many_connections_as_everywhere() {
    let server = Setup::default().one_port().options("limits.connections = 2\nweb.proxies = []").start();
    let dial = server.dial_one_port();
    let mut alice = dial.direct();
    alice.log_in("alice", "here");
    let mut browser = dial.browse();
    assert_eq!(browser.ask("GET", "/healthz", "").status, 200);
    let mut one_more = dial.browse();
    one_more.send(REQUEST.as_bytes());
    assert!(one_more.try_answer("GET").is_none());
    drop((alice, browser));
    // Those count that have not said whom they are for.
    let server = Setup::default().one_port().no_accounts().options("limits.connections = 2\nweb.proxies = []").start();
    let dial = server.dial_one_port();
    let undecided = [dial.browse(), dial.browse(), dial.browse()];
    server.expect_log("the address has too many connections");
    drop(undecided);
}

#[test]
fn a_proxy_names_its_client_before_everything() {
    let options = "web.proxy_protocol = true\nweb.proxies = [\"127.0.0.1\"]\nlimits.connections = 1";
    let server = Setup::default().one_port().options(options).start();
    let dial = server.dial_one_port();
    let through = |header: &str| {
        let mut client = dial.clear();
        client.send(header);
        client
    };
    let mut held = through("PROXY TCP4 198.51.100.1 192.0.2.1 5000 443\r\n");
    held.open();
    let mut more = through("PROXY TCP4 198.51.100.1 192.0.2.1 5001 443\r\n");
    let _ = more.try_send(Client::header("localhost").as_bytes());
    more.expect_closed();
    through("PROXY TCP4 198.51.100.2 192.0.2.1 5002 443\r\n").open();
    let mut unnamed = dial.clear();
    let _ = unnamed.try_send(Client::header("localhost").as_bytes());
    unnamed.expect_closed();
}
