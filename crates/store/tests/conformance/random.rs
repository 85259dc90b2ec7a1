//! Seeded random sequences: both backends must give the same outcomes and hold the same data, whatever fails between.

use std::sync::Arc;

use fastrand::Rng;
use metronome_model::{AccountId, AccountState, Direction, Keep, KeyHash, Op, Outcome, Record, Role, Unavailable};
use metronome_proto::stanza::Stanza;
use metronome_store::Counts;

use crate::world::{HOST, World, add, id, keys, message, read};

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
            self.ids.push(account.map_or(id(self.fresh), |account| account.id));
        }
    }

    fn any(&self, random: &mut Rng) -> AccountId {
        self.ids[random.usize(..self.ids.len())]
    }
}

#[test]
fn memory_and_sqlite_agree() {
    let mut kinds = [false; 4];
    for seed in 0..SEEDS {
        let (mut memory, mut sqlite) = (World::memory(), World::sqlite());
        let mut random = Rng::with_seed(seed);
        let mut accounts = Accounts { ids: Vec::new(), fresh: 0 };
        for step in 0..STEPS {
            accounts.look(&memory);
            let records: Vec<_> = (0..random.usize(1..16)).map(|_| record(&mut random, &accounts)).collect();
            fail(&mut random, [&memory, &sqlite]);
            let outcomes = [&mut memory, &mut sqlite].map(|world| {
                let outcomes = world.batch(records.clone());
                world.faults.stop_failing();
                outcomes
            });
            assert_eq!(outcomes[0], outcomes[1], "seed {seed} step {step}: {records:?}");
            outcomes[0].iter().for_each(|outcome| note(&mut kinds, outcome));
            // Removals go on in the background; what they may meet must not depend on their speed.
            if records.iter().flat_map(|record| &record.ops).any(|op| matches!(op, Op::ForgetAccount { .. })) {
                memory.finish_purge();
                sqlite.finish_purge();
            }
            if random.u8(..10) == 0 {
                sqlite.reopen();
            }
            let (left, right) = (everything(&memory, &accounts), everything(&sqlite, &accounts));
            assert_eq!(left, right, "seed {seed} step {step}: {records:?}");
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

/// Makes the same thing fail in both worlds, now and then. The first commit of a batch is the one that stalls.
fn fail(random: &mut Rng, worlds: [&World; 2]) {
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
        record.push(match random.u8(..40) {
            0..=4 => {
                let n = random.usize(..accounts.ids.len());
                let Op::AddAccount { mut account, keys } = add(&format!("user{n}"), 0) else { continue };
                account.id = accounts.ids[n];
                Op::AddAccount { account, keys }
            }
            5 => Op::ForgetAccount { id: owner },
            6 => Op::SetRole { id: owner, role: if random.bool() { Role::Admin } else { Role::User } },
            7 => Op::SetState { id: owner, state: AccountState::Disabled },
            8 => Op::SetKeys { id: owner, keys: vec![keys(KeyHash::Sha512, random.u8(..))] },
            9..=14 => Op::Seen { owner, ids: (0..random.usize(..3)).map(|_| range(random)).collect() },
            _ => append(random, owner, &shared),
        });
    }
    record
}

fn range(random: &mut Rng) -> (u64, u64) {
    let first = random.u64(..60);
    (first, first + random.u64(..9))
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
        (counts, credentials, world.unseen(*owner), world.archive(*owner))
    };
    (read(world.store.list(HOST, None, 999)), accounts.ids.iter().map(archive).collect::<Vec<_>>())
}
