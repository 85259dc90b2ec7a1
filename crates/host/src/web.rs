//! Where the web side of a domain is, as others are told: in links, in slots for uploads, in what is discovered.
//! The web server itself is in `net`, which also answers on which port it listens (`outside`).

use crate::hosts::Host;
use crate::options::{Kind, Setting};
use crate::outside::WebPort;
use crate::server::Server;

/// The address of a domain's web side.
pub const URL: Setting = Setting::new(
    "web.url",
    Kind::Text,
    "\"\"",
    "The address under which browsers and clients reach the web server for this domain, such as `\"https://chat.example.org\"`: set it \
     where a proxy is in front. Empty: `https://`, the domain, and the port of `listen.https`.",
)
.per_host();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[URL];

/// The address of the web side of this domain, without a slash at its end; none if there is none that others could use.
///
/// A listener without TLS is nothing to be told of: whoever wants that says so in [`URL`].
pub fn base(server: &Server, host: &Host) -> Option<String> {
    let url = host.values.text(&URL).trim_end_matches('/');
    if !url.is_empty() {
        return Some(url.to_owned());
    }
    let port = server.surroundings.get()?.web_ports().into_iter().find_map(|port| match port {
        WebPort::Encrypted(port) => Some(port),
        WebPort::Plain(_) => None,
    })?;
    let domain = host.name.domain();
    let domain = match domain.starts_with('[') {
        true => domain.to_owned(),
        false => idna::domain_to_ascii(domain).ok()?,
    };
    Some(match port {
        443 => format!("https://{domain}"),
        port => format!("https://{domain}:{port}"),
    })
}
