//! What rooms have beyond XEP-0045's use cases: registrations that admins decide on, members who are shown while away, rooms that are quiet
//! above a size, and hats (XEP-0317).

use metronome_testkit::{Client, ask};

use crate::{
    ROOM, admin, answer, codes, configuration, coven, does, enter, error, form, person, quiet, sees, server, shorts,
    so_far,
};

const COMMANDS: &str = "http://jabber.org/protocol/commands";

// XEP-0045 example 151
#[test]
fn an_admin_decides_on_a_registration() {
    let server = server();
    let fields = [("x-muc#roomconfig_registration", "1"), ("x-muc#roomconfig_registrationapproval", "1")];
    let (mut alice, mut bob, mut carol) = coven(&server, &fields);
    let submit = |nick: &str| {
        format!("<query xmlns='jabber:iq:register'>{}</query>", form("register", &[("muc#register_roomnick", nick)]))
    };
    for (client, address, nick, allow) in
        [(&mut carol, "carol@localhost", "denied", "0"), (&mut bob, "bob@localhost", "thirdwitch", "1")]
    {
        answer(client, "set", &submit(nick));
        let asked = alice.expect(&format!("<message from='{ROOM}'><x xmlns='jabber:x:data'"));
        for part in ["muc#register_allow", nick, address, "http://jabber.org/protocol/muc#register"] {
            assert!(asked.contains(part), "{part}: {asked}");
        }
        quiet(&mut [client]);
        let filled = asked.split_once("<x ").unwrap().1.rsplit_once("</message>").unwrap().0;
        let filled = format!("<x {filled}").replacen("type='form'", "type='submit'", 1);
        let filled = filled.replace("<value>0</value>", &format!("<value>{allow}</value>"));
        alice.send(&format!("<message to='{ROOM}'>{filled}</message>"));
    }
    sees(&mut bob, "second member/participant bob@localhost/phone 110");
    sees(&mut carol, "second member/participant");
    let members = answer(&mut alice, "get", &admin("<item affiliation='member'/>"));
    assert!(members.contains("nick='thirdwitch'") && !members.contains("denied"), "{members}");
}

/// A room may show its members while they are not there, and says so when that changes (codes 102 and 103).
#[test]
fn members_who_are_away_are_shown_where_the_room_says_so() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='hecate@localhost' nick='hecate'/>"));
    for (value, code) in [("1", 102), ("0", 103)] {
        does(&mut alice, "set", &configuration(&[("x-muc#roomconfig_showabsent", value)]));
        let told = so_far(&mut bob);
        assert!(told.iter().any(|seen| codes(seen).contains(&code)), "{code}: {told:?}");
        let mut dave = person(&server, "dave");
        let came = shorts(&enter(&mut dave, "fourth"));
        assert_eq!(came.contains(&"-hecate member/none".to_owned()), value == "1", "{came:?}");
        dave.close();
        so_far(&mut bob);
    }
}

/// Above a size nobody is shown those who come and do not moderate; everybody hears them.
#[test]
fn a_large_room_is_quiet_about_who_comes() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("x-muc#roomconfig_quietabove", "3")]);
    let mut dave = person(&server, "dave");
    let came = enter(&mut dave, "fourth");
    assert_eq!(came.iter().filter(|seen| seen.fits("<presence")).count(), 4, "{came:?}");
    quiet(&mut [&mut alice, &mut bob]);
    crate::say(&mut dave, "here I am");
    for client in [&mut alice, &mut bob] {
        crate::hears(client, "fourth", "here I am");
    }
    dave.close();
    quiet(&mut [&mut alice, &mut bob]);
}

/// One command about hats at the room, with its form filled in.
fn hat(client: &mut Client, node: &str, fields: &[(&str, &str)]) -> metronome_testkit::Seen {
    let fields: String =
        fields.iter().map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>")).collect();
    let form = format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>urn:xmpp:hats:commands</value></field>{fields}</x>"
    );
    let command =
        format!("<command xmlns='{COMMANDS}' node='urn:xmpp:hats:commands:{node}' action='execute'>{form}</command>");
    ask(client, "set", ROOM, &command)
}

#[test]
fn everybody_sees_the_hats_that_admins_give() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let teacher = ("hats#uri", "urn:example:teacher");
    let denied = hat(&mut bob, "create", &[teacher, ("hats#title", "Teacher")]);
    assert_eq!(error(&denied), "auth forbidden");
    let made = hat(&mut alice, "create", &[teacher, ("hats#title", "Teacher")]);
    assert!(made.fits("<iq type='result'") && made.contains("status='completed'"), "{made}");
    let given = hat(&mut alice, "assign", &[teacher, ("hats#jid", "bob@localhost")]);
    assert!(given.contains("status='completed'"), "{given}");
    let seen = crate::until(&mut carol, &format!("<presence from='{ROOM}/second'")).1;
    assert!(seen.contains("urn:xmpp:hats:0") && seen.contains("title='Teacher'"), "{seen}");
    let came = enter(&mut person(&server, "dave"), "fourth");
    assert!(came.iter().any(|seen| seen.contains("title='Teacher'")), "{came:?}");
    // Nobody puts one on by itself.
    carol.send(&format!(
        "<presence to='{ROOM}/third'><hats xmlns='urn:xmpp:hats:0'><hat title='King' uri='urn:example:king'/></hats></presence>"
    ));
    so_far(&mut carol);
    assert!(!so_far(&mut bob).iter().any(|seen| seen.contains("King")));
    let taken = hat(&mut alice, "unassign", &[teacher, ("hats#jid", "bob@localhost")]);
    assert!(taken.contains("status='completed'"), "{taken}");
    let seen = crate::until(&mut carol, &format!("<presence from='{ROOM}/second'")).1;
    assert!(!seen.contains("Teacher"), "{seen}");
}
