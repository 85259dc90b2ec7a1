//! XEP-0499: what belongs to a node, in one list: its items, the nodes that go with it (XEP-0470) and those that stand in it (XEP-0248), layer
//! by layer. Of each node only to those who may know of it, and its items to those who may read them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, NodeKind};
use metronome_proto::payload::disco::{Item, Items};
use metronome_proto::payload::pubsub::{Kinds, Listing, Relatives};
use metronome_proto::payload::rsm::{Given, Wanted};
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Tree;
use metronome_pubsub::config::Config;
use metronome_pubsub::{Node, Verb, attachments};

use super::discovery::{self, PAGE_MAX};
use super::place::Place;
use super::{nodes, reads};

/// Most that is listed, over all pages.
const LISTED_MAX: usize = 1000;

/// Most nodes that are looked at for it: those that somebody may not know of cost as much as those they may.
const LOOKED_AT_MAX: usize = 5000;

/// How a node was found.
pub(super) enum Found {
    /// It goes with another one.
    LinkedTo(Box<str>),
    /// It stands in another one.
    ChildOf(Box<str>),
}

/// The list, and what it still looks at.
struct List<'a> {
    server: &'a Arc<Server>,
    env: &'a Envelope,
    place: &'a Place,
    owner: AccountId,
    wants: Relatives,
    listing: &'a Listing,
    found: Vec<Tree>,
    seen: HashSet<Box<str>>,
    /// With how many layers below each.
    next: VecDeque<(Arc<Node>, u32)>,
}

/// What belongs to a node, as far as whoever asks may know of it.
pub(super) async fn of(
    server: &Arc<Server>,
    env: &Envelope,
    place: &Place,
    node: Arc<Node>,
    listing: &Listing,
    wants: Relatives,
) -> Result<Tree, Refuse> {
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    let name = node.name.clone();
    let (seen, next) = (HashSet::from([name.clone()]), VecDeque::from([(node, wants.depth)]));
    let mut list = List { server, env, place, owner, wants, listing, found: Vec::new(), seen, next };
    while let Some((node, depth)) = list.next.pop_front().filter(|_| list.found.len() < LISTED_MAX) {
        list.look_at(&node, depth).await?;
    }
    list.found.truncate(LISTED_MAX);
    let (page, given) = page(list.found, &listing.set)?;
    let query = Items { node: Some(name.into()), items: Vec::new() }.tree().children(page);
    Ok(query.children(given.map(|given| given.tree())))
}

