//! People with several devices: what one device does and gets is known to the others, across bad connections and restarts.
#![allow(clippy::unwrap_used)]

mod carbons;
mod csi;
mod push;
mod resumed;

use metronome_testkit::{Client, Server, pass, quiet};

/// Logs in, asks for copies, and becomes available.
fn copied(server: &Server, name: &str, resource: &str) -> Client {
    let mut client = Client::login(server, name, resource);
    enable(&mut client);
    client.available();
    client
}

/// Asks for copies (XEP-0280 section 4).
fn enable(client: &mut Client) {
    client.send("<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    client.expect("<iq type='result' id='carbons'");
}
