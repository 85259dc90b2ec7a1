//! Both ways between people, hosts and components.

use metronome_testkit::{Client, Component, Setup, ask, online};

use crate::{GATEWAY, server};

#[test]
fn messages_go_both_ways_and_the_archive_has_them() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='bob%irc@gw.localhost' type='chat' id='m1'><body>hello</body></message>");
    let seen = component.expect(
        "<message from='alice@localhost/phone' to='bob%irc@gw.localhost' id='m1' type='chat'><body>hello</body>",
    );
    assert!(!seen.contains("stanza-id") && !seen.contains("xmlns='jabber:client'"), "{seen}");
    component.send(
        "<message from='bob%irc@gw.localhost/x' to='alice@localhost' type='chat' id='m2'><body>and you</body></message>",
    );
    let seen = alice.expect("<message from='bob%irc@gw.localhost/x' id='m2'><body>and you</body>");
    assert!(seen.contains("stanza-id"));
    alice.send("<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>");
    alice.expect("<message>hello");
    alice.expect("<message>and you");
    alice.wait_for("<iq type='result' id='q'");
}

#[test]
fn a_message_for_somebody_who_is_away_waits_for_them() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    component.send("<message from='x@gw.localhost' to='bob@localhost' type='chat'><body>later</body></message>");
    component.nothing_before_ping();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.send("<presence/>");
    bob.wait_for("<message from='x@gw.localhost'><body>later</body>");
}

#[test]
fn requests_go_both_ways() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<iq to='gw.localhost' type='get' id='v'><query xmlns='jabber:iq:version'/></iq>");
    component.expect(
        "<iq from='alice@localhost/phone' to='gw.localhost' type='get' id='v'><query xmlns='jabber:iq:version'",
    );
    component.send("<iq from='gw.localhost' to='alice@localhost/phone' type='result' id='v'><query xmlns='jabber:iq:version'><name>gw</name></query></iq>");
    alice.expect("<iq from='gw.localhost' type='result' id='v'><name>gw</name>");
    let answer =
        component.ask("gw.localhost", "localhost", "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(answer.contains("category='server'"), "{answer}");
    let answer = component.ask("x@gw.localhost", "alice@localhost", "get", "<query xmlns='jabber:iq:roster'/>");
    assert_eq!(answer.conditions(), ["forbidden"]);
}

#[test]
fn what_belongs_to_accounts_is_not_for_components() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    for payload in [
        "<query xmlns='jabber:iq:private'><a xmlns='b'/></query>",
        "<enable xmlns='urn:xmpp:carbons:2'/>",
        "<query xmlns='urn:xmpp:mam:2'/>",
        "<block xmlns='urn:xmpp:blocking'><item jid='a@b'/></block>",
        "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#add-user'/>",
    ] {
        for to in ["alice@localhost", "localhost"] {
            let answer = component.ask("gw.localhost", to, "set", payload);
            assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{answer}");
        }
    }
}

#[test]
fn subscriptions_and_presence_go_both_ways() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    let mut alice = online(&server, "alice", "phone");
    alice.send("<presence type='subscribe' to='bob@gw.localhost'/>");
    component.expect("<presence type='subscribe' from='alice@localhost' to='bob@gw.localhost'");
    component.send("<presence type='subscribed' from='bob@gw.localhost' to='alice@localhost'/>");
    component.send("<presence type='subscribe' from='bob@gw.localhost' to='alice@localhost'/>");
    component.send("<presence from='bob@gw.localhost/irc' to='alice@localhost'><show>away</show></presence>");
    alice.wait_for("<presence type='subscribed' from='bob@gw.localhost'");
    alice.wait_for("<presence type='subscribe' from='bob@gw.localhost'");
    alice.wait_for("<presence from='bob@gw.localhost/irc'><show>away</show>");
    alice.send("<presence type='subscribed' to='bob@gw.localhost'/>");
    component.expect("<presence type='subscribed' from='alice@localhost' to='bob@gw.localhost'");
    component.expect("<presence from='alice@localhost/phone' to='bob@gw.localhost'");
    alice.send("<presence><status>here</status></presence>");
    component.expect("<presence from='alice@localhost/phone' to='bob@gw.localhost'><status>here</status>");
    alice.close();
    component.expect("<presence from='alice@localhost/phone' type='unavailable' to='bob@gw.localhost'");
    let mut desk = Client::login(&server, "alice", "desk");
    desk.send("<presence/>");
    let probed = component.expect_all(&[
        "<presence type='probe' from='alice@localhost/desk' to='bob@gw.localhost'",
        "<presence from='alice@localhost/desk' to='bob@gw.localhost'",
    ]);
    assert_eq!(probed.len(), 2);
    component.send("<presence from='bob@gw.localhost/irc' to='alice@localhost/desk'/>");
    desk.wait_for("<presence from='bob@gw.localhost/irc'");
    desk.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@gw.localhost' subscription='remove'/></query></iq>");
    component.expect_all(&[
        "<presence type='unsubscribe' from='alice@localhost' to='bob@gw.localhost'",
        "<presence type='unsubscribed' from='alice@localhost' to='bob@gw.localhost'",
        "<presence from='alice@localhost/desk' type='unavailable' to='bob@gw.localhost'",
    ]);
}

