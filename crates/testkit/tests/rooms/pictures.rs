//! Pictures of rooms (XEP-0486) and their cards (XEP-0054).

use metronome_testkit::{Setup, ask, condition};

use crate::{
    INFO, ROOM, admin, answer, codes, coven, does, enter, founded, guest, pass, person, refused, server, until,
};

const SVG: &str = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSIzMiIgaGVpZ2h0PSIzMiI+CiA8cmVjdCB4PSIwIiB5PSIwIiB3aWR0aD0iMzIiIGhlaWdodD0iMzIiIGZpbGw9InJlZCIvPgo8L3N2Zz4K";
const SVG_HASH: &str = "a31c4bd04de69663cfd7f424a8453f4674da37ff";
const GET: &str = "<vCard xmlns='vcard-temp'/>";

fn photo(kind: &str, image: &str) -> String {
    format!("<PHOTO><TYPE>{kind}</TYPE><BINVAL>{image}</BINVAL></PHOTO>")
}

fn card(inside: &str) -> String {
    format!("<vCard xmlns='vcard-temp'>{inside}</vCard>")
}

// XEP-0486 example 1
// XEP-0486 example 2
// XEP-0486 example 3
// XEP-0486 example 4
// XEP-0486 example 7
// XEP-0486 example 9
// XEP-0486 example 10
// XEP-0486 example 11
// XEP-0486 example 12
#[test]
fn an_owner_sets_a_picture_that_everybody_finds() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    for to in [ROOM, crate::SERVICE] {
        let info = ask(&mut bob, "get", to, INFO);
        assert!(info.contains("<feature var='vcard-temp'/>") && !info.contains("avatarhash"), "{info}");
    }
    assert_eq!(condition(&ask(&mut bob, "get", ROOM, GET)), "item-not-found");
    let svg = card(&photo("image/svg+xml", SVG));
    does(&mut alice, "set", &svg);
    let notice = until(&mut bob, &format!("<message type='groupchat' from='{ROOM}'")).1;
    assert_eq!(codes(&notice), [104], "{notice}");
    let presence = bob.expect(&format!("<presence from='{ROOM}'"));
    assert_eq!(presence.text_of("photo").as_deref(), Some(SVG_HASH), "{presence}");
    let mut dave = person(&server, "dave");
    assert!(answer(&mut dave, "get", INFO).contains(&format!(
        "<field var='muc#roominfo_avatarhash' type='text-multi'><value>{SVG_HASH}</value></field>"
    )));
    assert!(answer(&mut dave, "get", GET).contains(&svg));
    enter(&mut dave, "fourth");
    let presence = dave.expect(&format!("<presence from='{ROOM}'"));
    assert_eq!(presence.text_of("photo").as_deref(), Some(SVG_HASH), "{presence}");
}

// XEP-0486 example 8
// XEP-0486 example 13
// XEP-0486 example 14
// XEP-0486 example 15
#[test]
fn a_picture_has_several_formats_and_can_be_taken_away() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let png = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQMAAABJtOi3AAAAB3RJTUUH4ggVERoVAPsrMgAAAAlwSFlzAAALEgAACxIB0t1+/AAAAARnQU1BAACxjwv8YQUAAAAGUExURf8AAP///0EdNBEAAAABYktHRAH/Ai3eAAAADElEQVQI12NgGNwAAACgAAFhJX1HAAAAAElFTkSuQmCC";
    does(&mut alice, "set", &card(&[photo("image/svg+xml", SVG), photo("image/png", png)].concat()));
    let info = answer(&mut bob, "get", INFO);
    let hashes = info.split("muc#roominfo_avatarhash").nth(1).unwrap().split("</field>").next().unwrap();
    assert_eq!(hashes.matches("<value>").count(), 2, "{hashes}");
    assert!(hashes.contains(SVG_HASH), "{hashes}");
    pass(&mut [&mut bob]);
    does(&mut alice, "set", GET);
    let presence = until(&mut bob, &format!("<presence from='{ROOM}'")).1;
    assert!(presence.contains("<photo/>"), "{presence}");
    assert!(!answer(&mut bob, "get", INFO).contains("avatarhash"));
    assert_eq!(condition(&ask(&mut bob, "get", ROOM, GET)), "item-not-found");
}

// XEP-0486 example 6
#[test]
fn nobody_but_owners_sets_it_and_only_to_a_picture() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    let svg = card(&photo("image/svg+xml", SVG));
    for client in [&mut bob, &mut person(&server, "dave")] {
        assert_eq!(refused(client, "set", &svg), "auth forbidden");
        assert_eq!(refused(client, "set", GET), "auth forbidden");
    }
    assert!(refused(&mut alice, "set", &card(&photo("text/html", "aGVsbG8="))).ends_with("not-acceptable"));
    assert!(refused(&mut alice, "set", &card(&photo("image/png", "!!!"))).ends_with("not-acceptable"));
    assert!(refused(&mut alice, "set", &card(&photo("image/svg+xml", SVG).repeat(5))).ends_with("policy-violation"));
    let large = card(&photo("image/png", &"A".repeat(150_000)));
    assert!(refused(&mut alice, "set", &large).ends_with("policy-violation"));
    assert!(!answer(&mut alice, "get", INFO).contains("avatarhash"));
    let mut dave = person(&server, "dave");
    for (kind, inside) in [("get", GET), ("set", &*svg)] {
        let answer = ask(&mut dave, kind, "nowhere@rooms.localhost", inside);
        assert_eq!(condition(&answer), "item-not-found", "{kind}");
    }
}

#[test]
fn a_picture_is_there_after_a_restart_and_goes_with_its_room() {
    let mut server = Setup::default().start();
    let mut alice = founded(&server, &[("persistentroom", "1")]);
    does(&mut alice, "set", &card(&photo("image/svg+xml", SVG)));
    server.crash();
    let mut alice = person(&server, "alice");
    assert!(answer(&mut alice, "get", INFO).contains(SVG_HASH));
    assert!(answer(&mut alice, "get", GET).contains(SVG));
    does(&mut alice, "set", &crate::owner("<destroy/>"));
    assert_eq!(condition(&ask(&mut alice, "get", ROOM, GET)), "item-not-found");
    let mut alice = person(&server, "alice");
    enter(&mut alice, "first");
    does(&mut alice, "set", &crate::configuration(&[]));
    assert!(!answer(&mut alice, "get", INFO).contains("avatarhash"));
}
