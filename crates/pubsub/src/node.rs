//! A node as the verbs see it: its row, its configuration, who may do what, and who is subscribed. Made of what is stored, shared
//! while it is in a cache, and replaced as a whole when a change of it is committed.

use metronome_model::{Affiliation, NodeChange, NodeKind, NodeRow, Subscription, SubscriptionState};
use metronome_proto::jid::Jid;

use crate::access::{Claim, Policy, Trust};
use crate::config::{AccessModel, Config, PublishModel, SendLast};
use crate::options::{Expire, Options};

/// A node, without its items.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name; empty for the root of all (XEP-0248 section 7.1).
    pub name: Box<str>,
    /// What it holds.
    pub kind: NodeKind,
    /// How it is configured.
    pub config: Config,
    /// The collections that it stands in, in byte order; none is the root.
    pub collections: Vec<Box<str>>,
    /// The bare address of whoever created it.
    pub creator: Jid,
    /// When, Unix time in milliseconds.
    pub created_ms: u64,
    /// Who may do what, by bare address and in its order.
    affiliations: Vec<(Jid, Affiliation)>,
    /// In the order of address and id.
    subscribers: Vec<Subscriber>,
}

/// A subscription, its options understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// Who is told, bare or full.
    pub jid: Jid,
    /// What tells it from others of the same address.
    pub subid: Box<str>,
    /// Where it stands.
    pub state: SubscriptionState,
    /// What was chosen for it.
    pub options: Options,
    /// When it ends by itself, Unix time in milliseconds.
    pub expires_ms: Option<u64>,
}

impl Subscriber {
    /// Of a row of a node of this kind.
    pub fn read(row: Subscription, kind: NodeKind) -> Subscriber {
        let options = Options::decode(&row.options, kind);
        Subscriber { jid: row.jid, subid: row.subid, state: row.state, options, expires_ms: row.expires_ms }
    }

    /// The row, for a node of this kind.
    pub fn row(&self, kind: NodeKind) -> Subscription {
        Subscription {
            jid: self.jid.clone(),
            subid: self.subid.clone(),
            state: self.state,
            options: self.options.encode(kind),
            expires_ms: self.expires_ms,
        }
    }

    /// Whether it has not ended by itself.
    pub fn lasts(&self, now_ms: u64) -> bool {
        self.expires_ms.is_none_or(|end_ms| end_ms > now_ms)
    }
}

impl Node {
    /// Of what is stored.
    pub fn read(row: NodeRow, mut affiliations: Vec<(Jid, Affiliation)>, subscriptions: Vec<Subscription>) -> Node {
        affiliations.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut subscribers: Vec<_> =
            subscriptions.into_iter().map(|stored| Subscriber::read(stored, row.kind)).collect();
        subscribers.sort_by(|one, other| (&one.jid, &one.subid).cmp(&(&other.jid, &other.subid)));
        Node {
            config: Config::decode(&row.config),
            name: row.name,
            kind: row.kind,
            collections: row.collections,
            creator: row.creator,
            created_ms: row.created_ms,
            affiliations,
            subscribers,
        }
    }

    /// What it is after a change of it; `None` once it is deleted. What a change does to items is not seen here.
    pub fn after(&self, change: &NodeChange) -> Option<Node> {
        let mut node = self.clone();
        match change {
            NodeChange::Delete => return None,
            NodeChange::Configure { config, collections } => {
                node.config = Config::decode(config);
                node.collections.clone_from(collections);
                node.collections.sort();
                node.collections.dedup();
            }
            NodeChange::Affiliate { jid, affiliation } => node.affiliate(jid, *affiliation),
            NodeChange::Subscribe(row) => node.subscribe(Subscriber::read(row.clone(), self.kind)),
            NodeChange::Unsubscribe { jid, subid } => node
                .subscribers
                .retain(|known| known.jid != *jid || subid.as_ref().is_some_and(|subid| *subid != known.subid)),
            NodeChange::Turn(kind) => node.turn(*kind),
            NodeChange::EndSubscriptions { at_ms } => node.subscribers.retain(|known| known.lasts(*at_ms)),
            _ => {}
        }
        Some(node)
    }

