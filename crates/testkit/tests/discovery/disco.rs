//! XEP-0030 with XEP-0128 and XEP-0157: hosts and accounts.

use metronome_testkit::{Backend, Client, Server, Setup};
use serde_json::json;

use crate::{ask, condition, guest, online, subscribe, without_sender};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

fn server(options: &str) -> Server {
    Setup::default().store(Backend::Memory).options(options).start()
}

#[test]
fn the_host_tells_what_it_is_and_what_it_can_do() {
    let server = server("disco.name = \"Us & You\"");
    let mut alice = Client::login(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "localhost", INFO);
    assert!(info.fits("<iq type='result' from='localhost' to='alice@localhost/phone'"), "{info}");
    assert!(info.contains("<identity category='server' type='im' name='Us &amp; You'/>"), "{info}");
    for feature in [
        "http://jabber.org/protocol/caps",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "jabber:iq:last",
        "jabber:iq:private",
        "jabber:iq:roster",
        "jabber:iq:version",
        "msgoffline",
        "urn:xmpp:jidprep:1",
        "urn:xmpp:ping",
        "urn:xmpp:sic:1",
        "urn:xmpp:time",
        "vcard-temp",
    ] {
        assert_eq!(info.matches(&format!("<feature var='{feature}'/>")).count(), 1, "{feature}: {info}");
    }
    assert!(!info.contains("jabber:x:data"), "there is no form without addresses: {info}");
}

#[test]
fn every_feature_of_the_host_is_one_that_answers() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "localhost", INFO);
    for (feature, request) in [
        ("jabber:iq:version", "<query xmlns='jabber:iq:version'/>"),
        ("jabber:iq:last", "<query xmlns='jabber:iq:last'/>"),
        ("urn:xmpp:time", "<time xmlns='urn:xmpp:time'/>"),
        ("urn:xmpp:ping", "<ping xmlns='urn:xmpp:ping'/>"),
        ("urn:xmpp:sic:1", "<address xmlns='urn:xmpp:sic:1'/>"),
        ("http://jabber.org/protocol/disco#items", ITEMS),
    ] {
        assert!(info.contains(&format!("var='{feature}'")), "{feature}");
        let answer = ask(&mut alice, "get", "localhost", request);
        assert!(answer.fits("<iq type='result'"), "{answer}");
    }
}

#[test]
fn each_domain_tells_its_own() {
    let setup = Setup::default().store(Backend::Memory).domain("example.net");
    let server = setup
        .options("[host.\"example.net\"]\ndisco = { name = \"The other\", items = [\"rooms.example.net\"] }")
        .start();
    let mut alice = Client::login(&server, "alice", "phone");
    let info = |alice: &mut Client, host: &str| ask(alice, "get", host, INFO).attribute_of("identity", "name").unwrap();
    assert_eq!(info(&mut alice, "localhost"), "Metronome");
    assert_eq!(info(&mut alice, "example.net"), "The other");
    assert!(!ask(&mut alice, "get", "localhost", ITEMS).contains("example.net"));
    assert!(ask(&mut alice, "get", "example.net", ITEMS).contains("<item jid='rooms.example.net'/>"));
}

#[test]
fn contact_addresses_are_told_in_a_form() {
    let server = server(
        "contact = { abuse = [\"mailto:abuse@localhost\", \"xmpp:abuse@localhost\"], support = [\"https://help.localhost\"] }",
    );
    let mut alice = Client::login(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "localhost", INFO);
    assert!(
        info.contains(
            "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
             <value>http://jabber.org/network/serverinfo</value></field>\
             <field var='abuse-addresses'><value>mailto:abuse@localhost</value><value>xmpp:abuse@localhost</value></field>\
             <field var='support-addresses'><value>https://help.localhost</value></field></x>"
        ),
        "{info}"
    );
    server.write_options("contact.admin = [\"mailto:root@localhost\"]");
    server.control().run("reload", json!({}));
    let info = ask(&mut alice, "get", "localhost", INFO);
    assert!(info.contains("<field var='admin-addresses'><value>mailto:root@localhost</value></field></x>"), "{info}");
    assert!(!info.contains("abuse"), "{info}");
}

#[test]
fn an_address_that_is_no_uri_is_refused_with_its_place() {
    let server = server("");
    for (wrong, said) in [
        ("contact.admin = [\"root@localhost\"]", "`root@localhost` is not a URI"),
        ("disco.items = [\"@\"]", "`@` is not an address"),
    ] {
        server.write_options(wrong);
        let reply = server.control().ask("reload", json!({}));
        assert_eq!(reply["exit"], 1, "{reply}");
        assert!(reply["message"].as_str().unwrap().contains(said), "{reply}");
    }
}

