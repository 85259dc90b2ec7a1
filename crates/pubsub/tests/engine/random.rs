//! Random sequences of requests against what must always hold, and against a model of who may do what that is written without the engine.

use std::collections::{BTreeMap, BTreeSet};

use metronome_model::{Affiliation, NodeChange, NodeKind, SubscriptionState};
use metronome_proto::jid::Jid;
use metronome_pubsub::config::{AccessModel, PublishModel};
use metronome_pubsub::{Audience, Node, ROOT, Topic};

use crate::world::{Answer, Stored, World, jid};
use crate::{account, form, service};

const PEOPLE: [&str; 5] = ["hamlet@denmark", "bard@globe", "nurse@verona", "romeo@verona", "king@denmark"];
const NODES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const STEPS: usize = 150;
const SEEDS: u64 = 50;

/// What is asked for, with what the model says of it.
struct Step {
    from: String,
    node: &'static str,
    xml: String,
    is_owner_request: bool,
    verb: Option<Asks>,
}

/// The requests whose outcome the model knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asks {
    Read,
    Subscribe,
    Publish,
    Manage,
}

fn pick<T: Copy>(rng: &mut fastrand::Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

fn config(rng: &mut fastrand::Rng) -> String {
    let mut fields = vec![
        ("pubsub#access_model", pick(rng, &["open", "presence", "roster", "authorize", "whitelist"])),
        ("pubsub#publish_model", pick(rng, &["publishers", "subscribers", "open"])),
        ("pubsub#max_items", pick(rng, &["1", "2", "3", "max"])),
        ("pubsub#roster_groups_allowed", "friends"),
        ("pubsub#publish_node_full", pick(rng, &["retract-oldest", "discard-oldest", "reject"])),
        ("pubsub#notify_config", pick(rng, &["0", "1"])),
        ("pubsub#item_expire", pick(rng, &["", "", "20"])),
    ];
    match rng.u8(..8) {
        0 => fields.push(("pubsub#node_type", "collection")),
        1 => fields.push(("pubsub#collection", pick(rng, &NODES))),
        2 => fields.push(("pubsub#children", pick(rng, &NODES))),
        3 => fields.push(("pubsub#collection", "")),
        _ => {}
    }
    form("node_config", &fields)
}

fn step(rng: &mut fastrand::Rng, people: &[&str]) -> Step {
    let bare = pick(rng, people);
    let from = format!("{bare}/{}", pick(rng, &["x", "y"]));
    let node = pick(rng, &NODES);
    let to = if rng.bool() { bare.to_owned() } else { from.clone() };
    let id = rng.u8(..5);
    let options = form(
        "subscribe_options",
        &[
            ("pubsub#include_body", pick(rng, &["0", "1"])),
            ("pubsub#subscription_type", pick(rng, &["items", "nodes", "all"])),
            ("pubsub#subscription_depth", pick(rng, &["1", "all"])),
            ("pubsub#expire", pick(rng, &["", "presence", "2023-11-14T22:15:00Z"])),
        ],
    );
    let other = pick(rng, people);
    let affiliation = pick(rng, &["owner", "publisher", "publish-only", "member", "outcast", "none"]);
    let state = pick(rng, &["none", "subscribed", "pending", "unconfigured"]);
    let own = |verb, xml| (false, verb, xml);
    let owner = |xml| (true, Some(Asks::Manage), xml);
    let (is_owner_request, verb, xml) = match rng.u8(..16) {
        0 => own(None, format!("<create node='{node}'/><configure>{}</configure>", config(rng))),
        1 => owner(format!("<configure node='{node}'>{}</configure>", config(rng))),
        2 | 3 => own(Some(Asks::Subscribe), format!("<subscribe node='{node}' jid='{to}'/>")),
        4 => own(None, format!("<subscribe node='{node}' jid='{to}'/><options>{options}</options>")),
        5 => own(None, format!("<unsubscribe node='{node}' jid='{to}'/>")),
        6..=8 => own(
            Some(Asks::Publish),
            format!("<publish node='{node}'><item id='{id}'><p xmlns='urn:p'/></item></publish>"),
        ),
        9 => own(None, format!("<retract node='{node}'><item id='{id}'/></retract>")),
        10 => own(Some(Asks::Read), format!("<items node='{node}'/>")),
        11 => owner(format!("<purge node='{node}'/>")),
        12 if rng.u8(..4) == 0 => owner(format!("<delete node='{node}'/>")),
        12 => owner(format!("<collection node='{node}'><associate node='{}'/></collection>", pick(rng, &NODES))),
        13 | 14 => owner(format!(
            "<affiliations node='{node}'><affiliation jid='{other}' affiliation='{affiliation}'/></affiliations>"
        )),
        _ => owner(format!(
            "<subscriptions node='{node}'><subscription jid='{other}' subscription='{state}'/></subscriptions>"
        )),
    };
    Step { from, node, xml, is_owner_request, verb }
}

/// What somebody is to a node, and whether the access model lets them in: written down without the engine.
fn may(world: &World, stored: &Stored, who: &Jid, asks: Asks) -> bool {
    let node = world.node(&stored.row.name).unwrap();
    let affiliation = match stored.affiliations.get(&who.bare()) {
        _ if who.same_bare(&world.address) => Some(Affiliation::Owner),
        affiliation => affiliation.copied(),
    };
    let rows = stored.subscriptions.iter().filter(|row| row.jid.same_bare(who));
    let rows: Vec<_> = rows.filter(|row| row.expires_ms.is_none_or(|end_ms| end_ms > world.now_ms)).collect();
    let is_subscribed = rows.iter().any(|row| row.state == SubscriptionState::Subscribed);
    let is_let_in = rows.iter().any(|row| row.state != SubscriptionState::Pending);
    let groups = world.friends.get(&who.bare());
    let enters = match node.config.access_model {
        AccessModel::Open => true,
        AccessModel::Presence => groups.is_some(),
        AccessModel::Roster => groups.is_some_and(|groups| groups.contains(&"friends".into())),
        AccessModel::Authorize => asks == Asks::Subscribe || is_let_in,
        AccessModel::Whitelist => false,
    };
    let publishes = match node.config.publish_model {
        PublishModel::Open => true,
        PublishModel::Subscribers => is_subscribed,
        PublishModel::Publishers => false,
    };
    match (affiliation, asks) {
        (Some(Affiliation::Owner), _) => true,
        (Some(Affiliation::Outcast), _) | (_, Asks::Manage) => false,
        (Some(Affiliation::Publisher), _) => true,
        (Some(Affiliation::PublishOnly), asks) => asks == Asks::Publish,
        (Some(Affiliation::Member), Asks::Publish) | (None, Asks::Publish) => publishes,
        (Some(Affiliation::Member), _) => true,
        (None, _) => enters,
    }
}

/// What must hold of every node, whatever has happened.
fn check_nodes(world: &World) {
    for (name, stored) in &world.nodes {
        let node = world.node(name).unwrap();
        let owned = stored.affiliations.values().any(|affiliation| *affiliation == Affiliation::Owner);
        assert!(owned || world.is_account() || **name == *ROOT, "{name} has an owner");
        let keep = node.config.max_items.within(world.rules.limits().items_max);
        assert!(stored.items.len() as u64 <= keep, "{name} holds {} items of {keep}", stored.items.len());
        assert!(node.kind == NodeKind::Leaf || stored.items.is_empty(), "{name} is a collection with items");
        let ids: BTreeSet<_> = stored.items.iter().map(|item| &item.id).collect();
        assert_eq!(ids.len(), stored.items.len(), "{name} has an item twice");
        for row in &stored.subscriptions {
            let affiliation = stored.affiliations.get(&row.jid.bare());
            assert_ne!(affiliation, Some(&Affiliation::Outcast), "{} is shut out of {name} and subscribed", row.jid);
        }
        let keys: BTreeSet<_> = stored.subscriptions.iter().map(|row| (&row.jid, &row.subid)).collect();
        assert_eq!(keys.len(), stored.subscriptions.len(), "{name} has a subscription twice");
        check_place(world, name, stored);
    }
}

/// Only collections hold nodes, and none holds itself.
fn check_place(world: &World, name: &str, stored: &Stored) {
    let mut above: Vec<&str> = stored.row.collections.iter().map(|parent| &**parent).collect();
    let mut seen = BTreeSet::new();
    while let Some(parent) = above.pop() {
        assert_ne!(parent, name, "{name} stands in itself");
        let Some(parent) = world.nodes.get(parent).filter(|_| seen.insert(parent)) else { continue };
        assert_eq!(parent.row.kind, NodeKind::Collection, "{name} stands in a leaf");
        above.extend(parent.row.collections.iter().map(|parent| &**parent));
    }
}

/// Nobody is told of items who may not read, and nobody twice.
fn check_told(world: &World, answer: &Answer) {
    for notification in &answer.notifications {
        let Audience::Subscribers(to) = &notification.to else { continue };
        let told = world.deliver(notification);
        assert!(told.len() <= to.len_max());
        let unique: BTreeSet<_> = told.iter().map(|(to, _)| to).collect();
        assert_eq!(unique.len(), told.len(), "somebody is told twice");
        let Some(stored) = world.nodes.get(&to.node.name).filter(|_| to.topic == Topic::Items) else { continue };
        for (who, _) in &told {
            assert!(may(world, stored, &jid(who), Asks::Read), "{who} is told of {} and may not read it", to.node.name);
        }
    }
}

/// What a cache makes of the changes is what is read of the store.
fn check_cache(world: &World, before: &BTreeMap<Box<str>, Node>, answer: &Answer) {
    let mut cached = before.clone();
    for (name, change) in &answer.changes {
        match change {
            NodeChange::Create { .. } => drop(cached.remove(name)),
            change => {
                if let Some(after) = cached.remove(name).and_then(|node| node.after(change)) {
                    cached.insert(name.clone(), after);
                }
            }
        }
    }
    let is_deleted = answer.changes.iter().any(|(_, change)| *change == NodeChange::Delete);
    for (name, node) in cached.iter().filter(|_| !is_deleted) {
        assert_eq!(Some(node), world.node(name).as_ref(), "{name}");
    }
}

fn cached(world: &World) -> BTreeMap<Box<str>, Node> {
    world.nodes.keys().map(|name| (name.clone(), world.node(name).unwrap())).collect()
}

fn run(mut world: World, seed: u64, people: &[&str]) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut granted = 0;
    for number in 0..STEPS {
        world.now_ms += rng.u64(..5000);
        match rng.u8(..20) {
            0 => drop(world.friends.remove(&jid(pick(&mut rng, people)))),
            1 | 2 => world.befriend(pick(&mut rng, people), if rng.bool() { &["friends"] } else { &[] }),
            _ => {}
        }
        let before = cached(&world);
        let step = step(&mut rng, people);
        let expected =
            world.nodes.get(step.node).zip(step.verb).map(|(stored, asks)| may(&world, stored, &jid(&step.from), asks));
        let about = format!("seed {seed}, step {number}: {} asks for {}", step.from, step.xml);
        let answer = match step.is_owner_request {
            true => world.owner_set(&step.from, &step.xml),
            false if step.verb == Some(Asks::Read) => world.get(&step.from, &step.xml),
            false => world.set(&step.from, &step.xml),
        };
        let forbidden = answer.as_ref().is_err_and(refuses_access);
        if let Some(expected) = expected {
            assert!(expected || answer.is_err(), "{about}: it may not be granted");
            assert!(
                !expected || !forbidden || step.verb == Some(Asks::Manage) || step.verb == Some(Asks::Publish),
                "{about}: {answer:?}"
            );
        }
        match answer {
            Ok(answer) => {
                granted += 1;
                check_told(&world, &answer);
                check_cache(&world, &before, &answer);
            }
            Err(_) => assert_eq!(before, cached(&world), "{about}: refused, and yet something changes"),
        }
        check_nodes(&world);
        if rng.u8(..10) == 0 {
            let name = pick(&mut rng, &NODES);
            let who = jid(pick(&mut rng, people));
            world.run("anybody@x", |nodes| nodes.time(name)).unwrap();
            world.run("anybody@x", |nodes| nodes.gone(name, &who)).unwrap();
            check_nodes(&world);
        }
    }
    granted
}

/// Whether it is access that is refused, rather than something else in the request.
fn refuses_access(error: &metronome_proto::payload::pubsub::PubsubError) -> bool {
    use metronome_proto::payload::pubsub::Reason;
    use metronome_proto::stanza::error::Condition;
    error.condition == Condition::Forbidden
        || matches!(
            error.reason,
            Some(Reason::ClosedNode | Reason::NotInRosterGroup | Reason::PresenceSubscriptionRequired)
        )
        || (error.condition == Condition::NotAuthorized && error.reason == Some(Reason::NotSubscribed))
}

#[test]
fn a_service_keeps_its_rules_whatever_is_asked() {
    let granted: usize = (0..SEEDS).map(|seed| run(service(), seed, &PEOPLE)).sum();
    assert!(granted > SEEDS as usize * STEPS / 8, "only {granted} requests were granted");
}

#[test]
fn an_account_keeps_its_rules_whatever_is_asked() {
    let people = ["juliet@example", "juliet@example", "nurse@verona", "romeo@verona", "king@denmark"];
    let granted: usize = (0..SEEDS).map(|seed| run(account(), seed, &people)).sum();
    assert!(granted > SEEDS as usize * STEPS / 8, "only {granted} requests were granted");
}
