//! Guests (SASL ANONYMOUS, XEP-0175): let in only where a host asks for them, and nothing is stored for them.
//! And SCRAM-SHA-384, which is offered only where it is listed.
#![allow(clippy::unwrap_used)]

use metronome_testkit::{Backend, Client, Sasl, Server, Setup};

fn with_guests() -> Server {
    Setup::default()
        .store(Backend::Sqlite)
        .options("auth.mechanisms = [\"SCRAM-SHA-384\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"ANONYMOUS\"]")
        .start()
}

fn guest(server: &Server) -> Client {
    let mut client = Client::direct_tls(server);
    assert!(client.open().contains("<mechanism>ANONYMOUS</mechanism>"));
    client.auth("ANONYMOUS", b"");
    client.expect("<success");
    client.open();
    client.bind("");
    client
}

#[test]
fn each_guest_has_an_address_of_its_own_and_chats_with_those_who_are_there() {
    let server = with_guests();
    let mut one = guest(&server);
    let mut two = guest(&server);
    assert_ne!(one.jid().split_once('@'), two.jid().split_once('@'));
    one.available();
    two.available();
    let to = two.jid().split_once('/').unwrap().0.to_owned();
    one.send(&format!("<message to='{to}' type='chat' id='m1'><body>from guest to guest</body></message>"));
    let seen = two.expect("<message id='m1'");
    assert!(seen.contains("from guest to guest") && !seen.contains("stanza-id"), "nothing is stored: {seen}");

    let mut alice = Client::login(&server, "alice", "phone");
    alice.available();
    one.send("<message to='alice@localhost' type='chat' id='m2'><body>from guest to alice</body></message>");
    let seen = alice.expect("<message id='m2'");
    assert!(seen.contains("stanza-id"), "what an account receives is stored: {seen}");
}

#[test]
fn nobody_is_a_guest_any_more_after_the_stream() {
    let server = with_guests();
    let two = guest(&server);
    let to = two.jid().split_once('/').unwrap().0.to_owned();
    two.close();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send(&format!("<message to='{to}' type='chat' id='m1'><body>too late</body></message>"));
    assert!(alice.expect("<message id='m1'").contains("service-unavailable"));
}

#[test]
fn sha_384_logs_in_where_it_is_listed() {
    let server = with_guests();
    let mut client = Client::direct_tls(&server);
    client.open();
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-384", "alice", "alice-secret")).fits("<success"));
}
