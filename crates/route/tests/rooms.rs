//! Rooms on a disk that fails and stalls: what is seen of a message is stored, in the order in which everybody sees it; and what holds a
//! stream's stanzas together when some of them are for rooms.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;

use metronome_features::muc;
use metronome_host::hosts::{Host, Hosts};
use metronome_host::rooms::{Answer, Question};
use metronome_host::waves;
use metronome_model::{
    Account, AccountId, Op, Record, RoomAffiliation, RoomChange, RoomMember, RoomRole, RoomRow, RoomSecret,
    SavedOccupant, Unavailable, Visibility,
};
use metronome_muc::config::{Config, PERSISTENT};
use metronome_proto::jid::Jid;
use metronome_route::rooms;
use world::{Client, World, bodies, ids};

const ROOM: &str = "coven@rooms.localhost";

/// A world whose first domain has rooms.
async fn world() -> World {
    let world = World::new().await;
    let hosts = world.server.hosts.load_full();
    let with_rooms = |host: &Arc<Host>| {
        let mut host = Host::clone(host);
        let name = Jid::parse(&format!("rooms.{}", host.name)).unwrap();
        host.services = vec![Arc::new(Host::of_service(name, &muc::SERVICE, &host, host.values.clone(), None))];
        host
    };
    world.server.hosts.store(Arc::new(Hosts::new(hosts.values.clone(), hosts.iter().map(with_rooms).collect())));
    tokio::spawn(rooms::run(world.server.clone()));
    world
}

/// Alice and Bob in an open room.
async fn met(world: &World) -> (Client, Client) {
    let mut alice = world.available("alice@localhost/a").await;
    let mut bob = world.available("bob@localhost/b").await;
    alice.send(&format!("<presence to='{ROOM}/first'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    alice.until("<subject/></message>").await;
    let form = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>";
    alice.send(&format!("<iq type='set' id='open' to='{ROOM}'>{form}</iq>"));
    alice.until("id='open' type='result'/>").await;
    bob.send(&format!("<presence to='{ROOM}/second'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    bob.until("<subject/></message>").await;
    alice.until("second").await;
    alice.settled().await;
    bob.settled().await;
    (alice, bob)
}

fn say(client: &mut Client, body: impl std::fmt::Display) {
    client.send(&format!("<message to='{ROOM}' type='groupchat' id='{body}'><body>{body}</body></message>"));
}

async fn rows(world: &World) -> Vec<String> {
    let Ok(Answer::Shown(shown)) = world.server.rooms.ask(&Jid::parse(ROOM).unwrap(), Question::Show).await else {
        panic!("a room")
    };
    let rows = world.server.store.rows(shown.id.unwrap(), vec![(1, u64::MAX)], 10_000).await.unwrap();
    let body = |row: metronome_model::ArchivedRow| {
        row.stanza.child("jabber:client", "body").map(|body| body.text().into_owned()).unwrap_or_default()
    };
    rows.into_iter().map(body).collect()
}

#[tokio::test]
async fn nobody_sees_a_message_before_it_is_stored() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    world.faults.stall();
    for number in 0..10 {
        say(&mut alice, number);
    }
    alice.turn().await;
    let faults = world.faults.clone();
    tokio::task::spawn_blocking(move || faults.wait_until_stalled()).await.unwrap();
    for _ in 0..20 {
        alice.turn().await;
        bob.turn().await;
    }
    assert_eq!((bob.so_far().await, bodies(&alice.so_far().await).len()), (String::new(), 0));
    assert!(!alice.list.is_empty(), "a stanza is settled once it is stored");
    world.faults.release();
    let seen = bob.until("<body>9</body>").await;
    let expected: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&seen), expected);
    assert_eq!(rows(&world).await, expected);
    let seen = [seen, bob.until("</message>").await].concat();
    assert_eq!(ids(&seen).len(), 10);
    assert_eq!(bodies(&alice.settled().await), expected);
}

#[tokio::test]
async fn a_message_that_cannot_be_stored_comes_back_and_nobody_saw_it() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    world.faults.fail_commits(1, Unavailable::DiskFull);
    say(&mut alice, "lost");
    let answer = alice.settled().await;
    assert!(answer.contains("type='error'") && answer.contains("<resource-constraint"), "{answer}");
    assert!(answer.contains("id='lost'") && answer.contains(&format!("from='{ROOM}'")), "{answer}");
    say(&mut alice, "kept");
    assert_eq!(bodies(&alice.until("</message>").await), ["kept"]);
    assert_eq!(bodies(&bob.until("</message>").await), ["kept"]);
    assert_eq!(rows(&world).await, ["kept"]);
}

