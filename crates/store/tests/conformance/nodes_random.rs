//! Seeded random sequences over nodes: the backend in memory looks at every item for every page, and all others must agree with it, whatever
//! fails between.

use fastrand::Rng;
use metronome_model::{
    AccountId, Affiliation, Item, NodeChange, NodeKind, Op, Outcome, Record, Subscription, SubscriptionState,
    Unavailable,
};
use metronome_proto::jid::Jid;
use metronome_store::archive::From;
use metronome_store::nodes::{ItemSearch, ItemsFound, Order};

use crate::world::{World, item, node_op, read};

const SEEDS: u64 = 6;
const STEPS: usize = 60;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// As many ids, so that many are published again.
const IDS: u32 = 400;

#[test]
fn all_backends_agree_about_nodes() {
    let mut reached = false;
    for seed in 0..SEEDS {
        let mut worlds = [World::memory(), World::sqlite(), World::split()];
        let mut random = Rng::with_seed(seed);
        let owners = [1, 2].map(|n| {
            let ids = worlds.each_mut().map(|world| world.add(&format!("user{n}"), n));
            ids[0]
        });
        for step in 0..STEPS {
            let records: Vec<_> = (0..random.usize(1..8)).map(|_| record(&mut random, owners)).collect();
            fail(&mut random, &worlds);
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
            let searches: Vec<ItemSearch> = (0..6).map(|_| search(&mut random)).collect();
            let expected = everything(&worlds[0], owners, &searches);
            for world in &worlds[1..] {
                assert_eq!(everything(world, owners, &searches), expected, "seed {seed} step {step}: {searches:?}");
            }
        }
        check_file(&mut worlds[1]);
        reached |= NAMES.iter().any(|name| {
            let node = read(worlds[0].store.node(owners[0], name));
            node.is_some_and(|node| node.size.items > 300)
        });
    }
    assert!(reached, "the sequences must fill more than one run of numbers");
}

/// What is written down of the items is what counting them would give.
fn check_file(world: &mut World) {
    for _ in 0..400 {
        world.one(Op::SetMeta { key: "purge", value: Box::default() });
    }
    world.finish_purge();
    let raw = rusqlite::Connection::open(world.file().unwrap()).unwrap();
    for sql in [
        "SELECT count(*) FROM node_spaces s WHERE items <> (SELECT count(*) FROM node_items WHERE space = s.space)
         OR bytes <> (SELECT ifnull(sum(bytes), 0) FROM node_items WHERE space = s.space)",
        "SELECT count(*) FROM node_items i WHERE NOT EXISTS
         (SELECT 1 FROM node_births b WHERE b.key = i.born AND b.item = i.key AND b.created_ms = i.created_ms)",
        "SELECT (SELECT count(*) FROM node_births) - (SELECT count(*) FROM node_items)",
        "SELECT count(*) FROM node_blocks n WHERE n.line = 0 AND
         (items, 1, 1) <> (SELECT count(*), min(updated_ms) >= n.min_ms, max(updated_ms) <= n.max_ms
                           FROM node_items WHERE key >> 8 = n.block)",
        "SELECT count(*) FROM node_blocks n WHERE n.line = 1 AND
         (items, 1, 1) <> (SELECT count(*), min(created_ms) >= n.min_ms, max(created_ms) <= n.max_ms
                           FROM node_births WHERE key >> 8 = n.block)",
        "SELECT ifnull(sum(items), 0) - (SELECT count(*) FROM node_items) FROM node_blocks WHERE line = 0",
        "SELECT ifnull(sum(items), 0) - (SELECT count(*) FROM node_births) FROM node_blocks WHERE line = 1",
        "SELECT count(*) FROM node_remains",
        "SELECT (SELECT count(*) FROM node_spaces) - (SELECT count(*) FROM nodes)",
        "SELECT count(*) FROM node_subscriptions WHERE number NOT IN (SELECT number FROM nodes)",
        "SELECT count(*) FROM node_affiliations WHERE number NOT IN (SELECT number FROM nodes)",
    ] {
        assert_eq!(raw.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "{sql}");
    }
}

fn fail(random: &mut Rng, worlds: &[World]) {
    let (kind, times) = (random.u8(..20), random.usize(1..4));
    for world in worlds {
        match kind {
            0 => world.faults.fail_commits(times, Unavailable::Disk),
            1 => world.faults.fail_commits_after_storing(times, Unavailable::Disk),
            2 => world.faults.fail_appends(times, Unavailable::Disk),
            _ => {}
        }
    }
}

fn record(random: &mut Rng, owners: [AccountId; 2]) -> Record {
    let mut record = Record::default();
    for _ in 0..random.usize(1..4) {
        let (owner, name) = (owners[random.usize(..2)], NAMES[random.usize(..NAMES.len())]);
        // Many items at once now and then, so that they fill runs of numbers.
        let times = if random.u8(..6) == 0 { random.usize(..200) } else { 1 };
        for _ in 0..times {
            record.push(node_op(owner, name, if times > 1 { publish(random) } else { change(random) }));
        }
    }
    record
}

