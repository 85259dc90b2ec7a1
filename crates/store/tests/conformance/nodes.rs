//! Nodes of publish-subscribe: what they are, who is around them, what they take, and how they go.

use metronome_model::{
    Account, AccountId, Affiliation, NodeChange, NodeKind, NodeRow, NodeSize, NodesUsage, Op, Outcome, Record,
    Subscription, SubscriptionState,
};
use metronome_proto::jid::Jid;
use metronome_store::nodes::{ItemSearch, ItemsFound, StoredNode};

use crate::world::{HOST, World, done, id, item, node_op, publish, read, table_sizes};

over_each_backend!(
    a_node_is_read_as_it_was_created,
    a_node_exists_once_and_belongs_to_one_owner,
    what_is_changed_must_be_there,
    all_changes_of_a_record_happen_or_none,
    a_configuration_replaces_the_former_one,
    affiliations_and_subscriptions_are_set_replaced_and_removed,
    leased_subscriptions_end,
    nodes_are_listed_in_the_order_of_their_names,
    lists_of_nodes_are_bounded_in_bytes,
    children_are_found_by_their_collection,
    somebody_finds_what_concerns_them_among_all_nodes,
    a_deleted_node_leaves_nothing_to_one_with_its_name,
    what_nodes_take_is_known,
    who_has_nodes_is_listed,
    nodes_go_with_their_account,
    much_that_is_deleted_goes_in_pieces,
    a_domain_has_an_account_of_its_own_that_nobody_finds_by_name,
);

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn create_in(owner: AccountId, name: &str, collections: &[&str]) -> Op {
    let collections = collections.iter().copied().map(Box::from).collect();
    let (kind, config, creator) = (NodeKind::Leaf, b"config".as_slice().into(), jid("alice@example.org"));
    node_op(owner, name, NodeChange::Create { kind, config, collections, creator, at_ms: 5 })
}

fn create(owner: AccountId, name: &str) -> Op {
    create_in(owner, name, &[])
}

fn affiliate(owner: AccountId, name: &str, who: &str, affiliation: Option<Affiliation>) -> Op {
    node_op(owner, name, NodeChange::Affiliate { jid: jid(who), affiliation })
}

fn subscription(who: &str, subid: &str) -> Subscription {
    let (state, options) = (SubscriptionState::Subscribed, b"options".as_slice().into());
    Subscription { jid: jid(who), subid: subid.into(), state, options, expires_ms: None }
}

fn subscribe(owner: AccountId, name: &str, who: &str, subid: &str) -> Op {
    node_op(owner, name, NodeChange::Subscribe(subscription(who, subid)))
}

fn node(world: &World, owner: AccountId, name: &str) -> Option<StoredNode> {
    read(world.store.node(owner, name))
}

fn names(world: &World, owner: AccountId, after: Option<&str>, limit: usize) -> Vec<String> {
    read(world.store.nodes(owner, after, limit)).into_iter().map(|node| node.row.name.into_string()).collect()
}

fn children(world: &World, owner: AccountId, collection: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let nodes = read(world.store.nodes_in(owner, collection, after, limit));
    nodes.into_iter().map(|node| node.row.name.into_string()).collect()
}

fn a_node_is_read_as_it_was_created(world: &mut World) {
    let alice = world.add("alice", 1);
    let name = "princely_musings \u{1F469}\u{200D}\u{1F680}/ÄÖ '\"<&";
    assert_eq!(node(world, alice, name), None);
    assert_eq!(world.one(create_in(alice, name, &["z", "a", "z"])), done(&[]));
    let row = NodeRow {
        name: name.into(),
        kind: NodeKind::Leaf,
        config: b"config".as_slice().into(),
        collections: vec!["a".into(), "z".into()],
        creator: jid("alice@example.org"),
        created_ms: 5,
    };
    let stored = StoredNode { row, affiliations: vec![], subscriptions: vec![], size: NodeSize::default() };
    assert_eq!(node(world, alice, name), Some(stored.clone()));
    world.reopen();
    assert_eq!(node(world, alice, name), Some(stored));
}

