//! Rows of an account's roster (RFC 6121 section 2): one for each contact, also for one that has only asked for a subscription.

use std::sync::Arc;

use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::subscription::Subscription;

/// One contact of one account, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its address, most often a bare JID; unique within the roster.
    pub jid: Jid,
    /// What the account's owner calls it (section 2.1.2.4).
    pub name: Option<Box<str>>,
    /// The groups it is shown in (section 2.1.2.6), sorted, none twice.
    pub groups: Vec<Box<str>>,
    /// How the two stand to each other.
    pub subscription: Subscription,
    /// Whether clients see it in the roster. Not for one that has only asked, or was only approved in advance without being added.
    pub listed: Listed,
    /// The stanza with which it asked, kept while the request is pending and handed to every session that becomes available
    /// (section 3.1.3).
    pub request: Option<Arc<Stanza>>,
    /// The version of the roster with this change (section 2.6).
    pub version: u64,
}

/// Whether a contact is an item of the roster that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// Clients see it.
    Yes,
    /// The row only keeps the state of its subscription.
    No,
}

impl Contact {
    /// A contact that is not in the roster yet.
    pub fn unknown(jid: Jid) -> Contact {
        Contact {
            jid,
            name: None,
            groups: Vec::new(),
            subscription: Subscription::NONE,
            listed: Listed::No,
            request: None,
            version: 0,
        }
    }

    /// About how many bytes it takes as an item of a roster.
    pub fn len_bytes(&self) -> usize {
        const ITEM: usize = 64;
        const GROUP: usize = 16;
        let groups: usize = self.groups.iter().map(|group| group.len() + GROUP).sum();
        ITEM + self.jid.as_str().len() + self.name.as_ref().map_or(0, |name| name.len()) + groups
    }

    /// Whether there is nothing to keep of it: storing such a contact removes its row.
    pub fn is_nothing(&self) -> bool {
        self.listed == Listed::No && self.subscription == Subscription::NONE
    }
}

/// The versions of a roster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RosterVersion {
    /// The version of the last change; 0 before the first.
    pub current: u64,
    /// The version of the last change that took a listed row out of the roster. Whoever knows this version or a later one can be told
    /// what has changed by the rows that are there.
    pub removed: u64,
}

/// How many rows a roster has. Each row counts in one of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RosterSize {
    /// Rows that clients see.
    pub listed: u64,
    /// Rows that are not listed: they only keep a request that waits, made by others without the owner's doing.
    pub waiting: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_without_state_and_not_listed_is_nothing() {
        let mut contact = Contact::unknown(Jid::parse("bob@localhost").unwrap());
        assert!(contact.is_nothing());
        contact.subscription.pending_in = true;
        assert!(!contact.is_nothing());
        contact.subscription.pending_in = false;
        contact.listed = Listed::Yes;
        assert!(!contact.is_nothing());
    }
}
