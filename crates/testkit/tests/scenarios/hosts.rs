//! Addresses, domains and their certificates: several of each, chosen by name, and swapped while the server runs.

use metronome_testkit::{Backend, Client, Server, Setup, WAIT};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// The certificate that lies in the domain's file, in DER.
fn on_disk(server: &Server, domain: &str) -> Vec<u8> {
    CertificateDer::from_pem_file(server.certificates().files(domain).0).unwrap().to_vec()
}

fn shown(server: &Server, domain: &str) -> Vec<u8> {
    server.dial().domain(domain).direct().server_certificate()
}

#[test]
fn several_addresses_and_ipv6_are_listened_on() {
    let server = Setup::default().store(Backend::Memory).addresses(&["127.0.0.1", "127.0.0.3", "::1"]).start();
    for address in ["127.0.0.1", "127.0.0.3", "::1"] {
        let dial = server.dial().to(address);
        let mut direct = dial.direct();
        direct.log_in("alice", "direct");
        let mut starttls = dial.starttls();
        starttls.log_in("alice", "starttls");
        starttls.expect_nothing_before_ping();
    }
    assert!(server.dial().to("127.0.0.4").try_clear().is_err());
}

#[test]
fn the_same_port_over_ipv6_takes_ipv4_too() {
    let server = Setup::default().store(Backend::Memory).addresses(&["::"]).start();
    for address in ["127.0.0.1", "::1"] {
        server.dial().to(address).direct().log_in("alice", "phone");
    }
}

#[test]
fn a_taken_port_is_told_with_its_address() {
    let server = Setup::default().store(Backend::Memory).start();
    let config = server.folder().join("metronome.toml");
    let second = std::process::Command::new(format!("/proc/{}/exe", server.pid()))
        .arg("--config")
        .arg(config)
        .env("METRONOME_CONTROL__SOCKET", server.folder().join("second.sock"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains(&format!("cannot listen on {}", server.clear())), "{said}");
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
}

#[test]
fn each_domain_shows_its_own_certificate() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    for domain in ["localhost", "second.example"] {
        assert_eq!(shown(&server, domain), on_disk(&server, domain));
        // With STARTTLS the stream header chooses.
        assert_eq!(server.dial().domain(domain).starttls().server_certificate(), on_disk(&server, domain));
    }
    assert_ne!(on_disk(&server, "localhost"), on_disk(&server, "second.example"));
    // The name in TLS is not case-sensitive.
    let mut dave = server.dial().domain("second.example").server_name("SECOND.example").direct();
    dave.log_in("dave", "phone");
    assert_eq!(dave.jid(), "dave@second.example/phone");
}

#[test]
fn an_account_of_one_domain_is_none_of_another() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    let mut client = server.dial().domain("second.example").direct();
    client.open();
    let alice = metronome_testkit::Sasl::new("SCRAM-SHA-256", "alice", "alice-secret");
    assert!(client.sasl(&alice).fits("<failure><not-authorized"));
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_sessions_stay() {
    let server = Setup::default().store(Backend::Memory).domain("second.example").start();
    let mut session = Client::login(&server, "alice", "phone");
    let (before, other) = (shown(&server, "localhost"), shown(&server, "second.example"));
    let from = server.log().len();
    server.certificates().issue("localhost");
    let now = on_disk(&server, "localhost");
    assert_ne!(before, now);
    // Nobody tells the server: it watches its files.
    let mut from = from;
    while shown(&server, "localhost") != now {
        let read = server.log().wait_for(from, "certificates were read again", WAIT);
        assert!(read.is_some(), "{}", server.log().tail(10));
        from = server.log().len();
    }
    assert_eq!(shown(&server, "second.example"), other);
    session.expect_nothing_before_ping();
}

#[test]
fn a_bad_new_pair_keeps_the_old_one_and_says_so() {
    let server = Setup::default().store(Backend::Memory).start();
    let before = shown(&server, "localhost");
    let (certificate, key) = server.certificates().files("localhost");
    let (good_certificate, good_key) = (std::fs::read(&certificate).unwrap(), std::fs::read(&key).unwrap());
    let foreign_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (new_certificate, new_key) in
        [(&b"nonsense"[..], &good_key[..]), (&good_certificate, foreign_key.as_bytes()), (b"", b"")]
    {
        let from = server.log().len();
        std::fs::write(&certificate, new_certificate).unwrap();
        std::fs::write(&key, new_key).unwrap();
        let said = server.log().wait_for(from, "the new certificate is not used; the old one stays", WAIT);
        assert!(
            said.is_some_and(|line| line.contains("ERROR") && line.contains("localhost")),
            "{}",
            server.log().tail(10)
        );
        assert_eq!(shown(&server, "localhost"), before);
    }
    // And the way back needs no restart either.
    let from = server.log().len();
    std::fs::write(&certificate, good_certificate).unwrap();
    std::fs::write(&key, good_key).unwrap();
    assert!(server.log().wait_for(from, "certificates were read again", WAIT).is_some());
    assert_eq!(shown(&server, "localhost"), before);
}
