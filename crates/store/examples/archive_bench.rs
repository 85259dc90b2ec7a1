//! What a page of an archive costs: `cargo run --release -p metronome-store --example archive_bench [messages]`.
//! Fills one archive with a million messages with 100 people, then asks for pages of 50 as clients do, one after another, through the
//! traits. Prints the median and the 99th percentile in microseconds, and pages per second of CPU time of the whole process.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use metronome_model::{Account, AccountId, AccountState, Direction, Keep, Op, Outcome, Record, Role};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::{Received, Stanza};
use metronome_proto::xml::{Item, Limits, Scanner};
use metronome_store::archive::{Filter, Found, From, Search};
use metronome_store::backend::sqlite;
use metronome_store::{Store, Writer, WriterLimits};

const PEERS: u64 = 100;
const BATCH: u64 = 1000;
const START_MS: u64 = 1_700_000_000_000;
const APART_MS: u64 = 10_000;
const ROUNDS: u64 = 500;

fn main() {
    let messages: u64 = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::fs::create_dir_all(&target).unwrap();
    let folder = tempfile::tempdir_in(target).unwrap();
    let opened = sqlite::open(&folder.path().join("bench.sqlite"), sqlite::Options::default()).unwrap();
    let (store, began) = (opened.store, Instant::now());
    let (tell, done) = mpsc::channel();
    let writer =
        Writer::start(opened.backend, WriterLimits::default(), move |batch| {
            assert!(batch.iter().all(|committed: &metronome_store::Committed<()>| {
                matches!(committed.outcome, Outcome::Done { .. })
            }));
            tell.send(batch.len() as u64).unwrap();
        });
    fill(&writer.unwrap(), &done, messages);
    println!("{messages} messages with {PEERS} people, filled in {:.1} s", began.elapsed().as_secs_f64());
    println!("{:<28} {:>9} {:>9} {:>12}", "page of 50", "median us", "p99 us", "per CPU s");
    let last = |search| Search { from: From::Last, ..search };
    let with = |address: &str| Filter { with: Some(Jid::parse(address).unwrap()), ..Filter::default() };
    let of = |filter| Search { filter, counted_max: 500, ..Search::default() };
    let mut random = fastrand::Rng::with_seed(7);
    measure(&store, "last", |_| last(of(Filter::default())));
    measure(&store, "after a message", |_| {
        let after = random.u64(1..messages);
        Search { after, known: vec![after], ..of(Filter::default()) }
    });
    measure(&store, "last with somebody", |round| last(of(with(&address(round)))));
    measure(&store, "with somebody, by id", |round| Search {
        after: random.u64(1..messages),
        ..of(with(&address(round)))
    });
    measure(&store, "from a time on", |_| {
        let from_ms = START_MS + random.u64(..messages) * APART_MS;
        of(Filter { from_ms, ..Filter::default() })
    });
    measure(&store, "a day, with somebody", |round| {
        let from_ms = START_MS + random.u64(..messages) * APART_MS;
        of(Filter { from_ms, to_ms: from_ms + 86_400_000, ..with(&address(round)) })
    });
    measure(&store, "with one of the resources", |round| last(of(with(&format!("{}/phone", address(round))))));
    measure(&store, "with a stranger", |_| last(of(with("stranger@example.com"))));
    measure(&store, "counted alone", |_| Search { rows_max: 0, counted_max: 100_000, ..of(Filter::default()) });
}

fn address(n: u64) -> String {
    format!("peer{}@example.com", n % PEERS)
}

fn owner() -> AccountId {
    AccountId::from_bytes([7; 16])
}

fn fill(writer: &Writer<()>, done: &mpsc::Receiver<u64>, messages: u64) {
    let account = Account {
        id: owner(),
        host: "example.org".into(),
        name: "alice".into(),
        role: Role::User,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: 0,
    };
    let body = "x".repeat(100);
    let stanzas: Vec<Arc<Stanza>> = (0..PEERS)
        .map(|n| {
            let xml = format!(
                "<message from='{}/phone' to='alice@example.org' type='chat' id='a1b2'><body>{body}</body></message>",
                address(n)
            );
            Arc::new(stanza(&xml))
        })
        .collect();
    let submit = |op| writer.submit(writer.try_permit(1024).unwrap(), Record::of(op), ());
    submit(Op::AddAccount { account: Box::new(account), keys: Vec::new() });
    done.recv().unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    for batch in 0..messages.div_ceil(BATCH) {
        for n in 0..BATCH {
            submit(Op::Append {
                owner: owner(),
                at_ms: START_MS + (batch * BATCH + n) * APART_MS,
                direction: Direction::Received,
                keep: Keep::Archive,
                unseen: false,
                stanza: Arc::clone(&stanzas[random.usize(..stanzas.len())]),
            });
        }
        let mut left = BATCH;
        while left > 0 {
            left -= done.recv().unwrap();
        }
    }
}

fn measure(store: &Store, name: &str, mut search: impl FnMut(u64) -> Search) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut took = Vec::new();
    let cpu = cpu_us();
    for round in 0..ROUNDS {
        let search = search(round);
        let began = Instant::now();
        let found = runtime.block_on(store.search(owner(), search)).unwrap();
        took.push(began.elapsed().as_secs_f64() * 1e6);
        assert!(matches!(found, Found::Page(_)));
    }
    let per_second = ROUNDS as f64 / (cpu_us() - cpu) * 1e6;
    took.sort_by(f64::total_cmp);
    let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!("{name:<28} {median:>9.0} {p99:>9.0} {per_second:>12.0}");
}

fn stanza(xml: &str) -> Stanza {
    let mut input = xml.as_bytes();
    let Ok(Some(Item::Element(element))) = Scanner::elements(Limits::CLIENT).next(&mut input) else {
        panic!("bad XML")
    };
    let received = Received::read(element, "jabber:client").unwrap();
    let from = received.from.clone().unwrap();
    received.stamp(from)
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
