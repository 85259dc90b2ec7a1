//! How much nodes may take: bounds of one owner's nodes, of one node, and of one request. All are options of the server; what goes
//! beyond them is refused as XEP-0060 says, and nothing changes.

/// The bounds of one owner's nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most nodes of one owner.
    pub nodes_max: u64,
    /// Most bytes of all nodes and items of one owner.
    pub bytes_max: u64,
    /// Most items of one node; what `max` stands for.
    pub items_max: u64,
    /// Longest time after which items go, in seconds, for nodes that let items go; what `max` stands for.
    pub expire_s_max: u64,
    /// Largest payload of one item, in bytes.
    pub payload_bytes_max: usize,
    /// Most items in one page of an answer.
    pub page_max: usize,
    /// Most subscriptions to one node.
    pub subscriptions_max: usize,
    /// Most subscriptions of one bare address to one node.
    pub subscriptions_each_max: usize,
    /// Most affiliations of one node.
    pub affiliations_max: usize,
    /// Most nodes in one collection; what `max` stands for.
    pub children_max: usize,
    /// How many collections may stand in each other; what is deeper is not told above.
    pub depth_max: u32,
    /// Most collections above one node; what is published in it is not told in more of them.
    pub above_max: usize,
    /// Most collections that one node stands in.
    pub collections_max: usize,
    /// Longest lease of a subscription, in milliseconds (section 12.18).
    pub lease_ms_max: u64,
}

impl Default for Limits {
    /// Bounds for a server with a few thousand accounts.
    fn default() -> Limits {
        Limits {
            nodes_max: 1000,
            bytes_max: 64 << 20,
            items_max: 10_000,
            expire_s_max: 10 * 365 * 24 * 60 * 60,
            payload_bytes_max: 256 << 10,
            page_max: 200,
            subscriptions_max: 20_000,
            subscriptions_each_max: 20,
            affiliations_max: 2000,
            children_max: 1000,
            depth_max: 8,
            above_max: 100,
            collections_max: 20,
            lease_ms_max: 10 * 365 * 24 * 60 * 60 * 1000,
        }
    }
}
