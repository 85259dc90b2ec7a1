//! Reading the archive of a room (XEP-0313): page by page, by whom it was said, and what readers may not have, whatever they ask.

use metronome_testkit::{Backend, Client, Seen, Server, Setup, ask, condition};

use crate::{
    INFO, ROOM, admin, answer, bodies, configuration, coven, does, enter, error, founded, guest, pass, person, say,
    say_heard, server, so_far, until,
};

const MAM: &str = "urn:xmpp:mam:2";

/// A scenario in which the store matters.
fn on_both_stores(scenario: impl Fn(&Server)) {
    for backend in [Backend::Memory, Backend::Sqlite] {
        scenario(&Setup::default().store(backend).start());
    }
}

/// A page: its results, and the answer behind them.
pub(crate) struct Page {
    pub(crate) results: Vec<Seen>,
    fin: Seen,
}

impl Page {
    /// What was said.
    pub(crate) fn bodies(&self) -> Vec<String> {
        bodies(&self.results)
    }

    fn ids(&self) -> Vec<String> {
        self.results.iter().map(|result| result.attribute_of("result", "id").unwrap()).collect()
    }

    fn is_complete(&self) -> bool {
        self.fin.attribute_of("fin", "complete").as_deref() == Some("true")
    }
}

/// Asks for a page; whatever else comes is passed over.
#[track_caller]
pub(crate) fn query(client: &mut Client, inside: &str) -> Page {
    client
        .send(&format!("<iq type='set' id='page' to='{ROOM}'><query xmlns='{MAM}' queryid='q'>{inside}</query></iq>"));
    let (before, fin) = until(client, "<iq id='page'");
    assert!(fin.fits(&format!("<iq type='result' from='{ROOM}'")), "{fin}");
    let results = before.into_iter().filter(|seen| seen.contains(&format!("<result xmlns='{MAM}'")));
    Page { results: results.collect(), fin }
}

/// Asks for a page that is refused, without a single result.
#[track_caller]
pub(crate) fn denied(client: &mut Client, inside: &str) -> String {
    client
        .send(&format!("<iq type='set' id='page' to='{ROOM}'><query xmlns='{MAM}' queryid='q'>{inside}</query></iq>"));
    let (before, answer) = until(client, "<iq id='page'");
    assert!(!before.iter().any(|seen| seen.contains("<result")), "{before:?}");
    error(&answer)
}

fn form(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>\
         {fields}</x>"
    )
}

fn set(inside: &str) -> String {
    format!("<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>")
}

#[test]
fn an_archive_comes_in_pages_from_either_end() {
    on_both_stores(|server| {
        let (mut alice, mut bob, mut carol) = coven(server, &[]);
        let ids: Vec<String> = (1..=10)
            .map(|number| say_heard(&mut bob, &number.to_string()).attribute_of("stanza-id", "id").unwrap())
            .collect();
        pass(&mut [&mut alice, &mut carol]);
        let first = query(&mut carol, &set("<max>4</max>"));
        assert_eq!((first.ids(), first.is_complete()), (ids[..4].to_vec(), false));
        assert_eq!(first.fin.text_of("count").as_deref(), Some("10"));
        let next = query(&mut carol, &set(&format!("<max>10</max><after>{}</after>", ids[3])));
        assert_eq!((next.ids(), next.is_complete()), (ids[4..].to_vec(), true));
        let last = query(&mut carol, &set("<max>2</max><before/>"));
        assert_eq!(last.bodies(), ["9", "10"]);
        let flipped = query(&mut carol, &format!("{}<flip-page/>", set("<max>2</max><before/>")));
        assert_eq!(flipped.bodies(), ["10", "9"]);
        let range = query(&mut carol, &form(&[("after-id", &ids[2]), ("before-id", &ids[5])]));
        assert_eq!(range.bodies(), ["4", "5"]);
        assert_eq!(query(&mut carol, &form(&[("ids", &ids[6])])).bodies(), ["7"]);
        assert_eq!(query(&mut carol, &form(&[("start", "2999-01-01T00:00:00Z")])).ids(), Vec::<String>::new());
        let count = query(&mut carol, &set("<max>0</max>"));
        assert_eq!((count.results.len(), count.fin.text_of("count").as_deref()), (0, Some("10")));
    });
}

