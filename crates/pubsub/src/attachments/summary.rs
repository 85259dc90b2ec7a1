//! How much is attached to an item (XEP-0470 section 4.6): counted on with each change, never anew.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use metronome_proto::ns;
use metronome_proto::xml::{Content, Tree};

use super::attached::Attached;

/// Most different reactions to one item.
pub(crate) const REACTIONS_MAX: usize = 500;

/// The counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many have noticed it.
    pub noticed: u64,
    /// How many have said this of it.
    pub reactions: BTreeMap<Box<str>, u64>,
}

impl Summary {
    /// As it was stored by [`Summary::to_vec`].
    pub(crate) fn read(payload: &[u8]) -> Summary {
        let mut summary = Summary::default();
        let Ok(content) = Content::parse(payload) else { return summary };
        let Some(tree) = content.child(ns::PUBSUB_ATTACHMENTS_SUMMARY, "summary") else { return summary };
        for child in tree.children() {
            if child.is(ns::PUBSUB_ATTACHMENTS_SUMMARY, "noticed") {
                summary.noticed = count(child.attr("count").as_deref());
            } else if child.is(ns::PUBSUB_ATTACHMENTS_SUMMARY, "reactions") {
                for reaction in child.children() {
                    summary.reactions.insert(Box::from(&*reaction.text()), count(reaction.attr("count").as_deref()));
                }
            }
        }
        summary
    }

    /// The element; empty if nothing is attached. A count of one is not written (section 4.8.2), the most frequent reactions come first.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let ns = ns::PUBSUB_ATTACHMENTS_SUMMARY;
        let noticed = (self.noticed > 0).then(|| Tree::new(ns, "noticed").attr("count", self.noticed.to_string()));
        let mut reactions: Vec<_> = self.reactions.iter().collect();
        reactions.sort_by_key(|(_, count)| Reverse(**count));
        let reaction = |text: &str, count: u64| {
            let count = (count > 1).then(|| count.to_string());
            Tree::new(ns, "reaction").attr_opt("count", count).text(text)
        };
        let all = (!reactions.is_empty()).then(|| {
            Tree::new(ns, "reactions").children(reactions.iter().map(|(text, count)| reaction(text, **count)))
        });
        Tree::new(ns, "summary").children(noticed).children(all).to_vec("")
    }

    /// Somebody has attached this.
    pub(crate) fn add(&mut self, attached: &Attached) {
        self.noticed += u64::from(attached.is_noticed);
        for reaction in &attached.reactions {
            *self.reactions.entry(reaction.clone()).or_default() += 1;
        }
    }

    /// It is attached no longer.
    pub(crate) fn take(&mut self, attached: &Attached) {
        self.noticed = self.noticed.saturating_sub(u64::from(attached.is_noticed));
        for reaction in &attached.reactions {
            if let Some(count) = self.reactions.get_mut(reaction) {
                *count = count.saturating_sub(1);
            }
        }
        self.reactions.retain(|_, count| *count > 0);
    }
}

fn count(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached(noticed: bool, reactions: &[&str]) -> Attached {
        Attached { is_noticed: noticed, reactions: reactions.iter().map(|text| Box::from(*text)).collect() }
    }

    #[test]
    fn what_is_counted_is_written_and_read_back() {
        let mut summary = Summary::default();
        assert_eq!(summary.to_vec(), b"<summary xmlns='urn:xmpp:pubsub-attachments:summary:1'/>");
        let (one, other) = (attached(true, &["\u{1F477}", "<b>"]), attached(true, &["\u{1F477}"]));
        summary.add(&one);
        summary.add(&other);
        let written = String::from_utf8(summary.to_vec()).unwrap();
        let expected = "<noticed count='2'/><reactions><reaction count='2'>\u{1F477}</reaction><reaction>&lt;b></reaction></reactions>";
        assert!(written.replace("&gt;", ">").contains(expected), "{written}");
        assert_eq!(Summary::read(written.as_bytes()), summary);
        summary.take(&one);
        assert_eq!((summary.noticed, summary.reactions.len()), (1, 1));
        summary.take(&other);
        summary.take(&other);
        assert_eq!(summary, Summary::default());
    }
}
