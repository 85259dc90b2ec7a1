//! Random steps, one after another: each is done by the server and by the model, and then everyone's view must be the model's.

use fastrand::Rng;
use metronome_model::Unavailable;

use crate::model::{Entry, Model, PEOPLE, Verb, bare};
use crate::view::{Cache, View};
use crate::world::{Client, World};

/// One session: its client, and what the server has told it.
pub struct Watched {
    pub client: Client,
    pub view: View,
    pub jid: String,
    pub person: usize,
}

/// A run of one seed.
pub struct Run {
    pub world: World,
    pub rng: Rng,
    pub model: Model,
    pub watched: Vec<Watched>,
    /// What ended sessions knew of their rosters, for those of the same person.
    caches: Vec<Vec<Cache>>,
    count: usize,
    /// The id of what is sent next.
    id: &'static str,
    /// What was done, for the report of a failure.
    pub done: Vec<String>,
}

impl Run {
    pub async fn new(seed: u64, world: World) -> Run {
        world.add("dave").await;
        Run {
            world,
            rng: Rng::with_seed(seed),
            model: Model::default(),
            watched: Vec::new(),
            caches: vec![Vec::new(); PEOPLE.len()],
            count: 0,
            id: "s",
            done: Vec::new(),
        }
    }

    /// One step while the next commit fails: what must be stored is refused and changes nothing, all else happens.
    pub async fn failing_step(&mut self) {
        let before = self.model.clone();
        let count = self.watched.len();
        match self.rng.u8(0..3) {
            0 => self.world.faults.fail_commits_after_storing(1, Unavailable::Disk),
            _ => self.world.faults.fail_commits(1, Unavailable::Disk),
        }
        self.id = "fails";
        match self.rng.u32(0..3) {
            0 => self.set(),
            1 => self.remove(),
            _ => self.say(),
        }
        self.id = "s";
        self.quiescent().await;
        self.world.faults.stop_failing();
        assert_eq!(self.watched.len(), count);
        if self.watched.iter_mut().any(|watched| std::mem::take(&mut watched.view.failed)) {
            self.done.push("that failed".to_owned());
            self.model = before;
        }
    }

    pub async fn step(&mut self) {
        match self.rng.u32(0..100) {
            0..14 => self.connect().await,
            14..20 => self.lose(),
            20..34 => self.set(),
            34..42 => self.remove(),
            42..72 => self.say(),
            72..84 => self.available(),
            84..88 => self.unavailable(),
            _ => self.directed(),
        }
        self.quiescent().await;
    }

    /// Waits until everything is done and has arrived.
    pub async fn quiescent(&mut self) {
        for watched in &mut self.watched {
            let text = watched.client.settled().await;
            watched.view.read(&text);
        }
        for watched in &mut self.watched {
            let text = watched.client.settled().await;
            watched.view.read(&text);
        }
    }

    /// The views are what the model says.
    pub fn judge(&mut self, seed: u64) {
        for watched in &mut self.watched {
            let context = || format!("seed {seed}, {}, after:\n{}", watched.jid, self.done.join("\n"));
            let session = self.model.sessions.get_mut(&watched.jid).unwrap();
            assert_eq!(watched.view.sees, session.sees, "who is seen (left: by the client); {}", context());
            let mut told = (std::mem::take(&mut watched.view.told), std::mem::take(&mut session.told));
            told.0.sort();
            told.1.sort();
            if session.available.is_some() {
                assert_eq!(told.0, told.1, "what is told (left: to the client); {}", context());
            }
            assert_eq!(watched.view.surprises, [""; 0], "{}", context());
            let roster = self.model.roster(watched.person);
            assert_eq!(watched.view.roster.items, roster, "the roster (left: of the client); {}", context());
            let session = &self.model.sessions[&watched.jid];
            if !session.given {
                // The model itself is judged by a simpler one, where directed presence does not blur it.
                assert_eq!(session.sees, self.model.by_right(&watched.jid), "the model itself; {}", context());
            }
        }
    }

    fn any(&mut self) -> Option<usize> {
        (!self.watched.is_empty()).then(|| self.rng.usize(..self.watched.len()))
    }

    fn send(&mut self, at: usize, xml: &str) {
        self.done.push(format!("{}: {xml}", self.watched[at].jid));
        self.watched[at].client.send(xml);
    }

    /// Somebody else than the owner of this session.
    fn other(&mut self, at: usize) -> usize {
        (self.watched[at].person + self.rng.usize(1..PEOPLE.len())) % PEOPLE.len()
    }

    fn status(&mut self) -> (String, String) {
        self.count += 1;
        let priority = self.rng.i8(-3..4);
        let content = format!("<status>{}</status><priority>{priority}</priority>", self.count);
        (self.count.to_string(), content)
    }

