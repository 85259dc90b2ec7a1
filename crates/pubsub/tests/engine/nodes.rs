//! Making, configuring and deleting nodes (XEP-0060 sections 8.1 to 8.4).

use metronome_pubsub::Creation;

use crate::{account, form, service, wire};

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";

// XEP-0060 example 22
// XEP-0060 example 23
// XEP-0060 example 125
// XEP-0060 example 129
// XEP-0060 example 133
#[test]
fn whoever_makes_a_node_owns_it() {
    let mut world = service();
    let answer = world.set(HAMLET, "<create node='n'/>").unwrap();
    assert_eq!(answer.reply, "<pubsub xmlns='http://jabber.org/protocol/pubsub'><create node='n'/></pubsub>");
    let mine = world.get(HAMLET, "<affiliations/>").unwrap().reply;
    assert!(mine.contains("<affiliation node='n' affiliation='owner'/>"), "{mine}");
    assert_eq!(wire(world.set(BARD, "<create node='n'/>")), "cancel:conflict");
}

// XEP-0060 example 131
// XEP-0060 example 132
#[test]
fn a_node_without_a_name_gets_one_that_nobody_guesses() {
    let mut world = service();
    let one = world.set(HAMLET, "<create/>").unwrap().reply;
    let other = world.set(HAMLET, "<create/>").unwrap().reply;
    assert_ne!(one, other);
    assert_eq!(world.nodes.len(), 2);
    assert!(world.nodes.keys().all(|name| name.len() == 32 && one.contains(&**name) != other.contains(&**name)));
}

// XEP-0060 example 127
// XEP-0060 example 128
#[test]
fn who_may_make_nodes_is_up_to_the_service() {
    let mut world = service();
    world.creation = Creation::Forbidden;
    assert_eq!(wire(world.set(HAMLET, "<create node='n'/>")), "auth:forbidden");
    world.creation = Creation::NeedsRegistration;
    assert_eq!(wire(world.set(HAMLET, "<create node='n'/>")), "auth:registration-required");
    world.creation = Creation::Allowed;
    let mut account = account();
    assert_eq!(wire(account.set(HAMLET, "<create node='n'/>")), "auth:forbidden", "an account's nodes are its own");
    assert!(account.set("juliet@example/balcony", "<create node='n'/>").is_ok());
}

// XEP-0060 example 134
// XEP-0060 example 135
// XEP-0060 example 136
// XEP-0060 example 137
// XEP-0060 example 138
#[test]
fn a_configuration_is_read_strictly_and_nothing_is_made_of_a_wrong_one() {
    let mut world = service();
    let create =
        |fields: &[(&str, &str)]| format!("<create node='n'/><configure>{}</configure>", form("node_config", fields));
    let unknown = create(&[("pubsub#access_model", "friends")]);
    assert_eq!(wire(world.set(HAMLET, &unknown)), "modify:not-acceptable unsupported-access-model");
    assert_eq!(wire(world.set(HAMLET, &create(&[("pubsub#max_items", "many")]))), "modify:not-acceptable");
    assert!(world.nodes.is_empty());
    world.set(HAMLET, &create(&[("pubsub#access_model", "whitelist"), ("pubsub#title", "Musings")])).unwrap();
    let shown = world.owner_get(HAMLET, "<configure node='n'/>").unwrap().reply;
    assert!(shown.contains("<value>whitelist</value>") && shown.contains("<value>Musings</value>"), "{shown}");
}

