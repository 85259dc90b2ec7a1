//! XEP-0388 alone: what is offered, success and failure, and the binding of RFC 6120 behind it on the same stream.

use metronome_sasl::ChannelBinding::TlsExporter;
use metronome_sasl::client::plain;
use metronome_testkit::{Backend, Binding, Client, Sasl, Setup, base64, on_both_stores, user_agent};

use sha2::{Digest, Sha256};

use super::*;

fn alice(mechanism: &str) -> Sasl<'_> {
    Sasl::new(mechanism, "alice", "alice-secret")
}

#[test]
fn it_is_offered_inside_of_tls_only() {
    let server = Setup::default()
        .store(Backend::Memory)
        .options("tls.require_c2s = false\nauth.plain_without_tls = true")
        .start();
    let clear = Client::connect(&server).open();
    assert!(clear.contains("<mechanisms") && !clear.contains("urn:xmpp:sasl:2"), "{clear}");
    let features = Client::direct_tls(&server).open_as("alice");
    let (_, offered) = features.split_once("<authentication xmlns='urn:xmpp:sasl:2'>").unwrap();
    let (offered, _) = offered.split_once("</authentication>").unwrap();
    let (mechanisms, inline) = offered.split_once("<inline>").unwrap();
    assert!(
        mechanisms.contains("<mechanism>SCRAM-SHA-512-PLUS</mechanism>") && !mechanisms.contains("HT-"),
        "{offered}"
    );
    assert!(inline.contains("<bind xmlns='urn:xmpp:bind:0'>"), "{inline}");
    for mechanism in ["HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"] {
        assert!(inline.contains(&format!("<mechanism>{mechanism}</mechanism>")), "{inline}");
    }
    assert!(!inline.contains("tls-0rtt"), "nothing is taken before the handshake is over: {inline}");
    let mut client = Client::connect(&server);
    client.open();
    client.begin_second("SCRAM-SHA-256", b"n,,n=alice,r=0123456789abcdef", "");
    client.expect_stream_error("not-authorized");
}

#[test]
fn a_login_without_further_wishes_goes_on_with_binding_on_the_same_stream() {
    on_both_stores(|server| {
        for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mut client = Client::direct_tls(server);
            client.open_as("alice");
            let success = client.second(&alice(mechanism), &user_agent(PHONE));
            assert_eq!(success.text_of("authorization-identifier").as_deref(), Some("alice@localhost"));
            let features = client.expect("<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'");
            assert!(!features.contains("urn:xmpp:sasl:2"), "{features}");
            assert_eq!(client.bind("phone"), "alice@localhost/phone");
            client.expect_nothing_before_ping();
        }
    });
}

#[test]
fn an_exchange_may_be_bound_to_the_connection() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    client.open_as("alice");
    let bound = Sasl { binding: Binding::Bound(TlsExporter), ..alice("SCRAM-SHA-256-PLUS") };
    assert!(client.second(&bound, "").fits("<success"));
}

#[test]
fn a_failure_leaves_the_stream_open_for_another_attempt() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    client.open_as("alice");
    let wrong = Sasl { password: "wrong", ..alice("SCRAM-SHA-256") };
    let failure = client.second(&wrong, &bind("phone", ""));
    assert!(failure.fits("<failure xmlns='urn:xmpp:sasl:2'><not-authorized"), "{failure}");
    client.begin_second("PLAIN", &plain("", "alice", "alice-secret"), "");
    client.expect_second_failure("invalid-mechanism");
    client.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'><initial-response>=</initial-response></authenticate>");
    client.expect_second_failure("incorrect-encoding");
    assert!(client.second(&alice("SCRAM-SHA-256"), "").fits("<success"));
}

#[test]
fn nobody_learns_who_has_an_account() {
    let server = server();
    let mut failures = Vec::new();
    for name in ["alice", "nobody-at-all"] {
        let mut client = Client::direct_tls(&server);
        client.open_as(name);
        failures.push(client.second(&Sasl::new("SCRAM-SHA-256", name, "wrong"), "").to_string());
        client.prove(
            name,
            &metronome_testkit::Given { token: "x".repeat(43), mechanism: UNBOUND.to_owned() },
            &phone_uses(""),
        );
        failures.push(client.next_piece().to_string());
    }
    assert_eq!(failures[..2], failures[2..]);
}

