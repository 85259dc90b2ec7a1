//! What a client wants to hear of (XEP-0060 section 9.2), as a value that all clients share which announce the same (XEP-0115): what is
//! learned of one is known of all at once. `interests` makes them; sessions and what is known of remote clients hold them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// The nodes that a client wants to hear of, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants(Box<[Box<str>]>);

impl Wants {
    /// Of these nodes; one that is named twice counts once.
    pub fn new(mut nodes: Vec<Box<str>>) -> Wants {
        nodes.sort_unstable();
        nodes.dedup();
        Wants(nodes.into())
    }

    /// Whether this node is among them.
    pub fn has(&self, node: &str) -> bool {
        self.0.binary_search_by(|wanted| (**wanted).cmp(node)).is_ok()
    }

    /// Those that were not among others.
    pub fn beyond(&self, others: Option<&Wants>) -> Wants {
        let is_new = |node: &str| !others.is_some_and(|others| others.has(node));
        Wants(self.0.iter().filter(|node| is_new(node)).cloned().collect())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|node| &**node)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes on the heap.
    pub(crate) fn memory_usage(&self) -> usize {
        self.0.iter().map(|node| node.len() + 2 * size_of::<usize>()).sum()
    }
}

/// All clients that announce the same: each holds the same value, so what is learned of one is known of all.
#[derive(Debug)]
pub struct ClientKind {
    name: Box<str>,
    wants: OnceLock<Wants>,
    /// Whether one of its clients is being asked, or waits to be.
    open: AtomicBool,
}

/// Whether somebody is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    Yes,
    No,
}

impl ClientKind {
    /// Clients of which nothing is known yet.
    pub(crate) fn unknown(name: &str) -> Arc<ClientKind> {
        Arc::new(ClientKind { name: name.into(), wants: OnceLock::new(), open: AtomicBool::new(false) })
    }

    /// One client that says of itself what its name does not prove; nobody else is believed to be like it.
    pub fn alone(name: &str, wants: Wants) -> Arc<ClientKind> {
        Arc::new(ClientKind { name: name.into(), wants: OnceLock::from(wants), open: AtomicBool::new(false) })
    }

    /// What it is announced by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether nothing is known of it and nobody is being asked: then it is worth another try.
    pub fn is_given_up(&self) -> bool {
        self.wants().is_none() && !self.open.load(Ordering::Acquire)
    }

    /// Its clients are being asked from here on, or not any more.
    pub(crate) fn set_open(&self, open: Open) {
        self.open.store(open == Open::Yes, Ordering::Release);
    }

    /// It is proved what its clients want. What is known already stays: it is the same.
    pub(crate) fn learn(&self, wants: Wants) {
        let _ = self.wants.set(wants);
    }

    /// What its clients want; none while it is not known.
    pub fn wants(&self) -> Option<&Wants> {
        self.wants.get()
    }

    /// Whether its clients are known to want this node.
    pub fn wants_node(&self, node: &str) -> bool {
        self.wants().is_some_and(|wants| wants.has(node))
    }
}