// XEP-0060 example 139
// XEP-0060 example 140
// XEP-0060 example 142
// XEP-0060 example 143
// XEP-0060 example 145
// XEP-0060 example 146
// XEP-0060 example 147
// XEP-0060 example 148
// XEP-0060 example 149
#[test]
fn owners_alone_configure_and_a_cancelled_form_changes_nothing() {
    let mut world = service();
    world.set(HAMLET, "<create node='n'/>").unwrap();
    let configure =
        |fields: &[(&str, &str)]| format!("<configure node='n'>{}</configure>", form("node_config", fields));
    assert_eq!(wire(world.owner_set(BARD, &configure(&[("pubsub#title", "x")]))), "auth:forbidden");
    assert_eq!(wire(world.owner_get(BARD, "<configure node='n'/>")), "auth:forbidden");
    assert_eq!(wire(world.owner_get(BARD, "<configure node='m'/>")), "cancel:item-not-found");
    assert_eq!(wire(world.owner_get(HAMLET, "<configure/>")), "modify:bad-request nodeid-required");
    assert_eq!(wire(world.owner_set(HAMLET, &configure(&[("pubsub#max_items", "-1")]))), "modify:not-acceptable");
    let cancel = "<configure node='n'><x xmlns='jabber:x:data' type='cancel'/></configure>";
    assert!(world.owner_set(HAMLET, cancel).unwrap().changes.is_empty());
    world.owner_set(HAMLET, &configure(&[("pubsub#title", "x"), ("pubsub#access_model", "authorize")])).unwrap();
    assert!(world.owner_get(HAMLET, "<configure node='n'/>").unwrap().reply.contains("<value>authorize</value>"));
    world.set(HAMLET, "<publish node='n'><item id='1'><p xmlns='urn:p'/></item></publish>").unwrap();
    world.owner_set(HAMLET, &configure(&[("pubsub#node_type", "collection")])).unwrap();
    assert!(world.nodes["n"].items.is_empty(), "a collection holds no items");
    let back = configure(&[("pubsub#node_type", "leaf")]);
    assert_eq!(wire(world.owner_set(HAMLET, &back)), "cancel:not-allowed invalid-options");
}

// XEP-0060 example 150
// XEP-0060 example 151
#[test]
fn a_new_configuration_is_told_to_subscribers_if_it_says_so() {
    let mut world = service();
    world.set(HAMLET, "<create node='n'/>").unwrap();
    world.set(BARD, "<subscribe node='n' jid='bard@shakespeare.example'/>").unwrap();
    let configure =
        |fields: &[(&str, &str)]| format!("<configure node='n'>{}</configure>", form("node_config", fields));
    assert!(world.owner_set(HAMLET, &configure(&[("pubsub#title", "x")])).unwrap().told.is_empty());
    let told = world.owner_set(HAMLET, &configure(&[("pubsub#notify_config", "1")])).unwrap();
    let told = told.to("bard@shakespeare.example");
    assert!(told.contains("<configuration node='n'><x xmlns='jabber:x:data' type='result'>"), "{told}");
    let told = world.owner_set(HAMLET, &configure(&[("pubsub#deliver_payloads", "0")])).unwrap();
    assert!(told.to("bard@shakespeare.example").contains("<configuration node='n'/>"));
}

#[test]
fn items_that_have_no_place_any_more_go() {
    let mut world = service();
    world.set(HAMLET, "<create node='n'/>").unwrap();
    for id in 0..5 {
        let item = format!("<publish node='n'><item id='{id}'><p xmlns='urn:p'/></item></publish>");
        world.set(HAMLET, &item).unwrap();
    }
    let configure =
        |fields: &[(&str, &str)]| format!("<configure node='n'>{}</configure>", form("node_config", fields));
    world.owner_set(HAMLET, &configure(&[("pubsub#max_items", "2")])).unwrap();
    assert_eq!(world.nodes["n"].items.len(), 2);
    world.owner_set(HAMLET, &configure(&[("pubsub#persist_items", "0")])).unwrap();
    assert!(world.nodes["n"].items.is_empty());
}

