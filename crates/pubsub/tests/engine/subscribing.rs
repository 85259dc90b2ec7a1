//! Subscribing, options, leases, and the end of it (XEP-0060 sections 6.1 to 6.4, 12.4 and 12.18).

use crate::world::{World, jid};
use crate::{account, form, service, wire};

const HAMLET: &str = "hamlet@denmark.example/elsinore";
const BARD: &str = "bard@shakespeare.example/globe";
const SUBSCRIBE: &str = "<subscribe node='n' jid='bard@shakespeare.example'/>";

fn with_node(config: &[(&str, &str)]) -> World {
    let mut world = service();
    let config = form("node_config", config);
    world.set(HAMLET, &format!("<create node='n'/><configure>{config}</configure>")).unwrap();
    world
}

fn publish(world: &mut World) -> crate::world::Answer {
    world.set(HAMLET, "<publish node='n'><item id='1'><p xmlns='urn:p'/></item></publish>").unwrap()
}

fn subscribe_with(fields: &[(&str, &str)]) -> String {
    format!("{SUBSCRIBE}<options>{}</options>", form("subscribe_options", fields))
}

// XEP-0060 example 28
// XEP-0060 example 29
// XEP-0060 example 45
// XEP-0060 example 46
#[test]
fn a_subscriber_gets_the_last_item_and_a_subscription_id() {
    let mut world = with_node(&[]);
    publish(&mut world);
    let answer = world.set(BARD, SUBSCRIBE).unwrap();
    let subid = world.nodes["n"].subscriptions[0].subid.clone();
    let said = format!("subid='{subid}' subscription='subscribed'><subscribe-options/>");
    assert!(answer.reply.contains(&said), "{}", answer.reply);
    let last = answer.to("bard@shakespeare.example");
    assert!(last.contains("<item id='1'>") && last.contains("<delay xmlns='urn:xmpp:delay'"), "{last}");
    let mut silent = with_node(&[("pubsub#send_last_published_item", "never")]);
    publish(&mut silent);
    assert!(silent.set(BARD, SUBSCRIBE).unwrap().told.is_empty());
}

// XEP-0060 example 30
// XEP-0060 example 35
// XEP-0060 example 39
// XEP-0060 example 41
// XEP-0060 example 51
#[test]
fn nobody_subscribes_others() {
    let mut own = account();
    own.set("juliet@example/b", "<create node='n'/>").unwrap();
    let victim = own.set("juliet@example/b", "<subscribe node='n' jid='victim@example'/>");
    assert_eq!(wire(victim), "modify:bad-request invalid-jid", "not even the owner of all nodes");
    let mut world = with_node(&[]);
    let other = "<subscribe node='n' jid='king@denmark.example'/>";
    assert_eq!(wire(world.set(BARD, other)), "modify:bad-request invalid-jid");
    assert!(world.set(BARD, "<subscribe node='n' jid='bard@shakespeare.example/other'/>").is_ok());
    assert_eq!(
        wire(world.set(HAMLET, "<unsubscribe node='n' jid='bard@shakespeare.example/other'/>")),
        "auth:forbidden"
    );
    assert_eq!(wire(world.set(BARD, "<subscribe node='m' jid='bard@shakespeare.example'/>")), "cancel:item-not-found");
    world.guests.push(jid("guest@anon.example"));
    let guest = world.set("guest@anon.example/x", "<subscribe node='n' jid='guest@anon.example/x'/>");
    assert_eq!(wire(guest), "auth:forbidden");
    let mut closed = with_node(&[("pubsub#subscribe", "0")]);
    assert_eq!(wire(closed.set(BARD, SUBSCRIBE)), "cancel:feature-not-implemented unsupported");
}

