//! Who may give whom which affiliation (sections 5.2.1 and 5.2.2): the tables of XEP-0045, with the error of each refusal.

use metronome_proto::payload::muc::Affiliation;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// Those who ask may not do this at all.
    Forbidden,
    /// They may, but not to these (sections 8.2, 8.4, 9.1 and 9.7).
    NotAllowed,
}

impl From<Denied> for StanzaError {
    fn from(denied: Denied) -> StanzaError {
        match denied {
            Denied::Forbidden => StanzaError::new(Condition::Forbidden),
            Denied::NotAllowed => StanzaError::new(Condition::NotAllowed).with_type(ErrorType::Cancel),
        }
    }
}

/// Whether somebody who is `actor` may make somebody who is `from` into `to`. Whether the room keeps an owner, and whether they do it to
/// themselves, is seen to by the caller.
pub fn may_affiliate(actor: Affiliation, from: Affiliation, to: Affiliation) -> Result<(), Denied> {
    use Affiliation::{Admin, Member, Outcast, Owner};
    match actor {
        Owner => Ok(()),
        Admin if from <= Member && to <= Member => Ok(()),
        Admin if to == Outcast => Err(Denied::NotAllowed),
        _ => Err(Denied::Forbidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Affiliation::{Admin, Member, None, Outcast, Owner};

    /// Section 5.2.2, row by row: who at least has to act for each transition.
    #[test]
    fn affiliations_change_as_the_table_says() {
        let columns = [Outcast, None, Member, Admin, Owner];
        let table = [
            (Outcast, [Admin, Admin, Admin, Owner, Owner]),
            (None, [Admin, Admin, Admin, Owner, Owner]),
            (Member, [Admin, Admin, Admin, Owner, Owner]),
            (Admin, [Owner, Owner, Owner, Owner, Owner]),
            (Owner, [Owner, Owner, Owner, Owner, Owner]),
        ];
        for (from, least) in table {
            for (to, least) in columns.into_iter().zip(least) {
                for actor in columns {
                    let is_granted = may_affiliate(actor, from, to).is_ok();
                    assert_eq!(is_granted, actor >= least, "{actor:?} makes {from:?} {to:?}");
                }
            }
        }
    }

    #[test]
    fn a_ban_of_somebody_higher_is_not_allowed_and_the_rest_is_forbidden() {
        assert_eq!(may_affiliate(Admin, Owner, Outcast), Err(Denied::NotAllowed));
        assert_eq!(may_affiliate(Admin, Admin, Outcast), Err(Denied::NotAllowed));
        assert_eq!(may_affiliate(Admin, Admin, Member), Err(Denied::Forbidden));
        assert_eq!(may_affiliate(Admin, None, Admin), Err(Denied::Forbidden));
        assert_eq!(may_affiliate(Member, None, Outcast), Err(Denied::Forbidden));
    }
}
