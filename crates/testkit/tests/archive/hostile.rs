//! Requests that nobody should make of an archive: others' archives, forged results, and sizes that would hurt.

use metronome_testkit::{Client, on_both_stores, on_both_stores_with};

use crate::{MAM, ask, condition, form, query, refused, say, set, settle};

#[test]
fn nobody_else_gets_an_answer_whether_the_account_exists_or_not() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        say(&mut alice, "carol@localhost", "secret");
        let set_of = |name: &str, inside: &str| format!("<{name} xmlns='{MAM}'{inside}");
        for (kind, payload) in [
            ("set", set_of("query", "/>")),
            ("get", set_of("query", "/>")),
            ("get", set_of("metadata", "/>")),
            ("get", set_of("prefs", "/>")),
            ("set", set_of("prefs", " default='always'/>")),
        ] {
            let mut answers = Vec::new();
            for to in ["alice@localhost", "nobody@localhost"] {
                let answer = ask(&mut bob, kind, to, &payload);
                assert_eq!(condition(&answer), "service-unavailable", "{kind} {payload} to {to}");
                answers.push(answer.replace(to, "SOMEBODY"));
            }
            assert_eq!(answers[0], answers[1]);
        }
        bob.expect_nothing_before_ping();
        // Not even with an address of the own account in the form.
        assert!(query(&mut bob, &form(&[("with", "alice@localhost")])).bodies().is_empty());
    });
}

#[test]
fn results_that_somebody_else_makes_up_are_no_results_of_ours() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let forged = format!(
            "<message to='bob@localhost/desk' from='bob@localhost' type='chat'><result xmlns='{MAM}' id='1'>\
             <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='carol@localhost'><body>lie</body></message>\
             </forwarded></result></message>"
        );
        alice.send(&forged);
        settle(&mut alice);
        for message in bob.so_far().iter().filter(|seen| seen.fits("<message")) {
            assert!(message.fits("<message from='alice@localhost/phone'"), "{message}");
        }
        assert!(query(&mut bob, "").results.iter().all(|result| !result.contains("lie")), "it has no body of its own");
    });
}

#[test]
fn what_is_asked_for_has_a_size() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "one");
        let long = "x".repeat(1024);
        let answer = ask(&mut alice, "set", "", &format!("<query xmlns='{MAM}' queryid='{long}'/>"));
        assert_eq!(condition(&answer), "bad-request");
        let many: String = (0..1001).map(|_| "<value>1</value>").collect();
        let many = form(&[]).replace("</x>", &format!("<field var='ids'>{many}</field></x>"));
        assert_eq!(refused(&mut alice, &many), "bad-request");
        let fields: String = (0..101).map(|_| "<field var='with'/>").collect();
        assert_eq!(refused(&mut alice, &form(&[]).replace("</x>", &format!("{fields}</x>"))), "bad-request");
        let answer = ask(&mut alice, "set", "", &format!("<query xmlns='{MAM}' node='urn:example:node'/>"));
        assert_eq!(condition(&answer), "item-not-found", "a node of publish-subscribe (XEP-0442), and there is none");
        // A number that no machine counts to is as good as the most that there may be.
        let huge = "9".repeat(40);
        assert_eq!(query(&mut alice, &set(&format!("<max>{huge}</max>"))).bodies(), ["one"]);
        let by_index = set(&format!("<max>2</max><index>{huge}</index>"));
        assert_eq!(refused(&mut alice, &by_index), "feature-not-implemented");
        assert_eq!(query(&mut alice, "").bodies(), ["one"]);
    });
}

#[test]
fn a_queryid_comes_back_as_it_was_and_ends_nothing() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "one");
        let payload = format!("<query xmlns='{MAM}' queryid='&apos;&gt;&lt;evil/&gt;&#10;&amp;'/>");
        alice.send(&format!("<iq type='set' id='q'>{payload}</iq>"));
        let result = alice.wait_for("<message");
        assert!(result.contains("queryid='&apos;&gt;&lt;evil/&gt;&#10;&amp;'"), "{result}");
        assert!(!result.contains("<evil"), "{result}");
        alice.expect("<iq type='result' id='q'");
    });
}

#[test]
fn many_queries_at_once_are_answered_one_after_another() {
    on_both_stores_with("limits.c2s.burst = \"16 MiB\"", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        let body = "x".repeat(20_000);
        for n in 0..30 {
            alice.send(&format!("<message to='bob@localhost' type='chat' id='m{n}'><body>{body}</body></message>"));
        }
        settle(&mut alice);
        // Far more than an outbox holds: each page waits until there is room.
        for n in 0..20 {
            let page = set("<max>250</max>");
            alice.send(&format!("<iq type='set' id='q{n}'><query xmlns='{MAM}' queryid='{n}'>{page}</query></iq>"));
        }
        for n in 0..20 {
            let mut results = 0;
            loop {
                let seen = alice.next_piece();
                if seen.fits(&format!("<iq type='result' id='q{n}'")) {
                    break;
                }
                assert_eq!(
                    seen.attribute_of("result", "queryid"),
                    Some(n.to_string()),
                    "results come before their answer"
                );
                results += 1;
            }
            assert!((20..=23).contains(&results), "{results}");
        }
    });
}
