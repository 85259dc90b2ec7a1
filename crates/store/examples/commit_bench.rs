//! What a durable message costs: `cargo run --release -p metronome-store --example commit_bench [messages]`.
//! Each message is one record with the sender's and the recipient's row. Prints messages per second and CPU time per
//! message of the whole process, which includes making the records, for several sizes of a batch.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use metronome_model::{Account, AccountId, AccountState, Direction, Keep, Op, Outcome, Record, Role};
use metronome_proto::stanza::{Received, Stanza};
use metronome_proto::xml::{Item, Limits, Scanner};
use metronome_store::backend::sqlite;
use metronome_store::{Writer, WriterLimits};

const OWNERS: u32 = 200;
const SEEN_EVERY: usize = 64;

type Load = usize;

struct Bench {
    writer: Writer<Load>,
    done: mpsc::Receiver<usize>,
    stanza: Arc<Stanza>,
    random: fastrand::Rng,
}

fn main() {
    let messages: usize = std::env::args().nth(1).map_or(100_000, |text| text.parse().unwrap());
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::fs::create_dir_all(&target).unwrap();
    let folder = tempfile::tempdir_in(target).unwrap();
    let mut bench = Bench::start(folder.path());
    println!("{OWNERS} owners, 100-byte bodies, two rows per message");
    println!("batch  messages/s  CPU us/message  of that writer");
    for batch in [1, 32, 256, 1000] {
        let count = if batch == 1 { messages / 20 } else { messages };
        bench.run(batch, count, 0);
    }
    println!("the same with receipts every {SEEN_EVERY} messages");
    bench.run(256, messages, SEEN_EVERY);
    let bytes: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!("{} MiB on disk", bytes >> 20);
}

impl Bench {
    fn start(folder: &Path) -> Bench {
        let opened = sqlite::open(&folder.join("bench.sqlite"), sqlite::Options::default()).unwrap();
        let (tell, done) = mpsc::channel();
        let limits = WriterLimits { unseen_max: u64::MAX, ..WriterLimits::default() };
        let writer = Writer::start(opened.backend, limits, move |batch| {
            assert!(batch.iter().all(|committed| matches!(committed.outcome, Outcome::Done { .. })));
            tell.send(batch.len()).unwrap();
        });
        let body = "x".repeat(100);
        let xml = format!(
            "<message from='alice@example.org/phone' to='bob@example.org' type='chat' id='a1b2c3d4'><body>{body}</body></message>"
        );
        let bench = Bench {
            writer: writer.unwrap(),
            done,
            stanza: Arc::new(stanza(&xml)),
            random: fastrand::Rng::with_seed(7),
        };
        (0..OWNERS).for_each(|n| bench.submit(add(n)));
        bench.wait(OWNERS as usize);
        bench
    }

    fn submit(&self, record: Record) {
        let permit = self.writer.try_permit(1024).unwrap();
        self.writer.submit(permit, record, 0);
    }

    fn wait(&self, mut count: usize) {
        while count > 0 {
            count -= self.done.recv().unwrap();
        }
    }

    fn run(&mut self, batch: usize, messages: usize, seen_every: usize) {
        let (began, cpu, writer) = (Instant::now(), cpu_us(""), cpu_us("store-writer"));
        let mut sent = 0;
        while sent < messages {
            let mut submitted = 0;
            for _ in 0..batch {
                let (alice, bob) = (self.random.u32(..OWNERS), self.random.u32(..OWNERS - 1));
                let bob = if bob == alice { OWNERS - 1 } else { bob };
                self.submit(self.message(alice, bob));
                submitted += 1;
                sent += 1;
                if seen_every > 0 && sent % seen_every == 0 {
                    self.submit(Record::of(Op::Seen { owner: owner(bob), ids: vec![(1, u64::MAX)] }));
                    submitted += 1;
                }
            }
            self.wait(submitted);
        }
        let seconds = began.elapsed().as_secs_f64();
        let (cpu, writer) = (cpu_us("") - cpu, cpu_us("store-writer") - writer);
        let each = |us: f64| us / sent as f64;
        println!("{batch:>5}  {:>10.0}  {:>14.1}  {:>14.1}", sent as f64 / seconds, each(cpu), each(writer));
    }

    fn message(&self, alice: u32, bob: u32) -> Record {
        let mut record = Record::default();
        for (owner, direction, unseen) in
            [(owner(alice), Direction::Sent, false), (owner(bob), Direction::Received, true)]
        {
            let stanza = Arc::clone(&self.stanza);
            record.push(Op::Append { owner, at_ms: 1_750_000_000_000, direction, keep: Keep::Archive, unseen, stanza });
        }
        record
    }
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

fn owner(n: u32) -> AccountId {
    AccountId::from_bytes(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes())
}

fn add(n: u32) -> Record {
    let account = Account {
        id: owner(n),
        host: "example.org".into(),
        name: format!("user{n}").into(),
        role: Role::User,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: 0,
    };
    Record::of(Op::AddAccount { account: Box::new(account), keys: Vec::new() })
}

/// CPU time in microseconds of all threads of this process whose name begins with `name`.
fn cpu_us(name: &str) -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let named = threads.filter(|thread| std::fs::read_to_string(thread.join("comm")).unwrap().starts_with(name));
    let ns = named.map(|thread| {
        let stat = std::fs::read_to_string(thread.join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse::<f64>().unwrap()
    });
    ns.sum::<f64>() / 1000.0
}
