//! Nodes as they are in memory, read from the store when they are asked for.

use std::sync::Arc;

use metronome_host::nodes::Known;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_pubsub::Node;

/// A node of an account, or of a domain's own one.
pub async fn node(server: &Server, owner: AccountId, name: &str) -> Result<Option<Arc<Node>>, Refuse> {
    Ok(node_or_trace(server, owner, name).await?.filter(|node| node.moved().is_none()))
}

/// The same, or what is left of one that has moved.
pub(super) async fn node_or_trace(server: &Server, owner: AccountId, name: &str) -> Result<Option<Arc<Node>>, Refuse> {
    if let Some(known) = peek(server, owner, name) {
        return Ok(known);
    }
    let generation = server.nodes.generation();
    let stored = server.store.node(owner, name).await?;
    let node = stored.map(|stored| Arc::new(Node::read(stored.row, stored.affiliations, stored.subscriptions)));
    server.nodes.keep(owner, name, known(node.clone()), generation);
    Ok(node)
}

/// A node if it is known in memory whether it is there.
pub fn peek(server: &Server, owner: AccountId, name: &str) -> Option<Option<Arc<Node>>> {
    match server.nodes.get(owner, name)? {
        Known::Absent => Some(None),
        Known::Node(node, _) => node.downcast::<Node>().ok().map(Some),
    }
}

/// What the cache keeps of it.
pub(super) fn known(node: Option<Arc<Node>>) -> Known {
    match node {
        Some(node) => {
            let bytes = node.memory_usage();
            Known::Node(node, bytes)
        }
        None => Known::Absent,
    }
}
