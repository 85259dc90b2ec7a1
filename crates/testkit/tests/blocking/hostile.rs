//! What hostile clients try with blocking: to fill it, to forge it, and to find out about others.

use metronome_testkit::{Client, Server, Setup, on_both_stores_with};

use crate::{ask, block, blocklist, condition, online, privacy, set, set_list, unblock};

#[test]
fn an_account_has_only_so_many_rules() {
    on_both_stores_with("limits.blocking = 5", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        let many: Vec<String> = (0..6).map(|number| format!("{number}@localhost")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(condition(&ask(&mut alice, "set", "", &block(&many))), "resource-constraint");
        assert!(blocklist(&mut alice).is_empty());
        // All at once, so that none waits for the answer to another: exactly what fits is blocked.
        for jid in &many {
            alice.send(&format!("<iq type='set' id='{jid}'>{}</iq>", block(&[jid])));
        }
        let mut outcomes = Vec::new();
        for jid in &many {
            outcomes.push(alice.wait_for(&format!("<iq id='{jid}'")).attribute("type").unwrap());
        }
        assert_eq!(outcomes, ["result", "result", "result", "result", "result", "error"]);
        // The other door has the same quota.
        let item = "<list name='x'><item action='deny' order='1'/></list>";
        assert_eq!(condition(&ask(&mut alice, "set", "", &privacy(item))), "resource-constraint");
        set(&mut alice, &unblock(&["0@localhost"]));
        set(&mut alice, &privacy(item));
    });
}

#[test]
fn lists_have_a_bound_in_number_and_in_bytes() {
    let server = Setup::default().options("limits.blocking = 10000").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let item = "<item action='allow' order='1'/>";
    for number in 0..64 {
        set_list(&mut alice, &number.to_string(), item);
    }
    let one_more = privacy(&format!("<list name='more'>{item}</list>"));
    assert_eq!(condition(&ask(&mut alice, "set", "", &one_more)), "resource-constraint");
    set_list(&mut alice, "0", item);
    let long = |list: usize| {
        let items = (0..80).map(|number| {
            let jid = format!("{}{list}-{number}@localhost", "x".repeat(1000));
            format!("<item type='jid' value='{jid}' action='deny' order='{number}'/>")
        });
        privacy(&format!("<list name='{list}'>{}</list>", items.collect::<String>()))
    };
    let kinds: Vec<String> =
        (0..8).map(|list| ask(&mut alice, "set", "", &long(list)).attribute("type").unwrap()).collect();
    assert!(kinds[..5].iter().all(|kind| kind == "result") && kinds[7] == "error", "{kinds:?}");
}

#[test]
fn nobody_reaches_anothers_lists() {
    let server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    set(&mut alice, &block(&["carol@localhost"]));
    let mut bob = Client::login(&server, "bob", "desk");
    for payload in [block(&["eve@localhost"]), unblock(&[]), privacy("<default/>")] {
        for to in ["alice@localhost", "nobody@localhost", "alice@localhost/phone", "localhost"] {
            assert_eq!(condition(&ask(&mut bob, "set", to, &payload)), "service-unavailable", "{to}: {payload}");
        }
    }
    for payload in ["<blocklist xmlns='urn:xmpp:blocking'/>".to_owned(), privacy("")] {
        for to in ["alice@localhost", "nobody@localhost"] {
            assert_eq!(condition(&ask(&mut bob, "get", to, &payload)), "service-unavailable", "{to}: {payload}");
        }
    }
    assert_eq!(blocklist(&mut alice), ["carol@localhost"]);
}

#[test]
fn nobody_forges_a_push() {
    let server = Server::start();
    let mut alice = online(&server, "alice", "phone");
    blocklist(&mut alice);
    let mut bob = online(&server, "bob", "desk");
    // A friend's client may ask things of ours, and what it asks comes from it and from nobody else.
    alice.send("<presence to='bob@localhost/desk'/>");
    bob.wait_for("<presence from='alice@localhost/phone'");
    bob.send(&format!(
        "<iq type='set' id='forged' to='{}' from='alice@localhost'>{}</iq>",
        alice.jid(),
        block(&["x@y"])
    ));
    let seen = alice.expect("<iq type='set' id='forged'");
    assert_eq!(seen.attribute("from").as_deref(), Some(bob.jid()));
    // Answers to pushes that were never sent go nowhere.
    alice.send("<iq type='result' id='block-1'/><iq type='error' id='list-1'/>");
    alice.expect_nothing_before_ping();
    assert!(blocklist(&mut alice).is_empty());
}
