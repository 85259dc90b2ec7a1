//! Nobody takes all of what leads to other servers: whoever writes to very many has a share, and others go on.

use std::net::TcpListener;

use metronome_testkit::World;

use crate::online;

/// More than there are streams that can be opened at a time.
const MANY: usize = 300;

#[test]
fn whoever_writes_to_hundreds_of_silent_servers_holds_up_nobody_else() {
    let world = World::new();
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for n in 0..MANY {
        world.publish_at(&format!("{n}.silent.example"), silent.local_addr().unwrap());
    }
    let options = "[federation]\nlimits.new_domains = \"1000/h\"";
    let a = world.setup("a.example", "alice").account("carol@a.example").options(options).start();
    world.publish("a.example", &a);
    let b = world.server("b.example", "bob", "");
    let (mut alice, mut carol) = (online(&a, "alice", "a.example"), online(&a, "carol", "a.example"));
    let mut bob = online(&b, "bob", "b.example");
    for n in 0..MANY {
        alice.send(&format!("<message to='x@{n}.silent.example' type='chat'><body>x</body></message>"));
    }
    alice.so_far();
    carol.send("<message to='bob@b.example' type='chat' id='m'><body>hello</body></message>");
    bob.wait_for("<message id='m' from='carol@a.example/here'");
    carol.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    carol.wait_for("<iq type='result' id='p' from='b.example'");
}

#[test]
fn a_household_that_shows_many_keys_holds_up_nobody_else() {
    let world = World::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for n in 0..MANY {
        world.publish_at(&format!("{n}.silent.example"), silent.local_addr().unwrap());
    }
    let a = world.server("a.example", "alice", "[limits]\ns2s.unproved = 100");
    // As many as there are turns, of which each waits for a server that does not answer.
    let mut strangers = Vec::new();
    for stream in 0..70 {
        let mut stranger = a.dial_as_server().from("127.0.0.9").domain("a.example").direct();
        let domain = |n: usize| format!("{}.silent.example", 4 * stream + n);
        stranger.send(&metronome_testkit::server_header(&domain(0), "a.example"));
        stranger.expect("<stream:stream");
        stranger.expect("<stream:features");
        for n in 0..4 {
            stranger.send(&format!("<db:result from='{}' to='a.example'>key</db:result>", domain(n)));
        }
        strangers.push(stranger);
    }
    let b = world.server("b.example", "bob", "[federation]\nproofs = [\"dialback\"]");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    bob.send("<message to='alice@a.example' type='chat' id='m'><body>hello</body></message>");
    alice.wait_for("<message id='m' from='bob@b.example/here'");
}