fn a_node_exists_once_and_belongs_to_one_owner(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    assert_eq!(world.one(create(alice, "tune")), done(&[]));
    assert_eq!(world.one(create(alice, "tune")), Outcome::Conflict);
    let mut twice = Record::of(create(alice, "mood"));
    twice.push(create(alice, "mood"));
    assert_eq!(world.commit(twice), Outcome::Conflict);
    assert_eq!(world.one(create(alice, "Tune")), done(&[]));
    assert_eq!(world.one(create(bob, "tune")), done(&[]));
    world.one(publish(bob, "tune", item("1", "<b/>")));
    assert_eq!(node(world, alice, "tune").unwrap().size, NodeSize::default());
    assert_eq!(names(world, alice, None, 9), ["Tune", "tune"]);
    assert_eq!(world.one(create(id(9), "tune")), Outcome::Gone);
    assert_eq!(node(world, id(9), "tune"), None);
}

fn what_is_changed_must_be_there(world: &mut World) {
    let alice = world.add("alice", 1);
    let (config, collections) = (Box::default(), vec![]);
    for change in [
        NodeChange::Configure { config, collections },
        NodeChange::Turn(NodeKind::Collection),
        NodeChange::Delete,
        NodeChange::Affiliate { jid: jid("a@example.org"), affiliation: None },
        NodeChange::Subscribe(subscription("a@example.org", "1")),
        NodeChange::Unsubscribe { jid: jid("a@example.org"), subid: None },
        NodeChange::EndSubscriptions { at_ms: 1 },
        NodeChange::Publish { item: item("1", ""), keep: 1 },
        NodeChange::Retract { ids: vec!["1".into()] },
        NodeChange::Trim { keep: 0 },
        NodeChange::Expire { before_ms: 1 },
        NodeChange::Purge,
        NodeChange::PurgeButNewest,
    ] {
        assert_eq!(world.one(node_op(alice, "none", change.clone())), Outcome::Gone, "{change:?}");
        let mut late = Record::of(create(alice, "none"));
        late.push(node_op(alice, "none", NodeChange::Delete));
        late.push(node_op(alice, "none", change));
        assert_eq!(world.commit(late), Outcome::Gone);
    }
    assert_eq!(names(world, alice, None, 9), [""; 0]);
    world.one(create(alice, "some"));
    world.one(affiliate(alice, "some", "a@example.org", None));
    world.one(node_op(alice, "some", NodeChange::Retract { ids: vec!["1".into()] }));
    world.one(node_op(alice, "some", NodeChange::Unsubscribe { jid: jid("a@example.org"), subid: None }));
    assert_eq!(node(world, alice, "some").unwrap().size, NodeSize::default());
}

fn all_changes_of_a_record_happen_or_none(world: &mut World) {
    let alice = world.add("alice", 1);
    let mut record = Record::of(create(alice, "tune"));
    record.push(affiliate(alice, "tune", "alice@example.org", Some(Affiliation::Owner)));
    record.push(publish(alice, "tune", item("current", "<tune/>")));
    let mut refused = record.clone();
    refused.push(publish(alice, "mood", item("current", "<mood/>")));
    assert_eq!(world.commit(refused), Outcome::Gone);
    assert_eq!(node(world, alice, "tune"), None);
    assert_eq!(world.commit(record), done(&[]));
    let found = node(world, alice, "tune").unwrap();
    assert_eq!((found.affiliations.len(), found.size.items), (1, 1));
    let mut anew = Record::of(node_op(alice, "tune", NodeChange::Delete));
    anew.push(create(alice, "tune"));
    assert_eq!(world.commit(anew), done(&[]));
    assert_eq!(node(world, alice, "tune").unwrap().size.items, 0);
}

