//! Retrieving items (XEP-0060 section 6.5) with XEP-0059 and XEP-0413, and public subscribers (XEP-0465).

use metronome_proto::payload::pubsub::PubsubError;

use crate::world::{Answer, World};
use crate::{account, form, service, wire};

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";

/// Items A to D; C was published again after D, and A after that.
fn plays() -> World {
    let mut world = service();
    world.set(HAMLET, "<create node='plays'/>").unwrap();
    for id in ["A", "B", "C", "D", "C", "A"] {
        world.now_ms += 1000;
        let item = format!("<publish node='plays'><item id='{id}'><p xmlns='urn:p'>{id}</p></item></publish>");
        world.set(HAMLET, &item).unwrap();
    }
    world
}

fn ids(answer: Result<Answer, PubsubError>) -> String {
    let reply = answer.unwrap().reply;
    reply.split("<item id='").skip(1).map(|rest| rest.split('\'').next().unwrap()).collect()
}

fn rsm(inner: &str) -> String {
    format!("<items node='plays'/><set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>")
}

// XEP-0060 example 74
// XEP-0060 example 75
// XEP-0060 example 78
// XEP-0060 example 79
// XEP-0060 example 80
// XEP-0060 example 81
// XEP-0060 example 82
// XEP-0060 example 83
// XEP-0060 example 95
#[test]
fn items_come_in_the_order_in_which_they_were_published() {
    let mut world = plays();
    assert_eq!(ids(world.get(BARD, "<items node='plays'/>")), "BDCA");
    assert_eq!(ids(world.get(BARD, "<items node='plays' max_items='2'/>")), "CA", "the newest");
    assert_eq!(ids(world.get(BARD, "<items node='plays' max_items='200'/>")), "BDCA");
    assert_eq!(ids(world.get(BARD, "<items node='plays'><item id='D'/><item id='X'/></items>")), "D");
    let none = world.get(BARD, "<items node='plays'><item id='X'/></items>").unwrap().reply;
    assert_eq!(none, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='plays'/></pubsub>");
}

#[test]
fn pages_lie_between_their_neighbours() {
    let mut world = plays();
    let answer = world.get(BARD, &rsm("<max>2</max>")).unwrap().reply;
    assert!(answer.contains("<first index='0'>B</first><last>D</last><count>4</count>"), "{answer}");
    assert_eq!(ids(world.get(BARD, &rsm("<max>2</max><after>D</after>"))), "CA");
    assert_eq!(ids(world.get(BARD, &rsm("<max>2</max><before/>"))), "CA");
    assert_eq!(ids(world.get(BARD, &rsm("<max>2</max><before>C</before>"))), "BD");
    assert_eq!(ids(world.get(BARD, &rsm("<max>1</max><index>2</index>"))), "C");
    let counted = world.get(BARD, &rsm("<max>0</max>")).unwrap().reply;
    assert!(counted.contains("<count>4</count>") && !counted.contains("<item "), "{counted}");
    assert_eq!(wire(world.get(BARD, &rsm("<after>' OR 1=1 --</after>"))), "cancel:item-not-found");
}

#[test]
fn items_can_be_ordered_and_turned_round() {
    let mut world = plays();
    let order = |max: &str, by: &str, set: &str| {
        format!(
            "<items node='plays'{max}/><order xmlns='urn:xmpp:order-by:1' {by}/>\
             <set xmlns='http://jabber.org/protocol/rsm'>{set}</set>"
        )
    };
    assert_eq!(ids(world.get(BARD, &order("", "by='creation'", ""))), "ABCD");
    assert_eq!(ids(world.get(BARD, &order("", "by='modification'", ""))), "BDCA");
    assert_eq!(ids(world.get(BARD, &order("", "by='modification'", "<max>2</max><after>D</after>"))), "CA");
    assert_eq!(ids(world.get(BARD, &order(" max_items='3'", "by='creation' desc='true'", ""))), "DCB");
    assert_eq!(ids(world.get(BARD, &order("", "by='creation' desc='1'", "<max>2</max>"))), "DC");
    assert_eq!(ids(world.get(BARD, &order("", "by='creation' desc='1'", "<max>2</max><after>C</after>"))), "BA");
    assert_eq!(ids(world.get(BARD, &order("", "by='creation' desc='1'", "<max>2</max><before/>"))), "BA");
    assert_eq!(ids(world.get(BARD, &order("", "by='creation' desc='1'", "<max>2</max><index>1</index>"))), "CB");
    let last = world.get(BARD, &order("", "by='creation' desc='1'", "<max>2</max><before/>")).unwrap().reply;
    assert!(last.contains("<first index='2'>B</first><last>A</last><count>4</count>"), "{last}");
}

// XEP-0060 example 76
#[test]
fn large_nodes_are_given_out_in_parts_and_say_so() {
    let mut rules = crate::service_rules();
    rules.limits.page_max = 3;
    let mut world = World::service(rules);
    world.set(HAMLET, "<create node='plays'/>").unwrap();
    for id in ["A", "B", "C", "D", "E"] {
        let item = format!("<publish node='plays'><item id='{id}'><p xmlns='urn:p'/></item></publish>");
        world.set(HAMLET, &item).unwrap();
    }
    let answer = world.get(BARD, "<items node='plays'/>").unwrap().reply;
    assert!(answer.contains("<first index='2'>C</first><last>E</last><count>5</count>"), "{answer}");
    assert_eq!(ids(world.get(BARD, &rsm("<max>1000000</max>"))), "ABC");
}

// XEP-0060 example 89
// XEP-0060 example 90
// XEP-0060 example 91
#[test]
fn each_access_model_has_its_own_no() {
    let mut world = account();
    let publish = |model: &str| {
        let options =
            form("publish-options", &[("pubsub#access_model", model), ("pubsub#roster_groups_allowed", "friends")]);
        format!(
            "<publish node='{model}'><item id='1'><p xmlns='urn:p'/></item></publish><publish-options>{options}</publish-options>"
        )
    };
    for model in ["open", "presence", "roster", "authorize", "whitelist"] {
        world.set("juliet@example/balcony", &publish(model)).unwrap();
    }
    world.befriend("nurse@example", &[]);
    world.befriend("romeo@montague.example", &["friends"]);
    let mut get = |who: &str, node: &str| world.get(who, &format!("<items node='{node}'/>"));
    assert!(get("bard@x/1", "open").is_ok());
    assert_eq!(wire(get("bard@x/1", "presence")), "auth:not-authorized presence-subscription-required");
    assert!(get("nurse@example/1", "presence").is_ok());
    assert_eq!(wire(get("nurse@example/1", "roster")), "auth:not-authorized not-in-roster-group");
    assert!(get("romeo@montague.example/1", "roster").is_ok());
    assert_eq!(wire(get("romeo@montague.example/1", "authorize")), "auth:not-authorized not-subscribed");
    assert_eq!(wire(get("romeo@montague.example/1", "whitelist")), "cancel:not-allowed closed-node");
    assert!(get("juliet@example/chamber", "whitelist").is_ok());
    world.friends.clear();
    let items = "<items node='presence'/>";
    assert!(wire(world.get("nurse@example/1", items)).ends_with("required"), "access follows the roster");
}

// XEP-0060 example 37
// XEP-0060 example 93
#[test]
fn outcasts_get_nothing() {
    let mut world = plays();
    let ban =
        "<affiliations node='plays'><affiliation jid='bard@shakespeare.example' affiliation='outcast'/></affiliations>";
    world.owner_set(HAMLET, ban).unwrap();
    assert_eq!(wire(world.get(BARD, "<items node='plays'/>")), "auth:forbidden");
    assert_eq!(wire(world.set(BARD, "<subscribe node='plays' jid='bard@shakespeare.example'/>")), "auth:forbidden");
}

// XEP-0060 example 84
// XEP-0060 example 85
#[test]
fn who_has_several_subscriptions_says_which_one_counts() {
    let mut world = plays();
    let subscribe = |body| {
        let options = form("subscribe_options", &[("pubsub#include_body", body)]);
        format!("<subscribe node='plays' jid='bard@shakespeare.example'/><options>{options}</options>")
    };
    world.set(BARD, &subscribe("0")).unwrap();
    assert_eq!(wire(world.get(BARD, "<items node='plays' subid='x'/>")), "modify:not-acceptable invalid-subid");
    world.set(BARD, &subscribe("1")).unwrap();
    assert_eq!(wire(world.get(BARD, "<items node='plays'/>")), "modify:bad-request subid-required");
    let subid = world.nodes["plays"].subscriptions[0].subid.clone();
    assert!(world.get(BARD, &format!("<items node='plays' subid='{subid}'/>")).is_ok());
}

// XEP-0060 example 87
// XEP-0060 example 94
#[test]
fn items_are_asked_only_of_nodes_that_keep_them() {
    let mut world = service();
    let config = form("node_config", &[("pubsub#persist_items", "0")]);
    world.set(HAMLET, &format!("<create node='n'/><configure>{config}</configure>")).unwrap();
    assert_eq!(wire(world.get(BARD, "<items node='n'/>")), "cancel:feature-not-implemented unsupported");
    assert_eq!(wire(world.get(BARD, "<items node='m'/>")), "cancel:item-not-found");
}

#[test]
fn only_public_subscriptions_are_public() {
    let mut world = plays();
    let public = "<subscribe node='plays' jid='bard@shakespeare.example'><public xmlns='urn:xmpp:pps:0'/></subscribe>";
    world.set(BARD, public).unwrap();
    world.set("shy@example/x", "<subscribe node='plays' jid='shy@example'/>").unwrap();
    let items = "<items node='urn:xmpp:pps:subscribers:0/plays'/>";
    let seen = world.get("romeo@x/1", items).unwrap().reply;
    assert!(seen.contains("<subscriber xmlns='urn:xmpp:pps:0' jid='bard@shakespeare.example'/>"), "{seen}");
    assert!(!seen.contains("shy@example"));
    world.set(BARD, "<subscribe node='plays' jid='bard@shakespeare.example'/>").unwrap();
    assert!(!world.get("romeo@x/1", items).unwrap().reply.contains("bard"), "subscribing again takes it back");
    assert_eq!(world.nodes["plays"].subscriptions.len(), 2);
    let nowhere = world.get("romeo@x/1", "<items node='urn:xmpp:pps:subscribers:0/none'/>").unwrap().reply;
    assert!(!nowhere.contains("<item "), "{nowhere}");
}
