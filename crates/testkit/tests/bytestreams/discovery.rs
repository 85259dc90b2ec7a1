//! Sections 3 and 4: how clients find the proxy, and what it tells them of itself.

use metronome_testkit::{Backend, Client, Party, Setup, ask};

use crate::{SERVICE, WHERE, activate, error, setup, started};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const FEATURE: &str = "<feature var='http://jabber.org/protocol/bytestreams'/>";

// XEP-0065 example 3
// XEP-0065 example 4
// XEP-0065 example 5
// XEP-0065 example 6
// XEP-0065 example 7
// XEP-0065 example 8
#[test]
fn the_proxy_is_found_and_tells_where_it_is() {
    let (server, mut alice) = started("");
    let items = ask(&mut alice, "get", "localhost", ITEMS);
    assert!(items.contains("<item jid='proxy.localhost' name='File Transfer Relay'/>"), "{items}");
    let info = ask(&mut alice, "get", SERVICE, INFO);
    assert!(info.contains("<identity category='proxy' type='bytestreams' name='File Transfer Relay'/>"), "{info}");
    assert!(info.contains(FEATURE) && !info.contains("bytestreams#udp"), "{info}");
    let told = ask(&mut alice, "get", SERVICE, WHERE);
    let port = server.socks().port();
    let place = format!("<streamhost jid='proxy.localhost' host='localhost' port='{port}'/>");
    assert!(told.contains(&place), "{told}");
}

#[test]
fn it_may_be_reached_elsewhere_and_be_called_otherwise() {
    let options = "[proxy65]\nservice = \"files.example.net\"\nhost = \"2001:db8::1\"\nport = 7625";
    let (server, mut alice) = started(options);
    let told = ask(&mut alice, "get", "files.example.net", WHERE);
    let place = "<streamhost jid='files.example.net' host='2001:db8::1' port='7625'/>";
    assert!(told.contains(place), "{told}");
    server.write_options("[proxy65]\nhost = \"relay.example.net\"");
    server.control().run("reload", serde_json::json!({}));
    let told = ask(&mut alice, "get", SERVICE, WHERE);
    assert!(told.contains(&format!("host='relay.example.net' port='{}'", server.socks().port())), "{told}");
}

// XEP-0065 example 10
#[test]
fn without_a_port_there_is_no_proxy() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(!ask(&mut alice, "get", "localhost", ITEMS).contains(SERVICE));
    assert!(!ask(&mut alice, "get", SERVICE, INFO).contains(FEATURE));
    assert_eq!(error(&ask(&mut alice, "get", SERVICE, WHERE)), "cancel not-allowed");
    assert_eq!(error(&ask(&mut alice, "set", SERVICE, &activate("s", "bob@localhost/x"))), "cancel item-not-found");
}

#[test]
fn where_no_domain_has_one_nobody_is_heard() {
    let server = setup("proxy65.service = \"\"").no_accounts().start();
    let mut party = Party::silent(server.socks());
    let _ = party.try_send(&[5, 1, 0]);
    assert!(party.ends_within(metronome_testkit::WAIT));
    server.expect_log("there is no proxy for bytestreams");
}