fn a_configuration_replaces_the_former_one(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(create_in(alice, "tune", &["a", "b"]));
    world.one(publish(alice, "tune", item("1", "<x/>")));
    let configure = |config: &str, collections: &[&str]| {
        let collections = collections.iter().copied().map(Box::from).collect();
        node_op(alice, "tune", NodeChange::Configure { config: config.as_bytes().into(), collections })
    };
    assert_eq!(world.one(configure("new", &["c", "b"])), done(&[]));
    let found = node(world, alice, "tune").unwrap();
    assert_eq!((&*found.row.config, found.row.collections.join(",").as_str()), (b"new".as_slice(), "b,c"));
    assert_eq!((found.row.created_ms, found.size.items), (5, 1));
    assert_eq!(children(world, alice, "a", None, 9), [""; 0]);
    assert_eq!(children(world, alice, "c", None, 9), ["tune"]);
    assert_eq!(world.one(node_op(alice, "tune", NodeChange::Turn(NodeKind::Collection))), done(&[]));
    assert_eq!(node(world, alice, "tune").unwrap().row.kind, NodeKind::Collection);
}

fn affiliations_and_subscriptions_are_set_replaced_and_removed(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(create(alice, "tune"));
    for (n, affiliation) in Affiliation::ALL.into_iter().enumerate() {
        world.one(affiliate(alice, "tune", &format!("user{n}@example.com"), Some(affiliation)));
    }
    world.one(affiliate(alice, "tune", "user0@example.com", Some(Affiliation::Outcast)));
    world.one(affiliate(alice, "tune", "user1@example.com", None));
    let affiliations = node(world, alice, "tune").unwrap().affiliations;
    let affiliations: Vec<_> = affiliations.iter().map(|(jid, affiliation)| (jid.as_str(), *affiliation)).collect();
    let expected = [
        ("user0@example.com", Affiliation::Outcast),
        ("user2@example.com", Affiliation::ALL[2]),
        ("user3@example.com", Affiliation::ALL[3]),
        ("user4@example.com", Affiliation::ALL[4]),
    ];
    assert_eq!(affiliations, expected);
    for (who, subid) in [("b@example.com/x", "1"), ("b@example.com/x", "2"), ("b@example.com", "1"), ("a-b@x", "")] {
        world.one(subscribe(alice, "tune", who, subid));
    }
    let mut changed = subscription("b@example.com/x", "2");
    (changed.state, changed.options, changed.expires_ms) = (SubscriptionState::Pending, Box::default(), Some(7));
    world.one(node_op(alice, "tune", NodeChange::Subscribe(changed.clone())));
    let subscriptions = |world: &World| node(world, alice, "tune").unwrap().subscriptions;
    let first = [subscription("a-b@x", ""), subscription("b@example.com", "1"), subscription("b@example.com/x", "1")];
    assert_eq!(subscriptions(world), [&first[..], &[changed.clone()]].concat());
    let unsubscribe = |who: &str, subid: Option<&str>| {
        let (jid, subid) = (jid(who), subid.map(Box::from));
        node_op(alice, "tune", NodeChange::Unsubscribe { jid, subid })
    };
    world.one(unsubscribe("b@example.com/x", Some("1")));
    assert_eq!(subscriptions(world), [first[0].clone(), first[1].clone(), changed]);
    world.one(subscribe(alice, "tune", "b@example.com/x", "3"));
    world.one(unsubscribe("b@example.com/x", None));
    assert_eq!(subscriptions(world), first[..2]);
}

fn leased_subscriptions_end(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(create(alice, "tune"));
    for (n, expires_ms) in [None, Some(10), Some(11), Some(u64::MAX >> 1)].into_iter().enumerate() {
        let leased = Subscription { expires_ms, ..subscription(&format!("user{n}@example.com"), "1") };
        world.one(node_op(alice, "tune", NodeChange::Subscribe(leased)));
    }
    world.one(node_op(alice, "tune", NodeChange::EndSubscriptions { at_ms: 10 }));
    let left = node(world, alice, "tune").unwrap().subscriptions;
    assert_eq!(left.iter().map(|one| one.expires_ms).collect::<Vec<_>>(), [None, Some(11), Some(u64::MAX >> 1)]);
}