    /// Options are stored as what differs from those of a kind, so they are read anew.
    fn turn(&mut self, kind: NodeKind) {
        let rows: Vec<_> = self.subscribers.drain(..).map(|known| known.row(self.kind)).collect();
        self.kind = kind;
        self.subscribers.extend(rows.into_iter().map(|row| Subscriber::read(row, kind)));
    }

    fn affiliate(&mut self, jid: &Jid, affiliation: Option<Affiliation>) {
        let place = self.affiliations.binary_search_by(|(known, _)| known.cmp(jid));
        match (place, affiliation) {
            (Ok(at), Some(affiliation)) => self.affiliations[at].1 = affiliation,
            (Ok(at), None) => drop(self.affiliations.remove(at)),
            (Err(at), Some(affiliation)) => self.affiliations.insert(at, (jid.clone(), affiliation)),
            (Err(_), None) => {}
        }
    }

    fn subscribe(&mut self, new: Subscriber) {
        let key = (&new.jid, &new.subid);
        match self.subscribers.binary_search_by(|known| (&known.jid, &known.subid).cmp(&key)) {
            Ok(at) => self.subscribers[at] = new,
            Err(at) => self.subscribers.insert(at, new),
        }
    }

    /// Who may do what, in the order of the addresses.
    pub fn affiliations(&self) -> &[(Jid, Affiliation)] {
        &self.affiliations
    }

    /// What an address is to the node; its resource does not count.
    pub fn affiliation(&self, jid: &Jid) -> Option<Affiliation> {
        let bare = jid.bare_str();
        let at = self.affiliations.binary_search_by(|(known, _)| known.as_str().cmp(bare)).ok()?;
        Some(self.affiliations[at].1)
    }

    /// The addresses with this affiliation.
    pub fn affiliated(&self, wanted: Affiliation) -> impl Iterator<Item = &Jid> {
        self.affiliations.iter().filter(move |(_, affiliation)| *affiliation == wanted).map(|(jid, _)| jid)
    }

    /// All subscriptions, in the order of the addresses and of the ids; those that have ended as well, until they are removed.
    pub fn subscribers(&self) -> &[Subscriber] {
        &self.subscribers
    }

    /// The subscriptions of exactly this address.
    pub fn subscriptions_at(&self, jid: &Jid) -> &[Subscriber] {
        let from = self.subscribers.partition_point(|known| known.jid < *jid);
        let len = self.subscribers[from..].partition_point(|known| known.jid == *jid);
        &self.subscribers[from..from + len]
    }

    /// The subscriptions of a bare address and of all its full ones.
    pub fn subscriptions_of(&self, jid: &Jid) -> impl Iterator<Item = &Subscriber> {
        self.subscriptions_at(&jid.bare()).iter().chain(self.subscriptions_of_clients(jid))
    }

    /// Those of all full addresses of a bare one.
    pub(crate) fn subscriptions_of_clients(&self, jid: &Jid) -> &[Subscriber] {
        let resources = format!("{}/", jid.bare_str());
        let from = self.subscribers.partition_point(|known| *known.jid.as_str() < *resources);
        let len =
            self.subscribers[from..].iter().take_while(|known| known.jid.as_str().starts_with(&resources)).count();
        &self.subscribers[from..from + len]
    }

