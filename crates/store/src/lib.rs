//! What must survive a restart: accounts with their keys, rosters and documents, the message archive, and domains.
//!
//! Reading goes through the traits of [`accounts`], [`archive`], [`documents`], [`hosts`], [`meta`], [`nodes`], [`outbox`],
//! [`resumables`], [`rooms`] and [`rosters`], together [`Store`]; every change is a `Record` given to the one [`Writer`], which commits many at once. Backends live in
//! [`backend`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod accounts;
pub mod archive;
pub mod backend;
pub mod documents;
pub mod durations;
mod error;
pub mod hosts;
pub mod journal;
pub mod meta;
pub mod nodes;
pub mod outbox;
pub mod resumables;
pub mod rooms;
pub mod rosters;
pub mod stored;
pub mod uploads;
mod writer;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use accounts::{Accounts, Credentials};
pub use archive::{Archive, Counts};
pub use documents::Documents;
pub use error::StoreError;
pub use hosts::StoredHosts;
pub use meta::Meta;
pub use nodes::Nodes;
pub use outbox::Outboxes;
pub use resumables::Resumables;
pub use rooms::Rooms;
pub use rosters::{Rosters, RowAbout};
pub use writer::{Committed, Permit, Stats, Writer, WriterLimits};

/// A read under way. It owns what it needs, so it may outlive the call and be dropped at any time.
pub type Reading<T> = BoxFuture<'static, Result<T, StoreError>>;

/// Everything that can be read. Each call sees one committed state: all of every record whose outcome was handed out
/// before the call, and never a part of a record.
pub trait Reads:
    Accounts + Archive + Documents + Meta + Nodes + Outboxes + Resumables + Rooms + Rosters + StoredHosts
{
}

impl<T> Reads for T where
    T: Accounts + Archive + Documents + Meta + Nodes + Outboxes + Resumables + Rooms + Rosters + StoredHosts
{
}

/// The reading side of a store, shared by everyone.
pub type Store = Arc<dyn Reads>;

/// A store as it was opened: the side for readers, and the side that its [`Writer`] takes over.
pub struct Opened {
    /// For everyone who reads.
    pub store: Store,
    /// For [`Writer::start`]; nothing else may change the store.
    pub backend: Box<dyn backend::Backend>,
}
