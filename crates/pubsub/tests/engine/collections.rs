//! Collections (XEP-0248): what stands in them, who hears of it, and what cannot be.

use metronome_proto::payload::pubsub::PubsubError;

use crate::world::{Answer, World};
use crate::{form, service, wire};

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";
const BARD_BARE: &str = "bard@shakespeare.example";

fn create(world: &mut World, name: &str, fields: &[(&str, &str)]) {
    let config = form("node_config", fields);
    world.set(HAMLET, &format!("<create node='{name}'/><configure>{config}</configure>")).unwrap();
}

fn subscribe(node: &str, of: &str, depth: &str) -> String {
    let fields = [("pubsub#subscription_type", of), ("pubsub#subscription_depth", depth)];
    let options = form("subscribe_options", &fields);
    format!("<subscribe node='{node}' jid='{BARD_BARE}'/><options>{options}</options>")
}

/// `top` holds `blogs`, which holds the leaf `musings`.
fn tree() -> World {
    let mut world = service();
    create(&mut world, "top", &[("pubsub#node_type", "collection")]);
    create(&mut world, "blogs", &[("pubsub#node_type", "collection"), ("pubsub#collection", "top")]);
    create(&mut world, "musings", &[("pubsub#collection", "blogs")]);
    world
}

fn publish(world: &mut World) -> String {
    let publish = "<publish node='musings'><item id='1'><p xmlns='urn:p'/></item></publish>";
    world.set(HAMLET, publish).unwrap().to(BARD_BARE)
}

// XEP-0248 example 7
// XEP-0248 example 13
#[test]
fn what_is_published_below_is_told_above_as_deep_as_the_subscription_goes() {
    for (node, of, depth, is_told) in [
        ("blogs", "items", "1", true),
        ("blogs", "nodes", "all", false),
        ("blogs", "items", "0", false),
        ("top", "items", "1", false),
        ("top", "items", "2", true),
        ("top", "all", "all", true),
    ] {
        let mut world = tree();
        world.set(BARD, &subscribe(node, of, depth)).unwrap();
        let told = publish(&mut world);
        assert_eq!(!told.is_empty(), is_told, "{node} {of} {depth}");
        let header = format!(
            "<headers xmlns='http://jabber.org/protocol/shim'><header name='Collection'>{node}</header></headers>"
        );
        assert!(!is_told || (told.contains("<items node='musings'>") && told.ends_with(&header)), "{told}");
    }
}

#[test]
fn one_message_is_enough_for_several_ways() {
    let mut world = tree();
    world.set(BARD, &subscribe("top", "items", "all")).unwrap();
    world.set(BARD, &subscribe("blogs", "items", "all")).unwrap();
    world.set(BARD, &format!("<subscribe node='musings' jid='{BARD_BARE}'/>")).unwrap();
    let told = publish(&mut world);
    assert_eq!(told.matches("<event").count(), 1);
    assert_eq!(told.matches("name='Collection'").count(), 2, "{told}");
}

// XEP-0248 example 8
// XEP-0248 example 9
// XEP-0248 example 12
// XEP-0248 example 14
#[test]
fn nodes_that_come_and_go_are_told_above() {
    let mut world = tree();
    let said = world.set(BARD, &format!("<subscribe node='blogs' jid='{BARD_BARE}'/>")).unwrap().reply;
    assert!(said.contains("subscription='subscribed'"), "{said}");
    let config = form("node_config", &[("pubsub#collection", "blogs")]);
    let made = world.set(HAMLET, &format!("<create node='ravings'/><configure>{config}</configure>")).unwrap();
    let told = made.to(BARD_BARE);
    assert!(
        told.contains("<create node='ravings'/>")
            && told.contains("<collection node='blogs'><associate node='ravings'/>"),
        "{told}"
    );
    let gone = world.owner_set(HAMLET, "<delete node='ravings'/>").unwrap().to(BARD_BARE);
    assert!(gone.contains("<delete node='ravings'/>") && gone.contains("Collection"), "{gone}");
}

