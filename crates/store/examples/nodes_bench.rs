//! What a page of a node's items costs: `cargo run --release -p metronome-store --example nodes_bench [items]`.
//! Fills one node with a million items of 300 bytes through the traits, every tenth of them published twice, then asks for pages of 50 as
//! clients do, one after another. Prints the median and the 99th percentile in microseconds, and pages per second of CPU time of the whole
//! process; then what it takes to publish one more item, and to give up all of them.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::mpsc;
use std::time::Instant;

use metronome_model::{Account, AccountId, AccountState, Item, NodeChange, NodeKind, Op, Record, Role};
use metronome_proto::jid::Jid;
use metronome_store::archive::From;
use metronome_store::backend::sqlite;
use metronome_store::nodes::{ItemSearch, ItemsFound, Order};
use metronome_store::{Committed, Store, Writer, WriterLimits};

const NODE: &str = "urn:xmpp:microblog:0";
const BATCH: u64 = 1000;
const START_MS: u64 = 1_700_000_000_000;
const APART_MS: u64 = 10_000;
const ROUNDS: u64 = 500;
const ROWS: usize = 50;

struct World {
    store: Store,
    writer: Writer<()>,
    done: mpsc::Receiver<usize>,
    items: u64,
}

fn main() {
    let items: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::fs::create_dir_all(&target).unwrap();
    let folder = tempfile::tempdir_in(target).unwrap();
    let opened = sqlite::open(&folder.path().join("bench.sqlite"), sqlite::Options::default()).unwrap();
    let (tell, done) = mpsc::channel();
    let writer = Writer::start(opened.backend, WriterLimits::default(), move |batch: Vec<Committed<()>>| {
        assert!(batch.iter().all(|committed| committed.outcome.is_done()));
        tell.send(batch.len()).unwrap();
    });
    let world = World { store: opened.store, writer: writer.unwrap(), done, items };
    let began = Instant::now();
    world.fill();
    println!("{items} items in one node, filled in {:.1} s", began.elapsed().as_secs_f64());
    println!("{:<36} {:>9} {:>9} {:>12}", "page of 50", "median us", "p99 us", "per CPU s");
    world.measure_pages();
    println!("{:<36} {:>9} {:>9}", "change, with its commit", "median us", "p99 us");
    world.measure_changes();
}

fn owner() -> AccountId {
    AccountId::from_bytes([7; 16])
}

/// Ids as clients make them: at random, so that neighbours in time are none in an index.
fn id(n: u64) -> Box<str> {
    format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into()
}

fn item(n: u64, at_ms: u64) -> Item {
    let publisher = Jid::parse("alice@example.org/phone").unwrap();
    let payload = format!("<entry xmlns='http://www.w3.org/2005/Atom'>{}</entry>", "x".repeat(250));
    Item { id: id(n), publisher, created_ms: at_ms, updated_ms: at_ms, payload: payload.as_bytes().into() }
}

fn change(change: NodeChange) -> Op {
    Op::Node { owner: owner(), name: NODE.into(), change: Box::new(change) }
}

fn publish(n: u64, at_ms: u64) -> Op {
    change(NodeChange::Publish { item: item(n, at_ms), keep: u64::MAX })
}

impl World {
    fn submit(&self, op: Op) {
        self.writer.submit(self.writer.try_permit(1024).unwrap(), Record::of(op), ());
    }

    fn wait(&self, mut left: usize) {
        while left > 0 {
            left -= self.done.recv().unwrap();
        }
    }

    fn fill(&self) {
        let (role, state) = (Role::User, AccountState::Active);
        let (host, name) = ("example.org".into(), "alice".into());
        let account = Account { id: owner(), host, name, role, state, auth_epoch: 0, created_ms: 0 };
        self.submit(Op::AddAccount { account: Box::new(account), keys: Vec::new() });
        let (kind, creator) = (NodeKind::Leaf, Jid::parse("alice@example.org").unwrap());
        let (config, collections, at_ms) = (Box::default(), Vec::new(), START_MS);
        self.submit(change(NodeChange::Create { kind, config, collections, creator, at_ms }));
        self.wait(2);
        let mut waiting = 0;
        for n in 0..self.items {
            let at_ms = START_MS + n * APART_MS;
            self.submit(publish(n, at_ms));
            waiting += 1;
            if n % 10 == 0 {
                self.submit(publish(n / 2, at_ms));
                waiting += 1;
            }
            if waiting as u64 >= BATCH {
                self.wait(std::mem::take(&mut waiting));
            }
        }
        self.wait(waiting);
    }

