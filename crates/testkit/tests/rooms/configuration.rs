//! Configuring a room that is there (section 10.2), and what everybody is told of it (section 10.2.1).

use crate::{
    INFO, ROOM, admin, answer, codes, configuration, coven, does, form, founded, guest, owner, pass, person, quiet,
    refused, sees, server, short, shorts, shut_out, so_far,
};

// XEP-0045 example 163
// XEP-0045 example 165
#[test]
fn the_form_shows_what_was_chosen() {
    let server = server();
    let mut alice =
        founded(&server, &[("roomname", "A Dark Cave"), ("maxusers", "10"), ("roomadmins", "bob@localhost")]);
    let form = answer(&mut alice, "get", &owner(""));
    for value in ["A Dark Cave", "10", "bob@localhost", "alice@localhost"] {
        assert!(form.contains(&format!("<value>{value}</value>")), "{value}: {form}");
    }
    // It can be sent back as it is, and then nothing has changed.
    let inside = form.split_once("<x ").unwrap().1.rsplit_once("</query>").unwrap().0;
    let back = format!("<x {}", inside.replacen("type='form'", "type='submit'", 1));
    assert!(does(&mut alice, "set", &owner(&back)).is_empty());
    let again = answer(&mut alice, "get", &owner(""));
    assert_eq!(form.split("<field").collect::<Vec<_>>()[1..], again.split("<field").collect::<Vec<_>>()[1..]);
}

// XEP-0045 example 164
#[test]
fn others_than_owners_configure_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    pass(&mut [&mut bob, &mut carol]);
    let mut dave = person(&server, "dave");
    for client in [&mut bob, &mut carol, &mut dave] {
        for (kind, payload) in
            [("get", owner("")), ("set", configuration(&[("membersonly", "1")])), ("set", owner("<destroy/>"))]
        {
            assert_eq!(refused(client, kind, &payload), "auth forbidden", "{payload}");
        }
    }
    quiet(&mut [&mut alice, &mut bob, &mut carol]);
}

// XEP-0045 example 166
#[test]
fn an_owner_who_cancels_leaves_the_room_as_it_is() {
    let server = server();
    let mut alice = founded(&server, &[("roomname", "A Dark Cave")]);
    does(&mut alice, "set", &owner("<x xmlns='jabber:x:data' type='cancel'/>"));
    assert!(answer(&mut alice, "get", INFO).contains("A Dark Cave"));
}

// XEP-0045 example 167
// XEP-0045 example 168
// XEP-0045 example 169
// XEP-0045 example 170
#[test]
fn the_form_names_all_admins_and_owners() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &configuration(&[("roomadmins", "bob@localhost")]));
    assert!(shorts(&so_far(&mut bob)).contains(&"second admin/moderator bob@localhost/phone 110".to_owned()));
    assert!(shorts(&so_far(&mut carol)).contains(&"second admin/moderator".to_owned()));
    does(&mut alice, "set", &configuration(&[("roomowners", "alice@localhost|bob@localhost"), ("roomadmins", "")]));
    assert!(shorts(&so_far(&mut carol)).contains(&"second owner/moderator".to_owned()));
    does(&mut alice, "set", &configuration(&[("roomowners", "alice@localhost"), ("roomadmins", "bob@localhost")]));
    assert!(shorts(&so_far(&mut carol)).contains(&"second admin/moderator".to_owned()));
    does(&mut alice, "set", &configuration(&[("roomadmins", "")]));
    assert!(shorts(&so_far(&mut carol)).contains(&"second member/participant".to_owned()));
    assert_eq!(refused(&mut alice, "set", &configuration(&[("roomowners", "")])), "cancel conflict");
}

#[test]
fn who_is_no_member_has_to_go_when_a_room_becomes_one_of_members() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    pass(&mut [&mut bob, &mut carol]);
    does(&mut alice, "set", &configuration(&[("membersonly", "1")]));
    let gone = crate::until(&mut carol, "<presence type='unavailable'").1;
    assert_eq!(short(&gone), "-third none/none carol@localhost/phone 110 322");
    let gone = crate::until(&mut bob, "<presence type='unavailable'").1;
    assert_eq!(short(&gone), "-third none/none 322");
    assert_eq!(shut_out(&mut carol, "third", ""), "auth registration-required");
}

