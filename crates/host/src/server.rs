//! The root of a running server: everything that lives longer than a stream hangs here, and there are no globals.
//! Built once by the binary's assembly, or by `for_test` on the memory store with a clock and a seed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use metronome_model::{AccountId, Outcome, Record};
use metronome_store::{Reads, Writer};
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::counters::Counters;
use crate::envelope::Envelope;
use crate::facts::Facts;
use crate::hosts::Hosts;
use crate::registry::Registry;
use crate::rng::Rng;
use crate::sessions::Sessions;
use crate::sync::Mutex;

/// What travels beside a record through the writer.
#[derive(Debug)]
pub enum Load {
    /// A stanza: its worker delivers it.
    Stanza(Box<Envelope>),
    /// A change that an administrator or the server itself waits for.
    Asked(oneshot::Sender<Outcome>),
    /// A change that nobody waits for.
    Quiet,
}

/// A running server.
pub struct Server {
    /// The served domains.
    pub hosts: ArcSwap<Hosts>,
    /// Who is online.
    pub sessions: Sessions,
    /// What is stored.
    pub store: Arc<dyn Reads>,
    /// The way of every change into the store.
    pub writer: Writer<Load>,
    /// What admission knows of accounts.
    pub facts: Facts,
    /// What all features answer.
    pub registry: Arc<Registry>,
    /// Time.
    pub clock: Clock,
    /// Random bytes.
    pub rng: Rng,
    /// What is counted.
    pub counters: Counters,
    /// Mixed into the salts that unknown users are shown, so that they look like accounts; from the store.
    pub fake_salt_secret: Box<[u8]>,
    /// Archive ids that clients have proved to have, waiting to be cleared in one batch.
    pub seen: Mutex<Vec<(AccountId, Vec<(u64, u64)>)>>,
    /// Requests to the process.
    pub control: Control,
}

/// Reads the configuration again and puts it into force: what changed, or why nothing did.
pub type Reload = Box<dyn Fn(&Arc<Server>) -> Result<String, String> + Send + Sync>;

/// What an administrator asks of the process itself.
#[derive(Default)]
pub struct Control {
    stopping: AtomicBool,
    stop: Notify,
    reload: OnceLock<Reload>,
}

impl Control {
    /// Begins an orderly stop.
    pub fn request_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }

    /// Whether the server is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for the stop.
    pub async fn stopped(&self) {
        let notified = self.stop.notified();
        if !self.is_stopping() {
            notified.await;
        }
    }

    /// How a reload is done; said once, by whoever has read the configuration.
    pub fn on_reload(&self, reload: Reload) {
        let _ = self.reload.set(reload);
    }

    /// Reloads: what changed, or why nothing did.
    pub fn reload(&self, server: &Arc<Server>) -> Result<String, String> {
        match self.reload.get() {
            Some(reload) => reload(server),
            None => Err("this server has no configuration to read again".to_owned()),
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("sessions", &self.sessions.count()).finish_non_exhaustive()
    }
}

impl Server {
    /// Makes a change durable and waits for the outcome; for changes that come from commands, not from stanzas.
    pub async fn commit(&self, record: Record) -> Outcome {
        const BYTES: usize = 4096;
        let permit = self.writer.permit(BYTES).await;
        let (sender, receiver) = oneshot::channel();
        self.writer.submit(permit, record, Load::Asked(sender));
        receiver.await.unwrap_or(Outcome::Unavailable(metronome_model::Unavailable::Stopping))
    }

    /// Notes that a client has proved to have these rows; they are cleared with the next batch.
    pub fn note_seen(&self, owner: AccountId, ids: Vec<(u64, u64)>) {
        if !ids.is_empty() {
            self.seen.lock().push((owner, ids));
        }
    }
}
