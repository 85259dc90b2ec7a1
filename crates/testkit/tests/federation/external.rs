//! SASL EXTERNAL between servers (XEP-0178), with certificates of every kind.

use metronome_testkit::{Client, Server, Shown, World, base64, server_header};
use serde_json::json;

fn opened(server: &Server, from: &str, shown: Option<&Shown>) -> (Client, bool) {
    let mut dial = server.dial_as_server().domain("a.example");
    if let Some(shown) = shown {
        dial = dial.certificate(shown);
    }
    let mut peer = dial.direct();
    peer.send(&server_header(from, "a.example"));
    peer.expect(&format!("<stream:stream from='a.example' to='{from}'"));
    let features = peer.expect("<stream:features");
    (peer, features.contains("<mechanism>EXTERNAL</mechanism>"))
}

fn auth(data: &str) -> String {
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>{data}</auth>")
}

#[test]
fn a_certificate_for_the_domain_authenticates() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let shown = world.certificates().server(&["b.example"]);
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    alice.available();
    for data in ["=".to_owned(), base64(b"b.example")] {
        let (mut peer, offered) = opened(&a, "b.example", Some(&shown));
        assert!(offered);
        peer.send(&auth(&data));
        peer.expect("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'");
        peer.send(&server_header("b.example", "a.example"));
        peer.expect("<stream:stream");
        peer.expect("<stream:features");
        peer.send("<message from='x@b.example' to='alice@a.example' type='chat' id='m'><body>x</body></message>");
        alice.wait_for("<message from='x@b.example' id='m'");
    }
}

#[test]
fn another_identity_than_that_of_the_stream_is_an_invalid_authzid() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let shown = world.certificates().server(&["b.example", "c.example"]);
    let (mut peer, _) = opened(&a, "b.example", Some(&shown));
    peer.send(&auth(&base64(b"c.example")));
    peer.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><invalid-authzid");
    peer.send(&auth("?"));
    peer.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><incorrect-encoding");
    peer.send(&auth("="));
    peer.expect("<success");
}

#[test]
fn a_certificate_of_somebody_else_is_not_offered_and_not_taken_and_dialback_goes_on() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let strangers = world.strangers_certificates();
    for (what, shown) in [
        ("for another domain", Some(world.certificates().server(&["c.example"]))),
        ("for a subdomain", Some(world.certificates().server(&["x.b.example"]))),
        ("of a client", Some(world.certificates().client("b.example"))),
        ("of an authority that nobody trusts", Some(strangers.server(&["b.example"]))),
        ("none", None),
    ] {
        let (mut peer, offered) = opened(&a, "b.example", shown.as_ref());
        assert!(!offered, "{what}");
        peer.send(&auth(&base64(b"b.example")));
        peer.expect("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized");
        peer.send("<db:result from='b.example' to='a.example'>k</db:result>");
        peer.expect("<db:result from='a.example' to='b.example' type='error'><remote-server-not-found");
    }
}

#[test]
fn without_federation_ca_an_unknown_authority_is_no_authority() {
    let world = World::new();
    let a = world.server("a.example", "alice", "[federation]\nca = \"\"");
    let shown = world.certificates().server(&["b.example"]);
    let (_, offered) = opened(&a, "b.example", Some(&shown));
    assert!(!offered);
}

#[test]
fn authorities_count_from_a_reload_on_and_a_file_without_any_changes_nothing() {
    let world = World::new();
    let a = world.server("a.example", "alice", "[federation]\nca = \"\"");
    let shown = world.certificates().server(&["b.example"]);
    assert!(!opened(&a, "b.example", Some(&shown)).1);
    let file = a.folder().join("authorities.pem");
    std::fs::copy(world.certificates().ca(), &file).expect("the file can be written");
    a.write_options("[federation]\nca = \"{folder}/authorities.pem\"");
    let told = a.control().run("reload", json!({})).to_string();
    assert!(told.contains("reloaded: federation.ca"), "{told}");
    assert!(opened(&a, "b.example", Some(&shown)).1);
    let stranger = world.strangers_certificates();
    std::fs::write(&file, "nothing").expect("the file can be written");
    let told = a.control().ask("reload", json!({})).to_string();
    assert!(told.contains("federation.ca") && told.contains("no certificate"), "{told}");
    assert!(opened(&a, "b.example", Some(&shown)).1);
    std::fs::copy(stranger.ca(), &file).expect("the file can be written");
    let told = a.control().run("reload", json!({})).to_string();
    assert!(told.contains("read again: federation.ca"), "{told}");
    assert!(!opened(&a, "b.example", Some(&shown)).1);
    assert!(opened(&a, "b.example", Some(&stranger.server(&["b.example"]))).1);
}

#[test]
fn a_star_is_one_label() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let shown = world.certificates().server(&["*.b.example"]);
    for (domain, expected) in [("chat.b.example", true), ("b.example", false), ("x.chat.b.example", false)] {
        assert_eq!(opened(&a, domain, Some(&shown)).1, expected, "{domain}");
    }
}

#[test]
fn whoever_fails_again_and_again_is_cut_off() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let (mut peer, _) = opened(&a, "b.example", None);
    for _ in 0..2 {
        peer.send(&auth("="));
        peer.expect("<failure");
    }
    peer.send(&auth("="));
    peer.expect_stream_error("policy-violation");
}

#[test]
fn the_stream_behind_the_proof_is_for_the_same_domains() {
    let world = World::new();
    let a = world.setup("a.example", "alice").domain("other.example").start();
    let shown = world.certificates().server(&["b.example", "c.example"]);
    for (from, to, condition) in
        [("c.example", "a.example", "invalid-from"), ("b.example", "other.example", "not-authorized")]
    {
        let (mut peer, _) = opened(&a, "b.example", Some(&shown));
        peer.send(&auth("="));
        peer.expect("<success");
        peer.send(&server_header(from, to));
        peer.expect_stream_error(condition);
    }
}
