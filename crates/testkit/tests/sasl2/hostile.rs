//! Clients that do what they must not.

use metronome_testkit::{Client, Sasl, user_agent};

use super::*;

fn opened(server: &Server) -> Client {
    let mut client = Client::direct_tls(server);
    client.open_as("alice");
    client
}

#[test]
fn one_profile_inside_of_the_other_ends_the_stream() {
    let server = server();
    let first = b"n,,n=alice,r=0123456789abcdef";
    let mut client = opened(&server);
    client.auth("SCRAM-SHA-256", first);
    client.expect("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'");
    client.begin_second("SCRAM-SHA-256", first, "");
    client.expect_stream_error("not-authorized");
    let mut client = opened(&server);
    client.begin_second("SCRAM-SHA-256", first, "");
    client.expect("<challenge xmlns='urn:xmpp:sasl:2'");
    client.auth("SCRAM-SHA-256", first);
    client.expect_stream_error("not-authorized");
    let mut client = opened(&server);
    client.begin_second("SCRAM-SHA-256", first, "");
    client.expect("<challenge xmlns='urn:xmpp:sasl:2'");
    client.send("<message to='bob@localhost'><body>already</body></message>");
    client.expect_stream_error("not-authorized");
}

#[test]
fn whoever_has_logged_in_does_not_log_in_again() {
    let server = server();
    let again = "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-256'/>";
    let (mut bound, _) = logged_in(&server, "alice", &bind("x", ""));
    bound.send(again);
    bound.expect_stream_error("unsupported-stanza-type");
    let (mut unbound, _) = logged_in(&server, "alice", "");
    unbound.send(again);
    unbound.expect_stream_error("unsupported-stanza-type");
    let mut first = Client::login(&server, "alice", "x");
    first.send(again);
    first.expect_stream_error("unsupported-stanza-type");
}

#[test]
fn whoever_is_bound_is_not_bound_again() {
    let server = server();
    let (mut client, _) = logged_in(&server, "alice", &(bind("x", "") + &bind("y", "")));
    assert!(client.jid().starts_with("alice@localhost/x/"), "the first counts: {}", client.jid());
    client.send(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>z</resource></bind></iq>",
    );
    let answer = client.expect("<iq type='error' id='b'");
    assert!(!answer.contains("/z"), "{answer}");
    client.expect_nothing_before_ping();
}

#[test]
fn an_id_that_is_no_uuid_and_one_that_is_too_long_are_refused() {
    let server = server();
    let mut client = opened(&server);
    let sasl = Sasl::new("SCRAM-SHA-256", "alice", "alice-secret");
    for id in ["", "phone", "../../etc", "d4565fa7-4d72-4749-b3d3-740edbf8777%"] {
        let refused = client.second(&sasl, &user_agent(id));
        assert!(refused.fits("<failure xmlns='urn:xmpp:sasl:2'><malformed-request"), "{id}: {refused}");
        client = opened(&server);
    }
    client.begin_second("SCRAM-SHA-256", b"n,,n=alice,r=0123456789abcdef", &user_agent(&"a".repeat(10_000)));
    client.expect_stream_error("policy-violation");
    let long = format!("<user-agent id='{PHONE}'><software>{}</software></user-agent>", "a".repeat(10_000));
    let mut client = opened(&server);
    client.begin_second("SCRAM-SHA-256", b"n,,n=alice,r=0123456789abcdef", &long);
    client.expect_stream_error("policy-violation");
}

#[test]
fn elements_out_of_turn_end_the_stream() {
    let server = server();
    for stray in [
        "<response xmlns='urn:xmpp:sasl:2'>AAAA</response>",
        "<abort xmlns='urn:xmpp:sasl:2'/>",
        "<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>",
        "<task-data xmlns='urn:xmpp:sasl:2'/>",
        "<success xmlns='urn:xmpp:sasl:2'/>",
        "<bind xmlns='urn:xmpp:bind:0'/>",
    ] {
        let mut client = opened(&server);
        client.send(stray);
        client.expect_stream_error("not-authorized");
    }
}

#[test]
fn attempts_are_counted_over_both_profiles() {
    let server = server();
    let mut client = opened(&server);
    for _ in 0..2 {
        client.begin_second("NONE-SUCH", b"", "");
        client.expect_second_failure("invalid-mechanism");
        client.auth("NONE-SUCH", b"x");
        client.expect_failure("invalid-mechanism");
    }
    client.expect_stream_error("policy-violation");
}
