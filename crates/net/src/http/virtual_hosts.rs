//! Which domain a request is for: by its `Host`, by a name that a domain has besides, or by the one for all others.

use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};
use metronome_host::hosts::{Host, Hosts};
use metronome_host::options::{Kind, Setting};
use metronome_proto::jid::prepare_domain;

/// Other names of a domain.
pub(super) const ALIASES: Setting = Setting::new(
    "web.aliases",
    Kind::Domains,
    "[]",
    "Other names under which the web server is reached for this domain, such as `www.example.org`.",
)
.per_host();

/// The domain for all others.
pub(super) const DEFAULT: Setting = Setting::new(
    "web.default_host",
    Kind::Text,
    "\"\"",
    "The domain that answers to requests for names that are nobody's, such as the bare address of the machine. Empty: they find nothing.",
);

/// The name that a request is for, without its port; fails where there is none or more than one (RFC 9112 section 3.2).
pub(super) fn asked_for<'a>(uri: &'a Uri, fields: &'a HeaderMap) -> Result<&'a str, &'static str> {
    let mut all = fields.get_all(header::HOST).into_iter();
    let field = match (all.next(), all.next()) {
        (Some(field), None) => field.to_str().map_err(|_| "a Host that is no name")?,
        (None, _) => return Err("no Host"),
        (Some(_), Some(_)) => return Err("more than one Host"),
    };
    Ok(without_port(uri.host().unwrap_or(field)))
}

fn without_port(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

/// The domain or service of this name, or the one for names that are nobody's.
pub(super) fn find(hosts: &Hosts, name: &str) -> Option<Arc<Host>> {
    named(hosts, name).or_else(|| hosts.answering(hosts.values.text(&DEFAULT))).cloned()
}

/// The domain or service of this name.
pub(super) fn named<'a>(hosts: &'a Hosts, name: &str) -> Option<&'a Arc<Host>> {
    let name = prepare_domain(name).ok()?;
    let alias = || hosts.iter().find(|host| host.values.list(&ALIASES).iter().any(|alias| *alias == *name));
    hosts.answering(&name).or_else(alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_without_its_port() {
        for (field, name) in [
            ("example.org", "example.org"),
            ("example.org:5280", "example.org"),
            ("[::1]", "[::1]"),
            ("[::1]:5280", "[::1]"),
            ("example.org:x", "example.org:x"),
        ] {
            assert_eq!(without_port(field), name);
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let fields = |hosts: &[&'static str]| {
            let each = hosts.iter().map(|host| (header::HOST, host.parse().unwrap()));
            let mut fields = HeaderMap::new();
            each.for_each(|(name, value)| _ = fields.append(name, value));
            fields
        };
        let (plain, whole): (Uri, Uri) = ("/".parse().unwrap(), "http://b.example:1/".parse().unwrap());
        assert_eq!(asked_for(&plain, &fields(&["a.example:1"])), Ok("a.example"));
        assert_eq!(asked_for(&whole, &fields(&["a.example"])), Ok("b.example"));
        assert!(asked_for(&plain, &fields(&[])).is_err());
        assert!(asked_for(&whole, &fields(&[])).is_err());
        assert!(asked_for(&plain, &fields(&["a.example", "b.example"])).is_err());
    }
}
