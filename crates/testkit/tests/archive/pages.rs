//! XEP-0313 sections 4.2 and 4.3, XEP-0059: what a page looks like, and how to get from one to the next.

use metronome_testkit::{Client, Setup, on_both_stores, on_both_stores_with};

use crate::{MAM, ask, condition, form, query, refused, say, set, settle};

/// Alice writes ten numbered messages to bob.
fn ten(alice: &mut Client) {
    for n in 1..=10 {
        alice.send(&format!("<message to='bob@localhost' type='chat' id='m{n}'><body>{n}</body></message>"));
    }
    settle(alice);
}

// XEP-0297 example 1
// XEP-0297 example 2
// XEP-0313 example 1
// XEP-0313 example 2
// XEP-0313 example 3
// XEP-0313 example 4
// XEP-0313 example 17
#[test]
fn an_archive_answers_with_its_messages_and_then_with_the_end() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        say(&mut alice, "bob@localhost", "one");
        let live = bob.wait_for("<message");
        let stanza_id = live.attribute_of("stanza-id", "id").unwrap();
        say(&mut bob, "alice@localhost/phone", "two");
        let page = query(&mut bob, "");
        assert_eq!(page.bodies(), ["one", "two"]);
        assert_eq!(page.ids()[0], stanza_id, "live and archived it has the same id");
        let [one, two] = &page.results[..] else { panic!("two results") };
        assert!(one.fits("<message from='bob@localhost' to='bob@localhost/desk'"), "{one}");
        assert_eq!(one.attribute_of("result", "queryid").as_deref(), Some("q1"));
        assert!(one.contains("<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='"), "{one}");
        assert!(
            one.contains("<message xmlns='jabber:client' from='alice@localhost/phone' to='bob@localhost' id='one' type='chat'><body>"),
            "{one}"
        );
        assert!(
            two.contains("<message xmlns='jabber:client' from='bob@localhost/desk' to='alice@localhost/phone'"),
            "{two}"
        );
        assert!(page.is_complete());
        assert_eq!((page.first(), page.last()), (page.ids()[0].clone(), page.ids()[1].clone()));
        assert_eq!(page.fin.attribute_of("first", "index").as_deref(), Some("0"));
        assert_eq!(page.fin.text_of("count").as_deref(), Some("2"));
        // The sender has its own copy of both.
        assert_eq!(query(&mut alice, "").bodies(), ["one", "two"]);
    });
}

// XEP-0313 example 18
// XEP-0313 example 19
// XEP-0313 example 20
// XEP-0313 example 22
// XEP-0313 example 23
// XEP-0059 example 3
// XEP-0059 example 4
// XEP-0059 example 5
// XEP-0059 example 6
// XEP-0059 example 8
// XEP-0059 example 9
// XEP-0059 example 11
#[test]
fn a_client_pages_forward_and_backward() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        ten(&mut alice);
        let first = query(&mut alice, &set("<max>4</max>"));
        assert_eq!((first.bodies(), first.is_complete()), (["1", "2", "3", "4"].map(String::from).to_vec(), false));
        let second = query(&mut alice, &set(&format!("<max>4</max><after>{}</after>", first.last())));
        assert_eq!((second.bodies(), second.is_complete()), (["5", "6", "7", "8"].map(String::from).to_vec(), false));
        assert_eq!(second.fin.attribute_of("first", "index").as_deref(), Some("4"));
        let third = query(&mut alice, &set(&format!("<max>4</max><after>{}</after>", second.last())));
        assert_eq!((third.bodies(), third.is_complete()), (["9", "10"].map(String::from).to_vec(), true));
        let none = query(&mut alice, &set(&format!("<max>4</max><after>{}</after>", third.last())));
        assert!(none.bodies().is_empty() && none.is_complete());
        assert!(!none.fin.contains("<first") && !none.fin.contains("<last"), "{}", none.fin);
        assert_eq!(none.fin.text_of("count").as_deref(), Some("10"));
        let last = query(&mut alice, &set("<max>4</max><before/>"));
        assert_eq!((last.bodies(), last.is_complete()), (["7", "8", "9", "10"].map(String::from).to_vec(), false));
        let before = query(&mut alice, &set(&format!("<max>9</max><before>{}</before>", last.first())));
        assert_eq!(before.bodies(), ["1", "2", "3", "4", "5", "6"]);
        assert!(before.is_complete());
    });
}

// XEP-0313 example 24
#[test]
fn a_flipped_page_holds_the_same_and_comes_last_first() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        ten(&mut alice);
        let plain = query(&mut alice, &set("<max>3</max><after>2</after>"));
        let flipped = query(&mut alice, &format!("{}<flip-page/>", set("<max>3</max><after>2</after>")));
        assert_eq!(plain.bodies(), ["3", "4", "5"]);
        assert_eq!(flipped.bodies(), ["5", "4", "3"]);
        assert_eq!((flipped.first(), flipped.last()), (plain.first(), plain.last()));
    });
}

// XEP-0059 example 12
// XEP-0059 example 13
// XEP-0059 example 14
#[test]
fn a_page_is_found_by_its_number_as_far_as_that_is_cheap() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        ten(&mut alice);
        let page = query(&mut alice, &set("<max>3</max><index>5</index>"));
        assert_eq!(page.bodies(), ["6", "7", "8"]);
        assert_eq!(page.fin.attribute_of("first", "index").as_deref(), Some("5"));
        assert!(query(&mut alice, &set("<max>3</max><index>10</index>")).bodies().is_empty());
        assert_eq!(refused(&mut alice, &set("<index>10001</index>")), "feature-not-implemented");
        assert_eq!(refused(&mut alice, &set("<index>99999999999999999999</index>")), "feature-not-implemented");
    });
}