    // ---- the steps ---------------------------------------------------------------------------------------------

    /// A new session asks for the roster: the whole one, or what has changed since an earlier session.
    async fn connect(&mut self) {
        let person = self.rng.usize(..PEOPLE.len());
        let jid = format!("{}/{}", bare(person), self.rng.u8(0..3));
        if self.watched.len() >= 7 || self.model.sessions.contains_key(&jid) {
            return;
        }
        let client = self.world.connect(&jid).await;
        self.model.connect(&jid, person);
        let caches = &self.caches[person];
        let cached = if caches.is_empty() { Cache::default() } else { caches[self.rng.usize(..caches.len())].clone() };
        let ver = cached.ver.clone();
        self.watched.push(Watched { client, view: View::new(cached), jid, person });
        let at = self.watched.len() - 1;
        self.send(at, &format!("<iq type='get' id='roster'><query xmlns='jabber:iq:roster' ver='{ver}'/></iq>"));
        if self.rng.u8(0..4) > 0 {
            self.quiescent().await;
            self.available_at(at);
        }
    }

    fn lose(&mut self) {
        let Some(at) = self.any() else { return };
        let lost = self.watched.swap_remove(at);
        self.done.push(format!("{} is lost", lost.jid));
        self.model.gone(&lost.jid);
        self.caches[lost.person].push(lost.view.roster);
        lost.client.lose();
    }

    fn set(&mut self) {
        let Some(at) = self.any() else { return };
        let other = self.other(at);
        self.count += 1;
        let name = self.rng.bool().then(|| format!("name {}", self.count));
        let groups = (0..3).filter(|_| self.rng.bool()).map(|group| format!("group {group}")).collect();
        let mut xml =
            format!("<iq type='set' id='{}'><query xmlns='jabber:iq:roster'><item jid='{}'", self.id, bare(other));
        xml.extend(name.iter().map(|name| format!(" name='{name}'")));
        let entry = Entry { name, groups };
        xml.push('>');
        xml.extend(entry.groups.iter().map(|group| format!("<group>{group}</group>")));
        self.model.set(self.watched[at].person, other, entry);
        self.send(at, &format!("{xml}</item></query></iq>"));
    }

    fn remove(&mut self) {
        let Some(at) = self.any() else { return };
        let other = self.other(at);
        let id = if self.model.remove(self.watched[at].person, other) { self.id } else { "may-fail" };
        self.send(
            at,
            &format!(
                "<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'><item jid='{}' subscription='remove'/></query></iq>",
                bare(other)
            ),
        );
    }

    fn say(&mut self) {
        let Some(at) = self.any() else { return };
        let other = self.other(at);
        let verb = self.rng.choice(Verb::ALL).unwrap();
        self.model.say(self.watched[at].person, verb, other);
        self.send(at, &format!("<presence type='{}' to='{}' id='{}'/>", verb.name(), bare(other), self.id));
    }

    fn available(&mut self) {
        if let Some(at) = self.any() {
            self.available_at(at);
        }
    }

    fn available_at(&mut self, at: usize) {
        let (status, content) = self.status();
        let jid = self.watched[at].jid.clone();
        self.model.available(&jid, &status);
        self.send(at, &format!("<presence>{content}</presence>"));
    }

    fn unavailable(&mut self) {
        let Some(at) = self.any() else { return };
        let jid = self.watched[at].jid.clone();
        if self.model.sessions[&jid].available.is_some() {
            self.model.unavailable(&jid);
            self.send(at, "<presence type='unavailable'/>");
            self.watched[at].view.sees.clear();
        }
    }

    /// To somebody's account, to a session, or to one that may come later.
    fn directed(&mut self) {
        let Some(at) = self.any() else { return };
        let other = self.other(at);
        let (jid, mut to) = (self.watched[at].jid.clone(), bare(other));
        if self.rng.bool() {
            to = format!("{to}/{}", self.rng.u8(0..3));
        }
        let (status, content) = self.status();
        if self.rng.u8(0..3) > 0 {
            self.model.directed(&jid, &to, Some(&status));
            self.send(at, &format!("<presence to='{to}'>{content}</presence>"));
        } else {
            self.model.directed(&jid, &to, None);
            self.send(at, &format!("<presence to='{to}' type='unavailable'/>"));
        }
    }

    /// The server ends and starts again on the same store.
    pub async fn restart(&mut self) {
        self.done.push("the server is started again".to_owned());
        for lost in self.watched.drain(..) {
            self.caches[lost.person].push(lost.view.roster);
        }
        self.model.restart();
        self.world.restart().await;
    }
}
