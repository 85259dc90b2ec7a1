//! Everything at once: each session is a task of its own on several threads. What happens meanwhile nobody can foretell; what is
//! there in the end must fit together.

use std::collections::BTreeMap;

use fastrand::Rng;

use crate::model::{PEOPLE, Verb, bare};
use crate::view::{Cache, View};
use crate::world::{Client, World};

const STEPS: usize = 60;

/// A session after its task has ended.
struct Attendee {
    client: Client,
    view: View,
    person: usize,
    /// The last status that it has told everybody.
    status: String,
}

/// Two sessions of each person change rosters, subscriptions and presence, all at the same time.
pub async fn meet(seed: u64) {
    let world = World::new().await;
    world.add("dave").await;
    let mut tasks = Vec::new();
    for person in 0..PEOPLE.len() {
        for resource in 0..2 {
            let client = world.connect(&format!("{}/{resource}", bare(person))).await;
            let rng = Rng::with_seed(seed * 100 + (person * 2 + resource) as u64);
            tasks.push(tokio::spawn(attend(client, person, rng)));
        }
    }
    let mut attendees = Vec::new();
    for task in tasks {
        attendees.push(task.await.unwrap());
    }
    for attendee in &mut attendees {
        let text = attendee.client.so_far().await;
        attendee.view.read(&text);
    }
    judge(seed, &world, &mut attendees).await;
}

async fn attend(mut client: Client, person: usize, mut rng: Rng) -> Attendee {
    let mut view = View::new(Cache::default());
    let mut status = String::new();
    client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster' ver=''/></iq>");
    for step in 0..STEPS {
        let other = bare((person + rng.usize(1..PEOPLE.len())) % PEOPLE.len());
        let item = |attributes: &str| {
            format!(
                "<iq type='set' id='may-fail'><query xmlns='jabber:iq:roster'><item jid='{other}' {attributes}/></query></iq>"
            )
        };
        let xml = match rng.u32(0..20) {
            0..4 => {
                status = format!("{}-{step}", client.session.jid);
                format!("<presence><status>{status}</status></presence>")
            }
            4..7 => item(&format!("name='{step}'")),
            7 => item("subscription='remove'"),
            8..18 => format!("<presence type='{}' to='{other}'/>", rng.choice(Verb::ALL).unwrap().name()),
            _ => {
                client.turn().await;
                continue;
            }
        };
        client.send_waiting(&xml).await;
    }
    if status.is_empty() {
        status = "last".to_owned();
        client.send_waiting("<presence><status>last</status></presence>").await;
    }
    let text = client.settled().await;
    view.read(&text);
    Attendee { client, view, person, status }
}

async fn judge(seed: u64, world: &World, attendees: &mut [Attendee]) {
    let mut rosters = Vec::new();
    for person in 0..PEOPLE.len() {
        let mut client = world.connect(&format!("{}/last", bare(person))).await;
        client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster' ver=''/></iq>");
        let mut view = View::new(Cache::default());
        view.read(&client.settled().await);
        rosters.push(view.roster);
        client.lose();
    }
    let shown = |person: usize, other: usize| rosters[person].items.get(&bare(other)).cloned().unwrap_or_default();
    let sees = |line: &str| line.starts_with("to ") || line.starts_with("both ");
    let is_seen = |line: &str| line.starts_with("from ") || line.starts_with("both ");
    for person in 0..PEOPLE.len() {
        for other in 0..PEOPLE.len() {
            let (mine, theirs) = (shown(person, other), shown(other, person));
            assert_eq!(sees(&mine), is_seen(&theirs), "seed {seed}: {mine} {theirs}");
        }
    }
    let there: Vec<(usize, String, String)> = attendees
        .iter()
        .map(|attendee| (attendee.person, attendee.client.session.jid.to_string(), attendee.status.clone()))
        .collect();
    for attendee in &*attendees {
        let jid = &attendee.client.session.jid;
        // The version may have moved on by changes that no client sees.
        let roster = &rosters[attendee.person].items;
        assert_eq!(&attendee.view.roster.items, roster, "seed {seed}: the roster of {jid} (left)");
        let expected: BTreeMap<String, String> = there
            .iter()
            .filter(|(person, ..)| *person == attendee.person || sees(&shown(attendee.person, *person)))
            .map(|(_, jid, status)| (jid.clone(), status.clone()))
            .collect();
        assert_eq!(attendee.view.sees, expected, "seed {seed}: who is seen by {jid} (left)");
        assert_eq!(attendee.view.surprises, [""; 0], "seed {seed}: {jid}");
    }
    requests(seed, world, &rosters).await;
}

/// Whoever has asked and has no answer is heard of by a session that becomes available, and nobody else is.
async fn requests(seed: u64, world: &World, rosters: &[Cache]) {
    for person in 0..PEOPLE.len() {
        let mut client = world.connect(&format!("{}/asked", bare(person))).await;
        client.send("<presence/>");
        let mut view = View::new(Cache::default());
        view.read(&client.settled().await);
        view.told.sort();
        let asking = |other: &usize| {
            rosters[*other].items.get(&bare(person)).is_some_and(|line| line.split(' ').nth(1) == Some("ask"))
        };
        let mut expected: Vec<_> =
            (0..PEOPLE.len()).filter(asking).map(|other| format!("subscribe {}", bare(other))).collect();
        expected.sort();
        assert_eq!(view.told, expected, "seed {seed}: who has asked {}", bare(person));
    }
}
