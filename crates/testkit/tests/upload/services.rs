//! XEP-0215: relays and other services beside XMPP, and the passwords that relays take for a while.

use metronome_sasl::Hash;
use metronome_testkit::{Backend, Client, Component, Seen, Server, Setup, ask, base64, condition};

use crate::INFO;

const OPTIONS: &str = r#"
[external_services]
uris = ["stun:stun.example.org", "turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:5349"]
secret = "north"
lifetime = "1 h"
"#;

fn server() -> Server {
    Setup::default().store(Backend::Memory).options(OPTIONS).component("gateway.example").start()
}

#[track_caller]
fn services(client: &mut Client, version: u8, attributes: &str) -> Seen {
    ask(client, "get", "localhost", &format!("<services xmlns='urn:xmpp:extdisco:{version}' {attributes}/>"))
}

#[track_caller]
fn credentials(client: &mut Client, version: u8, service: &str) -> Seen {
    let xml = format!("<credentials xmlns='urn:xmpp:extdisco:{version}'><service {service}/></credentials>");
    ask(client, "get", "localhost", &xml)
}

#[test]
fn services_are_told_with_passwords_that_relays_take() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "localhost", INFO);
    for version in [1, 2] {
        assert!(info.contains(&format!("<feature var='urn:xmpp:extdisco:{version}'/>")), "{info}");
    }
    let all = services(&mut alice, 2, "");
    assert!(all.contains("<service type='stun' host='stun.example.org' transport='udp'/>"), "{all}");
    assert!(
        all.contains("<service type='turn' host='turn.example.org' port='3478' transport='udp' username='"),
        "{all}"
    );
    assert!(
        all.contains("<service type='turns' host='turn.example.org' port='5349' transport='tcp' username='"),
        "{all}"
    );
    let turn = services(&mut alice, 2, "type='turn'");
    assert!(turn.contains("<services xmlns='urn:xmpp:extdisco:2' type='turn'><service type='turn'"), "{turn}");
    assert!(!turn.contains("stun.example.org") && !turn.contains("port='5349'"), "{turn}");
    assert_eq!(turn.attribute_of("service", "restricted").as_deref(), Some("true"));
    assert!(turn.attribute_of("service", "expires").unwrap().ends_with('Z'));
    let username = turn.attribute_of("service", "username").unwrap();
    let password = turn.attribute_of("service", "password").unwrap();
    assert_eq!(password, base64(Hash::Sha1.hmac(b"north", &[username.as_bytes()]).expose()));
    let until: u64 = username.split(':').next().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now + 3000..=now + 3600).contains(&until), "{username}");
    assert!(!username.contains("alice"), "{username}");
    let mut bob = Client::login(&server, "bob", "phone");
    let other = services(&mut bob, 2, "type='turn'").attribute_of("service", "username").unwrap();
    assert_ne!(other.split(':').nth(1), username.split(':').nth(1), "relays tell people apart");
}

#[test]
fn credentials_are_asked_for_by_themselves() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let both = credentials(&mut alice, 2, "host='turn.example.org' type='turn'");
    assert!(both.contains("<credentials xmlns='urn:xmpp:extdisco:2'><service type='turn'"), "{both}");
    let old = credentials(&mut alice, 1, "host='turn.example.org' type='turns' port='5349'");
    assert!(old.contains("<credentials xmlns='urn:xmpp:extdisco:1'>"), "{old}");
    let ttl: u64 = old.attribute_of("service", "ttl").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&ttl), "{old}");
    assert!(!old.contains("expires") && !old.contains("restricted"), "{old}");
    for (service, refused) in [
        ("host='turn.example.org' type='turn' port='1'", "item-not-found"),
        ("host='stun.example.org' type='stun'", "item-not-found"),
        ("host='elsewhere.example' type='turn'", "item-not-found"),
        ("type='turn'", "bad-request"),
        ("host='turn.example.org'", "bad-request"),
        ("host='turn.example.org' type='turn' port='x'", "bad-request"),
    ] {
        assert_eq!(condition(&credentials(&mut alice, 2, service)), refused, "{service}");
    }
    let none = ask(&mut alice, "get", "localhost", "<credentials xmlns='urn:xmpp:extdisco:2'/>");
    assert_eq!(condition(&none), "bad-request");
}

#[test]
fn strangers_learn_nothing_and_nothing_is_announced_that_is_not_there() {
    let server = server();
    let mut gateway = Component::connect(&server, "gateway.example");
    let refused = gateway.ask("x@gateway.example", "localhost", "get", "<services xmlns='urn:xmpp:extdisco:2'/>");
    assert!(refused.contains("<forbidden") && !refused.contains("password"), "{refused}");
    server.write_options("");
    server.control().run("reload", serde_json::json!({}));
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(!ask(&mut alice, "get", "localhost", INFO).contains("extdisco"));
    assert_eq!(condition(&services(&mut alice, 2, "")), "service-unavailable");
    server.write_options("external_services.uris = [\"turn:turn.example.org\"]");
    server.control().run("reload", serde_json::json!({}));
    let bare = services(&mut alice, 2, "");
    assert!(bare.contains("<service type='turn' host='turn.example.org' transport='udp'/>"), "{bare}");
    assert_eq!(condition(&credentials(&mut alice, 2, "host='turn.example.org' type='turn'")), "not-authorized");
}

/// A relay is paid for by its domain.
#[test]
fn people_of_another_domain_get_no_passwords() {
    let options = OPTIONS.replace("[external_services]", "[host.\"localhost\".external_services]");
    let setup = Setup::default().store(Backend::Memory).options(&options);
    let server = setup.domain("b.example").account("dave@b.example").start();
    let mut dave = server.dial().domain("b.example").direct();
    dave.log_in("dave", "phone");
    let told = services(&mut dave, 2, "");
    assert!(told.contains("turn.example.org") && !told.contains("password"), "{told}");
    let refused = credentials(&mut dave, 2, "host='turn.example.org' type='turn'");
    assert_eq!(condition(&refused), "not-authorized", "{refused}");
    assert!(services(&mut Client::login(&server, "alice", "phone"), 2, "").contains("password"));
}
