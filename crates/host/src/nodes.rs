//! Nodes of publish-subscribe that were asked for lately (XEP-0060): a cache bounded in bytes, in which a change replaces what it changes.
//! What a node is made of is known to the crate that decides about nodes; here it is something with a size.

use std::any::Any;
use std::sync::Arc;

use hashlink::LinkedHashMap;
use metronome_model::AccountId;

use crate::sync::Mutex;

/// Most bytes that the cache holds.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most bytes of the names of nodes, kept of each owner together.
pub const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most bytes of what is known of who is subscribed to what.
pub const SUBSCRIBED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most places in lists that are kept for who goes on there.
const PLACES_MAX: usize = 1000;
/// Most accounts of which it is kept what their presence says of their avatar.
const AVATARS_MAX: usize = 1 << 16;
/// Longest name of an avatar that is kept; all hashes are shorter.
const AVATAR_BYTES_MAX: usize = 128;

/// A node, without its items, as whoever keeps it knows it.
pub type Kept = Arc<dyn Any + Send + Sync>;

/// A node: whose, and its name.
pub type Named = (AccountId, Box<str>);

/// What is in memory of a node.
#[derive(Clone)]
pub enum Known {
    /// There is none of this name.
    Absent,
    /// The node, and about how many bytes it takes.
    Node(Kept, usize),
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Known::Absent => f.write_str("Absent"),
            Known::Node(_, bytes) => write!(f, "Node({bytes} bytes)"),
        }
    }
}

/// Nodes of an owner that are about to change, and what is known of each then; those of which nothing is known are read anew.
#[derive(Debug)]
pub struct Changed {
    /// Whose nodes.
    pub owner: AccountId,
    /// By name.
    pub nodes: Vec<(Box<str>, Option<Known>)>,
    /// Whether the others of the owner may have changed with them.
    pub others: Others,
    /// The bare addresses of those who have got a subscription to one of them.
    pub subscribed: Vec<Box<str>>,
}

/// What becomes of the other nodes of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They are as they were.
    Stay,
    /// They are read anew.
    Forgotten,
}

/// The cache.
#[derive(Debug, Default)]
pub struct Nodes {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The one asked for last stands behind the others.
    known: LinkedHashMap<(AccountId, Box<str>), Known>,
    bytes: usize,
    /// The names of all nodes of an owner; the one asked for last stands behind the others. Most owners have none.
    names: LinkedHashMap<AccountId, Arc<[Box<str>]>>,
    names_bytes: usize,
    /// By bare address, the nodes that somebody is subscribed to, and perhaps some that they were; the one asked for last stands behind the
    /// others. Most people are subscribed to none.
    subscribed: LinkedHashMap<Box<str>, Arc<[Named]>>,
    subscribed_bytes: usize,
    /// By what stands for them, names behind which somebody goes on in a list; the last one stands behind the others.
    places: LinkedHashMap<Box<str>, Box<str>>,
    /// What the presence of accounts says of their avatar; the one asked for last stands behind the others.
    avatars: LinkedHashMap<AccountId, Option<Arc<str>>>,
    /// Raised by every change; a read that began before is not kept.
    generation: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("nodes", &self.known.len()).field("bytes", &self.bytes).finish()
    }
}

impl Nodes {
    /// What is in memory of a node.
    pub fn get(&self, owner: AccountId, name: &str) -> Option<Known> {
        self.state.lock().known.to_back(&(owner, name.into())).cloned()
    }

    /// How many changes there have been; asked before a node is read, and given to [`Nodes::keep`].
    pub fn generation(&self) -> u64 {
        self.state.lock().generation
    }

    /// Keeps what was read of a node, unless something has changed meanwhile.
    pub fn keep(&self, owner: AccountId, name: &str, known: Known, generation: u64) {
        let mut state = self.state.lock();
        if state.generation == generation {
            state.put((owner, name.into()), known);
        }
    }

    /// The names of all nodes of an owner, if they are in memory.
    pub fn names(&self, owner: AccountId) -> Option<Arc<[Box<str>]>> {
        self.state.lock().names.to_back(&owner).cloned()
    }

