//! The service, and what everybody may know of it and of its rooms (section 6).

use metronome_testkit::{ask, condition};

use crate::{
    INFO, ITEMS, ROOM, SERVICE, answer, configuration, coven, does, error, founded, owner, person, refused, server,
};

// XEP-0045 example 1
// XEP-0045 example 2
// XEP-0045 example 3
// XEP-0045 example 4
#[test]
fn a_domain_lists_its_service_which_says_what_it_is() {
    let server = server();
    let mut alice = person(&server, "alice");
    let items = ask(&mut alice, "get", "localhost", ITEMS);
    assert!(items.contains(&format!("<item jid='{SERVICE}'")), "{items}");
    let info = ask(&mut alice, "get", SERVICE, INFO);
    assert!(info.contains("category='conference'") && info.contains("type='text'"), "{info}");
    for feature in ["http://jabber.org/protocol/muc", "http://jabber.org/protocol/muc#stable_id"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
}

// XEP-0045 example 5
// XEP-0045 example 6
#[test]
fn the_service_lists_rooms_that_are_not_hidden() {
    let server = server();
    let mut alice = founded(&server, &[("roomname", "A Dark Cave"), ("persistentroom", "1")]);
    let items = ask(&mut alice, "get", SERVICE, ITEMS);
    assert!(items.contains(&format!("jid='{ROOM}'")) && items.contains("name='A Dark Cave'"), "{items}");
    let mut bob = person(&server, "bob");
    crate::enter_in(&mut bob, "heath@rooms.localhost", "second", "");
    let hidden = configuration(&[("publicroom", "0")]);
    assert!(ask(&mut bob, "set", "heath@rooms.localhost", &hidden).fits("<iq type='result'"));
    let items = ask(&mut bob, "get", SERVICE, ITEMS);
    assert!(items.contains(ROOM) && !items.contains("heath@"), "{items}");
    does(&mut alice, "set", &hidden);
    assert!(!ask(&mut bob, "get", SERVICE, ITEMS).contains(ROOM));
}

// XEP-0045 example 7
#[test]
fn the_list_of_rooms_is_read_by_pages() {
    let server = server();
    let mut alice = person(&server, "alice");
    for name in ["a", "b", "c", "d", "e"] {
        let room = format!("{name}@rooms.localhost");
        crate::enter_in(&mut alice, &room, "first", "");
        let form = configuration(&[("persistentroom", "1"), ("publicroom", "1")]);
        assert!(ask(&mut alice, "set", &room, &form).fits("<iq type='result'"));
    }
    let page = |inside: &str| {
        format!(
            "<query xmlns='http://jabber.org/protocol/disco#items'><set xmlns='http://jabber.org/protocol/rsm'>{inside}</set></query>"
        )
    };
    let (mut after, mut all) = (String::new(), Vec::new());
    for _ in 0..4 {
        let seen = ask(&mut alice, "get", SERVICE, &page(&format!("<max>2</max>{after}")));
        let rooms: Vec<_> =
            seen.split("jid='").skip(1).map(|item| item.split('\'').next().unwrap().to_owned()).collect();
        assert!(rooms.len() <= 2, "{seen}");
        all.extend(rooms);
        let Some(last) = seen.text_of("last") else { break };
        after = format!("<after>{last}</after>");
    }
    assert_eq!(all, ["a", "b", "c", "d", "e"].map(|name| format!("{name}@rooms.localhost")));
}

// XEP-0045 example 8
// XEP-0045 example 9
// XEP-0045 example 10
#[test]
fn a_room_says_what_it_is() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    let info = answer(&mut bob, "get", INFO);
    for feature in [
        "http://jabber.org/protocol/muc",
        "http://jabber.org/protocol/muc#stable_id",
        "muc_public",
        "muc_temporary",
        "muc_open",
        "muc_unmoderated",
        "muc_semianonymous",
        "muc_unsecured",
        "urn:xmpp:sid:0",
    ] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
    assert!(info.contains("category='conference'"), "{info}");
    does(
        &mut alice,
        "set",
        &configuration(&[
            ("roomname", "A Dark Cave"),
            ("roomdesc", "The place for all good witches!"),
            ("lang", "en"),
            ("publicroom", "0"),
            ("persistentroom", "1"),
            ("membersonly", "1"),
            ("moderatedroom", "1"),
            ("whois", "anyone"),
            ("passwordprotectedroom", "1"),
            ("roomsecret", "cauldronburn"),
        ]),
    );
    alice.send(&format!("<message to='{ROOM}' type='groupchat'><subject>Spells</subject></message>"));
    crate::until(&mut alice, "<message><subject>Spells");
    let info = answer(&mut bob, "get", INFO);
    for feature in [
        "muc_hidden",
        "muc_persistent",
        "muc_membersonly",
        "muc_moderated",
        "muc_nonanonymous",
        "muc_passwordprotected",
    ] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
    // What is talked of is for those who may be there.
    assert!(!info.contains("Spells"), "{info}");
    for (var, value) in [
        ("muc#roominfo_description", "The place for all good witches!"),
        ("muc#roominfo_lang", "en"),
        ("muc#roominfo_occupants", "1"),
    ] {
        let field = info.split(&format!("var='{var}'")).nth(1).unwrap_or_else(|| panic!("{var}: {info}"));
        assert!(field.split("</field>").next().unwrap().contains(&format!("<value>{value}</value>")), "{var}: {info}");
    }
    assert!(info.contains("http://jabber.org/protocol/muc#roominfo") && info.contains("name='A Dark Cave'"), "{info}");
    assert!(!info.contains("cauldronburn") && !info.contains("alice@localhost"), "{info}");
}

