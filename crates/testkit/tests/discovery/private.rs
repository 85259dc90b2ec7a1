//! XEP-0049: what a client keeps for its account alone.

use metronome_testkit::{Client, Server, Setup, on_both_stores, on_both_stores_with};

use crate::{ask, condition, guest};

fn query(inside: &str) -> String {
    format!("<query xmlns='jabber:iq:private'>{inside}</query>")
}

const PREFS: &str = "<exodus xmlns='exodus:prefs'><defaultnick lang='&lt;x&gt;'>Hamlet &amp; co</defaultnick>\
                     <p:y xmlns:p='urn:p' p:z='1'/></exodus>";
const ASKED: &str = "<exodus xmlns='exodus:prefs'/>";

#[test]
fn private_data_comes_back_as_it_was_stored() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        let stored = ask(&mut phone, "set", "", &query(PREFS));
        assert!(stored.fits("<iq type='result'") && !stored.contains("<query"), "{stored}");
        let mut desk = Client::login(server, "alice", "desk");
        for to in ["", "alice@localhost"] {
            let answer = ask(&mut desk, "get", to, &query(ASKED));
            assert!(answer.contains(&query(PREFS)), "{answer}");
        }
        // It is found by namespace and name, and by nothing else.
        for other in ["<exodus xmlns='exodus:other'/>", "<other xmlns='exodus:prefs'/>"] {
            let answer = ask(&mut desk, "get", "", &query(other));
            assert!(answer.contains(&query(other)), "nothing is an empty element: {answer}");
        }
        ask(&mut desk, "set", "", &query("<exodus xmlns='exodus:prefs'><later/></exodus>"));
        let answer = ask(&mut phone, "get", "", &query(ASKED));
        assert!(answer.contains("<later/>") && !answer.contains("Hamlet"), "{answer}");
        ask(&mut desk, "set", "", &query(ASKED));
        let answer = ask(&mut phone, "get", "", &query(ASKED));
        assert!(answer.contains(&query(ASKED)), "{answer}");
    });
}

#[test]
fn private_data_outlives_a_crash() {
    let mut server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    ask(&mut alice, "set", "", &query(PREFS));
    server.crash();
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(ask(&mut alice, "get", "", &query(ASKED)).contains("Hamlet &amp; co"));
}

#[test]
fn private_data_is_nobody_elses() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        ask(&mut alice, "set", "", &query(PREFS));
        let mut bob = Client::login(server, "bob", "desk");
        for kind in ["get", "set"] {
            for to in ["alice@localhost", "nobody@localhost"] {
                assert_eq!(condition(&ask(&mut bob, kind, to, &query(PREFS))), "service-unavailable");
            }
        }
        assert!(ask(&mut bob, "get", "", &query(ASKED)).contains(&query(ASKED)), "bob has data of his own");
        assert!(ask(&mut alice, "get", "", &query(ASKED)).contains("Hamlet"));
    });
}

#[test]
fn a_request_names_one_element_with_a_namespace_of_its_own() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        assert_eq!(condition(&ask(&mut alice, "get", "", &query(""))), "bad-request");
        assert_eq!(condition(&ask(&mut alice, "set", "", &query(""))), "not-acceptable");
        for wrong in ["<a xmlns='urn:a'/><b xmlns='urn:a'/>", "<a/>", "<a xmlns=''/>", "<a xmlns='jabber:client'/>"] {
            for kind in ["get", "set"] {
                assert_eq!(condition(&ask(&mut alice, kind, "", &query(wrong))), "not-acceptable", "{kind} {wrong}");
            }
        }
    });
}

#[test]
fn private_data_has_a_quota_that_is_judged_under_the_owners_lock() {
    let options = "limits.private = { document = \"4 KiB\", total = \"10 KiB\" }";
    on_both_stores_with(options, |server| {
        let mut alice = Client::login(server, "alice", "phone");
        let note = |number: usize, bytes: usize| {
            query(&format!("<note xmlns='urn:example:{number}'>{}</note>", "x".repeat(bytes)))
        };
        assert_eq!(condition(&ask(&mut alice, "set", "", &note(0, 5000))), "policy-violation");
        // All at once, so that none waits for the answer to another: exactly what fits is stored.
        for number in 0..6 {
            alice.send(&format!("<iq type='set' id='s{number}'>{}</iq>", note(number, 3000)));
        }
        let mut outcomes = Vec::new();
        for number in 0..6 {
            let answer = alice.wait_for(&format!("<iq id='s{number}'"));
            outcomes.push(answer.attribute("type").unwrap());
            assert!(answer.fits("<iq type='result'") || condition(&answer) == "resource-constraint", "{answer}");
        }
        assert_eq!(outcomes, ["result", "result", "result", "error", "error", "error"]);
        // Another session is under the same quota, and a smaller document in the place of a larger one makes room.
        let mut desk = Client::login(server, "alice", "desk");
        assert_eq!(condition(&ask(&mut desk, "set", "", &note(7, 3000))), "resource-constraint");
        assert!(ask(&mut desk, "set", "", &note(0, 10)).fits("<iq type='result'"));
        assert!(ask(&mut desk, "set", "", &note(7, 3000)).fits("<iq type='result'"));
        assert!(ask(&mut alice, "get", "", &query("<note xmlns='urn:example:3'/>")).contains("urn:example:3'/>"));
    });
}

#[test]
fn who_has_more_than_allowed_can_make_it_less() {
    let server = Setup::default().options("limits.private.total = \"20 KiB\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let note = |bytes: usize| query(&format!("<note xmlns='urn:example:n'>{}</note>", "x".repeat(bytes)));
    ask(&mut alice, "set", "", &note(15_000));
    server.write_options("limits.private.total = \"2 KiB\"");
    server.control().run("reload", serde_json::json!({}));
    assert_eq!(condition(&ask(&mut alice, "set", "", &note(16_000))), "resource-constraint");
    assert!(ask(&mut alice, "set", "", &note(10_000)).fits("<iq type='result'"));
    assert!(ask(&mut alice, "set", "", &note(0)).fits("<iq type='result'"));
}

#[test]
fn a_guest_has_private_data_of_its_own() {
    let server = Setup::default().options("auth.mechanisms = [\"ANONYMOUS\"]").no_accounts().start();
    let mut guest = guest(&server);
    assert!(ask(&mut guest, "get", "", &query(ASKED)).contains(&query(ASKED)));
    assert!(ask(&mut guest, "set", "", &query(PREFS)).fits("<iq type='result'"));
    assert!(ask(&mut guest, "get", "", &query(ASKED)).contains(PREFS));
}

#[test]
fn a_request_with_two_payloads_or_none_is_no_request() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for payload in [query(PREFS) + &query(PREFS), String::new()] {
            assert_eq!(condition(&ask(&mut alice, "set", "", &payload)), "bad-request");
        }
        // A prefix instead of a default namespace means the same.
        let prefixed =
            "<q:query xmlns:q='jabber:iq:private'><e:exodus xmlns:e='exodus:prefs'><e:nick/></e:exodus></q:query>";
        assert!(ask(&mut alice, "set", "", prefixed).fits("<iq type='result'"));
        assert!(ask(&mut alice, "get", "", &query(ASKED)).contains("exodus:prefs'><e:nick"));
    });
}
