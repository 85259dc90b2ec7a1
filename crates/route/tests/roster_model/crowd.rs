//! Everything at once: each session is a task of its own on several threads. What happens meanwhile nobody can foretell; what is
//! there in the end must fit together.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;

use crate::model::{PEOPLE, Verb, bare};
use crate::view::{Cache, View};
use crate::world::{Client, World};

const STEPS: usize = 60;

/// A few of these are more than may wait for a session.
const LARGE: usize = 150_000;

/// What goes on besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Calm,
    /// Sessions stop reading for a while, and are sent more than there is room for.
    Flood,
}

/// A session after its task has ended.
struct Attendee {
    client: Client,
    view: View,
    person: usize,
    /// The last status that it has told everybody.
    status: String,
}

/// Two sessions of each person change rosters, subscriptions and presence, are lost and come back, all at the same time. Some
/// have gone in the end.
pub async fn meet(seed: u64, weather: Weather) {
    let world = Arc::new(World::new().await);
    world.add("dave").await;
    let mut tasks = Vec::new();
    for person in 0..PEOPLE.len() {
        for resource in 0..2 {
            let rng = Rng::with_seed(seed * 100 + (person * 2 + resource) as u64);
            tasks.push(tokio::spawn(attend(world.clone(), person, resource, rng, weather)));
        }
    }
    let mut attendees = Vec::new();
    for task in tasks {
        attendees.extend(task.await.unwrap());
    }
    // What those who are lost had on its way is done as well.
    world.all_permits().await;
    for attendee in &mut attendees {
        let text = attendee.client.so_far().await;
        attendee.view.read(&text);
    }
    judge(seed, &world, &mut attendees).await;
}

/// A new session that asks what has changed in the roster since the last one.
async fn come(world: &World, person: usize, resource: usize, cache: Cache) -> Attendee {
    let mut client = world.connect(&format!("{}/{resource}", bare(person))).await;
    client.send(&format!("<iq type='get' id='roster'><query xmlns='jabber:iq:roster' ver='{}'/></iq>", cache.ver));
    Attendee { client, view: View::new(cache), person, status: String::new() }
}

async fn attend(world: Arc<World>, person: usize, resource: usize, mut rng: Rng, weather: Weather) -> Option<Attendee> {
    let mut me = come(&world, person, resource, Cache::default()).await;
    for step in 0..STEPS {
        let other = bare((person + rng.usize(1..PEOPLE.len())) % PEOPLE.len());
        let item = |attributes: &str| {
            let item = format!("<item jid='{other}' {attributes}/>");
            format!("<iq type='set' id='may-fail'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        };
        let flood = rng.u8(0..4);
        if weather == Weather::Flood && flood == 0 {
            me.client.reads = !me.client.reads;
        }
        if weather == Weather::Flood && flood == 1 {
            let body = "x".repeat(LARGE);
            let flood = format!("<message type='headline' to='{other}'><body>{body}</body></message>");
            me.client.reads |= !me.client.list.has_room();
            me.client.send_waiting(&flood).await;
        }
        let xml = match rng.u32(0..40) {
            0..8 => {
                me.status = format!("{}-{step}", me.client.session.jid);
                format!("<presence><status>{}</status></presence>", me.status)
            }
            8..14 => item(&format!("name='{step}'")),
            14..16 => item("subscription='remove'"),
            16..36 => format!("<presence type='{}' to='{other}'/>", rng.choice(Verb::ALL).unwrap().name()),
            36 => {
                // What was read until now is kept; what is under way to it is lost.
                me.client.turn().await;
                me.view.read(&std::mem::take(&mut me.client.text));
                me.client.lose();
                me = come(&world, person, resource, me.view.roster).await;
                continue;
            }
            _ => {
                me.client.turn().await;
                continue;
            }
        };
        // Requests wait for a client that does not read.
        me.client.reads |= !me.client.list.has_room();
        me.client.send_waiting(&xml).await;
    }
    me.client.reads = true;
    if rng.u8(0..5) == 0 {
        me.client.lose();
        return None;
    }
    if me.status.is_empty() {
        me.status = "last".to_owned();
        me.client.send_waiting("<presence><status>last</status></presence>").await;
    }
    let text = me.client.settled().await;
    me.view.read(&text);
    Some(me)
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

/// More strangers than anybody answers ask one person: a bounded number of them is kept, and none of them can tell.
pub async fn ask() {
    use metronome_features::roster::exchange::REQUESTS_MAX;
    let world = World::new().await;
    for number in 0..REQUESTS_MAX + 20 {
        world.add(&format!("stranger{number}")).await;
        let mut stranger = world.connect(&format!("stranger{number}@localhost/s")).await;
        stranger.send("<presence type='subscribe' to='bob@localhost'/>");
        assert_eq!(stranger.settled().await, "", "whether it is kept or not");
        stranger.lose();
    }
    let mut bob = world.connect("bob@localhost/b").await;
    bob.send("<presence/>");
    let mut view = View::new(Cache::default());
    view.read(&bob.settled().await);
    assert_eq!(view.told.len() as u64, REQUESTS_MAX);
    // Each that is answered makes room for another.
    bob.send("<presence type='unsubscribed' to='stranger0@localhost'/>");
    bob.settled().await;
    let mut alice = world.connect("alice@localhost/a").await;
    alice.send("<presence type='subscribe' to='bob@localhost'/>");
    alice.settled().await;
    assert!(bob.so_far().await.contains("from='alice@localhost'"));
}
