//! Bans, members, admins and owners (sections 9.1 to 9.5 and 10.3 to 10.8), and the lists of them.

use metronome_testkit::{Client, Server};

use crate::{
    ROOM, admin, answer, codes, coven, does, enter, founded, guest, pass, person, quiet, refused, sees, server, shorts,
    shut_out, so_far,
};

fn affiliate(jid: &str, affiliation: &str, inside: &str) -> String {
    admin(&format!("<item affiliation='{affiliation}' jid='{jid}'>{inside}</item>"))
}

fn list_of(affiliation: &str) -> String {
    admin(&format!("<item affiliation='{affiliation}'/>"))
}

/// The addresses in the list of an affiliation, in its order.
#[track_caller]
fn list(client: &mut Client, affiliation: &str) -> Vec<String> {
    let list = answer(client, "get", &list_of(affiliation));
    let items = list.split("<item ").skip(1);
    items.filter_map(|item| item.split_once("jid=")?.1.get(1..)?.split(['\'', '"']).next().map(str::to_owned)).collect()
}

/// Alice owns the room, bob administrates it, carol is nothing to it.
fn led(server: &Server, fields: &[(&str, &str)]) -> (Client, Client, Client) {
    let (mut alice, mut bob, mut carol) = coven(server, fields);
    does(&mut alice, "set", &affiliate("bob@localhost", "admin", ""));
    pass(&mut [&mut alice, &mut bob, &mut carol]);
    (alice, bob, carol)
}

// XEP-0045 example 110
// XEP-0045 example 111
// XEP-0045 example 112
// XEP-0045 example 113
// XEP-0045 example 114
#[test]
fn who_is_banned_is_removed_and_does_not_come_again() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    does(&mut bob, "set", &affiliate("carol@localhost", "outcast", "<reason>Treason</reason>"));
    let seen = sees(&mut carol, "-third outcast/none carol@localhost/phone 110 301");
    assert!(seen.contains("<reason>Treason</reason>"), "{seen}");
    assert_eq!(seen.attribute_of("actor", "nick").as_deref(), Some("second"), "{seen}");
    assert!(sees(&mut alice, "-third outcast/none carol@localhost/phone 301").contains("Treason"));
    assert_eq!(shut_out(&mut carol, "third", ""), "auth forbidden");
    does(&mut bob, "set", &affiliate("dave@localhost", "outcast", ""));
    assert_eq!(shut_out(&mut person(&server, "dave"), "fourth", ""), "auth forbidden");
    does(&mut bob, "set", &affiliate("carol@localhost", "none", ""));
    enter(&mut carol, "third");
}

// XEP-0045 example 115
#[test]
fn nobody_is_banned_by_somebody_lower_nor_by_itself() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    assert_eq!(refused(&mut bob, "set", &affiliate("alice@localhost", "outcast", "")), "cancel not-allowed");
    assert_eq!(refused(&mut carol, "set", &affiliate("bob@localhost", "outcast", "")), "auth forbidden");
    assert_eq!(refused(&mut alice, "set", &affiliate("alice@localhost", "outcast", "")), "cancel conflict");
    // One of several is enough to refuse them all.
    let several =
        "<item affiliation='outcast' jid='dave@localhost'/><item affiliation='outcast' jid='alice@localhost'/>";
    assert_eq!(refused(&mut bob, "set", &admin(several)), "cancel not-allowed");
    assert!(list(&mut bob, "outcast").is_empty());
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0045 example 116
// XEP-0045 example 117
// XEP-0045 example 118
// XEP-0045 example 119
#[test]
fn the_list_of_bans_is_asked_for_and_changed() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    let several = "<item affiliation='outcast' jid='lordscroop@localhost'><reason>Treason</reason></item>\
                   <item affiliation='outcast' jid='carol@localhost'/>";
    does(&mut bob, "set", &admin(several));
    sees(&mut carol, "-third outcast/none carol@localhost/phone 110 301");
    assert_eq!(list(&mut bob, "outcast"), ["carol@localhost", "lordscroop@localhost"]);
    let seen = answer(&mut alice, "get", &list_of("outcast"));
    assert!(seen.contains("<reason>Treason</reason>") && !seen.contains("nick="), "{seen}");
    assert_eq!(refused(&mut person(&server, "dave"), "get", &list_of("outcast")), "auth forbidden");
}

/// Section 9.2: a ban of a domain is one of everybody there.
#[test]
fn a_whole_domain_is_banned() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &affiliate("bob@localhost", "member", ""));
    pass(&mut [&mut bob, &mut carol]);
    assert_eq!(refused(&mut alice, "set", &affiliate("localhost", "outcast", "")), "cancel conflict");
    does(&mut alice, "set", &affiliate("elsewhere.example", "outcast", ""));
    assert_eq!(list(&mut alice, "outcast"), ["elsewhere.example"]);
    assert!(refused(&mut alice, "set", &affiliate("elsewhere.example", "admin", "")).ends_with("not-acceptable"));
}