// XEP-0045 example 11
// XEP-0045 example 12
// XEP-0045 example 13
#[test]
fn who_is_in_a_room_is_no_news_to_those_who_are_there_and_none_to_strangers() {
    let server = server();
    let (_alice, mut bob, _carol) = coven(&server, &[]);
    let items = answer(&mut bob, "get", ITEMS);
    for nick in ["first", "second", "third"] {
        assert!(items.contains(&format!("<item jid='{ROOM}/{nick}'")), "{nick}: {items}");
    }
    let mut dave = person(&server, "dave");
    let items = answer(&mut dave, "get", ITEMS);
    assert!(!items.contains("<item "), "{items}");
}

// XEP-0045 example 218
// XEP-0045 example 220
#[test]
fn there_is_no_traffic_that_is_left_out() {
    let server = server();
    let _alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    let query = "<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/muc#traffic'/>";
    assert_eq!(refused(&mut bob, "get", query), "cancel service-unavailable");
}

#[test]
fn what_is_for_people_is_not_answered_by_rooms() {
    let server = server();
    let _alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    for (kind, payload) in [
        ("get", "<query xmlns='jabber:iq:roster'/>"),
        ("set", "<nonsense xmlns='urn:example:none'/>"),
        ("get", "<nonsense xmlns='urn:example:none'/>"),
    ] {
        for to in [ROOM, SERVICE] {
            let refused = ask(&mut bob, kind, to, payload);
            assert_eq!(error(&refused), "cancel service-unavailable", "{payload} to {to}");
        }
    }
    for kind in ["chat", "normal", "headline"] {
        bob.send(&format!("<message to='{SERVICE}' type='{kind}' id='m'><body>hello</body></message>"));
        bob.expect("<message type='error' id='m'");
    }
    bob.send(&format!("<presence to='{SERVICE}/nick'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    bob.so_far();
    assert_eq!(condition(&ask(&mut bob, "get", "nowhere@rooms.localhost", &owner(""))), "item-not-found");
}

/// Rooms are nobody's accounts: nobody logs in as one, and no person is one.
#[test]
fn nobody_logs_in_as_a_room() {
    let server = server();
    let _alice = founded(&server, &[("persistentroom", "1")]);
    let mut client = server.dial().domain(SERVICE).server_name("localhost").direct();
    client.send(&metronome_testkit::Client::header(SERVICE));
    client.expect_stream_error("host-unknown");
    let made =
        server.control().ask("user add", serde_json::json!({ "jid": "coven@rooms.localhost", "password": "secret" }));
    assert_ne!(made["exit"], 0, "{made}");
    let users = server.control().run("user list", serde_json::json!({}));
    assert!(!users.to_string().contains("coven"), "{users}");
}
