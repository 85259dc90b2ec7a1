//! Taking back what was said: by its author (XEP-0424) and by moderators (XEP-0425), in the room, in its past and in its archive.

use metronome_testkit::{Client, Seen, ask};

use crate::{
    INFO, ROOM, admin, answer, coven, does, enter, error, pass, person, refused, say_heard, server, so_far, until,
};

fn moderate(id: &str) -> String {
    format!(
        "<moderate xmlns='urn:xmpp:message-moderate:1' id='{id}'><retract xmlns='urn:xmpp:message-retract:1'/>\
         <reason>inappropriate</reason></moderate>"
    )
}

/// The older form, which moderators' clients still send.
fn moderate_older(id: &str) -> String {
    format!(
        "<apply-to xmlns='urn:xmpp:fasten:0' id='{id}'><moderate xmlns='urn:xmpp:message-moderate:0'>\
         <retract xmlns='urn:xmpp:message-retract:0'/><reason>inappropriate</reason></moderate></apply-to>"
    )
}

/// Bob says it, and the id that it has in the archive.
#[track_caller]
fn said(bob: &mut Client, body: &str) -> String {
    say_heard(bob, body).attribute_of("stanza-id", "id").unwrap()
}

/// What is in the room's archive, as somebody in it sees that.
#[track_caller]
pub(crate) fn archive(client: &mut Client) -> Vec<Seen> {
    client.send(&format!("<iq type='set' id='mam' to='{ROOM}'><query xmlns='urn:xmpp:mam:2' queryid='q'/></iq>"));
    let (before, fin) = until(client, "<iq id='mam'");
    assert!(fin.fits(&format!("<iq type='result' from='{ROOM}'")), "{fin}");
    before.into_iter().filter(|seen| seen.contains("<result xmlns='urn:xmpp:mam:2'")).collect()
}

// XEP-0425 example 1
// XEP-0425 example 2
#[test]
fn rooms_say_that_they_are_moderated() {
    let server = server();
    let (_alice, mut bob, _carol) = coven(&server, &[]);
    let info = answer(&mut bob, "get", INFO);
    for feature in ["urn:xmpp:message-moderate:1", "urn:xmpp:message-moderate:0", "urn:xmpp:message-retract:1"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
}

// XEP-0425 example 3
// XEP-0425 example 4
// XEP-0425 example 5
// XEP-0425 example 6
// XEP-0425 example 8
#[test]
fn a_moderator_takes_back_what_another_has_said() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let id = said(&mut bob, "free magic potions");
    pass(&mut [&mut alice, &mut carol]);
    let own = does(&mut alice, "set", &moderate(&id));
    for seen in [own[0].clone(), bob.next_piece(), carol.next_piece()] {
        assert!(seen.fits(&format!("<message type='groupchat' from='{ROOM}'")), "{seen}");
        assert!(seen.contains("<retract ") && seen.contains("urn:xmpp:message-retract:1"), "{seen}");
        assert_eq!(seen.attribute_of("retract", "id").as_deref(), Some(&*id), "{seen}");
        assert_eq!(seen.attribute_of("moderated", "by"), Some(format!("{ROOM}/first")), "{seen}");
        assert!(seen.contains("<reason>inappropriate</reason>") && seen.contains("<occupant-id "), "{seen}");
        assert!(!crate::tells(&seen, "alice@localhost"), "{seen}");
    }
    let rows = archive(&mut carol);
    assert_eq!(rows[0].attribute_of("result", "id").as_deref(), Some(&*id), "{rows:?}");
    assert!(rows[0].contains("<retracted ") && rows[0].contains("<moderated "), "{rows:?}");
    assert!(rows[0].contains("<reason>inappropriate</reason>"), "{rows:?}");
    assert!(!rows.iter().any(|row| row.contains("<body>free magic potions")), "{rows:?}");
    let came = enter(&mut person(&server, "dave"), "fourth");
    assert!(!came.iter().any(|seen| seen.contains("<body>free magic potions")), "{came:?}");
}