// XEP-0313 example 27
#[test]
fn a_result_is_what_an_occupant_said_and_is_for_nobody() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    say_heard(&mut bob, "hi");
    pass(&mut [&mut alice, &mut carol]);
    let forwarded =
        format!("<message xmlns='jabber:client' from='{ROOM}/second' id='hi' type='groupchat'><body>hi</body>");
    for (reader, name, sees) in [(&mut alice, "alice", true), (&mut carol, "carol", false), (&mut bob, "bob", false)] {
        let page = query(reader, "");
        let result = &page.results[0];
        assert!(result.fits(&format!("<message from='{ROOM}' to='{name}@localhost/phone'")), "{result}");
        assert!(result.contains(&forwarded) && result.contains("<occupant-id "), "{result}");
        assert_eq!(result.contains("jid='bob@localhost/phone'"), sees, "{name}: {result}");
        let forwarded = &result[result.find("<forwarded").unwrap()..];
        assert_eq!(forwarded.contains("bob@localhost"), sees, "{name}: {result}");
    }
    does(&mut alice, "set", &configuration(&[("whois", "anyone")]));
    pass(&mut [&mut carol]);
    assert!(query(&mut carol, "").results[0].contains("jid='bob@localhost/phone'"), "everybody sees addresses now");
    let mut dave = person(&server, "dave");
    assert!(query(&mut dave, "").results[0].contains("jid='bob@localhost/phone'"), "also who could enter");
}

#[test]
fn what_is_asked_for_by_an_address_is_what_it_said() {
    on_both_stores(|server| {
        let (mut alice, mut bob, mut carol) = coven(server, &[]);
        for (client, body) in [(&mut bob, "1"), (&mut carol, "2")] {
            say_heard(client, body);
        }
        pass(&mut [&mut alice, &mut bob, &mut carol]);
        assert_eq!(query(&mut alice, &form(&[("with", "bob@localhost")])).bodies(), ["1"]);
        assert_eq!(query(&mut alice, &form(&[("with", "carol@localhost/phone")])).bodies(), ["2"]);
        assert!(query(&mut alice, &form(&[("with", "carol@localhost/desk")])).results.is_empty());
        assert_eq!(query(&mut bob, &form(&[("with", "bob@localhost")])).bodies(), ["1"]);
        assert_eq!(query(&mut bob, &form(&[("with", &format!("{ROOM}/third"))])).bodies(), ["2"]);
        assert!(query(&mut bob, &form(&[("with", &format!("{ROOM}/nobody"))])).results.is_empty());
        for with in ["carol@localhost", "nobody@localhost", "carol@localhost/phone", "localhost"] {
            assert_eq!(denied(&mut bob, &form(&[("with", with)])), "auth forbidden", "{with}");
        }
    });
}

#[test]
fn an_archive_tells_what_it_can_be_asked_and_where_it_ends() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let ids = ["1", "2", "3"].map(|body| say_heard(&mut alice, body).attribute_of("stanza-id", "id").unwrap());
    let fields = answer(&mut alice, "get", &format!("<query xmlns='{MAM}'/>"));
    for var in ["with", "start", "end", "before-id", "after-id", "ids"] {
        assert!(fields.contains(&format!("var='{var}'")), "{fields}");
    }
    let metadata = answer(&mut alice, "get", &format!("<metadata xmlns='{MAM}'/>"));
    assert_eq!(metadata.attribute_of("start", "id").as_deref(), Some(&*ids[0]), "{metadata}");
    assert_eq!(metadata.attribute_of("end", "id").as_deref(), Some(&*ids[2]), "{metadata}");
    let info = answer(&mut alice, "get", INFO);
    for feature in [MAM, "urn:xmpp:mam:2#extended", "urn:xmpp:message-retract:1#tombstone", "urn:xmpp:sid:0"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{feature}: {info}");
    }
    for (kind, prefs) in [("get", "/>"), ("set", " default='never'/>")] {
        let prefs = format!("<prefs xmlns='{MAM}'{prefs}");
        assert_eq!(condition(&ask(&mut alice, kind, ROOM, &prefs)), "service-unavailable", "rooms have no preferences");
    }
    does(&mut alice, "set", &configuration(&[("enablearchiving", "0")]));
    let info = answer(&mut alice, "get", INFO);
    for feature in ["urn:xmpp:mam", "urn:xmpp:sid", "urn:xmpp:message-moderate", "urn:xmpp:message-retract"] {
        assert!(!info.contains(feature), "{feature}: {info}");
    }
    assert_eq!(denied(&mut alice, ""), "cancel service-unavailable");
    assert_eq!(condition(&ask(&mut alice, "get", ROOM, &format!("<metadata xmlns='{MAM}'/>"))), "service-unavailable");
}

