//! Messages to everybody and to one (sections 7.4 and 7.5).

use metronome_testkit::{Client, Server, condition};

use crate::{
    ROOM, admin, configuration, coven, does, enter_in, error, founded, guest, hears, pass, person, quiet, say, server,
    short, so_far, until,
};

fn private(client: &mut Client, nick: &str, kind: &str, body: &str) {
    client.send(&format!("<message to='{ROOM}/{nick}' type='{kind}' id='pm'><body>{body}</body></message>"));
}

// XEP-0045 example 44
// XEP-0045 example 45
#[test]
fn everybody_hears_what_an_occupant_says_its_author_too() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='hysf1v37' xml:lang='en'><body>Harpier cries</body>\
         <thread>t1</thread><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
    ));
    let heard = [&mut alice, &mut bob, &mut carol].map(|client| hears(client, "second", "Harpier cries"));
    for seen in &heard {
        assert_eq!(seen.attribute("id").as_deref(), Some("hysf1v37"), "{seen}");
        assert!(seen.contains("<thread>t1</thread>") && seen.contains("chatstates"), "{seen}");
        assert_eq!(seen.attribute_of("stanza-id", "by").as_deref(), Some(ROOM), "{seen}");
        assert!(!crate::tells(seen, "bob@localhost") && !seen.contains("<delay"), "{seen}");
    }
    let ids = heard.map(|seen| seen.attribute_of("stanza-id", "id"));
    assert!(ids[0].is_some() && ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

#[test]
fn everybody_hears_the_same_in_the_same_order() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for round in 0..40 {
        say(&mut alice, &format!("a{round}"));
        say(&mut bob, &format!("b{round}"));
        say(&mut carol, &format!("c{round}"));
    }
    let all = [&mut alice, &mut bob, &mut carol].map(|client| {
        let heard: Vec<_> =
            (0..120).map(|_| client.expect("<message type='groupchat'").text_of("body").unwrap()).collect();
        heard
    });
    assert_eq!(all[0], all[1]);
    assert_eq!(all[1], all[2]);
    for who in ["a", "b", "c"] {
        let own: Vec<_> = all[0].iter().filter(|body| body.starts_with(who)).cloned().collect();
        let sent: Vec<_> = (0..40).map(|round| format!("{who}{round}")).collect();
        assert_eq!(own, sent, "what one says keeps its order");
    }
}

/// Messages that only clients understand go to everybody as well: states, receipts and markers.
#[test]
fn what_has_no_body_is_heard_and_not_kept() {
    let server = server();
    let (_alice, mut bob, mut carol) = coven(&server, &[]);
    for payload in [
        "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
        "<displayed xmlns='urn:xmpp:chat-markers:0' id='x'/>",
        "<received xmlns='urn:xmpp:receipts' id='x'/>",
    ] {
        bob.send(&format!("<message to='{ROOM}' type='groupchat'>{payload}</message>"));
        let seen = carol.expect(&format!("<message type='groupchat' from='{ROOM}/second'"));
        assert!(seen.contains(payload), "{seen}");
        assert!(!seen.contains("<stanza-id"), "what is not kept has no id: {seen}");
    }
    let came = enter_in(&mut person(&server, "dave"), ROOM, "fourth", "");
    assert_eq!(came.iter().filter(|seen| seen.fits("<message")).count(), 1, "the subject alone: {came:?}");
}

#[test]
fn visitors_do_not_speak_in_a_moderated_room() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[("moderatedroom", "1")]);
    say(&mut bob, "may I");
    let refused = bob.expect(&format!("<message type='error' id='may I' from='{ROOM}'"));
    assert_eq!(error(&refused), "auth forbidden");
    quiet(&mut [&mut alice, &mut carol]);
    say(&mut alice, "no");
    hears(&mut bob, "first", "no");
}

#[test]
fn who_is_not_in_the_room_does_not_speak_there() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    say(&mut bob, "from outside");
    assert_eq!(condition(&bob.expect("<message type='error' id='from outside'")), "not-acceptable");
    quiet(&mut [&mut alice]);
    bob.send("<message to='nowhere@rooms.localhost' type='groupchat' id='none'><body>hello</body></message>");
    let refused = condition(&bob.expect("<message type='error' id='none'"));
    assert!(["item-not-found", "not-acceptable"].contains(&&*refused), "{refused}");
}

// XEP-0045 example 46
// XEP-0045 example 47
#[test]
fn one_occupant_writes_to_another() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    private(&mut bob, "third", "chat", "I'll give thee a wind.");
    let seen = carol.expect(&format!("<message type='chat' id='pm' from='{ROOM}/second'"));
    assert!(seen.contains("<body>I'll give thee a wind.") || seen.contains("a wind."), "{seen}");
    assert_eq!(seen.matches("<x xmlns='http://jabber.org/protocol/muc#user'").count(), 1, "{seen}");
    assert!(!seen.contains("bob@localhost"), "{seen}");
    quiet(&mut [&mut alice, &mut bob]);
    bob.send(&format!(
        "<message to='{ROOM}/third' id='pm'><body>normal</body><x xmlns='http://jabber.org/protocol/muc#user'/></message>"
    ));
    let seen = carol.expect(&format!("<message id='pm' from='{ROOM}/second'><body>normal"));
    assert_eq!(seen.matches("muc#user").count(), 1, "{seen}");
}

// XEP-0045 example 48
#[test]
fn what_is_for_one_is_not_for_everybody() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    private(&mut bob, "third", "groupchat", "to all");
    let refused = bob.expect(&format!("<message type='error' id='pm' from='{ROOM}/third'"));
    assert_eq!(error(&refused), "modify bad-request");
    quiet(&mut [&mut alice, &mut carol]);
}

