//! What presence needs to know of a roster, in memory for every account that is online: who sees whom, by address.
//! Filled when an account asks for its roster or becomes available, kept in step by the effects of changes, gone with the last session.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_model::{Contact, Listed, RosterSize, RosterVersion};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::subscription::Subscription;

/// The contacts of one account, sorted by address.
#[derive(Debug, Clone, Default)]
pub struct Contacts {
    known: Vec<Known>,
    /// The version of the stored roster.
    pub version: RosterVersion,
    /// What [`crate::groups::Groups::fingerprint_of`] said when the groups were merged.
    pub groups: u64,
    /// The groups in which contacts are stored, by address; only kept for accounts with rules about groups (XEP-0016).
    stored_groups: Option<Box<StoredGroups>>,
}

type StoredGroups = BTreeMap<Jid, Vec<Box<str>>>;

/// One contact.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its address.
    pub jid: Jid,
    /// As it is stored.
    pub stored: Subscription,
    /// Whether clients see it in the roster, shared groups aside.
    pub listed: Listed,
    /// Whether a shared group makes it a contact that the account cannot change.
    pub fixed: Fixed,
    /// [`Contact::len_bytes`] of what is stored; 0 if nothing is.
    bytes: u32,
    /// The stanza with which it asks to see the account's presence.
    pub request: Option<Arc<Stanza>>,
}

/// Whether a contact comes from a shared group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fixed {
    /// Both see each other, whatever is stored.
    ByGroup,
    /// The account sees the contact, whatever is stored: the contact is in a group that everybody sees.
    ToGroup,
    /// The roster decides.
    No,
}

impl Known {
    /// Whether the account sees the contact's presence.
    pub fn sees(&self) -> bool {
        self.stored.to || self.fixed != Fixed::No
    }

    /// Whether the contact sees the account's presence.
    pub fn is_shown(&self) -> bool {
        self.stored.from || self.fixed == Fixed::ByGroup
    }
}

impl Contacts {
    /// From a stored roster, and those whom shared groups add.
    pub fn new(
        version: RosterVersion,
        stored: &[Contact],
        groups: u64,
        members: impl IntoIterator<Item = (Jid, Fixed)>,
    ) -> Contacts {
        let known = stored.iter().map(|contact| Known {
            jid: contact.jid.clone(),
            stored: contact.subscription,
            listed: contact.listed,
            fixed: Fixed::No,
            bytes: contact.len_bytes() as u32,
            request: contact.request.clone(),
        });
        let mut contacts = Contacts { known: known.collect(), version, groups, stored_groups: None };
        contacts.known.sort_unstable_by(|a, b| a.jid.as_str().cmp(b.jid.as_str()));
        for (jid, fixed) in members {
            contacts.entry(&jid).fixed = fixed;
        }
        contacts.known.shrink_to_fit();
        contacts
    }

    /// Keeps the groups of these rows as well, and of rows that change from here on.
    #[must_use]
    pub fn with_groups(mut self, stored: &[Contact]) -> Contacts {
        let in_groups = stored.iter().filter(|contact| !contact.groups.is_empty());
        let groups = in_groups.map(|contact| (contact.jid.clone(), contact.groups.clone()));
        self.stored_groups = Some(Box::new(groups.collect()));
        self
    }

    /// Whether groups are kept.
    pub fn keeps_groups(&self) -> bool {
        self.stored_groups.is_some()
    }

    /// The groups in which this contact is stored; none where they are not kept.
    pub fn groups_of(&self, jid: &str) -> &[Box<str>] {
        self.stored_groups.as_ref().and_then(|groups| groups.get(jid)).map_or(&[], Vec::as_slice)
    }

    /// The contact with this address.
    pub fn get(&self, jid: &str) -> Option<&Known> {
        self.at(jid).ok().map(|at| &self.known[at])
    }

    /// All of them, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether there is nothing in it that tells it from any other empty roster.
    pub fn is_nothing(&self) -> bool {
        self.known.is_empty() && self.version == RosterVersion::default() && self.groups == 0 && !self.keeps_groups()
    }

    /// Those behind this address in their order; all of them without one.
    pub fn behind(&self, address: Option<&Jid>) -> impl Iterator<Item = &Known> {
        let from = address.map_or(0, |address| self.at(address.as_str()).map_or_else(|at| at, |at| at + 1));
        self.known[from..].iter()
    }

    /// How many rows are stored, and about how many bytes they take.
    pub fn stored(&self) -> (RosterSize, usize) {
        let mut size = RosterSize::default();
        for known in &self.known {
            match known.listed {
                Listed::Yes => size.listed += 1,
                Listed::No if known.stored.pending_in => size.waiting += 1,
                Listed::No => {}
            }
        }
        (size, self.known.iter().map(|known| known.bytes as usize).sum())
    }

    /// Takes over a row that has changed.
    pub fn changed(&mut self, contact: &Contact) {
        self.version.current = self.version.current.max(contact.version);
        if let Some(groups) = &mut self.stored_groups {
            match contact.groups.is_empty() {
                true => groups.remove(&contact.jid),
                false => groups.insert(contact.jid.clone(), contact.groups.clone()),
            };
        }
        let known = self.entry(&contact.jid);
        let was_listed = std::mem::replace(&mut known.listed, contact.listed);
        known.stored = contact.subscription;
        known.bytes = if contact.is_nothing() { 0 } else { contact.len_bytes() as u32 };
        known.request.clone_from(&contact.request);
        if (was_listed, contact.listed) == (Listed::Yes, Listed::No) {
            self.version.removed = self.version.removed.max(contact.version);
        }
        if contact.is_nothing()
            && let Ok(at) = self.at(contact.jid.as_str())
            && self.known[at].fixed == Fixed::No
        {
            self.known.remove(at);
        }
    }

