//! XEP-0124 and XEP-0206: a client's stream in requests.

mod acks;
mod scripts;
mod session;
mod window;

use metronome_testkit::{Client, Seen, Server, Setup};

use crate::chat;
use session::{Bosh, MECHANISMS};

fn server() -> Server {
    Setup::default().web().options(MECHANISMS).start()
}

#[test]
fn a_client_logs_in_talks_and_leaves() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let mut alice = Bosh::bound(&server.dial_as_browser(), "alice");
    let seen = alice.say("", "<presence xmlns='jabber:client'/>");
    alice.until("<presence ", seen);
    let hello = chat("bob@localhost", "hello");
    // Two requests at the same time: the first is answered when the second comes.
    let body = alice.wrapped("", &hello);
    alice.send(&body);
    bob.wait_for("<message from='alice@localhost/bosh'><body>hello</body>");
    bob.send(&chat("alice@localhost", "hi"));
    let answer = alice.answer();
    assert!(answer.contains("<body>hi</body>") && answer.contains("xmlns='jabber:client'"), "{answer}");
    let end = alice.say("type='terminate'", "<presence type='unavailable' xmlns='jabber:client'/>");
    assert!(end.contains("type='terminate'"), "{end}");
    let late = alice.say("", "");
    assert!(late.contains("type='terminate'"), "{late}");
    bob.expect_nothing_before_ping();
}