    /// Keeps the names that were read, unless something has changed meanwhile.
    pub fn keep_names(&self, owner: AccountId, names: Arc<[Box<str>]>, generation: u64) {
        let mut state = self.state.lock();
        if state.generation != generation {
            return;
        }
        state.forget_names(owner);
        state.names_bytes += cost_of_names(&names);
        state.names.insert(owner, names);
        while state.names_bytes > NAMES_BYTES_MAX
            && let Some((_, names)) = state.names.pop_front()
        {
            state.names_bytes -= cost_of_names(&names);
        }
    }

    /// The nodes that somebody is subscribed to by a bare address or one of its full ones, and perhaps some that they were; if it is in
    /// memory.
    pub fn subscribed(&self, bare: &str) -> Option<Arc<[Named]>> {
        self.state.lock().subscribed.to_back(bare).cloned()
    }

    /// Keeps what was read of it, unless something has changed meanwhile.
    pub fn keep_subscribed(&self, bare: &str, nodes: Arc<[Named]>, generation: u64) {
        let mut state = self.state.lock();
        if state.generation != generation {
            return;
        }
        state.forget_subscribed(bare);
        state.subscribed_bytes += cost_of_subscribed(bare, &nodes);
        state.subscribed.insert(bare.into(), nodes);
        while state.subscribed_bytes > SUBSCRIBED_BYTES_MAX
            && let Some((bare, nodes)) = state.subscribed.pop_front()
        {
            state.subscribed_bytes -= cost_of_subscribed(&bare, &nodes);
        }
    }

    /// Keeps a name for who goes on behind it in a list and must not learn it, under words that say nothing. Only the last thousand are kept.
    pub fn keep_place(&self, words: &str, name: &str) {
        let mut state = self.state.lock();
        state.places.insert(words.into(), name.into());
        if state.places.len() > PLACES_MAX {
            state.places.pop_front();
        }
    }

    /// The name that these words stand for.
    pub fn place(&self, words: &str) -> Option<Box<str>> {
        self.state.lock().places.get(words).cloned()
    }

    /// The hash that an account's presence carries (XEP-0398), if that is in memory; the account may have none.
    pub fn avatar(&self, owner: AccountId) -> Option<Option<Arc<str>>> {
        self.state.lock().avatars.to_back(&owner).cloned()
    }

    /// Keeps it, unless something has changed meanwhile.
    pub fn keep_avatar(&self, owner: AccountId, hash: Option<Arc<str>>, generation: u64) {
        let mut state = self.state.lock();
        if state.generation != generation || hash.as_ref().is_some_and(|hash| hash.len() > AVATAR_BYTES_MAX) {
            return;
        }
        state.avatars.insert(owner, hash);
        if state.avatars.len() > AVATARS_MAX {
            state.avatars.pop_front();
        }
    }

    /// What was decided has become durable.
    pub fn change(&self, changed: Changed) {
        let mut state = self.state.lock();
        state.generation += 1;
        state.forget_names(changed.owner);
        changed.subscribed.iter().for_each(|bare| state.forget_subscribed(bare));
        if changed.others == Others::Forgotten {
            state.forget(changed.owner);
        }
        for (name, known) in changed.nodes {
            let key = (changed.owner, name);
            match known {
                Some(known) => state.put(key, known),
                None => state.remove(&key),
            }
        }
    }

    /// Nobody knows whether a change took place, or an owner is no more: its nodes are read anew.
    pub fn forget(&self, owner: AccountId) {
        let mut state = self.state.lock();
        state.generation += 1;
        state.forget(owner);
        state.subscribed.clear();
        state.subscribed_bytes = 0;
    }

    /// Bytes held.
    pub fn memory_usage(&self) -> usize {
        /// About what the hash of one account takes.
        const AVATAR: usize = 128;
        let state = self.state.lock();
        state.bytes + state.names_bytes + state.subscribed_bytes + state.avatars.len() * AVATAR
    }
}

