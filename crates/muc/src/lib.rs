//! Rooms (XEP-0045) as machines: what somebody does is decided upon the room and some facts, what was decided is applied once it is
//! durable, and what is to be sent comes out as a list.
//!
//! No I/O, no clock, no tables of others: time and random bytes are given by the caller, so seeded random sequences can test it.
//!
//! A caller has one task for a room. It asks [`decide`], commits [`Decision::ops`] and [`Decision::archive`], calls [`Room::apply`] with
//! [`Decision::change`], and sends [`Decision::effects`] in their order. What has nothing to commit is applied and sent at once.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod absent;
mod admin;
mod affiliated;
mod affiliation;
mod announce;
mod apply;
pub mod archive;
mod avatar;
mod body;
mod bounce;
pub mod config;
mod configure;
mod create;
mod decide;
mod decision;
mod destroy;
pub mod disco;
mod draft;
mod enter;
mod expel;
mod facts;
mod forget;
mod hat_forms;
mod hat_request;
mod hats;
pub mod history;
mod invite;
mod large;
mod leave;
mod limits;
pub mod logs;
mod message;
mod moderate;
mod nick;
mod occupant;
mod presence;
mod private;
mod register;
mod role;
mod room;
mod step;
mod subject;
mod versioning;
mod voice;

pub use affiliated::{Affiliated, Rows};
pub use affiliation::{Denied, may_affiliate};
pub use avatar::Card;
pub use bounce::says_gone;
pub use create::{Creation, create};
pub use decide::{Input, decide};
pub use decision::{ArchiveOp, Change, Decision, Effect, Outgoing, RoomOp, Stamp, To, Verdict};
pub use enter::Entry;
pub use facts::{Facts, Standing};
pub use hat_request::{HAT_COMMANDS, HatRequest};
pub use limits::Limits;
pub use occupant::{Audience, Occupant, Session, occupant_id};
pub use private::{may_query, self_ping};
pub use role::{default_role, may_give_role};
pub use room::{Room, State, Subject};