// XEP-0248 example 34
// XEP-0248 example 35
#[test]
fn a_collection_that_goes_leaves_its_nodes() {
    let mut world = tree();
    world.owner_set(HAMLET, "<delete node='blogs'/>").unwrap();
    assert!(world.nodes["musings"].row.collections.is_empty());
    assert!(world.nodes.contains_key("top"));
}

// XEP-0248 example 20
// XEP-0248 example 21
// XEP-0248 example 27
// XEP-0248 example 30
// XEP-0248 example 31
#[test]
fn nothing_stands_in_itself_nor_in_a_leaf() {
    let mut world = tree();
    let mut configure = |node: &str, fields: &[(&str, &str)]| {
        let form = form("node_config", fields);
        world.owner_set(HAMLET, &format!("<configure node='{node}'>{form}</configure>"))
    };
    let no = "cancel:not-allowed invalid-options";
    assert_eq!(wire(configure("top", &[("pubsub#collection", "blogs")])), no);
    assert_eq!(wire(configure("top", &[("pubsub#collection", "top")])), no);
    assert_eq!(wire(configure("blogs", &[("pubsub#children", "musings\ntop")])), no);
    assert_eq!(wire(configure("top", &[("pubsub#collection", "musings")])), no, "a leaf holds no nodes");
    assert_eq!(wire(configure("musings", &[("pubsub#children", "top")])), no);
    assert_eq!(wire(configure("blogs", &[("pubsub#node_type", "leaf")])), no);
    assert_eq!(wire(configure("musings", &[("pubsub#collection", "nowhere")])), "cancel:item-not-found");
    assert_eq!(world.nodes["blogs"].row.collections, ["top".into()]);
}

// XEP-0248 example 10
// XEP-0248 example 25
// XEP-0248 example 26
#[test]
fn children_and_collections_are_two_sides_of_one_thing() {
    let mut world = tree();
    create(&mut world, "ravings", &[]);
    let configure = |children: &str| {
        format!("<configure node='blogs'>{}</configure>", form("node_config", &[("pubsub#children", children)]))
    };
    world.owner_set(HAMLET, &configure("ravings\nmusings")).unwrap();
    assert_eq!(world.nodes["ravings"].row.collections, ["blogs".into()]);
    let shown = world.owner_get(HAMLET, "<configure node='blogs'/>").unwrap().reply;
    assert!(shown.contains("<value>musings</value><value>ravings</value>"), "{shown}");
    world.set(BARD, &format!("<subscribe node='blogs' jid='{BARD_BARE}'/>")).unwrap();
    let told = world.owner_set(HAMLET, &configure("ravings")).unwrap().to(BARD_BARE);
    assert!(told.contains("<collection node='blogs'><dissociate node='musings'/></collection>"), "{told}");
    assert!(world.nodes["musings"].row.collections.is_empty());
    assert!(world.owner_get(HAMLET, "<configure node='ravings'/>").unwrap().reply.contains("<value>blogs</value>"));
}

fn associate(world: &mut World, from: &str) -> Result<Answer, PubsubError> {
    world.owner_set(from, "<collection node='blogs'><associate node='mine'/></collection>")
}

fn dissociate(world: &mut World, from: &str) -> Result<Answer, PubsubError> {
    world.owner_set(from, "<collection node='blogs'><dissociate node='mine'/></collection>")
}

