//! A server in one process: the memory store behind a disk that fails on command, real workers, and clients without
//! sockets whose tasks are polled as `net` polls them. Nothing here sleeps; what never comes ends a test by its time limit.
#![allow(dead_code, unreachable_pub)]

pub mod far;

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metronome_host::feature::Feature;
use metronome_host::hosts::Host;
use metronome_host::options::{Setting, Values};
use metronome_host::outbox::Drained;
use metronome_host::server::{ForTest, Server};
use metronome_host::session::{Bound, Session};
use metronome_model::{Account, AccountId, AccountState, ArchivedRow, Op, Record, Role};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::Received;
use metronome_proto::xml::{Item, Limits, Scanner};
use metronome_route::inflight::InFlight;
use metronome_route::workers::Workers;
use metronome_route::{catch_up, presence, timers};
use metronome_store::backend::faults::Faults;
use metronome_store::backend::{memory, split, sqlite};
use metronome_store::{Opened, StoreError, WriterLimits};
use tokio::task::JoinHandle;

/// Longer than anything here can take; only a test that fails waits for it.
const LIMIT: Duration = Duration::from_secs(20);

pub struct World {
    pub server: Arc<Server>,
    pub faults: Faults,
    workers: Vec<JoinHandle<()>>,
    /// Where everything is, for one that can be started again.
    file: Option<PathBuf>,
}

impl Drop for World {
    fn drop(&mut self) {
        // The writer's thread ends with the server, and must not stand at a stall then.
        self.faults.release();
    }
}

impl World {
    /// A server with the default settings and the accounts `alice`, `bob` and `carol` of `localhost`.
    pub async fn new() -> World {
        World::with(&[], metronome_features::ALL).await
    }

