//! Messages and requests to other servers and from them, without sockets: the test is the other server.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_host::remotes::FailureKind;
use metronome_model::Direction;
use world::far::Far;
use world::{Client, World, bodies};

const FAR: &str = "far.example";

fn chat(to: &str, body: impl std::fmt::Display) -> String {
    format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

fn from_far(to: &str, body: impl std::fmt::Display) -> String {
    format!("<message from='dave@far.example/d' to='{to}' type='chat' id='{body}'><body>{body}</body></message>")
}

async fn world() -> World {
    let world = World::new().await;
    world.federate().await;
    world
}

/// What waits in the store for a server.
async fn stored(world: &World, remote: &str) -> Vec<String> {
    let rows = world.server.store.outbox("localhost", remote, 0, 1000).await.unwrap();
    let body = |row: &metronome_model::OutboxRow| {
        row.stanza.child("jabber:client", "body").map(|body| body.text().into_owned()).unwrap_or_default()
    };
    rows.iter().map(body).collect()
}

async fn with_carbons(world: &World, jid: &str) -> Client {
    let mut client = world.available(jid).await;
    client.send("<iq type='set' id='on'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    client.settled().await;
    client
}

#[tokio::test]
async fn a_message_is_archived_copied_and_waits_until_it_has_arrived() {
    let world = world().await;
    let (mut alice, mut other) =
        (world.available("alice@localhost/a").await, with_carbons(&world, "alice@localhost/b").await);
    alice.send(&chat("dave@far.example", "hello"));
    alice.settled().await;
    let row = &world.rows("alice").await[0];
    assert_eq!((row.direction, row.unseen), (Direction::Sent, false));
    assert_eq!(stored(&world, FAR).await, ["hello"]);
    let copy = other.until("</sent></message>").await;
    assert!(copy.contains("to='dave@far.example' id='hello'") && copy.contains("<stanza-id "), "{copy}");
    assert_eq!(world.wanted().as_deref(), Some(FAR));
    assert_eq!(world.wanted(), None, "whoever asked makes the stream");
    let mut far = world.far(FAR);
    let text = far.until("</message>").await;
    let expected =
        "<message from='alice@localhost/a' to='dave@far.example' id='hello' type='chat'><body>hello</body></message>";
    assert_eq!(text, expected);
    world.tick().await;
    assert_eq!(stored(&world, FAR).await, ["hello"], "nobody knows whether it has arrived");
    far.has_all();
    world.tick().await;
    assert_eq!(stored(&world, FAR).await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_stored_keeps_its_place_between_what_is() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut far = world.far(FAR);
    for n in 0..20 {
        alice.send(&chat("dave@far.example", n));
        alice.send(&format!(
            "<message to='dave@far.example' type='chat' id='s{n}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
        ));
    }
    alice.settled().await;
    let text = far.until("id='s19'").await;
    let ids: Vec<&str> = text.split(" id='").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    let expected: Vec<String> = (0..20).flat_map(|n| [n.to_string(), format!("s{n}")]).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn what_is_not_known_to_have_arrived_goes_again_in_the_order_of_the_store() {
    let world = world().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    let mut far = world.far(FAR);
    for n in 0..30 {
        alice.send(&chat("dave@far.example", format!("a{n}")));
        bob.send(&chat("dave@far.example", format!("b{n}")));
    }
    alice.settled().await;
    bob.settled().await;
    let first = far.settled().await;
    assert_eq!(bodies(&first), stored(&world, FAR).await);
    // Ten of them have arrived.
    far.carrier.as_ref().unwrap().arrived(10);
    far.lose();
    alice.send(&chat("dave@far.example", "later"));
    alice.settled().await;
    world.tick().await;
    let waiting = stored(&world, FAR).await;
    assert_eq!(waiting.len(), 51);
    assert_eq!(world.wanted().as_deref(), Some(FAR));
    let mut far = world.far(FAR);
    assert_eq!(bodies(&far.until("<body>later</body>").await), waiting);
    far.has_all();
    world.tick().await;
    assert_eq!(stored(&world, FAR).await, [""; 0]);
}

#[tokio::test]
async fn a_flood_for_a_slow_server_leaves_bounded_memory_and_comes_in_order() {
    let settings = [("federation.queue", "\"64 KiB\""), ("federation.stored_of_account", "100000")];
    let world = World::with(&settings, metronome_features::ALL).await;
    world.federate().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut far = world.far(FAR);
    for n in 0..600 {
        alice.send_waiting(&chat("dave@far.example", n)).await;
    }
    alice.settled().await;
    let bytes = world.server.remotes.memory_usage();
    assert!((32 * 1024..80 * 1024).contains(&bytes), "{bytes} bytes in memory");
    let expected: Vec<String> = (0..600).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&far.until("<body>599</body>").await), expected);
    assert_eq!(world.server.remotes.memory_usage(), 0);
}

#[tokio::test]
async fn what_waits_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::on_disk(&folder.path().join("store.sqlite")).await;
    world.federate().await;
    let mut alice = world.available("alice@localhost/a").await;
    for n in 0..3 {
        alice.send(&chat("dave@far.example", n));
    }
    alice.settled().await;
    drop(alice);
    world.restart().await;
    assert_eq!(world.wanted(), None);
    world.federate().await;
    assert_eq!(world.wanted().as_deref(), Some(FAR));
    let mut far = world.far(FAR);
    assert_eq!(bodies(&far.until("<body>2</body>").await), ["0", "1", "2"]);
}

#[tokio::test]
async fn where_there_is_no_server_everything_comes_back_at_once() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(&chat("dave@nowhere.example", "stored"));
    alice.send("<iq type='get' to='nowhere.example' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.settled().await;
    assert_eq!(world.wanted().as_deref(), Some("nowhere.example"));
    world.fail("nowhere.example", FailureKind::NoServer);
    let answers = alice.until("id='i' type='error'>").await + &alice.until("id='stored' type='error'").await;
    assert_eq!(answers.matches("type='error'").count(), 2, "{answers}");
    let rest = alice.until("</message>").await;
    assert!(rest.contains("<remote-server-not-found") && rest.contains("the test says so"), "{rest}");
    world.committed().await;
    world.tick().await;
    assert_eq!(stored(&world, "nowhere.example").await, [""; 0]);
    // Until it is tried again nothing waits for it.
    alice.send(&chat("dave@nowhere.example", "again"));
    let answer = alice.settled().await;
    assert!(answer.contains("<remote-server-not-found"), "{answer}");
    assert_eq!(world.wanted(), None);
}

#[tokio::test]
async fn what_is_stored_for_a_server_that_cannot_be_reached_comes_back_after_its_time_whoever_is_there() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(&chat("dave@far.example", "early"));
    alice.send("<iq type='get' to='far.example' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.settled().await;
    assert!(world.wanted().is_some());
    world.fail(FAR, FailureKind::Unreachable);
    let answer = alice.until("</iq>").await;
    assert!(answer.contains("id='i' type='error'") && answer.contains("<remote-server-timeout"), "{answer}");
    assert_eq!(stored(&world, FAR).await, ["early"]);
    world.server.clock.advance(2_000);
    world.tick().await;
    assert!(world.wanted().is_some(), "it is tried again");
    world.fail(FAR, FailureKind::Unreachable);
    world.server.clock.advance(240_000);
    alice.send(&chat("dave@far.example", "late"));
    alice.settled().await;
    alice.lose();
    world.server.clock.advance(60_000);
    world.tick().await;
    while stored(&world, FAR).await != ["late"] {
        tokio::task::yield_now().await;
    }
    world.all_permits().await;
    // She was away, and is told when she is back.
    let mut alice = world.connect("alice@localhost/a2").await;
    alice.send("<presence/>");
    let told = alice.until("id='early' type='error'").await + &alice.until("</message>").await;
    assert!(told.contains("<remote-server-timeout") && told.contains("from='dave@far.example'"), "{told}");
}

#[tokio::test]
async fn many_that_are_too_large_come_back_at_once_and_keep_nothing_behind_them_in_the_store() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    let large = "x".repeat(2_000);
    for id in 0..20 {
        alice.send(&format!("<message to='dave@far.example' type='chat' id='l{id}'><body>{large}</body></message>"));
    }
    alice.send(&chat("dave@far.example", "small"));
    alice.settled().await;
    assert!(world.wanted().is_some());
    let mut far = world.far(FAR);
    far.carrier.as_mut().unwrap().set_stanza_bytes_max(1_000);
    let text = far.until("</message>").await;
    assert!(text.contains("id='small'") && !text.contains("id='l"), "{text}");
    far.has_all();
    world.tick().await;
    for id in 0..20 {
        let refused = alice.until("</message>").await;
        assert!(refused.contains(&format!("id='l{id}' type='error'")), "{refused}");
    }
    while stored(&world, FAR).await != [""; 0] {
        world.tick().await;
    }
}

