//! Items of nodes: publishing and taking away, and pages in either order from either end.

use std::ops::Range;

use metronome_model::{AccountId, Item, NodeChange, Record};
use metronome_proto::jid::Jid;
use metronome_store::archive::{Count, From};
use metronome_store::nodes::{ItemSearch, ItemsFound, ItemsPage, Order};

use crate::world::{World, create_node, done, item, node_op, publish, read};

over_each_backend!(
    an_item_is_read_byte_by_byte_as_it_was_published,
    an_item_published_again_is_the_newest_and_keeps_when_it_was_created,
    the_oldest_make_place_for_the_new,
    items_are_retracted_purged_and_expire,
    a_trim_of_many_goes_on_in_pieces,
    pages_go_in_both_orders_from_both_ends,
    a_page_is_found_by_its_place,
    a_page_is_found_by_time,
    a_page_is_bounded_in_bytes_and_has_at_least_one_item,
    a_page_around_an_item_that_is_not_there_is_unknown,
    items_are_found_by_their_ids,
    the_newest_items_of_several_nodes_come_together,
);

/// A node "tune" with items of these ids, each published at a thousand times its id.
fn filled(world: &mut World, ids: Range<u64>) -> AccountId {
    let alice = world.add("alice", 1);
    let mut record = Record::of(create_node(alice, "tune"));
    ids.for_each(|n| record.push(publish(alice, "tune", at(n, n * 1000))));
    assert_eq!(world.commit(record), done(&[]));
    alice
}

fn at(n: u64, at_ms: u64) -> Item {
    Item { created_ms: at_ms, updated_ms: at_ms, ..item(&n.to_string(), "<x/>") }
}

fn find(world: &World, owner: AccountId, search: ItemSearch) -> ItemsPage {
    match read(world.store.items(owner, "tune", search)) {
        ItemsFound::Page(page) => page,
        other => panic!("{other:?}"),
    }
}

fn ids(page: &ItemsPage) -> Vec<u64> {
    page.rows.iter().map(|item| item.id.parse().unwrap()).collect()
}

/// The ids of a page, its count, the place of its first item, and how many are left.
fn page(world: &World, owner: AccountId, search: ItemSearch) -> (Vec<u64>, u64, u64, u64) {
    let page = find(world, owner, search);
    (ids(&page), page.count.all, page.count.index, page.left)
}

fn all(world: &World, owner: AccountId) -> Vec<u64> {
    ids(&find(world, owner, ItemSearch { rows_max: 100_000, ..ItemSearch::default() }))
}

fn an_item_is_read_byte_by_byte_as_it_was_published(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(create_node(alice, "tune"));
    let payload =
        "<entry xmlns='http://www.w3.org/2005/Atom'\n  a = \"&#x41;\" ><t>\r\n]]&gt;&amp; \u{1F600}</t ></entry>";
    let published = Item {
        id: "ÄÖ '\"<& \u{1F600}".into(),
        publisher: Jid::parse("eve@example.com/Phone ü").unwrap(),
        created_ms: 5,
        updated_ms: 6,
        payload: payload.as_bytes().into(),
    };
    world.one(publish(alice, "tune", published.clone()));
    world.one(publish(alice, "tune", item("empty", "")));
    world.reopen();
    let found = find(world, alice, ItemSearch::default());
    assert_eq!(found.rows, [published, item("empty", "")]);
}

fn an_item_published_again_is_the_newest_and_keeps_when_it_was_created(world: &mut World) {
    let alice = filled(world, 1..4);
    world.one(publish(alice, "tune", at(1, 9000)));
    let modified = find(world, alice, ItemSearch::default());
    assert_eq!(ids(&modified), [2, 3, 1]);
    assert_eq!((modified.rows[2].created_ms, modified.rows[2].updated_ms), (1000, 9000));
    let created = ItemSearch { order: Order::Created, ..ItemSearch::default() };
    assert_eq!(ids(&find(world, alice, created.clone())), [1, 2, 3]);
    world.one(node_op(alice, "tune", NodeChange::Retract { ids: vec!["1".into()] }));
    world.one(publish(alice, "tune", at(1, 9500)));
    let created = find(world, alice, created);
    assert_eq!(ids(&created), [2, 3, 1], "what was retracted is created anew");
    assert_eq!(created.rows[2].created_ms, 9500);
}

fn the_oldest_make_place_for_the_new(world: &mut World) {
    let alice = filled(world, 1..4);
    let keep = |n: u64, keep| node_op(alice, "tune", NodeChange::Publish { item: at(n, n * 1000), keep });
    world.one(keep(4, 3));
    assert_eq!(all(world, alice), [2, 3, 4]);
    world.one(keep(2, 3));
    assert_eq!(all(world, alice), [3, 4, 2], "one in the place of another needs none");
    world.one(keep(5, 1));
    assert_eq!(all(world, alice), [5]);
    world.one(keep(6, 0));
    assert_eq!(all(world, alice), [6], "what is published stays");
    world.one(keep(7, u64::MAX));
    assert_eq!(all(world, alice), [6, 7]);
}

