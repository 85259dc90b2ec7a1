//! Voice: asked for, granted, revoked, and the list of those who have it (sections 7.13 and 8.3 to 8.6).

use metronome_testkit::{Client, Server};

use crate::{ROOM, admin, answer, configuration, coven, does, error, form, pass, quiet, refused, sees, server};

/// A moderated room: alice moderates it, bob and carol are visitors.
fn moderated(server: &Server) -> (Client, Client, Client) {
    coven(server, &[("moderatedroom", "1")])
}

fn message(client: &mut Client, form: &str) {
    client.send(&format!("<message to='{ROOM}' id='voice'>{form}</message>"));
}

fn decision(nick: &str, jid: &str, allow: &str) -> String {
    form(
        "request",
        &[("muc#role", "participant"), ("muc#jid", jid), ("muc#roomnick", nick), ("muc#request_allow", allow)],
    )
}

// XEP-0045 example 79
// XEP-0045 example 108
// XEP-0045 example 109
#[test]
fn a_visitor_asks_and_a_moderator_grants() {
    let server = server();
    let (mut alice, mut bob, mut carol) = moderated(&server);
    message(&mut bob, &form("request", &[("muc#role", "participant")]));
    let asked = alice.expect(&format!("<message from='{ROOM}'><x xmlns='jabber:x:data'"));
    for part in ["muc#request_allow", "<value>second</value>", "<value>bob@localhost/phone</value>", "type='form'"] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    quiet(&mut [&mut carol]);
    message(&mut alice, &decision("second", "bob@localhost/phone", "true"));
    sees(&mut bob, "second none/participant bob@localhost/phone 110");
    sees(&mut carol, "second none/participant");
    crate::say(&mut bob, "thanks");
    crate::hears(&mut carol, "second", "thanks");
}

#[test]
fn a_moderator_may_say_no_and_visitors_decide_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = moderated(&server);
    message(&mut bob, &form("request", &[("muc#role", "participant")]));
    alice.expect("<message><x xmlns='jabber:x:data'");
    message(&mut alice, &decision("second", "bob@localhost/phone", "false"));
    message(&mut carol, &decision("third", "carol@localhost/phone", "true"));
    assert_eq!(error(&carol.expect("<message type='error' id='voice'")), "auth forbidden");
    message(&mut bob, &form("request", &[("muc#role", "moderator")]));
    assert!(error(&bob.expect("<message type='error' id='voice'")).ends_with("forbidden"));
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

/// muc#roomconfig_voicerequestmininterval and muc#roomconfig_allowvoicerequests.
#[test]
fn nobody_asks_for_voice_again_and_again() {
    let server = server();
    let (mut alice, mut bob, mut carol) = moderated(&server);
    let request = form("request", &[("muc#role", "participant")]);
    message(&mut bob, &request);
    alice.expect("<message><x xmlns='jabber:x:data'");
    message(&mut bob, &request);
    assert_eq!(error(&bob.expect("<message type='error' id='voice'")), "wait policy-violation");
    does(&mut alice, "set", &configuration(&[("allowvoicerequests", "0")]));
    pass(&mut [&mut carol]);
    message(&mut carol, &request);
    assert!(error(&carol.expect("<message type='error' id='voice'")).ends_with("forbidden"));
    quiet(&mut [&mut alice]);
}

// XEP-0045 example 94
// XEP-0045 example 95
// XEP-0045 example 96
// XEP-0045 example 97
#[test]
fn a_moderator_grants_voice() {
    let server = server();
    let (mut alice, mut bob, mut carol) = moderated(&server);
    let grant = "<item nick='second' role='participant'><reason>A worthy witch indeed!</reason></item>";
    assert_eq!(crate::shorts(&does(&mut alice, "set", &admin(grant))), ["second none/participant bob@localhost/phone"]);
    let seen = sees(&mut bob, "second none/participant bob@localhost/phone 110");
    assert!(seen.contains("<reason>A worthy witch indeed!</reason>"), "{seen}");
    assert!(sees(&mut carol, "second none/participant").contains("A worthy witch"));
    does(&mut alice, "set", &admin("<item nick='third' role='participant'/>"));
    sees(&mut carol, "third none/participant carol@localhost/phone 110");
}

// XEP-0045 example 98
// XEP-0045 example 99
// XEP-0045 example 100
// XEP-0045 example 101
#[test]
fn a_moderator_revokes_voice() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item nick='second' role='visitor'/>"));
    sees(&mut bob, "second none/visitor bob@localhost/phone 110");
    sees(&mut carol, "second none/visitor");
    crate::say(&mut bob, "but");
    assert_eq!(error(&bob.expect("<message type='error' id='but'")), "auth forbidden");
    does(
        &mut alice,
        "set",
        &admin("<item nick='third' role='visitor'><reason>Not so worthy after all!</reason></item>"),
    );
    assert!(sees(&mut carol, "third none/visitor carol@localhost/phone 110").contains("Not so worthy after all!"));
}

// XEP-0045 example 102
// XEP-0045 example 107
#[test]
fn nobody_takes_the_voice_of_admins_and_owners() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    does(&mut alice, "set", &admin("<item role='moderator' nick='third'/>"));
    pass(&mut [&mut bob, &mut carol]);
    for nick in ["second", "first"] {
        let item = format!("<item nick='{nick}' role='visitor'/>");
        assert_eq!(refused(&mut carol, "set", &admin(&item)), "cancel not-allowed");
    }
    assert_eq!(refused(&mut bob, "set", &admin("<item nick='first' role='visitor'/>")), "cancel not-allowed");
    assert_eq!(refused(&mut alice, "set", &admin("<item nick='second' role='visitor'/>")), "cancel not-allowed");
    let list = "<item nick='third' role='participant'/><item nick='first' role='visitor'/>";
    assert_eq!(refused(&mut bob, "set", &admin(list)), "cancel not-allowed");
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0045 example 103
// XEP-0045 example 104
// XEP-0045 example 105
// XEP-0045 example 106
#[test]
fn the_list_of_those_with_voice_is_asked_for_and_changed() {
    let server = server();
    let (mut alice, mut bob, mut carol) = moderated(&server);
    does(&mut alice, "set", &admin("<item nick='second' role='participant'/>"));
    pass(&mut [&mut bob, &mut carol]);
    let list = answer(&mut alice, "get", &admin("<item role='participant'/>"));
    assert_eq!(list.matches("<item ").count(), 1, "{list}");
    for (name, value) in
        [("nick", "second"), ("role", "participant"), ("affiliation", "none"), ("jid", "bob@localhost/phone")]
    {
        assert_eq!(list.attribute_of("item", name).as_deref(), Some(value), "{list}");
    }
    let change = "<item nick='second' role='visitor'/><item nick='third' role='participant'><reason>A worthy fellow.</reason></item>";
    does(&mut alice, "set", &admin(change));
    sees(&mut carol, "second none/visitor");
    sees(&mut carol, "third none/participant carol@localhost/phone 110");
    assert_eq!(refused(&mut carol, "get", &admin("<item role='participant'/>")), "auth forbidden");
}
