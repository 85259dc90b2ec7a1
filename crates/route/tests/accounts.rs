//! Changes of accounts where the disk fails, where somebody is in between, and where somebody has been shut out.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_features::accounts::removal;
use metronome_features::register::newcomer::{Answer, Channel, Newcomer};
use metronome_model::{AccountState, Contact, Listed, Op, Record, Unavailable};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stream;
use metronome_proto::subscription::Subscription;
use world::{Client, World};

const OPEN: (&str, &str) = ("registration.open", "true");
const ONE: (&str, &str) = ("registration.per_address", "\"1/d\"");

fn set(inside: &str) -> String {
    format!("<iq type='set' id='set'><query xmlns='jabber:iq:register'>{inside}</query></iq>")
}

fn change(username: &str) -> String {
    set(&format!("<username>{username}</username><password>Passw0rd</password>"))
}

async fn epoch(world: &World, name: &str) -> u32 {
    world.server.store.account("localhost", name).await.unwrap().unwrap().auth_epoch
}

fn is_closing(client: &Client) -> bool {
    client.session.is_closing()
}

fn contact(of: &str, subscription: Subscription, version: u64) -> Box<Contact> {
    let jid = Jid::parse(&format!("{of}@localhost")).unwrap();
    Box::new(Contact { subscription, listed: Listed::Yes, version, ..Contact::unknown(jid) })
}

/// Both see each other, by rows alone.
async fn befriend(world: &World, a: &str, b: &str) {
    let both = Subscription { to: true, from: true, ..Subscription::NONE };
    let mut record = Record::default();
    record.push(Op::SetContact { owner: world.id(a).await, contact: contact(b, both, 1) });
    record.push(Op::SetContact { owner: world.id(b).await, contact: contact(a, both, 1) });
    assert!(world.server.commit(record).await.is_done());
}

async fn subscription(world: &World, owner: &str, contact: &str) -> Option<&'static str> {
    let row = world.server.store.contact(world.id(owner).await, &format!("{contact}@localhost")).await.unwrap();
    row.map(|row| row.subscription.as_attr())
}

#[tokio::test]
async fn a_change_that_the_disk_refuses_is_none_and_no_secret_comes_back() {
    let world = World::new().await;
    befriend(&world, "alice", "bob").await;
    let mut phone = world.available("alice@localhost/phone").await;
    let desk = world.available("alice@localhost/desk").await;
    for request in [change("alice"), set("<remove/>")] {
        world.faults.fail_commits(1, Unavailable::DiskFull);
        phone.send(&request);
        let answer = phone.settled().await;
        assert!(answer.contains("<resource-constraint") && !answer.contains("Passw0rd"), "{answer}");
        assert!(!is_closing(&phone) && !is_closing(&desk));
    }
    assert_eq!(epoch(&world, "alice").await, 0);
    assert_eq!(subscription(&world, "bob", "alice").await, Some("both"));
}

#[tokio::test]
async fn the_answer_comes_before_the_end_and_only_then_do_others_end() {
    let world = World::new().await;
    let mut phone = world.connect("alice@localhost/phone").await;
    let desk = world.connect("alice@localhost/desk").await;
    phone.send(&change("alice"));
    let answer = phone.settled().await;
    assert!(answer.contains("type='result'"), "{answer}");
    assert!(!is_closing(&phone) && is_closing(&desk));
    phone.send(&set("<remove/>"));
    let answer = phone.settled().await;
    assert!(answer.contains("id='set' type='result'") && is_closing(&phone), "{answer}");
    assert!(world.server.store.account("localhost", "alice").await.unwrap().is_none());
}

#[tokio::test]
async fn a_request_on_its_way_does_not_undo_that_its_session_was_shut_out() {
    for request in [change("alice"), set("<remove/>")] {
        let world = World::new().await;
        let mut alice = world.connect("alice@localhost/phone").await;
        let id = world.id("alice").await;
        // An administrator is a moment faster.
        let locked = world.server.owners.lock(&[id]).await;
        alice.send(&request);
        alice.turn().await;
        let disabled = Record::of(Op::SetState { id, state: AccountState::Disabled });
        assert!(world.server.commit(disabled).await.is_done());
        alice.session.close(stream::error::Condition::NotAuthorized, None);
        drop(locked);
        alice.settled().await;
        assert_eq!(epoch(&world, "alice").await, 1, "nothing has changed since");
    }
}

