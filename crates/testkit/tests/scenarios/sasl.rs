//! Logging in (RFC 6120 section 6, RFC 5802, RFC 7677, RFC 9266, XEP-0440): every mechanism, and everybody who must not get in.

use metronome_sasl::ChannelBinding::{TlsExporter, TlsServerEndPoint};
use metronome_sasl::client::plain;
use metronome_testkit::{Backend, Binding, Client, Sasl, Server, Setup, Versions, base64, on_both_stores, unbase64};
use serde_json::json;

const HASHES: [&str; 3] = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

fn with_plain() -> Setup {
    Setup::default().store(Backend::Memory).options("auth.mechanisms = [\"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"PLAIN\"]")
}

fn opened(server: &Server) -> Client {
    let mut client = Client::direct_tls(server);
    client.open();
    client
}

fn alice(mechanism: &str) -> Sasl<'_> {
    Sasl::new(mechanism, "alice", "alice-secret")
}

/// The mechanisms in the features, in their order.
fn mechanisms(features: &str) -> Vec<&str> {
    let (features, _) = features.split_once("</mechanisms>").unwrap_or_default();
    features
        .split("<mechanism>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</mechanism>"))
        .map(|(name, _)| name)
        .collect()
}

// ---- the offer ----------------------------------------------------------------------------------------------------

#[test]
fn mechanisms_are_offered_strongest_first_with_their_channel_bindings() {
    let server = server();
    let features = Client::direct_tls(&server).open();
    let expected = [
        "SCRAM-SHA-512-PLUS",
        "SCRAM-SHA-512",
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-256",
        "SCRAM-SHA-1-PLUS",
        "SCRAM-SHA-1",
    ];
    assert_eq!(mechanisms(&features), expected);
    assert!(features.contains("<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"), "{features}");
    for binding in ["tls-exporter", "tls-server-end-point"] {
        assert!(features.contains(&format!("<channel-binding type='{binding}'/>")), "{features}");
    }
    // Legacy authentication (XEP-0078) is not offered.
    assert!(!features.contains("iq-auth"), "{features}");
}

#[test]
fn a_mechanism_that_is_not_offered_gets_invalid_mechanism() {
    let server = server();
    let known = [
        "PLAIN",
        "ANONYMOUS",
        "EXTERNAL",
        "DIGEST-MD5",
        "CRAM-MD5",
        "LOGIN",
        "SCRAM-SHA-384",
        "SCRAM-SHA-384-PLUS",
        "X-OAUTH2",
        "OAUTHBEARER",
        "GSSAPI",
        "SCRAM-SHA-3-512",
        "scram-sha-1",
        "SCRAM-SHA-1 ",
        "",
    ];
    for mechanisms in known.chunks(3) {
        let mut client = opened(&server);
        for mechanism in mechanisms {
            client.auth(mechanism, &plain("", "alice", "alice-secret"));
            client.expect_failure("invalid-mechanism");
        }
        // The stream is still good for what was offered.
        assert!(client.sasl(&alice("SCRAM-SHA-1")).fits("<success"));
    }
}

#[test]
fn a_blacklisted_mechanism_is_neither_offered_nor_accepted() {
    let server = Setup::default().store(Backend::Memory).options("auth.mechanisms = [\"SCRAM-SHA-512\"]").start();
    let mut client = Client::direct_tls(&server);
    assert_eq!(mechanisms(&client.open()), ["SCRAM-SHA-512-PLUS", "SCRAM-SHA-512"]);
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"] {
        client.auth(mechanism, b"n,,n=alice,r=0123456789abcdef");
        client.expect_failure("invalid-mechanism");
    }
    assert!(client.sasl(&alice("SCRAM-SHA-512")).fits("<success"));
}

// ---- SCRAM --------------------------------------------------------------------------------------------------------

#[test]
fn every_scram_hash_logs_in() {
    on_both_stores(|server| {
        for mechanism in HASHES {
            let mut client = opened(server);
            let outcome = client.sasl(&alice(mechanism));
            assert!(outcome.fits("<success"), "{mechanism}: {outcome}");
            client.open();
            client.bind("");
        }
    });
}

