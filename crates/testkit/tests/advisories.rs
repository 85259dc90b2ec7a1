//! What has gone wrong in other servers, one test for each advisory, named by its id: the attack is tried, and nothing comes of it.
//! Those about parts that this server does not have yet are added with the parts.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use metronome_sasl::client::plain;
use metronome_testkit::{Backend, Certificates, Client, Sasl, Server, Setup, WAIT, base64};
use serde_json::json;

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

/// For attacks with many bytes: they would only take longer at the rate that a client usually has.
const UNHURRIED: &str = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"1 GiB\"";

fn opened(server: &Server) -> Client {
    let mut client = Client::direct_tls(server);
    client.open();
    client
}

/// Nobody else has noticed anything.
fn is_well(server: &Server) {
    let mut client = Client::login(server, "carol", "reference");
    client.expect_nothing_before_ping();
    assert_eq!(server.figure("panics"), 0);
}

/// Each is refused with this stream error, before and after the login, and memory stays where it is.
fn refused_everywhere(wrong: &[&str], condition: &str) {
    let server = server();
    is_well(&server);
    let before = server.resident_bytes();
    for first in wrong {
        // An element in the place of the header is judged as a header.
        if first.starts_with("<!") || first.starts_with("<?") {
            let mut client = Client::direct_tls(&server);
            client.send(first);
            client.expect_stream_error(condition);
        }
        let mut client = opened(&server);
        client.send(first);
        client.expect_stream_error(condition);
        let mut client = Client::login(&server, "alice", "phone");
        client.send(&format!("<message to='bob@localhost'><body>{first}"));
        client.expect_stream_error(condition);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    is_well(&server);
}

// ---- XML that grows -----------------------------------------------------------------------------------------------

const BILLION_LAUGHS: &str = "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol1 '&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;'>\
    <!ENTITY lol2 '&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;'>]><lolz>&lol2;</lolz>";

#[test]
fn cve_2011_1753_billion_laughs() {
    refused_everywhere(&[BILLION_LAUGHS], "restricted-xml");
}

#[test]
fn cve_2011_1755_billion_laughs_behind_a_declaration() {
    refused_everywhere(&["<!DOCTYPE a>", "<!DOCTYPE a [", "<!ENTITY a 'b'>"], "restricted-xml");
}

#[test]
fn cve_2011_2205_entities_without_a_declaration() {
    refused_everywhere(&["<a>&lol;", "<a>&lol9;"], "restricted-xml");
}

#[test]
fn cve_2013_1664_entities_in_attributes() {
    refused_everywhere(&["<a b='&lol;'/>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a b='&x;&x;&x;'/>"], "restricted-xml");
}

#[test]
fn cve_2017_2815_external_entities() {
    let external = "<!DOCTYPE a [<!ENTITY xxe SYSTEM 'file:///etc/passwd'>]><a>&xxe;</a>";
    refused_everywhere(&[external, "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'>"], "restricted-xml");
}

#[test]
fn cve_2022_0217_comments_and_instructions() {
    refused_everywhere(&["<!-- -->", "<?php ?>", "<a><!-- --></a>"], "restricted-xml");
}

#[test]
fn cve_2026_43507_much_memory_for_few_bytes() {
    // Many small things, each shape at what an authenticated client may send.
    let server = Setup::default().store(Backend::Memory).options(UNHURRIED).start();
    let mut clients: Vec<_> = (0..8).map(|at| Client::login(&server, "alice", &format!("r{at}"))).collect();
    is_well(&server);
    let before = server.resident_bytes();
    let shapes =
        ["<a/>".repeat(8_000), "<a b=''/>".repeat(8_000), "<a xmlns='b'/>".repeat(8_000), "x&amp;".repeat(20_000)];
    for client in &mut clients {
        for shape in &shapes {
            client.send(&format!("<iq type='get' id='big' to='localhost'><x xmlns='urn:x'>{shape}</x></iq>"));
            client.expect("<iq type='error' id='big'");
        }
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more for 8 clients with at most 256 KiB each");
    for shape in ["<a/>".repeat(20_000), "<a>".repeat(100)] {
        let mut client = Client::login(&server, "bob", "phone");
        client.send(&format!("<iq type='get' id='big' to='localhost'><x xmlns='urn:x'>{shape}"));
        client.expect_stream_error("policy-violation");
    }
    is_well(&server);
}

#[test]
fn cve_2026_43506_a_leak_for_each_unauthenticated_connection() {
    let server = server();
    let visits = |count: usize| {
        for at in 0..count {
            let mut client = if at % 2 == 0 { Client::connect(&server) } else { Client::direct_tls(&server) };
            client.open();
            if at % 3 == 0 {
                client.drop_connection();
            }
        }
    };
    let grown = server.steady_growth(4, || visits(200));
    is_well(&server);
    assert!(grown < 1 << 20, "{grown} bytes more with every 200 visits");
}

#[test]
fn cve_2021_32918_stanzas_without_a_useful_limit() {
    let server = server();
    let attack = || {
        let mut client = Client::login(&server, "alice", "phone");
        let big = "x".repeat(300 * 1024);
        client.send(&format!("<message to='bob@localhost'><body>{big}"));
        client.expect_stream_error("policy-violation");
        let mut client = opened(&server);
        let big = "A".repeat(9_000);
        client.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>{big}"));
        client.expect_stream_error("policy-violation");
    };
    let attacks = |count: usize| (0..count).for_each(|_| attack());
    let grown = server.steady_growth(5, || attacks(20));
    assert!(grown < 2 << 20, "{grown} bytes more with every 20 times 300 KiB");
}

const COMPRESS: &str = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";

#[test]
fn cve_2014_2741_to_2746_and_2829_compressed_bombs() {
    // Nobody unpacks anything, unless the administrator wants it.
    let server = server();
    let mut client = Client::login(&server, "alice", "phone");
    client.send(COMPRESS);
    client.expect("<failure xmlns='http://jabber.org/protocol/compress'><unsupported-method");
    // And then not much of it.
    let server = Setup::default().options("compression.c2s = true").start();
    let bomb = format!("<message to='bob@localhost'><body>{}", " ".repeat(4 << 20));
    for _ in 0..3 {
        let mut client = Client::direct_tls(&server);
        client.authenticate("alice");
        let mut client = client.compress();
        client.open();
        client.bind("phone");
        let _ = client.try_send(bomb.as_bytes());
        client.expect_stream_error("policy-violation");
    }
    is_well(&server);
}

#[test]
fn cve_2014_8760_compression_instead_of_starttls() {
    for options in ["", "compression.c2s = true"] {
        let server = Setup::default().options(options).start();
        let mut client = Client::connect(&server);
        assert!(!client.open().contains("compress"));
        client.send(COMPRESS);
        client.expect_stream_error("policy-violation");
        let mut client = Client::direct_tls(&server);
        assert!(!client.open().contains("compress"));
        client.send(COMPRESS);
        client.expect_stream_error("not-authorized");
        is_well(&server);
    }
}

// ---- one stanza that becomes two ----------------------------------------------------------------------------------

/// Alice sends it, and bob sees exactly one message from her or none at all.
fn smuggled(wrong: &[&[u8]]) {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    for bytes in wrong {
        let mut alice = Client::login(&server, "alice", "phone");
        let _ = alice.try_send(bytes);
        alice.send("<iq type='get' id='after'><ping xmlns='urn:xmpp:ping'/></iq>");
        let answer = alice.next_piece();
        let fine =
            answer.fits("<iq id='after'") || answer.fits("<stream:error") || answer.fits("<message type='error'");
        assert!(fine, "{answer}");
        alice.drop_connection();
        // What comes to bob is from alice, whatever it claims.
        bob.send("<iq type='get' id='all'><ping xmlns='urn:xmpp:ping'/></iq>");
        loop {
            let seen = bob.next_piece();
            if seen.fits("<iq id='all'") {
                break;
            }
            assert!(seen.fits("<message from='alice@localhost/phone'"), "{seen}");
        }
    }
    is_well(&server);
}

#[test]
fn cve_2022_22784_smuggling_by_bytes_that_are_no_utf_8() {
    smuggled(&[
        b"<message to='bob@localhost'><body>\xeb</body></message><message from='carol@localhost'><body>\xeb</body></message>",
        b"<message to='bob@localhost'><body>a\xc0\xbcmessage from='x'></body></message>",
        b"<message to='bob@localhost\xed\xa0\x80'><body>x</body></message>",
        b"<mess\xc2age to='bob@localhost'><body>x</body></message>",
    ]);
}

#[test]
fn cve_2022_25236_smuggling_by_separators_in_namespaces() {
    smuggled(&[
        b"<message xmlns='jabber:client\x0cbody' to='bob@localhost'><body>x</body></message>",
        b"<message to='bob@localhost'><x xmlns='urn:x&#xC;message' a='b'/></message>",
        b"<message to='bob@localhost' type='chat'><x xmlns='urn:x|message' a='b'/><body>y</body></message>",
        b"<x:message xmlns:x='jabber:client' to='bob@localhost' type='chat'><x:body>y</x:body></x:message>",
    ]);
}

#[test]
fn svg_hush_15_smuggling_by_quotes_in_namespaces() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send(
        "<message to='bob@localhost' type='chat'><x xmlns='a&apos;/&gt;&lt;/message&gt;&lt;message from=&apos;carol@localhost' \
         b='&quot;&apos;&lt;'/><body>y</body></message>",
    );
    bob.expect("<message from='alice@localhost/phone' to='bob@localhost'><body>y</body>");
    bob.expect_nothing_before_ping();
    // The header's attributes are written by us: the same there.
    let mut client = Client::direct_tls(&server);
    client.send("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost&apos; x=&apos;y' version='1.0'>");
    let header = client.expect("<stream:stream");
    assert!(!header.contains("x="), "{header}");
}

#[test]
fn cve_2022_20917_the_end_of_a_stream_inside_of_a_stanza() {
    smuggled(&[
        b"<message to='bob@localhost'><body></stream:stream><message from='carol@localhost'/></body></message>",
        b"<message to='bob@localhost'><body>]]></body></message>",
        b"<message to='bob@localhost' type='chat'><body><![CDATA[</body></message><message from='carol@localhost/x'>]]></body></message>",
    ]);
}

#[test]
fn cve_2026_72522_utf_16() {
    let server = server();
    let utf_16: Vec<u8> = Client::header("localhost").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for mark in [&b"\xff\xfe"[..], b""] {
        let mut client = Client::direct_tls(&server);
        client.try_send(&[mark, &utf_16].concat()).unwrap();
        client.expect("<stream:stream");
        client.expect("<stream:error");
        client.expect_end();
    }
    let mut client = Client::direct_tls(&server);
    client.send("<?xml version='1.0' encoding='UTF-16'?>");
    client.expect_stream_error("unsupported-encoding");
    is_well(&server);
}

// ---- getting in ---------------------------------------------------------------------------------------------------

#[test]
fn cve_2018_10847_another_host_after_the_login() {
    let server = Setup::default().domain("second.example").account("alice@second.example").start();
    let mut client = opened(&server);
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
    client.send(&Client::header("second.example"));
    client.expect_stream_error("not-authorized");
}

#[test]
fn cve_2017_10807_anonymous_although_not_offered() {
    let server = server();
    let mut client = opened(&server);
    for data in ["", "trace"] {
        client.auth("ANONYMOUS", data.as_bytes());
        client.expect_failure("invalid-mechanism");
    }
    assert_eq!(server.figure("logins"), 0);
}

#[test]
fn ejabberd_26_07_acting_as_somebody_else() {
    let server =
        Setup::default().store(Backend::Memory).options("auth.mechanisms = [\"SCRAM-SHA-1\", \"PLAIN\"]").start();
    for mechanism in ["SCRAM-SHA-1", "PLAIN"] {
        for authzid in ["bob@localhost", "admin@localhost", "localhost", "bob@localhost/x"] {
            let outcome = opened(&server).sasl(&Sasl { authzid, ..Sasl::new(mechanism, "alice", "alice-secret") });
            assert!(outcome.fits("<failure"), "{mechanism} as {authzid}: {outcome}");
        }
    }
    assert_eq!(server.figure("logins"), 0);
}

#[test]
fn cve_2011_0411_commands_behind_starttls() {
    let server = Setup::default().store(Backend::Memory).options("auth.mechanisms = [\"PLAIN\"]").start();
    let mut client = Client::connect(&server);
    client.open();
    let auth = base64(plain("", "alice", "alice-secret"));
    client.send(&format!(
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>{}\
         <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>",
        Client::header("localhost")
    ));
    client.expect_stream_error("policy-violation");
    assert_eq!(server.figure("logins") + server.figure("login_failures"), 0);
}

#[test]
fn cve_2013_6169_old_versions_and_weak_ciphers() {
    let server = server();
    // A ClientHello of SSL 3.0 with RC4, export and anonymous suites.
    let hello = b"\x16\x03\x00\x00\x31\x01\x00\x00\x2d\x03\x000123456789abcdef0123456789abcdef\x00\x00\x06\x00\x05\x00\x03\x00\x34\x01\x00";
    let mut socket = TcpStream::connect(server.direct()).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket.write_all(hello).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    is_well(&server);
}

#[test]
fn cve_2014_3451_a_certificate_that_signed_itself() {
    let server =
        Setup::default().store(Backend::Memory).options("tls.client_ca = \"{folder}/certificates/ca.pem\"").start();
    let folder = tempfile::tempdir().unwrap();
    let mut client = server.dial().certificate(&Certificates::new(folder.path()).client("alice@localhost")).direct();
    assert!(!client.open().contains("EXTERNAL"));
    client.auth("EXTERNAL", b"");
    client.expect_failure("invalid-mechanism");
}

#[test]
fn cve_2025_59154_names_in_the_subject_of_a_certificate() {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
    let server =
        Setup::default().store(Backend::Memory).options("tls.client_ca = \"{folder}/certificates/ca.pem\"").start();
    let read = |name: &str| std::fs::read_to_string(server.folder().join("certificates").join(name)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationalUnitName, "CN=alice,");
    params.distinguished_name.push(DnType::CommonName, "alice@localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let certificate_pem = params.signed_by(&key, &issuer).unwrap().pem();
    let shown = metronome_testkit::Shown { certificate_pem, key_pem: key.serialize_pem() };
    let mut client = server.dial().certificate(&shown).direct();
    assert!(!client.open().contains("EXTERNAL"));
    client.auth("EXTERNAL", b"alice@localhost");
    client.expect_failure("invalid-mechanism");
}

#[test]
fn mongooseim_6_3_1_keys_that_do_not_fit_their_password() {
    // An independent client derives its keys from the RFC's description; here they come from the crate whose vectors are tested.
    let server = server();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert!(opened(&server).sasl(&Sasl::new(mechanism, "alice", "alice-secret")).fits("<success"), "{mechanism}");
    }
}

#[test]
fn cve_2024_25421_an_account_that_is_made_again() {
    let server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<message to='bob@localhost' type='chat' id='secret'><body>for the first bob</body></message>");
    alice.expect_nothing_before_ping();
    server.control().run("user delete", json!({ "jid": "bob@localhost" }));
    server.control().add_user("bob@localhost");
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    bob.expect_nothing_before_ping();
    assert_eq!(bob.next_within(Duration::from_millis(200)), None);
}

#[test]
fn cve_2009_1595_the_password_of_somebody_else() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    for namespace in ["jabber:iq:register", "jabber:iq:auth"] {
        for to in ["", " to='localhost'", " to='bob@localhost'"] {
            alice.send(&format!(
                "<iq type='set' id='p'{to}><query xmlns='{namespace}'><username>bob</username><password>x</password></query></iq>"
            ));
            alice.expect("<iq type='error' id='p'");
        }
    }
    Client::login(&server, "bob", "desk").close();
}

