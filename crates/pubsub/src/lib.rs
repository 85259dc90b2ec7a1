//! The verbs of publish-subscribe (XEP-0060), for a service and for every account (XEP-0163), as functions of their
//! arguments: nodes and facts go in, changes and notifications come out.
//!
//! No I/O, no clock, no tables: time, ids and random bytes are given by the caller, so seeded random sequences can test it.
//!
//! A caller gathers [`Facts`] and asks [`Nodes::decide`]. As long as the answer is [`Stop::Need`] it reads what is needed, adds it to
//! [`Known`], and asks again; the locks of the nodes that change ([`Decision::nodes`]) are held from before the first read until the
//! changes are committed. Then the answer goes out, and each [`Notification`] to its audience.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod act;
pub mod attachments;
mod audience;
pub mod authorization;
mod body;
mod compare;
pub mod config;
mod decide;
mod decision;
mod facts;
mod graph;
mod known;
mod limits;
pub mod metadata;
mod node;
pub mod options;
mod profiles;
mod public;
pub mod publish_options;
mod rows;
mod rules;
mod verbs;
mod words;

pub use access::{Claim, Policy, Trust, Verb, Verdict, Why, asks_for_trust, judge};
pub use audience::{Recipient, Subscribers, Topic, When};
pub use compare::value as compare_value;
pub use decide::Nodes;
pub use decision::{Audience, Decision, Notification};
pub use facts::{Creation, Facts, Standing};
pub use graph::ROOT;
pub use known::{End, Found, Known, Need, Page, Stop};
pub use limits::Limits;
pub use node::{Node, Subscriber};
pub use public::SUBSCRIBERS;
pub use rules::{AccountRules, ByPresence, OnMissing, Rules, ServiceRules};
