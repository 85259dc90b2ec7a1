//! Whoever gets the name of a removed account is a stranger to those who knew the former one, whatever they had allowed and wherever
//! they are (RFC 6121 sections 3.4 and 4.2).

use metronome_testkit::{Client, Server, Setup, on_both_stores};
use serde_json::json;

use super::send_set;

const ALICE: &str = "alice@localhost";

fn interested(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "phone");
    client.roster();
    client
}

fn online(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = interested(server, domain, name);
    client.send("<presence/>");
    client.so_far();
    client
}

fn say(client: &mut Client, verb: &str, to: &str) {
    client.send(&format!("<presence type='{verb}' to='{to}'/>"));
    client.settle(to);
}

fn befriend(a: &mut Client, b: &mut Client) {
    let (of_a, of_b) = (a.bare().to_owned(), b.bare().to_owned());
    say(a, "subscribe", &of_b);
    say(b, "subscribed", &of_a);
    say(b, "subscribe", &of_a);
    say(a, "subscribed", &of_b);
    a.so_far();
    b.so_far();
}

fn removes_herself(alice: &mut Client) {
    send_set(alice, "<remove/>");
    alice.wait_for("<iq type='result' id='set'");
    alice.expect_stream_error("not-authorized");
}

#[test]
fn an_approval_in_advance_does_not_let_the_next_holder_of_the_name_in() {
    on_both_stores(|server| {
        let mut alice = interested(server, "localhost", "alice");
        let mut bob = online(server, "localhost", "bob");
        say(&mut bob, "subscribed", ALICE);
        bob.so_far();
        assert_eq!(bob.roster().lines(), ["alice@localhost none approved"]);
        removes_herself(&mut alice);
        assert_eq!(bob.expect_push().item.to_string(), "alice@localhost none");
        server.control().add_user(ALICE);
        let mut successor = online(server, "localhost", "alice");
        say(&mut successor, "subscribe", "bob@localhost");
        assert!(!successor.so_far().iter().any(|seen| seen.fits("<presence type='subscribed'")));
        bob.wait_for("<presence type='subscribe' from='alice@localhost'");
    });
}

#[test]
fn a_contact_whose_domain_is_switched_off_does_not_see_the_next_holder_of_the_name() {
    const SECOND: &str = "second.example";
    let server = Setup::default().domain(SECOND).account("dave@second.example").start();
    let mut alice = online(&server, "localhost", "alice");
    let mut dave = online(&server, SECOND, "dave");
    befriend(&mut alice, &mut dave);
    server.control().run("host disable", json!({ "name": SECOND }));
    dave.wait_for("<stream:error");
    alice.so_far();
    removes_herself(&mut alice);
    server.control().run("host enable", json!({ "name": SECOND }));
    server.control().add_user(ALICE);
    let mut successor = online(&server, "localhost", "alice");
    let mut dave = interested(&server, SECOND, "dave");
    assert_eq!(dave.roster().lines(), ["alice@localhost none"]);
    // Neither sees the other come, is answered as a contact, or sees the other go.
    dave.send("<presence/>");
    let came = dave.so_far();
    assert!(!came.iter().any(|seen| seen.contains(ALICE)), "{came:?}");
    successor.send("<presence type='probe' to='dave@second.example'/>");
    successor.settle("dave@second.example");
    successor.send("<presence><status>new here</status></presence>");
    successor.so_far();
    dave.expect_nothing_before_ping();
    dave.close();
    successor.expect_nothing_before_ping();
}

#[test]
fn who_is_merely_listed_does_not_hear_of_a_removal() {
    on_both_stores(|server| {
        let mut alice = interested(server, "localhost", "alice");
        let mut bob = online(server, "localhost", "bob");
        alice.set_item("<item jid='bob@localhost'/>");
        bob.set_item("<item jid='alice@localhost' name='Alice'/>");
        removes_herself(&mut alice);
        bob.expect_nothing_before_ping();
        assert_eq!(bob.roster().lines(), ["alice@localhost none 'Alice'"]);
    });
}