#[test]
fn nobody_writes_to_who_is_not_there_nor_from_outside() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    private(&mut alice, "nobody", "chat", "hello");
    assert_eq!(error(&alice.expect("<message type='error' id='pm'")), "cancel item-not-found");
    private(&mut bob, "first", "chat", "hello");
    assert_eq!(condition(&bob.expect("<message type='error' id='pm'")), "not-acceptable");
    quiet(&mut [&mut alice]);
}

/// muc#roomconfig_allowpm.
#[test]
fn the_room_says_who_writes_to_others() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[("moderatedroom", "1")]);
    does(&mut alice, "set", &admin("<item role='participant' nick='second'/>"));
    // alice moderates, bob has voice, carol is a visitor: whether each may write to carol.
    for (value, may) in [
        ("anyone", [true, true]),
        ("participants", [true, true]),
        ("moderators", [true, false]),
        ("none", [false, false]),
    ] {
        does(&mut alice, "set", &configuration(&[("allowpm", value)]));
        pass(&mut [&mut bob, &mut carol]);
        for (client, may) in [&mut alice, &mut bob].into_iter().zip(may) {
            private(client, "third", "chat", value);
            if may {
                carol.expect(&format!("<message type='chat'><body>{value}"));
            } else {
                assert_eq!(error(&client.expect("<message type='error' id='pm'")), "auth forbidden", "{value}");
            }
        }
        quiet(&mut [&mut carol]);
    }
    does(&mut alice, "set", &configuration(&[("allowpm", "participants")]));
    pass(&mut [&mut bob, &mut carol]);
    private(&mut carol, "second", "chat", "from a visitor");
    assert_eq!(error(&carol.expect("<message type='error' id='pm'")), "auth forbidden");
    private(&mut carol, "first", "chat", "to a moderator");
    alice.expect("<message type='chat'><body>to a moderator");
}

/// XEP-0500.
#[test]
fn in_slow_mode_everybody_waits_but_those_who_administrate() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("muc#roomconfig_slow_mode_duration", "3600")]);
    say(&mut bob, "one");
    hears(&mut bob, "second", "one");
    say(&mut bob, "two");
    assert_eq!(error(&bob.expect("<message type='error' id='two'")), "wait policy-violation");
    hears(&mut alice, "second", "one");
    for body in ["three", "four"] {
        say(&mut alice, body);
        hears(&mut alice, "first", body);
    }
    // Another nickname, or coming again, is no way out.
    bob.send(&format!("<presence to='{ROOM}/other'/>"));
    until(&mut bob, &format!("<presence from='{ROOM}/other'"));
    say(&mut bob, "five");
    assert_eq!(error(&until(&mut bob, "<message type='error' id='five'").1), "wait policy-violation");
}

/// XEP-0045 section 15.4 and XEP-0421 section 4: an occupant cannot say what rooms say.
#[test]
fn nobody_speaks_for_the_room() {
    let server = server();
    let (_alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!(
        "<message to='{ROOM}' type='groupchat'><body>forged</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged-1'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged-2'/>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2002-10-13T23:58:37Z'/>\
         <x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x></message>"
    ));
    let seen = hears(&mut carol, "second", "forged");
    assert!(!seen.contains("forged-") && !seen.contains("2002-10") && !seen.contains("<status"), "{seen}");
    assert_eq!(seen.matches("<occupant-id").count(), 1, "{seen}");
    assert_eq!(seen.matches("<stanza-id").count(), 1, "{seen}");
}

// XEP-0045 example 60
// XEP-0045 example 61
// XEP-0045 example 62
// XEP-0045 example 65
#[test]
fn a_conversation_of_two_goes_on_with_its_past() {
    let server = server();
    let mut bob = metronome_testkit::online(&server, "bob", "phone");
    let mut alice = metronome_testkit::online(&server, "alice", "desk");
    alice.send(
        "<message to='bob@localhost/phone' type='chat' id='b3'><thread>e0ffe4</thread><body>Thrice the brinded cat</body></message>",
    );
    bob.expect("<message type='chat' from='alice@localhost/desk'><thread>e0ffe4</thread>");
    let mut alice = founded(&server, &[("whois", "anyone")]);
    let stamp = "2004-09-29T01:54:37Z";
    alice.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='b4'><thread>e0ffe4</thread><body>Thrice the brinded cat</body>\
         <delay xmlns='urn:xmpp:delay' from='alice@localhost/phone' stamp='{stamp}'/></message>"
    ));
    let heard = hears(&mut alice, "first", "Thrice the brinded cat");
    assert!(heard.contains(stamp), "the time it was said first: {heard}");
    let came = enter_in(&mut bob, ROOM, "second", "");
    assert_eq!(short(&came[0]), "first owner/moderator alice@localhost/phone");
    let past = came.iter().find(|seen| seen.contains("<body")).unwrap();
    assert!(past.contains("<thread>e0ffe4</thread>") && past.contains(stamp), "{past}");
}

/// The archive of a person keeps nothing of what is said in rooms: the room's does.
#[test]
fn what_is_said_in_rooms_is_not_in_the_archives_of_people() {
    let server: Server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    crate::say_heard(&mut bob, "in the room");
    bob.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    let (before, fin) = until(&mut bob, "<iq id='mam'");
    assert!(!before.iter().any(|seen| seen.contains("in the room")), "{before:?} {fin}");
    drop(so_far(&mut alice));
}
