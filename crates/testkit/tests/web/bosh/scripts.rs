//! XEP-0252: BOSH for pages that can only load scripts.

use metronome_testkit::{Client, Server, Setup};

use super::session::{Bosh, MECHANISMS, Manner};

fn server() -> Server {
    Setup::default().web().options(&format!("{MECHANISMS}\nweb.bosh_scripts = true")).start()
}

#[test]
fn a_page_that_can_only_load_scripts_logs_in_talks_and_leaves() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    for manner in [Manner::Scripts, Manner::Names] {
        let mut alice = Bosh::bound_with(manner, &server.dial_as_browser(), "alice", "");
        alice.available();
        // What would mean something in a script, and what must not be changed on the way.
        let body = "\"');alert(1)// \\ + &amp; &lt;/script&gt; \u{fc} \u{2028}\u{200e} \u{1f600}\nx";
        let message =
            format!("<message to='bob@localhost' type='chat' xmlns='jabber:client'><body>{body}</body></message>");
        let request = alice.wrapped("", &message);
        alice.send(&request);
        let got = bob.wait_for("<message from='alice@localhost/bosh'");
        assert!(got.contains(&format!("<body>{body}</body>")), "{got}");
        bob.send(&format!("<message to='alice@localhost' type='chat'><body>{body}</body></message>"));
        let answer = alice.answer();
        assert!(answer.contains(&format!("<body>{body}</body>")), "{answer}");
        let end = alice.say("type='terminate'", "");
        assert!(end.contains("type='terminate'"), "{end}");
    }
}

#[test]
fn what_is_too_long_for_one_address_comes_in_pieces() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let dial = server.dial_as_browser();
    let mut alice = Bosh::bound_with(Manner::Scripts, &dial, "alice", "");
    let pieces = [
        "<message to='bob@localhost' type='chat' xmlns='jabber:cl",
        "ient'><body>a \u{fc} &lt;body&g",
        "t; that is not one</bo",
        "dy></message>",
    ];
    let mut waits: Option<Bosh> = None;
    for piece in pieces {
        let request = alice.wrapped("", piece);
        let mut next = alice.on(dial.browse_tls());
        next.send(&request);
        // The one before it is answered when it has come.
        if let Some(mut before) = waits.replace(next) {
            let answer = before.answer();
            assert!(!answer.contains("terminate"), "{answer}");
        }
    }
    let got = bob.wait_for("<message from='alice@localhost/bosh'");
    assert!(got.contains("&lt;body&gt; that is not one</body>"), "{got}");
}

#[test]
fn whoever_is_wrong_hears_it_in_a_script_too() {
    let server = server();
    let dial = server.dial_as_browser();
    for (inside, condition) in [
        ("to='nobody.example'", "host-unknown"),
        ("to='localhost' sid='guess'", "item-not-found"),
        ("to='localhost' wait='x'", "bad-request"),
    ] {
        let answer = Bosh::begin_in(Manner::Scripts, &dial, inside).1;
        assert!(answer.contains(&format!("condition='{condition}'")), "{inside}: {answer}");
    }
    let mut jumps = Bosh::bound_with(Manner::Names, &dial, "alice", "");
    jumps.rid += 5;
    assert!(jumps.say("", "").contains("condition='item-not-found'"));
    let mut forbidden = Bosh::bound_with(Manner::Scripts, &dial, "alice", "");
    let answer = forbidden.say("", "<!-- x -->");
    let answer = forbidden.until("<stream:error", answer);
    assert!(answer.contains("<restricted-xml "), "{answer}");
}

#[test]
fn a_function_has_a_name_and_an_answer_is_never_a_page() {
    let server = server();
    let mut browser = server.dial_as_browser().browse_tls();
    for name in ["alert(1)", "%3Cscript%3E", "a;b", ""] {
        let page = browser.ask("GET", &format!("/http-bind?callback={name}&data=%3Cbody/%3E"), "");
        assert!(page.text().contains("BOSH") && !page.text().contains("alert"), "{page:?}");
    }
    let answer = browser.ask("GET", "/http-bind?callback=f&data=%3Cbody/%3E", "");
    assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.field("content-type"), Some("text/javascript; charset=utf-8"));
    let kept = answer.field("cache-control").unwrap();
    assert!(kept.contains("no-store") && answer.field("pragma") == Some("no-cache"), "{kept}");
    // A head has nothing in it that could be done.
    assert_eq!(
        browser.ask("HEAD", "/http-bind?%3Cbody/%3E", "").field("content-type"),
        Some("text/html; charset=utf-8")
    );
}

#[test]
fn where_it_is_not_wanted_it_is_not_there() {
    let server = Setup::default().web().no_accounts().start();
    let mut browser = server.dial_as_browser().browse_tls();
    let body = "%3Cbody%20rid='1'%20to='localhost'%20xmlns='http://jabber.org/protocol/httpbind'/%3E";
    assert_eq!(browser.ask("GET", &format!("/http-bind?{body}"), "").status, 404);
    assert_eq!(browser.ask("GET", &format!("/http-bind?callback=f&data={body}"), "").status, 404);
    assert_eq!(browser.ask("GET", "/http-bind", "").status, 200);
}