#[test]
fn directed_presence_is_taken_back_when_its_sender_leaves() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send("<presence to='room@gw.localhost/nick'/>");
    component.expect("<presence from='alice@localhost/phone' to='room@gw.localhost/nick'");
    drop(alice);
    component.expect("<presence from='alice@localhost/phone' type='unavailable' to='room@gw.localhost/nick'");
}

#[test]
fn components_reach_each_other() {
    let server = Setup::default().component(GATEWAY).component("other.localhost").start();
    let (mut one, mut other) = (Component::connect(&server, GATEWAY), Component::connect(&server, "other.localhost"));
    one.send("<message from='a@gw.localhost' to='b@other.localhost' id='1'><body>x</body></message>");
    one.send("<presence from='a@gw.localhost' to='b@other.localhost' type='subscribe'/>");
    one.send("<iq from='a@gw.localhost' to='b@other.localhost' type='get' id='2'><ping xmlns='urn:xmpp:ping'/></iq>");
    other.expect_all(&[
        "<message from='a@gw.localhost' to='b@other.localhost' id='1'><body>x</body>",
        "<presence from='a@gw.localhost' to='b@other.localhost' type='subscribe'",
        "<iq from='a@gw.localhost' to='b@other.localhost' type='get' id='2'",
    ]);
    other.send("<iq from='b@other.localhost' to='a@gw.localhost' type='result' id='2'/>");
    one.expect("<iq from='b@other.localhost' to='a@gw.localhost' type='result' id='2'");
}

#[test]
fn a_component_is_found_among_the_services_of_its_host() {
    let server = Setup::default()
        .domain("other.example")
        .component(GATEWAY)
        .component("irc.other.example")
        .component("far.example")
        .options("[host.\"gw.localhost\".component]\nname = \"The <gateway>\"")
        .start();
    let mut alice = Client::login(&server, "alice", "phone");
    let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let away = ask(&mut alice, "get", "localhost", query);
    assert!(!away.contains(GATEWAY), "clients would wait for what is away: {away}");
    let _connected = [GATEWAY, "irc.other.example", "far.example"].map(|domain| Component::connect(&server, domain));
    let items = ask(&mut alice, "get", "localhost", query);
    assert!(
        items.contains("<item jid='gw.localhost' name='The &lt;gateway>'/>")
            || items.contains("name='The &lt;gateway&gt;'"),
        "{items}"
    );
    assert!(items.contains("jid='far.example'") && !items.contains("irc.other.example"), "{items}");
    let items = ask(&mut alice, "get", "other.example", query);
    assert!(items.contains("jid='irc.other.example'") && !items.contains("gw.localhost"), "{items}");
}

#[test]
fn a_component_can_take_over_the_way_to_a_domain() {
    let server = Setup::default()
        .component(GATEWAY)
        .options("[host.\"gw.localhost\".component]\nroutes = [\"far.example\"]")
        .start();
    let mut component = Component::connect(&server, GATEWAY);
    let mut alice = online(&server, "alice", "phone");
    alice.send("<message to='bob@far.example' type='chat' id='1'><body>by another way</body></message>");
    component.expect("<message from='alice@localhost/phone' to='bob@far.example' id='1'><body>by another way</body>");
    component
        .send("<message from='bob@far.example/x' to='alice@localhost' type='chat' id='2'><body>back</body></message>");
    alice.expect("<message from='bob@far.example/x' id='2'><body>back</body>");
    alice.send("<iq to='far.example' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>");
    component.expect("<iq from='alice@localhost/phone' to='far.example' type='get' id='p'");
    component.send("<iq from='far.example' to='alice@localhost/phone' type='result' id='p'/>");
    alice.expect("<iq from='far.example' type='result' id='p'");
}

#[test]
fn guests_and_blocked_senders_are_as_everywhere() {
    let server = server();
    let mut component = Component::connect(&server, GATEWAY);
    let mut alice = online(&server, "alice", "phone");
    let blocked = ask(&mut alice, "set", "", "<block xmlns='urn:xmpp:blocking'><item jid='gw.localhost'/></block>");
    assert_eq!(blocked.attribute("type").as_deref(), Some("result"));
    component.send("<message from='x@gw.localhost' to='alice@localhost' type='chat' id='1'><body>x</body></message>");
    component.expect("<message type='error' from='alice@localhost' to='x@gw.localhost' id='1'><service-unavailable");
    let refused = ask(&mut alice, "get", "x@gw.localhost", "<ping xmlns='urn:xmpp:ping'/>");
    assert_eq!(refused.attribute("type").as_deref(), Some("error"));
    component.nothing_before_ping();
}

#[test]
fn a_guest_reaches_a_component_and_nobody_beyond_it() {
    let server = Setup::default()
        .component(GATEWAY)
        .options("auth.mechanisms = [\"ANONYMOUS\"]\n[host.\"gw.localhost\".component]\nroutes = [\"far.example\"]")
        .start();
    let mut component = Component::connect(&server, GATEWAY);
    let mut guest = server.dial().direct();
    guest.open();
    guest.auth("ANONYMOUS", b"");
    guest.expect("<success");
    guest.open();
    guest.bind("");
    guest.send("<message to='bob@far.example' type='chat' id='1'><body>x</body></message>");
    guest.wait_for("<message type='error' id='1' from='bob@far.example'><remote-server-not-found");
    guest.send("<message to='x@gw.localhost' type='chat' id='2'><body>x</body></message>");
    component.expect("<message to='x@gw.localhost' id='2'");
}
