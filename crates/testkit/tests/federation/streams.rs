//! Two real servers and what flows between them.

use metronome_testkit::{Client, Server, World};

use crate::online;

/// A message in each direction.
fn chat(alice: &mut Client, bob: &mut Client) {
    alice.send("<message to='bob@b.example' type='chat' id='there'><body>hello</body></message>");
    bob.wait_for("<message id='there' from='alice@a.example/here' to='bob@b.example'");
    bob.send("<message to='alice@a.example' type='chat' id='back'><body>hello yourself</body></message>");
    alice.wait_for("<message id='back' from='bob@b.example/here' to='alice@a.example'");
}

fn both(world: &World, options: &str) -> (Server, Server) {
    (world.server("a.example", "alice", options), world.server("b.example", "bob", options))
}

#[test]
fn messages_go_both_ways_over_starttls_and_certificates() {
    let world = World::new();
    let (a, b) = both(&world, "");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    b.expect_log("method=\"external\"");
}

#[test]
fn messages_go_both_ways_with_tls_from_the_first_byte() {
    let world = World::new();
    let a = world.setup("a.example", "alice").start();
    let b = world.setup("b.example", "bob").start();
    world.publish_direct("a.example", &a);
    world.publish_direct("b.example", &b);
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    a.expect_log("method=\"certificate\"");
}

#[test]
fn servers_whose_certificates_nobody_vouches_for_prove_themselves_by_dialback() {
    let world = World::new();
    let (a, b) = both(&world, "[federation]\nca = \"\"");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    b.expect_log("method=\"dialback\"");
}

#[test]
fn where_only_certificates_count_one_that_nobody_vouches_for_is_none() {
    let world = World::new();
    let a = world.server("a.example", "alice", "[federation]\nca = \"\"");
    let b = world.server("b.example", "bob", "[federation]\nproofs = [\"certificate\"]\nca = \"\"");
    let mut alice = online(&a, "alice", "a.example");
    alice.send("<iq to='b.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.wait_for("<iq type='error' id='p' from='b.example'><remote-server-timeout");
    drop(b);
}

#[test]
fn one_connection_serves_both_directions() {
    let world = World::new();
    let (a, b) = both(&world, "");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    b.expect_log("a server has proved its domain");
    assert!(!b.log().text().contains("a server takes our stanzas"), "b has opened no stream of its own");
}

#[test]
fn a_domain_that_is_excepted_has_a_connection_for_each_direction() {
    let world = World::new();
    let (a, b) = both(&world, "[federation]\nwithout_bidi = [\"a.example\", \"b.example\"]");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    b.expect_log("a server takes our stanzas");
    a.expect_log("a server takes our stanzas");
}

/// On which stream each of two domains of one server was proved to another one, where both have written to somebody.
fn links_of_two_domains(options: &str) -> Vec<String> {
    let world = World::new();
    let a = world.setup("a.example", "alice").domain("chat.a.example").account("carol@chat.a.example");
    let a = a.options(options).start();
    world.publish("a.example", &a);
    world.publish("chat.a.example", &a);
    let b = world.server("b.example", "bob", "[federation]\nwithout_bidi = [\"a.example\", \"chat.a.example\"]");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    let mut carol = online(&a, "carol", "chat.a.example");
    alice.send("<message to='bob@b.example' type='chat' id='one'><body>1</body></message>");
    bob.wait_for("<message id='one' from='alice@a.example/here'");
    carol.send("<message to='bob@b.example' type='chat' id='two'><body>2</body></message>");
    bob.wait_for("<message id='two' from='carol@chat.a.example/here'");
    b.expect_log("remote=\"chat.a.example\"");
    let text = b.log().text().to_owned();
    let proofs = text.lines().filter(|line| line.contains("a server has proved its domain"));
    proofs.filter_map(|line| line.split("link=").nth(1)?.split(' ').next().map(str::to_owned)).collect()
}

/// Some servers answer a request on the connection to whoever has opened the one that it came by: of another domain, that would be refused.
#[test]
fn each_domain_of_a_server_has_a_connection_of_its_own() {
    let links = links_of_two_domains("");
    assert!(links.len() == 2 && links[0] != links[1], "{links:?}");
}

#[test]
fn several_domains_of_a_server_share_a_connection_with_one_that_is_named() {
    let links = links_of_two_domains("[federation]\nshare = [\"b.example\"]");
    assert!(links.len() == 2 && links[0] == links[1], "{links:?}");
}

#[test]
fn a_silent_connection_is_closed_in_order_and_opened_again() {
    let world = World::new();
    let (a, b) = both(&world, "[federation]\nidle = \"1 s\"");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    b.expect_log("a server's stream is over");
    chat(&mut alice, &mut bob);
}

#[test]
fn what_could_not_be_sent_comes_back_with_the_reason() {
    let world = World::new();
    let a = world.server("a.example", "alice", "");
    let mut alice = online(&a, "alice", "a.example");
    alice.send("<iq to='nowhere.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.wait_for("<iq type='error' id='p' from='nowhere.example'><remote-server-not-found");
}

#[test]
fn a_server_that_is_back_gets_what_waited() {
    let world = World::new();
    let (a, mut b) = both(&world, "");
    let (mut alice, mut bob) = (online(&a, "alice", "a.example"), online(&b, "bob", "b.example"));
    chat(&mut alice, &mut bob);
    drop(bob);
    b.restart();
    world.publish("b.example", &b);
    let mut bob = online(&b, "bob", "b.example");
    alice.send("<message to='bob@b.example' type='chat' id='again'><body>back?</body></message>");
    bob.wait_for("<message id='again' from='alice@a.example/here'");
}
