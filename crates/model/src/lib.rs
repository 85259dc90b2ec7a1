//! What storage speaks of: row types, the changes a record asks for, and what became of it.
//!
//! Every crate from `store` upwards uses these values. They hold their own invariants and nothing else: no I/O, no
//! clock, no randomness; ids and times are given by the caller.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod account;
mod archive;
mod document;
mod host;
mod keys;
mod node;
mod outbox;
mod outcome;
mod record;
mod resumable;
mod room;
mod roster;

pub use account::{Account, AccountId, AccountState, Role};
pub use archive::{ArchivedRow, Direction, Keep};
pub use document::{Document, Drawer, DrawerSize, LastSeen};
pub use host::{HostOrigin, HostState, StoredHost};
pub use keys::{KeyHash, StoredKeys};
pub use node::{
    Affiliation, Item, NodeChange, NodeKind, NodeRow, NodeSize, NodesUsage, Subscription, SubscriptionState,
};
pub use outbox::{OutboxRow, Outgoing};
pub use outcome::{Outcome, Unavailable};
pub use record::{Op, Record};
pub use resumable::{Handled, Noted, Resumable, StreamNumber};
pub use room::{
    RoomAffiliation, RoomChange, RoomMember, RoomRedirect, RoomRole, RoomRow, RoomSecret, RoomSubject, SavedOccupant,
    Visibility,
};
pub use roster::{Contact, Listed, RosterSize, RosterVersion};