#[tokio::test]
async fn everybody_sees_the_same_order_whoever_speaks() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    for number in 0..50 {
        say(&mut alice, format_args!("a{number}"));
        say(&mut bob, format_args!("b{number}"));
    }
    let (mut at_alice, mut at_bob) = (alice.settled().await, bob.settled().await);
    at_alice.push_str(&alice.so_far().await);
    at_bob.push_str(&bob.so_far().await);
    let stored = rows(&world).await;
    assert_eq!(stored.len(), 100);
    assert_eq!(bodies(&at_alice), stored);
    assert_eq!(bodies(&at_bob), stored);
    for who in ["a", "b"] {
        let own: Vec<_> = stored.iter().filter_map(|body| body.strip_prefix(who)?.parse::<u32>().ok()).collect();
        assert!(own.is_sorted() && own.len() == 50, "each in the order in which they spoke: {own:?}");
    }
}

/// Where many are told something, they are woken together.
#[tokio::test]
async fn in_a_room_of_many_everybody_is_told_everything_in_order() {
    const STEPS: usize = 20;
    let world = world().await;
    crowded(&world, waves::MANY).await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut bob = world.available("bob@localhost/b").await;
    enter(&mut alice, "first").await;
    enter(&mut bob, "second").await;
    for step in 0..STEPS {
        say(&mut alice, step);
        alice.send(&format!("<presence to='{ROOM}/first'><status>after {step}</status></presence>"));
    }
    // Nothing but the waves wakes Bob.
    let end = format!("<status>after {}</status>", STEPS - 1);
    let (at_bob, at_alice) = tokio::join!(bob.until(&end), alice.until(&end));
    let body = |step: usize| format!("<body>{step}</body>");
    let expected: Vec<_> = (0..STEPS).flat_map(|step| [body(step), format!("<status>after {step}</status>")]).collect();
    for seen in [at_bob, at_alice] {
        let places: Vec<_> = expected.iter().map(|part| seen.find(part.as_str()).expect(part)).collect();
        assert!(places.is_sorted(), "{seen}");
        assert_eq!(bodies(&seen).len(), STEPS, "{seen}");
    }
}

#[tokio::test]
async fn who_enters_while_others_speak_and_enter_is_told_everything_once() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    let mut others = Vec::new();
    for number in 0..20 {
        say(&mut alice, number);
        if number % 4 == 0 {
            let mut other = world.available(&format!("carol@localhost/{number}")).await;
            other.send(&format!("<presence to='{ROOM}/third'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
            others.push(other);
        }
    }
    alice.settled().await;
    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&bob.until("<body>19</body>").await), expected);
    for mut other in others {
        let mut seen = other.settled().await;
        seen.push_str(&other.so_far().await);
        assert_eq!(bodies(&seen), expected, "{seen}");
    }
}

#[tokio::test]
async fn a_join_waits_for_no_disk_and_stores_nothing() {
    let world = world().await;
    let (mut alice, _bob) = met(&world).await;
    let mut carol = world.available("carol@localhost/c").await;
    world.faults.stall();
    enter(&mut carol, "third").await;
    alice.until("third").await;
    world.faults.release();
}

