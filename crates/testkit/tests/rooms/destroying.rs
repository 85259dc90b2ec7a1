//! The end of a room (section 10.9).

use crate::{INFO, ITEMS, ROOM, SERVICE, coven, enter, founded, owner, person, refused, server, short};
use metronome_testkit::ask;

const DESTROY: &str = "<destroy jid='heath@rooms.localhost'><reason>Macbeth doth come.</reason></destroy>";

// XEP-0045 example 201
// XEP-0045 example 202
// XEP-0045 example 203
#[test]
fn everybody_is_told_once_where_to_go_instead() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[("persistentroom", "1")]);
    alice.send(&format!("<iq type='set' id='begone' to='{ROOM}'>{}</iq>", owner(DESTROY)));
    let own = alice.expect_all(&["<presence type='unavailable'", "<iq type='result' id='begone'"]);
    for (seen, nick) in [(own[0].clone(), "first"), (bob.next_piece(), "second"), (carol.next_piece(), "third")] {
        assert!(seen.fits(&format!("<presence type='unavailable' from='{ROOM}/{nick}'")), "{seen}");
        assert!(short(&seen).contains(" none/none"), "{seen}");
        assert_eq!(seen.attribute_of("destroy", "jid").as_deref(), Some("heath@rooms.localhost"), "{seen}");
        assert!(seen.contains("<reason>Macbeth doth come.</reason>"), "{seen}");
    }
    for client in [&mut alice, &mut bob, &mut carol] {
        assert!(client.so_far().is_empty(), "nobody is told of the others");
    }
    assert!(
        refused(&mut bob, "get", INFO).ends_with("item-not-found") || refused(&mut bob, "get", INFO).ends_with("gone")
    );
    assert!(!ask(&mut bob, "get", SERVICE, ITEMS).contains(ROOM));
}

// XEP-0045 example 204
#[test]
fn others_than_owners_destroy_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for client in [&mut bob, &mut carol, &mut person(&server, "dave")] {
        assert_eq!(refused(client, "set", &owner(DESTROY)), "auth forbidden");
    }
    crate::say(&mut alice, "still here");
    crate::hears(&mut bob, "first", "still here");
}

/// A room of the same name that is made later has nothing of the old one.
#[test]
fn a_room_that_is_made_anew_knows_nothing_of_the_old_one() {
    let server = server();
    let mut alice = founded(&server, &[("persistentroom", "1"), ("roomname", "Old")]);
    crate::say_heard(&mut alice, "secret");
    crate::does(&mut alice, "set", &crate::admin("<item affiliation='outcast' jid='bob@localhost'/>"));
    alice.send(&format!("<iq type='set' id='begone' to='{ROOM}'>{}</iq>", owner("<destroy/>")));
    crate::until(&mut alice, "<iq type='result' id='begone'");
    alice.so_far();
    let mut bob = person(&server, "bob");
    let came = enter(&mut bob, "second");
    assert_eq!(short(&came[0]), "second owner/moderator bob@localhost/phone 110 201");
    assert!(!came.iter().any(|seen| seen.contains("secret")), "{came:?}");
    crate::does(&mut bob, "set", &owner("<x xmlns='jabber:x:data' type='submit'/>"));
    let info = crate::answer(&mut bob, "get", INFO);
    assert!(!info.contains("Old"), "{info}");
    assert_eq!(refused(&mut alice, "get", &owner("")), "auth forbidden");
}
