//! Servers that talk to each other over real sockets: how they find, encrypt and prove themselves, and what they do with those who lie.

mod dialback;
mod endings;
mod external;
mod gate;
mod hostile;
mod management;
mod outgoing;
mod restarts;
mod shares;
mod streams;
mod unasked;
mod zoo;

use metronome_testkit::{Client, Server, World, server_header};

/// A client of an account, which is available.
#[track_caller]
fn online(server: &Server, account: &str, domain: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(account, "here");
    client.available();
    client
}

/// A scripted server with a certificate for these domains that has opened its stream as the first of them.
#[track_caller]
fn opened(world: &World, server: &Server, domains: &[&str]) -> Client {
    let shown = world.certificates().server(domains);
    let mut peer = server.dial_as_server().certificate(&shown).domain("a.example").direct();
    peer.send(&server_header(domains[0], "a.example"));
    peer
}

/// The same, and it has proved what its certificate says.
#[track_caller]
fn proved(world: &World, server: &Server, domains: &[&str]) -> Client {
    let mut peer = opened(world, server, domains);
    peer.expect("<stream:stream");
    peer.expect("<stream:features");
    peer.send(&format!("<db:result from='{}' to='a.example'>k</db:result>", domains[0]));
    peer.expect(&format!("<db:result from='a.example' to='{}' type='valid'", domains[0]));
    peer
}