// XEP-0045 example 120
// XEP-0045 example 121
// XEP-0045 example 122
// XEP-0045 example 123
// XEP-0045 example 136
#[test]
fn an_admin_grants_membership() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    does(&mut bob, "set", &affiliate("carol@localhost", "member", "<reason>A worthy witch indeed!</reason>"));
    assert!(sees(&mut alice, "third member/participant carol@localhost/phone").contains("A worthy witch"));
    sees(&mut carol, "third member/participant carol@localhost/phone 110");
    let with_nick = "<item affiliation='member' jid='dave@localhost' nick='thirdwitch'/>";
    does(&mut bob, "set", &admin(with_nick));
    pass(&mut [&mut carol]);
    assert!(answer(&mut bob, "get", &list_of("member")).contains("nick='thirdwitch'"));
}

// XEP-0045 example 124
// XEP-0045 example 125
// XEP-0045 example 126
// XEP-0045 example 127
// XEP-0045 example 133
#[test]
fn an_admin_revokes_membership() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    does(&mut bob, "set", &affiliate("carol@localhost", "member", ""));
    pass(&mut [&mut alice, &mut carol]);
    does(&mut bob, "set", &affiliate("carol@localhost", "none", "<reason>Not so worthy after all!</reason>"));
    assert!(sees(&mut alice, "third none/participant carol@localhost/phone").contains("Not so worthy"));
    sees(&mut carol, "third none/participant carol@localhost/phone 110");
}

// XEP-0045 example 128
#[test]
fn who_is_no_member_any_more_is_removed_from_a_room_of_members() {
    let server = server();
    let mut alice = founded(&server, &[("membersonly", "1")]);
    does(&mut alice, "set", &affiliate("bob@localhost", "member", ""));
    does(&mut alice, "set", &affiliate("carol@localhost", "member", ""));
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    let mut carol = guest(&server, "carol", "third", &mut [&mut alice, &mut bob]);
    let came = does(&mut alice, "set", &affiliate("bob@localhost", "none", ""));
    assert_eq!(shorts(&came), ["-second none/none bob@localhost/phone 321"], "and nothing before that");
    sees(&mut bob, "-second none/none bob@localhost/phone 110 321");
    sees(&mut carol, "-second none/none 321");
    assert_eq!(shut_out(&mut bob, "second", ""), "auth registration-required");
}

// XEP-0045 example 129
// XEP-0045 example 130
// XEP-0045 example 131
// XEP-0045 example 132
#[test]
fn the_list_of_members_is_asked_for_and_changed() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    does(&mut bob, "set", &affiliate("carol@localhost", "member", ""));
    pass(&mut [&mut carol]);
    assert_eq!(list(&mut bob, "member"), ["carol@localhost"]);
    let delta = "<item affiliation='none' jid='carol@localhost'/><item affiliation='member' jid='hecate@localhost'/>";
    does(&mut bob, "set", &admin(delta));
    assert_eq!(list(&mut alice, "member"), ["hecate@localhost"]);
    assert_eq!(refused(&mut carol, "get", &list_of("member")), "auth forbidden");
}

/// Where everybody sees addresses, occupants may see who is a member, if the room lets their role.
#[test]
fn members_are_listed_for_members_of_an_open_room() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("whois", "anyone")]);
    does(&mut alice, "set", &affiliate("hecate@localhost", "member", ""));
    pass(&mut [&mut bob]);
    assert_eq!(list(&mut bob, "member"), ["hecate@localhost"]);
    assert_eq!(list(&mut bob, "owner"), ["alice@localhost"]);
    assert_eq!(refused(&mut bob, "get", &list_of("outcast")), "auth forbidden");
    assert_eq!(refused(&mut person(&server, "dave"), "get", &list_of("member")), "auth forbidden");
}

// XEP-0045 example 172
// XEP-0045 example 173
// XEP-0045 example 174
// XEP-0045 example 175
// XEP-0045 example 177
// XEP-0045 example 178
// XEP-0045 example 179
// XEP-0045 example 180
#[test]
fn owners_make_and_unmake_owners() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &affiliate("bob@localhost/phone", "owner", "<reason>A worthy witch indeed!</reason>"));
    let came = so_far(&mut bob);
    assert_eq!(shorts(&came)[0], "second owner/moderator bob@localhost/phone 110");
    assert!(came[0].contains("A worthy witch indeed!"), "{came:?}");
    sees(&mut carol, "second owner/moderator");
    // Now there is another, so the first may go.
    does(&mut alice, "set", &affiliate("alice@localhost", "admin", ""));
    sees(&mut bob, "first admin/moderator alice@localhost/phone");
    sees(&mut carol, "first admin/moderator");
    assert_eq!(refused(&mut bob, "set", &affiliate("bob@localhost", "none", "")), "cancel conflict");
    does(&mut bob, "set", &affiliate("alice@localhost", "owner", ""));
    does(&mut alice, "set", &affiliate("bob@localhost", "admin", "<reason>Not so worthy after all!</reason>"));
    let came = so_far(&mut bob);
    assert!(shorts(&came).contains(&"second admin/moderator bob@localhost/phone 110".to_owned()), "{came:?}");
    assert_eq!(refused(&mut alice, "set", &affiliate("alice@localhost", "member", "")), "cancel conflict");
}

