//! Publishing, retracting and purging (XEP-0060 sections 7 and 8.5, XEP-0395).

use crate::world::World;
use crate::{account, form, service, wire};

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";

/// A service with a node of Hamlet's, configured like this, that the bard is subscribed to.
fn musings(config: &[(&str, &str)]) -> World {
    let mut world = service();
    let config = form("node_config", config);
    world.set(HAMLET, &format!("<create node='musings'/><configure>{config}</configure>")).unwrap();
    world.set(BARD, "<subscribe node='musings' jid='bard@shakespeare.example'/>").unwrap();
    world
}

fn publish(id: &str, text: &str) -> String {
    format!("<publish node='musings'><item id='{id}'><p xmlns='urn:p'>{text}</p></item></publish>")
}

// XEP-0060 example 1
// XEP-0060 example 2
// XEP-0060 example 96
// XEP-0060 example 98
// XEP-0060 example 100
#[test]
fn subscribers_get_what_is_published_byte_by_byte() {
    let mut world = musings(&[]);
    let odd = "<publish node='musings'><item id='1'><p:p xmlns:p='urn:p' a=\"'\"><![CDATA[<>]]> &#x41;</p:p></item></publish>";
    let answer = world.set(HAMLET, odd).unwrap();
    assert_eq!(
        answer.reply,
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='musings'><item id='1'/></publish></pubsub>"
    );
    let event = "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='musings'><item id='1'>\
                 <p:p xmlns:p='urn:p' a=\"'\"><![CDATA[<>]]> &#x41;</p:p></item></items></event>";
    assert_eq!(answer.told, [("bard@shakespeare.example".to_owned(), event.to_owned())]);
}

// XEP-0060 example 97
// XEP-0060 example 99
#[test]
fn an_item_without_an_id_gets_one_and_the_publisher_hears_it() {
    let mut world = musings(&[]);
    let answer = world.set(HAMLET, "<publish node='musings'><item><p xmlns='urn:p'/></item></publish>").unwrap();
    let id = world.nodes["musings"].items[0].id.clone();
    assert_eq!(id.len(), 32);
    assert!(answer.reply.contains(&format!("<item id='{id}'/>")), "{}", answer.reply);
    assert!(answer.to("bard@shakespeare.example").contains(&*id));
}

// XEP-0060 example 102
// XEP-0060 example 103
// XEP-0060 example 105
// XEP-0060 example 226
#[test]
fn only_publishers_publish_and_the_publisher_cannot_be_spoofed() {
    let mut world = musings(&[("pubsub#itemreply", "publisher")]);
    assert_eq!(wire(world.set(BARD, &publish("1", "x"))), "auth:forbidden");
    let spoofed =
        "<publish node='musings'><item id='1' publisher='king@denmark.example'><p xmlns='urn:p'/></item></publish>";
    let answer = world.set(HAMLET, spoofed).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("publisher='hamlet@denmark.example'"));
    assert_eq!(world.nodes["musings"].items[0].publisher.as_str(), "hamlet@denmark.example");
    let items = world.get(BARD, "<items node='musings'/>").unwrap().reply;
    assert!(items.contains("<item id='1' publisher='hamlet@denmark.example'>"), "{items}");
}

// XEP-0060 example 3
// XEP-0060 example 101
// XEP-0060 example 111
// XEP-0060 example 112
// XEP-0060 example 113
#[test]
fn the_event_type_of_a_node_asks_for_items_and_payloads() {
    let empty = "<publish node='musings'/>";
    let bare = "<publish node='musings'><item id='1'/></publish>";
    let full = publish("1", "x");
    let notify_only = [("pubsub#deliver_payloads", "0")];
    let transient = [("pubsub#persist_items", "0")];
    let neither = [("pubsub#deliver_payloads", "0"), ("pubsub#persist_items", "0")];
    assert_eq!(wire(musings(&[]).set(HAMLET, empty)), "modify:bad-request item-required");
    assert_eq!(wire(musings(&[]).set(HAMLET, bare)), "modify:bad-request payload-required");
    assert_eq!(wire(musings(&transient).set(HAMLET, empty)), "modify:bad-request item-required");
    assert_eq!(wire(musings(&neither).set(HAMLET, bare)), "modify:bad-request item-forbidden");
    let answer = musings(&neither).set(HAMLET, empty).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("<items node='musings'/>"), "{answer:?}");
    let answer = musings(&notify_only).set(HAMLET, &full).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("<item id='1'/>"), "{answer:?}");
    assert!(musings(&notify_only).set(HAMLET, bare).is_ok());
    let mut world = musings(&transient);
    assert!(world.set(HAMLET, &full).unwrap().to("bard@shakespeare.example").contains("urn:p"));
    assert!(world.nodes["musings"].items.is_empty());
}

