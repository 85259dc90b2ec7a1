//! What hostile clients try in rooms: each gets the error of the XEP, nothing happens to others, and the cost is bounded.

use metronome_testkit::{Client, Server, ask, condition};

use crate::{
    INFO, ROOM, SERVICE, admin, answer, configuration, coven, does, enter, enter_in, error, form, founded, guest,
    join_stanza, owner, pass, person, quiet, refused, say, sees, server, short, so_far, until, with,
};

const AFFILIATIONS: [&str; 5] = ["outcast", "none", "member", "admin", "owner"];
const ROLES: [&str; 4] = ["none", "visitor", "participant", "moderator"];

/// Whoever is what: an admin, a moderator without affiliation, a member, nobody, and one who is not there.
fn everybody(server: &Server) -> (Client, [Client; 4]) {
    let (mut alice, mut bob, mut carol) = coven(server, &[]);
    let mut dave = guest(server, "dave", "fourth", &mut [&mut alice, &mut bob, &mut carol]);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='bob@localhost'/>"));
    does(&mut alice, "set", &admin("<item role='moderator' nick='third'/>"));
    does(&mut alice, "set", &admin("<item affiliation='member' jid='dave@localhost'/>"));
    let mut erin = person(server, "erin");
    pass(&mut [&mut alice, &mut bob, &mut carol, &mut dave, &mut erin]);
    (alice, [bob, carol, dave, erin])
}

fn with_erin() -> Server {
    metronome_testkit::Setup::default()
        .store(metronome_testkit::Backend::Memory)
        .account("dave@localhost")
        .account("erin@localhost")
        .start()
}

/// The whole matrix: nobody makes itself, or a friend, more than it is.
#[test]
fn nobody_raises_itself_or_a_friend() {
    let server = with_erin();
    let (mut alice, mut all) = everybody(&server);
    let names = ["bob", "carol", "dave", "erin"];
    let (nicks, ranks) = (["second", "third", "fourth", "fifth"], [3, 1, 2, 1]);
    for (who, client) in all.iter_mut().enumerate() {
        for (whom, name) in names.iter().enumerate() {
            for (rank, affiliation) in AFFILIATIONS.iter().enumerate() {
                // An admin may make members of those below it: that is no escalation.
                let raises = rank > ranks[whom] && !(who == 0 && rank <= 2);
                if raises {
                    let item = format!("<item affiliation='{affiliation}' jid='{name}@localhost'/>");
                    assert_eq!(refused(client, "set", &admin(&item)), "auth forbidden", "{} {item}", names[who]);
                    let by_nick = format!("<item affiliation='{affiliation}' nick='{}'/>", nicks[whom]);
                    let answered = refused(client, "set", &admin(&by_nick));
                    assert!(
                        answered.ends_with("forbidden") || answered.ends_with("item-not-found"),
                        "{answered} {by_nick}"
                    );
                }
            }
            if who > 0 {
                let item = format!("<item role='moderator' nick='{}'/>", nicks[whom]);
                let answered = refused_or_nothing(client, &item);
                assert!(answered, "{} {item}", names[who]);
            }
        }
    }
    let owners = answer(&mut alice, "get", &admin("<item affiliation='owner'/>"));
    assert_eq!(owners.matches("<item ").count(), 1, "{owners}");
    let admins = answer(&mut alice, "get", &admin("<item affiliation='admin'/>"));
    assert_eq!(admins.matches("<item ").count(), 1, "{admins}");
    let moderators = answer(&mut alice, "get", &admin("<item role='moderator'/>"));
    assert_eq!(moderators.matches("<item ").count(), 3, "{moderators}");
}

/// Whether this was refused, or asked for what is so already.
fn refused_or_nothing(client: &mut Client, item: &str) -> bool {
    let answered = ask(client, "set", ROOM, &admin(item));
    answered.attribute("type").as_deref() == Some("error") || item.contains("third")
}

