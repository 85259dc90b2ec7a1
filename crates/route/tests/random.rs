//! Random sequences from a seed: people write, come, go and stop reading while the disk fails and stalls. Whatever
//! happens, a message is either refused or kept, never both, and every session gets what it gets once and in order.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use metronome_model::{Direction, Unavailable};
use world::{Client, World, bodies, ids};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];
const SEEDS: u64 = 300;
const STEPS: usize = 150;

/// What one session was given, kept after its end.
struct Ended {
    jid: String,
    text: String,
    /// What was under way to it when its connection was lost.
    unread: String,
}

struct Run {
    world: World,
    rng: Rng,
    clients: Vec<Client>,
    ended: Vec<Ended>,
    /// Bodies in the order they were sent, by sending session and recipient.
    sent: HashMap<(u64, &'static str), Vec<String>>,
    count: usize,
    stalled: bool,
    /// Full addresses that were written to. Their sessions stay available and get no successors: what is for the address
    /// of a quiet session comes early.
    named: HashSet<String>,
}

impl Run {
    async fn new(seed: u64) -> Run {
        let world = World::new().await;
        let (rng, clients) = (Rng::with_seed(seed), Vec::new());
        Run {
            world,
            rng,
            clients,
            ended: Vec::new(),
            sent: HashMap::new(),
            count: 0,
            stalled: false,
            named: HashSet::new(),
        }
    }

    async fn step(&mut self) {
        match self.rng.u32(0..100) {
            0..10 => self.connect().await,
            10..60 => self.write(),
            60..68 => self.presence(),
            68..72 => self.lose().await,
            72..78 => self.stop_or_go_on_reading(),
            78..82 => self.disk(),
            82..86 => self.pong(),
            86..90 if !self.stalled => self.world.tick().await,
            _ => self.turns().await,
        }
    }

    async fn turns(&mut self) {
        for client in &mut self.clients {
            client.turn().await;
        }
    }

    fn any(&mut self) -> Option<usize> {
        (!self.clients.is_empty()).then(|| self.rng.usize(..self.clients.len()))
    }

    /// Binding needs the account, which is read even while the disk stands still.
    async fn connect(&mut self) {
        let name = self.rng.choice(PEOPLE).unwrap();
        let jid = format!("{name}@localhost/{}", self.rng.u8(0..9));
        let is_new = !self.named.contains(&jid);
        if is_new && self.clients.len() < 8 && self.clients.iter().all(|client| client.session.jid.as_str() != jid) {
            self.clients.push(self.world.connect(&jid).await);
        }
    }

    fn write(&mut self) {
        let Some(at) = self.any() else { return };
        if !self.clients[at].list.has_room() {
            return;
        }
        let to = self.rng.choice(PEOPLE).unwrap();
        let from = self.clients[at].session.serial;
        let full = self.clients.iter().find(|client| {
            let is_there = client.list.is_empty() && client.session.priority().is_some_and(|priority| priority >= 0);
            client.session.jid.local() == Some(to) && is_there
        });
        let address = match full {
            Some(client) if self.rng.bool() => {
                self.named.insert(client.session.jid.to_string());
                client.session.jid.to_string()
            }
            _ => format!("{to}@localhost"),
        };
        self.count += 1;
        let body = format!("{}-{to}-{from}", self.count);
        let xml = match self.rng.u32(0..10) {
            0 => format!("<message to='{address}' type='headline' id='{body}'><body>{body}</body></message>"),
            1 => format!(
                "<message to='{address}' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>"
            ),
            2 => format!("<iq to='{address}' type='get' id='q{body}'><ping xmlns='urn:xmpp:ping'/></iq>"),
            _ => {
                self.sent.entry((from, to)).or_default().push(body.clone());
                format!("<message to='{address}' type='chat' id='{body}'><body>{body}</body></message>")
            }
        };
        self.clients[at].send(&xml);
    }