    /// A server with these settings changed, written as in TOML, and these features.
    pub async fn with(settings: &[(&str, &str)], features: &'static [&'static Feature]) -> World {
        let world = World::start(memory::open(), settings, features);
        for name in ["alice", "bob", "carol"] {
            world.add(name).await;
        }
        world
    }

    /// The same as [`World::new`] with its store in a file, so that it can be started again.
    pub async fn on_disk(file: &Path) -> World {
        let mut world = World::start(open_file(file), &[], metronome_features::ALL);
        world.file = Some(file.to_owned());
        for name in ["alice", "bob", "carol"] {
            world.add(name).await;
        }
        world
    }

    /// Ends the server, whose sessions are lost without a word, and starts another one on the same file.
    pub async fn restart(&mut self) {
        let file = self.file.clone().expect("a world that can be started again");
        // The writer's end closes the file.
        self.server.writer.shutdown();
        self.workers.drain(..).for_each(|worker| worker.abort());
        let mut world = World::start(open_file(&file), &[], metronome_features::ALL);
        world.file = Some(file);
        *self = world;
    }

    fn start(opened: Opened, settings: &[(&str, &str)], features: &'static [&'static Feature]) -> World {
        let mut tables: Vec<&'static [Setting]> = features.iter().map(|feature| feature.settings).collect();
        tables.push(timers::SETTINGS);
        tables.push(metronome_host::remotes::SETTINGS);
        let values =
            settings.iter().fold(Values::defaults(&tables), |values, (key, literal)| values.with(key, literal));
        let (opened, faults) = Faults::wrap(opened);
        let opened = split::open(opened);
        let workers = Workers::new(2);
        let committed = workers.clone();
        let parts = ForTest { opened, values, features, domains: &["localhost", "other.example"], seed: 1 };
        let server = Server::for_test(parts, move |batch| committed.committed(batch)).unwrap();
        let spawned = (0..workers.count()).map(|index| tokio::spawn(workers.clone().run(server.clone(), index)));
        World { workers: spawned.collect(), server, faults, file: None }
    }

    pub async fn add(&self, name: &str) {
        let account = Box::new(Account {
            id: AccountId::ordinary(self.server.rng.bytes16()),
            host: "localhost".into(),
            name: name.into(),
            role: Role::User,
            state: AccountState::Active,
            auth_epoch: 0,
            created_ms: self.server.clock.unix_ms(),
        });
        let outcome = self.server.commit(Record::of(Op::AddAccount { account, keys: Vec::new() })).await;
        assert!(outcome.is_done(), "{outcome:?}");
    }

    pub async fn id(&self, name: &str) -> AccountId {
        self.server.store.account("localhost", name).await.unwrap().unwrap().id
    }

    /// All rows of an account.
    pub async fn rows(&self, name: &str) -> Vec<ArchivedRow> {
        let (owner, mut rows) = (self.id(name).await, Vec::<ArchivedRow>::new());
        loop {
            let after = rows.last().map_or(0, |row| row.id);
            let mut page = self.server.store.rows(owner, vec![(after + 1, u64::MAX)], 10_000).await.unwrap();
            if page.is_empty() {
                return rows;
            }
            rows.append(&mut page);
        }
    }

    /// The unseen rows of an account.
    pub async fn unseen(&self, name: &str) -> Vec<ArchivedRow> {
        self.server.store.unseen(self.id(name).await, 0, 10_000).await.unwrap()
    }

    /// A bound session, not available yet.
    pub async fn connect(&self, jid: &str) -> Client {
        let jid = Jid::parse(jid).unwrap();
        let account = self.id(jid.local().unwrap()).await;
        let host = self.server.hosts.load().get(jid.domain()).unwrap().clone();
        let bound = Bound {
            jid,
            account,
            since_ms: self.server.clock.unix_ms(),
            heard_ms: self.server.clock.steady_ms(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 5,
            mechanism: "PLAIN",
        };
        let session = self.server.sessions.bind(bound, host.bind, String::new).unwrap().session;
        Client::new(self.server.clone(), host, session)
    }

    /// A session that is available and live.
    pub async fn available(&self, jid: &str) -> Client {
        let mut client = self.connect(jid).await;
        client.send("<presence/>");
        client.until(&format!("<presence from='{jid}'")).await;
        client.until("/>").await;
        while client.session.catch_up().is_some() {
            client.turn().await;
        }
        client
    }

    /// One tick of the server's clock, then everything that was submitted before is committed.
    pub async fn tick(&self) {
        timers::tick(&self.server);
        self.committed().await;
    }

    /// Waits until every permit of the writer is back.
    pub async fn all_permits(&self) {
        let all = WriterLimits::default().permit_bytes_max;
        tokio::time::timeout(LIMIT, self.server.writer.permit(all)).await.expect("every permit comes back");
    }

    /// Waits until everything submitted so far is committed.
    pub async fn committed(&self) {
        let _ = self.server.commit(Record::default()).await;
    }
}

fn open_file(file: &Path) -> Opened {
    sqlite::open(file, sqlite::Options::default()).unwrap()
}

/// A session with its task, polled by the test.
pub struct Client {
    pub server: Arc<Server>,
    pub host: Arc<Host>,
    pub session: Arc<Session>,
    pub list: InFlight,
    /// Written and not yet looked at.
    pub text: String,
    scanner: Scanner,
    page: Option<BoxFuture<'static, Result<(), StoreError>>>,
    /// Whether the outbox is drained, as when the client reads.
    pub reads: bool,
    out: Vec<u8>,
}

impl Client {
    fn new(server: Arc<Server>, host: Arc<Host>, session: Arc<Session>) -> Client {
        let mut scanner = Scanner::new(Limits::CLIENT);
        let mut header: &[u8] =
            b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        assert!(matches!(scanner.next(&mut header), Ok(Some(Item::Open(_)))));
        let list = InFlight::new(session.tickets.clone());
        Client { server, host, session, list, text: String::new(), scanner, page: None, reads: true, out: Vec::new() }
    }

    /// Reads one stanza as raw XML.
    pub fn read(&mut self, xml: &str) -> Received {
        let mut rest = xml.as_bytes();
        let Ok(Some(Item::Element(element))) = self.scanner.next(&mut rest) else { panic!("{xml} is one stanza") };
        Received::read(element, ns::CLIENT).unwrap()
    }