// XEP-0059 example 7
// XEP-0059 example 15
// XEP-0059 example 16
#[test]
fn messages_are_counted_without_being_sent() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let empty = query(&mut alice, &set("<max>0</max>"));
        assert!(empty.is_complete() && empty.fin.text_of("count").as_deref() == Some("0"), "{}", empty.fin);
        ten(&mut alice);
        say(&mut alice, "carol@localhost", "eleven");
        let counted = query(&mut alice, &set("<max>0</max>"));
        assert!(counted.results.is_empty() && !counted.is_complete());
        assert_eq!(counted.fin.text_of("count").as_deref(), Some("11"));
        let with = query(&mut alice, &(form(&[("with", "carol@localhost")]) + &set("<max>0</max>")));
        assert_eq!(with.fin.text_of("count").as_deref(), Some("1"));
    });
}

// XEP-0313 example 21
// XEP-0059 example 10
#[test]
fn an_id_that_is_not_there_is_not_found() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        ten(&mut alice);
        for id in ["11", "0", "01", "x", "18446744073709551615", "99999999999999999999999", " 1"] {
            for inside in [set(&format!("<after>{id}</after>")), set(&format!("<before>{id}</before>"))] {
                assert_eq!(refused(&mut alice, &inside), "item-not-found", "{inside}");
            }
            for field in ["after-id", "before-id", "ids"] {
                assert_eq!(refused(&mut alice, &form(&[(field, id)])), "item-not-found", "{field} {id}");
            }
        }
        assert_eq!(query(&mut alice, "").bodies().len(), 10);
    });
}

// XEP-0313 example 25
// XEP-0313 example 26
#[test]
fn metadata_tell_the_ends_of_an_archive() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let metadata = format!("<metadata xmlns='{MAM}'/>");
        let empty = ask(&mut alice, "get", "", &metadata);
        assert!(empty.fits("<iq type='result'") && empty.contains(&metadata), "{empty}");
        ten(&mut alice);
        let full = ask(&mut alice, "get", "alice@localhost", &metadata);
        let page = query(&mut alice, "");
        assert_eq!(full.attribute_of("start", "id"), page.ids().first().cloned());
        assert_eq!(full.attribute_of("end", "id"), page.ids().last().cloned());
        let stamp = page.results[0].attribute_of("delay", "stamp");
        assert!(stamp.is_some() && full.attribute_of("start", "timestamp") == stamp, "{full}");
    });
}

// XEP-0313 example 28
// XEP-0313 example 29
// XEP-0059 example 20
// XEP-0059 example 21
#[test]
fn an_account_announces_its_archive_and_the_host_has_none() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let own = ask(&mut alice, "get", "alice@localhost", disco);
        for feature in [
            MAM,
            "urn:xmpp:mam:2#extended",
            "urn:xmpp:mam:2#groupchat-field",
            "http://jabber.org/protocol/rsm",
            "urn:xmpp:sid:0",
        ] {
            assert!(own.contains(&format!("<feature var='{feature}'/>")), "{feature}: {own}");
        }
        let host = ask(&mut alice, "get", "localhost", disco);
        assert!(!host.contains(MAM), "{host}");
        let payload = format!("<query xmlns='{MAM}'/>");
        assert_eq!(condition(&ask(&mut alice, "set", "localhost", &payload)), "service-unavailable");
    });
}

// XEP-0059 example 1
// XEP-0059 example 2
#[test]
fn a_page_has_a_bound_however_much_is_asked_for() {
    on_both_stores_with("archive = { page = 3, page_max = 5 }", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        ten(&mut alice);
        assert_eq!(query(&mut alice, "").bodies().len(), 3);
        assert_eq!(query(&mut alice, &set("<max>4</max>")).bodies().len(), 4);
        for max in ["6", "1000000", "99999999999999999999999999"] {
            let page = query(&mut alice, &set(&format!("<max>{max}</max>")));
            assert_eq!((page.bodies().len(), page.is_complete()), (5, false));
        }
    });
}

#[test]
fn a_page_ends_where_it_has_become_large() {
    let server = Setup::default().options("limits.c2s.burst = \"16 MiB\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let long = "x".repeat(100_000);
    for n in 0..12 {
        alice.send(&format!("<message to='bob@localhost' type='chat'><body>{n} {long}</body></message>"));
    }
    settle(&mut alice);
    let mut numbers = Vec::new();
    let mut after = String::new();
    for _ in 0..12 {
        let page = query(&mut alice, &set(&format!("<max>50</max>{after}")));
        assert!((1..=4).contains(&page.results.len()), "{} messages", page.results.len());
        numbers.extend(page.bodies().iter().map(|body| body.split(' ').next().unwrap().to_owned()));
        if page.is_complete() {
            break;
        }
        after = format!("<after>{}</after>", page.last());
    }
    assert_eq!(numbers, (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
    let last = query(&mut alice, &set("<max>50</max><before/>"));
    assert_eq!(last.bodies().last().unwrap().split(' ').next(), Some("11"));
    assert!(!last.is_complete());
}

#[test]
fn an_archive_outlives_a_crash() {
    let mut server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    ten(&mut alice);
    server.crash();
    let mut alice = Client::login(&server, "alice", "desk");
    let page = query(&mut alice, &form(&[("with", "bob@localhost")]));
    assert_eq!(page.bodies(), (1..=10).map(|n| n.to_string()).collect::<Vec<_>>());
}
