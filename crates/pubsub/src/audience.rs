//! Whom a notification goes to: the subscribers of a node and of the collections above it, one message for each address however many
//! subscriptions it has. Walked when the notification is delivered, so that access follows rosters and leases live.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_model::{NodeKind, SubscriptionState};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::xml::{Tree, write};

use crate::access::{Trust, Verb, Verdict, asks_for_trust, judge};
use crate::node::{Node, Subscriber};
use crate::options::{Expire, Options, Show, SubscriptionType};
use crate::rules::ByPresence;

/// The subscribers of a node, as they were when something happened to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribers {
    /// The node.
    pub node: Arc<Node>,
    /// The collections above it, and how far each is away: 1 for those that it stands in.
    pub collections: Vec<(Arc<Node>, u32)>,
    /// What it is about.
    pub topic: Topic,
    /// Whether those whom presence subscribes to the node get it too. They must be allowed to read it ([`Subscribers::may_read`]).
    pub by_presence: ByPresence,
    /// The same for humans, for those who want a message to have a body.
    pub body: Option<Box<str>>,
    /// The node of which it is asked who may read this one, if that is another.
    pub guard: Option<Arc<Node>>,
    /// The node as it was before, where only those are told who could not read it then and may now (section 12.2).
    pub before: Option<Arc<Node>>,
}

/// What a notification is about; a subscription to a collection is for one or the other, or for both (XEP-0248 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Items of the node.
    Items,
    /// The node itself.
    Nodes,
    /// The end of the node: those whose subscription is not approved are told as well (XEP-0060 section 8.4.2).
    End,
}

/// Somebody who gets a notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipient<'a> {
    /// Where to, bare or full: exactly the address that is subscribed.
    pub jid: &'a Jid,
    /// The ids of the subscriptions that it comes from, if there is more than one (XEP-0060 section 7.1.2.4).
    pub subids: Vec<&'a str>,
    /// The names of the collections that it comes from (XEP-0248 section 4.3.1).
    pub collections: Vec<&'a str>,
    /// What is said to humans.
    pub body: Option<&'a str>,
    /// When it is delivered.
    pub when: When<'a>,
}

/// When a notification is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When<'a> {
    /// In any case.
    Always,
    /// Only while the subscriber is available.
    Available,
    /// Only while a resource of the subscriber shows one of these.
    Shows(&'a [Show]),
}

impl Subscribers {
    /// So many recipients at most.
    pub fn len_max(&self) -> usize {
        let above = self.collections.iter().map(|(collection, _)| collection.subscribers().len());
        self.node.subscribers().len() + above.sum::<usize>()
    }

    /// Whether somebody may read the node now; `trust` is asked only where it decides.
    pub fn may_read(&self, who: &Jid, now_ms: u64, mut trust: impl FnMut(&Node, &Jid) -> Trust) -> bool {
        self.admits(Verb::Read, who, now_ms, &mut trust)
    }

    /// The node whose owners say who may read.
    pub fn judged(&self) -> &Arc<Node> {
        self.guard.as_ref().unwrap_or(&self.node)
    }

    /// Whether somebody may do this with the node, and could not before where that is asked.
    fn admits(&self, verb: Verb, who: &Jid, now_ms: u64, trust: &mut impl FnMut(&Node, &Jid) -> Trust) -> bool {
        let could = |before: &Arc<Node>, trust| allows(before, verb, who, now_ms, trust);
        allows(self.judged(), verb, who, now_ms, &mut *trust)
            && !self.before.as_ref().is_some_and(|before| could(before, &mut *trust))
    }

    /// The same as [`Subscribers::for_each`] for one client, whose address is full: of its own subscriptions, and of those of its bare
    /// address.
    pub fn for_client<'a>(
        &'a self,
        client: &Jid,
        now_ms: u64,
        mut trust: impl FnMut(&Node, &Jid) -> Trust,
        each: impl FnMut(Recipient<'a>),
    ) {
        let rows = [self.node.subscriptions_at(&client.bare()), self.node.subscriptions_at(client)];
        rows.into_iter().filter_map(|rows| self.recipient(rows, now_ms, &mut trust)).for_each(each);
    }

    /// The same for one person, whose address is bare: of its subscriptions, and of those of its clients.
    pub fn for_contact<'a>(
        &'a self,
        contact: &Jid,
        now_ms: u64,
        mut trust: impl FnMut(&Node, &Jid) -> Trust,
        mut each: impl FnMut(Recipient<'a>),
    ) {
        for rows in [self.node.subscriptions_at(&contact.bare()), self.node.subscriptions_of_clients(contact)] {
            let by_address = rows.chunk_by(|one, other| one.jid == other.jid);
            by_address.filter_map(|rows| self.recipient(rows, now_ms, &mut trust)).for_each(&mut each);
        }
    }

    /// Calls `each` for everybody who gets it now, each address once. `trust` says what the rosters of the owners of a node say of an
    /// address, and is asked only where that decides.
    pub fn for_each<'a>(
        &'a self,
        now_ms: u64,
        mut trust: impl FnMut(&Node, &Jid) -> Trust,
        mut each: impl FnMut(Recipient<'a>),
    ) {
        if self.collections.iter().all(|(collection, _)| collection.subscribers().is_empty()) {
            let rows = self.node.subscribers();
            for rows in rows.chunk_by(|one, other| one.jid == other.jid) {
                let recipient = self.recipient(rows, now_ms, &mut trust);
                recipient.into_iter().for_each(&mut each);
            }
            return;
        }
        self.gather(now_ms, &mut trust).into_values().for_each(each);
    }

