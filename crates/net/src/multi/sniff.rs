//! What the first bytes of a connection tell: a TLS handshake with the protocols in it (RFC 7301), the header of a stream with its namespace,
//! a request of HTTP, or the version of SOCKS. Without I/O: it is given bytes as they come, and says when they are enough.

use metronome_proto::ns;
use metronome_proto::xml::{Item, Limits, Scanner};
use rustls::server::Acceptor;

/// The first byte of a TLS handshake (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;
/// The first byte of SOCKS5 (RFC 1928 section 3).
const SOCKS: u8 = 5;
/// Most bytes of a hello that are looked at: all of one record.
const HELLO_BYTES_MAX: usize = 16 * 1024;
/// Most bytes up to the end of a stream header.
const HEADER_BYTES_MAX: usize = 4 * 1024;

/// Whom a connection is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guest {
    /// A client, and whoever begins like one and has to be told what is wrong.
    Client,
    /// Another server.
    Server,
    /// What speaks HTTP.
    Browser,
    /// A party of a bytestream; in clear text only, since nothing would tell it to encrypt.
    Party,
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It speaks in clear text.
    Speaks(Guest),
    /// It begins with TLS, and says for what, or does not.
    Encrypts(Option<Guest>),
    /// Nobody whom this port is for.
    Stranger,
}

/// Judges bytes.
pub(super) struct Sniffer {
    seen: usize,
    stage: Stage,
}

enum Stage {
    /// Before the first byte, outside of TLS.
    Begin,
    /// The same inside.
    Inside,
    Hello(Box<Acceptor>),
    Header(Box<Scanner>),
}

impl Sniffer {
    /// For a connection of which nothing is known.
    pub(super) fn new() -> Sniffer {
        Sniffer { seen: 0, stage: Stage::Begin }
    }

    /// For one inside of TLS.
    pub(super) fn inside_tls() -> Sniffer {
        Sniffer { seen: 0, stage: Stage::Inside }
    }

    /// How many bytes were judged.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// Judges the bytes that have come since the last time; none while they do not tell enough.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<Found> {
        let first = *bytes.first()?;
        self.seen += bytes.len();
        self.stage = match (std::mem::replace(&mut self.stage, Stage::Inside), first) {
            (Stage::Begin, HANDSHAKE) => Stage::Hello(Box::default()),
            (Stage::Begin, SOCKS) => return Some(Found::Speaks(Guest::Party)),
            (Stage::Begin | Stage::Inside, b'<') => Stage::Header(Box::new(Scanner::new(Limits::BEFORE_AUTH))),
            // The name of a method (RFC 9110 section 9.1): all that are in use are in capitals.
            (Stage::Begin | Stage::Inside, b'A'..=b'Z') => return Some(Found::Speaks(Guest::Browser)),
            (Stage::Begin | Stage::Inside, _) => return Some(Found::Stranger),
            (stage, _) => stage,
        };
        match &mut self.stage {
            Stage::Hello(acceptor) => hello(acceptor, bytes, self.seen).map(Found::Encrypts),
            Stage::Header(scanner) => header(scanner, bytes, self.seen).map(Found::Speaks),
            Stage::Begin | Stage::Inside => None,
        }
    }
}

/// What a handshake is for. Whoever offers nothing of ours, or no hello at all, is a client that is to be told so.
fn hello(acceptor: &mut Acceptor, mut bytes: &[u8], seen: usize) -> Option<Option<Guest>> {
    while !bytes.is_empty() {
        if acceptor.read_tls(&mut bytes).is_err() {
            return Some(Some(Guest::Client));
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let offered = hello.alpn().map(|mut protocols| protocols.find_map(of_protocol));
                return Some(offered.map(|guest| guest.unwrap_or(Guest::Client)));
            }
            Err(_) => return Some(Some(Guest::Client)),
        }
    }
    (seen >= HELLO_BYTES_MAX).then_some(Some(Guest::Client))
}

fn of_protocol(protocol: &[u8]) -> Option<Guest> {
    match protocol {
        b"xmpp-client" => Some(Guest::Client),
        b"xmpp-server" => Some(Guest::Server),
        b"http/1.1" => Some(Guest::Browser),
        _ => None,
    }
}