fn nodes_are_listed_in_the_order_of_their_names(world: &mut World) {
    let alice = world.add("alice", 1);
    for name in ["b", "a", "é", "Z", "a/b", "a-b"] {
        world.one(create(alice, name));
    }
    world.one(publish(alice, "a", item("1", "<x/>")));
    assert_eq!(names(world, alice, None, 99), ["Z", "a", "a-b", "a/b", "b", "é"]);
    assert_eq!(names(world, alice, None, 2), ["Z", "a"]);
    assert_eq!(names(world, alice, Some("a"), 2), ["a-b", "a/b"]);
    assert_eq!(names(world, alice, Some("a0"), 9), ["b", "é"]);
    assert_eq!(names(world, alice, Some("é"), 9), [""; 0]);
    assert_eq!(names(world, id(9), None, 9), [""; 0]);
    let listed = read(world.store.nodes(alice, None, 99));
    assert_eq!((listed[1].size.items, listed[2].size.items), (1, 0));
}

fn lists_of_nodes_are_bounded_in_bytes(world: &mut World) {
    let alice = world.add("alice", 1);
    let config = |n: u8| vec![n; 400 * 1024].into_boxed_slice();
    for n in 0..5 {
        let (kind, collections, creator) = (NodeKind::Leaf, vec![], jid("alice@example.org"));
        let change = NodeChange::Create { kind, config: config(n), collections, creator, at_ms: 0 };
        world.one(node_op(alice, &n.to_string(), change));
    }
    assert_eq!(names(world, alice, None, 99), ["0", "1", "2"]);
    assert_eq!(names(world, alice, Some("2"), 99), ["3", "4"]);
}

fn children_are_found_by_their_collection(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.one(create(alice, "all"));
    world.one(create_in(alice, "b", &["all", "other"]));
    world.one(create_in(alice, "a", &["all"]));
    world.one(create_in(alice, "c", &["all"]));
    world.one(create_in(bob, "d", &["all"]));
    assert_eq!(children(world, alice, "all", None, 9), ["a", "b", "c"]);
    assert_eq!(children(world, alice, "all", Some("a"), 1), ["b"]);
    assert_eq!(children(world, alice, "other", None, 9), ["b"]);
    assert_eq!(read(world.store.nodes_in(alice, "other", None, 9))[0].row.collections.join(","), "all,other");
    world.one(node_op(alice, "b", NodeChange::Delete));
    assert_eq!(children(world, alice, "all", None, 9), ["a", "c"]);
    assert_eq!(children(world, alice, "", None, 9), ["all"], "what stands in nothing else stands in the root");
    world.one(node_op(alice, "all", NodeChange::Delete));
    assert_eq!(children(world, alice, "", None, 1), ["a"]);
    assert_eq!(children(world, alice, "", Some("a"), 9), ["c"]);
    assert!(node(world, alice, "a").unwrap().row.collections.is_empty());
    world.one(create(alice, "all"));
    assert_eq!(children(world, alice, "all", None, 9), [""; 0]);
    assert_eq!(children(world, bob, "all", None, 9), ["d"], "whether there is a node with that name or not");
}

