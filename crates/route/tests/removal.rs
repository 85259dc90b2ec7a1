//! The end of an account as its neighbours' rosters see it: whose locks it takes, and that nothing is left for its successor.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;

use metronome_features::accounts::removal;
use metronome_host::hosts::{Host, Known, Standing};
use metronome_host::server::Server;
use metronome_model::{Account, AccountId, AccountState, Contact, HostOrigin, Listed, Op, Record, Role};
use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;
use world::World;

const ALICE: &str = "alice@localhost";
const NONE: Subscription = Subscription::NONE;
const BOTH: Subscription = Subscription { to: true, from: true, ..NONE };
const APPROVED: Subscription = Subscription { approved: true, ..NONE };

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

async fn commit(world: &World, ops: impl IntoIterator<Item = Op>) {
    let outcome = world.server.commit(Record { ops: ops.into_iter().collect(), handled: None }).await;
    assert!(outcome.is_done(), "{outcome:?}");
}

fn row(owner: AccountId, about: &str, subscription: Subscription, listed: Listed) -> Op {
    Op::SetContact {
        owner,
        contact: Box::new(Contact { subscription, listed, version: 1, ..Contact::unknown(jid(about)) }),
    }
}

/// What an account's row about alice says: whether it is listed, its subscription, and the version of the roster.
async fn about_alice(world: &World, owner: AccountId) -> (Option<(Listed, Subscription)>, u64) {
    let (version, rows) = world.server.store.roster(owner).await.unwrap();
    let row = rows.iter().find(|row| row.jid.as_str() == ALICE);
    (row.map(|row| (row.listed, row.subscription)), version.current)
}

/// An account of another domain than the first.
async fn add_at(world: &World, domain: &str, name: &str) -> AccountId {
    let id = AccountId::ordinary(world.server.rng.bytes16());
    let (host, name, role, state) = (domain.into(), name.into(), Role::User, AccountState::Active);
    let account = Box::new(Account { id, host, name, role, state, auth_epoch: 0, created_ms: 0 });
    commit(world, [Op::AddAccount { account, keys: Vec::new() }]).await;
    id
}

fn set_standing(server: &Server, domain: &str, standing: Standing) {
    let hosts = server.hosts.load();
    let host: Arc<Host> = hosts.known(domain).unwrap().host.clone();
    server.hosts.store(Arc::new(hosts.with(Known { host, origin: HostOrigin::Configuration, standing })));
}

async fn remove_alice(world: &World) {
    let id = world.id("alice").await;
    removal::remove(&world.server, id, &jid(ALICE)).await.unwrap().make(&world.server).await.unwrap();
    assert_eq!(world.server.owners.count(), 0);
}

#[tokio::test]
async fn who_is_only_listed_is_neither_locked_nor_changed() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.id("alice").await, world.id("bob").await, world.id("carol").await);
    let mut listed = vec![bob];
    for n in 0..500 {
        listed.push(add_at(&world, "localhost", &format!("user{n}")).await);
    }
    let names = (0..500).map(|n| format!("user{n}@localhost")).chain(["bob@localhost".into()]);
    commit(&world, names.map(|name| row(alice, &name, NONE, Listed::Yes))).await;
    // Bob lists her too; only carol has anything with her.
    let rows = [row(bob, ALICE, NONE, Listed::Yes), row(alice, "carol@localhost", BOTH, Listed::Yes)];
    commit(&world, rows.into_iter().chain([row(carol, ALICE, BOTH, Listed::Yes)])).await;
    // Every one of them is busy, and the removal does not wait for any.
    let busy = world.server.owners.lock(&listed).await;
    let change = removal::remove(&world.server, alice, &jid(ALICE)).await.unwrap();
    assert_eq!(world.server.owners.count(), listed.len() + 2, "alice and carol besides");
    drop(busy);
    assert_eq!(world.server.owners.count(), 2);
    // While it stands, one of them goes on with his roster.
    let mut client = world.connect("bob@localhost/phone").await;
    let item = "<item jid='dave@localhost' name='Dave'/>";
    client.send(&format!("<iq type='set' id='set'><query xmlns='jabber:iq:roster'>{item}</query></iq>"));
    client.until("id='set' type='result'").await;
    change.make(&world.server).await.unwrap();
    assert_eq!(about_alice(&world, bob).await, (Some((Listed::Yes, NONE)), 2));
    assert_eq!(about_alice(&world, carol).await, (Some((Listed::Yes, NONE)), 2));
}