    /// Everybody, where collections bring some of them in.
    fn gather<'a>(
        &'a self,
        now_ms: u64,
        trust: &mut impl FnMut(&Node, &Jid) -> Trust,
    ) -> BTreeMap<&'a Jid, Recipient<'a>> {
        let mut all = BTreeMap::new();
        for rows in self.node.subscribers().chunk_by(|one, other| one.jid == other.jid) {
            if let Some(recipient) = self.recipient(rows, now_ms, trust) {
                all.insert(recipient.jid, recipient);
            }
        }
        for (collection, distance) in &self.collections {
            let wanted =
                |row: &&'a Subscriber| self.counts(row, now_ms) && reaches(&row.options, self.topic, *distance);
            for row in collection.subscribers().iter().filter(wanted) {
                let may = allows(collection, Verb::Read, &row.jid, now_ms, &mut *trust)
                    && self.admits(self.verb(), &row.jid, now_ms, trust);
                if !may {
                    continue;
                }
                let recipient = all.entry(&row.jid).or_insert_with(|| self.first(row));
                recipient.add(self.first(row));
                recipient.subids.push(&row.subid);
                if !recipient.collections.contains(&&*collection.name) {
                    recipient.collections.push(&collection.name);
                }
            }
        }
        all.values_mut().filter(|recipient| recipient.subids.len() == 1).for_each(|recipient| recipient.subids.clear());
        all
    }

    /// One message for all subscriptions of one address to the node itself.
    fn recipient<'a>(
        &'a self,
        rows: &'a [Subscriber],
        now_ms: u64,
        trust: &mut impl FnMut(&Node, &Jid) -> Trust,
    ) -> Option<Recipient<'a>> {
        let is_collection = self.node.kind == NodeKind::Collection;
        let wants = |row: &&Subscriber| !is_collection || reaches(&row.options, self.topic, 0);
        let mut rows = rows.iter().filter(|row| self.counts(row, now_ms)).filter(wants);
        let row = rows.next()?;
        if !self.admits(self.verb(), &row.jid, now_ms, trust) {
            return None;
        }
        let mut recipient = self.first(row);
        for more in rows {
            if recipient.subids.is_empty() {
                recipient.subids.push(&row.subid);
            }
            recipient.subids.push(&more.subid);
            recipient.add(self.first(more));
        }
        Some(recipient)
    }

    fn first<'a>(&'a self, row: &'a Subscriber) -> Recipient<'a> {
        let options = &row.options;
        Recipient {
            jid: &row.jid,
            subids: Vec::new(),
            collections: Vec::new(),
            body: self.body.as_deref().filter(|_| options.include_body),
            when: self.when(options),
        }
    }

    fn when<'a>(&self, options: &'a Options) -> When<'a> {
        let temporary = self.node.config.tempsub || options.expire == Some(Expire::Presence);
        match options.show_values.as_slice() {
            _ if self.topic == Topic::End => When::Always,
            [] if self.node.config.presence_based_delivery || temporary => When::Available,
            [] => When::Always,
            shows => When::Shows(shows),
        }
    }

    /// Whether a subscription is told of this now: what is said of items waits for the next digest where one is wanted.
    fn counts(&self, row: &Subscriber, now_ms: u64) -> bool {
        let state = row.state == SubscriptionState::Subscribed || self.topic == Topic::End;
        let waits = self.topic == Topic::Items && row.options.digest && self.node.config.persist_items;
        state && row.options.deliver && row.lasts(now_ms) && !waits
    }

    /// Whether one of the subscriptions wants a body.
    pub(crate) fn wants_body(&self) -> bool {
        let wants = |node: &Node| node.subscribers().iter().any(|row| row.options.include_body);
        wants(&self.node) || self.collections.iter().any(|(collection, _)| wants(collection))
    }

    fn verb(&self) -> Verb {
        if self.topic == Topic::End { Verb::Discover } else { Verb::Read }
    }
}

impl<'a> Recipient<'a> {
    /// What another subscription of the same address adds: a body if one of them wants it (section 12.7), and a delivery in
    /// more cases.
    fn add(&mut self, other: Recipient<'a>) {
        self.body = self.body.or(other.body);
        self.when = match (self.when, other.when) {
            (When::Always, _) | (_, When::Always) => When::Always,
            (one, other) if one == other => one,
            _ => When::Available,
        };
    }

    /// What comes behind the content for this recipient alone: the body, and the headers of XEP-0131; empty for most.
    pub fn tail(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(body) = self.body {
            out.extend_from_slice(b"<body>");
            write::text(&mut out, body);
            out.extend_from_slice(b"</body>");
        }
        let header = |name: &str, value: &&str| Tree::new(ns::SHIM, "header").attr("name", name).text(value);
        if !self.subids.is_empty() || !self.collections.is_empty() {
            let collections = self.collections.iter().map(|name| header("Collection", name));
            let subids = self.subids.iter().map(|subid| header("SubID", subid));
            Tree::new(ns::SHIM, "headers").children(collections).children(subids).write(&mut out, "");
        }
        out
    }
}

/// Whether a subscription to a collection is for what happens so far below it.
fn reaches(options: &Options, topic: Topic, distance: u32) -> bool {
    let topic = match topic {
        Topic::Items => options.subscription_type != SubscriptionType::Nodes,
        Topic::Nodes => options.subscription_type != SubscriptionType::Items,
        Topic::End if distance == 0 => true,
        Topic::End => options.subscription_type != SubscriptionType::Items,
    };
    topic && options.subscription_depth.reaches(distance)
}

fn allows(node: &Node, verb: Verb, who: &Jid, now_ms: u64, trust: impl FnOnce(&Node, &Jid) -> Trust) -> bool {
    let asks = asks_for_trust(verb, node.affiliation(who), node.config.access_model);
    let trust = if asks { trust(node, who) } else { Trust::NONE };
    judge(verb, node.claim(who, &trust, now_ms), node.policy()) == Verdict::Granted
}