/// The whole matrix downwards: nobody touches those above, nor their own kind.
#[test]
fn nobody_lowers_those_above() {
    let server = with_erin();
    let (mut alice, mut all) = everybody(&server);
    for (who, client) in all.iter_mut().enumerate() {
        for affiliation in &AFFILIATIONS[..4] {
            let item = format!("<item affiliation='{affiliation}' jid='alice@localhost'/>");
            let answered = refused(client, "set", &admin(&item));
            assert!(answered.ends_with("forbidden") || answered.ends_with("not-allowed"), "{who} {item} {answered}");
        }
        for role in &ROLES[..3] {
            let item = format!("<item role='{role}' nick='first'/>");
            let answered = refused(client, "set", &admin(&item));
            assert!(answered.ends_with("forbidden") || answered.ends_with("not-allowed"), "{who} {item} {answered}");
        }
    }
    let moderator = &mut all[1];
    for item in ["<item role='none' nick='second'/>", "<item affiliation='none' jid='dave@localhost'/>"] {
        let answered = refused(moderator, "set", &admin(item));
        assert!(answered.ends_with("forbidden") || answered.ends_with("not-allowed"), "{item} {answered}");
    }
    let came = so_far(&mut alice);
    assert!(came.is_empty(), "nothing has happened: {came:?}");
}

#[test]
fn broken_requests_of_admins_change_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for items in [
        "<item/>",
        "<item nick='second'/>",
        "<item role='king' nick='second'/>",
        "<item affiliation='king' jid='bob@localhost'/>",
        "<item affiliation='outcast' role='none' nick='second' jid='bob@localhost'/>",
        "<item role='none' jid='bob@localhost'/>",
        "<item affiliation='outcast'/>",
        "<item affiliation='outcast' jid='@'/>",
        "<item role='none' nick=''/>",
        "<item role='none' nick='third'/><item role='king' nick='second'/>",
    ] {
        let answered = refused(&mut alice, "set", &admin(items));
        assert!(answered.ends_with("bad-request") || answered.ends_with("jid-malformed"), "{items}: {answered}");
    }
    for (kind, payload) in [
        ("get", "<query xmlns='http://jabber.org/protocol/muc#admin'/>".to_owned()),
        ("get", admin("<item affiliation='king'/>")),
        ("set", owner("<nonsense/>")),
        ("set", owner("")),
        ("get", "<query xmlns='http://jabber.org/protocol/muc#unknown'/>".to_owned()),
    ] {
        let answered = refused(&mut alice, kind, &payload);
        assert!(
            answered.ends_with("bad-request") || answered.ends_with("service-unavailable"),
            "{payload}: {answered}"
        );
    }
    quiet(&mut [&mut bob, &mut carol]);
}

/// More items than a request may have are refused as one.
#[test]
fn a_request_does_not_grow_without_end() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let items: String = (0..2000).map(|n| format!("<item affiliation='member' jid='m{n}@localhost'/>")).collect();
    let answered = refused(&mut alice, "set", &admin(&items));
    assert!(
        ["policy-violation", "bad-request", "resource-constraint"].iter().any(|end| answered.ends_with(end)),
        "{answered}"
    );
    let members = answer(&mut alice, "get", &admin("<item affiliation='member'/>"));
    assert!(!members.contains("<item "), "{members}");
    let reason = format!("<item role='none' nick='first'><reason>{}</reason></item>", "x".repeat(20_000));
    refused(&mut alice, "set", &admin(&reason));
    quiet(&mut [&mut alice]);
}

