//! Builds a server from its configuration, in order, and starts it. Read from the top; everything is here.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use metronome_features::accounts::guests;
use metronome_features::federation;
use metronome_features::mam::retention;
use metronome_features::muc;
use metronome_features::pubsub::upkeep;
use metronome_features::upload;
use metronome_host::clock::Clock;
use metronome_host::components::Added;
use metronome_host::counters::Counters;
use metronome_host::derivations::Derivations;
use metronome_host::hosts;
use metronome_host::options::Values;
use metronome_host::registry::Registry;
use metronome_host::rng::Rng;
use metronome_host::server::{Load, Server};
use metronome_host::sessions::Sessions;
use metronome_model::{Op, Outcome, Record};
use metronome_net::admission::Admission;
use metronome_net::c2s::managed::take_up;
use metronome_net::c2s::resume::Doors;
use metronome_net::control::{self, ControlError, ControlSocket, SocketFile};
use metronome_net::dns::Resolver;
use metronome_net::listen::Listeners;
use metronome_net::outside::Network;
use metronome_net::s2s::Federation;
use metronome_net::tls;
use metronome_route::workers::Workers;
use metronome_route::{remotes, rooms, server_info, timers};
use metronome_store::backend::{memory, split, sqlite};
use metronome_store::journal::Journal;
use metronome_store::uploads::Uploads;
use metronome_store::{Opened, Reads, Writer, WriterLimits};
use tokio::task::JoinHandle;

use crate::domains::{Domains, When};
use crate::process::{Process, take_over};
use crate::tables::{BACKEND, DATA, commands};
use crate::unfit;

/// A server that answers.
pub struct Running {
    /// Its root.
    pub server: Arc<Server>,
    /// The budgets of its listeners, which know how many connections there are.
    pub admission: Arc<Admission>,
    /// Its streams with other servers.
    pub federation: Arc<Federation>,
    /// Where clients can connect.
    pub addresses: Vec<SocketAddr>,
    /// Where `metronomectl` can.
    pub control: PathBuf,
    /// Ends once the control socket has given its last answer, which is after the stop.
    pub answering: JoinHandle<SocketFile>,
}

