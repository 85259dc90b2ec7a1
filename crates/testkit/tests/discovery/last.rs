//! XEP-0012: for how long the server has been up, and how long ago somebody was there.

use metronome_testkit::{Client, Seen, Server, on_both_stores};

use crate::{ask, condition, online, subscribe, without_sender};

const ASKED: &str = "<query xmlns='jabber:iq:last'/>";

fn seconds(answer: &Seen) -> u64 {
    answer.attribute_of("query", "seconds").unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

/// Bob says goodbye with a status and ends his stream.
fn leave(mut bob: Client, alice: &mut Client, status: &str) {
    bob.send(&format!("<presence type='unavailable'><status>{status}</status></presence>"));
    alice.wait_for("<presence type='unavailable' from='bob@localhost/desk'");
    bob.close();
}

#[test]
fn the_host_tells_its_uptime() {
    let server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    let first = ask(&mut alice, "get", "localhost", ASKED);
    assert!(first.contains(&format!("seconds='{}'/>", seconds(&first))), "there is no text: {first}");
    assert!(seconds(&ask(&mut alice, "get", "localhost", ASKED)) >= seconds(&first));
}

#[test]
fn a_contact_who_is_there_was_active_now() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        subscribe(&mut alice, &mut bob);
        for to in ["bob@localhost", "", "alice@localhost"] {
            let answer = ask(&mut alice, "get", to, ASKED);
            assert!(answer.contains("<query xmlns='jabber:iq:last' seconds='0'/>"), "{to}: {answer}");
        }
    });
}

#[test]
fn a_contact_who_has_gone_has_left_a_time_and_a_status() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        subscribe(&mut alice, &mut bob);
        leave(bob, &mut alice, "Heading &lt;Home&gt;");
        let answer = ask(&mut alice, "get", "bob@localhost", ASKED);
        assert!(answer.contains(">Heading &lt;Home&gt;</query>") && seconds(&answer) < 60, "{answer}");
        // Back, without being available: his presence says that he is not there, so this says it as well.
        let mut bob = Client::login(server, "bob", "desk");
        assert!(ask(&mut alice, "get", "bob@localhost", ASKED).contains("Heading"));
        bob.send("<presence/>");
        alice.wait_for("<presence from='bob@localhost/desk'");
        assert_eq!(ask(&mut alice, "get", "bob@localhost", ASKED).text_of("query").unwrap(), "");
    });
}

#[test]
fn a_departure_outlives_a_stop() {
    let mut server = Server::start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    subscribe(&mut alice, &mut bob);
    leave(bob, &mut alice, "good night");
    server.restart();
    let mut alice = Client::login(&server, "alice", "phone");
    let answer = ask(&mut alice, "get", "bob@localhost", ASKED);
    assert!(answer.contains(">good night</query>"), "{answer}");
}

#[test]
fn a_contact_who_was_never_there_has_left_nothing() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        // Bob lets her see him before he has ever shown himself.
        let mut bob = Client::login(server, "bob", "desk");
        bob.send("<presence to='alice@localhost' type='subscribed'/>");
        bob.so_far();
        alice.send("<presence to='bob@localhost' type='subscribe'/>");
        alice.wait_for("<presence type='subscribed'");
        assert_eq!(condition(&ask(&mut alice, "get", "bob@localhost", ASKED)), "item-not-found");
    });
}

/// Sections 3 and 8: neither by the account's address nor by that of a resource.
#[test]
fn strangers_learn_nothing_not_even_whether_an_account_exists() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let mut carol = online(server, "carol", "car");
        // That alice lets bob see her gives her no right to see him.
        subscribe(&mut bob, &mut alice);
        for resource in ["", "/desk", "/car"] {
            let answers = ["bob", "carol", "nobody"].map(|name| {
                let answer = ask(&mut alice, "get", &format!("{name}@localhost{resource}"), ASKED);
                assert_eq!(condition(&answer), "forbidden", "{name}{resource}: {answer}");
                without_sender(&answer).replace(resource, "")
            });
            assert!(answers[0] == answers[1] && answers[1] == answers[2], "{answers:?}");
        }
        bob.expect_nothing_before_ping();
        carol.expect_nothing_before_ping();
    });
}

#[test]
fn a_contacts_client_is_asked_itself() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        subscribe(&mut alice, &mut bob);
        alice.send(&format!("<iq type='get' id='l' to='bob@localhost/desk'>{ASKED}</iq>"));
        let asked = bob.wait_for("<iq type='get' from='alice@localhost/phone' id='l'");
        assert!(asked.contains("jabber:iq:last"), "{asked}");
        bob.send(
            "<iq type='result' id='l' to='alice@localhost/phone'><query xmlns='jabber:iq:last' seconds='123'/></iq>",
        );
        assert_eq!(seconds(&alice.wait_for("<iq type='result' from='bob@localhost/desk' id='l'")), 123);
        assert_eq!(condition(&ask(&mut alice, "get", "bob@localhost/gone", ASKED)), "service-unavailable");
    });
}
