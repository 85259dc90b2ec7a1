//! Logging in by XEP-0388 with what goes along with it: the resource (XEP-0386), tokens for the next time (XEP-0484), and everybody who
//! must not get in that way.
#![allow(clippy::unwrap_used)]

mod binding;
mod hostile;
mod login;
mod resumption;
mod tokens;
mod upgrade;

use metronome_testkit::{Backend, Client, Seen, Server, Setup, user_agent};

const PHONE: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const DESK: &str = "0e0f0a0b-1d72-4749-b3d3-740edbf87771";

const UNBOUND: &str = "HT-SHA-256-NONE";
const BOUND: [&str; 2] = ["HT-SHA-256-EXPR", "HT-SHA-256-ENDP"];

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

/// A request for a resource, with what is asked for along with it.
fn bind(tag: &str, inside: &str) -> String {
    format!("<bind xmlns='urn:xmpp:bind:0'><tag>{tag}</tag>{inside}</bind>")
}

fn request_token(mechanism: &str) -> String {
    format!("<request-token xmlns='urn:xmpp:fast:0' mechanism='{mechanism}'/>")
}

/// What a phone says that binds and asks for a token.
fn phone_wants(mechanism: &str) -> String {
    user_agent(PHONE) + &bind("phone", "") + &request_token(mechanism)
}

/// What a phone says that uses a token.
fn phone_uses(attributes: &str) -> String {
    user_agent(PHONE) + &bind("phone", "") + &format!("<fast xmlns='urn:xmpp:fast:0' {attributes}/>")
}

/// A client that has logged in, with its success; the features behind it are passed over.
fn logged_in(server: &Server, username: &str, inside: &str) -> (Client, Seen) {
    let mut client = Client::direct_tls(server);
    let success = client.log_in_second(username, inside);
    client.expect("<stream:features");
    (client, success)
}

/// Waits until what this client has sent to somebody is settled: a request to the same address is answered behind it.
fn settled(client: &mut Client, to: &str) {
    client.send(&format!("<iq type='get' id='settled' to='{to}'><ping xmlns='urn:xmpp:ping'/></iq>"));
    client.wait_for("<iq id='settled'");
}