// XEP-0060 example 47
// XEP-0060 example 48
// XEP-0060 example 49
// XEP-0060 example 50
// XEP-0060 example 52
// XEP-0060 example 53
// XEP-0060 example 60
// XEP-0060 example 61
// XEP-0060 example 104
// XEP-0060 example 118
#[test]
fn subscribing_again_is_the_same_subscription_and_with_other_options_another() {
    let mut world = with_node(&[]);
    world.set(BARD, SUBSCRIBE).unwrap();
    world.set(BARD, SUBSCRIBE).unwrap();
    assert_eq!(world.nodes["n"].subscriptions.len(), 1);
    world.set(BARD, &subscribe_with(&[("pubsub#include_body", "1")])).unwrap();
    assert_eq!(world.nodes["n"].subscriptions.len(), 2);
    let answer = publish(&mut world);
    assert_eq!(answer.recipients(), ["bard@shakespeare.example"], "one message for both");
    let told = answer.to("bard@shakespeare.example");
    for row in &world.nodes["n"].subscriptions {
        assert!(told.contains(&format!("<header name='SubID'>{}</header>", row.subid)), "{told}");
    }
    assert!(told.ends_with("</headers>"));
    let retracted = world.set(HAMLET, "<retract node='n' notify='1'><item id='1'/></retract>").unwrap();
    assert!(retracted.to("bard@shakespeare.example").contains("<header name='SubID'>"), "{retracted:?}");
    for (subid, wrong) in
        [("", "modify:bad-request subid-required"), (" subid='x'", "modify:not-acceptable invalid-subid")]
    {
        let options = format!("<options node='n' jid='bard@shakespeare.example'{subid}/>");
        assert_eq!(wire(world.get(BARD, &options)), wrong);
    }
    let unsubscribe = "<unsubscribe node='n' jid='bard@shakespeare.example'/>";
    assert_eq!(wire(world.set(BARD, unsubscribe)), "modify:bad-request subid-required");
    let wrong = "<unsubscribe node='n' jid='bard@shakespeare.example' subid='x'/>";
    assert_eq!(wire(world.set(BARD, wrong)), "modify:not-acceptable invalid-subid");
    let subid = world.nodes["n"].subscriptions[0].subid.clone();
    let one = format!("<unsubscribe node='n' jid='bard@shakespeare.example' subid='{subid}'/>");
    assert!(world.set(BARD, &one).unwrap().reply.contains("subscription='none'"));
    assert!(!publish(&mut world).to("bard@shakespeare.example").contains("SubID"), "there is one left");
    world.set(BARD, unsubscribe).unwrap();
    assert_eq!(wire(world.set(BARD, unsubscribe)), "cancel:unexpected-request not-subscribed");
    assert_eq!(wire(world.set(BARD, &unsubscribe.replace("'n'", "'m'"))), "cancel:item-not-found");
    assert!(publish(&mut world).told.is_empty());
}

// XEP-0060 example 16
// XEP-0060 example 17
// XEP-0060 example 18
#[test]
fn resources_are_told_apart() {
    let mut world = with_node(&[]);
    for to in ["bard@shakespeare.example/a", "bard@shakespeare.example/b", "bard@shakespeare.example"] {
        world.set(BARD, &format!("<subscribe node='n' jid='{to}'/>")).unwrap();
    }
    let answer = publish(&mut world);
    assert_eq!(answer.recipients().len(), 3);
    assert!(!answer.to("bard@shakespeare.example/a").contains("SubID"));
    let mine = world.get(BARD, "<subscriptions/>").unwrap().reply;
    assert_eq!(mine.matches("<subscription node='n'").count(), 3, "{mine}");
    assert_eq!(world.get(HAMLET, "<subscriptions node='n'/>").unwrap().reply.matches("<subscription ").count(), 0);
}

// XEP-0060 example 38
#[test]
fn too_many_subscriptions_are_refused() {
    let mut rules = crate::service_rules();
    rules.limits.subscriptions_each_max = 2;
    let mut world = World::service(rules);
    world.set(HAMLET, "<create node='n'/>").unwrap();
    for to in ["a", "b"] {
        world.set(BARD, &format!("<subscribe node='n' jid='bard@shakespeare.example/{to}'/>")).unwrap();
    }
    assert_eq!(wire(world.set(BARD, SUBSCRIBE)), "wait:policy-violation too-many-subscriptions");
}