#[test]
fn who_could_not_enter_gets_neither_form_nor_ends_nor_messages() {
    let server = server();
    let mut alice = founded(&server, &[("persistentroom", "1")]);
    say_heard(&mut alice, "secret");
    let mut bob = person(&server, "bob");
    let refuses = |bob: &mut Client| {
        assert_eq!(denied(bob, ""), "auth forbidden");
        assert_eq!(denied(bob, &form(&[("ids", "1")])), "auth forbidden");
        for payload in [format!("<query xmlns='{MAM}'/>"), format!("<metadata xmlns='{MAM}'/>")] {
            assert_eq!(condition(&ask(bob, "get", ROOM, &payload)), "forbidden", "{payload}");
        }
    };
    does(&mut alice, "set", &configuration(&[("passwordprotectedroom", "1"), ("roomsecret", "cauldronburn")]));
    refuses(&mut bob);
    crate::enter_in(&mut bob, ROOM, "second", "<password>cauldronburn</password>");
    assert_eq!(query(&mut bob, "").bodies(), ["secret"]);
    bob.send(&format!("<presence type='unavailable' to='{ROOM}/second'/>"));
    until(&mut bob, "<presence type='unavailable'");
    refuses(&mut bob);
    does(&mut alice, "set", &configuration(&[("passwordprotectedroom", "0"), ("membersonly", "1")]));
    refuses(&mut bob);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    assert_eq!(query(&mut bob, "").bodies(), ["secret"]);
    does(&mut alice, "set", &admin("<item affiliation='outcast' jid='bob@localhost'/>"));
    does(&mut alice, "set", &configuration(&[("membersonly", "0")]));
    refuses(&mut bob);
    does(&mut alice, "set", &admin("<item affiliation='none' jid='bob@localhost'/>"));
    assert_eq!(query(&mut bob, "").bodies(), ["secret"], "an open room is open");
}

#[test]
fn a_room_that_is_not_there_has_no_archive() {
    let server = server();
    let mut alice = founded(&server, &[]);
    say_heard(&mut alice, "first life");
    alice.send(&format!("<presence type='unavailable' to='{ROOM}/first'/>"));
    until(&mut alice, "<presence type='unavailable'");
    assert_eq!(denied(&mut alice, ""), "cancel item-not-found");
    enter(&mut alice, "first");
    does(&mut alice, "set", &configuration(&[]));
    assert!(query(&mut alice, "").results.is_empty(), "another room of the same name is another room");
}

#[test]
fn pages_are_asked_for_by_ids_that_are_there() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let id = say_heard(&mut alice, "one").attribute_of("stanza-id", "id").unwrap();
    for forged in ["0", "999", "-1", "01", "1 OR 1=1", "'; DROP TABLE archive; --", "99999999999999999999999"] {
        let forged = forged.replace('\'', "&apos;");
        for wrong in [
            set(&format!("<after>{forged}</after>")),
            set(&format!("<before>{forged}</before>")),
            form(&[("ids", &forged)]),
            form(&[("before-id", &forged)]),
            form(&[("after-id", &forged)]),
        ] {
            assert_eq!(denied(&mut alice, &wrong), "cancel item-not-found", "{wrong}");
        }
    }
    assert!(denied(&mut alice, &set("<max>-5</max>")).ends_with("bad-request"));
    assert!(denied(&mut alice, &form(&[("start", "yesterday")])).ends_with("bad-request"));
    assert!(denied(&mut alice, &form(&[("with", "@")])).ends_with("bad-request"));
    assert!(denied(&mut alice, &form(&[("{urn:example}search", "x")])).ends_with("feature-not-implemented"));
    let all = query(&mut alice, &set(&format!("<max>{}</max>", "9".repeat(40))));
    assert_eq!(all.ids(), [id]);
}

