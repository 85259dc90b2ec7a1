//! Who may give whom which role (sections 5.1.1 to 5.1.3): the tables of XEP-0045, with the error of each refusal.

use metronome_proto::payload::muc::{Affiliation, Role};

use crate::affiliation::Denied;
use crate::config::{Config, MEMBERS_ONLY, MODERATED, VOICE_BY_DEFAULT};

/// The role of somebody who enters (section 5.1.2); none for those who may not.
pub fn default_role(config: &Config, affiliation: Affiliation) -> Role {
    match affiliation {
        Affiliation::Outcast => Role::None,
        Affiliation::None if config.is_on(&MEMBERS_ONLY) => Role::None,
        Affiliation::None if config.is_on(&MODERATED) && !config.is_on(&VOICE_BY_DEFAULT) => Role::Visitor,
        Affiliation::None | Affiliation::Member => Role::Participant,
        Affiliation::Admin | Affiliation::Owner => Role::Moderator,
    }
}

/// The role of an occupant whose affiliation changes: what comes with the new one, and what came with the old one goes.
pub(crate) fn role_after(config: &Config, role: Role, from: Affiliation, to: Affiliation) -> Role {
    let given = default_role(config, to);
    if from >= Affiliation::Admin || given == Role::None { given } else { role.max(given) }
}

/// Whether an occupant with this role and affiliation may give the role `to` to one who has the role `from`, and the affiliation `whose`.
///
/// Voice is not taken from admins and owners, nor from anybody with a higher affiliation. Section 8.4 says "at or above" in one place and
/// "higher" in two others; with the first, moderators without affiliation could do nothing at all.
pub fn may_give_role(
    (role, affiliation): (Role, Affiliation),
    (from, whose): (Role, Affiliation),
    to: Role,
) -> Result<(), Denied> {
    let is_admin = affiliation >= Affiliation::Admin;
    let touches_moderators = from == Role::Moderator || to == Role::Moderator;
    let is_lowered = to < from;
    let takes_voice = to == Role::Visitor && whose >= Affiliation::Admin;
    if role == Role::Moderator && is_lowered && (whose > affiliation || takes_voice) {
        return Err(Denied::NotAllowed);
    }
    if role != Role::Moderator || (touches_moderators && !is_admin && to != Role::None) {
        return Err(Denied::Forbidden);
    }
    let stays_moderator = from == Role::Moderator && to != Role::None && whose >= Affiliation::Admin;
    let is_kicked_by_equal = from == Role::Moderator && !is_admin;
    if is_lowered && (stays_moderator || is_kicked_by_equal) {
        return Err(Denied::NotAllowed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Moderator, Participant, Visitor};

    const AFFILIATIONS: [Affiliation; 4] =
        [Affiliation::None, Affiliation::Member, Affiliation::Admin, Affiliation::Owner];

    /// Section 5.1.2.
    #[test]
    fn who_enters_gets_the_role_of_the_table() {
        let open = Config::default();
        let moderated = Config::default().with(&MODERATED, "1");
        let members = Config::default().with(&MEMBERS_ONLY, "1");
        let of = |config: &Config| AFFILIATIONS.map(|affiliation| default_role(config, affiliation));
        assert_eq!(of(&moderated), [Visitor, Participant, Moderator, Moderator]);
        assert_eq!(of(&open), [Participant, Participant, Moderator, Moderator]);
        assert_eq!(of(&members), [Role::None, Participant, Moderator, Moderator]);
        assert_eq!(default_role(&open, Affiliation::Outcast), Role::None);
    }

    /// Section 5.1.3: who at least has to act, of those with an affiliation that is not below that of the other.
    #[test]
    fn roles_change_as_the_table_says() {
        let (moderator, admin) = (Affiliation::None, Affiliation::Admin);
        let table = [
            (Visitor, Role::None, moderator),
            (Visitor, Participant, moderator),
            (Visitor, Moderator, admin),
            (Participant, Role::None, moderator),
            (Participant, Visitor, moderator),
            (Participant, Moderator, admin),
            (Moderator, Role::None, admin),
            (Moderator, Visitor, admin),
            (Moderator, Participant, admin),
        ];
        for (from, to, least) in table {
            for actor in AFFILIATIONS {
                let granted = may_give_role((Moderator, actor), (from, Affiliation::None), to);
                assert_eq!(granted.is_ok(), actor >= least, "{actor:?} makes a {from:?} {to:?}");
            }
        }
    }

    #[test]
    fn only_moderators_change_roles() {
        for role in [Role::None, Visitor, Participant] {
            for affiliation in AFFILIATIONS {
                for to in [Role::None, Visitor, Participant, Moderator] {
                    let granted = may_give_role((role, affiliation), (Visitor, Affiliation::None), to);
                    assert_eq!(granted, Err(Denied::Forbidden), "{role:?} {affiliation:?} {to:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_taken_from_those_with_a_higher_affiliation() {
        for (at, actor) in AFFILIATIONS.into_iter().enumerate() {
            for whose in &AFFILIATIONS[at + 1..] {
                let lowered = [Visitor, Participant, Role::None]
                    .map(|to| (Moderator, to))
                    .into_iter()
                    .chain([(Participant, Role::None), (Participant, Visitor)]);
                for (from, to) in lowered {
                    let granted = may_give_role((Moderator, actor), (from, *whose), to);
                    assert_eq!(granted, Err(Denied::NotAllowed), "{actor:?} {whose:?} {to:?}");
                }
            }
        }
    }

    #[test]
    fn admins_and_owners_stay_moderators_while_they_are_there() {
        for whose in [Affiliation::Admin, Affiliation::Owner] {
            for to in [Visitor, Participant] {
                let granted = may_give_role((Moderator, Affiliation::Owner), (Moderator, whose), to);
                assert_eq!(granted, Err(Denied::NotAllowed));
            }
            let by_moderator = may_give_role((Moderator, Affiliation::None), (Moderator, whose), Visitor);
            assert_eq!(by_moderator, Err(Denied::NotAllowed), "voice is not taken from them by anybody (section 8.4)");
        }
    }

    #[test]
    fn an_affiliation_brings_its_role_and_takes_it_with_it() {
        let moderated = Config::default().with(&MODERATED, "1");
        let after = |role, from, to| role_after(&moderated, role, from, to);
        assert_eq!(after(Visitor, Affiliation::None, Affiliation::Member), Participant);
        assert_eq!(after(Participant, Affiliation::None, Affiliation::Admin), Moderator);
        assert_eq!(after(Moderator, Affiliation::Owner, Affiliation::None), Visitor);
        assert_eq!(after(Moderator, Affiliation::Admin, Affiliation::Member), Participant);
        assert_eq!(after(Moderator, Affiliation::Admin, Affiliation::Owner), Moderator);
        assert_eq!(after(Moderator, Affiliation::None, Affiliation::Member), Moderator);
        assert_eq!(after(Participant, Affiliation::Member, Affiliation::None), Participant);
        assert_eq!(after(Participant, Affiliation::Member, Affiliation::Outcast), Role::None);
    }
}
