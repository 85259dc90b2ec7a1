//! Seeded random sequences: all backends must give the same outcomes and hold the same data, whatever fails between.

use std::sync::Arc;

use fastrand::Rng;
use metronome_model::{
    AccountId, AccountState, Contact, Direction, Document, Drawer, HostOrigin, HostState, Keep, KeyHash, Listed, Op,
    Outcome, Record, Role, StoredHost, Unavailable,
};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use metronome_proto::subscription::Subscription;
use metronome_store::Counts;
use metronome_store::archive::{Found, Search};

use crate::world::{HOST, World, add, document, id, ids, keys, last_seen, message, read, set_contact, set_document};

const NAMES: u32 = 8;
const SEEDS: u64 = 10;
const STEPS: usize = 50;

/// The accounts a sequence speaks of: those that exist, and for each free name one that may come.
struct Accounts {
    ids: Vec<AccountId>,
    fresh: u32,
}

impl Accounts {
    fn look(&mut self, world: &World) {
        self.ids.clear();
        for n in 0..NAMES {
            self.fresh += 1;
            let account = world.account(&format!("user{n}"));
            // The split store keeps every other one in memory; to the others a guest is an account like any other.
            let fresh = if self.fresh.is_multiple_of(2) {
                id(self.fresh)
            } else {
                AccountId::guest(*id(self.fresh).as_bytes())
            };
            self.ids.push(account.map_or(fresh, |account| account.id));
        }
    }

    fn any(&self, random: &mut Rng) -> AccountId {
        self.ids[random.usize(..self.ids.len())]
    }
}

#[test]
fn all_backends_agree() {
    let mut kinds = [false; 4];
    for seed in 0..SEEDS {
        let (mut memory, mut sqlite, mut split) = (World::memory(), World::sqlite(), World::split());
        let mut random = Rng::with_seed(seed);
        let mut accounts = Accounts { ids: Vec::new(), fresh: 0 };
        for step in 0..STEPS {
            accounts.look(&memory);
            let records: Vec<_> = (0..random.usize(1..16)).map(|_| record(&mut random, &accounts)).collect();
            fail(&mut random, [&memory, &sqlite, &split]);
            let outcomes = [&mut memory, &mut sqlite, &mut split].map(|world| {
                let outcomes = world.batch(records.clone());
                world.faults.stop_failing();
                outcomes
            });
            assert_eq!(outcomes[0], outcomes[1], "seed {seed} step {step}: {records:?}");
            assert_eq!(outcomes[0], outcomes[2], "seed {seed} step {step}: {records:?}");
            outcomes[0].iter().for_each(|outcome| note(&mut kinds, outcome));
            // Removals go on in the background; what they may meet must not depend on their speed.
            if records.iter().flat_map(|record| &record.ops).any(|op| matches!(op, Op::ForgetAccount { .. })) {
                memory.finish_purge();
                sqlite.finish_purge();
                split.finish_purge();
            }
            if random.u8(..10) == 0 {
                sqlite.reopen();
            }
            let expected = everything(&memory, &accounts);
            assert_eq!(everything(&sqlite, &accounts), expected, "sqlite, seed {seed} step {step}: {records:?}");
            assert_eq!(everything(&split, &accounts), expected, "split, seed {seed} step {step}: {records:?}");
        }
    }
    assert_eq!(kinds, [true; 4], "the sequences must reach every kind of outcome");
}

fn note(kinds: &mut [bool; 4], outcome: &Outcome) {
    match outcome {
        Outcome::Done { .. } => kinds[0] = true,
        Outcome::Gone => kinds[1] = true,
        Outcome::Full => kinds[2] = true,
        Outcome::Conflict => kinds[3] = true,
        Outcome::Fenced | Outcome::Unavailable(_) => {}
    }
}

/// Makes the same thing fail in all worlds, now and then. The first commit of a batch is the one that stalls.
fn fail(random: &mut Rng, worlds: [&World; 3]) {
    let (kind, times) = (random.u8(..20), random.usize(1..4));
    for world in worlds {
        match kind {
            0 => world.faults.fail_commits(times, Unavailable::Disk),
            1 => world.faults.fail_commits_after_storing(times, Unavailable::Disk),
            2 => world.faults.fail_appends(times, Unavailable::Disk),
            3 => world.faults.fail_appends(times, Unavailable::DiskFull),
            _ => {}
        }
    }
}