async fn enter(client: &mut Client, nick: &str) {
    client.send(&format!("<presence to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    client.until("<subject/></message>").await;
}

#[tokio::test]
async fn a_private_message_is_in_the_archives_of_both_and_with_the_senders_other_devices() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    let mut tablet = world.available("alice@localhost/t").await;
    tablet.send("<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    tablet.until("id='c' type='result'/>").await;
    alice.send(&format!(
        "<message to='{ROOM}/second' type='chat' id='p'><body>psst</body>\
         <x xmlns='http://jabber.org/protocol/muc#user'/></message>"
    ));
    assert!(!alice.settled().await.contains("type='error'"));
    let seen = bob.until("</message>").await;
    assert!(bodies(&seen) == ["psst"] && seen.contains(&format!("from='{ROOM}/first'")), "{seen}");
    assert!(tablet.until("</message>").await.contains("<sent xmlns='urn:xmpp:carbons:2'"));
    assert_eq!((world.rows("alice").await.len(), world.rows("bob").await.len()), (1, 1));
    assert_eq!(rows(&world).await, Vec::<String>::new());
    alice.send(&format!("<message to='{ROOM}/nobody' type='chat' id='n'><body>psst</body></message>"));
    assert!(alice.settled().await.contains("<item-not-found"));
    assert_eq!(world.rows("alice").await.len(), 1, "what is refused is not kept");
}

#[tokio::test]
async fn who_does_not_read_is_in_the_room_no_more_when_something_is_missing() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    bob.reads = false;
    let long = "x".repeat(20_000);
    while !alice.text.contains("code='333'") {
        alice.send_waiting(&format!("<message to='{ROOM}' type='groupchat'><body>{long}</body></message>")).await;
        alice.turn().await;
        if let Some(at) = alice.text.rfind("<presence") {
            alice.text.drain(..at);
        }
    }
    bob.reads = true;
    let seen = bob.until("code='333'").await;
    assert!(bodies(&seen).iter().all(|body| body.len() == long.len()));
}

/// Nobody goes on with another view of who is there than the others have.
#[tokio::test]
async fn who_does_not_read_who_comes_and_goes_is_in_the_room_no_more() {
    let world = world().await;
    let (mut alice, mut bob) = met(&world).await;
    bob.reads = false;
    let mut carol = world.available("carol@localhost/c").await;
    let long = "x".repeat(8_000);
    for number in 0.. {
        let join = format!("<status>{long}</status><x xmlns='http://jabber.org/protocol/muc'/>");
        carol.send_waiting(&format!("<presence to='{ROOM}/third{number}'>{join}</presence>")).await;
        carol.send_waiting(&format!("<presence type='unavailable' to='{ROOM}/third{number}'/>")).await;
        carol.settled().await;
        alice.turn().await;
        if alice.text.contains("code='333'") {
            break;
        }
        alice.text.clear();
        assert!(number < 900, "what bob did not see is nowhere");
    }
    bob.reads = true;
    bob.until("code='333'").await;
    assert!(!bob.session.is_closing());
}

/// Who a session believes to be in the room: what it would take back when it ends.
fn believes(client: &Client) -> Vec<String> {
    let directed = client.session.directed();
    directed.iter().filter(|jid| jid.bare_str() == ROOM).filter_map(|jid| jid.resource().map(str::to_owned)).collect()
}

/// Seeded random steps of three clients, with a disk that fails now and then: whoever is in the room is what its session will take back, and
/// nobody else is in it.
#[tokio::test]
async fn nobody_is_left_behind_whatever_happens_in_whatever_order() {
    for seed in 1..=8 {
        let world = world().await;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut clients = Vec::new();
        for jid in ["alice@localhost/a", "bob@localhost/b", "bob@localhost/c", "carol@localhost/d"] {
            clients.push(world.available(jid).await);
        }
        for step in 0..120 {
            let at = random.usize(..clients.len());
            let nick = ["first", "second", "FIRST", "third"][random.usize(..4)];
            let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
            let query =
                |ns: &str, inner: &str| format!("<query xmlns='http://jabber.org/protocol/muc#{ns}'>{inner}</query>");
            let iq = |inner: String| format!("<iq type='set' id='{step}' to='{ROOM}'>{inner}</iq>");
            let stanza = match random.usize(..12) {
                0..=3 => format!("<presence to='{ROOM}/{nick}'>{x}</presence>"),
                4 => format!("<presence to='{ROOM}/{nick}'/>"),
                5 => format!("<presence type='unavailable' to='{ROOM}/{nick}'/>"),
                6 => format!("<message to='{ROOM}' type='groupchat'><body>{step}</body></message>"),
                7 => iq(query("owner", "<x xmlns='jabber:x:data' type='submit'/>")),
                8 => iq(query("admin", &format!("<item nick='{nick}' role='none'/>"))),
                9 => iq(query("admin", "<item jid='bob@localhost' affiliation='outcast'/>")),
                10 => iq(query("admin", "<item jid='bob@localhost' affiliation='owner'/>")),
                _ => {
                    let jid = clients[at].session.jid.to_string();
                    clients.remove(at).lose();
                    clients.insert(at, world.available(&jid).await);
                    continue;
                }
            };
            if random.usize(..10) == 0 {
                world.faults.fail_commits(1, Unavailable::Disk);
            }
            clients[at].send(&stanza);
            clients[at].settled().await;
            let shown = world.server.rooms.ask(&Jid::parse(ROOM).unwrap(), Question::Show).await;
            let shown = match shown {
                Ok(Answer::Shown(shown)) => shown.occupants,
                _ => Vec::new(),
            };
            for client in &mut clients {
                client.settled().await;
                let nicks = shown.iter().filter(|occupant| occupant.jid == client.session.jid);
                let nicks: Vec<_> = nicks.map(|occupant| occupant.nick.to_string()).collect();
                assert_eq!(believes(client), nicks, "seed {seed}, step {step}: {stanza}");
            }
            let known = |jid: &Jid| clients.iter().any(|client| client.session.jid == *jid);
            assert!(shown.iter().all(|occupant| known(&occupant.jid)), "seed {seed}, step {step}: {shown:?}");
        }
    }
}

/// Alice's room with so many people of other servers in it, as the last process has left them.
async fn crowded(world: &World, count: usize) {
    let (owner, jid) = (AccountId::from_bytes([9; 16]), |text: &str| Jid::parse(text).unwrap());
    let row = RoomRow {
        config: Config::default().with(&PERSISTENT, "1").encode(),
        visibility: Visibility::Hidden,
        subject: None,
        secret: RoomSecret([7; 32]),
        creator: jid("alice@localhost"),
        created_ms: 0,
        used_ms: 0,
        version: 0,
    };
    let (account, nick, reason, more) = (None, None, None, Box::default());
    let affiliation = RoomAffiliation::Owner;
    let member = RoomMember { jid: jid("alice@localhost"), account, affiliation, nick, reason, more, version: 1 };
    let saved = (0..count).map(|n| SavedOccupant {
        nick: format!("p{n}").into(),
        jid: jid(&format!("p{n}@far.example/a")),
        account: None,
        role: RoomRole::Participant,
        since_ms: 0,
        presence: Box::default(),
    });
    let changes = [RoomChange::Create(row), RoomChange::SetMember(member), RoomChange::SaveOccupants(saved.collect())];
    let account = Box::new(Account::of_room(owner, "rooms.localhost", "coven", 0));
    let mut record = Record::of(Op::AddAccount { account, keys: Vec::new() });
    changes.into_iter().for_each(|change| record.push(Op::Room { owner, change: Box::new(change) }));
    assert!(world.server.commit(record).await.is_done());
}

#[tokio::test]
async fn a_room_with_many_people_in_it_can_be_entered() {
    let world = world().await;
    crowded(&world, 2200).await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.send(&format!("<presence to='{ROOM}/first'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    let seen = alice.until("<subject/></message>").await;
    assert_eq!(seen.matches("role='participant'").count(), 2200);
    let own = seen.find("code='110'").unwrap();
    assert!(seen[own..].find("role='participant'").is_none(), "itself comes last");
    // Somebody who is only one more is heard, and is no flood.
    let mut bob = world.available("bob@localhost/b").await;
    enter(&mut bob, "second").await;
    say(&mut bob, "hello");
    bob.settled().await;
    let seen = alice.until("<body>hello</body>").await;
    assert!(!seen.contains("<presence"), "{seen}");
}

/// Whoever cannot take what a room has to show is not in it, and knows; its stream goes on.
#[tokio::test]
async fn who_does_not_read_what_a_room_shows_has_not_entered() {
    let world = world().await;
    crowded(&world, 3800).await;
    let mut alice = world.available("alice@localhost/a").await;
    alice.reads = false;
    alice.send(&format!("<presence to='{ROOM}/first'><x xmlns='http://jabber.org/protocol/muc'/></presence>"));
    alice.settled().await;
    let occupants = || async {
        let shown = world.server.rooms.ask(&Jid::parse(ROOM).unwrap(), Question::Show).await;
        let Ok(Answer::Shown(shown)) = shown else { panic!("a room") };
        shown.occupants.len()
    };
    while occupants().await > 3800 {
        alice.turn().await;
    }
    alice.reads = true;
    let seen = alice.until("code='333'").await;
    assert!(seen.contains("type='unavailable'"));
    assert!(!alice.session.is_closing());
}