#[test]
fn the_older_form_does_the_same() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let id = said(&mut bob, "free magic potions");
    pass(&mut [&mut alice]);
    does(&mut alice, "set", &moderate_older(&id));
    let seen = bob.next_piece();
    assert!(seen.contains("urn:xmpp:message-moderate:0") && seen.contains("urn:xmpp:fasten:0"), "{seen}");
    assert!(!archive(&mut bob).iter().any(|row| row.contains("<body>free magic potions")));
}

// XEP-0425 example 7
#[test]
fn others_than_moderators_take_back_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let id = said(&mut bob, "harmless");
    pass(&mut [&mut alice, &mut carol]);
    for payload in [moderate(&id), moderate_older(&id)] {
        assert!(refused(&mut carol, "set", &payload).ends_with("forbidden"));
        assert!(refused(&mut person(&server, "dave"), "set", &payload).ends_with("forbidden"));
    }
    assert_eq!(refused(&mut alice, "set", &moderate("none")), "cancel item-not-found");
    does(&mut alice, "set", &moderate(&id));
    assert_eq!(refused(&mut alice, "set", &moderate(&id)), "cancel item-not-found", "it is taken back already");
    assert!(
        error(&ask(&mut alice, "set", ROOM, "<moderate xmlns='urn:xmpp:message-moderate:1'/>"))
            .ends_with("bad-request")
    );
}

/// What looked as if it had been taken back already could not be taken back.
#[test]
fn nobody_says_what_only_archives_have() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for stone in [
        "<retracted xmlns='urn:xmpp:message-retract:1' stamp='2026-01-01T00:00:00Z' id='x'/>",
        "<moderated xmlns='urn:xmpp:message-moderate:0' by='coven@rooms.localhost/first'/>",
        "<moderated xmlns='urn:xmpp:message-moderate:1' by='coven@rooms.localhost/first'/>",
    ] {
        bob.send(&format!("<message to='{ROOM}' type='groupchat' id='spam'><body>potions</body>{stone}</message>"));
        let heard = until(&mut bob, "<message type='groupchat' id='spam'").1;
        assert!(
            heard.contains("<body>potions") && !heard.contains("<moderated") && !heard.contains("<retracted"),
            "{heard}"
        );
        pass(&mut [&mut alice, &mut bob, &mut carol]);
        does(&mut alice, "set", &moderate(&heard.attribute_of("stanza-id", "id").unwrap()));
        assert!(!archive(&mut carol).iter().any(|row| row.contains("<body>potions")), "{stone}");
    }
}

/// XEP-0424: one's own, and nobody else's.
#[test]
fn an_author_takes_back_its_own() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let id = said(&mut bob, "mistake");
    pass(&mut [&mut alice, &mut carol]);
    let retract = format!(
        "<message to='{ROOM}' type='groupchat' id='back'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>\
         <store xmlns='urn:xmpp:hints'/></message>"
    );
    carol.send(&retract);
    assert_eq!(error(&carol.expect("<message type='error' id='back'")), "auth forbidden");
    bob.send(&retract);
    let seen = alice.expect(&format!("<message type='groupchat' from='{ROOM}/second'><retract "));
    assert_eq!(seen.attribute_of("retract", "id").as_deref(), Some(&*id), "{seen}");
    pass(&mut [&mut carol]);
    let rows = archive(&mut carol);
    assert!(rows[0].contains("<retracted ") && !rows.iter().any(|row| row.contains("<body>mistake")), "{rows:?}");
}

/// What was said by somebody who is gone can be taken back as well, and moderators need not be there.
#[test]
fn an_admin_takes_back_what_a_stranger_has_said() {
    let server = server();
    let (mut alice, mut bob, carol) = coven(&server, &[]);
    let id = said(&mut bob, "gone");
    bob.close();
    carol.close();
    does(&mut alice, "set", &admin("<item affiliation='outcast' jid='bob@localhost'/>"));
    does(&mut alice, "set", &moderate(&id));
    assert!(!archive(&mut alice).iter().any(|row| row.contains("<body>gone")));
    drop(so_far(&mut alice));
}