// XEP-0248 example 28
// XEP-0248 example 29
// XEP-0248 example 37
// XEP-0248 example 38
// XEP-0248 example 39
// XEP-0248 example 40
// XEP-0248 example 41
// XEP-0248 example 42
// XEP-0248 example 43
// XEP-0248 example 44
// XEP-0248 example 45
#[test]
fn a_collection_has_a_policy_and_a_bound() {
    let mut world = tree();
    let owned = |name: &str, fields: &[(&str, &str)]| {
        format!("<create node='{name}'/><configure>{}</configure>", form("node_config", fields))
    };
    let into = [("pubsub#collection", "blogs")];
    assert_eq!(wire(world.set(BARD, &owned("mine", &into))), "auth:forbidden");
    let open = form("node_config", &[("pubsub#children_association_policy", "all"), ("pubsub#children_max", "2")]);
    world.owner_set(HAMLET, &format!("<configure node='blogs'>{open}</configure>")).unwrap();
    world.set(BARD, &owned("mine", &into)).unwrap();
    assert_eq!(wire(world.set(BARD, &owned("more", &into))), "cancel:not-allowed max-nodes-exceeded");
    dissociate(&mut world, HAMLET).unwrap();
    assert!(world.nodes["mine"].row.collections.is_empty());
    assert_eq!(wire(dissociate(&mut world, HAMLET)), "modify:bad-request");
    assert_eq!(wire(associate(&mut world, HAMLET)), "auth:forbidden", "it is not his");
    associate(&mut world, BARD).unwrap();
    assert_eq!(world.nodes["mine"].row.collections, ["blogs".into()]);
    let closed = form("node_config", &[("pubsub#children_association_policy", "owners")]);
    world.owner_set(HAMLET, &format!("<configure node='blogs'>{closed}</configure>")).unwrap();
    assert_eq!(wire(dissociate(&mut world, "king@denmark.example/x")), "auth:forbidden");
    create(&mut world, "more", &[]);
    let more = world.owner_set(HAMLET, "<collection node='blogs'><associate node='more'/></collection>");
    assert_eq!(wire(more), "cancel:not-allowed max-nodes-exceeded");
    let circle = world.owner_set(HAMLET, "<collection node='blogs'><associate node='top'/></collection>");
    assert!(wire(circle).starts_with("cancel:not-allowed"));
    let listed = [
        ("pubsub#children_association_policy", "whitelist"),
        ("pubsub#children_association_whitelist", "king@denmark.example"),
    ];
    world.owner_set(HAMLET, &format!("<configure node='blogs'>{}</configure>", form("node_config", &listed))).unwrap();
    assert_eq!(wire(dissociate(&mut world, "fool@denmark.example/x")), "auth:forbidden");
    dissociate(&mut world, "king@denmark.example/x").unwrap();
    assert!(world.nodes["mine"].row.collections.is_empty());
}

// XEP-0248 example 17
// XEP-0248 example 18
// XEP-0060 example 106
#[test]
fn items_of_a_collection_are_those_of_its_nodes_that_one_may_read() {
    let mut world = tree();
    create(&mut world, "secret", &[("pubsub#collection", "blogs"), ("pubsub#access_model", "whitelist")]);
    publish(&mut world);
    world.set(HAMLET, "<publish node='secret'><item id='s'><p xmlns='urn:p'/></item></publish>").unwrap();
    let seen = world.get(BARD, "<items node='blogs'/>").unwrap().reply;
    assert!(seen.contains("<items node='musings'><item id='1'>") && !seen.contains("secret"), "{seen}");
    assert!(world.get(HAMLET, "<items node='blogs'/>").unwrap().reply.contains("<items node='secret'>"));
    let published = world.set(HAMLET, "<publish node='blogs'><item id='1'><p xmlns='urn:p'/></item></publish>");
    assert_eq!(wire(published), "cancel:feature-not-implemented unsupported");
}

#[test]
fn closed_leaves_are_not_told_through_open_collections() {
    let mut world = tree();
    create(&mut world, "secret", &[("pubsub#collection", "blogs"), ("pubsub#access_model", "whitelist")]);
    world.set(BARD, &subscribe("top", "all", "all")).unwrap();
    let publish = "<publish node='secret'><item id='s'><p xmlns='urn:p'/></item></publish>";
    assert!(world.set(HAMLET, publish).unwrap().told.is_empty());
}