fn record(random: &mut Rng, accounts: &Accounts) -> Record {
    let mut record = Record::default();
    let shared = message(&random.u32(..).to_string());
    for _ in 0..random.usize(1..4) {
        let owner = accounts.any(random);
        record.push(match random.u8(..50) {
            0..=4 => {
                let n = random.usize(..accounts.ids.len());
                let Op::AddAccount { mut account, keys } = add(&format!("user{n}"), 0) else { continue };
                account.id = accounts.ids[n];
                Op::AddAccount { account, keys }
            }
            5 => Op::ForgetAccount { id: owner },
            6 => Op::SetRole { id: owner, role: if random.bool() { Role::Admin } else { Role::User } },
            7 => Op::SetState { id: owner, state: state(random) },
            8 => Op::SetKeys { id: owner, keys: vec![keys(KeyHash::Sha512, random.u8(..))] },
            9..=14 => Op::Seen { owner, ids: (0..random.usize(..3)).map(|_| range(random)).collect() },
            40..=44 => set_contact(owner, contact(random, &shared)),
            45..=46 => set_document(owner, any_document(random)),
            47 => last_seen(owner, random.u64(..9), "away"),
            48 => Op::SetHost { host: Box::new(host(random)) },
            49 => Op::ForgetHost { name: host(random).name },
            38 => Op::Replace { owner, id: random.u64(..60), stanza: Arc::clone(&shared) },
            39 => Op::Remove { owner, ids: vec![range(random)] },
            _ => append(random, owner, &shared),
        });
    }
    record
}

fn range(random: &mut Rng) -> (u64, u64) {
    let first = random.u64(..60);
    (first, first + random.u64(..9))
}

fn state(random: &mut Rng) -> AccountState {
    use AccountState::{Active, Disabled, Locked, LockedAndDisabled};
    [Active, Locked, Disabled, LockedAndDisabled][random.usize(..4)]
}

/// One of a few contacts, so that they are also changed and removed.
fn contact(random: &mut Rng, shared: &Arc<Stanza>) -> Contact {
    Contact {
        name: random.bool().then(|| random.u8(..).to_string().into()),
        groups: (0..random.u8(..3)).map(|n| n.to_string().into()).collect(),
        subscription: Subscription::from_bits(random.u8(..) & random.u8(..)),
        listed: if random.bool() { Listed::Yes } else { Listed::No },
        request: random.bool().then(|| Arc::clone(shared)),
        version: random.u64(..99),
        ..Contact::unknown(Jid::parse(&format!("{}@example.com", random.u8(..4))).unwrap())
    }
}

fn any_drawer(random: &mut Rng) -> Drawer {
    Drawer::ALL[random.usize(..Drawer::ALL.len())]
}

fn any_document(random: &mut Rng) -> Document {
    let name = random.u8(..3).to_string();
    document(any_drawer(random), "urn:x", &name, &"x".repeat(random.usize(..3)))
}

fn host(random: &mut Rng) -> StoredHost {
    let origin = if random.bool() { HostOrigin::Command } else { HostOrigin::Configuration };
    let state = if random.bool() { HostState::Enabled } else { HostState::Disabled };
    StoredHost { name: random.u8(..3).to_string().into(), origin, state }
}

fn append(random: &mut Rng, owner: AccountId, shared: &Arc<Stanza>) -> Op {
    let stanza = if random.bool() { Arc::clone(shared) } else { message(&random.u32(..).to_string()) };
    let keep = if random.bool() { Keep::UntilSeen } else { Keep::Archive };
    let (unseen, direction) = if random.u8(..4) == 0 { (false, Direction::Sent) } else { (true, Direction::Received) };
    Op::Append { owner, at_ms: random.u64(..1 << 50), direction, keep, unseen, stanza }
}

/// Everything that can be read of a world.
fn everything(world: &World, accounts: &Accounts) -> impl PartialEq + std::fmt::Debug + use<> {
    let archive = |owner: &AccountId| {
        let counts: Counts = read(world.store.counts(*owner));
        let credentials = read(world.store.account_by_id(*owner));
        let found = read(world.store.search(*owner, Search { counted_max: 999, ..Search::default() }));
        let Found::Page(page) = found else { panic!("no id was named") };
        let page = (ids(&page.rows), page.rest, page.count, read(world.store.ends(*owner)));
        (counts, credentials, world.unseen(*owner), world.archive(*owner), page)
    };
    let kept = |owner: &AccountId| {
        let drawers = Drawer::ALL.map(|drawer| {
            let documents = ["0", "1", "2"].map(|name| world.document(*owner, drawer, "urn:x", name));
            (read(world.store.drawer_size(*owner, drawer)), documents)
        });
        let roster = (read(world.store.roster(*owner)), read(world.store.roster_size(*owner)));
        (roster, drawers, read(world.store.last_seen(*owner)))
    };
    let archives: Vec<_> = accounts.ids.iter().map(archive).collect();
    let rest: Vec<_> = accounts.ids.iter().map(kept).collect();
    let about: Vec<_> = (0..4).map(|n| read(world.store.rows_about(&format!("{n}@example.com")))).collect();
    (read(world.store.list(HOST, None, 999)), read(world.store.hosts()), archives, rest, about)
}
