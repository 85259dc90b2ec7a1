//! Where else a domain can be reached (RFC 6415): what browsers need (XEP-0156), in XML and in JSON, and where the administrator has named
//! addresses all that a client needs, without asking the DNS (XEP-0487).

use std::net::IpAddr;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting};
use metronome_host::outside::Service;
use metronome_host::server::Server;
use metronome_host::web;
use metronome_proto::xml::write;
use serde_json::{Map, Value, json};

use super::routes::{Needs, Route, Shared, Verb, Visit};
use super::{bosh, websocket};

/// Where clients find this server without the DNS.
pub(super) const ADDRESSES: Setting = Setting::new(
    "web.addresses",
    Kind::List,
    "[]",
    "IP addresses under which this server is reached from outside. Where there are some, `/.well-known/host-meta.json` tells clients and \
     servers all they need to connect with TLS, and they need not look further in the DNS (XEP-0487).",
)
.per_host();

pub(super) const ROUTES: &[Route] = &[at("/.well-known/host-meta", xml), at("/.well-known/host-meta.json", json_too)];

const fn at(path: &'static str, handler: fn(Visit) -> BoxFuture<'static, Response>) -> Route {
    Route { path, verbs: &[Verb::Get], needs: Needs::Domain, shared: Shared::Everybody, body_bytes_max: 0, handler }
}

const XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";
const WEBSOCKET: &str = "urn:xmpp:alt-connections:websocket";
const BOSH: &str = "urn:xmpp:alt-connections:xbosh";
const TLS: &str = "urn:xmpp:alt-connections:tls";
const S2S_TLS: &str = "urn:xmpp:alt-connections:s2s-tls";
/// For how long it may be kept, in seconds. Addresses rarely change, and if they do nobody should wait for a day.
const KEPT_S: u32 = 3600;

/// A way for browsers.
struct Link {
    rel: &'static str,
    href: String,
}

/// The ways for browsers: those that this server has, under the address by which it is known.
fn links(server: &Server, host: &Host) -> Vec<Link> {
    let Some(base) = web::base(server, host) else { return Vec::new() };
    let bosh = Link { rel: BOSH, href: format!("{base}{}", bosh::PATH) };
    // `https` becomes `wss`, and what the administrator has for tests on one machine becomes `ws`.
    let socket = base.strip_prefix("http").map(|rest| format!("ws{rest}{}", websocket::PATH));
    socket.into_iter().map(|href| Link { rel: WEBSOCKET, href }).chain([bosh]).collect()
}

fn xml(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let Some(host) = visit.host else { return StatusCode::NOT_FOUND.into_response() };
        let mut out = b"<?xml version='1.0' encoding='utf-8'?>\n<XRD".to_vec();
        write::attribute(&mut out, "xmlns", XRD);
        out.extend_from_slice(b">");
        for link in links(&visit.web.server, &host) {
            out.extend_from_slice(b"\n  <Link");
            write::attribute(&mut out, "rel", link.rel);
            write::attribute(&mut out, "href", &link.href);
            out.extend_from_slice(b"/>");
        }
        out.extend_from_slice(b"\n</XRD>\n");
        of("application/xrd+xml; charset=utf-8", out)
    })
}

fn json_too(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let Some(host) = visit.host else { return StatusCode::NOT_FOUND.into_response() };
        let document = document(&visit.web.server, &host);
        of("application/jrd+json", format!("{document:#}\n").into_bytes())
    })
}

fn of(kind: &'static str, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=3600")], body).into_response()
}

fn document(server: &Server, host: &Host) -> Value {
    let addresses = host.values.list(&ADDRESSES).iter().filter_map(|address| address.parse().ok());
    let addresses: Vec<IpAddr> = addresses.collect();
    let mut links: Vec<Value> = links(server, host)
        .into_iter()
        .map(|Link { rel, href }| {
            let name = name_in(&href).to_owned();
            let link = Map::from_iter([("rel".to_owned(), json!(rel)), ("href".to_owned(), json!(href))]);
            whole(link, 20, &name, &addresses)
        })
        .collect();
    if addresses.is_empty() {
        return json!({ "links": links });
    }
    let name = idna::domain_to_ascii(host.name.domain()).unwrap_or_default();
    let ports = server.surroundings.get().map(|outside| outside.ports()).unwrap_or_default();
    for (service, rel) in [(Service::ClientTls, TLS), (Service::ServerTls, S2S_TLS)] {
        let Some((_, at)) = ports.iter().find(|(found, _)| *found == service) else { continue };
        let link = Map::from_iter([("rel".to_owned(), json!(rel)), ("port".to_owned(), json!(at.port()))]);
        links.push(whole(link, 10, &name, &addresses));
    }
    json!({ "xmpp": { "ttl": KEPT_S }, "links": links })
}

/// A link with all that XEP-0487 demands, where there are addresses.
fn whole(mut link: Map<String, Value>, priority: u16, name: &str, addresses: &[IpAddr]) -> Value {
    if !addresses.is_empty() {
        let more = json!({ "priority": priority, "weight": 0, "sni": name, "ips": addresses });
        link.extend(more.as_object().cloned().unwrap_or_default());
    }
    Value::Object(link)
}

/// The name of the machine in an address, without its port.
fn name_in(href: &str) -> &str {
    let rest = href.split_once("://").map_or(href, |(_, rest)| rest);
    let name = rest.split('/').next().unwrap_or_default();
    name.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_for_tls_is_that_of_the_address() {
        assert_eq!(name_in("wss://chat.example.org/xmpp-websocket"), "chat.example.org");
        assert_eq!(name_in("wss://chat.example.org:5281/xmpp-websocket"), "chat.example.org");
        assert_eq!(name_in("ws://[::1]/x"), "[::1]");
    }

    #[test]
    fn a_link_for_browsers_alone_has_nothing_else_in_it() {
        let link = Map::from_iter([("rel".to_owned(), json!("x"))]);
        assert_eq!(whole(link.clone(), 1, "a", &[]), json!({ "rel": "x" }));
        let whole = whole(link, 1, "a", &["192.0.2.1".parse().unwrap()]);
        assert_eq!(whole, json!({ "rel": "x", "priority": 1, "weight": 0, "sni": "a", "ips": ["192.0.2.1"] }));
    }
}