#[tokio::test]
async fn who_becomes_a_contact_while_an_account_is_removed_is_told_too() {
    let world = World::new().await;
    befriend(&world, "alice", "bob").await;
    let (server, id) = (world.server.clone(), world.id("alice").await);
    let locked = server.owners.lock(&[id]).await;
    let removing = tokio::spawn({
        let server = server.clone();
        async move { removal::remove(&server, id, &Jid::parse("alice@localhost").unwrap()).await }
    });
    tokio::task::yield_now().await;
    befriend(&world, "alice", "carol").await;
    drop(locked);
    removing.await.unwrap().unwrap().make(&server).await.unwrap();
    for name in ["bob", "carol"] {
        assert_eq!(subscription(&world, name, "alice").await, Some("none"), "{name}");
    }
    assert_eq!(server.owners.count(), 0);
    assert!(removal::remove(&server, id, &Jid::parse("alice@localhost").unwrap()).await.is_err());
}

/// Asks for an account as somebody at this address.
async fn ask(world: &World, address: &str, name: &str) -> Result<Answer, Condition> {
    let mut reader = world.connect("alice@localhost/reader").await;
    let request = reader.read(&change(name));
    let host = world.server.hosts.load().get("localhost").unwrap().clone();
    let mut newcomer = Newcomer::new(address.parse().unwrap());
    newcomer.answer(&world.server, &host, Channel::Private, &request).await.map_err(|error| error.condition)
}

#[tokio::test]
async fn an_account_that_the_disk_refuses_does_not_count_for_its_address() {
    let world = World::with(&[OPEN, ONE, ("registration.total", "\"1/d\"")], metronome_features::ALL).await;
    world.faults.fail_commits(1, Unavailable::Disk);
    assert_eq!(ask(&world, "192.0.2.1", "bill").await.err(), Some(Condition::InternalServerError));
    assert!(matches!(ask(&world, "192.0.2.1", "bill").await, Ok(Answer::Made)));
    assert_eq!(ask(&world, "192.0.2.1", "will").await.err(), Some(Condition::NotAcceptable));
    assert_eq!(ask(&world, "192.0.2.2", "will").await.err(), Some(Condition::ResourceConstraint));
}

#[tokio::test]
async fn a_window_ends_and_a_household_of_ipv6_is_one_address() {
    let world = World::with(&[OPEN, ONE], metronome_features::ALL).await;
    assert!(ask(&world, "2001:db8:1:2::3", "bill").await.is_ok());
    assert_eq!(ask(&world, "2001:db8:1:2:ffff::4", "will").await.err(), Some(Condition::NotAcceptable));
    assert!(ask(&world, "2001:db8:1:3::3", "will").await.is_ok());
    world.server.clock.advance(24 * 60 * 60 * 1000);
    assert!(ask(&world, "2001:db8:1:2::3", "gill").await.is_ok());
}

#[tokio::test]
async fn a_flood_leaves_bounded_memory_behind() {
    let world = World::with(&[OPEN, ("registration.reserved", "[\"bill\"]")], metronome_features::ALL).await;
    // What is refused for itself is not even counted.
    for number in 0..1000 {
        let address = format!("2001:db8:{number:x}::1");
        assert_eq!(ask(&world, &address, "bill").await.err(), Some(Condition::NotAcceptable));
    }
    assert_eq!(world.server.throttles.names_tried.memory_usage(), 0);
    for number in 0..1000 {
        let address = format!("2001:db8:{number:x}::1");
        assert_eq!(ask(&world, &address, "alice").await.err(), Some(Condition::Conflict));
    }
    assert!(world.server.throttles.names_tried.memory_usage() < 200_000);
    assert_eq!(world.server.throttles.accounts_made.memory_usage(), 0, "nobody got that far");
    assert_eq!(world.server.store.list("localhost", None, 10).await.unwrap().len(), 3);
}