/// About what the nodes of one subscriber take.
fn cost_of_subscribed(bare: &str, nodes: &[Named]) -> usize {
    const ENTRY: usize = 112;
    ENTRY + bare.len() + nodes.iter().map(|(_, name)| name.len() + size_of::<Named>()).sum::<usize>()
}

/// About what the names of one owner take.
fn cost_of_names(names: &[Box<str>]) -> usize {
    const ENTRY: usize = 96;
    ENTRY + names.iter().map(|name| name.len() + size_of::<Box<str>>()).sum::<usize>()
}

/// About what an entry takes.
fn cost(name: &str, known: &Known) -> usize {
    const ENTRY: usize = 160;
    let node = match known {
        Known::Absent => 0,
        Known::Node(_, bytes) => *bytes,
    };
    ENTRY + name.len() + node
}

impl State {
    fn put(&mut self, key: (AccountId, Box<str>), known: Known) {
        self.remove(&key);
        self.bytes += cost(&key.1, &known);
        self.known.insert(key, known);
        while self.bytes > BYTES_MAX
            && let Some((key, known)) = self.known.pop_front()
        {
            self.bytes -= cost(&key.1, &known);
        }
    }

    fn remove(&mut self, key: &(AccountId, Box<str>)) {
        if let Some(known) = self.known.remove(key) {
            self.bytes -= cost(&key.1, &known);
        }
    }

    fn forget_names(&mut self, owner: AccountId) {
        self.avatars.remove(&owner);
        if let Some(names) = self.names.remove(&owner) {
            self.names_bytes -= cost_of_names(&names);
        }
    }

    fn forget_subscribed(&mut self, bare: &str) {
        if let Some(nodes) = self.subscribed.remove(bare) {
            self.subscribed_bytes -= cost_of_subscribed(bare, &nodes);
        }
    }