#[test]
fn every_plus_variant_logs_in_with_both_bindings_over_both_versions() {
    let server = server();
    for versions in [Versions::Only12, Versions::Only13] {
        for hash in HASHES {
            for binding in [TlsExporter, TlsServerEndPoint] {
                let mechanism = format!("{hash}-PLUS");
                for mut client in
                    [server.dial().versions(versions).direct(), server.dial().versions(versions).starttls()]
                {
                    client.open();
                    let outcome = client.sasl(&Sasl { binding: Binding::Bound(binding), ..alice(&mechanism) });
                    assert!(outcome.fits("<success"), "{mechanism} {binding:?} {versions:?}: {outcome}");
                }
            }
        }
    }
}

#[test]
fn a_binding_to_another_connection_is_refused() {
    let server = server();
    for binding in [TlsExporter, TlsServerEndPoint] {
        let mut client = opened(&server);
        let outcome = client.sasl(&Sasl { binding: Binding::Forged(binding), ..alice("SCRAM-SHA-256-PLUS") });
        assert!(outcome.fits("<failure><not-authorized"), "{outcome}");
    }
}

#[test]
fn a_client_that_was_lied_to_about_the_plus_variants_is_refused() {
    // Its `y` says that no -PLUS variant reached it, and we did offer some: somebody in the middle took them away.
    let server = server();
    let mut client = opened(&server);
    let outcome = client.sasl(&Sasl { binding: Binding::NotOffered, ..alice("SCRAM-SHA-256") });
    assert!(outcome.fits("<failure>"), "{outcome}");
}

#[test]
fn a_plus_variant_without_a_binding_and_a_binding_without_plus_are_refused() {
    let server = server();
    for (mechanism, first) in [
        ("SCRAM-SHA-1-PLUS", "n,,n=alice,r=0123456789abcdef"),
        ("SCRAM-SHA-1-PLUS", "p=tls-unique,,n=alice,r=0123456789abcdef"),
        ("SCRAM-SHA-1", "p=tls-exporter,,n=alice,r=0123456789abcdef"),
    ] {
        let mut client = opened(&server);
        client.auth(mechanism, first.as_bytes());
        client.expect("<failure");
    }
}

#[test]
fn a_first_message_that_is_malformed_is_a_failure_and_not_an_end() {
    let server = server();
    let wrong = [
        "",
        "n",
        "n,,",
        "n,,n=alice",
        "x,,n=alice,r=abcdefgh",
        "n,,m=ext,n=alice,r=abcdefgh",
        "n,,n=al=ice,r=abcdefgh",
        "n,,r=abcdefgh,n=alice",
    ];
    for three in wrong.chunks(3) {
        let mut client = opened(&server);
        for first in three {
            client.auth("SCRAM-SHA-1", first.as_bytes());
            let failure = client.expect("<failure");
            assert!(
                ["malformed-request", "not-authorized"].iter().any(|known| failure.contains(known)),
                "{first}: {failure}"
            );
        }
        assert!(client.sasl(&alice("SCRAM-SHA-1")).fits("<success"));
    }
    let mut client = opened(&server);
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>***</auth>");
    client.expect_failure("incorrect-encoding");
}

#[test]
fn the_wrong_password_is_not_authorized_and_the_right_one_still_works() {
    on_both_stores(|server| {
        for mechanism in HASHES {
            let mut client = opened(server);
            let outcome = client.sasl(&Sasl::new(mechanism, "alice", "bob-secret"));
            assert!(outcome.fits("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized"), "{outcome}");
            assert!(client.sasl(&alice(mechanism)).fits("<success"));
        }
    });
}

#[test]
fn the_fourth_failure_closes_the_stream() {
    let server = server();
    let mut client = opened(&server);
    for _ in 0..4 {
        assert!(client.sasl(&Sasl::new("SCRAM-SHA-1", "alice", "wrong")).fits("<failure><not-authorized"));
    }
    client.expect_stream_error("policy-violation");
}

/// The server's part of an exchange: what it says without nonces, which differ each time.
fn shape(server: &Server, mechanism: &str, username: &str) -> (Vec<u8>, usize, String, String) {
    let mut client = opened(server);
    client.auth(mechanism, format!("n,,n={username},r=0123456789abcdef").as_bytes());
    let challenge = String::from_utf8(unbase64(&client.expect("<challenge").text_of("challenge").unwrap())).unwrap();
    let mut fields = challenge.split(',');
    let (nonce, salt, rest) = (fields.next().unwrap(), fields.next().unwrap(), fields.collect::<Vec<_>>().join(","));
    let proof = base64([0; 32]);
    client.send(&format!(
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>",
        base64(format!("c=biws,{nonce},p={proof}"))
    ));
    let failure = client.expect("<failure").to_string();
    (unbase64(salt.strip_prefix("s=").unwrap()), nonce.len(), rest, failure)
}

