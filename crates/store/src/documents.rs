//! XML that is kept for accounts (XEP-0049, XEP-0054), and when they were last there (XEP-0012).

use metronome_model::{AccountId, Document, Drawer, DrawerSize, LastSeen};

use crate::{Reading, StoreError};

/// Reads documents.
pub trait Documents: Send + Sync {
    /// The XML of one document, `None` if there is none.
    fn document(&self, owner: AccountId, drawer: Drawer, ns: &str, name: &str) -> Reading<Option<Box<[u8]>>>;

    /// All that lies in these drawers, drawer by drawer in the order of [`Drawer::ALL`], within each by namespace and name. For drawers
    /// whose size is bounded; nothing for an owner that does not exist.
    fn documents(&self, owner: AccountId, drawers: &'static [Drawer]) -> Reading<Vec<Document>>;

    /// How much lies in a drawer; zero for an owner that does not exist.
    fn drawer_size(&self, owner: AccountId, drawer: Drawer) -> Reading<DrawerSize>;

    /// When an account was last there, `None` if that was never noted or the account does not exist.
    fn last_seen(&self, owner: AccountId) -> Reading<Option<LastSeen>>;
}

/// Changes documents, inside the writer's open transaction and after its checks.
pub trait DocumentWrites {
    /// Sets or replaces a document; an empty one removes what is there.
    fn set_document(&mut self, owner: AccountId, document: &Document) -> Result<(), StoreError>;

    /// Notes when an account was last there.
    fn set_last_seen(&mut self, owner: AccountId, last: &LastSeen) -> Result<(), StoreError>;
}
