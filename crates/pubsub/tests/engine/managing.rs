//! Owners manage affiliations and subscriptions (XEP-0060 sections 4.1, 8.8 and 8.9).

use crate::world::{Answer, World};
use crate::{account, form, service, wire};
use metronome_proto::payload::pubsub::PubsubError;

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";

fn with_node(config: &[(&str, &str)]) -> World {
    let mut world = service();
    let config = form("node_config", config);
    world.set(HAMLET, &format!("<create node='n'/><configure>{config}</configure>")).unwrap();
    world
}

fn affiliate(world: &mut World, from: &str, changes: &[(&str, &str)]) -> Result<Answer, PubsubError> {
    let change = |(jid, to): &(&str, &str)| format!("<affiliation jid='{jid}' affiliation='{to}'/>");
    let changes: String = changes.iter().map(change).collect();
    world.owner_set(from, &format!("<affiliations node='n'>{changes}</affiliations>"))
}

// XEP-0060 example 26
// XEP-0060 example 27
// XEP-0060 example 197
// XEP-0060 example 198
// XEP-0060 example 202
// XEP-0060 example 203
// XEP-0060 example 210
#[test]
fn owners_give_and_take_affiliations_and_those_concerned_hear_of_it() {
    let mut world = with_node(&[]);
    let answer =
        affiliate(&mut world, HAMLET, &[("bard@shakespeare.example/globe", "publisher"), ("a@b", "member")]).unwrap();
    let told = answer.to("bard@shakespeare.example");
    assert!(
        told.contains("<affiliations node='n'><affiliation jid='bard@shakespeare.example' affiliation='publisher'/>"),
        "{told}"
    );
    let listed = world.owner_get(HAMLET, "<affiliations node='n'/>").unwrap().reply;
    for (jid, affiliation) in
        [("a@b", "member"), ("bard@shakespeare.example", "publisher"), ("hamlet@denmark.example", "owner")]
    {
        assert!(listed.contains(&format!("<affiliation jid='{jid}' affiliation='{affiliation}'/>")), "{listed}");
    }
    assert!(world.get(BARD, "<affiliations node='n'/>").unwrap().reply.contains("publisher"));
    affiliate(&mut world, HAMLET, &[("a@b", "none")]).unwrap();
    assert!(!world.owner_get(HAMLET, "<affiliations node='n'/>").unwrap().reply.contains("a@b"));
    assert!(affiliate(&mut world, HAMLET, &[("a@b", "none")]).unwrap().changes.is_empty());
}

// XEP-0060 example 187
// XEP-0060 example 188
// XEP-0060 example 192
// XEP-0060 example 193
// XEP-0060 example 200
// XEP-0060 example 201
// XEP-0060 example 206
// XEP-0060 example 207
#[test]
fn nobody_raises_themselves() {
    let mut world = with_node(&[]);
    for affiliation in ["member", "publisher", "publish-only"] {
        affiliate(&mut world, HAMLET, &[("bard@shakespeare.example", affiliation)]).ok();
        assert_eq!(wire(affiliate(&mut world, BARD, &[("bard@shakespeare.example", "owner")])), "auth:forbidden");
        assert_eq!(wire(world.owner_get(BARD, "<affiliations node='n'/>")), "auth:forbidden");
        assert_eq!(wire(world.owner_get(BARD, "<subscriptions node='n'/>")), "auth:forbidden");
        let approve = "<subscriptions node='n'><subscription jid='bard@shakespeare.example' subscription='subscribed'/></subscriptions>";
        assert_eq!(wire(world.owner_set(BARD, approve)), "auth:forbidden");
    }
    for list in ["subscriptions", "affiliations"] {
        let nowhere = format!("<{list} node='nowhere'/>");
        assert_eq!(wire(world.owner_get(HAMLET, &nowhere)), "cancel:item-not-found");
        assert_eq!(wire(world.owner_set(HAMLET, &nowhere)), "cancel:item-not-found");
    }
}