    fn presence(&mut self) {
        let Some(at) = self.any() else { return };
        if !self.clients[at].list.has_room() || self.named.contains(self.clients[at].session.jid.as_str()) {
            return;
        }
        let priority = self.rng.i8(-1..3);
        let xml = match self.rng.u32(0..6) {
            0 => "<presence type='unavailable'/>".to_owned(),
            _ => format!("<presence><priority>{priority}</priority></presence>"),
        };
        self.clients[at].send(&xml);
    }

    async fn lose(&mut self) {
        let Some(at) = self.any() else { return };
        // What was read is settled after the loss too, but here nobody polls it any more: only an idle one goes.
        if self.clients[at].list.is_empty() {
            let mut client = self.clients.swap_remove(at);
            let text = std::mem::take(&mut client.text);
            client.reads = true;
            client.turn().await;
            let unread = std::mem::take(&mut client.text);
            self.ended.push(Ended { jid: client.session.jid.to_string(), text, unread });
            client.lose();
        }
    }

    fn stop_or_go_on_reading(&mut self) {
        if let Some(at) = self.any() {
            self.clients[at].reads = !self.clients[at].reads;
        }
    }

    fn disk(&mut self) {
        match self.rng.u32(0..4) {
            0 if !self.stalled => {
                self.world.faults.stall();
                self.stalled = true;
            }
            1 => self.world.faults.fail_commits(1, Unavailable::Disk),
            2 => self.world.faults.fail_appends(1, Unavailable::Disk),
            _ => self.release(),
        }
    }

    fn release(&mut self) {
        self.world.faults.release();
        self.stalled = false;
    }

    /// Answers the last ping of the server that a session was written.
    fn pong(&mut self) {
        let Some(at) = self.any() else { return };
        let client = &mut self.clients[at];
        let ping = client.text.rsplit("server-ping-").next().and_then(|rest| rest.split('\'').next());
        if let Some(number) = ping.filter(|_| client.text.contains("server-ping-") && client.list.has_room()) {
            let answer = format!("<iq type='result' to='localhost' id='server-ping-{number}'/>");
            client.send(&answer);
        }
    }

    /// Mends everything, lets everyone read to the end, and has each person fetch what is left.
    async fn finish(&mut self) {
        self.world.faults.stop_failing();
        self.release();
        for client in &mut self.clients {
            client.reads = true;
            client.text = client.settled().await;
        }
        for client in &mut self.clients {
            client.wait(|client| client.session.outbox_bytes() == 0 && client.session.catch_up().is_none()).await;
        }
        // Nothing that failed keeps its part of the writer's bound.
        self.world.all_permits().await;
        for client in std::mem::take(&mut self.clients) {
            let (jid, text) = (client.session.jid.to_string(), client.text.clone());
            self.ended.push(Ended { jid, text, unread: String::new() });
            client.lose();
        }
        // What was proved is cleared before somebody new asks what nobody has seen.
        self.world.tick().await;
        for name in PEOPLE {
            let jid = format!("{name}@localhost/last");
            let mut client = self.world.connect(&jid).await;
            client.send("<presence/>");
            let unseen = self.world.unseen(name).await.len();
            client.wait(|client| bodies(&client.text).len() >= unseen).await;
            self.ended.push(Ended { jid, text: client.text.clone(), unread: String::new() });
        }
    }