#[test]
fn what_occupants_forge_is_not_in_the_archive() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='f'><body>forged</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='999'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='alice'/>\
         <x xmlns='http://jabber.org/protocol/muc#user'><item jid='alice@localhost/phone' affiliation='owner'/></x>\
         <delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2002-10-13T23:58:37Z'/></message>"
    ));
    until(&mut carol, "<message type='groupchat' id='f'");
    let page = query(&mut alice, "");
    let row = &page.results[0];
    for forged in ["id='999'", "id='alice'", "alice@localhost/phone' affiliation", "2002-10-13"] {
        assert!(!row.contains(forged), "{forged}: {row}");
    }
    assert!(row.contains("jid='bob@localhost/phone'"), "{row}");
    assert!(!row[row.find("<forwarded").unwrap()..].contains("alice@localhost"), "{row}");
    assert_eq!(query(&mut alice, &form(&[("with", "bob@localhost")])).bodies(), ["forged"]);
    assert!(query(&mut alice, &form(&[("with", "alice@localhost")])).results.is_empty());
}

#[test]
fn private_messages_are_in_no_archive_of_the_room() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    bob.send(&format!("<message to='{ROOM}/third' type='chat'><body>between us</body></message>"));
    until(&mut carol, "<message type='chat'");
    say_heard(&mut bob, "for all");
    pass(&mut [&mut carol]);
    assert_eq!(query(&mut alice, "").bodies(), ["for all"]);
}

#[test]
fn a_subject_is_in_the_archive_and_a_refused_message_is_not() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("moderatedroom", "1")]);
    alice.send(&format!("<message to='{ROOM}' type='groupchat'><subject>Fire Burn</subject></message>"));
    until(&mut bob, "<message type='groupchat'><subject>Fire Burn</subject>");
    does(&mut alice, "set", &admin("<item nick='second' role='visitor'/>"));
    say(&mut bob, "heard by nobody");
    until(&mut bob, "<message type='error'");
    let page = query(&mut alice, "");
    assert_eq!(page.results.len(), 1, "{:?}", page.results);
    assert!(page.results[0].contains("<subject>Fire Burn</subject>"));
}

/// XEP-0424: an author is an account, not a nickname.
#[test]
fn whoever_has_the_nickname_now_takes_back_nothing() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let id = say_heard(&mut bob, "said by bob").attribute_of("stanza-id", "id").unwrap();
    bob.send(&format!("<presence type='unavailable' to='{ROOM}/second'/>"));
    until(&mut bob, "<presence type='unavailable'");
    pass(&mut [&mut carol]);
    carol.send(&format!("<presence to='{ROOM}/second'/>"));
    until(&mut carol, &format!("<presence from='{ROOM}/second'"));
    let retract = |id: &str| {
        format!(
            "<message to='{ROOM}' type='groupchat' id='back'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>\
             </message>"
        )
    };
    carol.send(&retract(&id));
    assert_eq!(error(&until(&mut carol, "<message type='error' id='back'").1), "auth forbidden");
    assert_eq!(query(&mut carol, "").bodies(), ["said by bob"]);
    enter(&mut bob, "other");
    bob.send(&retract(&id));
    until(&mut bob, &format!("<message type='groupchat' from='{ROOM}/other' id='back'"));
    pass(&mut [&mut alice, &mut carol]);
    let page = query(&mut carol, "");
    assert!(page.results[0].contains("<retracted ") && page.bodies().is_empty(), "{:?}", page.results);
    let mut dave = person(&server, "dave");
    let came = enter(&mut dave, "fourth");
    assert!(came.iter().any(|seen| seen.contains("<retracted ")), "{came:?}");
    assert!(!came.iter().any(|seen| seen.contains("<body>said by bob")), "{came:?}");
}

#[test]
fn what_is_taken_back_by_ids_of_nothing_changes_nothing() {
    let server = server();
    let mut alice = founded(&server, &[]);
    let mut bob = guest(&server, "bob", "second", &mut [&mut alice]);
    say_heard(&mut alice, "stays");
    pass(&mut [&mut bob]);
    for id in ["0", "-1", "01", "999", "x", "1&apos; OR 1=1"] {
        bob.send(&format!(
            "<message to='{ROOM}' type='groupchat' id='back'><retract xmlns='urn:xmpp:message-retract:1' id='{id}'/>\
             </message>"
        ));
        until(&mut bob, "<message id='back'");
    }
    drop(so_far(&mut bob));
    assert_eq!(query(&mut alice, "").bodies(), ["stays"]);
}