    fn forget(&mut self, owner: AccountId) {
        self.forget_names(owner);
        let theirs: Vec<_> = self.known.keys().filter(|(account, _)| *account == owner).cloned().collect();
        theirs.iter().for_each(|key| self.remove(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(byte: u8) -> AccountId {
        AccountId::from_bytes([byte; 16])
    }

    fn node(bytes: usize) -> Known {
        Known::Node(Arc::new(()), bytes)
    }

    fn has(nodes: &Nodes, owner: u8, name: &str) -> bool {
        matches!(nodes.get(account(owner), name), Some(Known::Node(..)))
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let nodes = Nodes::default();
        let before = nodes.generation();
        let others = Others::Stay;
        nodes.change(Changed {
            owner: account(1),
            nodes: vec![("a".into(), Some(Known::Absent))],
            others,
            subscribed: Vec::new(),
        });
        nodes.keep(account(1), "a", node(10), before);
        assert!(matches!(nodes.get(account(1), "a"), Some(Known::Absent)));
        nodes.keep(account(1), "b", node(10), nodes.generation());
        assert!(has(&nodes, 1, "b"));
    }

    #[test]
    fn the_names_of_an_owner_are_known_until_one_of_its_nodes_changes() {
        let nodes = Nodes::default();
        let names = |names: &[&str]| -> Arc<[Box<str>]> { names.iter().map(|name| Box::from(*name)).collect() };
        nodes.keep_names(account(1), names(&["a", "b"]), nodes.generation());
        nodes.keep_names(account(2), names(&[]), nodes.generation());
        assert_eq!(nodes.names(account(1)).unwrap().len(), 2);
        let before = nodes.generation();
        nodes.change(Changed { owner: account(1), nodes: Vec::new(), others: Others::Stay, subscribed: Vec::new() });
        assert!(nodes.names(account(1)).is_none() && nodes.names(account(2)).unwrap().is_empty());
        nodes.keep_names(account(1), names(&["a"]), before);
        assert!(nodes.names(account(1)).is_none());
        nodes.forget(account(2));
        assert_eq!(nodes.memory_usage(), 0);
        let long = "x".repeat(1000);
        for number in 0..=255 {
            nodes.keep_names(account(number), names(&vec![&*long; 100]), nodes.generation());
            assert!(nodes.memory_usage() <= NAMES_BYTES_MAX);
        }
        assert!(nodes.names(account(0)).is_none() && nodes.names(account(255)).is_some());
    }

    #[test]
    fn what_presence_says_of_an_avatar_is_known_until_a_node_changes() {
        let nodes = Nodes::default();
        assert!(nodes.avatar(account(1)).is_none());
        nodes.keep_avatar(account(1), Some("hash".into()), nodes.generation());
        nodes.keep_avatar(account(2), None, nodes.generation());
        assert_eq!(nodes.avatar(account(1)), Some(Some("hash".into())));
        assert_eq!(nodes.avatar(account(2)), Some(None));
        let before = nodes.generation();
        nodes.change(Changed { owner: account(1), nodes: Vec::new(), others: Others::Stay, subscribed: Vec::new() });
        nodes.keep_avatar(account(1), Some("hash".into()), before);
        assert!(nodes.avatar(account(1)).is_none() && nodes.avatar(account(2)).is_some());
        nodes.keep_avatar(account(1), Some("x".repeat(AVATAR_BYTES_MAX + 1).into()), nodes.generation());
        assert!(nodes.avatar(account(1)).is_none());
        nodes.forget(account(2));
        assert_eq!(nodes.memory_usage(), 0);
    }

    #[test]
    fn what_somebody_is_subscribed_to_is_known_until_they_subscribe_to_more() {
        let nodes = Nodes::default();
        let some = |name: &str| -> Arc<[Named]> { [(account(1), Box::from(name))].into() };
        nodes.keep_subscribed("a@x", some("n"), nodes.generation());
        nodes.keep_subscribed("b@x", [].into(), nodes.generation());
        let before = nodes.generation();
        let subscribed = vec!["b@x".into()];
        nodes.change(Changed { owner: account(1), nodes: Vec::new(), others: Others::Stay, subscribed });
        assert!(nodes.subscribed("b@x").is_none() && nodes.subscribed("a@x").unwrap().len() == 1);
        nodes.keep_subscribed("b@x", [].into(), before);
        assert!(nodes.subscribed("b@x").is_none());
        for number in 0..300 {
            nodes.keep_subscribed(&number.to_string(), some(&"x".repeat(100_000)), nodes.generation());
            assert!(nodes.memory_usage() <= SUBSCRIBED_BYTES_MAX);
        }
        assert!(nodes.subscribed("0").is_none() && nodes.subscribed("299").is_some());
        nodes.forget(account(7));
        assert_eq!(nodes.memory_usage(), 0);
    }

    #[test]
    fn it_stays_within_its_bytes_and_gives_back_what_it_takes() {
        let nodes = Nodes::default();
        for number in 0..40 {
            nodes.keep(account(1), &number.to_string(), node(BYTES_MAX / 16), nodes.generation());
            assert!(nodes.memory_usage() <= BYTES_MAX);
        }
        assert!(has(&nodes, 1, "39") && !has(&nodes, 1, "0"));
        nodes.keep(account(2), "x", node(5), nodes.generation());
        nodes.forget(account(1));
        assert!(has(&nodes, 2, "x") && !has(&nodes, 1, "39"));
        nodes.change(Changed {
            owner: account(2),
            nodes: vec![("x".into(), None)],
            others: Others::Stay,
            subscribed: Vec::new(),
        });
        assert_eq!(nodes.memory_usage(), 0);
    }

    #[test]
    fn a_change_of_relations_forgets_the_others_of_the_owner() {
        let nodes = Nodes::default();
        for (owner, name) in [(1, "a"), (1, "b"), (2, "a")] {
            nodes.keep(account(owner), name, node(5), nodes.generation());
        }
        let changed = vec![("a".into(), Some(node(7)))];
        nodes.change(Changed { owner: account(1), nodes: changed, others: Others::Forgotten, subscribed: Vec::new() });
        assert!(has(&nodes, 1, "a") && !has(&nodes, 1, "b") && has(&nodes, 2, "a"));
    }
}