// XEP-0045 example 171
#[test]
fn everybody_is_told_what_concerns_privacy() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for (field, value, code) in [
        ("enablelogging", "1", 170),
        ("enablelogging", "0", 171),
        ("whois", "anyone", 172),
        ("whois", "moderators", 173),
        ("roomname", "A Dark Cave", 104),
    ] {
        let own = does(&mut alice, "set", &configuration(&[(field, value)]));
        let told = [own[0].clone(), bob.next_piece(), carol.next_piece()];
        for seen in told {
            assert!(seen.fits(&format!("<message type='groupchat' from='{ROOM}'")), "{seen}");
            assert_eq!(codes(&seen), [code], "{seen}");
            assert!(!seen.contains("<body") && !seen.contains("<item"), "{seen}");
        }
        pass(&mut [&mut bob, &mut carol]);
    }
    // What changes nothing is told to nobody.
    assert!(does(&mut alice, "set", &configuration(&[("roomname", "A Dark Cave")])).is_empty());
    quiet(&mut [&mut bob, &mut carol]);
}

/// Several changes at once are all told.
#[test]
fn several_codes_are_told_together() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    does(&mut alice, "set", &configuration(&[("whois", "anyone"), ("enablelogging", "1"), ("roomname", "x")]));
    let all: Vec<u16> = so_far(&mut bob).iter().flat_map(codes).collect();
    for code in [104, 170, 172] {
        assert!(all.contains(&code), "{code}: {all:?}");
    }
}

/// A room that becomes one where everybody sees addresses shows them from then on to all who enter.
#[test]
fn a_moderated_room_gives_no_voice_to_those_who_come_later() {
    let server = server();
    let (mut alice, _bob, _carol) = coven(&server, &[]);
    does(&mut alice, "set", &configuration(&[("moderatedroom", "1")]));
    let mut dave = guest(&server, "dave", "fourth", &mut []);
    sees(&mut alice, "fourth none/visitor dave@localhost/phone");
    crate::say(&mut dave, "may I");
    assert_eq!(crate::error(&dave.expect("<message type='error' id='may I'")), "auth forbidden");
}

#[test]
fn values_that_do_not_fit_change_nothing() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    for (field, value) in [
        ("membersonly", "perhaps"),
        ("maxusers", "-1"),
        ("maxusers", "99999999999999999999"),
        ("whois", "nobody"),
        ("allowpm", "sometimes"),
        ("presencebroadcast", "king"),
        ("roomowners", "not an address@"),
        ("roomowners", "localhost"),
        ("muc#maxhistoryfetch", "many"),
        ("passwordprotectedroom", "1"),
    ] {
        // Whatever else the form says is not done either.
        let form = configuration(&[("roomname", "changed"), (field, value)]);
        assert_eq!(refused(&mut alice, "set", &form), "modify not-acceptable", "{field} {value}");
    }
    assert!(!answer(&mut alice, "get", INFO).contains("changed"));
    for broken in [
        "<x xmlns='jabber:x:data' type='result'/>",
        "<x xmlns='jabber:x:data'/>",
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field></x>",
    ] {
        assert_eq!(refused(&mut alice, "set", &owner(broken)), "modify bad-request", "{broken}");
    }
    quiet(&mut [&mut bob]);
}

/// XEP-0158: what would keep people out and does not is refused, and not passed over.
#[test]
fn nobody_believes_that_a_room_asks_riddles() {
    let server = server();
    let mut alice = founded(&server, &[]);
    assert!(!answer(&mut alice, "get", &owner("")).contains("captcha"));
    for var in ["captcha_protected", "muc#roomconfig_captcha_protected"] {
        let configuration_with =
            |value| owner(&form("roomconfig", &[(var, value), ("muc#roomconfig_roomname", "Riddles")]));
        assert_eq!(refused(&mut alice, "set", &configuration_with("1")), "modify not-acceptable");
        assert!(!answer(&mut alice, "get", &owner("")).contains("Riddles"), "nothing of it counts");
        does(&mut alice, "set", &configuration_with("0"));
        does(&mut alice, "set", &configuration(&[("roomname", "")]));
    }
}