// XEP-0248 example 19
// XEP-0248 example 46
// XEP-0060 example 88
#[test]
fn the_root_holds_what_stands_nowhere_else() {
    let mut world = tree();
    world.set(BARD, &subscribe("", "all", "1").replace("node='' ", "")).unwrap();
    let told = world.set(HAMLET, "<create node='new'/>").unwrap().to(BARD_BARE);
    assert!(told.contains("<create node='new'/>"), "{told}");
    assert!(publish(&mut world).is_empty(), "it stands three levels below");
    assert_eq!(wire(world.get(BARD, "<items/>")), "cancel:feature-not-implemented unsupported");
    let mine = world.get(BARD, "<subscriptions/>").unwrap().reply;
    assert!(mine.contains(&format!("<subscription jid='{BARD_BARE}'")), "{mine}");
}

// XEP-0248 example 15
#[test]
fn two_subscriptions_for_the_same_events_are_a_conflict() {
    let mut world = tree();
    world.set(BARD, &subscribe("blogs", "items", "1")).unwrap();
    assert_eq!(wire(world.set(BARD, &subscribe("blogs", "items", "all"))), "cancel:conflict");
    assert!(world.set(BARD, &subscribe("blogs", "nodes", "all")).is_ok());
}

#[test]
fn a_digest_of_a_collection_tells_of_each_leaf_that_one_may_read() {
    let mut world = tree();
    create(&mut world, "secret", &[("pubsub#collection", "blogs"), ("pubsub#access_model", "whitelist")]);
    let fields = [
        ("pubsub#subscription_type", "items"),
        ("pubsub#subscription_depth", "all"),
        ("pubsub#digest", "1"),
        ("pubsub#digest_frequency", "60000"),
    ];
    let options = form("subscribe_options", &fields);
    world.set(BARD, &format!("<subscribe node='top' jid='{BARD_BARE}'/><options>{options}</options>")).unwrap();
    world.now_ms += 60_000;
    assert!(publish(&mut world).is_empty());
    world.set(HAMLET, "<publish node='secret'><item id='s'><p xmlns='urn:p'/></item></publish>").unwrap();
    let digest = world.run(HAMLET, |nodes| nodes.time("top")).unwrap().to(BARD_BARE);
    assert!(digest.contains("<items node='musings'><item id='1'>") && digest.contains(">top</header>"), "{digest}");
    assert!(!digest.contains("secret"));
    world.now_ms += 60_000;
    assert!(world.run(HAMLET, |nodes| nodes.time("top")).unwrap().told.is_empty(), "once is enough");
}

#[test]
fn collections_stand_in_each_other_only_so_deep() {
    let mut world = service();
    create(&mut world, "c0", &[("pubsub#node_type", "collection")]);
    let mut make = |number: u32, kind: &str| {
        let fields = [("pubsub#node_type", kind), ("pubsub#collection", &*format!("c{}", number - 1))];
        let config = form("node_config", &fields);
        world.set(HAMLET, &format!("<create node='c{number}'/><configure>{config}</configure>"))
    };
    for number in 1..=9 {
        make(number, "collection").unwrap();
    }
    assert_eq!(wire(make(10, "collection")), "cancel:not-allowed max-nodes-exceeded");
    let config = form("node_config", &[("pubsub#collection", "c9")]);
    let leaf = world.set(HAMLET, &format!("<create node='leaf'/><configure>{config}</configure>"));
    assert_eq!(wire(leaf), "cancel:not-allowed max-nodes-exceeded");
}

#[test]
fn many_nodes_are_not_put_into_a_collection_at_once() {
    let mut world = tree();
    let children: Vec<_> = (0..200).map(|number| format!("n{number}")).collect();
    let fields = form("node_config", &[("pubsub#children", &*children.join("\n"))]);
    let refused = world.owner_set(HAMLET, &format!("<configure node='blogs'>{fields}</configure>"));
    assert_eq!(wire(refused), "modify:policy-violation");
    let some = form("node_config", &[("pubsub#children", "musings\nnowhere")]);
    assert_eq!(
        wire(world.owner_set(HAMLET, &format!("<configure node='blogs'>{some}</configure>"))),
        "cancel:item-not-found"
    );
}