// XEP-0060 example 55
// XEP-0060 example 56
// XEP-0060 example 57
// XEP-0060 example 58
// XEP-0060 example 59
// XEP-0060 example 63
// XEP-0060 example 64
// XEP-0060 example 65
// XEP-0060 example 66
#[test]
fn options_are_shown_and_set_by_the_subscriber() {
    let mut world = with_node(&[]);
    world.set(BARD, SUBSCRIBE).unwrap();
    let get = "<options node='n' jid='bard@shakespeare.example'/>";
    assert!(world.get(BARD, get).unwrap().reply.contains("pubsub#deliver"));
    assert_eq!(wire(world.get(HAMLET, get)), "auth:forbidden");
    assert_eq!(wire(world.get(BARD, "<options node='n'/>")), "modify:bad-request jid-required");
    assert_eq!(wire(world.get(BARD, &get.replace("'n'", "'m'"))), "cancel:item-not-found");
    let set = |fields: &[(&str, &str)]| {
        format!("<options node='n' jid='bard@shakespeare.example'>{}</options>", form("subscribe_options", fields))
    };
    world.set(BARD, &set(&[("pubsub#deliver", "0")])).unwrap();
    assert!(publish(&mut world).told.is_empty(), "nothing is delivered");
    assert_eq!(wire(world.set(BARD, &set(&[("pubsub#deliver", "perhaps")]))), "modify:bad-request invalid-options");
    assert_eq!(
        wire(world.set(
            HAMLET,
            "<options node='n' jid='hamlet@denmark.example'><x xmlns='jabber:x:data' type='cancel'/></options>"
        )),
        "cancel:unexpected-request not-subscribed"
    );
}

// XEP-0060 example 67
// XEP-0060 example 68
// XEP-0060 example 227
// XEP-0060 example 229
#[test]
fn a_lease_ends_and_is_not_longer_than_it_may_be() {
    let mut rules = crate::service_rules();
    rules.limits.lease_ms_max = 3_600_000;
    let mut world = World::service(rules);
    world.set(HAMLET, "<create node='n'/>").unwrap();
    assert_eq!(
        wire(world.set(BARD, &subscribe_with(&[("pubsub#expire", "2006-02-28T11:59:59Z")]))),
        "modify:bad-request invalid-options",
        "it would be over already"
    );
    let leased = world.set(BARD, &subscribe_with(&[("pubsub#expire", "2099-02-28T11:59:59Z")])).unwrap().reply;
    assert!(leased.contains("<options><x xmlns='jabber:x:data' type='result'>"), "{leased}");
    assert_eq!(world.nodes["n"].subscriptions[0].expires_ms, Some(world.now_ms + 3_600_000));
    assert_eq!(publish(&mut world).told.len(), 1);
    world.now_ms += 1_800_000;
    let renewed = form("subscribe_options", &[("pubsub#expire", "2099-02-28T11:59:59Z")]);
    world.set(BARD, &format!("<options node='n' jid='bard@shakespeare.example'>{renewed}</options>")).unwrap();
    assert_eq!(world.nodes["n"].subscriptions[0].expires_ms, Some(world.now_ms + 3_600_000));
    world.now_ms += 3_600_001;
    assert!(publish(&mut world).told.is_empty(), "it is over before it is removed");
    let answer = world.run(HAMLET, |nodes| nodes.time("n")).unwrap();
    assert!(answer.to("bard@shakespeare.example").contains("subscription='none'"), "{answer:?}");
    assert!(world.nodes["n"].subscriptions.is_empty());
}

// XEP-0060 example 222
// XEP-0060 example 223
#[test]
fn a_temporary_subscription_ends_with_presence() {
    for (config, options) in [("0", "presence"), ("1", "")] {
        let mut world = with_node(&[("pubsub#tempsub", config)]);
        let fields = [("pubsub#expire", options)];
        let fields = if options.is_empty() { &fields[..0] } else { &fields };
        world.set(BARD, &subscribe_with(fields)).unwrap();
        let bard = jid(BARD);
        world.run(BARD, |nodes| nodes.gone("n", &bard)).unwrap();
        assert_eq!(world.nodes["n"].subscriptions.len(), 1, "another resource may be left");
        world.run(BARD, |nodes| nodes.gone("n", &bard.bare())).unwrap();
        assert!(world.nodes["n"].subscriptions.is_empty());
    }
}

