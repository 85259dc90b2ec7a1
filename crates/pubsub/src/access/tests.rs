//! The table of section 4.1 and the access models of section 4.5, written down once more and compared over the whole product.

use super::*;

/// One row for each affiliation, one column for each verb in the order of [`Verb::ALL`]: `y` granted, `n` forbidden, `P` as the publish
/// model says, `A` as the access model says.
const AFFILIATIONS: &[(Option<Affiliation>, &str)] = &[
    // subscribe read publish retract-own retract-other purge manage discover
    (Some(Affiliation::Owner), "y y y y y y y y"),
    (Some(Affiliation::Publisher), "y y y y y n n y"),
    (Some(Affiliation::PublishOnly), "n n y y n n n y"),
    (Some(Affiliation::Member), "y y P P n n n y"),
    (None, "A A P P n n n A"),
    (Some(Affiliation::Outcast), "n n n n n n n n"),
];

/// Somebody without an affiliation, and what they are granted of subscribe, read and discover.
struct Visitor {
    presence: bool,
    in_group: bool,
    subscription: Option<SubscriptionState>,
}

/// What a visitor gets of subscribe, read and discover: `y`, `a` for approval, or why not: `p` presence, `g` group, `c` closed, `s` not
/// subscribed.
fn expected_of_visitor(access: AccessModel, visitor: &Visitor) -> [char; 3] {
    let is_in = visitor.presence && visitor.in_group;
    match access {
        AccessModel::Open => ['y'; 3],
        AccessModel::Presence => [if visitor.presence { 'y' } else { 'p' }; 3],
        AccessModel::Roster => [if is_in { 'y' } else { 'g' }; 3],
        AccessModel::Whitelist => ['c'; 3],
        AccessModel::Authorize => match visitor.subscription {
            Some(SubscriptionState::Subscribed | SubscriptionState::Unconfigured) => ['y', 'y', 'y'],
            Some(SubscriptionState::Pending) | None => ['a', 's', 'y'],
        },
    }
}

fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Granted => 'y',
        Verdict::NeedsApproval => 'a',
        Verdict::Refused(Why::Forbidden) => 'n',
        Verdict::Refused(Why::NoPresence) => 'p',
        Verdict::Refused(Why::NotInGroup) => 'g',
        Verdict::Refused(Why::Closed) => 'c',
        Verdict::Refused(Why::NotSubscribed) => 's',
    }
}

const ACCESS: [AccessModel; 5] =
    [AccessModel::Open, AccessModel::Presence, AccessModel::Roster, AccessModel::Authorize, AccessModel::Whitelist];

const PUBLISH: [PublishModel; 3] = [PublishModel::Publishers, PublishModel::Subscribers, PublishModel::Open];

const SUBSCRIPTIONS: [Option<SubscriptionState>; 4] = [
    None,
    Some(SubscriptionState::Subscribed),
    Some(SubscriptionState::Pending),
    Some(SubscriptionState::Unconfigured),
];

fn visitors() -> Vec<Visitor> {
    let flags = [(false, false), (true, false), (false, true), (true, true)];
    let of = |(presence, in_group)| SUBSCRIPTIONS.map(|subscription| Visitor { presence, in_group, subscription });
    flags.into_iter().flat_map(of).collect()
}

#[test]
fn every_affiliation_model_and_verb_is_judged_as_the_table_says() {
    let groups = [Box::from("friends"), Box::from("family")];
    let mut judged = 0;
    for (affiliation, row) in AFFILIATIONS {
        let row: Vec<char> = row.split(' ').map(|cell| cell.chars().next().unwrap()).collect();
        for (access, publish, visitor) in ACCESS.iter().flat_map(|access| {
            PUBLISH
                .iter()
                .flat_map(move |publish| visitors().into_iter().map(move |visitor| (*access, *publish, visitor)))
        }) {
            let trust = Trust {
                presence: visitor.presence,
                groups: if visitor.in_group { vec!["others".into(), "family".into()] } else { vec!["others".into()] },
            };
            let claim = Claim { affiliation: *affiliation, subscription: visitor.subscription, trust: &trust };
            let policy = Policy { access, groups: &groups, publish };
            for (verb, cell) in Verb::ALL.into_iter().zip(&row) {
                let is_subscribed = visitor.subscription == Some(SubscriptionState::Subscribed);
                let publishes =
                    publish == PublishModel::Open || (publish == PublishModel::Subscribers && is_subscribed);
                let [subscribe, read, discover] = expected_of_visitor(access, &visitor);
                let expected = match (cell, verb) {
                    ('A', Verb::Subscribe) => subscribe,
                    ('A', Verb::Read) => read,
                    ('A', _) => discover,
                    ('P', _) => {
                        if publishes {
                            'y'
                        } else {
                            'n'
                        }
                    }
                    (cell, _) => *cell,
                };
                let verdict = letter(judge(verb, claim, policy));
                assert_eq!(
                    verdict, expected,
                    "{affiliation:?} {verb:?} {access:?} {publish:?} {trust:?} {:?}",
                    visitor.subscription
                );
                judged += 1;
            }
        }
    }
    assert_eq!(judged, 6 * 5 * 3 * 16 * 8);
}

#[test]
fn rosters_are_looked_into_only_where_they_decide() {
    let groups = [Box::from("friends")];
    let trusted = Trust { presence: true, groups: groups.to_vec() };
    for (affiliation, _) in AFFILIATIONS {
        for (access, verb) in ACCESS.into_iter().flat_map(|access| Verb::ALL.map(|verb| (access, verb))) {
            let policy = Policy { access, groups: &groups, publish: PublishModel::Publishers };
            let with = |trust| judge(verb, Claim { affiliation: *affiliation, subscription: None, trust }, policy);
            let matters = with(&trusted) != with(&Trust::NONE);
            assert_eq!(asks_for_trust(verb, *affiliation, access), matters, "{affiliation:?} {access:?} {verb:?}");
        }
    }
}