#[test]
fn an_unknown_user_sees_what_a_known_one_sees() {
    let mut server = Setup::default().start();
    let mut seen_before = Vec::new();
    for round in 0..2 {
        for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let known = shape(&server, mechanism, "alice");
            let unknown = shape(&server, mechanism, "nobody");
            assert_eq!(
                (known.0.len(), known.1, &known.2, &known.3),
                (unknown.0.len(), unknown.1, &unknown.2, &unknown.3)
            );
            // Their salts stay, too: asking twice tells nothing, and neither does asking after a restart.
            assert_eq!(unknown.0, shape(&server, mechanism, "nobody").0);
            assert_ne!(unknown.0, shape(&server, mechanism, "nobody-else").0);
            assert_ne!(unknown.0, known.0);
            match round {
                0 => seen_before.push(unknown.0),
                _ => assert!(seen_before.contains(&unknown.0)),
            }
        }
        if round == 0 {
            server.restart();
        }
    }
}

#[test]
fn an_unknown_user_gets_the_same_answer_to_plain() {
    let server = with_plain().start();
    let mut client = opened(&server);
    let known = client.sasl(&Sasl::new("PLAIN", "alice", "wrong")).to_string();
    let unknown = client.sasl(&Sasl::new("PLAIN", "nobody", "wrong")).to_string();
    assert_eq!(known, unknown);
    assert!(known.contains("<not-authorized"), "{known}");
}

#[test]
fn a_disabled_account_is_kept_out_until_it_is_enabled() {
    on_both_stores(|server| {
        let mut session = Client::login(server, "alice", "phone");
        server.control().run("user disable", json!({ "jid": "alice@localhost" }));
        session.expect("<stream:error");
        session.expect_end();
        let outcome = opened(server).sasl(&alice("SCRAM-SHA-256"));
        assert!(outcome.fits("<failure"), "{outcome}");
        // Who does not know the password does not learn that the account is disabled.
        let wrong = opened(server).sasl(&Sasl::new("SCRAM-SHA-256", "alice", "wrong"));
        assert!(wrong.contains("<not-authorized"), "{wrong}");
        server.control().run("user enable", json!({ "jid": "alice@localhost" }));
        assert!(opened(server).sasl(&alice("SCRAM-SHA-256")).fits("<success"));
    });
}

#[test]
fn a_login_does_not_outlive_what_it_proved_until_it_is_bound() {
    let changes = [
        ("user disable", json!({ "jid": "alice@localhost" })),
        ("user delete", json!({ "jid": "bob@localhost" })),
        ("user passwd", json!({ "jid": "carol@localhost", "password": "another" })),
    ];
    on_both_stores(|server| {
        for (command, arguments) in &changes {
            let name = arguments["jid"].as_str().unwrap().split('@').next().unwrap().to_owned();
            let mut client = opened(server);
            assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", &name, &format!("{name}-secret"))).fits("<success"));
            server.control().run(command, arguments.clone());
            client.open();
            client.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
            client.expect_stream_error("not-authorized");
        }
        assert_eq!(server.figure("sessions"), 0);
    });
}

#[test]
fn a_new_password_ends_sessions_and_the_old_one_is_worth_nothing() {
    on_both_stores(|server| {
        let mut session = Client::login(server, "alice", "phone");
        server.control().run("user passwd", json!({ "jid": "alice@localhost", "password": "another" }));
        session.expect("<stream:error");
        session.expect_end();
        for mechanism in HASHES {
            assert!(opened(server).sasl(&alice(mechanism)).fits("<failure><not-authorized"));
            assert!(opened(server).sasl(&Sasl::new(mechanism, "alice", "another")).fits("<success"));
        }
    });
}

#[test]
fn user_names_are_prepared_as_addresses_are() {
    let server = server();
    let mut client = opened(&server);
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "ALICE", "alice-secret")).fits("<success"));
    client.open();
    assert_eq!(client.bind("x"), "alice@localhost/x");
}

// ---- PLAIN --------------------------------------------------------------------------------------------------------

