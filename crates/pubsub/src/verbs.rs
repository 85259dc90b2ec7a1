//! The verbs, one family in each file, and which request is whose.

pub(crate) mod affiliations;
pub(crate) mod approve;
pub(crate) mod attach;
pub(crate) mod configure;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod digest;
pub(crate) mod end;
pub(crate) mod items;
pub(crate) mod last;
pub(crate) mod options;
pub(crate) mod publish;
pub(crate) mod purge;
pub(crate) mod relate;
pub(crate) mod retract;
pub(crate) mod subscribe;
pub(crate) mod subscriptions;
pub(crate) mod unsubscribe;