fn items_are_retracted_purged_and_expire(world: &mut World) {
    let alice = filled(world, 1..10);
    let mut change = |change| {
        assert_eq!(world.one(node_op(alice, "tune", change)), done(&[]));
        all(world, alice)
    };
    let ids = ["3", "9", "3", "none"].map(Box::from).to_vec();
    assert_eq!(change(NodeChange::Retract { ids }), [1, 2, 4, 5, 6, 7, 8]);
    assert_eq!(change(NodeChange::Trim { keep: 6 }), [2, 4, 5, 6, 7, 8]);
    assert_eq!(change(NodeChange::Trim { keep: 6 }), [2, 4, 5, 6, 7, 8]);
    assert_eq!(change(NodeChange::Expire { before_ms: 5000 }), [5, 6, 7, 8]);
    assert_eq!(change(NodeChange::PurgeButNewest), [8]);
    assert_eq!(change(NodeChange::PurgeButNewest), [8]);
    assert_eq!(change(NodeChange::Publish { item: at(8, 8500), keep: 9 }), [8]);
    assert_eq!(change(NodeChange::Publish { item: at(1, 9000), keep: 9 }), [8, 1]);
    assert_eq!(change(NodeChange::Purge), [0; 0]);
    assert_eq!(change(NodeChange::Purge), [0; 0]);
    assert_eq!(change(NodeChange::Publish { item: at(2, 1), keep: 9 }), [2]);
    world.finish_purge();
    assert_eq!(all(world, alice), [2]);
}

fn a_trim_of_many_goes_on_in_pieces(world: &mut World) {
    let alice = filled(world, 0..1500);
    let mut record = Record::of(node_op(alice, "tune", NodeChange::Trim { keep: 10 }));
    record.push(publish(alice, "tune", at(3, 0)));
    record.push(publish(alice, "tune", at(1480, 0)));
    assert_eq!(world.commit(record), done(&[]));
    world.reopen();
    world.finish_purge();
    let expected: Vec<u64> = (1490..1500).chain([3, 1480]).collect();
    assert_eq!(all(world, alice), expected);
    let usage = read(world.store.nodes_usage(alice));
    assert_eq!(usage.items, 12);
}

fn pages_go_in_both_orders_from_both_ends(world: &mut World) {
    let alice = filled(world, 0..1000);
    // The first hundred once more, so that the orders differ.
    let again: Vec<_> = (0..100).map(|n| Record::of(publish(alice, "tune", at(n, 2_000_000 + n)))).collect();
    world.batch(again);
    let modified: Vec<u64> = (100..1000).chain(0..100).collect();
    let created: Vec<u64> = (0..1000).collect();
    for (order, expected) in [(Order::Modified, modified), (Order::Created, created)] {
        let search = ItemSearch { order, rows_max: 7, ..ItemSearch::default() };
        let (mut forwards, mut after) = (Vec::new(), None);
        loop {
            let search = ItemSearch { from: From::First, after: after.clone(), ..search.clone() };
            let (ids, count, index, left) = page(world, alice, search);
            let Some(last) = ids.last() else { break };
            assert_eq!(
                (count, index, left),
                (1000, forwards.len() as u64, 1000 - forwards.len() as u64 - ids.len() as u64)
            );
            after = Some(last.to_string().into());
            forwards.extend(ids);
        }
        assert_eq!(forwards, expected);
        let (mut backwards, mut before) = (Vec::new(), None);
        loop {
            let (ids, count, index, left) = page(world, alice, ItemSearch { before: before.clone(), ..search.clone() });
            let Some(first) = ids.first() else { break };
            let there = 1000 - backwards.len() as u64 - ids.len() as u64;
            assert_eq!((count, index, left), (1000, there, there));
            before = Some(first.to_string().into());
            backwards.extend(ids.into_iter().rev());
        }
        backwards.reverse();
        assert_eq!(backwards, expected);
    }
}

fn a_page_is_found_by_its_place(world: &mut World) {
    let alice = filled(world, 0..1000);
    let search = |skip, from| ItemSearch { skip, from, rows_max: 2, ..ItemSearch::default() };
    for place in [0, 1, 254, 255, 256, 257, 511, 700, 997] {
        let expected = (vec![place, place + 1], 1000, place, 998 - place);
        assert_eq!(page(world, alice, search(place, From::First)), expected);
        let mirrored = (vec![998 - place, 999 - place], 1000, 998 - place, 998 - place);
        assert_eq!(page(world, alice, search(place, From::Last)), mirrored);
    }
    assert_eq!(page(world, alice, search(999, From::First)), (vec![999], 1000, 999, 0));
    assert_eq!(page(world, alice, search(1000, From::First)), (vec![], 1000, 0, 0));
    assert_eq!(page(world, alice, search(u64::MAX, From::Last)), (vec![], 1000, 0, 0));
    let within = ItemSearch { after: Some("100".into()), before: Some("900".into()), ..search(300, From::First) };
    assert_eq!(page(world, alice, within.clone()), (vec![401, 402], 1000, 401, 497));
    let none = ItemSearch { rows_max: 0, ..within };
    assert_eq!(page(world, alice, none), (vec![], 1000, 0, 499), "counted only");
}

