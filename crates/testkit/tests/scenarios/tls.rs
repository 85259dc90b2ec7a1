//! STARTTLS (RFC 6120 section 5) and direct TLS (XEP-0368): required, offered first, and nothing said before it counts.

use std::io::{Read, Write};
use std::net::TcpStream;

use metronome_testkit::{Backend, Client, Server, Setup, Versions};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const PING: &str = "<iq type='get' id='early'><ping xmlns='urn:xmpp:ping'/></iq>";

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

#[test]
fn starttls_is_required_and_no_mechanism_is_offered_before_it() {
    let server = server();
    let mut client = Client::connect(&server);
    let features = client.open();
    assert!(
        features.contains("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"),
        "{features}"
    );
    assert!(!features.contains("mechanism"), "{features}");
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAGFsaWNlLXNlY3JldA==</auth>");
    client.expect_stream_error("policy-violation");
    assert_eq!(server.figure("logins") + server.figure("login_failures"), 0);
}

#[test]
fn after_starttls_the_stream_is_new_and_mechanisms_are_offered() {
    let server = server();
    let mut client = Client::connect(&server);
    client.send(&Client::header("localhost"));
    let before = client.expect("<stream:stream").attribute("id");
    client.expect("<stream:features");
    client.send(STARTTLS);
    client.expect("<proceed");
    let mut client = client.handshake();
    client.send(&Client::header("localhost"));
    assert_ne!(before, client.expect("<stream:stream").attribute("id"));
    let features = client.expect("<stream:features");
    assert!(!features.contains("starttls"), "{features}");
    assert!(features.contains("<mechanism>SCRAM-SHA-1</mechanism>"), "{features}");
}

#[test]
fn bytes_behind_starttls_close_the_stream() {
    let server = server();
    let header = Client::header("localhost");
    for behind in [
        PING,
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
        " ",
        "\x16\x03\x01",
        "<",
        &header,
    ] {
        let mut client = Client::connect(&server);
        client.open();
        client.send(&format!("{STARTTLS}{behind}"));
        client.expect_stream_error("policy-violation");
    }
    assert_eq!(server.figure("login_failures"), 0);
}

#[test]
fn the_whole_of_a_clients_plan_in_one_packet_is_refused() {
    let server = server();
    let mut client = Client::connect(&server);
    client.send(&format!("{}{STARTTLS}{PING}", Client::header("localhost")));
    client.expect("<stream:stream");
    client.expect("<stream:features");
    client.expect_stream_error("policy-violation");
}

#[test]
fn a_handshake_that_is_none_closes_only_its_connection() {
    let server = server();
    let mut client = Client::connect(&server);
    client.open();
    client.send(STARTTLS);
    client.expect("<proceed");
    client.send("<stream:stream>");
    // An alert, or nothing: no XML in any case.
    let said = client.drain(std::time::Duration::from_secs(10));
    assert!(!said.contains('<'), "{said}");
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
}

#[test]
fn a_second_host_after_starttls_is_refused() {
    let server = Setup::default().store(Backend::Memory).domain("second.example").start();
    let mut client = Client::connect(&server).tls();
    client.send(&Client::header("second.example"));
    client.expect("<stream:stream");
    client.expect_stream_error("not-authorized");
}

#[test]
fn a_second_host_after_the_login_is_refused() {
    let server = Setup::default().domain("second.example").account("alice@second.example").start();
    for connect in [(|server| Client::connect(server).tls()) as fn(&Server) -> Client, Client::direct_tls] {
        let mut client = connect(&server);
        client.open();
        client.sasl(&metronome_testkit::Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
        client.send(&Client::header("second.example"));
        client.expect("<stream:stream");
        client.expect_stream_error("not-authorized");
    }
}

#[test]
fn direct_tls_speaks_xmpp_client_by_alpn() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    assert_eq!(client.tls_facts(), ("TLSv1_3".to_owned(), Some("xmpp-client".to_owned())));
    let features = client.open();
    assert!(!features.contains("starttls") && features.contains("<mechanisms"), "{features}");
    let mut older = server.dial().protocols(&[]).direct();
    assert_eq!(older.tls_facts().1, None);
    older.open();
    assert!(server.dial().protocols(&["h2"]).try_direct().is_err());
}

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let server = server();
    for (versions, name) in [(Versions::Only12, "TLSv1_2"), (Versions::Only13, "TLSv1_3")] {
        let mut direct = server.dial().versions(versions).direct();
        let mut starttls = server.dial().versions(versions).starttls();
        assert_eq!((direct.tls_facts().0.as_str(), starttls.tls_facts().0.as_str()), (name, name));
        direct.log_in("alice", "direct");
        starttls.log_in("alice", "starttls");
    }
}

/// A ClientHello of `version` (TLS 1.0 is 3.1) with the suites of its time.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let suites: &[u8] =
        &[0xc0, 0x13, 0xc0, 0x14, 0xc0, 0x09, 0xc0, 0x0a, 0x00, 0x2f, 0x00, 0x35, 0x00, 0x0a, 0x00, 0x05];
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend((suites.len() as u16).to_be_bytes());
    body.extend(suites);
    body.extend([1, 0]);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

#[test]
fn tls_1_1_and_older_are_refused() {
    let server = server();
    let ssl2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80".to_vec();
    for hello in [hello([3, 0]), hello([3, 1]), hello([3, 2]), ssl2] {
        let mut socket = TcpStream::connect(server.direct()).unwrap();
        socket.set_read_timeout(Some(metronome_testkit::WAIT)).unwrap();
        socket.write_all(&hello).unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        // Nothing, or an alert (21) that is fatal (2): in no case a ServerHello (22).
        assert!(answer.is_empty() || (answer[0] == 21 && answer[5] == 2), "{answer:?}");
    }
}

#[test]
fn a_session_is_resumed_and_early_data_is_not_taken() {
    use rustls::{ClientConnection, HandshakeKind, StreamOwned};
    let server = server();
    let mut config = (*server.dial().tls_config()).clone();
    config.enable_early_data = true;
    let config = std::sync::Arc::new(config);
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let socket = TcpStream::connect(server.direct()).unwrap();
        socket.set_read_timeout(Some(metronome_testkit::WAIT)).unwrap();
        let mut connection = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
        // A ticket that allowed early data would make this a writer.
        assert!(connection.early_data().is_none());
        let mut socket_ref = &socket;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket_ref).unwrap();
        }
        let kind = match connection.handshake_kind().unwrap() {
            HandshakeKind::FullWithHelloRetryRequest => HandshakeKind::Full,
            kind => kind,
        };
        assert_eq!(kind, expected);
        let mut tls = StreamOwned::new(connection, socket);
        tls.write_all(Client::header("localhost").as_bytes()).unwrap();
        // The ticket comes with the first bytes.
        let mut buffer = [0; 4096];
        assert!(tls.read(&mut buffer).unwrap() > 0);
    }
}

#[test]
fn without_the_requirement_tls_is_offered_beside_the_mechanisms() {
    let server = Setup::default().store(Backend::Memory).options("tls.require_c2s = false").start();
    let mut client = Client::connect(&server);
    let features = client.open();
    assert!(features.contains("<starttls") && !features.contains("<required"), "{features}");
    assert!(features.contains("<mechanism>SCRAM-SHA-256</mechanism>"), "{features}");
    assert!(!features.contains("-PLUS") && !features.contains("PLAIN"), "{features}");
    client.sasl(&metronome_testkit::Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
    client.open();
    client.bind("clear");
    client.expect_nothing_before_ping();
    let mut client = Client::connect(&server).tls();
    client.log_in("alice", "encrypted");
}
