//! Which rows of the outbox are a component's, and up to which of them each pair of domains is done with: the store removes rows from the
//! lowest number on, while they are proved in any order.

use std::collections::{BTreeSet, HashMap};

use metronome_proto::stanza::Stanza;

/// Rows that a component is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The domain they are from.
    pub local: Box<str>,
    /// The domain they are for.
    pub remote: Box<str>,
    /// All of this pair up to this number.
    pub to: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Kept(HashMap<(Box<str>, Box<str>), Pair>);

#[derive(Debug)]
struct Pair {
    /// Those that are not done.
    open: BTreeSet<u64>,
    newest: u64,
    removed_to: u64,
}

impl Pair {
    fn done_to(&self) -> u64 {
        self.open.first().map_or(self.newest, |first| first - 1)
    }
}

fn pair_of(stanza: &Stanza) -> (Box<str>, Box<str>) {
    let to = stanza.to.as_ref().map(|to| to.domain()).unwrap_or_default();
    (stanza.from.domain().into(), to.into())
}

impl Kept {
    /// One more row; numbers of a pair come in their order.
    pub(super) fn add(&mut self, row: u64, stanza: &Stanza) {
        // Lower numbers are nobody's here.
        let new = || Pair { open: BTreeSet::new(), newest: row, removed_to: row.saturating_sub(1) };
        let pair = self.0.entry(pair_of(stanza)).or_insert_with(new);
        pair.open.insert(row);
        pair.newest = pair.newest.max(row);
    }

    /// The component has it, or its sender has it back.
    pub(super) fn done(&mut self, row: u64, stanza: &Stanza) {
        if let Some(pair) = self.0.get_mut(&pair_of(stanza)) {
            pair.open.remove(&row);
        }
    }

    /// What can be removed from the store and is not being removed yet; a pair of which nothing is left is forgotten with it. Of pairs
    /// that `may` refuses nothing is taken.
    pub(super) fn take_done(&mut self, mut may: impl FnMut(&str, &str) -> bool) -> Vec<Done> {
        let mut all = Vec::new();
        self.0.retain(|(local, remote), pair| {
            let to = pair.done_to();
            if to > pair.removed_to && may(local, remote) {
                pair.removed_to = to;
                all.push(Done { local: local.clone(), remote: remote.clone(), to });
            }
            !(pair.open.is_empty() && pair.removed_to == pair.newest)
        });
        all
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use metronome_proto::jid::Jid;
    use metronome_proto::stanza::Kind;
    use metronome_proto::stanza::message::MessageType;

    use super::*;

    fn stanza(from: &str) -> Stanza {
        let to = Jid::parse("x@gw.example").unwrap();
        Stanza::new(Kind::Message(MessageType::Chat), Jid::parse(from).unwrap()).with_to(to)
    }

    fn taken(kept: &mut Kept) -> Vec<(String, u64)> {
        let mut done: Vec<_> =
            kept.take_done(|_, _| true).into_iter().map(|done| (done.local.into(), done.to)).collect();
        done.sort();
        done
    }

    #[test]
    fn rows_are_removed_up_to_the_first_that_is_not_proved() {
        let (mut kept, stanza) = (Kept::default(), stanza("a@b.example"));
        (4..8).for_each(|row| kept.add(row, &stanza));
        kept.done(6, &stanza);
        kept.done(5, &stanza);
        assert_eq!(taken(&mut kept), []);
        kept.done(4, &stanza);
        assert_eq!(taken(&mut kept), [("b.example".to_owned(), 6)]);
        assert_eq!(taken(&mut kept), []);
        kept.done(7, &stanza);
        assert_eq!(taken(&mut kept), [("b.example".to_owned(), 7)]);
        assert!(kept.is_empty());
    }

    #[test]
    fn pairs_do_not_wait_for_each_other() {
        let (mut kept, one, two) = (Kept::default(), stanza("a@b.example"), stanza("a@c.example"));
        kept.add(1, &one);
        kept.add(2, &two);
        kept.done(2, &two);
        assert_eq!(taken(&mut kept), [("c.example".to_owned(), 2)]);
        kept.done(1, &one);
        assert_eq!(kept.take_done(|local, _| local != "b.example"), []);
        assert!(!kept.is_empty(), "it is removed later");
        assert_eq!(taken(&mut kept), [("b.example".to_owned(), 1)]);
    }
}
