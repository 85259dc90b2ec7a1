//! The root of a running server: everything that lives longer than a stream hangs here, and there are no globals.
//! Built once by the binary's assembly, or by `for_test` on the memory store with a clock and a seed.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use metronome_model::{AccountId, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_store::journal::Journal;
use metronome_store::{Committed, Opened, Reads, StoreError, Writer, WriterLimits};
use tokio::sync::oneshot;

use crate::asked::Asked;
use crate::bits::Bits;
use crate::bytestreams::Bytestreams;
use crate::clock::Clock;
use crate::command::dialogs::Dialogs;
use crate::components::Components;
use crate::control::Control;
use crate::counters::Counters;
use crate::departures::Departures;
use crate::derivations::Derivations;
use crate::effect::Effects;
use crate::envelope::Envelope;
use crate::facts::Facts;
use crate::feature::Feature;
use crate::gate::Gate;
use crate::guests::Guests;
use crate::hosts::{Host, Hosts, UNSEEN};
use crate::interests::Interests;
use crate::linked::Linked;
use crate::lost::Lost;
use crate::nodes::Nodes;
use crate::options::Values;
use crate::outside::Outside;
use crate::owners::Owners;
use crate::registry::Registry;
use crate::remote_clients::RemoteClients;
use crate::remotes::Remotes;
use crate::reserved::Reserved;
use crate::rng::Rng;
use crate::rooms::Rooms;
use crate::services::Notices;
use crate::sessions::Sessions;
use crate::sync::Mutex;
use crate::throttle::Throttles;
use crate::upkeep::Upkeep;
use crate::uploads::Uploads;
use crate::visitors::Visitors;
use crate::waves::Waves;

/// What travels beside a record through the writer.
#[derive(Debug)]
pub enum Load {
    /// A stanza: its worker delivers it.
    Stanza(Box<Envelope>),
    /// A change that an administrator or the server itself waits for, with what happens once it is durable.
    Asked(Effects, oneshot::Sender<Outcome>),
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
    /// Nodes that were asked for lately.
    pub nodes: Nodes,
    /// Small images that were said in rooms.
    pub bits: Bits,
    /// Nodes for which something happens without a request.
    pub upkeep: Upkeep,
    /// Files of accounts.
    pub uploads: Arc<Uploads>,
    /// Transfers between people.
    pub bytestreams: Arc<Bytestreams>,
    /// Rooms that are in use.
    pub rooms: Rooms,
    /// Names of rooms that are somebody's.
    pub reserved: Reserved,
    /// Accounts that are no more and whom rooms may still know.
    pub removed: Mutex<Vec<(AccountId, Jid)>>,
    /// The locks under which stored state is changed.
    pub owners: Arc<Owners>,
    /// Guests on their way in and out.
    pub guests: Guests,
    /// What waits for other servers.
    pub remotes: Arc<Remotes>,
    /// The streams of components, and what waits for them.
    pub components: Components,
    /// Requests of the server's own.
    pub asked: Asked,
    /// What clients want to hear of.
    pub interests: Interests,
    /// Clients on other servers that want to hear of something.
    pub remote_clients: RemoteClients,
    /// Clients on other servers that have shown themselves to a service.
    pub visitors: Visitors,
    /// Sessions that are woken together.
    pub waves: Arc<Waves>,
    /// Accounts that have lost a session under stream management.
    pub lost: Lost,
    /// What services are being told of accounts.
    pub notices: Notices,
    /// Accounts that have gone and when, waiting to be stored in one batch.
    pub departures: Mutex<Departures>,
    /// Commands that are being filled in.
    pub dialogs: Dialogs,
    /// What all features answer.
    pub registry: Arc<Registry>,
    /// Time.
    pub clock: Clock,
    /// Random bytes.
    pub rng: Rng,
    /// What is counted.
    pub counters: Counters,
    /// Turns at deriving keys from passwords.
    pub derivations: Derivations,
    /// The number of the next stream that is stored to be resumed; 0 where nothing outlives the process.
    pub next_stream: AtomicU64,
    /// What was sent on streams that are stored; none where nothing outlives the process.
    pub journal: OnceLock<Journal>,
    /// Streams with other servers.
    pub linked: Arc<Linked>,
    /// Which remote domains are spoken with.
    pub gate: Gate,
    /// What may happen only so often.
    pub throttles: Throttles,
    /// Mixed into the salts that unknown users are shown, so that they look like accounts; from the store.
    pub fake_salt_secret: Box<[u8]>,
    /// Archive ids that clients have proved to have, waiting to be cleared in one batch.
    pub seen: Mutex<Vec<Proved>>,
    /// What commands ask of the network; see [`Server::outside`].
    pub surroundings: OnceLock<Box<dyn Outside>>,
    /// Requests to the process.
    pub control: Control,
}

/// Archive rows that an account's client has proved to have.
#[derive(Debug)]
pub struct Proved {
    /// Whose rows.
    pub owner: AccountId,
    /// Ranges of ids, both ends included.
    pub ids: Vec<(u64, u64)>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("sessions", &self.sessions.count()).finish_non_exhaustive()
    }
}

