//! What people attach to items, and its summary (XEP-0470).

use crate::world::{Answer, World, jid};
use crate::{form, service, wire};

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";
const KING: &str = "king@denmark.example/throne";
const NODE: &str = "urn:xmpp:pubsub-attachments:1/xmpp:pubsub.example?;node=posts;item=1";
const SUMMARY: &str = "urn:xmpp:pubsub-attachments:summary:1/posts";

fn with_posts(config: &[(&str, &str)]) -> World {
    let mut world = service();
    let config = form("node_config", &[&[("pubsub#publish_model", "open")], config].concat());
    world.set(HAMLET, &format!("<create node='posts'/><configure>{config}</configure>")).unwrap();
    for id in ["1", "2"] {
        world
            .set(HAMLET, &format!("<publish node='posts'><item id='{id}'><p xmlns='urn:p'/></item></publish>"))
            .unwrap();
    }
    world
}

fn attach(who: &str, inside: &str) -> String {
    let id = jid(who).bare();
    let payload = format!("<attachments xmlns='urn:xmpp:pubsub-attachments:1'>{inside}</attachments>");
    format!("<publish node='{NODE}'><item id='{id}'>{payload}</item></publish>")
}

fn reactions(all: &[&str]) -> String {
    let all: String = all.iter().map(|reaction| format!("<reaction>{reaction}</reaction>")).collect();
    format!("<reactions>{all}</reactions>")
}

fn summary(world: &mut World, who: &str) -> String {
    world.get(who, &format!("<items node='{SUMMARY}'/>")).unwrap().reply
}

fn attached(world: &mut World, who: &str, inside: &str) -> Answer {
    world.set(who, &attach(who, inside)).unwrap()
}

#[test]
fn what_is_attached_is_counted_once_for_each_person() {
    let mut world = with_posts(&[]);
    world.creation = metronome_pubsub::Creation::Forbidden;
    let first = attached(&mut world, BARD, "<noticed/>");
    assert!(first.reply.contains(NODE) && first.reply.contains("id='bard@shakespeare.example'"), "{}", first.reply);
    attached(&mut world, BARD, &format!("<noticed/>{}<x xmlns='urn:x'/>", reactions(&["a", "b", "a"])));
    attached(&mut world, KING, &format!("<noticed/>{}", reactions(&["b"])));
    let counted = "<noticed count='2'/><reactions><reaction count='2'>b</reaction><reaction>a</reaction></reactions>";
    assert!(
        summary(&mut world, KING)
            .contains(&format!("<item id='1'><summary xmlns='urn:xmpp:pubsub-attachments:summary:1'>{counted}"))
    );
    let kept = world.get(KING, &format!("<items node='{NODE}'><item id='bard@shakespeare.example'/></items>")).unwrap();
    assert!(kept.reply.contains("<x xmlns='urn:x'/>"), "what is not known is kept");
    attached(&mut world, KING, "");
    assert!(summary(&mut world, BARD).contains("<noticed count='1'/>"));
    world.set(BARD, &format!("<retract node='{NODE}'><item id='bard@shakespeare.example'/></retract>")).unwrap();
    assert!(
        summary(&mut world, BARD)
            .contains("<item id='1'><summary xmlns='urn:xmpp:pubsub-attachments:summary:1'/></item>")
    );
}

#[test]
fn everybody_attaches_for_themselves_to_what_is_there() {
    let mut world = with_posts(&[]);
    let refused = |world: &mut World, xml: &str| wire(world.set(BARD, xml));
    let right = attach(BARD, "<noticed/>");
    assert_eq!(refused(&mut world, &attach(KING, "<noticed/>")), "modify:bad-request", "in another's name");
    assert_eq!(
        refused(&mut world, &right.replace("<item id='bard@shakespeare.example'>", "<item>")),
        "modify:bad-request"
    );
    assert_eq!(
        refused(
            &mut world,
            &right.replace("attachments xmlns", "attached xmlns").replace("/attachments>", "/attached>")
        ),
        "modify:bad-request"
    );
    let other = right.replace("xmlns='urn:xmpp:pubsub-attachments:1'", "xmlns='urn:other'");
    assert_eq!(refused(&mut world, &other), "modify:bad-request");
    assert_eq!(refused(&mut world, &right.replace("item=1", "item=9")), "cancel:item-not-found");
    assert_eq!(refused(&mut world, &right.replace("node=posts", "node=gone")), "cancel:item-not-found");
    assert_eq!(refused(&mut world, &right.replace("pubsub.example?", "other.example?")), "modify:bad-request");
    let many: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(refused(&mut world, &attach(BARD, &reactions(&many))), "modify:not-acceptable");
    assert_eq!(refused(&mut world, &attach(BARD, &reactions(&[&"x".repeat(65)]))), "modify:not-acceptable");
    assert_eq!(world.nodes.len(), 1, "nothing has changed");
    let options = form("publish-options", &[("pubsub#access_model", "whitelist")]);
    world.set(BARD, &format!("{right}<publish-options>{options}</publish-options>")).unwrap();
    assert_eq!(world.node(NODE).unwrap().config.access_model, metronome_pubsub::config::AccessModel::Open);
}