#[tokio::test]
async fn a_dead_server_costs_no_memory() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(&chat("dave@far.example", "first"));
    alice.settled().await;
    world.fail(FAR, FailureKind::Unreachable);
    for n in 0..200 {
        alice.send_waiting(&chat("dave@far.example", n)).await;
    }
    alice.settled().await;
    assert_eq!((stored(&world, FAR).await.len(), world.server.remotes.memory_usage()), (201, 0));
}

#[tokio::test]
async fn one_account_has_its_bound_and_leaves_room_for_others() {
    let world = World::with(&[("federation.stored_of_account", "2")], metronome_features::ALL).await;
    world.federate().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    for n in 0..3 {
        alice.send(&chat("dave@far.example", n));
        let answer = alice.settled().await;
        assert_eq!(answer.contains("<resource-constraint"), n == 2, "{answer}");
    }
    bob.send(&chat("dave@far.example", "bob"));
    assert!(!bob.settled().await.contains("error"));
    assert_eq!(stored(&world, FAR).await, ["0", "1", "bob"]);
}

#[tokio::test]
async fn an_account_knocks_at_so_many_doors_and_others_do_not_notice() {
    let world = World::with(&[("federation.limits.new_domains", "\"2/h\"")], metronome_features::ALL).await;
    world.federate().await;
    let (mut alice, mut bob) = (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
    for n in 0..4 {
        alice.send(&chat(&format!("dave@far{n}.example"), n));
        let answer = alice.settled().await;
        assert_eq!(answer.contains("<policy-violation"), n >= 2, "{answer}");
        // With whom there is something already one goes on.
        alice.send(&chat("dave@far0.example", n));
        assert!(!alice.settled().await.contains("error"));
    }
    bob.send(&chat("dave@far3.example", "bob"));
    assert!(!bob.settled().await.contains("error"));
}

#[tokio::test]
async fn without_other_servers_there_are_none() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    for stanza in [
        chat("dave@far.example", "m"),
        "<iq type='get' to='far.example' id='i'><ping xmlns='urn:xmpp:ping'/></iq>".into(),
        "<presence to='dave@far.example' type='subscribe'/>".into(),
        "<presence to='room@far.example/alice'/>".into(),
    ] {
        alice.send(&stanza);
        let answer = alice.settled().await;
        assert!(answer.contains("<remote-server-not-found"), "{stanza}: {answer}");
    }
    assert!(world.rows("alice").await.is_empty() && stored(&world, FAR).await.is_empty());
}