    /// Everything about an address that decides over its access here; its subscription only where that counts.
    pub fn claim<'a>(&self, jid: &Jid, trust: &'a Trust, now_ms: u64) -> Claim<'a> {
        let config = &self.config;
        let counts = config.access_model == AccessModel::Authorize || config.publish_model == PublishModel::Subscribers;
        let subscription = if counts { self.best_subscription(jid, now_ms) } else { None };
        Claim { affiliation: self.affiliation(jid), subscription, trust }
    }

    fn best_subscription(&self, jid: &Jid, now_ms: u64) -> Option<SubscriptionState> {
        let lasting = self.subscriptions_of(jid).filter(|known| known.lasts(now_ms)).map(|known| known.state);
        lasting.min_by_key(|state| rank(*state))
    }

    /// What it asks of those who want something from it.
    pub fn policy(&self) -> Policy<'_> {
        Policy {
            access: self.config.access_model,
            groups: &self.config.roster_groups_allowed,
            publish: self.config.publish_model,
        }
    }

    /// Where it has gone, if it is no more (XEP-0060 section 6.1.3.11).
    pub fn moved(&self) -> Option<&str> {
        Some(&*self.config.moved).filter(|uri| !uri.is_empty())
    }

    /// Whether its newest item is sent to subscribers who come online.
    pub fn sends_last_on_presence(&self) -> bool {
        let config = &self.config;
        self.kind == NodeKind::Leaf
            && config.persist_items
            && config.deliver_notifications
            && config.send_last_published_item == SendLast::OnSubAndPresence
    }

    /// Whether a client, whose address is full, is told of the newest item when it comes, because of a subscription of its own or of its bare
    /// address. Who wants digests is told in them.
    pub fn tells_on_presence(&self, client: &Jid, now_ms: u64) -> bool {
        let counts = |row: &Subscriber| {
            let is_theirs = row.state == SubscriptionState::Subscribed && row.lasts(now_ms);
            is_theirs && row.options.deliver && !row.options.digest
        };
        let has = |jid: &Jid| self.subscriptions_at(jid).iter().any(counts);
        self.sends_last_on_presence() && (has(client) || has(&client.bare()))
    }

    /// What was published before this time has expired; `None` if nothing does. `expire_s_max` as of the limits.
    pub fn expired_before_ms(&self, now_ms: u64, expire_s_max: u64) -> Option<u64> {
        let seconds = self.config.item_expire?.within(expire_s_max);
        Some(now_ms.saturating_sub(seconds.saturating_mul(1000)))
    }

    /// When something is over next or due: a lease, or a digest; items that expire are not among it. Unix time in milliseconds.
    pub fn next_ms(&self) -> Option<u64> {
        let digest = |row: &Subscriber| {
            let options = &row.options;
            options.digest.then(|| options.digested_ms.saturating_add(options.digest_frequency_ms))
        };
        self.subscribers.iter().flat_map(|row| [row.expires_ms, digest(row)]).flatten().min()
    }

    /// The bare addresses of those with whose presence something ends: temporary subscriptions, and what publishers have published here.
    pub fn lasting_with(&self) -> Vec<Jid> {
        let is_temporary = |row: &&Subscriber| self.config.tempsub || row.options.expire == Some(Expire::Presence);
        let subscribers = self.subscribers.iter().filter(is_temporary).map(|row| row.jid.bare());
        let publishes =
            |affiliation| matches!(affiliation, Affiliation::Owner | Affiliation::Publisher | Affiliation::PublishOnly);
        let publishers = self.affiliations.iter().filter(|(_, affiliation)| publishes(*affiliation));
        let publishers = publishers.filter(|_| self.config.purge_offline).map(|(jid, _)| jid.clone());
        let mut all: Vec<_> = subscribers.chain(publishers).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Whether its items go after some time.
    pub fn expires(&self) -> bool {
        self.kind == NodeKind::Leaf && self.config.item_expire.is_some()
    }

    /// About how many bytes it takes in memory.
    pub fn memory_usage(&self) -> usize {
        let jid = |jid: &Jid| jid.as_str().len() + 32;
        let affiliations = self.affiliations.iter().map(|(who, _)| jid(who) + size_of::<(Jid, Affiliation)>());
        let subscribers = self
            .subscribers
            .iter()
            .map(|known| jid(&known.jid) + known.subid.len() + known.options.memory_usage() + size_of::<Subscriber>());
        let names = self.collections.iter().map(|name| name.len() + size_of::<Box<str>>()).sum::<usize>();
        let own = size_of::<Node>() + self.name.len() + jid(&self.creator) + self.config.memory_usage();
        own + names + affiliations.sum::<usize>() + subscribers.sum::<usize>()
    }
}

/// The better of two subscriptions comes first.
fn rank(state: SubscriptionState) -> u8 {
    match state {
        SubscriptionState::Subscribed => 0,
        SubscriptionState::Unconfigured => 1,
        SubscriptionState::Pending => 2,
    }
}
