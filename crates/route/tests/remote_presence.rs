//! Presence and subscriptions between an account of ours and one on another server, which is the test.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_features::accounts::removal;
use metronome_model::{Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;
use world::World;

const FAR: &str = "far.example";
const DAVE: &str = "dave@far.example";
const BOTH: Subscription = Subscription { to: true, from: true, ..Subscription::NONE };

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

async fn world() -> World {
    let world = World::new().await;
    world.federate().await;
    world
}

/// Alice's row about Dave.
async fn about_dave(world: &World) -> Option<Contact> {
    world.server.store.contact(world.id("alice").await, DAVE).await.unwrap()
}

async fn set(world: &World, subscription: Subscription) {
    let contact = Contact { subscription, listed: Listed::Yes, version: 1, ..Contact::unknown(jid(DAVE)) };
    let op = Op::SetContact { owner: world.id("alice").await, contact: Box::new(contact) };
    assert!(world.server.commit(Record::of(op)).await.is_done());
}

async fn stored(world: &World) -> Vec<String> {
    let rows = world.server.store.outbox("localhost", FAR, 0, 1000).await.unwrap();
    rows.iter().map(|row| String::from_utf8(row.stanza.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn contacts_elsewhere_see_an_account_come_change_and_go_and_are_asked_once_for_each_session() {
    let world = world().await;
    set(&world, BOTH).await;
    let mut far = world.far(FAR);
    let mut alice = world.available("alice@localhost/a").await;
    let text = far.settled().await;
    assert!(text.contains("<presence from='alice@localhost/a' to='dave@far.example'/>"), "{text}");
    assert!(text.contains("<presence from='alice@localhost/a' type='probe' to='dave@far.example'/>"), "{text}");
    assert_eq!(text.matches("<presence").count(), 2, "{text}");
    far.send("<presence from='dave@far.example/d' to='alice@localhost/a'><show>away</show></presence>");
    far.settled().await;
    let shown = alice.until("</presence>").await;
    assert!(shown.contains("<presence from='dave@far.example/d' to='alice@localhost/a'><show>away</show>"), "{shown}");
    alice.send("<presence><show>dnd</show></presence>");
    alice.settled().await;
    let changed = far.settled().await;
    assert_eq!(changed, "<presence from='alice@localhost/a' to='dave@far.example'><show>dnd</show></presence>");
    alice.lose();
    let gone = far.settled().await;
    assert_eq!(gone, "<presence from='alice@localhost/a' type='unavailable' to='dave@far.example'/>");
}

#[tokio::test]
async fn presence_from_elsewhere_reaches_every_available_session() {
    let world = world().await;
    set(&world, BOTH).await;
    let mut far = world.far(FAR);
    let (mut one, mut two) = (world.available("alice@localhost/1").await, world.available("alice@localhost/2").await);
    let mut quiet = world.connect("alice@localhost/quiet").await;
    far.send("<presence from='dave@far.example/d' to='alice@localhost'><status>here</status></presence>");
    far.send("<presence from='dave@far.example/d' to='alice@localhost' type='unavailable'/>");
    far.settled().await;
    for client in [&mut one, &mut two] {
        client.until("<status>here</status></presence>").await;
        client.until("<presence from='dave@far.example/d' type='unavailable' to='alice@localhost'/>").await;
    }
    let text = quiet.settled().await;
    assert!(!text.contains("dave"), "{text}");
}

#[tokio::test]
async fn a_subscription_goes_both_ways_and_every_step_is_stored_before_it_goes() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>");
    alice.settled().await;
    alice.send("<presence to='dave@far.example/ignored' type='subscribe'><status>hello</status></presence>");
    let pushed = alice.until("ask='subscribe'").await;
    assert!(pushed.contains("jid='dave@far.example'"), "{pushed}");
    alice.settled().await;
    let expected =
        "<presence from='alice@localhost' to='dave@far.example' type='subscribe'><status>hello</status></presence>";
    assert_eq!(stored(&world).await, [expected]);
    let mut far = world.far(FAR);
    assert!(far.until("</presence>").await.ends_with(expected));
    far.has_all();
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribed'/>");
    far.settled().await;
    alice.until("<presence from='dave@far.example' to='alice@localhost' type='subscribed'/>").await;
    alice.until("subscription='to'").await;
    // The other way round.
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>");
    far.settled().await;
    alice.until("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>").await;
    alice.send("<presence to='dave@far.example' type='subscribed'/>");
    alice.until("subscription='both'").await;
    alice.settled().await;
    let text = far.settled().await;
    let (subscribed, shown) = (
        text.find("<presence from='alice@localhost' to='dave@far.example' type='subscribed'/>").expect(&text),
        text.find("<presence from='alice@localhost/a' to='dave@far.example'/>").expect(&text),
    );
    assert!(subscribed < shown, "{text}");
    // And its end.
    far.send("<presence from='dave@far.example' to='alice@localhost' type='unsubscribe'/>");
    let text = far.until("type='unavailable'").await;
    assert!(text.contains("from='alice@localhost/a'"), "{text}");
    alice.until("subscription='to'").await;
    assert!(!about_dave(&world).await.unwrap().subscription.from);
}

#[tokio::test]
async fn a_request_waits_for_who_is_away_and_one_that_was_approved_is_answered() {
    let world = world().await;
    let mut far = world.far(FAR);
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'><status>hi</status></presence>");
    assert_eq!(far.settled().await, "");
    let mut alice = world.connect("alice@localhost/a").await;
    alice.send("<presence/>");
    alice.until("type='subscribe'><status>hi</status></presence>").await;
    alice.send("<presence to='dave@far.example' type='unsubscribed'/>");
    alice.settled().await;
    far.until("<presence from='alice@localhost' to='dave@far.example' type='unsubscribed'/>").await;
    alice.send("<presence to='dave@far.example' type='subscribed'/>");
    alice.settled().await;
    assert_eq!(far.settled().await, "", "nobody has asked");
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>");
    far.until("<presence from='alice@localhost' to='dave@far.example' type='subscribed'/>").await;
    far.until("<presence from='alice@localhost/a' to='dave@far.example'/>").await;
    far.settled().await;
    // Who asks again is told again, and nothing more is stored for it.
    far.has_all();
    world.tick().await;
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>");
    far.until("<presence from='alice@localhost' to='dave@far.example' type='subscribed'/>").await;
    assert!(stored(&world).await.is_empty());
}

#[tokio::test]
async fn probes_are_answered_by_the_roster_and_tell_strangers_nothing() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut far = world.far(FAR);
    let probe = |to: &str| format!("<presence from='dave@far.example/d' to='{to}' type='probe'/>");
    for name in ["alice@localhost", "nobody@localhost"] {
        far.send(&probe(name));
        let answer = far.settled().await;
        assert_eq!(answer, format!("<presence from='{name}' to='dave@far.example' type='unsubscribed'/>"));
    }
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>");
    far.send(&probe("alice@localhost"));
    assert_eq!(far.settled().await, "", "a request that waits is not answered by a probe");
    alice.send("<presence to='dave@far.example' type='subscribed'/>");
    alice.settled().await;
    far.settled().await;
    far.send(&probe("alice@localhost"));
    assert_eq!(far.settled().await, "<presence from='alice@localhost/a' to='dave@far.example/d'/>");
    alice.lose();
    far.settled().await;
    far.send(&probe("alice@localhost"));
    let answer = far.settled().await;
    assert_eq!(answer, "<presence from='alice@localhost' type='unavailable' to='dave@far.example/d'/>");
}

#[tokio::test]
async fn presence_that_was_sent_directly_is_taken_back() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut far = world.far(FAR);
    alice.send("<presence to='room@far.example/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    alice.settled().await;
    far.until("to='room@far.example/alice'><x xmlns='http://jabber.org/protocol/muc'/></presence>").await;
    far.send("<presence from='room@far.example/bob' to='alice@localhost/a'/>");
    far.send("<message from='room@far.example/bob' to='alice@localhost/a' type='groupchat'><body>x</body></message>");
    far.settled().await;
    alice.until("<presence from='room@far.example/bob'").await;
    alice.until("<body>x</body>").await;
    alice.lose();
    far.until("<presence from='alice@localhost/a' type='unavailable' to='room@far.example/alice'/>").await;
}

#[tokio::test]
async fn a_block_hides_and_an_unblock_shows_again() {
    let world = world().await;
    set(&world, BOTH).await;
    let mut far = world.far(FAR);
    let mut alice = world.available("alice@localhost/a").await;
    far.settled().await;
    alice.send("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='dave@far.example'/></block></iq>");
    alice.settled().await;
    let text = far.settled().await;
    assert_eq!(text, "<presence from='alice@localhost/a' type='unavailable' to='dave@far.example'/>");
    far.send("<presence from='dave@far.example/d' to='alice@localhost'/>");
    far.send("<presence from='dave@far.example/d' to='alice@localhost' type='probe'/>");
    far.send("<message from='dave@far.example/d' to='alice@localhost' id='m' type='chat'><body>x</body></message>");
    let text = far.settled().await;
    assert!(text.contains("<presence from='alice@localhost' type='unavailable' to='dave@far.example/d'/>"), "{text}");
    assert!(text.contains("id='m' type='error'") && text.contains("<service-unavailable"), "{text}");
    assert!(!alice.so_far().await.contains("dave@far.example/d"));
    alice
        .send("<iq type='set' id='u'><unblock xmlns='urn:xmpp:blocking'><item jid='dave@far.example'/></unblock></iq>");
    alice.settled().await;
    let text = far.settled().await;
    assert!(text.contains("<presence from='alice@localhost/a' to='dave@far.example'/>"), "{text}");
    assert!(text.contains("type='probe'"), "{text}");
}

#[tokio::test]
async fn who_leaves_the_roster_or_the_server_ends_what_there_was() {
    let world = world().await;
    set(&world, BOTH).await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(
        "<iq type='set' id='x'><query xmlns='jabber:iq:roster'><item jid='dave@far.example' subscription='remove'/></query></iq>",
    );
    alice.settled().await;
    let ends = [
        "<presence from='alice@localhost' to='dave@far.example' type='unsubscribe'/>",
        "<presence from='alice@localhost' to='dave@far.example' type='unsubscribed'/>",
    ];
    assert_eq!(stored(&world).await, ends);
    assert!(about_dave(&world).await.is_none());
    let mut far = world.far(FAR);
    let text = far.settled().await;
    assert!(text.contains("type='unavailable'"), "{text}");
    far.has_all();
    world.tick().await;
    set(&world, BOTH).await;
    let change = removal::remove(&world.server, world.id("alice").await, &jid("alice@localhost")).await.unwrap();
    change.make(&world.server).await.unwrap();
    assert_eq!(stored(&world).await, ends);
}

#[tokio::test]
async fn a_subscription_that_cannot_go_comes_back_to_who_is_there() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send("<presence to='dave@far.example' type='subscribe'/>");
    alice.settled().await;
    world.fail(FAR, metronome_host::remotes::FailureKind::NoServer);
    let text = alice.until("</presence>").await;
    assert!(text.contains("<presence from='dave@far.example' type='error' to='alice@localhost'>"), "{text}");
    assert!(text.contains("<remote-server-not-found"), "{text}");
}

#[tokio::test]
async fn a_flood_of_requests_is_damped_and_those_of_others_are_heard() {
    let world = World::with(&[("federation.limits.requests_from_strangers", "\"2/h\"")], metronome_features::ALL).await;
    world.federate().await;
    let mut far = world.far(FAR);
    for name in ["alice", "bob", "carol"] {
        far.send(&format!("<presence from='bot@far.example' to='{name}@localhost' type='subscribe'/>"));
        assert_eq!(far.settled().await, "");
    }
    far.send("<presence from='dave@far.example' to='carol@localhost' type='subscribe'/>");
    assert_eq!(far.settled().await, "");
    let mut asked = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let (_, rows) = world.server.store.roster(world.id(name).await).await.unwrap();
        asked.push(rows.iter().map(|row| row.jid.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(asked, [["bot@far.example"], ["bot@far.example"], ["dave@far.example"]]);
}

#[tokio::test]
async fn nobody_speaks_with_a_domain_that_is_blocked() {
    let world = World::with(&[("federation.block", "[\"far.example\"]")], metronome_features::ALL).await;
    world.federate().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send("<presence to='dave@far.example' type='subscribe'/>");
    let answer = alice.settled().await;
    assert!(answer.contains("<remote-server-not-found"), "{answer}");
    assert_eq!(world.wanted(), None);
}