fn somebody_finds_what_concerns_them_among_all_nodes(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    for name in ["a", "b", "c", "d"] {
        world.one(create(alice, name));
    }
    world.one(create(bob, "a"));
    for (name, who, subid) in [
        ("c", "eve@example.com/x", "2"),
        ("c", "eve@example.com", "1"),
        ("a", "eve@example.com/y", "1"),
        ("d", "eve@example.com", "1"),
        ("b", "eve@example.com.au", "1"),
        ("b", "eve@example.comm/x", "1"),
    ] {
        world.one(subscribe(alice, name, who, subid));
    }
    world.one(subscribe(bob, "a", "eve@example.com", "9"));
    world.one(affiliate(alice, "b", "eve@example.com", Some(Affiliation::Publisher)));
    world.one(affiliate(alice, "d", "eve@example.com", Some(Affiliation::Outcast)));
    world.one(affiliate(bob, "a", "eve@example.com", Some(Affiliation::Owner)));
    let eve = jid("eve@example.com");
    let subscriptions = |world: &World, after: Option<&str>, limit| {
        let found = read(world.store.subscriptions_of(alice, &eve, after, limit));
        found.into_iter().map(|(name, one)| format!("{name} {} {}", one.jid, one.subid)).collect::<Vec<_>>()
    };
    let all = ["a eve@example.com/y 1", "c eve@example.com 1", "c eve@example.com/x 2", "d eve@example.com 1"];
    assert_eq!(subscriptions(world, None, 9), all);
    assert_eq!(subscriptions(world, None, 2), all[..3], "those to one node are not torn apart");
    assert_eq!(subscriptions(world, Some("c"), 2), all[3..]);
    let affiliations = |world: &World, after: Option<&str>, limit| {
        let found = read(world.store.affiliations_of(alice, &eve, after, limit));
        found.into_iter().map(|(name, affiliation)| (name.into_string(), affiliation)).collect::<Vec<_>>()
    };
    let all = [("b".to_owned(), Affiliation::Publisher), ("d".to_owned(), Affiliation::Outcast)];
    assert_eq!(affiliations(world, None, 9), all);
    assert_eq!(affiliations(world, None, 1), all[..1]);
    assert_eq!(affiliations(world, Some("b"), 9), all[1..]);
    let subscribed = |world: &World, limit| {
        let mut found = read(world.store.subscribed_to(&eve, limit));
        found.sort();
        found
    };
    let mut of_all: Vec<(AccountId, Box<str>)> = ["a", "c", "d"].map(|name| (alice, name.into())).into();
    of_all.push((bob, "a".into()));
    of_all.sort();
    assert_eq!(subscribed(world, 9), of_all, "of all owners, each node once");
    assert_eq!(subscribed(world, 2).len(), 2);
    world.one(node_op(alice, "d", NodeChange::Delete));
    assert_eq!(subscribed(world, 9).len(), 3);
    assert_eq!(affiliations(world, None, 9), all[..1]);
    assert_eq!(subscriptions(world, Some("b"), 9).len(), 2);
}

fn a_deleted_node_leaves_nothing_to_one_with_its_name(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(create_in(alice, "tune", &["all"]));
    world.one(publish(alice, "tune", item("1", "<x/>")));
    world.one(affiliate(alice, "tune", "eve@example.com", Some(Affiliation::Owner)));
    world.one(subscribe(alice, "tune", "eve@example.com", "1"));
    world.one(node_op(alice, "tune", NodeChange::Delete));
    assert_eq!(node(world, alice, "tune"), None);
    assert_eq!(read(world.store.items(alice, "tune", ItemSearch::default())), ItemsFound::NoNode);
    assert_eq!(read(world.store.items_by_id(alice, "tune", vec!["1".into()])), []);
    assert_eq!(read(world.store.newest_items(alice, vec!["tune".into()])), []);
    assert_eq!(read(world.store.nodes_usage(alice)), NodesUsage::default());
    assert_eq!(world.one(create(alice, "tune")), done(&[]));
    let anew = node(world, alice, "tune").unwrap();
    assert_eq!((anew.affiliations.len(), anew.subscriptions.len(), anew.size.items), (0, 0, 0));
    assert_eq!(read(world.store.subscriptions_of(alice, &jid("eve@example.com"), None, 9)), []);
}

