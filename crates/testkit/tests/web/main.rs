//! The web server over the wire: what is answered to whom, XMPP over WebSocket (RFC 7395), and what hostile requests come to.
#![allow(clippy::unwrap_used)]

mod bosh;
mod chat;
mod framing;
mod host_meta;
mod hostile;
mod hosts;
mod metrics;
mod one_port;
mod proxies;
mod websocket;

use metronome_testkit::{Client, Server};

/// A client that has logged in over a WebSocket.
fn logged_in(server: &Server, username: &str, resource: &str) -> Client {
    let mut client = server.dial_as_browser().websocket();
    client.log_in(username, resource);
    client
}

fn chat(to: &str, body: &str) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}