#[tokio::test]
async fn every_half_ends_whatever_the_removed_ones_own_roster_says() {
    let world = World::new().await;
    let alice = world.id("alice").await;
    let states = (0..32).map(Subscription::from_bits).enumerate().filter(|(bits, it)| it.to_bits() as usize == *bits);
    let mut owners = Vec::new();
    for (n, subscription) in states.filter(|(_, subscription)| *subscription != NONE) {
        for listed in [Listed::Yes, Listed::No] {
            let owner = add_at(&world, "localhost", &format!("user{n}-{listed:?}").to_lowercase()).await;
            commit(&world, [row(owner, ALICE, subscription, listed)]).await;
            owners.push((owner, listed));
        }
    }
    assert_eq!(owners.len(), 22);
    assert_eq!(world.server.store.roster(alice).await.unwrap().1, []);
    remove_alice(&world).await;
    for (owner, listed) in owners {
        let left = (listed == Listed::Yes).then_some((Listed::Yes, NONE));
        assert_eq!(about_alice(&world, owner).await, (left, 2));
    }
}

#[tokio::test]
async fn an_approval_in_advance_ends_with_a_push_and_lets_no_successor_in() {
    let world = World::new().await;
    let mut bob = world.connect("bob@localhost/phone").await;
    bob.send("<iq type='get' id='get'><query xmlns='jabber:iq:roster'/></iq>");
    bob.send("<presence/>");
    bob.send(&format!("<presence type='subscribed' to='{ALICE}'/>"));
    bob.until("approved='true'").await;
    assert_eq!(about_alice(&world, world.id("bob").await).await.0, Some((Listed::Yes, APPROVED)));
    bob.settled().await;
    remove_alice(&world).await;
    let told = bob.so_far().await;
    assert!(told.contains(&format!("<item jid='{ALICE}' subscription='none'/>")), "{told}");
    assert!(!told.contains("<presence"), "nothing was between the two: {told}");
    world.add("alice").await;
    let mut successor = world.available("alice@localhost/x").await;
    successor.send("<presence type='subscribe' to='bob@localhost'/>");
    assert!(!successor.settled().await.contains("subscribed"), "bob decides anew");
    bob.until("type='subscribe'").await;
    let row = about_alice(&world, world.id("bob").await).await.0;
    assert_eq!(row, Some((Listed::Yes, Subscription { pending_in: true, ..NONE })));
}

#[tokio::test]
async fn a_contact_of_a_domain_that_is_switched_off_loses_its_half() {
    for standing in [Standing::Disabled, Standing::NoCertificate] {
        let world = World::new().await;
        let alice = world.id("alice").await;
        let dave = add_at(&world, "other.example", "dave").await;
        commit(&world, [row(alice, "dave@other.example", BOTH, Listed::Yes), row(dave, ALICE, BOTH, Listed::Yes)])
            .await;
        set_standing(&world.server, "other.example", standing);
        remove_alice(&world).await;
        set_standing(&world.server, "other.example", Standing::Served);
        assert_eq!(about_alice(&world, dave).await, (Some((Listed::Yes, NONE)), 2));
    }
}

#[tokio::test]
async fn a_removal_waits_for_whom_it_concerns_and_reads_again() {
    let world = World::new().await;
    let (alice, bob) = (world.id("alice").await, world.id("bob").await);
    commit(&world, [row(bob, ALICE, APPROVED, Listed::Yes)]).await;
    let busy = world.server.owners.lock(&[bob]).await;
    let server = world.server.clone();
    let removing = tokio::spawn(async move { removal::remove(&server, alice, &jid(ALICE)).await });
    tokio::task::yield_now().await;
    assert!(!removing.is_finished());
    // Bob has changed his mind meanwhile: the version is counted on from what he did.
    commit(&world, [row(bob, ALICE, NONE, Listed::No), row(bob, "carol@localhost", NONE, Listed::Yes)]).await;
    commit(&world, [row(bob, ALICE, Subscription { to: true, ..NONE }, Listed::Yes)]).await;
    drop(busy);
    removing.await.unwrap().unwrap().make(&world.server).await.unwrap();
    assert_eq!(about_alice(&world, bob).await, (Some((Listed::Yes, NONE)), 2));
}