// XEP-0060 example 109
// XEP-0060 example 110
#[test]
fn a_payload_has_its_bounds() {
    let mut world = musings(&[("pubsub#max_payload_size", "30")]);
    assert!(world.set(HAMLET, &publish("1", "short")).is_ok());
    let long = "x".repeat(30);
    assert_eq!(wire(world.set(HAMLET, &publish("2", &long))), "modify:not-acceptable payload-too-big");
    let two = "<publish node='musings'><item id='1'><p xmlns='urn:p'/><q xmlns='urn:p'/></item></publish>";
    assert_eq!(wire(world.set(HAMLET, two)), "modify:bad-request invalid-payload");
    assert_eq!(world.nodes["musings"].items.len(), 1);
}

#[test]
fn the_oldest_items_make_room_and_their_ids_are_told() {
    let mut world = musings(&[("pubsub#max_items", "2")]);
    for id in ["1", "2"] {
        world.set(HAMLET, &publish(id, "x")).unwrap();
    }
    assert_eq!(world.set(HAMLET, &publish("1", "anew")).unwrap().told.len(), 1, "nothing goes");
    let answer = world.set(HAMLET, &publish("3", "x")).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("<retract id='2'/>"), "{answer:?}");
    let ids: Vec<_> = world.nodes["musings"].items.iter().map(|item| &*item.id).collect();
    assert_eq!(ids, ["1", "3"], "one that is published again becomes the newest");
}

// XEP-0060 example 108
#[test]
fn a_full_node_may_say_no() {
    let mut world = musings(&[("pubsub#max_items", "1"), ("pubsub#publish_node_full", "reject")]);
    world.set(HAMLET, &publish("1", "x")).unwrap();
    assert_eq!(wire(world.set(HAMLET, &publish("2", "x"))), "cancel:conflict node-full");
    assert!(world.set(HAMLET, &publish("1", "another")).is_ok(), "it only takes the place of the old one");
    let mut world = musings(&[("pubsub#max_items", "1"), ("pubsub#publish_node_full", "discard-oldest")]);
    world.set(HAMLET, &publish("1", "x")).unwrap();
    assert!(!world.set(HAMLET, &publish("2", "x")).unwrap().to("bard@shakespeare.example").contains("retract"));
}

#[test]
fn a_batch_is_published_as_a_whole_or_not_at_all() {
    let mut world = musings(&[("pubsub#max_items", "2")]);
    let batch = |ids: &[&str]| {
        let items: String = ids.iter().map(|id| format!("<item id='{id}'><p xmlns='urn:p'/></item>")).collect();
        format!("<publish node='musings'>{items}</publish>")
    };
    assert_eq!(wire(world.set(HAMLET, &batch(&["1", "2", "3"]))), "cancel:not-allowed max-items-exceeded");
    assert_eq!(wire(world.set(HAMLET, &batch(&["1", "1"]))), "modify:bad-request");
    assert!(world.nodes["musings"].items.is_empty());
    assert_eq!(world.set(HAMLET, &batch(&["1", "2"])).unwrap().told.len(), 1);
    assert_eq!(world.nodes["musings"].items.len(), 2);
}

// XEP-0060 example 119
#[test]
fn strangers_replace_and_remove_only_what_is_theirs() {
    let mut world = musings(&[("pubsub#publish_model", "open")]);
    world.set(HAMLET, &publish("1", "his")).unwrap();
    world.set(BARD, &publish("2", "mine")).unwrap();
    assert_eq!(wire(world.set(BARD, &publish("1", "stolen"))), "auth:forbidden");
    assert_eq!(wire(world.set(BARD, "<retract node='musings'><item id='1'/></retract>")), "auth:forbidden");
    assert!(world.set(BARD, &publish("2", "better")).is_ok());
    assert!(world.set(BARD, "<retract node='musings'><item id='2'/></retract>").is_ok());
    world.owner_set(HAMLET, "<affiliations node='musings'><affiliation jid='bard@shakespeare.example' affiliation='publisher'/></affiliations>").unwrap();
    assert!(world.set(BARD, &publish("1", "edited")).is_ok(), "a publisher is trusted with all items");
}