/// What a server in a test is made of.
#[doc(hidden)]
pub struct ForTest {
    /// Mostly the memory store, with the switches of `metronome_store::backend::faults` before it.
    pub opened: Opened,
    /// All settings of the features and of the crates below.
    pub values: Values,
    /// What the server answers.
    pub features: &'static [&'static Feature],
    /// The served domains.
    pub domains: &'static [&'static str],
    /// Of every random byte.
    pub seed: u64,
}

/// Tells those who wait for a record what became of it, and delivers nothing: for a server made [for a test](Server::for_test) without workers.
#[doc(hidden)]
pub fn only_answer(batch: Vec<Committed<Load>>) {
    for committed in batch {
        if let Load::Asked(_, sender) = committed.load {
            drop(sender.send(committed.outcome));
        }
    }
}

impl Server {
    /// A server without sockets, timers and workers, with a clock that the test moves. `committed` is what
    /// [`Writer::start`] calls. Panics if a domain is not one.
    #[doc(hidden)]
    pub fn for_test(
        parts: ForTest,
        committed: impl FnMut(Vec<Committed<Load>>) + Send + 'static,
    ) -> Result<Arc<Server>, StoreError> {
        /// Some Sunday in 2001.
        const START_MS: u64 = 1_000_000_000_000;
        let ForTest { opened, values, features, domains, seed } = parts;
        let registry = Arc::new(Registry::new(features));
        let host = |domain: &&str| {
            Host::new(Jid::parse(domain).expect("a test serves domains"), values.clone(), registry.clone(), None)
        };
        let hosts = Hosts::new(values.clone(), domains.iter().map(host).collect());
        let limits = WriterLimits { unseen_max: values.count(&UNSEEN), ..WriterLimits::default() };
        Ok(Arc::new(Server {
            hosts: ArcSwap::from_pointee(hosts),
            sessions: Sessions::default(),
            store: opened.store,
            writer: Writer::start(opened.backend, limits, committed)?,
            facts: Facts::default(),
            nodes: Nodes::default(),
            rooms: Rooms::default(),
            bits: Bits::default(),
            reserved: Reserved::default(),
            removed: Mutex::default(),
            owners: Arc::default(),
            guests: Guests::default(),
            remotes: Arc::default(),
            components: Components::default(),
            asked: Asked::default(),
            interests: Interests::default(),
            remote_clients: RemoteClients::default(),
            visitors: Visitors::default(),
            waves: Arc::default(),
            lost: Lost::default(),
            notices: Notices::default(),
            departures: Mutex::default(),
            dialogs: Dialogs::default(),
            registry,
            clock: Clock::manual(START_MS),
            rng: Rng::seeded(seed),
            counters: Counters::default(),
            derivations: Derivations::default(),
            next_stream: AtomicU64::new(1),
            journal: OnceLock::new(),
            linked: Arc::default(),
            gate: Gate::default(),
            throttles: Throttles::default(),
            upkeep: Upkeep::default(),
            uploads: Arc::default(),
            bytestreams: Arc::default(),
            fake_salt_secret: Box::default(),
            seen: Mutex::default(),
            surroundings: OnceLock::new(),
            control: Control::default(),
        }))
    }

    /// Makes a change durable and waits for the outcome; for changes that come from commands, not from stanzas.
    pub async fn commit(&self, record: Record) -> Outcome {
        self.commit_with(record, Effects::new()).await
    }

    /// Makes a change durable, then lets the world see it; returns when both are done. If it did not become durable nothing is seen.
    ///
    /// Goes on to its end even if the caller gives up waiting.
    pub async fn commit_with(&self, record: Record, effects: Effects) -> Outcome {
        const BYTES: usize = 4096;
        let permit = self.writer.permit(BYTES + record.extra_bytes()).await;
        let (sender, receiver) = oneshot::channel();
        self.writer.submit(permit, record, Load::Asked(effects, sender));
        receiver.await.unwrap_or(Outcome::Unavailable(metronome_model::Unavailable::Stopping))
    }

    /// Makes a change of bulk work durable, behind what people wait for, and waits for the outcome.
    pub async fn commit_bulk(&self, record: Record) -> Outcome {
        const BYTES: usize = 4096;
        let permit = self.writer.permit(BYTES + record.extra_bytes()).await;
        let (sender, receiver) = oneshot::channel();
        self.writer.submit_bulk(permit, record, Load::Asked(Effects::new(), sender));
        receiver.await.unwrap_or(Outcome::Unavailable(metronome_model::Unavailable::Stopping))
    }

    /// Clears what clients of this account have proved and what of it is on its way to the store; when this returns, what the
    /// store calls unseen nobody has proved.
    pub async fn settle_seen(&self, owner: AccountId) {
        let mut ids = Vec::new();
        self.seen.lock().retain_mut(|proved| {
            let keep = proved.owner != owner;
            if !keep {
                ids.append(&mut proved.ids);
            }
            keep
        });
        // Even with nothing to clear it comes behind what was submitted before. If it fails, rows are handed over once more.
        let _ = self.commit(Record::of(Op::Seen { owner, ids })).await;
    }

    /// Notes that a client has proved to have these rows; they are cleared with the next batch.
    pub fn note_seen(&self, owner: AccountId, ids: Vec<(u64, u64)>) {
        if !ids.is_empty() {
            self.seen.lock().push(Proved { owner, ids });
        }
    }
}