// XEP-0045 example 176
// XEP-0045 example 190
// XEP-0045 example 195
#[test]
fn occupants_who_see_addresses_hear_of_a_change_of_somebody_absent() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for affiliation in ["owner", "admin", "none"] {
        does(&mut alice, "set", &affiliate("hecate@localhost", affiliation, ""));
    }
    quiet(&mut [&mut bob, &mut carol]);
    does(&mut alice, "set", &crate::configuration(&[("whois", "anyone")]));
    pass(&mut [&mut bob, &mut carol]);
    for affiliation in ["owner", "admin", "none"] {
        let came = does(&mut alice, "set", &affiliate("hecate@localhost", affiliation, ""));
        for seen in [bob.next_piece(), carol.next_piece(), came[0].clone()] {
            assert!(seen.fits(&format!("<message from='{ROOM}'><item")), "{seen}");
            assert_eq!(seen.attribute_of("item", "affiliation").as_deref(), Some(affiliation), "{seen}");
            assert_eq!(seen.attribute_of("item", "jid").as_deref(), Some("hecate@localhost"), "{seen}");
        }
    }
}

// XEP-0045 example 181
// XEP-0045 example 182
// XEP-0045 example 183
// XEP-0045 example 184
// XEP-0045 example 185
#[test]
fn the_list_of_owners_is_asked_for_and_changed_by_owners() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    assert_eq!(list(&mut alice, "owner"), ["alice@localhost"]);
    does(&mut alice, "set", &affiliate("hecate@localhost", "owner", ""));
    assert_eq!(list(&mut alice, "owner"), ["alice@localhost", "hecate@localhost"]);
    for client in [&mut bob, &mut carol] {
        assert_eq!(refused(client, "get", &list_of("owner")), "auth forbidden");
        for jid in ["dave@localhost", "bob@localhost"] {
            assert_eq!(refused(client, "set", &affiliate(jid, "owner", "")), "auth forbidden");
        }
    }
}

// XEP-0045 example 186
// XEP-0045 example 187
// XEP-0045 example 188
// XEP-0045 example 189
#[test]
fn owners_make_admins() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &affiliate("bob@localhost", "admin", "<reason>A worthy witch indeed!</reason>"));
    let came = so_far(&mut bob);
    assert_eq!(shorts(&came)[0], "second admin/moderator bob@localhost/phone 110");
    assert!(came[0].contains("A worthy witch indeed!"), "{came:?}");
    sees(&mut carol, "second admin/moderator");
    does(&mut alice, "set", &affiliate("carol@localhost/phone", "admin", ""));
    assert_eq!(list(&mut alice, "admin"), ["bob@localhost", "carol@localhost"]);
}

// XEP-0045 example 191
// XEP-0045 example 192
// XEP-0045 example 193
// XEP-0045 example 194
#[test]
fn owners_unmake_admins() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    does(&mut alice, "set", &affiliate("bob@localhost", "none", "<reason>Not so worthy after all!</reason>"));
    let seen = sees(&mut bob, "second none/participant bob@localhost/phone 110");
    assert!(seen.contains("Not so worthy after all!"), "{seen}");
    sees(&mut carol, "second none/participant");
    does(&mut alice, "set", &affiliate("bob@localhost", "admin", ""));
    does(&mut alice, "set", &affiliate("bob@localhost", "member", ""));
    assert!(shorts(&so_far(&mut carol)).contains(&"second member/participant".to_owned()));
}

// XEP-0045 example 196
// XEP-0045 example 197
// XEP-0045 example 198
// XEP-0045 example 199
// XEP-0045 example 200
#[test]
fn the_list_of_admins_is_asked_for_and_changed_by_owners() {
    let server = server();
    let (mut alice, mut bob, mut carol) = led(&server, &[]);
    assert_eq!(list(&mut alice, "admin"), ["bob@localhost"]);
    let delta = "<item affiliation='none' jid='bob@localhost'/><item affiliation='admin' jid='hecate@localhost'/>";
    for client in [&mut bob, &mut carol] {
        assert_eq!(refused(client, "get", &list_of("admin")), "auth forbidden");
        assert_eq!(refused(client, "set", &admin(delta)), "auth forbidden");
    }
    does(&mut alice, "set", &admin(delta));
    assert_eq!(list(&mut alice, "admin"), ["hecate@localhost"]);
}

/// Section 9.3: who is told of a change while away, with the code 101.
#[test]
fn who_is_away_is_told_what_it_is_now() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = metronome_testkit::online(&server, "bob", "phone");
    does(&mut alice, "set", &affiliate("bob@localhost", "member", ""));
    let seen = bob.expect(&format!("<message from='{ROOM}'><item"));
    assert_eq!(codes(&seen), [101], "{seen}");
    assert_eq!(seen.attribute_of("item", "affiliation").as_deref(), Some("member"), "{seen}");
}
