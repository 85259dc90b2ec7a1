//! A login storm: a group of contacts comes online at once, goes and comes again, while the disk stands still.
#![allow(clippy::unwrap_used)]

mod world;

use metronome_model::{Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;
use world::{Client, World};

const PEOPLE: usize = 12;

fn name(number: usize) -> String {
    format!("friend{number}")
}

/// Everybody has everybody else in the roster, both ways.
async fn befriend_all(world: &World) {
    for number in 0..PEOPLE {
        world.add(&name(number)).await;
    }
    for number in 0..PEOPLE {
        let owner = world.id(&name(number)).await;
        let mut record = Record::default();
        for (version, other) in (0..PEOPLE).filter(|other| *other != number).enumerate() {
            let jid = Jid::parse(&format!("{}@localhost", name(other))).unwrap();
            let subscription = Subscription { to: true, from: true, ..Subscription::NONE };
            let version = version as u64 + 1;
            let contact = Contact { listed: Listed::Yes, subscription, version, ..Contact::unknown(jid) };
            record.push(Op::SetContact { owner, contact: Box::new(contact) });
        }
        assert!(world.server.commit(record).await.is_done());
    }
}

/// Waits until a client has been shown `pattern` of everybody else.
async fn sees_all(client: &mut Client, me: usize, pattern: impl Fn(&str) -> String) {
    let wanted: Vec<String> = (0..PEOPLE).filter(|other| *other != me).map(|other| pattern(&name(other))).collect();
    client.wait(|client| wanted.iter().all(|wanted| client.text.contains(wanted))).await;
    client.text.clear();
}

#[tokio::test]
async fn a_login_storm_needs_no_commit_and_no_disk_that_writes() {
    let world = World::new().await;
    befriend_all(&world).await;
    let commits = world.faults.commits();
    world.faults.stall();
    let mut clients = Vec::new();
    for number in 0..PEOPLE {
        clients.push(world.connect(&format!("{}@localhost/x", name(number))).await);
    }
    // Once with rosters that nobody has read yet, once with those in memory.
    for _ in 0..2 {
        for client in &mut clients {
            client.send("<presence/>");
            client.turn().await;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            sees_all(client, number, |other| format!("<presence from='{other}@localhost/x' to=")).await;
        }
        let mut goodbyes = 0;
        for client in &mut clients {
            client.send("<presence type='unavailable'/>");
            goodbyes += client.settled().await.matches("type='unavailable'").count();
        }
        assert_eq!(goodbyes, (0..PEOPLE).sum::<usize>(), "whoever is still there sees the others go");
        for client in &mut clients {
            client.so_far().await;
        }
    }
    assert_eq!(world.faults.commits(), commits, "presence is nothing that is stored");
    world.faults.release();
}
