//! Proxies in front of the web server: whose word counts for where a request comes from, and whether others on the way could read it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use metronome_host::network::any_contains;
use metronome_host::options::{Kind, Setting, Values};

use crate::websocket::Privacy;

/// Whose word counts.
pub(super) const PROXIES: Setting = Setting::new(
    "web.proxies",
    Kind::Networks,
    "[\"127.0.0.0/8\", \"::1\"]",
    "Networks of proxies in front of the web server. What they say in `X-Forwarded-For` and `X-Forwarded-Proto` is believed; nobody else's \
     word is.",
);

/// From where TLS is not needed.
pub(super) const PRIVATE: Setting = Setting::new(
    "web.private",
    Kind::Networks,
    "[]",
    "Networks from which requests without TLS count as private, so that people may log in: this machine's own, for tests. Requests \
     through a proxy are private if it says so (`X-Forwarded-Proto: https`).",
);

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) address: IpAddr,
    pub(super) privacy: Privacy,
    /// Whether a proxy has passed it on: then the TLS connection, if there is one, is that of the proxy.
    pub(super) is_passed_on: bool,
}

/// Finds out where a request comes from. `encrypted` tells whether its connection is.
pub(super) fn source(values: &Values, peer: SocketAddr, encrypted: bool, fields: &HeaderMap) -> Source {
    let proxies = values.networks(&PROXIES);
    let peer = peer.ip();
    let is_private = encrypted || any_contains(values.networks(&PRIVATE), peer);
    let of_connection = if is_private { Privacy::Private } else { Privacy::Readable };
    let names = ["x-forwarded-for", "x-forwarded-proto"];
    if !any_contains(proxies, peer) || !names.iter().any(|name| fields.contains_key(*name)) {
        return Source { address: peer, privacy: of_connection, is_passed_on: false };
    }
    let mut address = peer;
    // The last entry was written by the proxy that we know, the one before it by whoever came to that one.
    for entry in entries(fields, names[0]).iter().rev() {
        let Some(named) = entry.and_then(address_of) else { break };
        address = named.to_canonical();
        if !any_contains(proxies, address) {
            break;
        }
    }
    let schemes = entries(fields, names[1]);
    let is_https = |scheme: &Option<&str>| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let is_private = !schemes.is_empty() && schemes.iter().all(is_https);
    let privacy = if is_private { Privacy::Private } else { Privacy::Readable };
    Source { address, privacy, is_passed_on: true }
}

/// The entries of all fields with this name, in order; none for one that is no text.
fn entries<'a>(fields: &'a HeaderMap, name: &str) -> Vec<Option<&'a str>> {
    let each = fields.get_all(name).into_iter().flat_map(|field| match field.to_str() {
        Ok(text) => text.split(',').map(|entry| Some(entry.trim())).collect(),
        Err(_) => vec![None],
    });
    each.collect()
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn address_of(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse().map(|at: SocketAddr| at.ip());
    entry.trim_matches(['[', ']']).parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let private = "[\"127.0.0.1\"]";
        Values::defaults(&[&[PROXIES, PRIVATE]])
            .with(PROXIES.key, "[\"127.0.0.0/8\", \"192.0.2.0/24\"]")
            .with(PRIVATE.key, private)
    }

    fn from(peer: &str, encrypted: bool, fields: &[(&'static str, &'static str)]) -> (String, Privacy) {
        let mut all = HeaderMap::new();
        for (name, value) in fields {
            all.append(*name, value.parse().unwrap());
        }
        let source = source(&values(), SocketAddr::new(peer.parse().unwrap(), 1), encrypted, &all);
        (source.address.to_string(), source.privacy)
    }

    const FOR: &str = "x-forwarded-for";
    const PROTO: &str = "x-forwarded-proto";

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        let said = [(FOR, "203.0.113.9"), (PROTO, "https")];
        assert_eq!(from("198.51.100.1", false, &said), ("198.51.100.1".into(), Privacy::Readable));
        assert_eq!(from("198.51.100.1", true, &said), ("198.51.100.1".into(), Privacy::Private));
    }

    #[test]
    fn a_proxy_is_believed_and_what_was_told_to_it_is_not() {
        let said = [(FOR, "203.0.113.9, 198.51.100.7"), (PROTO, "https")];
        assert_eq!(from("192.0.2.1", false, &said), ("198.51.100.7".into(), Privacy::Private));
        let chain = [(FOR, "203.0.113.9, 198.51.100.7"), (FOR, "192.0.2.2"), (PROTO, "https")];
        assert_eq!(from("192.0.2.1", false, &chain), ("198.51.100.7".into(), Privacy::Private));
    }

    #[test]
    fn what_is_no_address_ends_the_chain() {
        let said = [(FOR, "203.0.113.9, unknown, 192.0.2.7")];
        assert_eq!(from("192.0.2.1", false, &said), ("192.0.2.7".into(), Privacy::Readable));
        assert_eq!(from("192.0.2.1", false, &[(FOR, "")]).0, "192.0.2.1");
    }

    #[test]
    fn addresses_come_with_ports_and_brackets() {
        for entry in ["[2001:db8::1]:443", "2001:db8::1", "[2001:db8::1]"] {
            assert_eq!(address_of(entry), Some("2001:db8::1".parse().unwrap()));
        }
        assert_eq!(address_of("198.51.100.7:99"), Some("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn a_request_through_a_proxy_is_private_only_if_every_hop_says_so() {
        assert_eq!(from("192.0.2.1", true, &[(FOR, "198.51.100.7")]).1, Privacy::Readable);
        assert_eq!(from("192.0.2.1", false, &[(PROTO, "https, http")]).1, Privacy::Readable);
        assert_eq!(from("127.0.0.1", false, &[]).1, Privacy::Private, "this machine's own");
        assert_eq!(from("127.0.0.1", false, &[(FOR, "198.51.100.7")]).1, Privacy::Readable);
    }
}