fn a_page_is_found_by_time(world: &mut World) {
    let alice = filled(world, 0..1000);
    let since = |from_ms, to_ms| ItemSearch { from_ms, to_ms, rows_max: 3, ..ItemSearch::default() };
    assert_eq!(page(world, alice, since(997_500, u64::MAX)), (vec![998, 999], 2, 0, 0));
    assert_eq!(page(world, alice, since(500_000, u64::MAX)), (vec![997, 998, 999], 500, 497, 497));
    assert_eq!(page(world, alice, since(500_000, 502_000)), (vec![500, 501, 502], 3, 0, 0));
    assert_eq!(page(world, alice, since(0, 299_999)), (vec![297, 298, 299], 300, 297, 297));
    assert_eq!(page(world, alice, since(1_000_000, u64::MAX)), (vec![], 0, 0, 0));
    let skipped = ItemSearch { skip: 300, from: From::First, ..since(100_000, 899_000) };
    assert_eq!(page(world, alice, skipped), (vec![400, 401, 402], 800, 300, 497));
    // One that is published again has a new time in one order, and keeps the one it has in the other.
    world.one(publish(alice, "tune", at(0, 2_000_000)));
    assert_eq!(page(world, alice, since(998_500, u64::MAX)), (vec![999, 0], 2, 0, 0));
    let created = ItemSearch { order: Order::Created, ..since(0, 1000) };
    assert_eq!(page(world, alice, created), (vec![0, 1], 2, 0, 0));
    // A clock that goes back loses nothing.
    world.one(publish(alice, "tune", at(7777, 5000)));
    assert_eq!(page(world, alice, since(4500, 6500)), (vec![5, 6, 7777], 3, 0, 0));
    assert_eq!(page(world, alice, since(999_000, u64::MAX)), (vec![999, 0], 2, 0, 0));
}

fn a_page_is_bounded_in_bytes_and_has_at_least_one_item(world: &mut World) {
    let alice = filled(world, 0..5);
    let size = at(0, 0).len_bytes();
    let search = |bytes_max| ItemSearch { bytes_max, ..ItemSearch::default() };
    assert_eq!(page(world, alice, search(0)), (vec![4], 5, 4, 4));
    assert_eq!(page(world, alice, search(2 * size)), (vec![3, 4], 5, 3, 3));
    assert_eq!(page(world, alice, search(3 * size - 1)), (vec![3, 4], 5, 3, 3));
    let first = ItemSearch { from: From::First, ..search(2 * size) };
    assert_eq!(page(world, alice, first), (vec![0, 1], 5, 0, 3));
}

fn a_page_around_an_item_that_is_not_there_is_unknown(world: &mut World) {
    let alice = filled(world, 0..5);
    let missing: Option<Box<str>> = Some("9".into());
    for search in [
        ItemSearch { after: missing.clone(), ..ItemSearch::default() },
        ItemSearch { before: missing, ..ItemSearch::default() },
        ItemSearch { after: Some("1".into()), before: Some("' OR 1=1 --".into()), ..ItemSearch::default() },
    ] {
        assert_eq!(read(world.store.items(alice, "tune", search)), ItemsFound::Unknown);
    }
    let empty = ItemSearch { after: Some("3".into()), before: Some("2".into()), ..ItemSearch::default() };
    let found = find(world, alice, empty);
    assert_eq!((ids(&found), found.count, found.left), (vec![], Count { all: 5, index: 0 }, 0));
    assert_eq!(read(world.store.items(alice, "other", ItemSearch::default())), ItemsFound::NoNode);
}

fn items_are_found_by_their_ids(world: &mut World) {
    let alice = filled(world, 0..5);
    let by_id = |names: &[&str]| {
        let found = read(world.store.items_by_id(alice, "tune", names.iter().copied().map(Box::from).collect()));
        found.into_iter().map(|item| item.id.into_string()).collect::<Vec<_>>()
    };
    assert_eq!(by_id(&["4", "none", "0", "4"]), ["4", "0"]);
    assert_eq!(by_id(&[]), [""; 0]);
}

fn the_newest_items_of_several_nodes_come_together(world: &mut World) {
    let alice = filled(world, 0..5);
    world.one(create_node(alice, "mood"));
    world.one(create_node(alice, "avatar"));
    world.one(publish(alice, "avatar", at(7, 7)));
    world.one(publish(alice, "tune", at(2, 9)));
    let wanted = ["tune", "none", "mood", "avatar", "tune"].map(Box::from).to_vec();
    let found = read(world.store.newest_items(alice, wanted));
    let found: Vec<_> = found.iter().map(|(name, item)| (&**name, &*item.id)).collect();
    assert_eq!(found, [("avatar", "7"), ("tune", "2")]);
}