#[test]
fn the_server_alone_makes_these_nodes_and_writes_summaries() {
    let mut world = with_posts(&[]);
    for name in [NODE, SUMMARY] {
        assert_eq!(wire(world.set(HAMLET, &format!("<create node='{name}'/>"))), "cancel:not-allowed");
    }
    attached(&mut world, BARD, "<noticed/>");
    let publish = format!(
        "<publish node='{SUMMARY}'><item id='1'><summary xmlns='urn:xmpp:pubsub-attachments:summary:1'/></item></publish>"
    );
    assert_eq!(wire(world.set(HAMLET, &publish)), "auth:forbidden");
    assert_eq!(
        wire(world.set(HAMLET, &format!("<retract node='{SUMMARY}'><item id='1'/></retract>"))),
        "auth:forbidden"
    );
    for request in [format!("<delete node='{SUMMARY}'/>"), format!("<purge node='{SUMMARY}'/>")] {
        assert_eq!(wire(world.owner_set(HAMLET, &request)), "auth:forbidden");
    }
    let config = form("node_config", &[("pubsub#access_model", "open")]);
    assert_eq!(
        wire(world.owner_set(HAMLET, &format!("<configure node='{NODE}'>{config}</configure>"))),
        "cancel:not-allowed"
    );
    let affiliation = "<affiliation jid='king@denmark.example' affiliation='owner'/>";
    assert_eq!(
        wire(world.owner_set(HAMLET, &format!("<affiliations node='{NODE}'>{affiliation}</affiliations>"))),
        "cancel:not-allowed"
    );
    assert_eq!(wire(world.owner_set(BARD, &format!("<purge node='{NODE}'/>"))), "auth:forbidden");
    assert_eq!(
        wire(world.set(KING, &format!("<retract node='{NODE}'><item id='bard@shakespeare.example'/></retract>"))),
        "auth:forbidden"
    );
    // The owner of the item's node may clean up.
    world.owner_set(HAMLET, &format!("<purge node='{NODE}'/>")).unwrap();
    assert!(!summary(&mut world, BARD).contains("noticed"));
}

#[test]
fn who_may_read_and_attach_is_as_the_node_of_the_item_has_it_now() {
    let mut world = with_posts(&[]);
    attached(&mut world, BARD, "<noticed/>");
    for node in [NODE, SUMMARY] {
        world.set(KING, &format!("<subscribe node='{node}' jid='king@denmark.example'/>")).unwrap();
    }
    let told = attached(&mut world, BARD, &reactions(&["a"])).to("king@denmark.example");
    assert!(told.contains(NODE) && told.contains(SUMMARY) && told.contains("<reaction>a</reaction>"), "{told}");
    let configure = |world: &mut World, model: &str, publish: &str| {
        let config = form("node_config", &[("pubsub#access_model", model), ("pubsub#publish_model", publish)]);
        world.owner_set(HAMLET, &format!("<configure node='posts'>{config}</configure>")).unwrap();
    };
    configure(&mut world, "whitelist", "open");
    for node in [NODE, SUMMARY] {
        assert_eq!(wire(world.get(KING, &format!("<items node='{node}'/>"))), "cancel:not-allowed closed-node");
        assert_eq!(
            wire(world.set(KING, &format!("<subscribe node='{node}' jid='king@denmark.example/x'/>"))),
            "cancel:not-allowed closed-node"
        );
        let shown = world.owner_get(HAMLET, &format!("<configure node='{node}'/>")).unwrap().reply;
        assert!(shown.contains("<value>whitelist</value>"), "{shown}");
    }
    assert!(attached(&mut world, BARD, &reactions(&["b"])).told.is_empty());
    configure(&mut world, "open", "publishers");
    assert_eq!(wire(world.set(BARD, &attach(BARD, "<noticed/>"))), "auth:forbidden");
    assert!(summary(&mut world, KING).contains("<reaction>b</reaction>"));
}

#[test]
fn what_is_attached_goes_with_its_item_and_its_node() {
    let mut world = with_posts(&[]);
    attached(&mut world, BARD, "<noticed/>");
    world.set(BARD, &attach(BARD, "<noticed/>").replace("item=1", "item=2")).unwrap();
    assert_eq!(world.nodes.len(), 4);
    world.set(KING, &format!("<subscribe node='{SUMMARY}' jid='king@denmark.example'/>")).unwrap();
    let told = world.set(HAMLET, "<retract node='posts'><item id='1'/></retract>").unwrap().to("king@denmark.example");
    assert!(told.contains("<retract id='1'/>"), "{told}");
    assert!(!world.nodes.contains_key(NODE) && !summary(&mut world, BARD).contains("id='1'"));
    // An item that has gone unnoticed.
    world.nodes.get_mut("posts").unwrap().items.clear();
    let second = NODE.replace("item=1", "item=2");
    world.run(HAMLET, |nodes| nodes.time(&second)).unwrap();
    assert!(!world.nodes.contains_key(&*second));
    let again = with_posts(&[]);
    let mut world = again;
    attached(&mut world, BARD, "<noticed/>");
    world.owner_set(HAMLET, "<delete node='posts'/>").unwrap();
    assert!(world.nodes.is_empty(), "{:?}", world.nodes.keys());
    let mut world = with_posts(&[]);
    attached(&mut world, BARD, "<noticed/>");
    world.nodes.remove("posts");
    for name in [NODE, SUMMARY] {
        assert_eq!(wire(world.get(BARD, &format!("<items node='{name}'/>"))), "cancel:item-not-found");
        world.run(HAMLET, |nodes| nodes.time(name)).unwrap();
    }
    assert!(world.nodes.is_empty());
}
