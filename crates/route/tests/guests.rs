//! Guests as accounts: made when they bind, ended when their last session has gone, whoever else comes or goes at the same moment.
#![allow(clippy::unwrap_used)]

mod world;

use std::future::{Future, poll_fn};
use std::task::Poll;

use futures_util::future::join_all;
use metronome_features::accounts::guests::{arrive, end_left};
use metronome_model::{AccountId, Contact, Document, Drawer, Listed, Op, Record, Unavailable};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use metronome_proto::subscription::Subscription;
use world::{Client, World};

const NAME: &str = "guest-0123456789abcdef0123456789abcdef";

fn jid() -> Jid {
    Jid::parse(&format!("{NAME}@localhost")).unwrap()
}

/// The guest's account as the store has it.
async fn account(world: &World) -> Option<AccountId> {
    world.server.store.account("localhost", NAME).await.unwrap().map(|account| account.id)
}

/// A guest with a session, as `net` makes one.
async fn bind(world: &World, resource: &str) -> Client {
    let _arrived = arrive(&world.server, &jid()).await.unwrap();
    world.connect(&format!("{NAME}@localhost/{resource}")).await
}

/// Alice and the guest see each other, by rows alone.
async fn befriend(world: &World) {
    let both = Subscription { to: true, from: true, ..Subscription::NONE };
    let row = |jid: &str| {
        let unknown = Contact::unknown(Jid::parse(jid).unwrap());
        Box::new(Contact { subscription: both, listed: Listed::Yes, version: 1, ..unknown })
    };
    let mut record = Record::default();
    let (alice, guest) = (world.id("alice").await, account(world).await.unwrap());
    record.push(Op::SetContact { owner: alice, contact: row(jid().as_str()) });
    record.push(Op::SetContact { owner: guest, contact: row("alice@localhost") });
    assert!(world.server.commit(record).await.is_done());
}

async fn alices_side(world: &World) -> Option<&'static str> {
    let row = world.server.store.contact(world.id("alice").await, jid().as_str()).await.unwrap();
    row.map(|row| row.subscription.as_attr())
}

#[tokio::test]
async fn all_who_come_from_one_address_at_once_are_one_account() {
    let world = World::new().await;
    let arrivals = join_all((0..20).map(|_| async { arrive(&world.server, &jid()).await.unwrap().account })).await;
    assert!(arrivals[0].is_guest() && arrivals.iter().all(|account| *account == arrivals[0]));
    assert_eq!(account(&world).await, Some(arrivals[0]));
}

#[tokio::test]
async fn who_never_binds_leaves_nothing() {
    let world = World::new().await;
    drop(arrive(&world.server, &jid()).await.unwrap());
    end_left(&world.server).await;
    assert_eq!(account(&world).await, None);
    // The client gives up while its account is being made.
    let jid = jid();
    let mut arrives = Box::pin(arrive(&world.server, &jid));
    let is_done = poll_fn(|cx| Poll::Ready(arrives.as_mut().poll(cx).is_ready())).await;
    assert!(!is_done, "it waits for the store");
    drop(arrives);
    tokio::task::yield_now().await;
    drop(world.server.guests.lock(&jid).await);
    assert!(account(&world).await.is_some(), "it was made all the same");
    end_left(&world.server).await;
    assert_eq!(account(&world).await, None);
    assert_eq!(world.server.owners.count(), 0);
}

#[tokio::test]
async fn a_guest_ends_with_its_last_session_and_not_before() {
    let world = World::new().await;
    let (phone, desk) = (bind(&world, "phone").await, bind(&world, "desk").await);
    let first = account(&world).await.unwrap();
    phone.lose();
    end_left(&world.server).await;
    assert_eq!(account(&world).await, Some(first));
    desk.lose();
    end_left(&world.server).await;
    assert_eq!(account(&world).await, None);
    let _next = bind(&world, "phone").await;
    assert!(account(&world).await.is_some_and(|next| next != first), "the same address, and somebody else");
}

