//! XEP-0410: whether one is still in a room; and requests from one occupant to another (section 6.6).

use metronome_testkit::{ask, condition};

use crate::{INFO, ROOM, answer, coven, error, founded, person, quiet, server};

const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

// XEP-0410 example 1
// XEP-0410 example 4
#[test]
fn who_pings_itself_is_answered_by_the_room() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let answered = ask(&mut bob, "get", &format!("{ROOM}/second"), PING);
    assert!(answered.fits(&format!("<iq type='result' from='{ROOM}/second'")), "{answered}");
    assert!(answer(&mut bob, "get", INFO).contains("http://jabber.org/protocol/muc#self-ping-optimization"));
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0410 example 2
#[test]
fn who_is_not_in_the_room_learns_so_by_a_ping() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let mut dave = person(&server, "dave");
    for nick in ["fourth", "second"] {
        let refused = ask(&mut dave, "get", &format!("{ROOM}/{nick}"), PING);
        assert_eq!(error(&refused), "cancel not-acceptable", "{nick}");
    }
    bob.send(&format!("<presence to='{ROOM}/second' type='unavailable'/>"));
    crate::sees(&mut bob, "-second none/none bob@localhost/phone 110");
    assert_eq!(condition(&ask(&mut bob, "get", &format!("{ROOM}/second"), PING)), "not-acceptable");
    crate::pass(&mut [&mut alice]);
}

/// A request to another occupant comes from an occupant, and so does the answer: nobody sees a real address.
#[test]
fn requests_from_one_occupant_to_another_hide_who_they_are() {
    let server = server();
    let (_alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!("<iq type='get' id='version' to='{ROOM}/third'><query xmlns='jabber:iq:version'/></iq>"));
    let asked = carol.expect(&format!("<iq type='get' from='{ROOM}/second'><query xmlns='jabber:iq:version'"));
    assert!(!asked.contains("bob@localhost"), "{asked}");
    let id = asked.attribute("id").unwrap();
    carol.send(&format!(
        "<iq type='result' id='{id}' to='{ROOM}/second'><query xmlns='jabber:iq:version'><name>c</name></query></iq>"
    ));
    let answered = bob.expect(&format!("<iq type='result' id='version' from='{ROOM}/third'"));
    assert!(answered.contains("<name>c</name>") && !answered.contains("carol@localhost"), "{answered}");
    // An answer that nobody waits for goes nowhere.
    carol.send(&format!("<iq type='result' id='{id}' to='{ROOM}/second'/>"));
    quiet(&mut [&mut carol, &mut bob]);
}

/// Section 6.6: who is not in the room asks no occupant.
#[test]
fn who_is_not_in_the_room_asks_no_occupant() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut dave = person(&server, "dave");
    let refused = condition(&ask(&mut dave, "get", &format!("{ROOM}/first"), INFO));
    assert!(["bad-request", "not-acceptable"].contains(&&*refused), "{refused}");
    assert_eq!(condition(&ask(&mut alice, "get", &format!("{ROOM}/nobody"), INFO)), "item-not-found");
    quiet(&mut [&mut alice]);
}
