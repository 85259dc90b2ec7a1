//! XEP-0463: versions of the affiliations.

use metronome_testkit::{Client, Seen};

use crate::{INFO, ROOM, admin, answer, does, enter_in, founded, person, server, so_far};

const MAV: &str = "urn:xmpp:muc:affiliations:1";

#[track_caller]
fn enter(client: &mut Client, since: Option<&str>) -> Vec<Seen> {
    let since = since.map(|since| format!(" since='{since}'")).unwrap_or_default();
    enter_in(client, ROOM, "second", &format!("<mav xmlns='{MAV}'{since}/>"))
}

#[track_caller]
fn version(seen: &Seen) -> String {
    seen.attribute_of("mav", "until").unwrap_or_else(|| panic!("no version: {seen}"))
}

// XEP-0463 example 1
// XEP-0463 example 2
// XEP-0463 example 3
// XEP-0463 example 4
// XEP-0463 example 6
// XEP-0463 example 7
#[test]
fn who_comes_back_is_told_what_has_changed() {
    let server = server();
    let mut alice = founded(&server, &[("whois", "anyone"), ("persistentroom", "1")]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    let mut bob = person(&server, "bob");
    assert!(answer(&mut bob, "get", INFO).contains(&format!("<feature var='{MAV}'/>")));
    let came = enter(&mut bob, None);
    assert!(came[0].fits(&format!("<message from='{ROOM}'")), "before any presence: {}", came[0]);
    for item in
        ["<item affiliation='owner' jid='alice@localhost'/>", "<item affiliation='member' jid='bob@localhost'/>"]
    {
        assert!(came[0].contains(item), "{}", came[0]);
    }
    let since = version(&came[0]);
    let own = came.iter().find(|seen| seen.contains("code='110'")).unwrap();
    assert_eq!(version(own), since);
    does(&mut alice, "set", &admin("<item affiliation='admin' jid='dave@localhost'/>"));
    let told = so_far(&mut bob);
    let told = told.iter().find(|seen| seen.contains("dave@localhost")).unwrap();
    assert_eq!(told.attribute_of("mav", "since").as_deref(), Some(&*since), "{told}");
    let until = version(told);
    bob.send(&format!("<presence to='{ROOM}/second' type='unavailable'/>"));
    bob.expect("<presence type='unavailable'");
    assert!(enter(&mut bob, Some(&until))[0].fits("<presence"), "there is nothing new");
    bob.send(&format!("<presence to='{ROOM}/second' type='unavailable'/>"));
    bob.expect("<presence type='unavailable'");
    let came = enter(&mut bob, Some(&since));
    assert!(came[0].contains("dave@localhost") && !came[0].contains("alice@localhost"), "{}", came[0]);
    let unknown = enter(&mut bob, Some("ruz41312vw"));
    assert!(unknown[0].contains("alice@localhost") && unknown[0].attribute_of("mav", "since").is_none());
}

// XEP-0463 example 8
#[test]
fn who_may_not_have_the_lists_has_no_versions_either() {
    let server = server();
    let _alice = founded(&server, &[]);
    let mut bob = person(&server, "bob");
    let came = enter(&mut bob, None);
    assert!(
        came[0].fits(&format!("<message type='error' from='{ROOM}'")) && came[0].contains("<forbidden"),
        "{}",
        came[0]
    );
    assert!(came[1..].iter().all(|seen| !seen.contains("<mav")), "{came:?}");
}

/// The room is read again from the store, and the versions that people have are still known.
#[test]
fn versions_outlive_the_process() {
    let mut server = metronome_testkit::Setup::default().account("dave@localhost").start();
    let mut alice = founded(&server, &[("whois", "anyone"), ("persistentroom", "1")]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='bob@localhost'/>"));
    let mut bob = person(&server, "bob");
    let since = version(&enter(&mut bob, None)[0]);
    does(&mut alice, "set", &admin("<item affiliation='member' jid='dave@localhost'/>"));
    does(&mut alice, "set", &admin("<item affiliation='none' jid='dave@localhost'/>"));
    bob.close();
    alice.close();
    server.restart();
    let mut bob = person(&server, "bob");
    let came = enter(&mut bob, Some(&since));
    assert_eq!(came[0].attribute_of("mav", "since").as_deref(), Some(&*since), "{}", came[0]);
    assert!(came[0].contains("<item affiliation='none' jid='dave@localhost'/>"), "{}", came[0]);
    assert!(!came[0].contains("alice@localhost"), "{}", came[0]);
}