// XEP-0060 example 115
// XEP-0060 example 116
// XEP-0060 example 117
// XEP-0060 example 120
// XEP-0060 example 121
// XEP-0060 example 122
// XEP-0060 example 123
#[test]
fn retractions_are_told_if_the_node_or_the_publisher_wants_it() {
    let retract = |notify: &str| format!("<retract node='musings'{notify}><item id='1'/></retract>");
    for (config, notify, told) in [("1", "", 1), ("0", "", 0), ("0", " notify='1'", 1), ("0", " notify='false'", 0)] {
        let mut world = musings(&[("pubsub#notify_retract", config)]);
        world.set(HAMLET, &publish("1", "x")).unwrap();
        let answer = world.set(HAMLET, &retract(notify)).unwrap();
        assert_eq!(answer.told.len(), told, "{config} {notify}");
        assert!(world.nodes["musings"].items.is_empty());
    }
    let mut world = musings(&[]);
    assert_eq!(wire(world.set(HAMLET, &retract(""))), "cancel:item-not-found");
    assert_eq!(wire(world.set(HAMLET, "<retract><item id='1'/></retract>")), "modify:bad-request nodeid-required");
    assert_eq!(wire(world.set(HAMLET, "<retract node='musings'/>")), "modify:bad-request item-required");
    assert_eq!(
        wire(musings(&[("pubsub#persist_items", "0")]).set(HAMLET, &retract(""))),
        "cancel:feature-not-implemented unsupported"
    );
}

// XEP-0060 example 163
// XEP-0060 example 164
// XEP-0060 example 165
// XEP-0060 example 167
// XEP-0060 example 168
// XEP-0060 example 169
#[test]
fn purging_is_told_once_however_many_items_go() {
    let mut world = musings(&[]);
    for id in ["1", "2", "3"] {
        world.set(HAMLET, &publish(id, "x")).unwrap();
    }
    assert_eq!(wire(world.owner_set(BARD, "<purge node='musings'/>")), "auth:forbidden");
    assert_eq!(wire(world.owner_set(HAMLET, "<purge node='nowhere'/>")), "cancel:item-not-found");
    let mut transient = musings(&[("pubsub#persist_items", "0")]);
    let nothing = transient.owner_set(HAMLET, "<purge node='musings'/>");
    assert_eq!(wire(nothing), "cancel:feature-not-implemented unsupported");
    let answer = world.owner_set(HAMLET, "<purge node='musings'/>").unwrap();
    assert_eq!(answer.told.len(), 1);
    assert!(answer.to("bard@shakespeare.example").contains("<purge node='musings'/>"));
    assert!(world.nodes["musings"].items.is_empty());
}

// XEP-0060 example 107
#[test]
fn an_account_gets_its_nodes_by_publishing_and_strangers_do_not() {
    let mut world = account();
    let tune =
        |options: &str| format!("<publish node='tune'><item id='1'><tune xmlns='urn:t'/></item></publish>{options}");
    assert_eq!(wire(world.set("romeo@example/x", &tune(""))), "cancel:item-not-found");
    world.set("juliet@example/balcony", &tune("")).unwrap();
    assert_eq!(world.nodes["tune"].items.len(), 1);
    assert_eq!(wire(world.set("romeo@example/x", &tune(""))), "auth:forbidden");
    assert!(wire(service().set(HAMLET, &tune(""))).ends_with("item-not-found"));
}

// XEP-0060 example 114
#[test]
fn preconditions_configure_a_new_node_and_hold_for_an_old_one() {
    let mut world = account();
    let options = |value| {
        format!("<publish-options>{}</publish-options>", form("publish-options", &[("pubsub#access_model", value)]))
    };
    let publish =
        |options: &str| format!("<publish node='n'><item id='1'><t xmlns='urn:t'/></item></publish>{options}");
    world.set("juliet@example/balcony", &publish(&options("whitelist"))).unwrap();
    assert_eq!(wire(world.get("romeo@example/x", "<items node='n'/>")), "cancel:not-allowed closed-node");
    assert_eq!(wire(world.set("juliet@example/b", &publish(&options("open")))), "cancel:conflict precondition-not-met");
    assert!(world.set("juliet@example/b", &publish(&options("whitelist"))).is_ok());
}

// XEP-0060 example 232
#[test]
fn singletons_keep_one_item_and_say_nothing_of_the_one_before() {
    let mut world = account();
    let publish = |id: &str| {
        format!("<publish node='http://jabber.org/protocol/tune'><item id='{id}'><t xmlns='urn:t'/></item></publish>")
    };
    for id in ["1", "2", "3"] {
        let answer = world.set("juliet@example/balcony", &publish(id)).unwrap();
        assert_eq!(answer.notifications.len(), 1);
    }
    assert_eq!(world.nodes["http://jabber.org/protocol/tune"].items.len(), 1);
}

#[test]
fn what_is_compared_before_publishing_is_the_content_of_the_latest_item() {
    let mut world = musings(&[]);
    let options = |value: &str| {
        format!(
            "<publish-options>{}</publish-options>",
            form("publish-options", &[("pubsub#prev_item_cap_value", value)])
        )
    };
    world.set(HAMLET, &(publish("1", "first") + &options(""))).unwrap();
    let items = world.get(HAMLET, "<items node='musings'/>").unwrap().reply;
    let value = items.split("cap-value='").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert!(items.contains("<cap-v-map xmlns='urn:xmpp:pubsub:cap:0'><cap-v-map-entry item-id='1'"), "{items}");
    world.set(HAMLET, &(publish("2", "second") + &options(&value))).unwrap();
    let refused = wire(world.set(HAMLET, &(publish("3", "third") + &options(&value))));
    assert_eq!(refused, "modify:conflict precondition-not-met compare-and-publish-failed");
    assert_eq!(world.nodes["musings"].items.len(), 2);
}