// XEP-0060 example 208
// XEP-0060 example 209
#[test]
fn a_node_keeps_an_owner_and_the_state_chart_is_followed() {
    let mut world = with_node(&[]);
    affiliate(&mut world, HAMLET, &[("bard@shakespeare.example", "publisher"), ("ophelia@denmark.example", "owner")])
        .unwrap();
    for (jid, to) in [
        ("hamlet@denmark.example", "outcast"),
        ("hamlet@denmark.example", "member"),
        ("ophelia@denmark.example", "none"),
        ("bard@shakespeare.example", "member"),
    ] {
        let refused = affiliate(&mut world, HAMLET, &[("x@y", "member"), (jid, to)]);
        let failed = format!("{:?}", refused.as_ref().unwrap_err().failed);
        assert!(failed.contains(jid) && failed.contains("x@y"), "what was asked for is returned: {failed}");
        assert_eq!(wire(refused), "modify:not-acceptable", "{jid} {to}");
        assert!(!world.nodes["n"].affiliations.keys().any(|known| known.as_str() == "x@y"), "nothing has changed");
    }
    affiliate(&mut world, HAMLET, &[("hamlet@denmark.example", "none")]).unwrap();
    let last = affiliate(&mut world, "ophelia@denmark.example/x", &[("ophelia@denmark.example", "none")]);
    assert_eq!(wire(last), "modify:not-acceptable", "somebody has to stay");
    let twice = affiliate(&mut world, "ophelia@denmark.example/x", &[("a@b", "member"), ("a@b", "outcast")]);
    assert_eq!(wire(twice), "modify:bad-request");
}

#[test]
fn an_account_stays_the_owner_of_its_nodes() {
    let mut world = account();
    world.set("juliet@example/b", "<create node='n'/>").unwrap();
    for to in ["none", "outcast", "member"] {
        assert_eq!(wire(affiliate(&mut world, "juliet@example/b", &[("juliet@example", to)])), "modify:not-acceptable");
    }
    affiliate(&mut world, "juliet@example/b", &[("nurse@example", "owner")]).unwrap();
    assert_eq!(
        wire(affiliate(&mut world, "nurse@example/x", &[("juliet@example", "outcast")])),
        "modify:not-acceptable"
    );
    affiliate(&mut world, "juliet@example/b", &[("nurse@example", "none")]).unwrap();
    assert_eq!(wire(affiliate(&mut world, "nurse@example/x", &[("a@b", "member")])), "auth:forbidden");
}

#[test]
fn who_is_shut_out_is_subscribed_no_longer_and_who_is_let_in_waits_no_longer() {
    let mut world = with_node(&[("pubsub#access_model", "authorize")]);
    world.set(BARD, "<subscribe node='n' jid='bard@shakespeare.example'/>").unwrap();
    let answer = affiliate(&mut world, HAMLET, &[("bard@shakespeare.example", "member")]).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("subscription='subscribed'"), "{answer:?}");
    let answer = affiliate(&mut world, HAMLET, &[("bard@shakespeare.example", "outcast")]).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("subscription='none'"));
    assert!(world.nodes["n"].subscriptions.is_empty());
}

// XEP-0060 example 184
// XEP-0060 example 185
// XEP-0060 example 189
// XEP-0060 example 190
// XEP-0060 example 194
// XEP-0060 example 195
// XEP-0060 example 196
#[test]
fn owners_see_and_end_subscriptions_but_make_none() {
    let mut world = with_node(&[]);
    world.set(BARD, "<subscribe node='n' jid='bard@shakespeare.example'/>").unwrap();
    let listed = world.owner_get(HAMLET, "<subscriptions node='n'/>").unwrap().reply;
    assert!(listed.contains("<subscription jid='bard@shakespeare.example'"), "{listed}");
    let set = |jid: &str, to: &str| {
        format!("<subscriptions node='n'><subscription jid='{jid}' subscription='{to}'/></subscriptions>")
    };
    assert_eq!(wire(world.owner_set(HAMLET, &set("victim@example", "subscribed"))), "modify:not-acceptable");
    let both = "<subscriptions node='n'><subscription jid='bard@shakespeare.example' subscription='none'/>\
                <subscription jid='victim@example' subscription='subscribed'/></subscriptions>";
    let refused = world.owner_set(HAMLET, both);
    let failed = format!("{:?}", refused.as_ref().unwrap_err().failed);
    assert!(failed.contains("bard@shakespeare.example") && failed.contains("victim@example"), "{failed}");
    assert_eq!(wire(refused), "modify:not-acceptable");
    assert!(world.owner_set(HAMLET, &set("bard@shakespeare.example", "subscribed")).unwrap().changes.is_empty());
    let answer = world.owner_set(HAMLET, &set("bard@shakespeare.example", "none")).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("subscription='none'"));
    assert!(world.nodes["n"].subscriptions.is_empty());
}
