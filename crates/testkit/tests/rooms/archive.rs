//! The archive of a room (XEP-0313) as clients find it: who may read it, and what stands there.

use metronome_testkit::{ask, condition};

use crate::moderation::archive;
use crate::{
    INFO, ROOM, answer, bodies, configuration, coven, does, founded, guest, pass, person, say, say_heard, server, until,
};

#[test]
fn what_was_heard_is_in_the_archive_under_the_id_it_was_heard_with() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    assert!(answer(&mut bob, "get", INFO).contains("<feature var='urn:xmpp:mam:2'/>"));
    let ids: Vec<_> =
        ["one", "two", "three"].map(|body| say_heard(&mut bob, body).attribute_of("stanza-id", "id")).into();
    pass(&mut [&mut alice, &mut carol]);
    let rows = archive(&mut carol);
    assert_eq!(bodies(&rows), ["one", "two", "three"]);
    assert_eq!(rows.iter().map(|row| row.attribute_of("result", "id")).collect::<Vec<_>>(), ids);
    for row in &rows {
        assert!(row.contains(&format!("from='{ROOM}/second'")) && row.contains("<occupant-id "), "{row}");
        assert!(!row.contains("bob@localhost"), "carol sees no addresses: {row}");
    }
    let rows = archive(&mut alice);
    assert!(rows.iter().all(|row| row.contains("bob@localhost")), "a moderator does: {rows:?}");
}

/// Nobody reads what nobody could hear: outcasts, strangers in a room of members, and those without the password.
#[test]
fn who_may_not_enter_does_not_read() {
    let server = server();
    let mut alice = founded(&server, &[("persistentroom", "1")]);
    say_heard(&mut alice, "secret");
    let query = "<query xmlns='urn:xmpp:mam:2'/>";
    does(&mut alice, "set", &crate::admin("<item affiliation='outcast' jid='bob@localhost'/>"));
    let mut bob = person(&server, "bob");
    assert_eq!(condition(&ask(&mut bob, "set", ROOM, query)), "forbidden");
    does(&mut alice, "set", &configuration(&[("membersonly", "1")]));
    let mut dave = person(&server, "dave");
    dave.send(&format!("<iq type='set' id='mam' to='{ROOM}'>{query}</iq>"));
    let (before, fin) = until(&mut dave, "<iq id='mam'");
    assert!(fin.fits("<iq type='error'") && before.is_empty(), "{fin}");
}

#[test]
fn a_room_without_an_archive_keeps_nothing() {
    let server = server();
    let mut alice = founded(&server, &[("enablearchiving", "0")]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let heard = say_heard(&mut bob, "kept nowhere");
    assert!(!heard.contains("<stanza-id"), "{heard}");
    pass(&mut [&mut alice]);
    let came = crate::enter(&mut person(&server, "carol"), "third");
    assert!(!came.iter().any(|seen| seen.contains("kept nowhere")), "{came:?}");
}

/// XEP-0334: what its author wants kept nowhere is heard and not kept.
#[test]
fn what_is_not_to_be_stored_is_not() {
    let server = server();
    let (_alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!(
        "<message to='{ROOM}' type='groupchat'><body>off the record</body><no-store xmlns='urn:xmpp:hints'/></message>"
    ));
    crate::hears(&mut carol, "second", "off the record");
    say(&mut bob, "on the record");
    crate::hears(&mut carol, "second", "on the record");
    assert_eq!(bodies(&archive(&mut carol)), ["on the record"]);
}
