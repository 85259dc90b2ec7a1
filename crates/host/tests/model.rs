//! Models of the parts that several threads change at once, run by shuttle under many schedules: sessions between stored
//! and live messages, tickets, and the table of sessions. The very source files are compiled here with other locks.
#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

#[path = "../src/activity.rs"]
mod activity;
#[path = "../src/addresses.rs"]
mod addresses;
#[path = "../src/announcement.rs"]
mod announcement;
#[path = "../src/blocking.rs"]
mod blocking;
#[path = "../src/certificates.rs"]
mod certificates;
#[path = "../src/client_kind.rs"]
mod client_kind;
#[path = "../src/contacts.rs"]
mod contacts;
#[path = "../src/copied.rs"]
mod copied;
#[path = "../src/directed.rs"]
mod directed;
#[path = "../src/managed.rs"]
mod managed;
#[path = "../src/outbox.rs"]
mod outbox;
#[path = "../src/proof.rs"]
mod proof;
#[path = "../src/session.rs"]
mod session;
#[path = "../src/sessions.rs"]
mod sessions;
#[path = "../src/stream_management.rs"]
mod stream_management;
#[path = "model/sync.rs"]
mod sync;
#[path = "../src/tickets.rs"]
mod tickets;
#[path = "../src/unshown.rs"]
mod unshown;

#[path = "model/binding.rs"]
mod binding;
#[path = "model/delivery.rs"]
mod delivery;
#[path = "model/presence.rs"]
mod presence;
#[path = "model/settling.rs"]
mod settling;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Schedules tried for each model.
const SCHEDULES: usize = 400;

/// Runs a model under random schedules, then under schedules with few preemptions, which find other mistakes.
fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(SCHEDULES), config.clone()).run(model.clone());
    Runner::new(PctScheduler::new(3, SCHEDULES), config).run(model);
}
