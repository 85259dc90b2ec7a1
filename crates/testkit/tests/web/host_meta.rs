//! XEP-0156 and XEP-0487: where else a domain can be reached.

use metronome_testkit::Setup;
use serde_json::{Value, json};

#[test]
fn browsers_of_all_sites_are_told_where_the_websocket_is_in_xml_and_in_json() {
    let options = "web.url = \"https://chat.example/\"";
    let server = Setup::default().web().options(options).start();
    let mut browser = server.dial_as_browser().browse();
    let xml = browser.ask("GET", "/.well-known/host-meta", "Origin: https://elsewhere.example\r\n");
    assert_eq!((xml.status, xml.field("content-type")), (200, Some("application/xrd+xml; charset=utf-8")));
    assert_eq!(xml.field("access-control-allow-origin"), Some("*"));
    let link = "<Link rel='urn:xmpp:alt-connections:websocket' href='wss://chat.example/xmpp-websocket'/>";
    assert!(xml.text().contains(link), "{}", xml.text());
    let link = "<Link rel='urn:xmpp:alt-connections:xbosh' href='https://chat.example/http-bind'/>";
    assert!(xml.text().contains(link), "{}", xml.text());
    assert!(xml.text().contains("<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>"), "{}", xml.text());
    let found = browser.ask("GET", "/.well-known/host-meta.json", "");
    assert_eq!(found.field("access-control-allow-origin"), Some("*"));
    let found: Value = serde_json::from_slice(&found.body).unwrap();
    let links = json!([
        { "rel": "urn:xmpp:alt-connections:websocket", "href": "wss://chat.example/xmpp-websocket" },
        { "rel": "urn:xmpp:alt-connections:xbosh", "href": "https://chat.example/http-bind" },
    ]);
    assert_eq!(found, json!({ "links": links }));
    let preflight = browser.ask("OPTIONS", "/.well-known/host-meta.json", "Origin: https://elsewhere.example\r\n");
    assert_eq!((preflight.status, preflight.field("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(browser.ask_host("nobody.example", "GET", "/.well-known/host-meta", "").status, 404);
}

#[test]
fn without_an_address_of_its_own_it_is_the_domain_at_the_port_with_tls() {
    let server = Setup::default().web().start();
    let found = server.dial_as_browser().browse().ask("GET", "/.well-known/host-meta.json", "");
    let found: Value = serde_json::from_slice(&found.body).unwrap();
    let href = format!("wss://localhost:{}/xmpp-websocket", server.https().port());
    assert_eq!(found["links"][0]["href"], href);
}

#[test]
fn with_its_addresses_there_is_all_that_a_client_needs() {
    let options = "web.addresses = [\"192.0.2.1\", \"2001:db8::1\"]\nweb.url = \"https://chat.example:443\"";
    let server = Setup::default().web().options(options).start();
    let found = server.dial_as_browser().browse().ask("GET", "/.well-known/host-meta.json", "");
    let found: Value = serde_json::from_slice(&found.body).unwrap();
    assert!(found["xmpp"]["ttl"].as_u64().is_some_and(|ttl| ttl <= 604_800), "{found}");
    let link = |rel: &str| {
        let rel = format!("urn:xmpp:alt-connections:{rel}");
        found["links"].as_array().unwrap().iter().find(|link| link["rel"] == *rel).cloned()
    };
    let tls = link("tls").unwrap();
    assert_eq!((&tls["port"], &tls["sni"]), (&json!(server.direct().port()), &json!("localhost")));
    let websocket = link("websocket").unwrap();
    assert_eq!(websocket["sni"], "chat.example");
    for link in [tls, websocket] {
        assert_eq!(link["ips"], json!(["192.0.2.1", "2001:db8::1"]));
        assert!(link["priority"].is_u64() && link["weight"].is_u64(), "{link}");
    }
    assert_eq!(link("s2s-tls"), None, "nobody listens there");
}
