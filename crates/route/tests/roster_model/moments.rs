//! Each pair of what bob and alice may do, where bob's has come a little further each time when alice's is done as a whole: what
//! both have been shown in the end must be what one of the two orders leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::model::{Entry, Model, Verb, bare};
use crate::view::{Cache, View};
use crate::world::{Client, World};

/// How long alice's act may take while bob's stands still; longer than it takes where the two do not meet.
pub const PATIENCE: Duration = Duration::from_millis(30);

const ALICE: usize = 0;
const BOB: usize = 1;

/// What one session does, on the wire and in the model.
type Act = (&'static str, fn(&mut Model));

/// The sessions: bob's first is the one that is slow, alice's first is the one that acts; the others are there and look on.
/// Without the last one nothing of bob is in memory before.
const SESSIONS: [(&str, usize); 4] = [
    ("bob@localhost/slow", BOB),
    ("alice@localhost/a", ALICE),
    ("alice@localhost/b", ALICE),
    ("bob@localhost/other", BOB),
];

/// How the two stand to each other before: who says what.
const BEFORE: [&[(usize, Verb)]; 5] = [
    &[],
    &[(ALICE, Verb::Subscribe)],
    &[(ALICE, Verb::Subscribe), (BOB, Verb::Subscribed)],
    &[(BOB, Verb::Subscribe), (ALICE, Verb::Subscribed)],
    &[(ALICE, Verb::Subscribe), (BOB, Verb::Subscribed), (BOB, Verb::Subscribe), (ALICE, Verb::Subscribed)],
];

const BOBS: [Act; 4] = [
    ("<presence><status>slow</status></presence>", |model| model.available("bob@localhost/slow", "slow")),
    ("<iq type='get' id='r'><query xmlns='jabber:iq:roster' ver=''/></iq>", |_| ()),
    ("<presence type='unsubscribe' to='alice@localhost'/>", |model| model.say(BOB, Verb::Unsubscribe, ALICE)),
    ("<presence type='unsubscribed' to='alice@localhost'/>", |model| model.say(BOB, Verb::Unsubscribed, ALICE)),
];

const ALICES: [Act; 9] = [
    ("<presence type='subscribe' to='bob@localhost'/>", |model| model.say(ALICE, Verb::Subscribe, BOB)),
    ("<presence type='subscribed' to='bob@localhost'/>", |model| model.say(ALICE, Verb::Subscribed, BOB)),
    ("<presence type='unsubscribe' to='bob@localhost'/>", |model| model.say(ALICE, Verb::Unsubscribe, BOB)),
    ("<presence type='unsubscribed' to='bob@localhost'/>", |model| model.say(ALICE, Verb::Unsubscribed, BOB)),
    (
        "<iq type='set' id='may-fail'><query xmlns='jabber:iq:roster'><item jid='bob@localhost' subscription='remove'/></query></iq>",
        |model| _ = model.remove(ALICE, BOB),
    ),
    ("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='bob@localhost'/></query></iq>", |model| {
        model.set(ALICE, BOB, Entry::default());
    }),
    ("<presence><status>new</status></presence>", |model| model.available("alice@localhost/a", "new")),
    ("<presence type='unavailable'/>", |model| model.unavailable("alice@localhost/a")),
    ("<presence to='bob@localhost/slow'><status>directed</status></presence>", |model| {
        model.directed("alice@localhost/a", "bob@localhost/slow", Some("directed"));
    }),
];

/// What somebody can see of a session: whom it sees, its roster, and what it was told, each once.
type Seen = (Vec<(String, String)>, Vec<(String, String)>, Vec<String>);

/// All pairs of acts, from all the states, with bob's act this many turns ahead.
pub async fn each_pair(folder: &Path, turns: usize) {
    for (state, history) in BEFORE.iter().enumerate() {
        for (bobs, bob_does) in BOBS.iter().enumerate() {
            for (alices, alice_does) in ALICES.iter().enumerate() {
                for count in [SESSIONS.len() - 1, SESSIONS.len()] {
                    let name = format!("{state}-{bobs}-{alices}-{turns}-{count}");
                    let pair =
                        Pair { history, bob: *bob_does, alice: *alice_does, turns, sessions: &SESSIONS[..count] };
                    pair.act(&folder.join(&name), &name).await;
                }
            }
        }
    }
}

struct Pair {
    history: &'static [(usize, Verb)],
    bob: Act,
    alice: Act,
    turns: usize,
    sessions: &'static [(&'static str, usize)],
}