// XEP-0060 example 36
// XEP-0060 example 42
// XEP-0060 example 86
// XEP-0060 example 170
// XEP-0060 example 171
// XEP-0060 example 172
// XEP-0060 example 173
// XEP-0060 example 174
// XEP-0060 example 181
// XEP-0060 example 224
// XEP-0060 example 225
#[test]
fn owners_approve_subscriptions_or_do_not() {
    let mut world = with_node(&[("pubsub#access_model", "authorize")]);
    let answer = world.set(BARD, SUBSCRIBE).unwrap();
    assert!(answer.reply.contains("subscription='pending'"));
    let asked = answer.to("hamlet@denmark.example");
    assert!(asked.contains("pubsub#subscribe_authorization") && asked.contains("bard@shakespeare.example"), "{asked}");
    assert_eq!(wire(world.set(BARD, SUBSCRIBE)), "auth:not-authorized pending-subscription");
    assert_eq!(wire(world.get(BARD, "<items node='n'/>")), "auth:not-authorized not-subscribed");
    assert!(publish(&mut world).told.is_empty());
    assert_eq!(world.run(HAMLET, |nodes| nodes.pending("n")).unwrap().told.len(), 1);
    assert_eq!(wire(world.run(BARD, |nodes| nodes.pending("n"))), "auth:forbidden");
    assert_eq!(wire(world.run(HAMLET, |nodes| nodes.pending("m"))), "cancel:item-not-found");
    let mut said = metronome_pubsub::authorization::Authorization {
        node: "n".into(),
        subid: None,
        subscriber: jid("bard@shakespeare.example"),
        verdict: metronome_pubsub::authorization::Verdict::Allow,
    };
    assert_eq!(wire(world.run(BARD, |nodes| nodes.approve(&said))), "auth:forbidden", "nobody approves themselves");
    let answer = world.run(HAMLET, |nodes| nodes.approve(&said)).unwrap();
    let told = answer.to("bard@shakespeare.example");
    assert!(told.contains("subscription='subscribed'") && told.contains("<delay "), "with the last item: {told}");
    assert!(world.get(BARD, "<items node='n'/>").is_ok());
    assert_eq!(publish(&mut world).told.len(), 1);
    assert_eq!(wire(world.run(HAMLET, |nodes| nodes.approve(&said))), "cancel:item-not-found", "it is settled");
    world.set("king@denmark.example/x", "<subscribe node='n' jid='king@denmark.example'/>").unwrap();
    said.subscriber = jid("king@denmark.example");
    said.verdict = metronome_pubsub::authorization::Verdict::Deny;
    let answer = world.run(HAMLET, |nodes| nodes.approve(&said)).unwrap();
    assert!(answer.to("king@denmark.example").contains("subscription='none'"));
}

#[test]
fn owners_hear_of_subscribers_if_they_want_to() {
    let mut world = with_node(&[("pubsub#notify_sub", "1")]);
    let answer = world.set(BARD, SUBSCRIBE).unwrap();
    assert!(answer.to("hamlet@denmark.example").contains("subscription='subscribed'"), "{answer:?}");
    let answer = world.set(BARD, "<unsubscribe node='n' jid='bard@shakespeare.example'/>").unwrap();
    assert!(answer.to("hamlet@denmark.example").contains("subscription='none'"));
}

#[test]
fn who_loses_access_is_not_told_any_more() {
    let mut world = account();
    let presence = form("publish-options", &[("pubsub#access_model", "presence")]);
    let publish = format!(
        "<publish node='n'><item id='1'><p xmlns='urn:p'/></item></publish><publish-options>{presence}</publish-options>"
    );
    world.set("juliet@example/b", &publish).unwrap();
    world.befriend("romeo@montague.example", &[]);
    world.set("romeo@montague.example/x", "<subscribe node='n' jid='romeo@montague.example'/>").unwrap();
    assert_eq!(world.set("juliet@example/b", &publish).unwrap().told.len(), 1);
    let answer = world.set("juliet@example/b", &publish).unwrap();
    world.friends.clear();
    assert!(world.deliver(&answer.notifications[0]).is_empty(), "not even what was on its way");
}

#[test]
fn a_digest_tells_of_everything_since_the_last_one_and_not_sooner() {
    let mut world = with_node(&[]);
    world.set(BARD, &subscribe_with(&[("pubsub#digest", "1"), ("pubsub#digest_frequency", "60000")])).unwrap();
    world.set("king@denmark.example/x", "<subscribe node='n' jid='king@denmark.example'/>").unwrap();
    let publish = |world: &mut World, id: u8| {
        world.now_ms += 10_000;
        let item = format!("<publish node='n'><item id='{id}'><p xmlns='urn:p'/></item></publish>");
        world.set(HAMLET, &item).unwrap().recipients().len()
    };
    let time = |world: &mut World| world.run(HAMLET, |nodes| nodes.time("n")).unwrap().to("bard@shakespeare.example");
    assert_eq!((publish(&mut world, 1), publish(&mut world, 2)), (1, 1), "only the king hears of each");
    assert_eq!(time(&mut world), "", "it is too soon");
    world.now_ms += 60_000;
    let digest = time(&mut world);
    assert!(digest.contains("<item id='1'>") && digest.contains("<item id='2'>"), "{digest}");
    world.now_ms += 60_000;
    assert_eq!(time(&mut world), "", "nothing has happened since");
    publish(&mut world, 3);
    let digest = time(&mut world);
    assert!(digest.contains("<item id='3'>") && !digest.contains("<item id='2'>"), "{digest}");
    assert_eq!(world.nodes["n"].subscriptions.len(), 2);
}

