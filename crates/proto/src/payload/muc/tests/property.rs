//! Whatever is read is the same after writing and reading it again.

use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = Box<str>> {
    // What XML can carry, with what is awkward in it more often than by chance.
    let character = prop_oneof![
        any::<char>(),
        proptest::sample::select(vec!['<', '&', '\'', '"', '>', '\r', '\n', '\t', ' ', '\u{1F980}', '\u{FFFD}', ']']),
    ];
    let is_xml =
        |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    proptest::collection::vec(character.prop_filter("XML", is_xml), 1..12)
        .prop_map(|text| String::from_iter(text).into())
}

fn maybe<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(strategy)
}

fn nick() -> impl Strategy<Value = Box<str>> {
    "[a-zA-Z<&']([a-zA-Z <&']{0,6}[a-zA-Z<&'])?".prop_map(Box::from)
}

fn address() -> impl Strategy<Value = Jid> {
    "[a-z]{1,8}@[a-z]{1,8}\\.example(/[a-zA-Z ]{0,5}[a-z])?".prop_map(|text| jid(&text))
}

fn affiliation() -> impl Strategy<Value = Affiliation> {
    proptest::sample::select(Affiliation::ALL.to_vec())
}

fn role() -> impl Strategy<Value = Role> {
    proptest::sample::select(Role::ALL.to_vec())
}

fn any_join() -> impl Strategy<Value = Join> {
    let number = || maybe(any::<u64>());
    let since = maybe(0u64..253_402_300_799_999);
    let history = (number(), number(), number(), since).prop_map(|(maxchars, maxstanzas, seconds, since_ms)| History {
        maxchars,
        maxstanzas,
        seconds,
        since_ms,
    });
    (maybe(text()), history, maybe(mav())).prop_map(|(password, history, mav)| Join { password, history, mav })
}

fn mav() -> impl Strategy<Value = Mav> {
    (maybe(text()), maybe(text())).prop_map(|(since, until)| Mav { since, until })
}

fn continued() -> impl Strategy<Value = Continue> {
    maybe(text()).prop_map(|thread| Continue { thread })
}

fn any_user() -> impl Strategy<Value = UserX> {
    let actor = (maybe(address()), maybe(nick())).prop_map(|(jid, nick)| Actor { jid, nick });
    let item = (
        (maybe(affiliation()), maybe(role()), maybe(address()), maybe(nick())),
        (maybe(actor), maybe(continued()), maybe(text())),
    )
        .prop_map(|((affiliation, role, jid, nick), (actor, continued, reason))| UserItem {
            affiliation,
            role,
            jid,
            nick,
            actor,
            continued,
            reason,
        });
    let invite = (maybe(address()), maybe(address()), maybe(text()), maybe(continued()))
        .prop_map(|(from, to, reason, continued)| Invite { from, to, reason, continued });
    let decline =
        (maybe(address()), maybe(address()), maybe(text())).prop_map(|(from, to, reason)| Decline { from, to, reason });
    let destroy = (maybe(address()), maybe(text()), maybe(text())).prop_map(|(jid, password, reason)| Destroy {
        jid,
        password,
        reason,
    });
    let lists = (
        proptest::collection::vec(item, 0..3),
        proptest::collection::vec(invite, 0..3),
        proptest::collection::vec(100u16..1000, 0..4),
    );
    (maybe(mav()), lists, maybe(destroy), maybe(decline), maybe(text())).prop_map(
        |(mav, (items, invites, statuses), destroy, decline, password)| UserX {
            mav,
            items,
            destroy,
            invites,
            decline,
            password,
            statuses,
        },
    )
}

fn any_admin() -> impl Strategy<Value = AdminRequest> {
    let listing = prop_oneof![affiliation().prop_map(Listing::Affiliation), role().prop_map(Listing::Role)];
    let whom = prop_oneof![
        (address(), maybe(nick())).prop_map(|(jid, nick)| (Some(jid.bare()), nick)),
        nick().prop_map(|nick| (None, Some(nick))),
    ];
    let to = prop_oneof![
        affiliation().prop_map(|affiliation| (Some(affiliation), None)),
        role().prop_map(|role| (None, Some(role))),
    ];
    let item = (to, whom, maybe(text())).prop_map(|((affiliation, role), (jid, nick), reason)| Item {
        affiliation,
        role,
        jid,
        nick,
        reason,
    });
    prop_oneof![
        proptest::collection::vec(listing, 1..5).prop_map(AdminRequest::List),
        proptest::collection::vec(item, 1..5).prop_map(AdminRequest::Set),
    ]
}

fn any_hat() -> impl Strategy<Value = Hat> {
    let hue = maybe("[12]?[0-9]{1,2}(\\.[0-9]{1,9})?".prop_map(Box::from));
    (text(), text(), maybe(text()), hue).prop_map(|(uri, title, lang, hue)| Hat { uri, title, lang, hue })
}

/// Writes and reads again.
fn again<T>(tree: &Tree, read: impl Fn(&Child<'_>) -> Result<T, Malformed>) -> Result<T, Malformed> {
    read(&Content::from_tree(tree).iter().next().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_enters_says_the_same(join in any_join()) {
        prop_assert_eq!(again(&join.tree(), Join::read), Ok(join));
    }

    #[test]
    fn what_rooms_tell_is_read_as_it_was_written(user in any_user()) {
        prop_assert_eq!(again(&user.tree(), UserX::read), Ok(user));
    }

    #[test]
    fn a_request_about_people_is_read_as_it_was_written(request in any_admin()) {
        prop_assert_eq!(again(&request.tree(), |query| AdminRequest::read(request.kind(), query)), Ok(request));
    }

    #[test]
    fn direct_invitations_are_read_as_they_were_written(
        jid in address(), password in maybe(text()), reason in maybe(text()), continued in maybe(continued()),
    ) {
        let invitation = Conference { jid, password, reason, continued };
        prop_assert_eq!(again(&invitation.tree(), Conference::read), Ok(invitation));
    }

    #[test]
    fn hats_are_read_as_they_were_written(hats in proptest::collection::vec(any_hat(), 0..4)) {
        prop_assert_eq!(again(&hats::tree(&hats), Hat::read_all), Ok(hats));
    }

    #[test]
    fn moderation_is_read_as_it_was_written(
        id in text(), reason in maybe(text()),
        form in proptest::sample::select(vec![ModerationForm::Current, ModerationForm::Older]),
    ) {
        let moderate = Moderate { id, reason, form };
        prop_assert_eq!(again(&moderate.tree(), Moderate::read), Ok(moderate));
    }

    #[test]
    fn a_registration_is_read_as_it_was_written(nick in nick(), line in maybe(text()), faq in proptest::collection::vec(text(), 0..3)) {
        let faq_entry = faq.into_iter().map(String::from).collect();
        let request = RegistrationRequest::Submit(Registration { nick, lines: [line, None, None, None], faq_entry });
        prop_assert_eq!(again(&request.tree(), RegistrationRequest::read), Ok(request));
    }
}