#[test]
fn nicknames_that_cannot_be_seen_or_are_too_long_are_refused() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    for nick in ["&#xA0;&#xA0;", &"x".repeat(300), "&#x200B;"] {
        bob.send(&join_stanza(ROOM, nick, ""));
        let seen = bob.next_piece();
        assert_eq!(seen.attribute("type").as_deref(), Some("error"), "{nick}: {seen}");
    }
    enter(&mut bob, "second");
    pass(&mut [&mut alice]);
    bob.send(&format!("<presence to='{ROOM}/{}'/>", "x".repeat(300)));
    assert!(error(&bob.expect("<presence type='error'")).ends_with("not-acceptable"));
    quiet(&mut [&mut alice, &mut bob]);
}

/// Nobody writes to an occupant of one room from another room, or as another occupant.
#[test]
fn private_messages_stay_in_their_room() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let mut dave = person(&server, "dave");
    enter_in(&mut dave, "heath@rooms.localhost", "first", "");
    dave.send(&format!("<message to='{ROOM}/first' type='chat' id='x'><body>from another room</body></message>"));
    assert_eq!(condition(&dave.expect("<message type='error' id='x'")), "not-acceptable");
    dave.send(&format!(
        "<message from='{ROOM}/second' to='{ROOM}/first' type='chat' id='y'><body>forged</body></message>"
    ));
    let seen = dave.next_piece();
    assert!(seen.fits("<message type='error'") || seen.fits("<stream:error"), "{seen}");
    quiet(&mut [&mut alice, &mut bob]);
}

/// Nobody makes a room say something in its own name.
#[test]
fn the_own_address_of_a_room_cannot_be_taken() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let invite = |to: &str| {
        format!(
            "<message to='{ROOM}' id='i'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'/></x></message>"
        )
    };
    // An invitation of rooms and occupants goes to nobody who would answer it to everybody.
    for to in [ROOM.to_owned(), format!("{ROOM}/third"), SERVICE.to_owned()] {
        bob.send(&invite(&to));
    }
    let came = so_far(&mut bob);
    assert!(came.iter().all(|seen| !seen.fits("<message type='groupchat'")), "{came:?}");
    let came = so_far(&mut alice);
    assert!(came.is_empty(), "{came:?}");
    let came = so_far(&mut carol);
    assert!(came.len() <= 1, "{came:?}");
}

/// Somebody who comes and goes all the time, and changes its presence all the time, is bounded by its own connection.
#[test]
fn storms_of_presence_are_only_as_large_as_who_sends_them() {
    let server = with("limits.rooms.updates = \"5/s\"");
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let mut storm = String::new();
    for n in 0..300 {
        storm.push_str(&format!("<presence to='{ROOM}/second'><status>{n}</status></presence>"));
    }
    bob.send(&storm);
    say(&mut bob, "after the storm");
    until(&mut alice, "<message><body>after the storm");
    // None is refused, and what everybody sees at last is the newest.
    let (errors, _) = until(&mut bob, &format!("<presence from='{ROOM}/second'><status>299"));
    assert!(!errors.iter().any(|seen| seen.fits("<presence type='error'")), "{errors:?}");
    let shown = errors.iter().filter(|seen| seen.fits(&format!("<presence from='{ROOM}/second'"))).count();
    assert!(shown < 100, "{shown}");
    until(&mut alice, &format!("<presence from='{ROOM}/second'><status>299"));
    // A nickname is changed as often, and not more.
    let renames: String = (0..30).map(|n| format!("<presence to='{ROOM}/n{n}'/>")).collect();
    bob.send(&renames);
    assert_eq!(error(&until(&mut bob, "<presence type='error'").1), "wait policy-violation");
    bob.send(&format!("<presence type='unavailable' to='{ROOM}/n29'/>"));
    until(&mut bob, "<presence type='unavailable'");
    so_far(&mut alice);
    let mut dave = person(&server, "dave");
    let mut storm = String::new();
    for _ in 0..100 {
        storm.push_str(&join_stanza(ROOM, "fourth", ""));
        storm.push_str(&format!("<presence to='{ROOM}/fourth' type='unavailable'/>"));
    }
    dave.send(&storm);
    so_far(&mut dave);
    let (before, _) = (so_far(&mut alice), ());
    assert!(before.len() <= 200, "{}", before.len());
    let last = before.iter().rev().find(|seen| seen.fits("<presence")).unwrap();
    assert!(short(last).starts_with("-fourth"), "{last}");
}

