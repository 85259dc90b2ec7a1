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
     where a proxy is in front. Empty: `https://`, the domain, and the port: 443 if `listen.https` or `listen.multi` have it, otherwise the first \
     of the one or the other.",
)
.per_host();

/// Whether people of a domain can chat in a browser.
pub const CLIENT: Setting = Setting::new(
    "web.client",
    Kind::Choice(&["converse", "off"]),
    "\"converse\"",
    "The chat program that browsers get at `/chat/`, if `web.client_files` says where it is: Converse.js, or none.",
)
.per_host();

/// Where the chat program is.
pub const CLIENT_FILES: Setting = Setting::new(
    "web.client_files",
    Kind::Path,
    "\"\"",
    "The folder with the files of the chat page, as `scripts/chat-page` unpacks them. Empty: there is no chat page.",
)
.at_restart();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[URL, CLIENT, CLIENT_FILES];

/// Where the chat page of a domain is.
pub const CHAT_PATH: &str = "/chat/";

/// Whether people of this domain can chat in a browser.
pub fn has_chat(host: &Host) -> bool {
    host.values.text(&CLIENT) != "off" && host.values.path(&CLIENT_FILES).is_some()
}

/// The address of the chat page of this domain, if there is one.
pub fn chat(server: &Server, host: &Host) -> Option<String> {
    let base = base(server, host).filter(|_| has_chat(host))?;
    Some(format!("{base}{CHAT_PATH}"))
}

/// The address of the web side of this domain, without a slash at its end; none if there is none that others could use.
///
/// A listener without TLS is nothing to be told of: whoever wants that says so in [`URL`].
pub fn base(server: &Server, host: &Host) -> Option<String> {
    let url = host.values.text(&URL).trim_end_matches('/');
    if !url.is_empty() {
        return Some(url.to_owned());
    }
    let ports = server.surroundings.get()?.web_ports().into_iter().filter_map(|port| match port {
        WebPort::Encrypted(port) => Some(port),
        WebPort::Plain(_) => None,
    });
    // The first of them, unless one need not be named at all.
    let port = ports.min_by_key(|port| *port != 443)?;
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
