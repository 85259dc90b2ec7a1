//! Seeded random sequences over rooms: all backends say the same of them, whatever fails between.

use fastrand::Rng;
use metronome_model::{
    Account, AccountId, Op, Outcome, Record, RoomAffiliation, RoomChange, RoomMember, RoomRedirect, RoomRole, RoomRow,
    RoomSecret, RoomSubject, SavedOccupant, Unavailable, Visibility,
};
use metronome_proto::jid::Jid;
use metronome_store::rooms::RoomsListed;

use crate::world::{World, id, read, received};

const SEEDS: u64 = 8;
const STEPS: usize = 40;
const HOSTS: [&str; 2] = ["rooms.example.org", "talk.example.org"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Accounts that are rooms at one time or another.
const IDS: u32 = 12;

#[test]
fn all_backends_agree_about_rooms() {
    let mut seen = 0;
    for seed in 0..SEEDS {
        let mut worlds = [World::memory(), World::sqlite(), World::split()];
        let mut random = Rng::with_seed(seed);
        let trouble = if seed % 2 == 0 { Trouble::Forgotten } else { Trouble::Failing };
        for step in 0..STEPS {
            let records: Vec<_> = (0..random.usize(1..8)).map(|_| record(&mut random, trouble)).collect();
            if trouble == Trouble::Failing {
                fail(&mut random, &worlds);
            }
            let outcomes: Vec<Vec<Outcome>> = worlds
                .iter_mut()
                .map(|world| {
                    let outcomes = world.batch(records.clone());
                    world.faults.stop_failing();
                    outcomes
                })
                .collect();
            assert!(outcomes.iter().all(|other| *other == outcomes[0]), "seed {seed} step {step}: {outcomes:?}");
            if random.u8(..10) == 0 {
                worlds[1].reopen();
                worlds[2].reopen();
            }
            let expected = everything(&worlds[0]);
            for world in &worlds[1..] {
                assert_eq!(everything(world), expected, "seed {seed} step {step}");
            }
            seen += expected.matches("SavedOccupant").count();
        }
    }
    assert!(seen > 50, "the sequences must save occupants");
}

/// What goes wrong in a sequence: accounts are forgotten, or commits fail. Not both: each backend removes what is forgotten in commits and
/// at times of its own, and they would fail instead.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Forgotten,
    Failing,
}

/// Lets the next commit of all of them fail now and then.
fn fail(random: &mut Rng, worlds: &[World; 3]) {
    if random.u8(..8) == 0 {
        worlds.iter().for_each(|world| world.faults.fail_commits(1, Unavailable::Disk));
    }
}

fn record(random: &mut Rng, trouble: Trouble) -> Record {
    let mut record = Record::default();
    for _ in 0..random.usize(1..5) {
        let op = op(random, trouble);
        // One account in each record: who makes several sees to it that their addresses differ.
        let adds = |op: &Op| matches!(op, Op::AddAccount { .. });
        if !adds(&op) || !record.ops.iter().any(adds) {
            record.push(op);
        }
    }
    record
}

fn op(random: &mut Rng, trouble: Trouble) -> Op {
    let owner = id(random.u32(1..=IDS));
    match random.u8(..20) {
        0..=3 => {
            let (host, name) = (HOSTS[random.usize(..2)], NAMES[random.usize(..4)]);
            Op::AddAccount { account: Box::new(Account::of_room(owner, host, name, 5)), keys: vec![] }
        }
        4 if trouble == Trouble::Forgotten => Op::ForgetAccount { id: owner },
        5 => {
            let (host, name) = (HOSTS[random.usize(..2)].into(), NAMES[random.usize(..4)].into());
            let to = random.bool().then(|| Jid::parse("a@rooms.example.org").unwrap());
            Op::SetRedirect {
                redirect: Box::new(RoomRedirect { host, name, to, reason: None, at_ms: random.u64(..9) }),
            }
        }
        6 => {
            let name = random.bool().then(|| NAMES[random.usize(..4)].into());
            Op::ForgetRedirect { host: HOSTS[random.usize(..2)].into(), name }
        }
        7 => received(owner, "hello"),
        _ => Op::Room { owner, change: Box::new(change(random, owner)) },
    }
}

fn change(random: &mut Rng, owner: AccountId) -> RoomChange {
    let who =
        |random: &mut Rng| Jid::parse(["a@example.org", "b@example.com", "c.example"][random.usize(..3)]).unwrap();
    let visibility = if random.bool() { Visibility::Listed } else { Visibility::Hidden };
    let bytes = |random: &mut Rng| -> Box<[u8]> { vec![random.u8(..); random.usize(..30)].into() };
    let subject = |random: &mut Rng| {
        let (content, nick, at_ms) = (bytes(random), "n".into(), random.u64(..9));
        random.bool().then_some(RoomSubject { content, nick, at_ms })
    };
    match random.u8(..8) {
        0 | 1 => RoomChange::Create(RoomRow {
            config: bytes(random),
            visibility,
            subject: subject(random),
            secret: RoomSecret([random.u8(..); 32]),
            creator: who(random),
            created_ms: random.u64(..9),
            used_ms: random.u64(..9),
            version: 0,
        }),
        2 => RoomChange::Configure { config: bytes(random), visibility },
        3 => RoomChange::SetSubject(subject(random)),
        4 => RoomChange::SetMember(RoomMember {
            jid: who(random),
            account: random.bool().then_some(owner),
            affiliation: RoomAffiliation::ALL[random.usize(..5)],
            nick: random.bool().then(|| "nick".into()),
            reason: random.bool().then(|| "reason".into()),
            more: bytes(random),
            version: random.u64(..99),
        }),
        5 => RoomChange::RemoveMember { jid: who(random), version: random.u64(..99) },
        6 => RoomChange::Use { at_ms: random.u64(..) >> 1 },
        _ => RoomChange::SaveOccupants((0..random.usize(..4)).map(|_| occupant(random)).collect()),
    }
}

fn occupant(random: &mut Rng) -> SavedOccupant {
    SavedOccupant {
        nick: ["x", "y"][random.usize(..2)].into(),
        jid: Jid::parse(["a@example.org/1", "b@example.com/2"][random.usize(..2)]).unwrap(),
        account: random.bool().then(|| id(random.u32(1..=IDS))),
        role: RoomRole::ALL[random.usize(..4)],
        since_ms: random.u64(..9),
        presence: Box::default(),
    }
}

/// What a world says of all rooms, as text.
fn everything(world: &World) -> String {
    let store = &world.store;
    let mut text = String::new();
    for host in HOSTS {
        for listed in [RoomsListed::All, RoomsListed::Public] {
            text += &format!(
                "{:?}\n{:?}\n",
                read(store.rooms(host, listed, None, 9)),
                read(store.rooms(host, listed, Some("b"), 1))
            );
        }
        let who = Jid::parse("a@example.org").unwrap();
        text += &format!("{:?}\n", read(store.rooms_of(host, &who, Some("a"), 2)));
        text += &format!("{:?}\n", read(store.rooms_with_occupants(host, None, 9)));
        text += &format!("{:?}\n{}\n", read(store.redirects(host, None, 9)), read(store.rooms_count(host)));
        for name in NAMES {
            text += &format!("{:?}\n{:?}\n", read(store.room(host, name)), read(store.redirect(host, name)));
        }
    }
    text
}