#[test]
fn plain_is_for_tls_only_and_only_where_it_is_configured() {
    let server = with_plain().options("tls.require_c2s = false").start();
    let mut clear = Client::connect(&server);
    let features = clear.open();
    assert_eq!(mechanisms(&features), ["SCRAM-SHA-256", "SCRAM-SHA-1"]);
    clear.auth("PLAIN", &plain("", "alice", "alice-secret"));
    clear.expect_failure("invalid-mechanism");
    let mut encrypted = Client::direct_tls(&server);
    assert!(mechanisms(&encrypted.open()).contains(&"PLAIN"));
    assert!(encrypted.sasl(&alice("PLAIN")).fits("<success"));
}

#[test]
fn plain_without_tls_needs_an_option_of_its_own() {
    let server = with_plain().options("tls.require_c2s = false\nauth.plain_without_tls = true").start();
    let mut client = Client::connect(&server);
    assert!(mechanisms(&client.open()).contains(&"PLAIN"));
    assert!(client.sasl(&alice("PLAIN")).fits("<success"));
}

#[test]
fn plain_that_is_malformed_is_a_failure() {
    let server = with_plain().start();
    let wrong = [
        &b"alice"[..],
        b"\0alice",
        b"\0alice\0",
        b"\0\0alice-secret",
        b"\0alice\0alice-secret\0",
        b"\xff\0alice\0alice-secret",
    ];
    for three in wrong.chunks(3) {
        let mut client = opened(&server);
        for data in three {
            client.auth("PLAIN", data);
            client.expect("<failure");
        }
        assert!(client.sasl(&alice("PLAIN")).fits("<success"));
    }
}

// ---- acting as somebody else --------------------------------------------------------------------------------------

#[test]
fn only_ones_own_address_or_none_is_an_authorization_identity() {
    let server = with_plain().domain("second.example").account("alice@second.example").start();
    let table = [
        ("", true),
        ("alice@localhost", true),
        ("ALICE@LocalHost", true),
        ("bob@localhost", false),
        ("alice@second.example", false),
        ("bob@second.example", false),
        ("localhost", false),
        ("admin@localhost", false),
        ("alice@localhost/phone", false),
        ("alice", false),
        ("alice@", false),
        ("@", false),
    ];
    for mechanism in ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
        for (authzid, allowed) in table {
            let mut client = opened(&server);
            let binding = if mechanism.ends_with("PLUS") { Binding::Bound(TlsExporter) } else { Binding::Unsupported };
            let outcome = client.sasl(&Sasl { authzid, binding, ..alice(mechanism) });
            let expected = if allowed { "<success" } else { "<failure" };
            assert!(outcome.fits(expected), "{mechanism} as {authzid:?}: {outcome}");
            if !allowed {
                let known = ["invalid-authzid", "malformed-request", "not-authorized"];
                assert!(
                    known.iter().any(|condition| outcome.contains(condition)),
                    "{mechanism} as {authzid:?}: {outcome}"
                );
            } else {
                client.open();
                assert_eq!(client.bind("x"), "alice@localhost/x");
            }
        }
    }
}

// ---- guessing -----------------------------------------------------------------------------------------------------

#[test]
fn an_attacker_is_turned_away_and_the_owner_is_not() {
    let server = Setup::default()
        .store(Backend::Memory)
        .options("limits.login_failures.per_ip = \"3/min\"\nlimits.login_failures.block = \"10 min\"")
        .start();
    let attacker = server.dial().from("127.0.0.2");
    let mut client = attacker.direct();
    client.open();
    for _ in 0..3 {
        assert!(client.sasl(&Sasl::new("SCRAM-SHA-1", "alice", "wrong")).fits("<failure><not-authorized"));
    }
    let mut client = attacker.direct();
    client.open();
    // Not even with the right password, or the guesses would go on behind the block.
    assert!(client.sasl(&alice("SCRAM-SHA-1")).fits("<failure><temporary-auth-failure"));
    let line = server.expect_log("why=\"blocked\"");
    assert!(line.contains("a login failed") && line.contains("jid=\"alice@localhost\""), "{line}");
    // The owner is somewhere else, and the attacker may still be somebody.
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
    let mut bob = attacker.direct();
    bob.log_in("bob", "desk");
    let line = server.expect_log("logged in host=\"localhost\" jid=\"bob@localhost\"");
    assert!(line.contains("peer=127.0.0.2") && line.contains("mechanism="), "{line}");
}
