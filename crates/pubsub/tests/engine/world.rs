//! Nodes without a server: a small store of nodes, asked in XML and answered in XML, so that tests show the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_model::{Affiliation, Item, NodeChange, NodeRow, NodesUsage, Subscription};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::pubsub::{By, OwnerRequest, PubsubError, Request};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;
use metronome_pubsub::{
    AccountRules, Audience, Creation, Decision, End, Facts, Found, Known, Need, Node, Nodes, Notification, Page, Rules,
    ServiceRules, Standing, Stop, Trust,
};

/// A node as a store keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) row: NodeRow,
    pub(crate) affiliations: BTreeMap<Jid, Affiliation>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// In the order of publication.
    pub(crate) items: Vec<Item>,
}

/// The nodes of one owner, and everybody around them.
pub(crate) struct World {
    pub(crate) rules: Box<dyn Rules>,
    pub(crate) address: Jid,
    pub(crate) nodes: BTreeMap<Box<str>, Stored>,
    /// Who sees the presence of the owners, and in which groups they stand.
    pub(crate) friends: BTreeMap<Jid, Vec<Box<str>>>,
    pub(crate) creation: Creation,
    /// Those whose addresses are not theirs for long.
    pub(crate) guests: Vec<Jid>,
    pub(crate) now_ms: u64,
    requests: u8,
}

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) reply: String,
    /// Address and content of each message.
    pub(crate) told: Vec<(String, String)>,
    pub(crate) notifications: Vec<Notification>,
    pub(crate) changes: Vec<(Box<str>, NodeChange)>,
}