#[tokio::test]
async fn who_comes_while_the_guest_of_its_address_ends_has_an_account() {
    let world = World::new().await;
    for round in 0..100 {
        bind(&world, "phone").await.lose();
        let comes = async {
            for _ in 0..round % 10 {
                tokio::task::yield_now().await;
            }
            bind(&world, "desk").await
        };
        let (came, ()) = tokio::join!(comes, end_left(&world.server));
        assert_eq!(account(&world).await, Some(came.session.account), "round {round}");
        assert_eq!(world.server.sessions.online(jid().as_str()), Some(came.session.account));
        came.lose();
        end_left(&world.server).await;
        assert_eq!(account(&world).await, None);
    }
}

#[tokio::test]
async fn an_end_that_the_disk_refuses_is_tried_again() {
    let world = World::new().await;
    let guest = bind(&world, "phone").await;
    befriend(&world).await;
    guest.lose();
    world.faults.fail_commits(1, Unavailable::DiskFull);
    end_left(&world.server).await;
    assert_eq!((account(&world).await.is_some(), alices_side(&world).await), (true, Some("both")));
    end_left(&world.server).await;
    assert_eq!((account(&world).await, alices_side(&world).await), (None, Some("none")));
}

#[tokio::test]
async fn what_a_crash_has_left_in_others_rosters_ends_when_the_next_guest_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::on_disk(&folder.path().join("store.sqlite")).await;
    let _guest = bind(&world, "phone").await;
    befriend(&world).await;
    world.restart().await;
    assert_eq!((account(&world).await, alices_side(&world).await), (None, Some("both")));
    let _next = bind(&world, "phone").await;
    assert_eq!(alices_side(&world).await, Some("none"));
    assert!(world.server.store.roster(account(&world).await.unwrap()).await.unwrap().1.is_empty());
}

#[tokio::test]
async fn nobody_becomes_the_account_of_somebody_else_by_a_name_like_its_own() {
    let world = World::new().await;
    world.add(NAME).await;
    let refused = arrive(&world.server, &jid()).await.unwrap_err();
    assert_eq!(refused.condition, Condition::NotAllowed);
}

#[tokio::test]
async fn who_writes_to_a_guest_that_has_gone_hears_so_before_its_account_ends() {
    let world = World::new().await;
    bind(&world, "phone").await.lose();
    let mut alice = world.connect("alice@localhost/phone").await;
    alice.send(&format!("<message to='{}' type='chat' id='m1'><body>hello</body></message>", jid()));
    let answer = alice.settled().await;
    assert!(account(&world).await.is_some() && answer.contains("<service-unavailable"), "{answer}");
}

#[tokio::test]
async fn what_a_guest_has_not_seen_is_kept_even_where_nothing_else_is() {
    let world = World::with(&[("storage.messages", "\"volatile\"")], metronome_features::ALL).await;
    let mut guest = bind(&world, "phone").await;
    let mut alice = world.connect("alice@localhost/phone").await;
    alice.send(&format!("<message to='{}' type='chat' id='m1'><body>hello</body></message>", jid()));
    assert_eq!(alice.settled().await, "");
    guest.send("<presence/>");
    assert!(guest.until("</message>").await.contains("hello"));
}

#[tokio::test]
async fn many_guests_that_come_and_go_leave_nothing() {
    let world = World::new().await;
    let facts = world.server.facts.memory_usage();
    let xml: Box<[u8]> = vec![b'x'; 1 << 20].into();
    // Three times what all guests together may have.
    for round in 0..200 {
        let guest = bind(&world, "phone").await;
        let owner = guest.session.account;
        let document = Document { drawer: Drawer::Private, ns: "urn:x".into(), name: "x".into(), xml: xml.clone() };
        let outcome = world.server.commit(Record::of(Op::SetDocument { owner, document: Box::new(document) })).await;
        assert!(outcome.is_done(), "round {round}: {outcome:?}");
        guest.lose();
        end_left(&world.server).await;
        assert!(world.server.store.account_by_id(owner).await.unwrap().is_none());
    }
    assert_eq!(world.server.owners.count(), 0);
    assert_eq!(world.server.sessions.count(), 0);
    assert_eq!(world.server.facts.memory_usage(), facts);
    assert!(world.server.guests.take_left().is_empty());
    world.tick().await;
    world.tick().await;
    assert_eq!(world.server.departures.lock().waiting(), 0);
}