    fn measure_pages(&self) {
        let mut random = fastrand::Rng::with_seed(7);
        let mut any = || random.u64(..self.items);
        let newest = ItemSearch { rows_max: ROWS, ..ItemSearch::default() };
        for (order, by) in [(Order::Modified, "modified"), (Order::Created, "created")] {
            let newest = ItemSearch { order, ..newest.clone() };
            let oldest = ItemSearch { from: From::First, ..newest.clone() };
            self.measure(&format!("newest, by {by}"), || newest.clone());
            self.measure(&format!("oldest, by {by}"), || oldest.clone());
            self.measure(&format!("after an item, by {by}"), || ItemSearch {
                after: Some(id(any())),
                ..oldest.clone()
            });
            self.measure(&format!("before an item, by {by}"), || ItemSearch {
                before: Some(id(any())),
                ..newest.clone()
            });
            self.measure(&format!("by its place, by {by}"), || ItemSearch { skip: any(), ..newest.clone() });
            self.measure(&format!("since a time, by {by}"), || ItemSearch {
                from_ms: START_MS + any() * APART_MS,
                ..newest.clone()
            });
            self.measure(&format!("of a day, by {by}"), || {
                let from_ms = START_MS + any() * APART_MS;
                ItemSearch { from_ms, to_ms: from_ms + 86_400_000, ..oldest.clone() }
            });
            self.measure(&format!("counted alone, by {by}"), || ItemSearch { rows_max: 0, ..newest.clone() });
        }
        let by_ids = || self.store.items_by_id(owner(), NODE, (0..ROWS).map(|_| id(any())).collect());
        measure("by fifty ids", by_ids, |items| assert_eq!(items.len(), ROWS.min(items.len())));
        measure(
            "the newest of three nodes",
            || self.store.newest_items(owner(), vec![NODE.into(), "none".into(), "other".into()]),
            |items| assert_eq!(items.len(), 1),
        );
        measure("the node itself", || self.store.node(owner(), NODE), |node| assert!(node.is_some()));
    }

    fn measure(&self, name: &str, mut search: impl FnMut() -> ItemSearch) {
        measure(
            name,
            || self.store.items(owner(), NODE, search()),
            |found| {
                let ItemsFound::Page(page) = found else { panic!("{found:?}") };
                assert!(page.rows.len() <= ROWS && page.count.all <= self.items);
            },
        );
    }

    fn measure_changes(&self) {
        let mut n = self.items;
        self.measure_change("publish", || {
            n += 1;
            publish(n, START_MS + n * APART_MS)
        });
        self.measure_change("publish, the oldest goes", || {
            n += 1;
            let keep = self.items + ROUNDS;
            change(NodeChange::Publish { item: item(n, START_MS + n * APART_MS), keep })
        });
        let mut old = self.items / 2;
        self.measure_change("publish again", || {
            old += 1;
            publish(old, START_MS + n * APART_MS)
        });
        for (name, last) in [("trim to half", NodeChange::Trim { keep: self.items / 2 }), ("purge", NodeChange::Purge)]
        {
            let began = Instant::now();
            self.submit(change(last));
            self.wait(1);
            println!("{name:<36} {:>9.0}", began.elapsed().as_secs_f64() * 1e6);
        }
    }

    fn measure_change(&self, name: &str, mut op: impl FnMut() -> Op) {
        let took = (0..ROUNDS).map(|_| {
            let began = Instant::now();
            self.submit(op());
            self.wait(1);
            began.elapsed().as_secs_f64() * 1e6
        });
        let (median, p99) = spread(took.collect());
        println!("{name:<36} {median:>9.0} {p99:>9.0}");
    }
}

fn measure<R>(name: &str, mut read: impl FnMut() -> metronome_store::Reading<R>, check: impl Fn(R)) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut took = Vec::new();
    let cpu = cpu_us();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let found = runtime.block_on(read()).unwrap();
        took.push(began.elapsed().as_secs_f64() * 1e6);
        check(found);
    }
    let per_second = ROUNDS as f64 / (cpu_us() - cpu) * 1e6;
    let (median, p99) = spread(took);
    println!("{name:<36} {median:>9.0} {p99:>9.0} {per_second:>12.0}");
}

/// The median and the 99th percentile.
fn spread(mut took: Vec<f64>) -> (f64, f64) {
    took.sort_by(f64::total_cmp);
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

/// CPU time of this process in microseconds.
fn cpu_us() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let ns = threads.map(|thread| {
        let stat = std::fs::read_to_string(thread.join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse::<f64>().unwrap()
    });
    ns.sum::<f64>() / 1000.0
}