    /// Puts one stanza into the in-flight list, which must have room.
    pub fn send(&mut self, xml: &str) {
        assert!(self.list.has_room(), "a full list is not read into");
        let read = self.read(xml);
        metronome_route::from_client(&self.server, &self.session, read, &mut self.list);
    }

    /// As `send`, waiting for room.
    pub async fn send_waiting(&mut self, xml: &str) {
        self.wait(|client| client.list.has_room()).await;
        self.send(xml);
    }

    /// What `net` does when its task is woken; true if something moved.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let _ = self.list.poll(&self.server, cx);
        let mut moved = presence::go_on_showing(&self.server, &self.session);
        if self.page.is_none()
            && let Some(at) = self.session.catch_up()
        {
            self.page = Some(Box::pin(catch_up::next_page(self.server.clone(), self.session.clone(), at)));
        }
        if let Some(page) = &mut self.page
            && let Poll::Ready(read) = page.as_mut().poll(cx)
        {
            read.unwrap();
            self.page = None;
            moved = true;
        }
        self.out.clear();
        if self.reads && self.session.poll_drain(cx, &mut self.out, 16 * 1024) == Poll::Ready(Drained::Frames) {
            self.text.push_str(std::str::from_utf8(&self.out).unwrap());
            moved = true;
        }
        moved
    }

    /// Runs this client's task until `done`.
    pub async fn wait(&mut self, done: impl Fn(&Client) -> bool) {
        let waited = tokio::time::timeout(
            LIMIT,
            poll_fn(|cx| {
                while self.poll(cx) {}
                if done(self) {
                    return Poll::Ready(());
                }
                Poll::Pending
            }),
        );
        if waited.await.is_err() {
            let from = (0..=self.text.len().saturating_sub(2000)).rev().find(|&at| self.text.is_char_boundary(at));
            panic!("it never came; at the end there was: {}", &self.text[from.unwrap_or(0)..]);
        }
    }

    /// Lets this client's task and all others run once.
    pub async fn turn(&mut self) {
        poll_fn(|cx| {
            while self.poll(cx) {}
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    }

    /// Everything up to and including the first `end`.
    pub async fn until(&mut self, end: &str) -> String {
        self.wait(|client| client.text.contains(end)).await;
        let at = self.text.find(end).unwrap() + end.len();
        let rest = self.text.split_off(at);
        std::mem::replace(&mut self.text, rest)
    }

    /// Waits until everything sent is settled; answers all that was written so far.
    pub async fn settled(&mut self) -> String {
        let server = self.server.clone();
        let settled = poll_fn(|cx| {
            while self.poll(cx) {}
            ready!(self.list.poll_empty(&server, cx));
            while self.poll(cx) {}
            Poll::Ready(())
        });
        tokio::time::timeout(LIMIT, settled).await.expect("every stanza is settled");
        std::mem::take(&mut self.text)
    }

    /// Everything written before the answer to a ping of the host, which waits for nothing but the outbox.
    pub async fn so_far(&mut self) -> String {
        self.send_waiting("<iq type='get' to='localhost' id='so-far'><ping xmlns='urn:xmpp:ping'/></iq>").await;
        let text = self.until("id='so-far' type='result'/>").await;
        text[..text.rfind("<iq ").unwrap()].to_owned()
    }

    /// The connection is lost.
    pub fn lose(self) {
        presence::gone(&self.server, &self.session);
        self.session.shut();
    }
}

/// The text of every `<body/>`, in order.
pub fn bodies(text: &str) -> Vec<&str> {
    text.split("<body>").skip(1).filter_map(|rest| rest.split("</body>").next()).collect()
}

/// The archive ids that the messages carry, in order.
pub fn ids(text: &str) -> Vec<u64> {
    text.split("<stanza-id ")
        .skip(1)
        .filter_map(|rest| rest.split(" id='").nth(1)?.split('\'').next()?.parse().ok())
        .collect()
}