impl Answer {
    /// What this address was told, all of it.
    pub(crate) fn to(&self, jid: &str) -> String {
        self.told.iter().filter(|(to, _)| to == jid).map(|(_, content)| content.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Who was told something.
    pub(crate) fn recipients(&self) -> Vec<&str> {
        self.told.iter().map(|(to, _)| to.as_str()).collect()
    }
}

pub(crate) fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

impl World {
    pub(crate) fn service(rules: ServiceRules) -> World {
        World::at("pubsub.example", Box::new(rules))
    }

    pub(crate) fn account(rules: AccountRules) -> World {
        World::at("juliet@example", Box::new(rules))
    }

    fn at(address: &str, rules: Box<dyn Rules>) -> World {
        World {
            rules,
            address: jid(address),
            nodes: BTreeMap::new(),
            friends: BTreeMap::new(),
            creation: Creation::Allowed,
            guests: Vec::new(),
            now_ms: 1_700_000_000_000,
            requests: 0,
        }
    }

    pub(crate) fn befriend(&mut self, who: &str, groups: &[&str]) {
        self.friends.insert(jid(who), groups.iter().map(|group| Box::from(*group)).collect());
    }

    /// Whether all nodes have one owner.
    pub(crate) fn is_account(&self) -> bool {
        self.rules.by_presence() == metronome_pubsub::ByPresence::Subscribes
    }

    /// Asks and makes what is decided come true.
    pub(crate) fn ask(&mut self, from: &str, kind: IqType, xml: &str) -> Result<Answer, PubsubError> {
        let content = Content::parse(xml.as_bytes()).unwrap();
        let pubsub = content.iter().next().unwrap();
        if pubsub.ns() == ns::PUBSUB_OWNER {
            let request = OwnerRequest::read(kind, &pubsub)?;
            self.run(from, |nodes| nodes.decide_owner(&request))
        } else {
            let request = Request::read(kind, &pubsub)?;
            self.run(from, |nodes| nodes.decide(&request))
        }
    }

    pub(crate) fn get(&mut self, from: &str, xml: &str) -> Result<Answer, PubsubError> {
        self.ask(from, IqType::Get, &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{xml}</pubsub>"))
    }

    pub(crate) fn set(&mut self, from: &str, xml: &str) -> Result<Answer, PubsubError> {
        self.ask(from, IqType::Set, &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{xml}</pubsub>"))
    }

    pub(crate) fn owner_get(&mut self, from: &str, xml: &str) -> Result<Answer, PubsubError> {
        self.ask(from, IqType::Get, &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{xml}</pubsub>"))
    }

    pub(crate) fn owner_set(&mut self, from: &str, xml: &str) -> Result<Answer, PubsubError> {
        self.ask(from, IqType::Set, &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{xml}</pubsub>"))
    }

    /// Decides anew as long as something has to be read, as a server does.
    pub(crate) fn run(
        &mut self,
        from: &str,
        decide: impl Fn(Nodes<'_>) -> Result<Decision, Stop>,
    ) -> Result<Answer, PubsubError> {
        self.requests = self.requests.wrapping_add(1);
        let (from, address) = (jid(from), self.address.clone());
        let facts = Facts {
            from: &from,
            address: &address,
            standing: match from.same_bare(&address) {
                true => Standing::Owner,
                false if self.guests.contains(&from.bare()) => Standing::Anonymous,
                false => Standing::Stranger,
            },
            creation: self.creation,
            now_ms: self.now_ms,
            random: [self.requests; 16],
        };
        let mut known = Known::default();
        for _ in 0..100 {
            match decide(Nodes { facts: &facts, known: &known, rules: &*self.rules }) {
                Err(Stop::Need(needs)) => {
                    assert!(!needs.is_empty(), "nothing is needed, and still there is no decision");
                    needs.into_iter().for_each(|need| self.answer(&mut known, need));
                }
                Err(Stop::Refuse(error)) => return Err(*error),
                Ok(decision) => return Ok(self.carry_out(decision)),
            }
        }
        panic!("it is never decided");
    }

    fn carry_out(&mut self, decision: Decision) -> Answer {
        for (name, change) in &decision.changes {
            self.apply(name, change);
        }
        let mut told = Vec::new();
        for notification in &decision.notifications {
            told.extend(self.deliver(notification));
        }
        Answer {
            reply: String::from_utf8(decision.reply).unwrap(),
            told,
            notifications: decision.notifications,
            changes: decision.changes,
        }
    }

    /// Address and content of each message.
    pub(crate) fn deliver(&self, notification: &Notification) -> Vec<(String, String)> {
        let mut told = Vec::new();
        let content = |tail: &[u8]| String::from_utf8([&notification.content, tail].concat()).unwrap();
        match &notification.to {
            Audience::These(jids) => told.extend(jids.iter().map(|jid| (jid.to_string(), content(b"")))),
            Audience::Subscribers(to) => to.for_each(
                self.now_ms,
                |_, who| self.trust(who),
                |recipient| told.push((recipient.jid.to_string(), content(&recipient.tail()))),
            ),
        }
        told.iter().for_each(|(_, content)| drop(Content::parse(content.as_bytes()).unwrap()));
        told
    }

    pub(crate) fn trust(&self, who: &Jid) -> Trust {
        match self.friends.get(&who.bare()) {
            Some(groups) => Trust { presence: true, groups: groups.clone() },
            None => Trust::NONE,
        }
    }

    pub(crate) fn node(&self, name: &str) -> Option<Node> {
        let stored = self.nodes.get(name)?;
        let affiliations = stored.affiliations.iter().map(|(jid, affiliation)| (jid.clone(), *affiliation)).collect();
        Some(Node::read(stored.row.clone(), affiliations, stored.subscriptions.clone()))
    }

    fn answer(&self, known: &mut Known, need: Need) {
        match need {
            Need::Node(name) => known.add_node(&name, self.node(&name).map(Arc::new)),
            Need::Trust { node, who } => {
                let trust = self.trust(&who);
                known.add_trust(&node, who, trust);
            }
            Need::Items { node, ids } => {
                let found = self.items(&node).into_iter().filter(|item| ids.contains(&item.id)).collect();
                known.add_items(&node, ids, found);
            }
            Need::Publishers { node, ids } => {
                let found = self.items(&node).into_iter().filter(|item| ids.contains(&item.id));
                let found = found.map(|item| (item.id, item.publisher)).collect();
                known.add_publishers(&node, ids, found);
            }
            Need::Page { node, page } => {
                let found = search(self.items(&node), &page);
                known.add_page(&node, page, found);
            }
            Need::Usage => known.add_usage(self.usage()),
            Need::Children { collection, limit } => {
                let stands = |stored: &&Stored| stored.row.collections.contains(&collection);
                let names = self.nodes.values().filter(stands).map(|stored| stored.row.name.clone()).take(limit);
                known.add_children(&collection, names.collect());
            }
            Need::Beginning { with, limit } => {
                let names = self.nodes.keys().filter(|name| name.starts_with(&*with)).take(limit).cloned();
                known.add_beginning(&with, names.collect());
            }
            Need::SubscriptionsOf(bare) => {
                let of = |stored: &Stored| {
                    let rows = stored.subscriptions.iter().filter(|row| row.jid.same_bare(&bare));
                    rows.map(|row| (stored.row.name.clone(), row.clone())).collect::<Vec<_>>()
                };
                let found = self.nodes.values().flat_map(of).collect();
                known.add_subscriptions(bare, found);
            }
            Need::AffiliationsOf(bare) => {
                let of = |stored: &Stored| Some((stored.row.name.clone(), *stored.affiliations.get(&bare)?));
                let found = self.nodes.values().filter_map(of).collect();
                known.add_affiliations(bare, found);
            }
        }
    }

    fn items(&self, node: &str) -> Vec<Item> {
        self.nodes.get(node).map(|stored| stored.items.clone()).unwrap_or_default()
    }

    fn usage(&self) -> NodesUsage {
        let items = || self.nodes.values().flat_map(|stored| &stored.items);
        let bytes = items().map(|item| item.len_bytes() as u64).sum();
        NodesUsage { nodes: self.nodes.len() as u64, items: items().count() as u64, bytes }
    }

    fn apply(&mut self, name: &str, change: &NodeChange) {
        if let NodeChange::Create { kind, config, collections, creator, at_ms } = change {
            let row = NodeRow {
                name: name.into(),
                kind: *kind,
                config: config.clone(),
                collections: collections.clone(),
                creator: creator.clone(),
                created_ms: *at_ms,
            };
            let new = Stored { row, affiliations: BTreeMap::new(), subscriptions: Vec::new(), items: Vec::new() };
            assert!(self.nodes.insert(name.into(), new).is_none(), "a node is made twice");
            return;
        }
        if *change == NodeChange::Delete {
            self.nodes.remove(name).unwrap();
            self.nodes.values_mut().for_each(|stored| stored.row.collections.retain(|known| **known != *name));
            return;
        }
        change_node(self.nodes.get_mut(name).unwrap(), change);
    }
}

fn change_node(node: &mut Stored, change: &NodeChange) {
    match change {
        NodeChange::Create { .. } | NodeChange::Delete => unreachable!(),
        NodeChange::Configure { config, collections } => {
            node.row.config.clone_from(config);
            node.row.collections.clone_from(collections);
            node.row.collections.sort();
        }
        NodeChange::Affiliate { jid, affiliation: Some(affiliation) } => {
            node.affiliations.insert(jid.clone(), *affiliation);
        }
        NodeChange::Affiliate { jid, affiliation: None } => drop(node.affiliations.remove(jid)),
        NodeChange::Subscribe(row) => {
            node.subscriptions.retain(|known| (&known.jid, &known.subid) != (&row.jid, &row.subid));
            node.subscriptions.push(row.clone());
        }
        NodeChange::Unsubscribe { jid, subid } => node
            .subscriptions
            .retain(|known| known.jid != *jid || subid.as_ref().is_some_and(|subid| *subid != known.subid)),
        NodeChange::EndSubscriptions { at_ms } => {
            node.subscriptions.retain(|known| known.expires_ms.is_none_or(|end_ms| end_ms > *at_ms));
        }
        NodeChange::Publish { item, keep } => {
            let created_ms = node.items.iter().find(|known| known.id == item.id).map(|known| known.created_ms);
            node.items.retain(|known| known.id != item.id);
            node.items.push(Item { created_ms: created_ms.unwrap_or(item.created_ms), ..item.clone() });
            trim(&mut node.items, *keep);
        }
        NodeChange::Retract { ids } => node.items.retain(|known| !ids.contains(&known.id)),
        NodeChange::Trim { keep } => trim(&mut node.items, *keep),
        NodeChange::Expire { before_ms } => node.items.retain(|known| known.updated_ms >= *before_ms),
        NodeChange::Turn(kind) => node.row.kind = *kind,
        NodeChange::Purge => node.items.clear(),
        NodeChange::PurgeButNewest => trim(&mut node.items, 1),
    }
}

fn trim(items: &mut Vec<Item>, keep: u64) {
    let gone = items.len().saturating_sub(keep as usize);
    items.drain(..gone);
}

/// A page, found the slow way.
fn search(mut items: Vec<Item>, page: &Page) -> Found {
    if page.by == By::Creation {
        items.sort_by_key(|item| item.created_ms);
    }
    items.retain(|item| item.updated_ms >= page.from_ms);
    let count = items.len();
    let place = |id: &Option<Box<str>>| match id {
        Some(id) => items.iter().position(|item| item.id == *id).map(Some).ok_or(()),
        None => Ok(None),
    };
    let (Ok(after), Ok(before)) = (place(&page.after), place(&page.before)) else { return Found::Unknown };
    let (mut start, mut end) = (after.map_or(0, |at| at + 1), before.unwrap_or(count));
    let skip = page.skip as usize;
    match page.from {
        End::First => {
            start = (start + skip).min(end);
            end = end.min(start + page.rows_max);
        }
        End::Last => {
            end = end.saturating_sub(skip).max(start.min(end));
            start = start.max(end.saturating_sub(page.rows_max)).min(end);
        }
    }
    let rows = items.get(start..end).unwrap_or_default().to_vec();
    Found::Items { rows, count: count as u64, index: start as u64 }
}
