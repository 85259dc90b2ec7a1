//! Stream headers and XML (RFC 6120 sections 4 and 11): what is wrong gets the RFC's stream error, inside of a stream, and closes
//! this one connection; over clear text, STARTTLS and direct TLS, whole and byte by byte.

use metronome_testkit::{Backend, Client, STREAMS, Server, Setup};

fn server() -> Server {
    Setup::default().store(Backend::Memory).no_accounts().start()
}

/// How a stream's first bytes reach the server: a name, the connection, and the pieces.
type Way = (&'static str, fn(&Server) -> Client, Pace);

const WAYS: [Way; 5] = [
    ("in clear", Client::connect, Pace::Whole),
    ("in clear, byte by byte", Client::connect, Pace::Bytewise),
    ("with STARTTLS", |server| Client::connect(server).tls(), Pace::Whole),
    ("with direct TLS", Client::direct_tls, Pace::Whole),
    ("with direct TLS, byte by byte", Client::direct_tls, Pace::Bytewise),
];

#[derive(Clone, Copy)]
enum Pace {
    Whole,
    Bytewise,
}

fn say(client: &mut Client, pace: Pace, bytes: &str) {
    match pace {
        Pace::Whole => client.send(bytes),
        Pace::Bytewise => client.send_bytewise(bytes),
    }
}

/// Each first words of a client gets this stream error, after a header of ours.
fn each_gets(cases: &[(&str, &str)]) {
    let server = server();
    for &(first, condition) in cases {
        for (way, connect, pace) in WAYS {
            let mut client = connect(&server);
            client.name = way.to_owned();
            say(&mut client, pace, first);
            client.expect("<stream:stream xmlns='jabber:client' version='1.0'");
            client.expect_stream_error(condition);
        }
    }
}

/// Each gets this stream error on a stream that is open.
fn each_gets_in_stream(cases: &[(&str, &str)]) {
    let server = server();
    for &(then, condition) in cases {
        for (way, connect, pace) in WAYS {
            let mut client = connect(&server);
            client.name = way.to_owned();
            client.open();
            say(&mut client, pace, then);
            client.expect_stream_error(condition);
        }
    }
}

fn header(attributes: &str) -> String {
    format!("<?xml version='1.0'?><stream:stream {attributes}>")
}

fn header_with(rest: &str) -> String {
    header(&format!("xmlns='jabber:client' xmlns:stream='{STREAMS}' {rest}"))
}

#[test]
fn an_unknown_host_gets_host_unknown() {
    each_gets(&[(&header_with("to='elsewhere.example' version='1.0'"), "host-unknown")]);
}

#[test]
fn a_header_without_or_with_a_broken_address_gets_improper_addressing() {
    each_gets(&[
        (&header_with("version='1.0'"), "improper-addressing"),
        (&header_with("to='' version='1.0'"), "improper-addressing"),
        (&header_with("to='a@@b' version='1.0'"), "improper-addressing"),
        (&header_with("to='localhost' from='a b@@' version='1.0'"), "improper-addressing"),
    ]);
}

#[test]
fn wrong_namespaces_get_invalid_namespace() {
    each_gets(&[
        (
            &header(&format!("xmlns='jabber:server' xmlns:stream='{STREAMS}' to='localhost' version='1.0'")),
            "invalid-namespace",
        ),
        (&header(&format!("xmlns:stream='{STREAMS}' to='localhost' version='1.0'")), "invalid-namespace"),
        (&header("xmlns='jabber:client' xmlns:stream='urn:x' to='localhost' version='1.0'"), "invalid-namespace"),
        ("<stream xmlns='jabber:client' to='localhost' version='1.0'>", "invalid-namespace"),
    ]);
}

#[test]
fn another_prefix_gets_bad_namespace_prefix() {
    let wrong = format!(
        "<?xml version='1.0'?><s:stream xmlns='jabber:client' xmlns:s='{STREAMS}' to='localhost' version='1.0'>"
    );
    each_gets(&[(&wrong, "bad-namespace-prefix")]);
}

#[test]
fn a_version_that_is_too_old_gets_unsupported_version() {
    each_gets(&[
        (&header_with("to='localhost' version='0.9'"), "unsupported-version"),
        (&header_with("to='localhost' version='one'"), "unsupported-version"),
        (&header_with("to='localhost'"), "unsupported-version"),
    ]);
}

#[test]
fn a_newer_version_is_answered_with_ours() {
    let server = server();
    for version in ["1.1", "2.0", "1.10"] {
        let mut client = Client::connect(&server);
        client.send(&header_with(&format!("to='localhost' version='{version}'")));
        client.expect("<stream:stream version='1.0'");
        client.expect("<stream:features");
    }
}

#[test]
fn what_is_no_xml_gets_not_well_formed() {
    each_gets(&[
        ("GET / HTTP/1.1\r\n\r\n", "not-well-formed"),
        ("<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='localhost' version='1.0'>", "not-well-formed"),
        (&header_with("to='localhost' to='localhost' version='1.0'"), "not-well-formed"),
        (&header_with("to=localhost version='1.0'"), "not-well-formed"),
        (&header_with("to='local<host' version='1.0'"), "not-well-formed"),
        ("</stream:stream>", "not-well-formed"),
        ("<<stream:stream>", "not-well-formed"),
    ]);
    each_gets_in_stream(&[
        ("<a></b>", "not-well-formed"),
        ("<a b='1' b='2'/>", "not-well-formed"),
        ("<x:a/>", "not-well-formed"),
        ("<a>&#0;</a>", "not-well-formed"),
        ("<a>\u{1}</a>", "not-well-formed"),
        ("<a>]]></a>", "not-well-formed"),
        ("</a>", "not-well-formed"),
    ]);
}

#[test]
fn forbidden_xml_gets_restricted_xml_in_a_header() {
    each_gets(&[
        ("<!-- hello --><stream:stream", "restricted-xml"),
        ("<!DOCTYPE stream:stream><stream:stream", "restricted-xml"),
        ("<?xml version='1.0'?><?php ?><stream:stream", "restricted-xml"),
        (&header_with("to='&host;' version='1.0'"), "restricted-xml"),
    ]);
}

#[test]
fn forbidden_xml_gets_restricted_xml_in_a_stream() {
    each_gets_in_stream(&[
        ("<a><!-- hello --></a>", "restricted-xml"),
        ("<!-- hello -->", "restricted-xml"),
        ("<?x y?>", "restricted-xml"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>", "restricted-xml"),
        ("<a>&b;</a>", "restricted-xml"),
        ("<a b='&c;'/>", "restricted-xml"),
    ]);
}

#[test]
fn another_encoding_gets_unsupported_encoding() {
    let with = |encoding: &str| {
        header_with("to='localhost' version='1.0'").replacen("'1.0'", &format!("'1.0' encoding='{encoding}'"), 1)
    };
    each_gets(&[(&with("UTF-16"), "unsupported-encoding"), (&with("ISO-8859-1"), "unsupported-encoding")]);
    let server = server();
    for encoding in ["UTF-8", "utf-8"] {
        let mut client = Client::connect(&server);
        client.send(&with(encoding));
        client.expect("<stream:stream");
        client.expect("<stream:features");
    }
}

#[test]
fn bytes_that_are_no_utf_8_end_the_stream() {
    let server = server();
    // Not a byte of UTF-8, an overlong slash, a surrogate, a lonely continuation, beyond the last character.
    for wrong in
        [&b"<a>\xff</a>"[..], b"<a>\xc0\xaf</a>", b"<a>\xed\xa0\x80</a>", b"<a>\x80</a>", b"<a>\xf4\x90\x80\x80</a>"]
    {
        let mut client = Client::direct_tls(&server);
        client.open();
        client.try_send(wrong).unwrap();
        let error = client.expect("<stream:error");
        assert!(error.contains("<not-well-formed ") || error.contains("<unsupported-encoding "), "{error}");
        client.expect_end();
    }
    for utf_16 in [&b"\xff\xfe<\0?\0x\0m\0l\0"[..], b"\xfe\xff\0<\0?\0x\0m\0l"] {
        let mut client = Client::direct_tls(&server);
        client.try_send(utf_16).unwrap();
        client.expect("<stream:stream");
        let error = client.expect("<stream:error");
        assert!(error.contains("<not-well-formed ") || error.contains("<unsupported-encoding "), "{error}");
        client.expect_end();
    }
}

#[test]
fn more_than_8_kib_before_the_login_get_policy_violation() {
    let long = "x".repeat(9000);
    each_gets(&[(&header_with(&format!("to='localhost' version='1.0' id='{long}'")), "policy-violation")]);
    let server = server();
    for wrong in [format!("<a>{long}</a>"), format!("<a b='{long}'/>"), format!("<a><b/>{long}")] {
        let mut client = Client::direct_tls(&server);
        client.open();
        client.send(&wrong);
        client.expect_stream_error("policy-violation");
    }
}

#[test]
fn too_much_structure_before_the_login_gets_policy_violation() {
    let attributes: String = (0..100).map(|at| format!(" a{at}=''")).collect();
    let namespaces: String = (0..100).map(|at| format!(" xmlns:n{at}='u'")).collect();
    let deep = "<a>".repeat(20);
    each_gets_in_stream(&[
        (&format!("<a{attributes}/>"), "policy-violation"),
        (&format!("<a{namespaces}/>"), "policy-violation"),
        (&deep, "policy-violation"),
    ]);
}

#[test]
fn more_than_16_elements_before_the_session_get_policy_violation() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    client.open();
    // An exchange that is begun and aborted is one failed attempt after the other, and each takes two elements.
    for _ in 0..4 {
        client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'/>");
        client.expect("<challenge");
        client.send("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
        client.expect_failure("aborted");
    }
    client.expect_stream_error("policy-violation");
}

#[test]
fn the_header_has_our_name_a_fresh_id_and_a_language() {
    let server = server();
    let mut ids = Vec::new();
    for _ in 0..3 {
        for connect in [Client::connect as fn(&Server) -> Client, Client::direct_tls] {
            let mut client = connect(&server);
            client.send(&Client::header("LOCALHOST"));
            let header = client.expect("<stream:stream from='localhost' version='1.0' xml:lang='en'");
            let id = header.attribute("id").unwrap();
            assert!(id.len() >= 16 && !ids.contains(&id), "{id}");
            ids.push(id);
        }
    }
}

#[test]
fn a_stream_that_is_closed_at_once_is_closed_by_us() {
    let server = server();
    for (_, connect, _) in WAYS {
        let mut client = connect(&server);
        client.open();
        client.close();
    }
}