#[test]
fn a_client_may_give_up_and_begin_anew() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    client.open_as("alice");
    client.begin_second("SCRAM-SHA-256", b"n,,n=alice,r=0123456789abcdef", "");
    client.expect("<challenge xmlns='urn:xmpp:sasl:2'");
    client.send("<abort xmlns='urn:xmpp:sasl:2'><text>no</text></abort>");
    client.expect_second_failure("aborted");
    // Without an initial response it is asked for, with an element of no bytes.
    client.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'/>");
    client.expect("<challenge xmlns='urn:xmpp:sasl:2'/>");
    client.send(&format!("<response xmlns='urn:xmpp:sasl:2'>{}</response>", base64("n,,n=alice,r=0123456789abcdef")));
    client.expect("<challenge xmlns='urn:xmpp:sasl:2'");
}

#[test]
fn whoever_acts_as_somebody_acts_as_who_opened_the_stream() {
    let server = server();
    let acting = Sasl { authzid: "alice@localhost", ..alice("SCRAM-SHA-256") };
    let mut client = Client::direct_tls(&server);
    client.open_as("bob");
    assert!(client.second(&acting, "").fits("<failure xmlns='urn:xmpp:sasl:2'><invalid-authzid"));
    let mut client = Client::direct_tls(&server);
    client.open_as("alice");
    assert!(client.second(&acting, "").fits("<success"));
}

#[test]
fn a_stream_from_another_domain_is_refused() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    client.send(&Client::header("localhost").replace(" to=", " from='alice@elsewhere.example' to="));
    client.expect_stream_error("invalid-from");
}

#[test]
fn limits_are_announced_before_the_login_and_after_it() {
    let server = Setup::default().store(Backend::Memory).options("limits.c2s.stanza = \"100 KiB\"").start();
    let mut client = Client::direct_tls(&server);
    let before = client.open_as("alice");
    assert!(
        before.contains("<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>8192</max-bytes></limits>"),
        "{before}"
    );
    client.second(&alice("SCRAM-SHA-256"), "");
    let after = client.expect("<stream:features");
    assert!(after.contains("<max-bytes>102400</max-bytes><idle-seconds>300</idle-seconds>"), "{after}");
}

/// What a client hashes of the features that it has seen (XEP-0474 section 5.1).
fn hash_of(features: &str) -> String {
    let texts = |features: &str, begin: &str, end: char| {
        let found = features.split(begin).skip(1).filter_map(|rest| rest.split_once(end));
        let mut found: Vec<String> = found.map(|(text, _)| text.to_owned()).collect();
        found.sort_unstable();
        found.join("\x1e")
    };
    let (_, second) = features.split_once("<authentication").unwrap();
    let (second, _) = second.split_once("<inline>").unwrap();
    let bindings = texts(features, "<channel-binding type='", '\'');
    base64(Sha256::digest(format!("{}\x1f{bindings}", texts(second, "<mechanism>", '<'))))
}

#[test]
fn s8_whoever_takes_a_mechanism_or_a_binding_out_of_the_list_is_found_out() {
    let server = server();
    let mut client = Client::direct_tls(&server);
    let features = client.open_as("alice").to_string();
    // `y`: the client could bind and was told that the server cannot.
    client.begin_second("SCRAM-SHA-256", b"y,,n=alice,r=0123456789abcdef", "");
    client.expect_second_failure("not-authorized");
    client.begin_second("SCRAM-SHA-256", b"n,,n=alice,r=0123456789abcdef", "");
    let challenge = client.expect("<challenge xmlns='urn:xmpp:sasl:2'").text_of("challenge").unwrap();
    let challenge = String::from_utf8(metronome_testkit::unbase64(&challenge)).unwrap();
    let (_, told) = challenge.split_once(",h=").unwrap();
    assert_eq!(told, hash_of(&features));
    for removed in [
        "<mechanism>SCRAM-SHA-256-PLUS</mechanism>",
        "<mechanism>SCRAM-SHA-512</mechanism>",
        "<channel-binding type='tls-exporter'/>",
    ] {
        assert_ne!(told, hash_of(&features.replace(removed, "")), "{removed}");
    }
}