impl Pair {
    async fn act(&self, file: &Path, name: &str) {
        let Pair { history, bob: bob_does, alice: alice_does, .. } = *self;
        let world = World::on_disk(file).await;
        let mut model = Model::default();
        let mut sessions: Vec<(Client, View)> = Vec::new();
        for &(jid, person) in self.sessions {
            model.connect(jid, person);
            let mut client = world.connect(jid).await;
            client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster' ver=''/></iq>");
            if jid != "bob@localhost/slow" {
                model.available(jid, "old");
                client.send("<presence><status>old</status></presence>");
            }
            client.settled().await;
            sessions.push((client, View::new(Cache::default())));
        }
        for (who, verb) in history {
            let (at, other) = if *who == BOB { (0, ALICE) } else { (1, BOB) };
            model.say(*who, *verb, other);
            sessions[at].0.send(&format!("<presence type='{}' to='{}'/>", verb.name(), bare(other)));
            sessions[at].0.settled().await;
        }
        // What came until now is known; the views begin with it.
        for (client, view) in &mut sessions {
            client.so_far().await;
            client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster' ver=''/></iq>");
            view.read(&client.settled().await);
            let session = model.sessions.get_mut(client.session.jid.as_str()).unwrap();
            session.told.clear();
            view.sees = session.sees.clone();
        }

        let alice = 1;
        sessions[0].0.send(bob_does.0);
        for _ in 0..self.turns {
            sessions[0].0.turn().await;
            // What it has asked the store comes meanwhile, as a rule.
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        sessions[alice].0.send(alice_does.0);
        // Where bob's task has the lock that alice's waits for, his must go on first.
        if let Ok(text) = tokio::time::timeout(PATIENCE, sessions[alice].0.settled()).await {
            sessions[alice].1.read(&text);
        }
        for (client, view) in &mut sessions {
            view.read(&client.settled().await);
        }
        for (client, view) in &mut sessions {
            view.read(&client.so_far().await);
        }
        if alice_does.0.contains("'unavailable'") {
            sessions[alice].1.sees.clear();
        }

        let actual: Vec<Seen> =
            sessions.iter().map(|(client, view)| seen_by(view, client.session.jid.as_str())).collect();
        let orders = [[bob_does.1, alice_does.1], [alice_does.1, bob_does.1]].map(|order| {
            let mut model = model.clone();
            order.into_iter().for_each(|act| act(&mut model));
            self.sessions.iter().map(|(jid, _)| expected(&model, jid)).collect::<Vec<_>>()
        });
        assert!(
            orders.contains(&actual),
            "{name}: bob {}\nalice {}\nbefore {history:?}\n\nseen:\n{}\neither order:\n{}\n{}",
            bob_does.0,
            alice_does.0,
            lines(&actual),
            lines(&orders[0]),
            lines(&orders[1]),
        );
    }
}

fn lines(seen: &[Seen]) -> String {
    seen.iter().zip(SESSIONS).map(|(seen, (jid, _))| format!("  {jid}: {seen:?}\n")).collect()
}

fn seen_by(view: &View, jid: &str) -> Seen {
    (pairs(&view.sees), pairs(&view.roster.items), told(&view.told, jid))
}

fn expected(model: &Model, jid: &str) -> Seen {
    let session = &model.sessions[jid];
    (pairs(&session.sees), pairs(&model.roster(session.person)), told(&session.told, jid))
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.clone().into_iter().collect()
}

/// Each stanza once. Answers to requests and their ends reach sessions that only have their roster too, which the model leaves open.
fn told(told: &[String], jid: &str) -> Vec<String> {
    let is_slow = jid == SESSIONS[0].0;
    let told: BTreeSet<String> =
        told.iter().filter(|told| !is_slow || told.starts_with("subscribe ")).cloned().collect();
    told.into_iter().collect()
}