/// Builds and starts everything. Inside of the runtime; what fails here is told to the administrator as it is.
///
/// Commands find `process` from the first one on.
pub async fn start(process: Process) -> anyhow::Result<Running> {
    let configuration = process.current();
    let values = configuration.values();
    metronome_sasl::self_test().context("the cryptography of this build is broken")?;

    // Ports first: a second server on this machine should not get as far as the first one's data.
    let of_control = |why| anyhow::anyhow!("{}", unfit::control(&configuration, &why));
    let listeners = Listeners::bind(values).map_err(|taken| match control::is_free(values) {
        // Whose data these are has mostly the ports as well: other ports would not help.
        Err(in_use @ ControlError::InUse(_)) => of_control(in_use),
        _ => taken.into(),
    })?;
    let control = ControlSocket::open(values).map_err(of_control)?;

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let registry = Arc::new(Registry::new(metronome_features::ALL));
    let (certificates, authorities) = (process.certificates.clone(), process.authorities.clone());
    let domains = Domains { configuration: &configuration, registry: &registry, certificates: &certificates };
    let Opened { store, backend } = open_store(values)?;
    let stored = store.hosts().await.context("the store cannot be read")?;
    let added = Added::load(&*store).await.context("the store cannot be read")?;
    let hosts = domains.all(&stored, &added, When::Start).map_err(|problem| anyhow::anyhow!("{problem}"))?;
    for note in domains.notes(&hosts) {
        tracing::warn!("{note}");
    }
    let workers = Workers::new(cores);
    let limits = WriterLimits { unseen_max: values.count(&hosts::UNSEEN), ..WriterLimits::default() };
    let writer = {
        let workers = workers.clone();
        Writer::start(backend, limits, move |batch| workers.committed(batch)).context("no thread for the store")?
    };
    let fake_salt_secret = fake_salt_secret(&*store, &writer).await?;

    let server = Arc::new(Server {
        hosts: ArcSwap::from_pointee(hosts),
        sessions: Sessions::default(),
        store,
        writer,
        facts: Default::default(),
        nodes: Default::default(),
        rooms: Default::default(),
        bits: Default::default(),
        owners: Default::default(),
        guests: Default::default(),
        remotes: Default::default(),
        components: Default::default(),
        asked: Default::default(),
        interests: Default::default(),
        remote_clients: Default::default(),
        visitors: Default::default(),
        waves: Default::default(),
        lost: Default::default(),
        notices: Default::default(),
        departures: Default::default(),
        dialogs: Default::default(),
        registry: registry.clone(),
        clock: Clock::system(),
        rng: Rng::System,
        counters: Counters::default(),
        derivations: Derivations::new(cores),
        next_stream: Default::default(),
        journal: Default::default(),
        linked: Default::default(),
        gate: Default::default(),
        throttles: Default::default(),
        upkeep: Default::default(),
        reserved: Default::default(),
        removed: Default::default(),
        uploads: Default::default(),
        bytestreams: Default::default(),
        fake_salt_secret,
        seen: Default::default(),
        surroundings: Default::default(),
        control: Default::default(),
    });
    if let Some(folder) = open_uploads(values)? {
        server.uploads.set_folder(folder);
    }
    server.gate.load(&*server.store, server.clock.unix_ms()).await.context("the store cannot be read")?;
    for index in 0..workers.count() {
        tokio::spawn(workers.clone().run(server.clone(), index));
    }
    remotes::take_up(&server).await.context("what waits for other servers cannot be read")?;
    tokio::spawn(rooms::run(server.clone()));
    tokio::spawn(timers::run(server.clone()));
    tokio::spawn(guests::run(server.clone()));
    tokio::spawn(retention::run(server.clone()));
    tokio::spawn(upkeep::run(server.clone()));
    tokio::spawn(upkeep::go_rounds(server.clone()));
    tokio::spawn(upload::upkeep::run(server.clone()));
    tokio::spawn(server_info::run(server.clone()));
    tokio::spawn(muc::upkeep::run(server.clone()));
    tokio::spawn(muc::upkeep::go_rounds(server.clone()));
    tokio::spawn(federation::run(server.clone()));
    tokio::spawn(tls::watch(server.clone()));

    let resolver = Arc::new(Resolver::new(values));
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let admission = Arc::new(Admission::new(cores).within(descriptors));
    let (ports, web_ports, socks_ports) = (listeners.purposes(), listeners.web_ports(), listeners.socks_ports());
    let network = Network { resolver: resolver.clone(), ports, web_ports, socks_ports, admission: admission.clone() };
    let _ = server.surroundings.set(Box::new(network));
    server.control.set_process(Box::new(process));
    let path = control.path().to_owned();
    let stop = server.clone();
    let serve = control.serve(server.clone(), commands(), async move { stop.control.stopped().await });
    let answering = tokio::spawn(serve);
    let addresses = listeners.addresses();
    let doors = Arc::new(Doors::default());
    if values.text(&BACKEND) != "memory" {
        let data = values.path(&DATA).context("server.data must not be empty")?;
        let (journal, written) = Journal::open(data).context("the journal of streams cannot be read")?;
        let _ = server.journal.set(journal);
        take_up(&server, &doors, &written).await.context("the sessions of the last run cannot be read")?;
    }
    rooms::take_up(&server).await.context("the rooms of the last run cannot be read")?;
    let federation = Federation::new(server.clone(), resolver, authorities)?;
    tokio::spawn(federation.clone().run());
    listeners.serve(&server, &admission, &doors, &federation);
    take_over(&server, &domains, &stored).await;
    Ok(Running { server, admission, federation, addresses, control: path, answering })
}

fn open_store(values: &Values) -> anyhow::Result<Opened> {
    if values.text(&BACKEND) == "memory" {
        return Ok(split::open(memory::open()));
    }
    let data = values.path(&DATA).context("server.data must not be empty")?;
    let made = DirBuilder::new().recursive(true).mode(0o750).create(data);
    made.with_context(|| format!("cannot make the data folder {}", data.display()))?;
    Ok(split::open(sqlite::open(&data.join("metronome.db"), sqlite::Options::default())?))
}

/// The folder of uploaded files. Without a database there need be no data folder, and then no files are kept.
fn open_uploads(values: &Values) -> anyhow::Result<Option<Uploads>> {
    let data = values.path(&DATA).context("server.data must not be empty")?;
    let folder = data.join("uploads");
    match Uploads::open(&folder) {
        Ok(uploads) => Ok(Some(uploads)),
        Err(error) if values.text(&BACKEND) == "memory" => {
            tracing::warn!(%error, "no files can be uploaded, since there is no folder for them");
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("the folder {} cannot be used", folder.display())),
    }
}

/// The secret behind the salts that unknown users are shown: made at the first start, then kept, so that they never change.
async fn fake_salt_secret(store: &dyn Reads, writer: &Writer<Load>) -> anyhow::Result<Box<[u8]>> {
    const KEY: &str = "fake-salt-secret";
    if let Some(secret) = store.meta(KEY).await? {
        return Ok(secret);
    }
    let secret: Box<[u8]> = metronome_sasl::token().into();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let record = Record::of(Op::SetMeta { key: KEY, value: secret.clone() });
    writer.submit(writer.permit(secret.len()).await, record, Load::Asked(Default::default(), sender));
    match receiver.await.context("the store has stopped")? {
        Outcome::Done { .. } => Ok(secret),
        other => anyhow::bail!("the store cannot be written: {other:?}"),
    }
}
