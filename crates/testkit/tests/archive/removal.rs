//! What leaves an archive: what its owner removes, what is too old or too much, what an administrator removes.

use std::time::Instant;

use metronome_testkit::{Client, Seen, Server, Setup, WAIT, on_both_stores, on_both_stores_with};
use serde_json::json;

use crate::{ask, condition, form, query, refused, say, set};

const PURGE: &str = "http://metronome.im/protocol/mam-purge";

fn purge(client: &mut Client, inside: &str) -> Seen {
    ask(client, "set", "", &format!("<purge xmlns='{PURGE}'>{inside}</purge>"))
}

/// Alice writes to bob and carol in turn.
fn fill(alice: &mut Client, count: usize) {
    for n in 1..=count {
        let to = if n % 2 == 1 { "bob@localhost" } else { "carol@localhost" };
        say(alice, to, &n.to_string());
    }
}

#[test]
fn people_remove_everything_from_their_archive() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        fill(&mut alice, 5);
        say(&mut bob, "alice@localhost", "from bob");
        assert!(purge(&mut alice, "").fits("<iq type='result'"));
        let page = query(&mut alice, "");
        assert!(page.results.is_empty() && page.is_complete());
        assert_eq!(refused(&mut alice, &set("<after>3</after>")), "item-not-found");
        // Others keep theirs, and ids are not used again.
        assert_eq!(query(&mut bob, "").bodies(), ["1", "3", "5", "from bob"]);
        say(&mut alice, "bob@localhost", "new");
        assert_eq!(query(&mut alice, "").ids(), ["7"]);
        assert!(purge(&mut alice, "").fits("<iq type='result'"));
        assert!(purge(&mut alice, "").fits("<iq type='result'"), "there is nothing, and that is fine");
    });
}

#[test]
fn what_is_removed_in_the_middle_leaves_its_place() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        fill(&mut alice, 6);
        let ids = query(&mut alice, "").ids();
        assert!(purge(&mut alice, &format!("<id>{}</id>", ids[2])).fits("<iq type='result'"));
        let page = query(&mut alice, "");
        assert_eq!(page.ids(), ids);
        let blank = &page.results[2];
        assert!(!blank.contains("<body") && blank.contains("to='bob@localhost' id='3'"), "{blank}");
        assert!(purge(&mut alice, "<jid>carol@localhost</jid>").fits("<iq type='result'"));
        let page = query(&mut alice, "");
        let left: Vec<_> = page.results.iter().filter_map(|result| result.text_of("body")).collect();
        assert_eq!(left, ["1", "5"]);
        assert_eq!(query(&mut alice, &form(&[("with", "carol@localhost")])).ids().len(), 3);
        // From a time on.
        let stamp = page.results[4].attribute_of("delay", "stamp").unwrap();
        assert!(purge(&mut alice, &format!("<start>{stamp}</start>")).fits("<iq type='result'"));
        let page = query(&mut alice, "");
        assert_eq!(page.ids(), ids);
        assert!(!page.results[4].contains("<body"));
    });
}

#[test]
fn what_is_older_than_a_time_is_gone() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        fill(&mut alice, 4);
        let page = query(&mut alice, "");
        let stamp = page.results[1].attribute_of("delay", "stamp").unwrap();
        assert!(purge(&mut alice, "<end>2010-01-01T00:00:00Z</end>").fits("<iq type='result'"));
        assert_eq!(query(&mut alice, "").ids().len(), 4);
        assert!(purge(&mut alice, &format!("<end>{stamp}</end>")).fits("<iq type='result'"));
        let left = query(&mut alice, "").ids();
        assert!(left.len() <= 2 && !left.contains(&"1".to_owned()) && left.contains(&"4".to_owned()), "{left:?}");
    });
}