#[test]
fn items_expire() {
    let mut world = musings(&[("pubsub#item_expire", "60")]);
    world.set(HAMLET, &publish("1", "old")).unwrap();
    world.now_ms += 61_000;
    assert!(
        !world.get(HAMLET, "<items node='musings'/>").unwrap().reply.contains("<item "),
        "it is gone before it is removed"
    );
    assert!(!world.get(HAMLET, "<items node='musings'><item id='1'/></items>").unwrap().reply.contains("<item "));
    world.run(HAMLET, |nodes| nodes.time("musings")).unwrap();
    assert!(world.nodes["musings"].items.is_empty());
}

#[test]
fn what_a_publisher_has_published_goes_with_the_publisher() {
    let mut world = musings(&[("pubsub#purge_offline", "1")]);
    world.set(HAMLET, &publish("1", "here")).unwrap();
    let (full, bare) = (crate::world::jid(HAMLET), crate::world::jid(HAMLET).bare());
    world.run(HAMLET, |nodes| nodes.gone("musings", &full)).unwrap();
    assert_eq!(world.nodes["musings"].items.len(), 1, "another resource may still be there");
    let answer = world.run(HAMLET, |nodes| nodes.gone("musings", &bare)).unwrap();
    assert!(world.nodes["musings"].items.is_empty());
    assert!(answer.to("bard@shakespeare.example").contains("<purge"));
}

#[test]
fn humans_get_the_text_of_an_entry_if_they_want_it() {
    let mut world = musings(&[]);
    let options = form("subscribe_options", &[("pubsub#include_body", "1")]);
    world
        .set(
            "francisco@denmark.example/x",
            &format!("<subscribe node='musings' jid='francisco@denmark.example'/><options>{options}</options>"),
        )
        .unwrap();
    let entry = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title><summary> To be &amp; not </summary></entry>";
    let answer = world.set(HAMLET, &format!("<publish node='musings'><item id='1'>{entry}</item></publish>")).unwrap();
    assert!(answer.to("francisco@denmark.example").ends_with("</event><body>To be &amp; not</body>"), "{answer:?}");
    assert!(!answer.to("bard@shakespeare.example").contains("<body>"));
}

#[test]
fn quotas_refuse_and_change_nothing() {
    let mut rules = crate::service_rules();
    rules.limits.bytes_max = 100;
    rules.limits.nodes_max = 1;
    let mut world = World::service(rules);
    world.set(HAMLET, "<create node='musings'/>").unwrap();
    assert_eq!(wire(world.set(HAMLET, "<create node='more'/>")), "cancel:not-allowed max-nodes-exceeded");
    let long = "x".repeat(100);
    assert_eq!(wire(world.set(HAMLET, &publish("1", &long))), "wait:resource-constraint");
    assert!(world.nodes["musings"].items.is_empty());
}

#[test]
fn names_and_ids_of_any_unicode_come_back_as_they_went() {
    let mut world = service();
    let long = "é".repeat(1500);
    for name in
        ["&apos;&quot;&lt;&amp;&gt;😀\u{202e}\u{301}", "' OR 1=1 --".replace('\'', "&apos;").as_str(), "%00..//", &long]
    {
        world.set(HAMLET, &format!("<create node='{name}'/>")).unwrap();
        world.set(BARD, &format!("<subscribe node='{name}' jid='bard@shakespeare.example'/>")).unwrap();
        let item = format!("<publish node='{name}'><item id='{name}'><p xmlns='urn:p'/></item></publish>");
        let told = world.set(HAMLET, &item).unwrap().to("bard@shakespeare.example");
        let read = metronome_proto::xml::Content::parse(told.as_bytes()).unwrap();
        let items = read.iter().next().unwrap().children().next().unwrap();
        let item = items.children().next().unwrap();
        assert_eq!(items.attr("node"), item.attr("id"));
        assert!(world.nodes.contains_key(&*items.attr("node").unwrap()));
        let found = world.get(BARD, &format!("<items node='{name}'><item id='{name}'/></items>")).unwrap().reply;
        assert!(found.contains("<p xmlns='urn:p'/>"), "{found}");
    }
    let too_long = "x".repeat(3072);
    assert_eq!(wire(world.set(HAMLET, &format!("<create node='{too_long}'/>"))), "modify:bad-request");
    assert_eq!(world.nodes.len(), 4);
}