#[tokio::test]
async fn a_message_from_elsewhere_is_kept_copied_and_delivered() {
    let world = world().await;
    let (mut bob, mut desk) =
        (world.available("bob@localhost/phone").await, with_carbons(&world, "bob@localhost/desk").await);
    let mut far = world.far(FAR);
    far.send(&from_far("bob@localhost/phone", "hi"));
    assert_eq!(far.settled().await, "", "once it is stored nothing goes back");
    let text = bob.until("</message>").await;
    assert!(text.contains("from='dave@far.example/d'") && text.contains("<body>hi</body><stanza-id "), "{text}");
    let copy = desk.until("</received></message>").await;
    assert!(copy.contains("<body>hi</body>"), "{copy}");
    assert_eq!(world.unseen("bob").await.len(), 1);
    bob.lose();
    desk.lose();
    far.send(&from_far("bob@localhost", "while away"));
    far.settled().await;
    world.server.clock.advance(2_000);
    let mut bob = world.connect("bob@localhost/phone").await;
    bob.send("<presence/>");
    let text = bob.until("<body>while away</body>").await + &bob.until("</message>").await;
    assert!(text.contains("<delay "), "{text}");
}

#[tokio::test]
async fn what_nobody_takes_comes_back_and_errors_never_do() {
    let world = world().await;
    let mut far = world.far(FAR);
    far.send(&from_far("nobody@localhost", "m"));
    let answer = far.until("</message>").await;
    let expected = "<message from='nobody@localhost' to='dave@far.example/d' id='m' type='error'><body>m</body>\
                    <error type='cancel'><service-unavailable";
    assert!(answer.starts_with(expected), "{answer}");
    for stanza in [
        "<message from='dave@far.example/d' to='nobody@localhost' type='error' id='e'><body>x</body></message>",
        "<iq from='dave@far.example/d' to='nobody@localhost/x' type='error' id='e'><error type='cancel'>\
         <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        "<iq from='dave@far.example/d' to='localhost' type='result' id='e'/>",
        "<iq from='dave@far.example/d' to='bob@localhost' type='result' id='e'/>",
        "<presence from='dave@far.example/d' to='nobody@localhost'/>",
        "<presence from='dave@far.example/d' to='nobody@localhost' type='subscribe'/>",
        "<presence from='dave@far.example/d' to='nobody@localhost' type='error'/>",
        "<presence from='dave@far.example/d' to='localhost' type='subscribe'/>",
    ] {
        far.send(stanza);
        assert_eq!(far.settled().await, "", "{stanza}");
    }
}

