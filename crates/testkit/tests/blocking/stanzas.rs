//! What goes no further between an account and those it has blocked, in both directions (XEP-0191 sections 3.3 and 3.4).

use metronome_testkit::{Client, Server, on_both_stores};

use crate::{ask, befriend, block, condition, heard, online, say, set, unblock};

// XEP-0016 example 49
// XEP-0016 example 50
#[test]
fn who_is_blocked_hears_what_is_heard_of_nobody() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        set(&mut alice, &block(&["bob@localhost"]));
        alice.so_far();
        bob.so_far();
        let stanzas = [
            "<message to='TO' type='chat' id='s'><body>hi</body></message>",
            "<message to='TO' id='s'><body>hi</body></message>",
            "<message to='TO' type='headline' id='s'><body>hi</body></message>",
            "<message to='TO' type='groupchat' id='s'><body>hi</body></message>",
            "<message to='TO' type='chat' id='s'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
            "<iq to='TO' type='get' id='s'><query xmlns='jabber:iq:version'/></iq>",
            "<iq to='TO' type='get' id='s'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
            "<iq to='TO' type='get' id='s'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
            "<iq to='TO' type='get' id='s'><query xmlns='jabber:iq:last'/></iq>",
            "<iq to='TO' type='get' id='s'><vCard xmlns='vcard-temp'/></iq>",
            "<iq to='TO' type='set' id='s'><query xmlns='urn:example:x'/></iq>",
        ];
        for stanza in stanzas {
            let mut answers = ["alice@localhost", "nobody@localhost"].map(|to| {
                bob.send(&stanza.replace("TO", to));
                let answer = bob.next_piece();
                assert_eq!(answer.attribute("from").as_deref(), Some(to), "{answer}");
                answer.replace(to, "TO")
            });
            let [blocked, nobody] = &mut answers;
            assert_eq!(blocked, nobody, "{stanza}");
        }
        for to in ["alice@localhost", "alice@localhost/phone"] {
            assert_eq!(condition(&say(&mut bob, to, "hi")[0]), "service-unavailable");
            assert_eq!(
                condition(&ask(&mut bob, "get", to, "<query xmlns='jabber:iq:version'/>")),
                "service-unavailable"
            );
            // Neither presence nor answers are answered.
            for stanza in [
                "<presence/>",
                "<presence type='unavailable'/>",
                "<presence type='probe'/>",
                "<presence type='subscribe'/>",
                "<presence type='subscribed'/>",
                "<iq type='result' id='x'/>",
                "<message type='error' id='x'/>",
            ] {
                let end = stanza.find([' ', '/']).unwrap();
                bob.send(&format!("{} to='{to}'{}", &stanza[..end], &stanza[end..]));
            }
            let came = bob.settle(to);
            assert!(came.iter().all(|seen| seen.name() == "iq"), "only the roster follows: {came:?}");
        }
        alice.expect_nothing_before_ping();
        set(&mut alice, &unblock(&["bob@localhost"]));
        alice.so_far();
        assert!(say(&mut bob, "alice@localhost", "again").iter().all(|seen| seen.name() != "message"));
        assert_eq!(heard(&mut alice), ["again"]);
    });
}

#[test]
fn nothing_of_the_blocked_is_kept() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        set(&mut alice, &block(&["bob@localhost"]));
        alice.close();
        let mut bob = Client::login(server, "bob", "desk");
        let mut carol = Client::login(server, "carol", "desk");
        assert_eq!(condition(&say(&mut bob, "alice@localhost", "kept-not")[0]), "service-unavailable");
        assert!(say(&mut carol, "alice@localhost", "kept").is_empty());
        bob.send("<presence type='subscribe' to='alice@localhost'/>");
        bob.settle("alice@localhost");
        let mut alice = online(server, "alice", "phone");
        alice.so_far();
        set(&mut alice, &unblock(&[]));
        let mut desk = Client::login(server, "alice", "desk");
        desk.send("<presence/>");
        let came = desk.so_far();
        assert!(!came.iter().any(|seen| seen.contains("kept-not") || seen.contains("subscribe")), "{came:?}");
        // Neither side has a row of what was refused.
        for client in [&mut alice, &mut bob] {
            client.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
            loop {
                let seen = client.next_piece();
                assert!(!seen.contains("kept-not"), "{seen}");
                if seen.fits("<iq id='mam'") {
                    break;
                }
            }
        }
    });
}