#[test]
fn a_stream_that_began_here_goes_on_elsewhere_and_comes_back() {
    let server = server();
    let dial = server.dial_as_browser();
    let mut bob = Client::login(&server, "bob", "desk");
    let mut alice = Bosh::bound(&dial, "alice");
    let enabled = alice.say("", "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    let enabled = alice.until("<enabled ", enabled);
    let name = enabled.attribute_of("enabled", "id").unwrap();
    let seen = alice.say("", "<presence xmlns='jabber:client'/>");
    alice.until("<presence ", seen);
    let (phone, handled) = Client::resume(&server, "alice", &name, 1);
    assert_eq!(handled, 1);
    let end = alice.until("<conflict ", Seen::new("<body/>".to_owned()));
    assert!(end.contains("condition='remote-stream-error'"), "{end}");
    phone.drop_connection();
    bob.send(&chat("alice@localhost", "meanwhile"));
    bob.expect_nothing_before_ping();
    let mut again = Bosh::log_in(&dial, "alice");
    let resumed = again.say("", &format!("<resume xmlns='urn:xmpp:sm:3' previd='{name}' h='1'/>"));
    let resumed = again.until("<resumed ", resumed);
    assert!(resumed.attribute_of("resumed", "previd").is_some());
    again.until("<body>meanwhile</body>", resumed);
}

#[test]
fn an_answer_that_was_lost_is_had_again_and_nothing_is_done_twice() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let dial = server.dial_as_browser();
    let mut alice = Bosh::bound(&dial, "alice");
    let body = alice.wrapped("", "<iq type='get' id='once' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.send(&body);
    let first = alice.answer();
    for _ in 0..2 {
        alice.browser = dial.browse_tls();
        alice.send(&body);
        assert_eq!(alice.answer().to_string(), first.to_string());
    }
    bob.expect_nothing_before_ping();
}

#[test]
fn whoever_breaks_the_rules_is_told_and_has_no_session_any_more() {
    let server = server();
    let dial = server.dial_as_browser();
    let begun = |inside: &str| Bosh::begin(&dial, inside).1;
    for (inside, condition) in [
        ("to='nobody.example'", "host-unknown"),
        ("", "improper-addressing"),
        ("to='localhost' sid='guess'", "item-not-found"),
        ("to='localhost' wait='x'", "bad-request"),
    ] {
        let answer = begun(inside);
        assert!(answer.contains(&format!("condition='{condition}'")), "{inside}: {answer}");
    }
    let mut jumps = Bosh::bound(&dial, "alice");
    jumps.rid += 5;
    assert!(jumps.say("", "").contains("condition='item-not-found'"));
    let mut forbidden = Bosh::bound(&dial, "alice");
    assert!(forbidden.say("", "<!-- x -->").contains("condition='bad-request'"));
    let mut wrong = Bosh::bound(&dial, "alice");
    let answer = wrong.say("", "<unknown xmlns='urn:x'/>");
    let answer = wrong.until("<stream:error", answer);
    assert!(answer.contains("remote-stream-error") && answer.contains("<unsupported-stanza-type "), "{answer}");
    // A session that began with TLS is not there for those without.
    let private = Bosh::bound(&dial, "alice");
    let mut readable = Bosh::of(dial.browse(), &private.sid, private.rid);
    assert!(readable.say("", "").contains("condition='item-not-found'"));
    let mut clear = Bosh::of(dial.browse(), "", 1);
    clear.send("<body rid='1' to='localhost' wait='10' hold='1' xmlns='http://jabber.org/protocol/httpbind'/>");
    let refused = clear.answer();
    assert!(refused.contains("<policy-violation "), "nobody logs in without TLS: {refused}");
}

#[test]
fn pages_of_other_sites_may_only_where_that_is_said() {
    let server = Setup::default().web().options("web.origins = [\"https://chat.example\"]").start();
    let mut browser = server.dial_as_browser().browse();
    let mut preflight = |origin: &str| {
        browser.ask("OPTIONS", "/http-bind", &format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"))
    };
    let listed = preflight("https://chat.example");
    assert_eq!((listed.status, listed.field("access-control-allow-origin")), (204, Some("https://chat.example")));
    assert!(listed.field("access-control-allow-methods").unwrap().contains("POST"));
    assert_eq!(preflight("https://evil.example").field("access-control-allow-origin"), None);
    let page = browser.ask("GET", "/http-bind", "");
    assert!(page.status == 200 && page.text().contains("BOSH"), "{page:?}");
    let endless = browser.ask("POST", "/http-bind", "Content-Length: 100000000\r\n");
    assert_eq!(endless.status, 413);
}

#[test]
fn sessions_count_for_the_address_behind_a_proxy() {
    let options = "limits.connections = 2\nlimits.connection_rate = \"1000/s\"\nweb.proxies = [\"127.0.0.1\"]";
    let server = Setup::default().web().no_accounts().options(options).start();
    let mut proxy = server.dial_as_browser().browse();
    let mut begin = |address: &str| {
        let body = "<body rid='1' to='localhost' wait='0' hold='0' xmlns='http://jabber.org/protocol/httpbind'/>";
        let head = format!(
            "POST /http-bind HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        proxy.send(format!("{head}{body}").as_bytes());
        proxy.answer("POST").text().to_owned()
    };
    assert!(begin("198.51.100.1").contains(" sid='"));
    assert!(begin("198.51.100.1").contains("policy-violation"), "one session and the request itself");
    assert!(begin("198.51.100.2").contains(" sid='"));
}

/// A page of another site can have a browser send a form here that is a request to a session of its own. The browser shows the answer as a
/// document of this site, and ran what others had written into it.
#[test]
fn an_answer_that_a_browser_shows_by_itself_runs_nothing() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    let mut alice = Bosh::bound(&server.dial_as_browser(), "alice");
    alice.available();
    let script = "<script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>";
    bob.send(&format!("<message to='alice@localhost/bosh' type='chat'><body>x</body>{script}</message>"));
    bob.expect_nothing_before_ping();
    // A field of a form of plain text is its name, an equals sign, and its value.
    let form = alice.wrapped("a='=x'", "");
    let head =
        "POST /http-bind HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Type: text/plain";
    alice.browser.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len()).as_bytes());
    let answer = alice.browser.answer("POST");
    assert!(answer.text().contains(script), "{answer:?}");
    let policy = "default-src 'none'; frame-ancestors 'none'; sandbox";
    assert_eq!(answer.field("content-security-policy"), Some(policy));
}

#[test]
fn a_large_request_is_for_those_who_have_logged_in() {
    let server = server();
    let dial = server.dial_as_browser();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let large =
        format!("<message to='bob@localhost' xmlns='jabber:client'><body>{}</body></message>", "x".repeat(200 * 1024));
    let mut guesser = Bosh::of(dial.browse_tls(), "guess", 1);
    assert!(guesser.say("", &large).contains("condition='item-not-found'"));
    let mut stranger = Bosh::begin(&dial, "to='localhost' wait='60' hold='1'").0;
    assert!(stranger.say("", &large).contains("condition='policy-violation'"));
    assert!(stranger.say("", "").contains("condition='policy-violation'"), "it is over");
    let mut alice = Bosh::bound(&dial, "alice");
    let body = alice.wrapped("", &large);
    alice.send(&body);
    let got = bob.expect("<message from='alice@localhost/bosh'");
    assert!(got.len() > 200 * 1024);
}