#[tokio::test]
async fn requests_are_answered_as_for_anybody_and_strangers_learn_nothing() {
    let world = world().await;
    let _alice = world.available("alice@localhost/a").await;
    let mut far = world.far(FAR);
    let iq =
        |to: &str, payload: &str| format!("<iq from='dave@far.example/d' to='{to}' type='get' id='i'>{payload}</iq>");
    far.send(&iq("localhost", "<ping xmlns='urn:xmpp:ping'/>"));
    assert_eq!(far.until("/>").await, "<iq from='localhost' to='dave@far.example/d' id='i' type='result'/>");
    far.send(&iq("localhost", "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
    let info = far.until("</iq>").await;
    assert!(info.contains("<identity ") && info.contains("type='im'"), "{info}");
    let without_name = |answer: &str| answer.replace("alice", "X").replace("nobody", "X");
    for payload in [
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='jabber:iq:roster'/>",
        "<vCard xmlns='vcard-temp'/>",
        "<query xmlns='urn:xmpp:mam:2'/>",
    ] {
        let mut answers = Vec::new();
        for name in ["alice@localhost", "nobody@localhost", "alice@localhost/a", "nobody@localhost/a"] {
            far.send(&iq(name, payload));
            answers.push(without_name(&far.settled().await));
        }
        assert_eq!((&answers[0], &answers[2]), (&answers[1], &answers[3]), "{payload}");
    }
    // What only an account of ours may ask.
    for payload in [
        "<query xmlns='jabber:iq:register'/>",
        "<command xmlns='http://jabber.org/protocol/commands' node='x'/>",
        "<query xmlns='urn:xmpp:sic:1'/>",
    ] {
        far.send(&iq("localhost", payload).replace("'get'", "'set'"));
        let answer = far.settled().await;
        assert!(answer.contains("type='error'"), "{answer}");
    }
}

#[tokio::test]
async fn requests_between_clients_go_both_ways() {
    let world = world().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut far = world.far(FAR);
    alice.send("<iq type='get' to='dave@far.example/d' id='q'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.settled().await;
    let asked = far.until("</iq>").await;
    assert!(asked.ends_with(
        "<iq from='alice@localhost/a' to='dave@far.example/d' id='q' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"
    ));
    far.send("<iq from='dave@far.example/d' to='alice@localhost/a' id='q' type='result'/>");
    far.settled().await;
    alice.until("id='q' type='result'/>").await;
    // Dave was sent presence directly, so his requests reach her.
    alice.send("<presence to='dave@far.example/d'/>");
    alice.settled().await;
    far.send(
        "<iq from='dave@far.example/d' to='alice@localhost/a' id='r' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    far.settled().await;
    alice.until("id='r' type='get'>").await;
    alice.send("<iq type='result' to='dave@far.example/d' id='r'/>");
    alice.settled().await;
    far.until("to='dave@far.example/d' id='r' type='result'/>").await;
}

#[tokio::test]
async fn one_account_that_waits_holds_nobody_else_up() {
    let world = world().await;
    let mut bob = world.available("bob@localhost/b").await;
    let mut far = world.far(FAR);
    let locked = world.server.owners.lock(&[world.id("alice").await]).await;
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>");
    for n in 0..10 {
        far.send(&from_far("bob@localhost", n));
    }
    let waits = tokio::spawn(async move {
        far.settled().await;
        far
    });
    assert_eq!(bodies(&bob.until("<body>9</body>").await).len(), 10);
    drop(locked);
    waits.await.unwrap();
}

#[tokio::test]
async fn a_flood_for_one_account_is_refused_and_leaves_places_for_the_others() {
    let world = world().await;
    let mut far = world.far(FAR);
    let locked = world.server.owners.lock(&[world.id("alice").await]).await;
    // As many as one account may have in the list of a link, all of which wait for her lock behind the first.
    far.send("<presence from='dave@far.example' to='alice@localhost' type='subscribe'/>");
    for n in 1..64 {
        far.send(&from_far("alice@localhost", n));
    }
    far.send(&from_far("alice@localhost/x", "too much"));
    let answer = far.until("id='too much' type='error'").await + &far.until("</message>").await;
    assert!(answer.contains("<resource-constraint"), "{answer}");
    let dropped = world.server.counters.dropped.get();
    far.send("<presence from='dave@far.example/d' to='alice@localhost'/>");
    far.send("<message from='dave@far.example/d' to='alice@localhost' type='error' id='e'/>");
    far.send(&from_far("bob@localhost", "for bob"));
    assert_eq!(world.server.counters.dropped.get(), dropped + 2);
    drop(locked);
    assert_eq!(far.settled().await, "");
    assert_eq!((world.rows("alice").await.len(), world.rows("bob").await.len()), (63, 1));
}

#[tokio::test]
async fn guests_speak_to_nobody_elsewhere_and_nobody_there_to_them() {
    let world = world().await;
    let jid = metronome_proto::jid::Jid::parse("guest-0123456789abcdef0123456789abcdef@localhost").unwrap();
    let _arrived = metronome_features::accounts::guests::arrive(&world.server, &jid).await.unwrap();
    let mut guest = world.connect(&format!("{jid}/x")).await;
    guest.send(&chat("dave@far.example", "m"));
    guest.send("<iq type='get' to='far.example' id='i'><ping xmlns='urn:xmpp:ping'/></iq>");
    guest.send("<presence to='room@far.example/g'/>");
    let answers = guest.settled().await;
    assert_eq!(answers.matches("<remote-server-not-found").count(), 3, "{answers}");
    assert_eq!(world.wanted(), None);
    let mut far = world.far(FAR);
    far.send(&from_far(jid.as_str(), "m"));
    let answer = far.until("</message>").await;
    assert!(answer.contains("<service-unavailable"), "{answer}");
}

/// The other server of a random run: what it has been sent on the connection of now, and what it has had at all.
#[derive(Default)]
struct Had {
    now: Vec<String>,
    all: Vec<String>,
    /// What it has said that it has.
    proved: Vec<String>,
}

impl Had {
    fn note(&mut self, text: &str) {
        for body in bodies(text) {
            assert!(!self.proved.iter().any(|proved| proved == body), "{body} comes again although it had arrived");
            assert!(!self.now.iter().any(|had| had == body), "{body} comes twice on one connection");
            self.now.push(body.to_owned());
            if !self.all.iter().any(|had| had == body) {
                self.all.push(body.to_owned());
            }
        }
    }

    fn of(&self, sender: char) -> Vec<&String> {
        self.all.iter().filter(|body| body.starts_with(sender)).collect()
    }
}

#[tokio::test]
async fn random_cuts_lose_nothing_and_keep_each_senders_order() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::with(&[("federation.queue", "\"64 KiB\"")], metronome_features::ALL).await;
        world.federate().await;
        let (mut alice, mut bob) =
            (world.available("alice@localhost/a").await, world.available("bob@localhost/b").await);
        let (mut far, mut had, mut sent) = (None::<Far>, Had::default(), 0);
        for _ in 0..80 {
            match (random.u8(..10), &mut far) {
                (0..=3, _) => {
                    for _ in 0..random.usize(1..60) {
                        let (client, name) = if random.bool() { (&mut alice, 'a') } else { (&mut bob, 'b') };
                        client.send_waiting(&chat("dave@far.example", format!("{name}{sent:05}"))).await;
                        sent += 1;
                    }
                    alice.settled().await;
                    bob.settled().await;
                }
                (4 | 5, None) => {
                    far = Some(world.far(FAR));
                    had.now.clear();
                }
                (6 | 7, Some(far)) => had.note(&far.settled().await),
                (8, Some(far)) => {
                    let count = random.usize(..=had.now.len());
                    had.proved.extend(had.now[..count].iter().cloned());
                    far.carrier.as_ref().unwrap().arrived(count as u64);
                    world.tick().await;
                }
                (9, Some(_)) if random.bool() => far = None,
                (9, None) => {
                    world.fail(FAR, FailureKind::Unreachable);
                    world.server.clock.advance(100);
                }
                _ => {}
            }
        }
        drop(far);
        had.now.clear();
        had.note(&world.far(FAR).settled().await);
        assert_eq!(had.all.len(), sent, "seed {seed}");
        for sender in ['a', 'b'] {
            let of_sender = had.of(sender);
            assert!(of_sender.is_sorted(), "seed {seed}: {of_sender:?}");
        }
    }
}