// ---- falling over -------------------------------------------------------------------------------------------------

#[test]
fn cve_2017_18265_a_crash_on_the_way_to_an_error() {
    let server = server();
    let header = Client::header("localhost");
    let half = header.split_at(header.len() / 2).0.to_owned();
    // Every error, with the connection gone before it can be told.
    let wrong = [
        "</stream:stream>",
        "<a></b>",
        "<!DOCTYPE a>",
        "\u{0}",
        "<a",
        &half,
        "GET / HTTP/1.0\r\n\r\n",
        "<stream:error/>",
    ];
    for _ in 0..5 {
        for first in wrong {
            for mut client in [Client::connect(&server), Client::direct_tls(&server)] {
                client.send(first);
                client.drop_connection();
            }
            let mut client = Client::login(&server, "alice", "phone");
            client.send(first);
            client.drop_connection();
        }
    }
    is_well(&server);
}

#[test]
fn mongooseim_3_4_1_a_stanza_that_ends_the_server() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let stanzas = [
        "<iq/>",
        "<iq type='get'/>",
        "<iq type='get' id=''/>",
        "<iq type='set' id='1'/>",
        "<iq type='result'/>",
        "<iq type='error' id='x'/>",
        "<iq type='wrong' id='1'/>",
        "<iq type='get' id='1'><a/><b/></iq>",
        "<message/>",
        "<message to=''/>",
        "<message to='@'/>",
        "<message to='localhost'/>",
        "<message to='nowhere.example'><body>x</body></message>",
        "<message type='wrong' to='bob@localhost'/>",
        "<presence type='wrong'/>",
        "<presence to='localhost'/>",
        "<presence><priority>1000</priority></presence>",
        "<presence><priority>x</priority></presence>",
        "<presence type='subscribe'/>",
        "<presence type='probe' to='bob@localhost'/>",
        "<iq type='get' id='1' to='bob@localhost/x'/>",
        "<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info' node='x'/></iq>",
        "<message to='bob@localhost' xml:lang=''><body/><body xml:lang='x'/></message>",
        "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>",
    ];
    for stanza in stanzas {
        alice.send(stanza);
    }
    alice.send("<iq type='get' id='last'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.wait_for("<iq type='result' id='last'");
    is_well(&server);
}