fn change(random: &mut Rng) -> NodeChange {
    match random.u8(..40) {
        0..=9 => NodeChange::Create {
            kind: if random.bool() { NodeKind::Leaf } else { NodeKind::Collection },
            config: vec![b'c'; random.usize(..9)].into(),
            collections: collections(random),
            creator: jid(random),
            at_ms: random.u64(..99),
        },
        10..=11 => NodeChange::Configure { config: b"new".as_slice().into(), collections: collections(random) },
        12 => NodeChange::Delete,
        13 => NodeChange::Turn(NodeKind::Collection),
        14..=16 => {
            let affiliation = random.bool().then(|| Affiliation::ALL[random.usize(..5)]);
            NodeChange::Affiliate { jid: jid(random).bare(), affiliation }
        }
        17..=19 => NodeChange::Subscribe(Subscription {
            jid: jid(random),
            subid: random.u8(..3).to_string().into(),
            state: SubscriptionState::ALL[random.usize(..3)],
            options: vec![b'o'; random.usize(..4)].into(),
            expires_ms: random.bool().then(|| random.u64(..99)),
        }),
        20 => {
            let subid = random.bool().then(|| random.u8(..3).to_string().into());
            NodeChange::Unsubscribe { jid: jid(random), subid }
        }
        21 => NodeChange::EndSubscriptions { at_ms: random.u64(..99) },
        22..=24 => NodeChange::Retract { ids: (0..random.usize(..20)).map(|_| any_id(random)).collect() },
        25 => NodeChange::Trim { keep: random.u64(..500) },
        26 => NodeChange::Expire { before_ms: random.u64(..1000) },
        27 if random.bool() => NodeChange::Purge,
        28 if random.bool() => NodeChange::PurgeButNewest,
        _ => publish(random),
    }
}

fn publish(random: &mut Rng) -> NodeChange {
    let (created_ms, updated_ms) = (random.u64(..1000), random.u64(..1000));
    let payload = "x".repeat(random.usize(..99));
    let item = Item { created_ms, updated_ms, publisher: jid(random), ..item(&any_id(random), &payload) };
    let keep = if random.u8(..200) == 0 { random.u64(..500) } else { u64::MAX };
    NodeChange::Publish { item, keep }
}

fn any_id(random: &mut Rng) -> Box<str> {
    random.u32(..IDS).to_string().into()
}

fn jid(random: &mut Rng) -> Jid {
    let texts = ["a@example.com", "a@example.com/x", "a@example.com/y", "b@example.com", "example.com"];
    Jid::parse(texts[random.usize(..texts.len())]).unwrap()
}

fn collections(random: &mut Rng) -> Vec<Box<str>> {
    (0..random.usize(..3)).map(|_| NAMES[random.usize(..NAMES.len())].into()).collect()
}

fn search(random: &mut Rng) -> ItemSearch {
    let from_ms = if random.bool() { random.u64(..1000) } else { 0 };
    ItemSearch {
        order: if random.bool() { Order::Modified } else { Order::Created },
        from_ms,
        to_ms: if random.bool() { from_ms + random.u64(..1000) } else { u64::MAX },
        after: (random.u8(..3) == 0).then(|| any_id(random)),
        before: (random.u8(..3) == 0).then(|| any_id(random)),
        from: if random.bool() { From::First } else { From::Last },
        skip: if random.bool() { random.u64(..300) } else { 0 },
        rows_max: random.usize(..60),
        bytes_max: if random.bool() { random.usize(..3000) } else { usize::MAX },
    }
}

/// All that can be read of the nodes of a world.
fn everything(
    world: &World,
    owners: [AccountId; 2],
    searches: &[ItemSearch],
) -> impl PartialEq + std::fmt::Debug + use<> {
    let jids = ["a@example.com", "b@example.com", "example.com"].map(|text| Jid::parse(text).unwrap());
    owners.map(|owner| {
        let people = jids.each_ref().map(|jid| {
            let subscriptions = read(world.store.subscriptions_of(owner, jid, None, 2));
            (subscriptions, read(world.store.affiliations_of(owner, jid, Some("a"), 9)))
        });
        let nodes = NAMES.map(|name| {
            let pages: Vec<ItemsFound> =
                searches.iter().map(|search| read(world.store.items(owner, name, search.clone()))).collect();
            (read(world.store.node(owner, name)), read(world.store.nodes_in(owner, name, None, 9)), pages)
        });
        let newest = read(world.store.newest_items(owner, NAMES.map(Box::from).to_vec()));
        let by_id = read(world.store.items_by_id(owner, "a", (0..9).map(|n| n.to_string().into()).collect()));
        let root = read(world.store.nodes_in(owner, "", None, 9));
        let lists = (read(world.store.nodes(owner, None, 9)), root, read(world.store.nodes_usage(owner)));
        (people, nodes, newest, by_id, lists)
    })
}
