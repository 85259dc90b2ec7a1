//! XEP-0377: reports come with a block, and are there for administrators only.

use metronome_testkit::{Client, Server};
use serde_json::json;

use crate::{ask, blocklist, condition, set};

fn report(jid: &str, report: &str) -> String {
    format!("<block xmlns='urn:xmpp:blocking'><item jid='{jid}'>{report}</item></block>")
}

// XEP-0377 example 2
// XEP-0377 example 3
// XEP-0377 example 4
// XEP-0377 example 5
// XEP-0377 example 6
#[test]
fn reports_are_kept_for_administrators_until_they_are_cleared() {
    let mut server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "desk");
    set(
        &mut alice,
        &report(
            "romeo@example.net",
            "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='alice@localhost' id='28482'/>\
             <text xml:lang='en'>Never came trouble &lt;to&gt; my house like this.</text><third-party/></report>",
        ),
    );
    set(
        &mut bob,
        &report("alice@localhost", "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:abuse'/>"),
    );
    assert_eq!(blocklist(&mut alice), ["romeo@example.net"]);
    server.crash();
    let list = server.control().run("report list", json!({}));
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2, "{list:?}");
    assert_eq!(list[0]["by"], "alice@localhost");
    assert_eq!(list[0]["about"], "romeo@example.net");
    assert_eq!(list[0]["reason"], "urn:xmpp:reporting:spam");
    assert_eq!(list[0]["messages"], "28482");
    assert_eq!(list[0]["agreed"], "third-party");
    assert_eq!(list[0]["text"], "Never came trouble <to> my house like this.");
    assert_eq!(list[1]["about"], "alice@localhost");
    server.control().run("report clear", json!({}));
    assert_eq!(server.control().run("report list", json!({})), json!([]));
}

#[test]
fn a_report_without_a_reason_blocks_nobody() {
    let server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    let answer = ask(&mut alice, "set", "", &report("bob@localhost", "<report xmlns='urn:xmpp:reporting:1'/>"));
    assert_eq!(condition(&answer), "bad-request");
    assert!(blocklist(&mut alice).is_empty());
    // An older form is no report, and the block counts.
    set(&mut alice, &report("bob@localhost", "<report xmlns='urn:xmpp:reporting:0'><spam/></report>"));
    assert_eq!(blocklist(&mut alice), ["bob@localhost"]);
    assert_eq!(server.control().run("report list", json!({})), json!([]));
}

#[test]
fn reports_of_many_at_once_are_all_kept() {
    let server = Server::start();
    let mut clients = ["alice", "bob", "carol"].map(|name| Client::login(&server, name, "desk"));
    let spam = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>";
    for number in 0..8 {
        for client in &mut clients {
            let payload = report(&format!("spammer-{number}@example.net"), spam);
            client.send(&format!("<iq type='set' id='r{number}'>{payload}</iq>"));
        }
    }
    for client in &mut clients {
        client.wait_for("<iq type='result' id='r7'");
    }
    assert_eq!(server.control().run("report list", json!({})).as_array().unwrap().len(), 24);
}

#[test]
fn who_reports_too_often_still_blocks() {
    let server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    let spam = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>";
    for number in 0..40 {
        set(&mut alice, &report(&format!("spammer-{number}@example.net"), spam));
    }
    assert_eq!(blocklist(&mut alice).len(), 40);
    let list = server.control().run("report list", json!({}));
    let last = list.as_array().unwrap().last().unwrap();
    assert_eq!(last["about"], "spammer-31@example.net");
    assert_eq!(list.as_array().unwrap().len(), 16);
}
