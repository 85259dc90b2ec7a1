//! Accounts over the wire: made and changed by their own clients (XEP-0077), locked and removed by administrators, and guests.
#![allow(clippy::unwrap_used)]

mod guest_data;
mod guests;
mod hostile;
mod locked;
mod newcomers;
mod own;
mod removal;
mod successor;

use metronome_testkit::{Backend, Client, Dial, Sasl, Seen, Server, Setup};

/// A server at which anybody may make any number of accounts.
fn open() -> Setup {
    open_with("")
}

/// The same with these options.
fn open_with(options: &str) -> Setup {
    let setup = Setup::default().store(Backend::Memory).options("registration.open = true");
    let free = "registration.per_address = \"1000/s\"\nregistration.total = \"1000/s\"";
    let given = |key: &str| options.contains(key);
    let free = free.lines().filter(|line| !given(line.split(' ').next().unwrap_or_default()));
    setup.options(&free.collect::<Vec<_>>().join("\n")).options(options)
}

/// An encrypted stream before the login.
fn stranger(server: &Server) -> Client {
    stranger_at(&server.dial())
}

/// The same from somewhere else.
fn stranger_at(dial: &Dial) -> Client {
    let mut client = dial.direct();
    client.open();
    client
}

/// Asks for an account with the older fields.
fn send_fields(client: &mut Client, username: &str, password: &str) {
    send_set(client, &format!("<username>{username}</username><password>{password}</password>"));
}

fn send_set(client: &mut Client, inside: &str) {
    client.send(&format!("<iq type='set' id='set'><query xmlns='jabber:iq:register'>{inside}</query></iq>"));
}

/// Demands that the last set was refused with this condition and type.
#[track_caller]
fn expect_refused(client: &mut Client, kind: &str, condition: &str) -> Seen {
    let condition = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'");
    let refused = client.expect("<iq type='error' id='set'");
    assert!(
        refused.contains(&format!("<error type='{kind}'>{condition}")),
        "expected {kind} {condition}\n   found {refused}"
    );
    assert!(!refused.contains("jabber:iq:register"), "what was sent does not come back: {refused}");
    refused
}

/// Whether somebody can log in with this password.
fn can_log_in(server: &Server, username: &str, password: &str) -> bool {
    let mut client = stranger(server);
    client.sasl(&Sasl::new("SCRAM-SHA-256", username, password)).fits("<success")
}

/// Logs in with a password of one's own.
fn log_in(server: &Server, username: &str, password: &str, resource: &str) -> Client {
    let mut client = stranger(server);
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", username, password)).fits("<success"), "{username} can log in");
    client.open();
    client.bind(resource);
    client
}