fn what_nodes_take_is_known(world: &mut World) {
    let alice = world.add("alice", 1);
    let usage = |world: &World| read(world.store.nodes_usage(alice));
    assert_eq!(usage(world), NodesUsage::default());
    // "tune", "config", "all" and "alice@example.org".
    let row = 4 + 6 + 3 + 17;
    world.one(create_in(alice, "tune", &["all"]));
    assert_eq!(usage(world), NodesUsage { nodes: 1, items: 0, bytes: row });
    // The id, the publisher's address, and four bytes of payload.
    world.one(publish(alice, "tune", item("1", "<x/>")));
    let of_item = 1 + item("1", "").publisher.as_str().len() as u64 + 4;
    assert_eq!(usage(world), NodesUsage { nodes: 1, items: 1, bytes: row + of_item });
    world.one(publish(alice, "tune", item("1", "<xyz/>")));
    assert_eq!(usage(world), NodesUsage { nodes: 1, items: 1, bytes: row + of_item + 2 });
    assert_eq!(node(world, alice, "tune").unwrap().size, NodeSize { items: 1, bytes: of_item + 2 });
    world.one(node_op(alice, "tune", NodeChange::Configure { config: Box::default(), collections: vec![] }));
    assert_eq!(usage(world).bytes, row - 9 + of_item + 2);
    world.one(node_op(alice, "tune", NodeChange::Purge));
    assert_eq!(usage(world), NodesUsage { nodes: 1, items: 0, bytes: row - 9 });
    world.one(create(alice, "all"));
    world.one(node_op(
        alice,
        "tune",
        NodeChange::Configure { config: Box::default(), collections: vec!["all".into()] },
    ));
    world.one(node_op(alice, "all", NodeChange::Delete));
    assert_eq!(usage(world), NodesUsage { nodes: 1, items: 0, bytes: row - 9 });
    world.one(node_op(alice, "tune", NodeChange::Delete));
    assert_eq!(usage(world), NodesUsage::default());
}

fn who_has_nodes_is_listed(world: &mut World) {
    let owners: Vec<AccountId> = (1..=5).map(|n| world.add(&format!("user{n}"), n)).collect();
    for owner in [owners[2], owners[0], owners[4], owners[3]] {
        world.one(create(owner, "tune"));
    }
    world.one(create(owners[0], "mood"));
    world.one(node_op(owners[4], "tune", NodeChange::Delete));
    world.forget(owners[3]);
    let page = |world: &World, after, limit| read(world.store.node_owners(after, limit));
    let all = page(world, 0, 9);
    let mut ids: Vec<_> = all.iter().map(|owner| (owner.account.id, owner.usage.nodes)).collect();
    ids.sort_unstable_by_key(|(id, _)| owners.iter().position(|owner| owner == id));
    assert_eq!(ids, [(owners[0], 2), (owners[2], 1)]);
    assert_eq!(page(world, 0, 1), all[..1]);
    assert_eq!(page(world, all[0].place, 1), all[1..]);
    assert_eq!(page(world, all[1].place, 9), []);
    assert_eq!(Some(&all[0].account), world.account(&all[0].account.name).as_ref());
}

/// The tables that hold something of nodes.
const TABLES: [&str; 11] = [
    "nodes",
    "node_spaces",
    "node_usage",
    "node_collections",
    "node_affiliations",
    "node_subscriptions",
    "node_items",
    "node_births",
    "node_blocks",
    "node_trims",
    "node_remains",
];

fn rows(world: &World) -> i64 {
    let Some(file) = world.file() else { return 0 };
    let sizes = table_sizes(&file);
    TABLES.iter().map(|table| sizes[*table]).sum()
}

fn fill(world: &mut World, owner: AccountId) {
    for name in ["a", "b"] {
        let mut record = Record::of(create_in(owner, name, &["all", "other"]));
        for n in 0..600 {
            record.push(publish(owner, name, item(&n.to_string(), "<x/>")));
            record.push(subscribe(owner, name, &format!("user{n}@example.com"), "1"));
            record.push(affiliate(owner, name, &format!("user{n}@example.com"), Some(Affiliation::Member)));
        }
        assert_eq!(world.commit(record), done(&[]));
    }
}