impl List<'_> {
    async fn look_at(&mut self, node: &Arc<Node>, depth: u32) -> Result<(), Refuse> {
        if self.wants.kinds != Kinds::Nodes {
            self.items_of(node).await?;
        }
        if self.wants.linked {
            let summary = attachments::summary_name(&node.name).into();
            let with = attachments::beginning(&node.name, &self.place.address);
            let mut names = reads::beginning(self.server, Some(self.owner), &with, LISTED_MAX).await?;
            names.insert(0, summary);
            for name in names {
                self.add(&name, Found::LinkedTo(node.name.clone()), 0).await?;
            }
        }
        if node.kind == NodeKind::Collection && depth > 0 {
            for name in reads::children(self.server, Some(self.owner), &node.name, LISTED_MAX).await? {
                self.add(&name, Found::ChildOf(node.name.clone()), depth - 1).await?;
            }
        }
        Ok(())
    }

    async fn add(&mut self, name: &str, found: Found, depth: u32) -> Result<(), Refuse> {
        let is_full = self.found.len() >= LISTED_MAX || self.seen.len() >= LOOKED_AT_MAX;
        if is_full || !self.seen.insert(name.into()) {
            return Ok(());
        }
        let Some(node) = nodes::node(self.server, self.owner, name).await? else { return Ok(()) };
        if !discovery::may(self.server, self.env, self.place, &node, Verb::Discover).await? {
            return Ok(());
        }
        let is_wanted = self.listing.filter.as_ref().is_none_or(|filter| filter.admits(&node.config.r#type));
        if self.wants.kinds != Kinds::Items && is_wanted {
            let entry = discovery::item(&self.place.address, &node).tree();
            self.found.push(entry.child(form(self.server, self.place, &node, Some(found), self.wants).await?));
        }
        self.next.push_back((node, depth));
        Ok(())
    }

    async fn items_of(&mut self, node: &Node) -> Result<(), Refuse> {
        if node.kind == NodeKind::Collection {
            return Ok(());
        }
        let may_read = discovery::may(self.server, self.env, self.place, node, Verb::Read).await?;
        let ids = if may_read { discovery::ids(self.server, self.owner, &node.name).await? } else { Vec::new() };
        let jid = &self.place.address;
        let entry = |id| Item { jid: jid.clone(), node: Some(node.name.to_string()), name: Some(id) }.tree();
        self.found.extend(ids.into_iter().map(entry));
        Ok(())
    }
}

/// What is told of a node: how it belongs to the other one, or everything.
pub(super) async fn form(
    server: &Server,
    place: &Place,
    node: &Node,
    found: Option<Found>,
    wants: Relatives,
) -> Result<Tree, Refuse> {
    let shown = discovery::shown(server, place, node).await?;
    let config = match found {
        Some(Found::LinkedTo(name)) => Config { link: Some(name), ..shown },
        Some(Found::ChildOf(name)) => Config { parent: Some(name), ..shown },
        // Among all nodes of a service it goes with whatever it goes with.
        None => Config { link: attachments::guard(&node.name).map(|name| Box::from(&*name)), ..shown },
    };
    let form = discovery::described(node, &config, |told| match wants.full_metadata {
        true => told.form(),
        false => told.relations(),
    });
    Ok(form.tree())
}

/// The page that is asked for (XEP-0059): an entry's id is its place in the list.
fn page(all: Vec<Tree>, set: &Wanted) -> Result<(Vec<Tree>, Option<Given>), Refuse> {
    let place = |text: &String| text.parse::<usize>().map_err(|_| Refuse::from(Condition::ItemNotFound));
    let count = all.len();
    let start = match (&set.after, set.index) {
        (Some(after), _) => place(after)?.saturating_add(1),
        (None, index) => usize::try_from(index.unwrap_or(0)).unwrap_or(usize::MAX),
    };
    let most = set.max.unwrap_or(PAGE_MAX as u64).min(PAGE_MAX as u64) as usize;
    let (start, end) = match set.before.as_deref() {
        None => (start.min(count), start.saturating_add(most).min(count)),
        Some(before) => {
            let end = if before.is_empty() { count } else { place(&before.to_owned())?.min(count) };
            (end.saturating_sub(most).max(start.min(end)), end)
        }
    };
    let ends = (start < end).then(|| (start.to_string(), (end - 1).to_string()));
    let is_part = end - start < count || *set != Wanted::default();
    let given = Given { ends, index: Some(start as u64), count: Some(count as u64) };
    let rows = all.into_iter().skip(start).take(end - start).collect();
    Ok((rows, is_part.then_some(given)))
}

#[cfg(test)]
mod tests {
    use metronome_proto::ns;

    use super::*;

    #[test]
    fn pages_are_places_in_the_list() {
        let all = || (0..250).map(|number| Tree::new(ns::DISCO_ITEMS, "item").attr("n", number.to_string())).collect();
        let of = |set: Wanted| {
            let (rows, given) = page(all(), &set).unwrap();
            let ends = given.and_then(|given| given.ends).unwrap_or_default();
            (rows.len(), ends.0, ends.1)
        };
        let ends = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        let with = |len, (first, last): (String, String)| (len, first, last);
        assert_eq!(of(Wanted::default()), with(100, ends("0", "99")));
        let after = |after: &str| Wanted { after: Some(after.into()), max: Some(500), ..Wanted::default() };
        assert_eq!(of(after("199")), with(50, ends("200", "249")));
        assert_eq!(of(after("900")), with(0, ends("", "")));
        let before = |before: &str| Wanted { before: Some(before.into()), max: Some(10), ..Wanted::default() };
        assert_eq!(of(before("")), with(10, ends("240", "249")));
        assert_eq!(of(before("5")), with(5, ends("0", "4")));
        assert!(page(all(), &after("x")).is_err());
        assert_eq!(page(Vec::new(), &Wanted::default()).unwrap(), (Vec::new(), None));
    }
}
