//! XEP-0441: what an account wants archived, and what becomes of what it does not want.

use metronome_testkit::{Client, Server, Setup, on_both_stores, on_both_stores_with};

use crate::{MAM, ask, condition, query, say};

fn prefs(default: &str, always: &[&str], never: &[&str]) -> String {
    let list = |name: &str, jids: &[&str]| {
        let jids: String = jids.iter().map(|jid| format!("<jid>{jid}</jid>")).collect();
        if jids.is_empty() { format!("<{name}/>") } else { format!("<{name}>{jids}</{name}>") }
    };
    format!("<prefs xmlns='{MAM}' default='{default}'>{}{}</prefs>", list("always", always), list("never", never))
}

#[track_caller]
fn set(client: &mut Client, wanted: &str) {
    let answer = ask(client, "set", "", wanted);
    assert!(answer.fits("<iq type='result'") && answer.contains(wanted), "{answer}");
}

// XEP-0441 example 1
// XEP-0441 example 2
// XEP-0441 example 4
// XEP-0441 example 5
#[test]
fn preferences_come_back_as_they_were_given() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let asked = format!("<prefs xmlns='{MAM}'/>");
        assert!(ask(&mut alice, "get", "", &asked).contains(&prefs("always", &[], &[])));
        let wanted = prefs("roster", &["bob@localhost"], &["carol@localhost/x", "dave@elsewhere.example"]);
        set(&mut alice, &wanted);
        let mut desk = Client::login(server, "alice", "desk");
        assert!(ask(&mut desk, "get", "alice@localhost", &asked).contains(&wanted));
        // A list that is left out is empty.
        let answer = ask(&mut desk, "set", "", &format!("<prefs xmlns='{MAM}' default='never'/>"));
        assert!(answer.contains(&prefs("never", &[], &[])), "{answer}");
    });
}

#[test]
fn preferences_outlive_a_crash() {
    let mut server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    set(&mut alice, &prefs("never", &[], &[]));
    server.crash();
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(ask(&mut alice, "get", "", &format!("<prefs xmlns='{MAM}'/>")).contains(&prefs("never", &[], &[])));
    say(&mut alice, "bob@localhost", "one");
    assert!(query(&mut alice, "").bodies().is_empty());
}

#[test]
fn preferences_decide_for_what_is_sent_and_what_is_received() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        let mut carol = Client::login(server, "carol", "desk");
        set(&mut alice, &prefs("never", &["bob@localhost"], &["bob@localhost/secret"]));
        say(&mut alice, "bob@localhost", "to bob");
        say(&mut alice, "bob@localhost/secret", "to his other resource");
        say(&mut alice, "carol@localhost", "to carol");
        say(&mut bob, "alice@localhost", "from bob");
        say(&mut carol, "alice@localhost", "from carol");
        assert_eq!(query(&mut alice, "").bodies(), ["to bob", "from bob"]);
        // What the others keep is their business.
        assert_eq!(query(&mut carol, "").bodies(), ["to carol", "from carol"]);
        set(&mut alice, &prefs("always", &[], &["carol@localhost"]));
        say(&mut carol, "alice@localhost", "again from carol");
        say(&mut bob, "alice@localhost", "again from bob");
        assert_eq!(query(&mut alice, "").bodies(), ["to bob", "from bob", "again from bob"]);
    });
}

#[test]
fn who_is_in_the_roster_is_archived_if_that_is_wanted() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        set(&mut alice, &prefs("roster", &[], &[]));
        say(&mut bob, "alice@localhost", "a stranger");
        ask(&mut alice, "set", "", "<query xmlns='jabber:iq:roster'><item jid='bob@localhost'/></query>");
        say(&mut bob, "alice@localhost", "a contact");
        say(&mut alice, "bob@localhost/desk", "to a contact");
        say(&mut alice, "carol@localhost", "to a stranger");
        assert_eq!(query(&mut alice, "").bodies(), ["a contact", "to a contact"]);
        // It is known without a session too.
        alice.close();
        say(&mut bob, "alice@localhost", "while away");
        let mut alice = Client::login(server, "alice", "phone");
        assert_eq!(query(&mut alice, "").bodies(), ["a contact", "to a contact", "while away"]);
    });
}

#[test]
fn what_is_not_archived_waits_all_the_same_until_it_is_seen() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        set(&mut alice, &prefs("never", &[], &[]));
        alice.close();
        let mut bob = Client::login(server, "bob", "desk");
        say(&mut bob, "alice@localhost", "offline");
        let mut alice = Client::login(server, "alice", "phone");
        assert!(query(&mut alice, "").bodies().is_empty());
        assert!(
            ask(&mut alice, "get", "", &format!("<metadata xmlns='{MAM}'/>"))
                .contains("<metadata xmlns='urn:xmpp:mam:2'/>")
        );
        alice.send("<presence/>");
        assert!(alice.wait_for("<message").contains("<body>offline</body>"));
        alice.close();
        let mut alice = Client::login(server, "alice", "phone");
        alice.available();
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn the_host_decides_for_those_who_say_nothing() {
    on_both_stores_with("archive.default = \"roster\"", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        assert!(ask(&mut alice, "get", "", &format!("<prefs xmlns='{MAM}'/>")).contains(&prefs("roster", &[], &[])));
        say(&mut alice, "bob@localhost", "to a stranger");
        assert!(query(&mut alice, "").bodies().is_empty());
        set(&mut alice, &prefs("always", &[], &[]));
        say(&mut alice, "bob@localhost", "now");
        assert_eq!(query(&mut alice, "").bodies(), ["now"]);
    });
}

#[test]
fn preferences_that_are_none_or_too_many_are_refused() {
    let server = Setup::default().start();
    let mut alice = Client::login(&server, "alice", "phone");
    for wrong in [
        format!("<prefs xmlns='{MAM}'/>"),
        format!("<prefs xmlns='{MAM}' default='sometimes'/>"),
        prefs("always", &["@"], &[]),
        prefs("always", &[], &["a@b@c"]),
    ] {
        assert_eq!(condition(&ask(&mut alice, "set", "", &wrong)), "bad-request", "{wrong}");
    }
    let many: Vec<String> = (0..501).map(|n| format!("user{n}@example.org")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(condition(&ask(&mut alice, "set", "", &prefs("always", &many, &[]))), "policy-violation");
    set(
        &mut alice,
        &prefs(
            "always",
            &{
                let mut sorted = many[..500].to_vec();
                sorted.sort_unstable();
                sorted
            },
            &[],
        ),
    );
    let long: Vec<String> = (0..40).map(|n| format!("{n}@{}/{}", "example.org", "x".repeat(1000))).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_eq!(condition(&ask(&mut alice, "set", "", &prefs("always", &[], &long))), "policy-violation");
}