#[test]
fn a_purge_that_is_not_understood_removes_nothing() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        fill(&mut alice, 2);
        for wrong in
            ["<with>bob@localhost</with>", "<jid>@</jid>", "<start>now</start>", "<id>1</id><jid>bob@localhost</jid>"]
        {
            assert_eq!(condition(&purge(&mut alice, wrong)), "bad-request", "{wrong}");
        }
        for id in ["3", "0", "x", "99999999999999999999"] {
            assert_eq!(condition(&purge(&mut alice, &format!("<id>{id}</id>"))), "item-not-found");
        }
        for to in ["alice@localhost", "nobody@localhost"] {
            let answer = ask(&mut bob, "set", to, &format!("<purge xmlns='{PURGE}'/>"));
            assert_eq!(condition(&answer), "service-unavailable");
        }
        assert_eq!(query(&mut alice, "").bodies(), ["1", "2"]);
        assert_eq!(condition(&purge(&mut bob, "<id>99</id>")), "item-not-found");
    });
}

#[test]
fn an_administrator_may_keep_people_from_removing() {
    on_both_stores_with("archive.purge = false", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        fill(&mut alice, 2);
        assert_eq!(condition(&purge(&mut alice, "")), "not-allowed");
        assert_eq!(query(&mut alice, "").bodies(), ["1", "2"]);
    });
}

#[test]
fn an_archive_holds_so_many_messages_and_the_newest_stay() {
    on_both_stores_with("archive.messages = 3", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        fill(&mut alice, 8);
        server.control().run("archive expire", json!({}));
        assert_eq!(query(&mut alice, "").bodies(), ["6", "7", "8"]);
        // Bob has not seen his four yet: they wait.
        let mut bob = Client::login(server, "bob", "desk");
        bob.send("<presence/>");
        for body in ["1", "3", "5", "7"] {
            assert!(bob.wait_for("<message").contains(&format!("<body>{body}</body>")));
        }
        bob.close();
        let mut bob = Client::login(server, "bob", "desk");
        // What the closed stream has proved is noted behind its end.
        let deadline = Instant::now() + WAIT;
        while query(&mut bob, "").bodies() != ["3", "5", "7"] {
            assert!(Instant::now() < deadline, "what was seen does not leave");
            server.control().run("archive expire", json!({}));
        }
    });
}

#[test]
fn an_account_may_have_limits_of_its_own() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        fill(&mut alice, 5);
        let control = server.control();
        control.run("archive keep", json!({ "jid": "alice@localhost", "messages": 2 }));
        control.run("archive expire", json!({}));
        assert_eq!(query(&mut alice, "").bodies(), ["4", "5"]);
        let usage = control.run("archive usage", json!({ "jid": "alice@localhost" })).to_string();
        assert!(usage.contains("\"messages\":2") && usage.contains("\"keeps_messages\":2"), "{usage}");
        control.run("archive keep", json!({ "jid": "alice@localhost" }));
        fill(&mut alice, 3);
        control.run("archive expire", json!({}));
        assert_eq!(query(&mut alice, "").bodies().len(), 5);
        control.run("archive purge", json!({ "jid": "alice@localhost", "days": 1 }));
        assert_eq!(query(&mut alice, "").bodies().len(), 5);
        control.run("archive purge", json!({ "jid": "alice@localhost" }));
        assert!(query(&mut alice, "").bodies().is_empty());
    });
}

#[test]
fn what_is_too_old_leaves_the_archive() {
    let mut server: Server = Setup::default().options("archive.keep = \"1 s\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    fill(&mut alice, 3);
    // The clock of a running server is not ours: it is asked until they are old.
    let deadline = Instant::now() + WAIT;
    while !query(&mut alice, "").bodies().is_empty() {
        assert!(Instant::now() < deadline, "they do not leave");
        server.control().run("archive expire", json!({}));
    }
    server.crash();
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(query(&mut alice, "").bodies().is_empty());
    say(&mut alice, "bob@localhost", "new");
    assert_eq!(query(&mut alice, "").ids(), ["4"]);
}
