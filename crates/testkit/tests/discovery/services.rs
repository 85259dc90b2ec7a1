//! Version, time, the client's own address, and the preparation of addresses: XEP-0092, 0202, 0279 and 0328.

use std::time::{SystemTime, UNIX_EPOCH};

use metronome_testkit::{Backend, Client, Server, Setup};
use serde_json::json;

use crate::{ask, condition, online, subscribe};

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

#[test]
fn the_version_is_told_and_the_system_only_if_somebody_wants_it() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let version = |alice: &mut Client| ask(alice, "get", "localhost", "<query xmlns='jabber:iq:version'/>");
    let hidden = version(&mut alice);
    assert_eq!(hidden.text_of("name").unwrap(), "metronome");
    assert!(!hidden.text_of("version").unwrap().is_empty());
    assert!(!hidden.contains("<os"), "{hidden}");
    for (option, told) in [("auto", "linux"), ("Plan 9 & more", "Plan 9 & more")] {
        server.write_options(&format!("version.system = \"{option}\""));
        server.control().run("reload", json!({}));
        assert_eq!(version(&mut alice).text_of("os").unwrap(), told);
    }
}

#[test]
fn the_time_is_told_in_utc() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    for to in ["localhost", "", "alice@localhost"] {
        let time = ask(&mut alice, "get", to, "<time xmlns='urn:xmpp:time'/>");
        assert_eq!(time.text_of("tzo").unwrap(), "+00:00", "{time}");
        let utc = time.text_of("utc").unwrap();
        let days = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
        assert!(utc.ends_with('Z') && utc.len() == "2006-12-19T17:58:35.000Z".len(), "{utc}");
        let year: u64 = utc[..4].parse().unwrap();
        assert!((1970 + days / 366..=1970 + days / 365).contains(&year), "{utc}");
    }
    assert_eq!(condition(&ask(&mut alice, "set", "", "<time xmlns='urn:xmpp:time'/>")), "service-unavailable");
}

#[test]
fn a_client_learns_its_own_address_and_port() {
    let server = Setup::default().store(Backend::Memory).addresses(&["127.0.0.1", "::1"]).start();
    let mut alice = online(&server, "alice", "phone");
    let own = alice.local_address();
    for to in ["", "alice@localhost", "localhost"] {
        let told = ask(&mut alice, "get", to, "<address xmlns='urn:xmpp:sic:1'/>");
        assert_eq!(told.text_of("ip").unwrap(), own.ip().to_string(), "{told}");
        assert_eq!(told.text_of("port").unwrap(), own.port().to_string(), "{told}");
    }
}

/// XEP-0279 section 4: not even to contacts, and not to learn who exists.
#[test]
fn nobody_learns_the_address_of_another() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    subscribe(&mut alice, &mut bob);
    for to in ["bob@localhost", "carol@localhost", "nobody@localhost"] {
        let answer = ask(&mut alice, "get", to, "<address xmlns='urn:xmpp:sic:1'/>");
        assert_eq!(condition(&answer), "forbidden", "{to}: {answer}");
        assert!(!answer.contains("127.0.0.1"), "{answer}");
    }
}

#[test]
fn an_address_is_prepared_on_request_or_found_to_be_none() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut judge = |text: &str| {
        let request =
            "<jid-validate-request xmlns='urn:xmpp:jidprep:1'><maybe-jid>TEXT</maybe-jid></jid-validate-request>";
        ask(&mut alice, "get", "localhost", &request.replace("TEXT", text))
    };
    let valid = judge("Σ@example.com/resource");
    assert!(
        valid.contains(
            "<jid-validate-result xmlns='urn:xmpp:jidprep:1'><valid-jid><localpart>σ</localpart>\
             <domainpart>example.com</domainpart><resourcepart>resource</resourcepart></valid-jid></jid-validate-result>"
        ),
        "{valid}"
    );
    assert!(judge("BÜCHER.example").contains("<valid-jid><domainpart>bücher.example</domainpart></valid-jid>"));
    let long = "x".repeat(100_000);
    for bad in ["", "@", "a@", "a b@c", "a@b/", "a&lt;b@c", &long] {
        let answer = judge(bad);
        assert!(answer.fits("<iq type='result'") && answer.contains("<invalid-jid><reason>"), "{bad:.20}: {answer}");
    }
}

#[test]
fn base64_carries_text_that_xml_cannot() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut judge = |coded: &str| {
        let request = format!(
            "<jid-validate-base64-request xmlns='urn:xmpp:jidprep:1'><base64-maybe-jid>{coded}</base64-maybe-jid>\
             </jid-validate-base64-request>"
        );
        ask(&mut alice, "get", "localhost", &request)
    };
    assert!(judge("zqNAZXhhbXBsZS5jb20vcmVzb3VyY2U=").contains("<localpart>σ</localpart>"));
    assert!(judge(&metronome_testkit::base64("a\u{0}b@c")).contains("<invalid-jid>"));
    assert!(judge(&metronome_testkit::base64([0xFF, 0xFE])).contains("<reason>it is not UTF-8</reason>"));
    assert_eq!(condition(&judge("%%%")), "bad-request");
    for empty in [
        "<jid-validate-request xmlns='urn:xmpp:jidprep:1'/>",
        "<jid-validate-base64-request xmlns='urn:xmpp:jidprep:1'/>",
    ] {
        assert_eq!(condition(&ask(&mut alice, "get", "localhost", empty)), "bad-request");
    }
}