/// Forms that are no forms, and elements within elements.
#[test]
fn messages_to_the_room_that_mean_nothing_are_refused() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for inside in [
        "<body>normal</body>".to_owned(),
        "<x xmlns='http://jabber.org/protocol/muc#user'/>".to_owned(),
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite/></x>".to_owned(),
        "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='@@'/></x>".to_owned(),
        form("request", &[("muc#role", "owner")]),
        form("request", &[("muc#role", "participant"), ("muc#request_allow", "perhaps"), ("muc#roomnick", "second")]),
    ] {
        bob.send(&format!("<message to='{ROOM}' id='m'>{inside}</message>"));
        let came = so_far(&mut bob);
        assert!(came.iter().all(|seen| seen.attribute("type").as_deref() == Some("error")), "{inside}: {came:?}");
    }
    quiet(&mut [&mut alice, &mut carol]);
}

/// Many invitations in one message, or one after the other, do not make the room a gun.
#[test]
fn a_message_invites_only_so_many() {
    let server = server();
    let (_alice, mut bob, _carol) = coven(&server, &[]);
    let invites: String = (0..500).map(|n| format!("<invite to='x{n}@localhost'/>")).collect();
    bob.send(&format!(
        "<message to='{ROOM}' id='many'><x xmlns='http://jabber.org/protocol/muc#user'>{invites}</x></message>"
    ));
    let seen = bob.expect("<message type='error' id='many'");
    assert!(["policy-violation", "bad-request"].contains(&&*condition(&seen)), "{seen}");
}

/// Somebody who is lower than what it wants to see does not see it.
#[test]
fn nobody_learns_who_is_behind_a_nickname() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let private = |client: &mut Client| {
        client.send(&format!("<message to='{ROOM}/third' type='chat'><body>who are you</body></message>"));
    };
    private(&mut bob);
    let seen = carol.next_piece();
    assert!(!seen.contains("bob@localhost"), "{seen}");
    carol.send(&format!("<presence to='{ROOM}/third'><show>away</show></presence>"));
    assert!(!bob.next_piece().contains("carol@localhost"));
    for payload in
        [admin("<item role='participant'/>"), admin("<item affiliation='owner'/>"), admin("<item affiliation='none'/>")]
    {
        let answered = ask(&mut bob, "get", ROOM, &payload);
        assert!(!crate::tells(&answered, "@localhost/"), "{answered}");
    }
    assert!(!answer(&mut bob, "get", INFO).contains("alice@localhost"));
    does(&mut alice, "set", &configuration(&[("whois", "anyone")]));
    sees_codes(&mut bob, 172);
}

#[track_caller]
fn sees_codes(client: &mut Client, code: u16) {
    let seen = until(client, "<message type='groupchat'").1;
    assert!(crate::codes(&seen).contains(&code), "{seen}");
}

/// Names of rooms are names like those of accounts: what is none is none here, and case makes no difference.
#[test]
fn names_of_rooms_are_prepared_like_others() {
    let server = server();
    let mut alice = person(&server, "alice");
    enter_in(&mut alice, "Coven@Rooms.Localhost", "first", "");
    does(&mut alice, "set", &owner("<x xmlns='jabber:x:data' type='submit'/>"));
    let mut bob = person(&server, "bob");
    enter(&mut bob, "second");
    sees(&mut alice, "second none/participant bob@localhost/phone");
    bob.send(
        "<presence to='a\"b@rooms.localhost/x'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
            .replace('"', "&quot;")
            .as_str(),
    );
    let seen = bob.next_piece();
    assert_eq!(seen.attribute("type").as_deref(), Some("error"), "{seen}");
}