    fn entry(&mut self, jid: &Jid) -> &mut Known {
        let at = self.at(jid.as_str()).unwrap_or_else(|at| {
            let (stored, listed) = (Subscription::NONE, Listed::No);
            self.known
                .insert(at, Known { jid: jid.clone(), stored, listed, fixed: Fixed::No, bytes: 0, request: None });
            at
        });
        &mut self.known[at]
    }

    fn at(&self, jid: &str) -> Result<usize, usize> {
        self.known.binary_search_by(|known| known.jid.as_str().cmp(jid))
    }

    /// Bytes on the heap.
    pub fn memory_usage(&self) -> usize {
        let texts: usize = self.known.iter().map(|known| known.jid.as_str().len() + 16).sum();
        let requests = self.known.iter().filter_map(|known| known.request.as_ref());
        let requests: usize = requests.map(|request| request.content.len_bytes() + size_of::<Stanza>()).sum();
        let groups = self.stored_groups.iter().flat_map(|groups| groups.values().flatten());
        let groups: usize = groups.map(|group| group.len() + 2 * size_of::<Box<str>>()).sum();
        texts + requests + groups + self.known.capacity() * size_of::<Known>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn contact(text: &str, subscription: Subscription, version: u64) -> Contact {
        Contact { subscription, listed: Listed::Yes, version, ..Contact::unknown(jid(text)) }
    }

    const TO: Subscription = Subscription { to: true, ..Subscription::NONE };
    const FROM: Subscription = Subscription { from: true, ..Subscription::NONE };

    #[test]
    fn rows_and_groups_are_found_by_address() {
        let rows = [contact("carol@localhost", TO, 1), contact("bob@localhost", FROM, 2)];
        let version = RosterVersion { current: 2, removed: 0 };
        let by_group = [jid("carol@localhost"), jid("alice@localhost")].map(|jid| (jid, Fixed::ByGroup));
        let members = by_group.into_iter().chain([(jid("desk@localhost"), Fixed::ToGroup)]);
        let contacts = Contacts::new(version, &rows, 7, members);
        let known = |text: &str| contacts.get(text).map(|known| (known.sees(), known.is_shown()));
        assert_eq!(known("bob@localhost"), Some((false, true)));
        assert_eq!(known("carol@localhost"), Some((true, true)));
        assert_eq!(known("alice@localhost"), Some((true, true)));
        assert_eq!(known("desk@localhost"), Some((true, false)));
        assert_eq!(known("dave@localhost"), None);
        let order: Vec<_> = contacts.iter().map(|known| known.jid.to_string()).collect();
        assert_eq!(order, ["alice@localhost", "bob@localhost", "carol@localhost", "desk@localhost"]);
        assert!(contacts.memory_usage() > 0);
    }

    #[test]
    fn groups_are_kept_where_rules_ask_for_them() {
        let in_group = |name: &str, groups: &[&str]| Contact {
            groups: groups.iter().map(|group| Box::from(*group)).collect(),
            ..contact(name, TO, 1)
        };
        let rows = [in_group("bob@localhost", &["Work"]), in_group("carol@localhost", &[])];
        let mut contacts = Contacts::new(RosterVersion::default(), &rows, 0, []);
        assert!(!contacts.keeps_groups() && contacts.groups_of("bob@localhost").is_empty());
        contacts = contacts.with_groups(&rows);
        assert!(contacts.keeps_groups());
        assert_eq!(contacts.groups_of("bob@localhost"), ["Work".into()]);
        contacts.changed(&in_group("carol@localhost", &["Friends", "Work"]));
        contacts.changed(&in_group("bob@localhost", &[]));
        assert_eq!(contacts.groups_of("carol@localhost").len(), 2);
        assert!(contacts.groups_of("bob@localhost").is_empty());
    }

    #[test]
    fn a_change_is_taken_over_with_its_version() {
        let mut contacts = Contacts::new(RosterVersion::default(), &[], 0, [(jid("alice@localhost"), Fixed::ByGroup)]);
        contacts.changed(&contact("bob@localhost", TO, 5));
        assert!(contacts.get("bob@localhost").is_some_and(Known::sees));
        let asked = Subscription { pending_in: true, ..Subscription::NONE };
        contacts.changed(&contact("alice@localhost", asked, 6));
        assert_eq!(contacts.stored().0, RosterSize { listed: 2, waiting: 0 });
        contacts.changed(&Contact { version: 7, ..Contact::unknown(jid("alice@localhost")) });
        contacts.changed(&Contact { version: 8, ..Contact::unknown(jid("bob@localhost")) });
        assert!(contacts.get("bob@localhost").is_none());
        assert_eq!(contacts.stored(), (RosterSize::default(), 0));
        assert_eq!(contacts.behind(Some(&jid("alice@localhost"))).count(), 0);
        assert_eq!(contacts.behind(Some(&jid("aaron@localhost"))).count(), 1);
        assert!(contacts.get("alice@localhost").is_some(), "its group stays");
        assert_eq!(contacts.version, RosterVersion { current: 8, removed: 8 });
    }
}