#[test]
fn what_waits_from_the_blocked_does_not_come_until_they_are_unblocked() {
    let server = Server::start();
    let mut bob = Client::login(&server, "bob", "desk");
    say(&mut bob, "alice@localhost", "before");
    let mut alice = Client::login(&server, "alice", "phone");
    set(&mut alice, &block(&["bob@localhost"]));
    alice.send("<presence/>");
    assert!(heard(&mut alice).is_empty());
    set(&mut alice, &unblock(&["bob@localhost"]));
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send("<presence/>");
    desk.wait_for("<message from='bob@localhost/desk'");
}

// XEP-0191 example 9
// XEP-0016 example 51
#[test]
fn nothing_goes_to_the_blocked_either() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        set(&mut alice, &block(&["bob@localhost"]));
        alice.so_far();
        bob.so_far();
        for to in ["bob@localhost", "bob@localhost/desk"] {
            for stanza in [
                "<message to='TO' id='s' type='chat'><body>hi</body></message>",
                "<presence to='TO' id='s'/>",
                "<presence to='TO' id='s' type='subscribe'/>",
                "<iq to='TO' id='s' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
            ] {
                alice.send(&stanza.replace("TO", to));
                let answer = alice.next_piece();
                assert_eq!(answer.attribute("from").as_deref(), Some(to), "{answer}");
                assert_eq!(condition(&answer), "not-acceptable");
                assert!(answer.contains("<error type='cancel'>"), "{answer}");
                assert!(answer.contains("<blocked xmlns='urn:xmpp:blocking:errors'/>"), "{answer}");
            }
            alice.send(&format!("<iq to='{to}' id='s' type='result'/>"));
            alice.send(&format!("<message to='{to}' id='s' type='error'/>"));
            alice.settle(to);
        }
        alice.expect_nothing_before_ping();
        bob.expect_nothing_before_ping();
    });
}

#[test]
fn own_sessions_are_never_kept_from_each_other() {
    let server = Server::start();
    let mut phone = online(&server, "alice", "phone");
    let mut desk = online(&server, "alice", "desk");
    phone.so_far();
    set(&mut phone, &block(&["alice@localhost", "localhost"]));
    for client in [&mut phone, &mut desk] {
        let came = client.so_far();
        assert!(came.iter().all(|seen| seen.name() != "presence"), "{came:?}");
    }
    say(&mut phone, "alice@localhost/desk", "to-myself");
    assert_eq!(heard(&mut desk), ["to-myself"]);
    // The domain answers, although everybody else of it is blocked.
    let ping = ask(&mut phone, "get", "localhost", "<ping xmlns='urn:xmpp:ping'/>");
    assert!(ping.fits("<iq type='result'"), "{ping}");
    let mut bob = Client::login(&server, "bob", "desk");
    assert_eq!(condition(&say(&mut bob, "alice@localhost", "hi")[0]), "service-unavailable");
}

#[test]
fn one_resource_and_a_whole_domain_can_be_blocked() {
    let server = metronome_testkit::Setup::default().domain("second.example").account("dave@second.example").start();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, &block(&["bob@localhost/desk", "second.example"]));
    alice.so_far();
    let mut desk = Client::login(&server, "bob", "desk");
    let mut phone = Client::login(&server, "bob", "phone");
    assert_eq!(condition(&say(&mut desk, "alice@localhost", "no")[0]), "service-unavailable");
    assert!(say(&mut phone, "alice@localhost", "yes").is_empty());
    assert_eq!(heard(&mut alice), ["yes"]);
    alice.send("<message to='dave@second.example' id='m'><body>hi</body></message>");
    assert_eq!(condition(&alice.expect("<message type='error' id='m'")), "not-acceptable");
}

#[test]
fn a_block_counts_from_its_answer_on_whatever_is_on_its_way() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        befriend(&mut alice, &mut bob);
        for round in 0..20 {
            for number in 0..20 {
                bob.send(&format!(
                    "<message to='alice@localhost' type='chat' id='m{round}-{number}'><body>x</body></message>"
                ));
                bob.send("<presence><show>away</show></presence>");
                if number == 10 {
                    alice.send(&format!("<iq type='set' id='b{round}'>{}</iq>", block(&["bob@localhost"])));
                }
            }
            bob.settle("alice@localhost");
            alice.wait_for(&format!("<iq type='result' id='b{round}'"));
            // What had been handed over before may stand before the answer, a message behind it may not.
            let late = alice.so_far();
            assert!(late.iter().all(|seen| seen.name() != "message"), "{late:?}");
            let last = late.iter().rfind(|seen| seen.name() == "presence");
            assert!(last.is_none_or(|seen| seen.attribute("type").as_deref() == Some("unavailable")), "{late:?}");
            set(&mut alice, &unblock(&[]));
            alice.so_far();
            bob.so_far();
        }
    });
}