#[test]
fn items_of_the_host_are_those_of_the_configuration() {
    let server = server("disco.items = [\"rooms.example.org = Rooms <here>\", \"files.example.org\"]");
    let mut alice = Client::login(&server, "alice", "phone");
    let items = ask(&mut alice, "get", "localhost", ITEMS);
    assert!(
        items.contains(
            "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='rooms.localhost' name='Rooms'/>\
             <item jid='pubsub.localhost' name='Publish-Subscribe'/>\
             <item jid='rooms.example.org' name='Rooms &lt;here&gt;'/>\
             <item jid='files.example.org'/></query>"
        ),
        "{items}"
    );
}

#[test]
fn nodes_that_do_not_exist_are_not_found_at_hosts_and_at_the_own_account() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    for what in ["info", "items"] {
        for to in ["localhost", "", "alice@localhost"] {
            let query =
                format!("<query xmlns='http://jabber.org/protocol/disco#{what}' node='no&#9;such &lt;node&gt;'/>");
            assert_eq!(condition(&ask(&mut alice, "get", to, &query)), "item-not-found", "{what} at {to:?}");
        }
    }
    let set = ask(&mut alice, "set", "localhost", INFO);
    assert_eq!(condition(&set), "service-unavailable", "there is nothing to set");
}

#[test]
fn an_account_tells_its_owner_what_it_is_and_where_it_is_available() {
    let server = server("");
    server.control().run("user role", json!({ "jid": "carol@localhost", "role": "admin" }));
    let mut alice = online(&server, "alice", "phone");
    let _quiet = Client::login(&server, "alice", "quiet");
    for to in ["", "alice@localhost"] {
        let info = ask(&mut alice, "get", to, INFO);
        assert!(info.fits("<iq type='result' from='alice@localhost'"), "{info}");
        assert!(info.contains("<identity category='account' type='registered'/>"), "{info}");
        assert!(info.contains("<feature var='vcard-temp'/>"), "{info}");
    }
    let items = ask(&mut alice, "get", "", ITEMS);
    assert!(items.contains("<item jid='alice@localhost/phone'/></query>"), "only what is available: {items}");
    let mut carol = Client::login(&server, "carol", "phone");
    assert!(ask(&mut carol, "get", "", INFO).contains("<identity category='account' type='admin'/>"));
}

#[test]
fn a_guest_is_anonymous() {
    let server = server("auth.mechanisms = [\"ANONYMOUS\"]");
    let mut guest = guest(&server);
    let info = ask(&mut guest, "get", "", INFO);
    assert!(info.contains("<identity category='account' type='anonymous'/>"), "{info}");
}

#[test]
fn an_account_tells_its_contacts_what_it_is_and_strangers_nothing() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let absent = ask(&mut alice, "get", "nobody@localhost", INFO);
    let stranger = ask(&mut alice, "get", "bob@localhost", INFO);
    assert_eq!(condition(&stranger), "service-unavailable");
    assert_eq!(without_sender(&stranger), without_sender(&absent));

    subscribe(&mut alice, &mut bob);
    let info = ask(&mut alice, "get", "bob@localhost", INFO);
    assert!(info.fits("<iq type='result' from='bob@localhost'"), "{info}");
    assert!(info.contains("<identity category='account' type='registered'/>"), "{info}");
    let items = ask(&mut alice, "get", "bob@localhost", ITEMS);
    assert!(items.contains("<item jid='bob@localhost/desk'/></query>"), "{items}");
    let node = "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>";
    assert_eq!(condition(&ask(&mut alice, "get", "bob@localhost", node)), "item-not-found");
    // It goes one way only.
    assert_eq!(condition(&ask(&mut bob, "get", "alice@localhost", INFO)), "service-unavailable");
}

/// XEP-0030 section 8: an empty list rather than an error, with or without a node.
#[test]
fn strangers_and_accounts_that_do_not_exist_have_no_items() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let _bob = online(&server, "bob", "desk");
    server.control().run("user disable", json!({ "jid": "carol@localhost" }));
    for node in ["", " node='x'"] {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'{node}/>");
        let answers = ["bob", "carol", "nobody"].map(|name| {
            let answer = ask(&mut alice, "get", &format!("{name}@localhost"), &query);
            assert!(answer.fits("<iq type='result'") && answer.contains(&query), "{answer}");
            without_sender(&answer)
        });
        assert!(answers[0] == answers[1] && answers[1] == answers[2], "{answers:?}");
    }
}