    async fn judge(&self, seed: u64) {
        let errors: HashSet<&str> =
            self.ended.iter().flat_map(|ended| refused(&ended.text).chain(refused(&ended.unread))).collect();
        for name in PEOPLE {
            let rows = self.world.rows(name).await;
            let received = rows.iter().filter(|row| row.direction == Direction::Received);
            let kept: Vec<String> = received.map(|row| row.stanza.id.clone().unwrap().into()).collect();
            let got: HashSet<&str> = self
                .ended
                .iter()
                .filter(|ended| ended.jid.starts_with(name))
                .flat_map(|ended| given(&ended.text))
                .collect();
            for ((_, _), sent) in self.sent.iter().filter(|((_, to), _)| *to == name) {
                let stored: Vec<&String> = kept.iter().filter(|body| sent.contains(body)).collect();
                let expected: Vec<&String> = sent.iter().filter(|body| !errors.contains(body.as_str())).collect();
                assert_eq!(stored, expected, "seed {seed}: kept in order, and refused or kept but not both");
                for body in sent {
                    let refused = errors.contains(body.as_str());
                    assert_eq!(got.contains(body.as_str()), !refused, "seed {seed}: {body} refused: {refused}");
                }
            }
        }
        for ended in &self.ended {
            let ids = ids(&ended.text);
            assert!(ids.is_sorted_by(|a, b| a < b), "seed {seed}: {} got {ids:?}", ended.jid);
            let stored = ended.text.split("<message ").filter(|text| text.contains("<stanza-id"));
            let mut last: HashMap<&str, usize> = HashMap::new();
            for body in stored.flat_map(bodies) {
                let (number, from) =
                    (body.split('-').next().unwrap().parse().unwrap(), body.rsplit('-').next().unwrap());
                let earlier = last.insert(from, number);
                assert!(earlier.is_none_or(|earlier| earlier < number), "seed {seed}: {} got {body} late", ended.jid);
            }
        }
    }
}

/// The bodies of messages from others; an error gives its sender's own back.
fn given(text: &str) -> impl Iterator<Item = &str> {
    let messages =
        text.split("<message ").filter(|message| !message.split('>').next().unwrap().contains("type='error'"));
    messages.flat_map(bodies)
}

/// The ids of the messages that came back as errors.
fn refused(text: &str) -> impl Iterator<Item = &str> {
    let heads = text.split("<message ").filter_map(|message| Some(&message[..message.find('>')?]));
    let errors = heads.filter(|head| head.contains("type='error'"));
    errors.filter_map(|head| head.split(" id='").nth(1)?.split('\'').next())
}

#[tokio::test]
async fn random_sequences_keep_every_promise() {
    for seed in 0..SEEDS {
        let mut run = Run::new(seed).await;
        for _ in 0..STEPS {
            run.step().await;
        }
        run.finish().await;
        run.judge(seed).await;
    }
}

/// With a recipient who is there all the time, everything keeps its order, stored or not, however the disk behaves.
#[tokio::test]
async fn random_mixtures_of_one_sender_keep_their_order() {
    for seed in 0..SEEDS {
        let mut rng = Rng::with_seed(seed);
        let world = World::new().await;
        let mut bob = world.available("bob@localhost/b").await;
        let mut senders = [world.available("alice@localhost/a").await, world.available("carol@localhost/c").await];
        let mut count = 0;
        for _ in 0..STEPS {
            let sender = &mut senders[rng.usize(0..2)];
            if !sender.list.has_room() {
                world.faults.release();
                sender.settled().await;
            }
            count += 1;
            match rng.u32(0..12) {
                0 => world.faults.stall(),
                1 => world.faults.release(),
                2 => sender.turn().await,
                3 => bob.turn().await,
                4 => sender.send("<iq to='bob@localhost' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>"),
                5 => sender.send("<presence/>"),
                6 => world.faults.fail_commits(1, Unavailable::Disk),
                7 => sender.send(&format!("<message to='bob@localhost/b' type='headline'><body>{count}</body></message>")),
                8 => sender.send(&format!(
                    "<message to='bob@localhost' type='chat'><body>{count}</body><no-store xmlns='urn:xmpp:hints'/></message>"
                )),
                9 => sender.send(&format!("<message to='bob@localhost/b' type='chat'><body>{count}</body></message>")),
                _ => sender.send(&format!("<message to='bob@localhost' type='chat'><body>{count}</body></message>")),
            }
        }
        world.faults.stop_failing();
        world.faults.release();
        for sender in &mut senders {
            sender.settled().await;
        }
        let text = bob.so_far().await;
        for sender in ["alice@localhost/a", "carol@localhost/c"] {
            let messages = text.split("<message ").filter(|message| message.contains(&format!("from='{sender}'")));
            let numbers: Vec<u32> = messages.flat_map(bodies).map(|body| body.parse().unwrap()).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {sender} {numbers:?}");
            assert!(numbers.len() > 10, "seed {seed}: {numbers:?}");
        }
    }
}