/// Whose stream begins. One that is wrong, or does not say, is a client's that is to be told so.
fn header(scanner: &mut Scanner, mut bytes: &[u8], seen: usize) -> Option<Guest> {
    match scanner.next(&mut bytes) {
        Ok(None) if seen < HEADER_BYTES_MAX => None,
        Ok(Some(Item::Open(header))) if header.default_ns.as_deref() == Some(ns::SERVER) => Some(Guest::Server),
        Ok(_) | Err(_) => Some(Guest::Client),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::crypto::aws_lc_rs;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// The hello of a client that offers these protocols.
    fn hello(protocols: &[&str]) -> Vec<u8> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let mut connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    fn stream(namespace: &str) -> String {
        format!(
            "<?xml version='1.0'?><stream:stream to='a>b' xmlns:stream='http://etherx.jabber.org/streams' xmlns='{namespace}' id='&gt;'>"
        )
    }

    /// What is found, and that it is the same however the bytes come, and not before they are enough.
    fn found(bytes: &[u8]) -> Option<Found> {
        let at_once = Sniffer::new().take(bytes);
        let mut sniffer = Sniffer::new();
        let one_by_one = bytes.iter().find_map(|byte| sniffer.take(&[*byte]));
        assert_eq!(at_once, one_by_one);
        at_once
    }

    #[test]
    fn a_handshake_says_by_its_protocols_whom_it_is_from() {
        let guests = [("xmpp-client", Guest::Client), ("xmpp-server", Guest::Server), ("http/1.1", Guest::Browser)];
        for (protocol, guest) in guests {
            assert_eq!(found(&hello(&[protocol])), Some(Found::Encrypts(Some(guest))), "{protocol}");
            assert_eq!(found(&hello(&["h2", protocol])), Some(Found::Encrypts(Some(guest))), "{protocol}");
        }
        assert_eq!(found(&hello(&[])), Some(Found::Encrypts(None)));
        assert_eq!(found(&hello(&["h2", "imap"])), Some(Found::Encrypts(Some(Guest::Client))));
        let whole = hello(&[]);
        assert_eq!(found(&whole[..whole.len() - 1]), None);
    }

    #[test]
    fn a_stream_says_by_its_namespace_whom_it_is_from() {
        assert_eq!(found(stream("jabber:client").as_bytes()), Some(Found::Speaks(Guest::Client)));
        assert_eq!(found(stream("jabber:server").as_bytes()), Some(Found::Speaks(Guest::Server)));
        assert_eq!(found(stream("jabber:component:accept").as_bytes()), Some(Found::Speaks(Guest::Client)));
        let header = stream("jabber:client");
        assert_eq!(found(&header.as_bytes()[..header.len() - 1]), None);
        // What is said elsewhere in a header is not its namespace.
        let claims = stream("jabber:client").replace("id='&gt;'", "id='xmlns=\"jabber:server\"'");
        assert_eq!(found(claims.as_bytes()), Some(Found::Speaks(Guest::Client)));
    }

    #[test]
    fn a_request_begins_with_a_capital_letter() {
        for request in ["GET / HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "P"] {
            assert_eq!(found(request.as_bytes()), Some(Found::Speaks(Guest::Browser)), "{request}");
        }
    }

    #[test]
    fn strangers_are_known_by_their_first_byte() {
        for bytes in [&b"\x04\x01\x00"[..], b"\0", b" <stream", b"\xef\xbb\xbf<", b"get / http/1.1", b"\x15\x03\x01"] {
            assert_eq!(found(bytes), Some(Found::Stranger), "{bytes:?}");
        }
        let mut inside = Sniffer::inside_tls();
        assert_eq!(inside.take(&hello(&[])), Some(Found::Stranger), "TLS within TLS");
        assert_eq!(Sniffer::inside_tls().take(&[SOCKS, 1, 0]), Some(Found::Stranger));
    }

    #[test]
    fn a_party_of_a_bytestream_is_known_by_the_version_of_socks() {
        assert_eq!(found(&[SOCKS, 1, 0]), Some(Found::Speaks(Guest::Party)));
    }

    #[test]
    fn nobody_is_looked_at_without_end() {
        let endless = format!("<stream:stream a='{}", "x".repeat(HEADER_BYTES_MAX));
        assert_eq!(found(endless.as_bytes()), Some(Found::Speaks(Guest::Client)));
        // A handshake whose first message says that it is very long.
        let record: Vec<u8> = [&[HANDSHAKE, 3, 1, 0x3f, 0xff, 1, 0, 0x7f, 0xff][..], &[0; 0x3ffb]].concat();
        let endless = [&record[..], &record[..]].concat();
        assert_eq!(found(&endless), Some(Found::Encrypts(Some(Guest::Client))));
        assert_eq!(found(b"<?php ?>"), Some(Found::Speaks(Guest::Client)));
        assert_eq!(found(&[HANDSHAKE, 0xff, 0xff, 0xff, 0xff, 0xff]), Some(Found::Encrypts(Some(Guest::Client))));
    }
}
