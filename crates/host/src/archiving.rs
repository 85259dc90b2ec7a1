//! What an account wants archived (XEP-0441), as admission asks for it at every message. A value, read from the account's documents;
//! `features::mam` answers requests about it.

use std::sync::{Arc, LazyLock};

use metronome_model::{Document, Drawer};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::mam::{DefaultRule, Preferences};
use metronome_proto::xml::Content;

/// The name of the document.
pub const NAME: &str = "prefs";

/// The preferences of an account that has said nothing.
static NONE: LazyLock<Arc<Archiving>> = LazyLock::new(Arc::default);

/// What an account wants archived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archiving {
    /// What it has said; nothing while the host decides.
    pub preferences: Option<Preferences>,
}

/// Whether messages with an address are archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are.
    Archived,
    /// They are not.
    NotArchived,
    /// They are if the address is in the roster.
    IfInRoster,
}

impl Archiving {
    /// Reads it from an account's documents, passing over those of other drawers. A damaged one says nothing.
    pub fn from_documents(documents: &[Document]) -> Arc<Archiving> {
        let is_it = |document: &&Document| document.drawer == Drawer::Archiving && *document.name == *NAME;
        let Some(document) = documents.iter().find(is_it) else { return NONE.clone() };
        let content = Content::parse(&document.xml).ok();
        let preferences = content.and_then(|content| Preferences::read(&content.child(ns::MAM, NAME)?).ok());
        if preferences.is_none() {
            tracing::error!("stored preferences of an archive are damaged");
        }
        Arc::new(Archiving { preferences })
    }

    /// What holds for messages with this address; `default` is the host's, for accounts that have said nothing.
    ///
    /// An entry with a resource is for that address alone and wins over one without; of two that say the opposite, the one that
    /// archives nothing.
    pub fn verdict(&self, peer: &Jid, default: DefaultRule) -> Verdict {
        let Some(preferences) = &self.preferences else { return Verdict::of(default) };
        let lists = |address: &str| {
            let is_in = |list: &[Jid]| list.binary_search_by(|entry| entry.as_str().cmp(address)).is_ok();
            match (is_in(&preferences.never), is_in(&preferences.always)) {
                (true, _) => Some(Verdict::NotArchived),
                (false, true) => Some(Verdict::Archived),
                (false, false) => None,
            }
        };
        let listed = lists(peer.as_str()).or_else(|| lists(peer.bare_str()));
        listed.unwrap_or_else(|| Verdict::of(preferences.default))
    }

    /// Bytes on the heap that are not shared with other accounts.
    pub fn memory_usage(&self) -> usize {
        let Some(preferences) = &self.preferences else { return 0 };
        let entries = preferences.always.iter().chain(&preferences.never);
        size_of::<Archiving>() + entries.map(|jid| jid.as_str().len() + size_of::<Jid>() + 32).sum::<usize>()
    }
}

impl Verdict {
    /// What a default means.
    pub fn of(rule: DefaultRule) -> Verdict {
        match rule {
            DefaultRule::Always => Verdict::Archived,
            DefaultRule::Never => Verdict::NotArchived,
            DefaultRule::Roster => Verdict::IfInRoster,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archiving(xml: &str) -> Arc<Archiving> {
        let xml = xml.as_bytes().into();
        Archiving::from_documents(&[Document { drawer: Drawer::Archiving, ns: ns::MAM.into(), name: NAME.into(), xml }])
    }

    #[test]
    fn lists_win_over_the_default_and_resources_over_lists_of_bare_addresses() {
        let prefs = archiving(
            "<prefs xmlns='urn:xmpp:mam:2' default='roster'>\
             <always><jid>z@x</jid><jid>a@x</jid><jid>b@x/phone</jid><jid>c@x</jid></always>\
             <never><jid>b@x</jid><jid>c@x</jid></never></prefs>",
        );
        let verdict = |jid: &str| prefs.verdict(&Jid::parse(jid).unwrap(), DefaultRule::Never);
        assert_eq!(verdict("a@x"), Verdict::Archived);
        assert_eq!(verdict("a@x/any"), Verdict::Archived);
        assert_eq!(verdict("z@x/any"), Verdict::Archived);
        assert_eq!(verdict("b@x"), Verdict::NotArchived);
        assert_eq!(verdict("b@x/desk"), Verdict::NotArchived);
        assert_eq!(verdict("b@x/phone"), Verdict::Archived);
        assert_eq!(verdict("c@x"), Verdict::NotArchived, "what may not be archived is not");
        assert_eq!(verdict("d@x"), Verdict::IfInRoster);
        assert!(prefs.memory_usage() > 100);
    }

    #[test]
    fn the_host_decides_for_those_who_have_said_nothing() {
        let peer = Jid::parse("a@x").unwrap();
        let table = [
            (DefaultRule::Always, Verdict::Archived),
            (DefaultRule::Never, Verdict::NotArchived),
            (DefaultRule::Roster, Verdict::IfInRoster),
        ];
        for (default, verdict) in table {
            assert_eq!(Archiving::from_documents(&[]).verdict(&peer, default), verdict);
            assert_eq!(archiving("<prefs xmlns='urn:xmpp:mam:2'/>").verdict(&peer, default), verdict, "a damaged one");
        }
        assert_eq!(Archiving::from_documents(&[]).memory_usage(), 0);
    }
}
