//! Whom a certificate is for: the domains in its alternative names (RFC 6120 section 13.7.1.2), as prepared domains.
//! For administrators, who should hear of a wrong certificate before their users do; clients judge for themselves.

use std::net::{Ipv4Addr, Ipv6Addr};

use metronome_host::certificates::{IA5, Leaf, tagged_string};
use metronome_host::hosts::Names;
use metronome_proto::jid::prepare_domain;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// id-on-dnsSRV (RFC 4985).
const SRV_NAME: &str = "1.3.6.1.5.5.7.8.7";

/// The domains of a certificate: DNS names, SRV names for clients, XMPP addresses, IP addresses.
pub(super) fn of(leaf: &CertificateDer<'_>) -> Names {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return Names::default() };
    let mut names = Vec::new();
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(alternatives) = extension.parsed_extension() {
            names.extend(alternatives.general_names.iter().filter_map(written));
        }
    }
    names.extend(Leaf::read(leaf).map(|leaf| leaf.addresses).unwrap_or_default());
    Names(names.iter().filter_map(|name| prepared(name)).collect())
}

fn written(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::OtherName(oid, value) if oid.to_id_string() == SRV_NAME => {
            tagged_string(value, IA5)?.strip_prefix("_xmpp-client.").map(str::to_owned)
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
    fn what_is_no_certificate_is_for_nobody() {
        assert!(of(&CertificateDer::from(vec![1, 2, 3])).0.is_empty());
        assert!(names(Vec::new()).is_empty());
    }
}