// XEP-0060 example 157
// XEP-0060 example 158
// XEP-0060 example 159
// XEP-0060 example 160
// XEP-0060 example 161
// XEP-0060 example 162
#[test]
fn everybody_hears_that_a_node_is_gone_and_where_to_go_instead() {
    let mut world = service();
    let config = form("node_config", &[("pubsub#access_model", "authorize")]);
    world.set(HAMLET, &format!("<create node='n'/><configure>{config}</configure>")).unwrap();
    world.set(BARD, "<subscribe node='n' jid='bard@shakespeare.example'/>").unwrap();
    assert_eq!(wire(world.owner_set(BARD, "<delete node='n'/>")), "auth:forbidden");
    let gone = "<delete node='n'><redirect uri='xmpp:hamlet@denmark.example?;node=blog'/></delete>";
    let answer = world.owner_set(HAMLET, gone).unwrap();
    let told = answer.to("bard@shakespeare.example");
    assert!(
        told.contains("<delete node='n'><redirect uri='xmpp:hamlet@denmark.example?;node=blog'/></delete>"),
        "{told}"
    );
    // Whoever comes later hears it as well, until a node is made anew or much time has gone by.
    let subscribe = "<subscribe node='n' jid='king@denmark.example'/>";
    assert_eq!(wire(world.set("king@denmark.example/x", subscribe)), "cancel:gone");
    assert_eq!(wire(world.set(BARD, "<create node='n'/>")), "cancel:gone", "nobody takes its place");
    world.now_ms += 89 * 24 * 60 * 60 * 1000;
    world.run(HAMLET, |nodes| nodes.time("n")).unwrap();
    assert_eq!(wire(world.owner_set(HAMLET, "<delete node='n'/>")), "cancel:gone");
    world.set(HAMLET, "<create node='n'/>").unwrap();
    world.owner_set(HAMLET, gone).unwrap();
    world.now_ms += 91 * 24 * 60 * 60 * 1000;
    world.run(HAMLET, |nodes| nodes.time("n")).unwrap();
    assert!(world.nodes.is_empty());
    assert_eq!(wire(world.owner_set(HAMLET, "<delete node='n'/>")), "cancel:item-not-found");
}

#[test]
fn where_a_closed_node_has_gone_is_nobodys_business() {
    let mut world = service();
    let config = form("node_config", &[("pubsub#access_model", "whitelist")]);
    world.set(HAMLET, &format!("<create node='n'/><configure>{config}</configure>")).unwrap();
    world.owner_set(HAMLET, "<delete node='n'><redirect uri='xmpp:x?;node=y'/></delete>").unwrap();
    assert!(world.nodes.is_empty());
}

#[test]
fn the_nodes_of_public_subscribers_belong_to_nobody() {
    let mut world = service();
    let name = "urn:xmpp:pps:subscribers:0/n";
    for refused in [
        world.set(HAMLET, &format!("<create node='{name}'/>")),
        world.set(HAMLET, &format!("<publish node='{name}'><item><p xmlns='urn:p'/></item></publish>")),
        world.set(HAMLET, &format!("<retract node='{name}'><item id='1'/></retract>")),
        world.owner_set(HAMLET, &format!("<purge node='{name}'/>")),
        world.owner_set(HAMLET, &format!("<delete node='{name}'/>")),
    ] {
        assert_eq!(wire(refused), "auth:forbidden");
    }
}

// XEP-0248 example 32
// XEP-0248 example 33
// XEP-0060 example 69
// XEP-0060 example 70
// XEP-0060 example 71
// XEP-0060 example 152
// XEP-0060 example 153
// XEP-0060 example 154
#[test]
fn the_defaults_are_shown_for_each_kind() {
    let mut world = service();
    let leaf = world.owner_get(BARD, "<default/>").unwrap().reply;
    assert!(leaf.contains("pubsub#max_items") && !leaf.contains("children_max"), "{leaf}");
    let collection = world.owner_get(BARD, "<default type='collection'/>").unwrap().reply;
    assert!(collection.contains("children_max") && !collection.contains("pubsub#max_items"));
    let options = world.get(BARD, "<default/>").unwrap().reply;
    assert!(options.contains("pubsub#deliver") && options.contains("subscribe_options"));
    world.set(HAMLET, "<create node='n'/>").unwrap();
    assert!(world.get(BARD, "<default node='n'/>").unwrap().reply.contains("<default node='n'>"));
}