#[test]
fn mongooseim_2444_names_that_are_kept_for_ever() {
    let server = Setup::default().store(Backend::Memory).options(UNHURRIED).start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut say_names = |from: usize, to: usize| {
        let mut names = String::new();
        for at in from..to {
            names.push_str(&format!("<n{at} xmlns='urn:n{at}' a{at}='x'/>"));
            if names.len() > 60_000 {
                alice.send(&format!("<iq type='get' id='{at}' to='n{at}@localhost'><x xmlns='urn:x'>{names}</x></iq>"));
                alice.expect("<iq type='error'");
                names.clear();
            }
        }
    };
    let mut said = 0;
    let grown = server.steady_growth(5, || {
        say_names(said, said + 25_000);
        said += 25_000;
    });
    assert!(grown < 1 << 20, "{grown} bytes more with every 25000 names");
}

#[test]
fn cve_2008_1728_a_reader_that_does_not_read() {
    let server = Setup::default().store(Backend::Memory).options(UNHURRIED).start();
    is_well(&server);
    let before = server.resident_bytes();
    let mut deaf: Vec<_> = (0..2).map(|at| Client::login(&server, "alice", &format!("r{at}"))).collect();
    let requests = "<iq type='get' id='0'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>".repeat(500);
    for client in &mut deaf {
        client.set_write_timeout(Duration::from_millis(300));
        let mut sent = 0;
        while sent < 32 << 20 && client.try_send(requests.as_bytes()).is_ok() {
            sent += requests.len();
        }
        assert!(sent < 32 << 20, "the server reads on although its answers are not read");
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    is_well(&server);
}

#[test]
fn cve_2010_0305_a_queue_that_is_too_long() {
    let server = Setup::default().options(UNHURRIED).start();
    let mut deaf = Client::login(&server, "bob", "desk");
    deaf.available();
    let mut alice = Client::login(&server, "alice", "phone");
    let before = server.resident_bytes();
    let message = "<message to='bob@localhost' type='chat'><body>x</body></message>".repeat(200);
    for _ in 0..25 {
        alice.send(&message);
        alice.expect_nothing_before_ping();
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more for 5000 messages that nobody reads");
    is_well(&server);
}
