//! The service as a domain of its own: found, reached from everywhere, and there for nobody's account.

use metronome_testkit::{Backend, Client, Component, Server, Setup, World, ask, condition, online};
use serde_json::{Value, json};

use crate::{SERVICE, server};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";

/// `host origin state` of each line, without the services for rooms, files and transfers, which come with the domains in the same way.
fn list(server: &Server) -> Vec<String> {
    let list = server.control().run("host list", json!({}));
    let row = |row: &Value| format!("{} {} {}", row["host"], row["origin"], row["state"]).replace('"', "");
    list.as_array()
        .unwrap()
        .iter()
        .map(row)
        .filter(|line| !["proxy.", "rooms.", "upload."].iter().any(|other| line.starts_with(other)))
        .collect()
}

#[track_caller]
fn refused(server: &Server, command: &str, name: &str, why: &str) {
    let reply = server.control().ask(command, json!({ "name": name }));
    assert_eq!(reply["exit"], 1, "{reply}");
    assert!(reply["message"].as_str().unwrap().contains(why), "{reply}");
}

#[track_caller]
fn reload(server: &Server, options: &str) -> Value {
    server.write_options(options);
    server.control().ask("reload", json!({}))
}

// XEP-0060 example 7
// XEP-0060 example 8
#[test]
fn a_domain_lists_its_service_which_tells_what_it_is() {
    let server = server("");
    let mut alice = Client::login(&server, "alice", "phone");
    let items = ask(&mut alice, "get", "localhost", ITEMS);
    assert!(items.contains(&format!("<item jid='{SERVICE}' name='Publish-Subscribe'/>")), "{items}");
    let info = ask(&mut alice, "get", SERVICE, INFO);
    assert!(info.fits(&format!("<iq type='result' from='{SERVICE}'")), "{info}");
    assert!(info.contains("<identity category='pubsub' type='service' name='Publish-Subscribe'/>"), "{info}");
    for feature in ["http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "urn:xmpp:time", "jabber:iq:version"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
    for of_accounts in
        ["category='server'", "jabber:iq:roster", "jabber:iq:register", "urn:xmpp:blocking", "msgoffline"]
    {
        assert!(!info.contains(of_accounts), "{of_accounts}: {info}");
    }
}

// XEP-0248 example 1
// XEP-0248 example 2
// XEP-0060 example 54
#[test]
fn every_feature_of_the_service_is_one_that_answers() {
    let server = server("");
    let mut alice = Client::login(&server, "alice", "phone");
    for request in [
        "<query xmlns='jabber:iq:version'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<time xmlns='urn:xmpp:time'/>",
        "<ping xmlns='urn:xmpp:ping'/>",
        INFO,
        ITEMS,
    ] {
        let answer = ask(&mut alice, "get", SERVICE, request);
        assert!(answer.fits(&format!("<iq type='result' from='{SERVICE}'")), "{answer}");
    }
}

#[test]
fn what_is_for_accounts_is_not_answered_by_the_service() {
    let server = server("registration.open = true");
    let mut alice = online(&server, "alice", "phone");
    for (kind, request) in [
        ("get", "<query xmlns='jabber:iq:register'/>"),
        ("get", "<query xmlns='jabber:iq:roster'/>"),
        ("get", "<vCard xmlns='vcard-temp'/>"),
        ("set", "<nonsense xmlns='urn:example:none'/>"),
    ] {
        assert_eq!(condition(&ask(&mut alice, kind, SERVICE, request)), "service-unavailable", "{request}");
    }
    for address in [format!("somebody@{SERVICE}"), format!("somebody@{SERVICE}/x")] {
        assert_eq!(condition(&ask(&mut alice, "get", &address, INFO)), "service-unavailable", "{address}");
        alice.send(&format!("<message to='{address}' type='chat' id='m'><body>hello</body></message>"));
        assert_eq!(condition(&alice.expect("<message id='m'")), "service-unavailable", "{address}");
    }
    alice.send(&format!("<presence to='{SERVICE}'/>"));
    alice.expect_nothing_before_ping();
}

#[test]
fn nobody_logs_in_at_a_service() {
    let server = server("registration.open = true");
    let dial = server.dial().domain(SERVICE);
    for mut client in [dial.clear(), dial.server_name("localhost").direct()] {
        client.send(&Client::header(SERVICE));
        client.expect_stream_error("host-unknown");
    }
    let made = server.control().ask("user add", json!({ "jid": format!("x@{SERVICE}"), "password": "secret" }));
    assert_ne!(made["exit"], 0, "{made}");
}

#[test]
fn administrators_see_services_below_their_domains_and_change_the_domains() {
    let server = Setup::default().store(Backend::Memory).domain("second.example").start();
    assert_eq!(
        list(&server),
        [
            "localhost configuration enabled",
            "pubsub.localhost configuration service",
            "second.example configuration enabled",
            "pubsub.second.example configuration service",
        ]
    );
    for command in ["host add", "host remove", "host enable", "host disable"] {
        refused(&server, command, SERVICE, "pubsub.localhost is the pubsub service of localhost");
    }
    let mut alice = online(&server, "alice", "phone");
    server.control().run("host disable", json!({ "name": "second.example" }));
    assert_eq!(condition(&ask(&mut alice, "get", "pubsub.second.example", INFO)), "remote-server-not-found");
    assert!(list(&server).contains(&"pubsub.second.example configuration disabled".to_owned()));
    refused(&server, "host add", "pubsub.second.example", "is the pubsub service of second.example");
    server.control().run("host enable", json!({ "name": "second.example" }));
    assert!(ask(&mut alice, "get", "pubsub.second.example", INFO).contains("category='pubsub'"));
}

#[test]
fn an_address_that_is_in_use_is_no_service() {
    let server = Setup::default().store(Backend::Memory).start();
    let why = "the pubsub service of localhost cannot be at pubsub.localhost: pubsub.localhost is a domain of its own";
    let (cert, key) = server.certificates().issue(SERVICE);
    let extra = format!("extra = [\"{SERVICE}\"]\n");
    let files = format!("[host.\"{SERVICE}\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n");
    for options in [format!("{extra}{files}"), format!("components = [\"{SERVICE}\"]\n")] {
        let reply = reload(&server, &options);
        assert_eq!(reply["exit"], 1, "{reply}");
        assert!(reply["message"].as_str().unwrap().contains(why), "{reply}");
        let reply = reload(&server, &format!("pubsub.service = \"\"\n{options}"));
        assert_eq!(reply["exit"], 0, "{reply}");
        assert!(!list(&server).iter().any(|row| row.ends_with(" service")), "{:?}", list(&server));
        assert_eq!(reload(&server, "")["exit"], 0);
    }
    let twice = reload(&server, &format!("{extra}pubsub.service = \"news.example\"\n{files}"));
    let why = "the pubsub service of pubsub.localhost cannot be at news.example: localhost has a service there";
    assert!(twice["message"].as_str().unwrap().contains(why), "{twice}");
    let wrong = reload(&server, "pubsub.service = \"a b\"");
    assert!(wrong["message"].as_str().unwrap().contains("the pubsub service of localhost cannot be at"), "{wrong}");
}

#[test]
fn an_added_domain_brings_its_service_unless_the_address_is_in_use() {
    let mut server = Setup::default().options("pubsub.service = \"\"").start();
    let name = |domain: &str, more: &str| {
        let (cert, key) = server.certificates().issue(domain);
        format!("{more}[host.\"{domain}\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n")
    };
    let own = name(SERVICE, "pubsub.service = \"\"\n");
    assert_eq!(reload(&server, &own)["exit"], 0);
    server.control().run("host add", json!({ "name": SERVICE }));
    // What was added is there, whoever would have a service at its address from the next start on.
    let third = name("third.example", "");
    assert_eq!(reload(&server, &format!("{third}{}", own.replace("pubsub.service = \"\"\n", "")))["exit"], 1);
    server.restart();
    assert_eq!(
        list(&server),
        [
            "localhost configuration enabled",
            "pubsub.localhost command enabled",
            "pubsub.pubsub.localhost command service"
        ]
    );
    server.expect_log("the pubsub service of localhost cannot be at pubsub.localhost");
    server.control().run("host remove", json!({ "name": SERVICE }));
    assert_eq!(reload(&server, &third)["exit"], 0);
    server.control().run("host add", json!({ "name": "third.example" }));
    assert!(list(&server).contains(&"pubsub.third.example command service".to_owned()), "{:?}", list(&server));
    server.control().run("host remove", json!({ "name": "third.example" }));
    assert_eq!(list(&server), ["localhost configuration enabled", "pubsub.localhost configuration service"]);
    assert_eq!(reload(&server, &format!("components = [\"pubsub.third.example\"]\n{third}"))["exit"], 0);
    refused(&server, "host add", "third.example", "pubsub.third.example is the domain of a component");
}

#[test]
fn other_servers_and_components_reach_the_service() {
    let world = World::new();
    let a = world.setup("a.example", "alice").component("gw.a.example").start();
    world.publish("a.example", &a);
    let b = world.server("b.example", "bob", "");
    world.publish("pubsub.b.example", &b);
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    let info = ask(&mut alice, "get", "pubsub.b.example", INFO);
    assert!(info.contains("<identity category='pubsub' type='service'"), "{info}");
    let mut component = Component::connect(&a, "gw.a.example");
    let info = component.ask("x@gw.a.example/y", "pubsub.a.example", "get", INFO);
    assert!(info.contains("<identity category='pubsub' type='service'"), "{info}");
}

/// Whoever names a service in a handshake is shown its certificate, and its domain's where it has none.
#[test]
fn a_service_may_have_a_certificate_of_its_own() {
    let world = World::new();
    let b = world.setup("b.example", "bob").start();
    let (cert, key) = b.certificates().issue("pubsub.b.example");
    let files = format!("[host.\"pubsub.b.example\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n");
    assert_eq!(reload(&b, &format!("{}\n{files}", world.names().options()))["exit"], 0);
    let problem = |host: &str| {
        let list = b.control().run("host list", json!({}));
        let row = list.as_array().unwrap().iter().find(|row| row["host"] == host).cloned().unwrap();
        row["problem"].clone()
    };
    assert!(problem("pubsub.b.example").is_null());
    assert_eq!(problem("pubsub.localhost"), "the certificate is not for this domain");
    // Nobody from elsewhere comes to this one.
    assert!(problem("upload.localhost").is_null());
}

/// What was published under the old name is still there once the service has it again.
#[test]
fn nodes_of_a_service_with_another_name_are_told_of_and_kept() {
    let mut server = Setup::default().start();
    let mut alice = online(&server, "alice", "phone");
    let info = ask(&mut alice, "get", SERVICE, INFO);
    assert!(info.contains("pubsub#auto-create'/>"), "{info}");
    crate::set(&mut alice, SERVICE, "<create node='kept'/>");
    drop(alice);
    server.write_options("pubsub.service = \"news\"\npubsub.auto_create = false");
    server.restart();
    server.expect_log("nobody reaches these nodes");
    for host in [serde_json::json!({}), serde_json::json!({ "host": "localhost" })] {
        let found = server.control().ask("check all", host).to_string();
        assert!(found.contains("pubsub.localhost: nobody reaches its 1 nodes"), "{found}");
    }
    let mut alice = online(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "news.localhost", INFO);
    assert!(info.contains("type='service'") && !info.contains("auto-create"), "{info}");
    drop(alice);
    server.write_options("");
    server.restart();
    let mut alice = online(&server, "alice", "phone");
    let list = ask(&mut alice, "get", SERVICE, ITEMS);
    assert!(list.contains("node='kept'"), "{list}");
}
