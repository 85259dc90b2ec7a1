//! Requests that nobody sends by mistake.

use super::*;

#[test]
fn numbers_are_numbers_and_huge_ones_are_the_largest() {
    let seconds = |text: &str| join(&format!("<history seconds='{text}'/>")).map(|join| join.history.seconds);
    assert_eq!(seconds("0"), Ok(Some(0)));
    assert_eq!(seconds("99999999999999999999999999"), Ok(Some(u64::MAX)));
    for none in ["", "-1", "+1", "1.0", "0x1", " 1", "١"] {
        assert!(seconds(none).is_err(), "{none:?}");
    }
    assert!(join("<history since='yesterday'/>").is_err());
    assert_eq!(join("<history since='1900-01-01T00:00:00Z'/>").unwrap().history.since_ms, Some(0));
}

#[test]
fn texts_have_bounds() {
    let reason = |len: usize| {
        let inside = format!("<item nick='n' role='none'><reason>{}</reason></item>", "x".repeat(len));
        admin(IqType::Set, &inside)
    };
    assert!(reason(REASON_BYTES_MAX).is_ok());
    assert!(reason(REASON_BYTES_MAX + 1).is_err());
    let password = |len: usize| join(&format!("<password>{}</password>", "x".repeat(len)));
    assert!(password(PASSWORD_BYTES_MAX).is_ok());
    assert!(password(PASSWORD_BYTES_MAX + 1).is_err());
    assert!(user(&format!("<invite to='a@b'><continue thread='{}'/></invite>", "x".repeat(ID_BYTES_MAX + 1))).is_err());
    let since = "x".repeat(ID_BYTES_MAX + 1);
    assert!(join(&format!("<mav xmlns='urn:xmpp:muc:affiliations:1' since='{since}'/>")).is_err());
    assert!(user(&format!("<destroy><reason>{}</reason></destroy>", "x".repeat(REASON_BYTES_MAX + 1))).is_err());
}

#[test]
fn lists_have_bounds() {
    let items = |count: usize| (0..count).map(|n| format!("<item role='none' nick='{n}'/>")).collect::<String>();
    assert!(admin(IqType::Set, &items(ITEMS_MAX)).is_ok());
    assert!(admin(IqType::Set, &items(ITEMS_MAX + 1)).is_err());
    assert!(admin(IqType::Get, &"<item role='visitor'/>".repeat(10)).is_err());
    assert!(user(&"<invite to='a@b'/>".repeat(INVITES_MAX + 1)).is_err());
    assert!(user(&"<status code='110'/>".repeat(33)).is_err());
    assert!(user("<decline to='a@b'/><decline to='c@d'/>").is_err());
    assert!(user("<destroy/><destroy/>").is_err());
    let hats = "<hat uri='urn:h' title='H'/>".repeat(hats::HATS_MAX + 1);
    assert!(one(&format!("<hats xmlns='urn:xmpp:hats:0'>{hats}</hats>"), Hat::read_all).is_err());
}

#[test]
fn words_that_are_none_are_refused() {
    for inside in [
        "",
        "<item/>",
        "<item affiliation='king' jid='a@b'/>",
        "<item affiliation='' jid='a@b'/>",
        "<item affiliation='Owner' jid='a@b'/>",
        "<item role='superuser' nick='n'/>",
        "<item affiliation='owner' role='moderator' jid='a@b'/>",
        "<item affiliation='owner'/>",
        "<item role='none' nick=''/>",
        "<item affiliation='owner' jid='@b'/>",
        "<item affiliation='owner' jid='a b@c'/>",
        "<item role='none' nick='a&#x202e;b&#xfdd0;'/>",
        "<item xmlns='urn:other' affiliation='owner' jid='a@b'/>",
    ] {
        assert!(admin(IqType::Set, inside).is_err(), "{inside}");
    }
    for inside in ["", "<item/>", "<item affiliation='owner' role='visitor'/>"] {
        assert!(admin(IqType::Get, inside).is_err(), "{inside}");
    }
    for code in ["", "99", "1000", "11O", "-10", "+11", "099"] {
        assert!(user(&format!("<status code='{code}'/>")).is_err(), "{code}");
    }
    assert!(user("<invite to='not an address@'/>").is_err());
}

#[test]
fn a_nickname_is_what_an_address_would_have_in_its_place() {
    let nick = |nick: &str| match admin(IqType::Set, &format!("<item role='none' nick='{nick}'/>")) {
        Ok(AdminRequest::Set(items)) => items[0].nick.clone(),
        _ => None,
    };
    // Composed, as the resource of the occupant's address is.
    assert_eq!(nick("e\u{301}"), jid("room@b/e\u{301}").resource().map(Box::from));
    assert_eq!(nick(&"x".repeat(1024)), None);
}