fn nodes_go_with_their_account(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    fill(world, alice);
    world.finish_purge();
    let of_alice = rows(world);
    fill(world, bob);
    world.one(node_op(bob, "b", NodeChange::Trim { keep: 1 }));
    world.forget(bob);
    assert_eq!(node(world, bob, "a"), None);
    assert_eq!(names(world, bob, None, 9), [""; 0]);
    assert_eq!(children(world, bob, "all", None, 9), [""; 0]);
    assert_eq!(read(world.store.nodes_usage(bob)), NodesUsage::default());
    assert_eq!(read(world.store.items(bob, "a", ItemSearch::default())), ItemsFound::NoNode);
    assert_eq!(read(world.store.subscriptions_of(bob, &jid("user1@example.com"), None, 9)), []);
    assert_eq!(read(world.store.affiliations_of(bob, &jid("user1@example.com"), None, 9)), []);
    assert_eq!(world.one(publish(bob, "a", item("1", "<x/>"))), Outcome::Gone);
    world.reopen();
    world.finish_purge();
    assert_eq!(rows(world), of_alice);
    assert_eq!(node(world, alice, "a").unwrap().size.items, 600);
    world.forget(alice);
    world.finish_purge();
    assert_eq!(rows(world), 0);
}

fn much_that_is_deleted_goes_in_pieces(world: &mut World) {
    let alice = world.add("alice", 1);
    fill(world, alice);
    world.one(node_op(alice, "a", NodeChange::Purge));
    assert_eq!(node(world, alice, "a").unwrap().size, NodeSize::default());
    world.one(publish(alice, "a", item("7", "<new/>")));
    world.one(node_op(alice, "b", NodeChange::Delete));
    world.reopen();
    world.finish_purge();
    let found = node(world, alice, "a").unwrap();
    assert_eq!((found.size.items, found.subscriptions.len(), found.affiliations.len()), (1, 600, 600));
    let Some(file) = world.file() else { return };
    let sizes = table_sizes(&file);
    assert_eq!((sizes["nodes"], sizes["node_items"], sizes["node_births"], sizes["node_blocks"]), (1, 1, 1, 2));
    assert_eq!((sizes["node_spaces"], sizes["node_subscriptions"], sizes["node_affiliations"]), (1, 600, 600));
}

fn a_domain_has_an_account_of_its_own_that_nobody_finds_by_name(world: &mut World) {
    world.add("alice", 1);
    // Never a guest.
    let id = |n| AccountId::ordinary(*id(n).as_bytes());
    let own = Account::of_domain(id(7), HOST, 5);
    let add = |account: &Account| Op::AddAccount { account: Box::new(account.clone()), keys: vec![] };
    assert_eq!(read(world.store.account_of_domain(HOST)), None);
    assert_eq!(world.one(add(&own)), done(&[]));
    assert_eq!(world.one(add(&Account::of_domain(id(8), HOST, 6))), Outcome::Conflict);
    assert_eq!(world.one(add(&Account::of_domain(id(8), "example.com", 6))), done(&[]));
    world.reopen();
    assert_eq!(read(world.store.account_of_domain(HOST)), Some(own.clone()));
    assert_eq!(read(world.store.account_by_id(own.id)), Some(own.clone()));
    assert!(own.state.is_disabled() && own.is_of_domain());
    assert_eq!(world.account(""), None);
    assert_eq!(read(world.store.credentials(HOST, "")), None);
    let listed = read(world.store.list(HOST, None, 9));
    assert_eq!(listed.iter().map(|account| &*account.name).collect::<Vec<_>>(), ["alice"]);
    assert_eq!(world.one(create(own.id, "princely_musings")), done(&[]));
    assert!(node(world, own.id, "princely_musings").is_some());
    world.forget(own.id);
    world.finish_purge();
    assert_eq!(read(world.store.account_of_domain(HOST)), None);
    assert_eq!(world.one(add(&Account::of_domain(id(9), HOST, 9))), done(&[]));
    assert_eq!(names(world, id(9), None, 9), [""; 0]);
}