#[test]
fn who_may_read_from_now_on_is_told_the_last_item_and_who_could_before_is_not() {
    let mut world = account();
    let owner = "juliet@example/b";
    let configure = |world: &mut World, config: &[(&str, &str)]| {
        let config = form("node_config", config);
        world.owner_set(owner, &format!("<configure node='n'>{config}</configure>")).unwrap()
    };
    let publish = "<publish node='n'><item id='1'><p xmlns='urn:p'/></item></publish>";
    world.set(owner, publish).unwrap();
    configure(&mut world, &[("pubsub#access_model", "open")]);
    for who in ["romeo@montague.example", "king@denmark.example"] {
        world.set(&format!("{who}/x"), &format!("<subscribe node='n' jid='{who}'/>")).unwrap();
    }
    world.befriend("romeo@montague.example", &[]);
    assert!(configure(&mut world, &[("pubsub#access_model", "presence")]).told.is_empty());
    let opened = configure(&mut world, &[("pubsub#access_model", "open")]);
    assert_eq!(opened.recipients(), ["king@denmark.example"]);
    assert!(opened.told[0].1.contains("<item id='1'>") && opened.told[0].1.contains("<delay "), "{opened:?}");
    assert!(configure(&mut world, &[("pubsub#title", "N")]).told.is_empty(), "the model is what it was");
    configure(&mut world, &[("pubsub#access_model", "presence")]);
    let silent = [("pubsub#access_model", "open"), ("pubsub#send_last_published_item", "on_sub")];
    assert!(configure(&mut world, &silent).told.is_empty(), "nobody has just subscribed");
}

#[test]
fn who_needs_no_approval_any_more_gets_the_last_item() {
    let mut world = with_node(&[("pubsub#access_model", "authorize")]);
    publish(&mut world);
    world.set(BARD, SUBSCRIBE).unwrap();
    let member =
        "<affiliations node='n'><affiliation jid='bard@shakespeare.example' affiliation='member'/></affiliations>";
    let told = world.owner_set(HAMLET, member).unwrap().to("bard@shakespeare.example");
    assert!(told.contains("subscription='subscribed'") && told.contains("<item id='1'>"), "{told}");
}

#[test]
fn a_client_that_comes_is_told_by_its_own_subscriptions_and_those_of_its_account() {
    let mut world = with_node(&[]);
    publish(&mut world);
    let of_client = subscribe_with(&[("pubsub#include_body", "1")]).replace("example'/>", "example/globe'/>");
    world.set(BARD, &of_client).unwrap();
    world.set(BARD, SUBSCRIBE).unwrap();
    world.set(BARD, &subscribe_with(&[("pubsub#digest", "1")])).unwrap();
    world.set("king@denmark.example/x", "<subscribe node='n' jid='king@denmark.example'/>").unwrap();
    let node = std::sync::Arc::new(world.node("n").unwrap());
    let told = |world: &World, who: &str| {
        let told = node.tells_on_presence(&jid(who), world.now_ms);
        let mut to = Vec::new();
        let all = metronome_pubsub::Subscribers {
            node: node.clone(),
            collections: Vec::new(),
            topic: metronome_pubsub::Topic::Items,
            by_presence: metronome_pubsub::ByPresence::Ignored,
            body: None,
            guard: None,
            before: None,
        };
        all.for_client(
            &jid(who),
            world.now_ms,
            |_, _| metronome_pubsub::Trust::NONE,
            |one| to.push(one.jid.to_string()),
        );
        (told, to)
    };
    let both = ["bard@shakespeare.example", "bard@shakespeare.example/globe"].map(str::to_owned);
    assert_eq!(told(&world, BARD), (true, both.to_vec()));
    assert_eq!(told(&world, "bard@shakespeare.example/other"), (true, both[..1].to_vec()));
    assert_eq!(told(&world, HAMLET), (false, Vec::new()));
    world.nodes.get_mut("n").unwrap().subscriptions.clear();
    assert!(!world.node("n").unwrap().tells_on_presence(&jid(BARD), world.now_ms));
}
