//! Kicking occupants, and moderators (sections 8.2, 9.6 to 9.8).

use crate::{admin, answer, coven, does, enter, pass, person, quiet, refused, sees, server, short, shorts, so_far};

// XEP-0045 example 89
// XEP-0045 example 90
// XEP-0045 example 91
// XEP-0045 example 92
#[test]
fn who_is_kicked_is_told_by_whom_and_why_and_may_come_again() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let came =
        does(&mut alice, "set", &admin("<item nick='second' role='none'><reason>Avaunt, you cullion!</reason></item>"));
    assert_eq!(shorts(&came), ["-second none/none bob@localhost/phone 307"]);
    let seen = sees(&mut bob, "-second none/none bob@localhost/phone 110 307");
    assert!(seen.contains("<reason>Avaunt, you cullion!</reason>"), "{seen}");
    assert_eq!(seen.attribute_of("actor", "nick").as_deref(), Some("first"), "{seen}");
    sees(&mut carol, "-second none/none 307");
    crate::say(&mut bob, "still");
    assert!(crate::error(&bob.expect("<message type='error' id='still'")).ends_with("not-acceptable"));
    enter(&mut bob, "second");
}

// XEP-0045 example 93
#[test]
fn nobody_is_kicked_by_somebody_lower() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    does(&mut alice, "set", &admin("<item role='moderator' nick='third'/>"));
    pass(&mut [&mut bob, &mut carol]);
    assert_eq!(refused(&mut bob, "set", &admin("<item nick='first' role='none'/>")), "cancel not-allowed");
    for nick in ["first", "second"] {
        assert_eq!(
            refused(&mut carol, "set", &admin(&format!("<item nick='{nick}' role='none'/>"))),
            "cancel not-allowed"
        );
    }
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

#[test]
fn participants_and_strangers_kick_nobody() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let mut dave = person(&server, "dave");
    for client in [&mut bob, &mut dave] {
        for item in [
            "<item nick='third' role='none'/>",
            "<item nick='first' role='none'/>",
            "<item nick='nobody' role='none'/>",
        ] {
            assert_eq!(refused(client, "set", &admin(item)), "auth forbidden", "{item}");
        }
    }
    assert_eq!(refused(&mut alice, "set", &admin("<item nick='nobody' role='none'/>")), "cancel item-not-found");
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

/// All sessions of an occupant go.
#[test]
fn an_occupant_is_kicked_with_all_its_sessions() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let mut laptop = metronome_testkit::Client::login(&server, "bob", "laptop");
    enter(&mut laptop, "second");
    pass(&mut [&mut alice, &mut bob]);
    does(&mut alice, "set", &admin("<item nick='second' role='none'/>"));
    for client in [&mut bob, &mut laptop] {
        let gone = client.expect("<presence type='unavailable'");
        assert!(short(&gone).ends_with("110 307"), "{gone}");
    }
}

// XEP-0045 example 137
// XEP-0045 example 138
// XEP-0045 example 139
// XEP-0045 example 140
#[test]
fn an_admin_makes_moderators() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    pass(&mut [&mut bob, &mut carol]);
    does(&mut bob, "set", &admin("<item nick='third' role='moderator'><reason>A worthy witch indeed!</reason></item>"));
    let came = so_far(&mut alice);
    assert_eq!(shorts(&came), ["third none/moderator carol@localhost/phone"]);
    assert!(came[0].contains("A worthy witch indeed!"), "{came:?}");
    let came = shorts(&so_far(&mut carol));
    assert_eq!(came[0], "third none/moderator carol@localhost/phone 110");
    assert!(
        came.contains(&"first owner/moderator alice@localhost/phone".to_owned()),
        "moderators see addresses: {came:?}"
    );
    // Nobody unmakes a moderator of a higher affiliation.
    assert_eq!(refused(&mut carol, "set", &admin("<item nick='second' role='participant'/>")), "cancel not-allowed");
}

// XEP-0045 example 141
// XEP-0045 example 142
// XEP-0045 example 143
// XEP-0045 example 144
#[test]
fn an_admin_unmakes_moderators() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item nick='third' role='moderator'/>"));
    pass(&mut [&mut bob, &mut carol]);
    does(
        &mut alice,
        "set",
        &admin("<item nick='third' role='participant'><reason>Not so worthy after all!</reason></item>"),
    );
    assert!(sees(&mut bob, "third none/participant").contains("Not so worthy after all!"));
    sees(&mut carol, "third none/participant carol@localhost/phone 110");
    assert_eq!(refused(&mut carol, "set", &admin("<item nick='second' role='visitor'/>")), "auth forbidden");
}

// XEP-0045 example 145
// XEP-0045 example 150
#[test]
fn admins_and_owners_stay_moderators() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    pass(&mut [&mut bob, &mut carol]);
    for (client, nick) in [(&mut bob, "first"), (&mut alice, "second")] {
        assert_eq!(
            refused(client, "set", &admin(&format!("<item nick='{nick}' role='participant'/>"))),
            "cancel not-allowed"
        );
    }
    let list = "<item nick='third' role='moderator'/><item nick='first' role='participant'/>";
    assert_eq!(refused(&mut bob, "set", &admin(list)), "cancel not-allowed");
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0045 example 146
// XEP-0045 example 147
// XEP-0045 example 148
// XEP-0045 example 149
#[test]
fn the_list_of_moderators_is_asked_for_and_changed() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item nick='third' role='moderator'/>"));
    pass(&mut [&mut bob, &mut carol]);
    let list = answer(&mut alice, "get", &admin("<item role='moderator'/>"));
    assert_eq!(list.matches("role='moderator'").count(), 2, "{list}");
    assert!(list.contains("nick='first'") && list.contains("nick='third'"), "{list}");
    does(&mut alice, "set", &admin("<item nick='third' role='participant'/><item nick='second' role='moderator'/>"));
    let came = shorts(&so_far(&mut bob));
    assert_eq!(came[..2], ["third none/participant", "second none/moderator bob@localhost/phone 110"]);
    assert_eq!(refused(&mut carol, "get", &admin("<item role='moderator'/>")), "auth forbidden");
}
