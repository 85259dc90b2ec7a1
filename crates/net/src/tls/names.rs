//! Whom a certificate is for: the domains in its alternative names (RFC 6120 section 13.7.1.2, RFC 9525), as prepared domains.
//! Our own are looked at for administrators, who should hear of a wrong one before their users do; another server's tell which domains
//! it may speak for.

use std::net::{Ipv4Addr, Ipv6Addr};

use metronome_host::certificates::{IA5, Leaf, tagged_string};
use metronome_host::hosts::Names;
use metronome_proto::jid::prepare_domain;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// id-on-dnsSRV (RFC 4985).
const SRV_NAME: &str = "1.3.6.1.5.5.7.8.7";

/// Most names of another server's certificate that are looked at.
const NAMES_MAX: usize = 256;

/// The domains of a certificate of ours: DNS names, SRV names for clients, XMPP addresses, IP addresses.
pub(super) fn of(leaf: &CertificateDer<'_>) -> Names {
    read(leaf, |name| written(name, "_xmpp-client."))
}

/// The domains that another server's certificate is for: DNS names, SRV names for servers, XMPP addresses that are domains. Not its
/// addresses: nobody federates by number. No common name counts (RFC 9525 section 2).
pub(crate) fn of_server(leaf: &CertificateDer<'_>) -> Names {
    read(leaf, |name| match name {
        GeneralName::IPAddress(_) => None,
        name => written(name, "_xmpp-server."),
    })
}

fn read(leaf: &CertificateDer<'_>, written: impl Fn(&GeneralName<'_>) -> Option<String>) -> Names {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return Names::default() };
    let mut names = Vec::new();
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() {
            let written = alternatives.general_names.iter().filter_map(&written);
            names.extend(written.filter_map(|name| prepared(&name)).take(NAMES_MAX));
        }
    }
    // No star in these: it would be a name of its own.
    let addresses = Leaf::read(leaf).map(|leaf| leaf.addresses).unwrap_or_default();
    names.extend(addresses.iter().take(NAMES_MAX).filter_map(|name| Some(prepare_domain(name).ok()?.into())));
    Names(names)
}

/// A name as text, SRV names if they are of this service.
fn written(name: &GeneralName<'_>, service: &str) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::OtherName(oid, value) if oid.to_id_string() == SRV_NAME => {
            tagged_string(value, IA5)?.strip_prefix(service).map(str::to_owned)
        }
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| format!("[{}]", Ipv6Addr::from(bytes))),
            _ => None,
        },
        _ => None,
    }
}

fn prepared(name: &str) -> Option<Box<str>> {
    let (star, domain) = match name.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", name),
    };
    prepare_domain(domain).ok().map(|domain| format!("{star}{domain}").into())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, OtherNameValue, SanType};

    use super::*;

    fn names(alternatives: Vec<SanType>) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = alternatives;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        of(certificate.der()).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_prepared_like_domains() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let address = (vec![1, 3, 6, 1, 5, 5, 7, 8, 5], OtherNameValue::Utf8String("Chat.example".to_owned()));
        let found = names(vec![
            dns("Example.ORG"),
            dns("*.example.org"),
            dns("xn--mller-kva.example"),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::IpAddress("2001:db8::1".parse().unwrap()),
            SanType::OtherName(address),
            dns("no domain"),
        ]);
        let expected =
            ["example.org", "*.example.org", "m\u{fc}ller.example", "192.0.2.1", "[2001:db8::1]", "chat.example"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_server_is_known_by_its_names_and_not_by_its_number() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "common.example");
        params.subject_alt_names = vec![
            dns("*.example.org"),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::OtherName((
                vec![1, 3, 6, 1, 5, 5, 7, 8, 5],
                OtherNameValue::Utf8String("*.chat.example".to_owned()),
            )),
            SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], OtherNameValue::Utf8String("im.example".to_owned()))),
        ];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let found: Vec<_> = of_server(certificate.der()).0.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["*.example.org", "im.example"]);
    }

    #[test]
    fn srv_names_count_for_their_own_service_only() {
        use x509_parser::der_parser::oid::Oid;
        let oid = Oid::from(&[1, 3, 6, 1, 5, 5, 7, 8, 7]).unwrap();
        let value = [&[0xa0, 27, 0x16, 25][..], b"_xmpp-server.im.example.o"].concat();
        let name = GeneralName::OtherName(oid, &value);
        assert_eq!(written(&name, "_xmpp-server.").as_deref(), Some("im.example.o"));
        assert_eq!(written(&name, "_xmpp-client."), None);
    }

    #[test]
    fn what_is_no_certificate_is_for_nobody() {
        assert!(of(&CertificateDer::from(vec![1, 2, 3])).0.is_empty());
        assert!(names(Vec::new()).is_empty());
    }
}
