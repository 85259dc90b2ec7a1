//! What the server must do with rosters and presence, said as simply as possible and in other words than the server's: for each
//! ordered pair of people whether one sees the other, and for each session what it must have been shown.

use std::collections::{BTreeMap, BTreeSet};

/// The people, by their places in this list.
pub const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];
const COUNT: usize = PEOPLE.len();

/// How one person stands to the presence of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Does not see it.
    No,
    /// Has asked to see it.
    Asked,
    /// Sees it.
    Sees,
}

/// The four stanzas of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// May I see you?
    Subscribe,
    /// You may see me.
    Subscribed,
    /// I do not want to see you any more.
    Unsubscribe,
    /// You may not see me any more.
    Unsubscribed,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 4] = [Verb::Subscribe, Verb::Subscribed, Verb::Unsubscribe, Verb::Unsubscribed];

    /// As in `type`.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Subscribe => "subscribe",
            Verb::Subscribed => "subscribed",
            Verb::Unsubscribe => "unsubscribe",
            Verb::Unsubscribed => "unsubscribed",
        }
    }
}

/// What somebody calls a contact, and the groups it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub name: Option<String>,
    pub groups: BTreeSet<String>,
}

/// One session and what it must have been shown.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub person: usize,
    /// The status it has told everybody, while it is available.
    pub available: Option<String>,
    /// Whom it has sent directed presence: full or bare addresses.
    pub directed: BTreeSet<String>,
    /// Full addresses of those it sees, with the status of each.
    pub sees: BTreeMap<String, String>,
    /// Subscription stanzas that it has got in this step, as `verb from`.
    pub told: Vec<String>,
    /// Whether directed presence has ever reached it: then it may see more or less than it has a right to.
    pub given: bool,
}

/// Everything.
#[derive(Clone)]
pub struct Model {
    /// `links[a][b]`: how a stands to b's presence.
    pub links: [[Link; COUNT]; COUNT],
    /// `approved[a][b]`: a has approved a request of b in advance.
    approved: [[bool; COUNT]; COUNT],
    /// `listed[a][b]`: b in a's roster.
    listed: [[Option<Entry>; COUNT]; COUNT],
    /// By full address.
    pub sessions: BTreeMap<String, Session>,
}

/// The bare address of a person.
pub fn bare(person: usize) -> String {
    format!("{}@localhost", PEOPLE[person])
}

impl Default for Model {
    fn default() -> Model {
        Model {
            links: [[Link::No; COUNT]; COUNT],
            approved: [[false; COUNT]; COUNT],
            listed: std::array::from_fn(|_| std::array::from_fn(|_| None)),
            sessions: BTreeMap::new(),
        }
    }
}

impl Model {
    // ---- rosters -----------------------------------------------------------------------------------------------

    /// A roster, one line for each item that clients see.
    pub fn roster(&self, person: usize) -> BTreeMap<String, String> {
        let entries = self.listed[person].iter().enumerate();
        entries
            .filter_map(|(other, entry)| entry.as_ref().map(|entry| (other, entry)))
            .map(|(other, entry)| {
                let sees = |a: usize, b: usize| self.links[a][b] == Link::Sees;
                let subscription = match (sees(person, other), sees(other, person)) {
                    (false, false) => "none",
                    (true, false) => "to",
                    (false, true) => "from",
                    (true, true) => "both",
                };
                let ask = self.links[person][other] == Link::Asked;
                let approved = self.approved[person][other];
                (bare(other), line(subscription, ask, approved, entry.name.as_deref(), &entry.groups))
            })
            .collect()
    }

    /// A roster set; what the two are to each other stays.
    pub fn set(&mut self, person: usize, other: usize, entry: Entry) {
        self.listed[person][other] = Some(entry);
    }

    /// An item is removed: whatever its owner has of it ends, on both sides. False if there is none.
    pub fn remove(&mut self, person: usize, other: usize) -> bool {
        if self.listed[person][other].is_none() {
            return false;
        }
        self.unsubscribe(person, other);
        // Also a request that the removed one waits with is answered: with a denial.
        self.unsubscribed(person, other);
        self.listed[person][other] = None;
        true
    }

    // ---- subscriptions -----------------------------------------------------------------------------------------

    /// One of the four stanzas from one person to another.
    pub fn say(&mut self, person: usize, verb: Verb, other: usize) {
        match verb {
            Verb::Subscribe => self.subscribe(person, other),
            Verb::Subscribed => self.subscribed(person, other),
            Verb::Unsubscribe => self.unsubscribe(person, other),
            Verb::Unsubscribed => self.unsubscribed(person, other),
        }
    }

    fn subscribe(&mut self, person: usize, other: usize) {
        self.list(person, other);
        if self.links[person][other] != Link::No {
            return;
        }
        self.links[person][other] = Link::Asked;
        if self.approved[other][person] {
            self.approved[other][person] = false;
            self.grant(person, other);
        } else {
            self.tell(other, Verb::Subscribe, person);
        }
    }

    fn subscribed(&mut self, person: usize, other: usize) {
        self.list(person, other);
        match self.links[other][person] {
            Link::Asked => self.grant(other, person),
            Link::No => self.approved[person][other] = true,
            Link::Sees => {}
        }
    }

    fn unsubscribe(&mut self, person: usize, other: usize) {
        if self.links[person][other] != Link::No {
            self.tell(other, Verb::Unsubscribe, person);
            self.end(person, other);
        }
    }

    fn unsubscribed(&mut self, person: usize, other: usize) {
        self.approved[person][other] = false;
        if self.links[other][person] != Link::No {
            self.end(other, person);
            self.tell(other, Verb::Unsubscribed, person);
        }
    }

    /// A request is granted: the one who asked sees all of the other's available sessions from now on.
    fn grant(&mut self, viewer: usize, shown: usize) {
        self.links[viewer][shown] = Link::Sees;
        self.tell(viewer, Verb::Subscribed, shown);
        for (jid, status) in self.available_of(shown) {
            self.show(viewer, &jid, &status);
        }
    }

    /// Whatever `viewer` has of `shown` ends.
    fn end(&mut self, viewer: usize, shown: usize) {
        let saw = self.links[viewer][shown] == Link::Sees;
        self.links[viewer][shown] = Link::No;
        if saw {
            for (jid, _) in self.available_of(shown) {
                self.hide(viewer, &jid);
            }
        }
    }

    fn list(&mut self, person: usize, other: usize) {
        self.listed[person][other].get_or_insert_default();
    }

    // ---- presence ----------------------------------------------------------------------------------------------

    /// A session without presence.
    pub fn connect(&mut self, jid: &str, person: usize) {
        self.sessions.insert(jid.to_owned(), Session { person, ..Session::default() });
    }

    /// A session tells everybody its status, for the first time or again.
    pub fn available(&mut self, jid: &str, status: &str) {
        let session = self.sessions.get_mut(jid).unwrap();
        let person = session.person;
        let is_first = session.available.replace(status.to_owned()).is_none();
        if is_first {
            let seen: Vec<_> = (0..COUNT)
                .filter(|other| *other == person || self.links[person][*other] == Link::Sees)
                .flat_map(|other| self.available_of(other))
                .collect();
            let asking: Vec<_> = (0..COUNT).filter(|other| self.links[*other][person] == Link::Asked).collect();
            let session = self.sessions.get_mut(jid).unwrap();
            session.sees.extend(seen);
            session.told.extend(asking.into_iter().map(|other| format!("subscribe {}", bare(other))));
        }
        for viewer in self.subscribers_of(person) {
            self.show(viewer, jid, status);
        }
    }

    /// A session that was available is not any more.
    pub fn unavailable(&mut self, jid: &str) {
        let session = self.sessions.get_mut(jid).unwrap();
        let (person, was_available) = (session.person, session.available.take().is_some());
        let directed = std::mem::take(&mut session.directed);
        session.sees.clear();
        if was_available {
            for viewer in self.subscribers_of(person) {
                self.hide(viewer, jid);
            }
        }
        for to in directed {
            self.give(&to, jid, None);
        }
    }

    /// A session ends.
    pub fn gone(&mut self, jid: &str) {
        self.unavailable(jid);
        self.sessions.remove(jid);
    }

    /// Directed presence, or its end, to a full or bare address.
    pub fn directed(&mut self, jid: &str, to: &str, status: Option<&str>) {
        let session = self.sessions.get_mut(jid).unwrap();
        match status {
            Some(_) => session.directed.insert(to.to_owned()),
            None => session.directed.remove(to),
        };
        self.give(to, jid, status);
    }

    /// Every session is lost and nobody is told; what is stored stays.
    pub fn restart(&mut self) {
        self.sessions.clear();
    }

    /// What a session may see by its subscriptions and as one of its account, whatever came by directed presence.
    pub fn by_right(&self, jid: &str) -> BTreeMap<String, String> {
        let session = &self.sessions[jid];
        let person = session.person;
        (0..COUNT)
            .filter(|other| {
                session.available.is_some() && (*other == person || self.links[person][*other] == Link::Sees)
            })
            .flat_map(|other| self.available_of(other))
            .collect()
    }

    fn available_of(&self, person: usize) -> Vec<(String, String)> {
        let theirs = self.sessions.iter().filter(|(_, session)| session.person == person);
        theirs.filter_map(|(jid, session)| Some((jid.clone(), session.available.clone()?))).collect()
    }

    /// Who sees a person's presence: the person too.
    fn subscribers_of(&self, person: usize) -> Vec<usize> {
        (0..COUNT).filter(|viewer| *viewer == person || self.links[*viewer][person] == Link::Sees).collect()
    }

    fn available_sessions(&mut self, person: usize) -> impl Iterator<Item = &mut Session> {
        self.sessions.values_mut().filter(move |session| session.person == person && session.available.is_some())
    }

    fn show(&mut self, viewer: usize, jid: &str, status: &str) {
        for session in self.available_sessions(viewer) {
            session.sees.insert(jid.to_owned(), status.to_owned());
        }
    }

    fn hide(&mut self, viewer: usize, jid: &str) {
        self.available_sessions(viewer).for_each(|session| drop(session.sees.remove(jid)));
    }

    fn tell(&mut self, to: usize, verb: Verb, from: usize) {
        let told = format!("{} {}", verb.name(), bare(from));
        self.available_sessions(to).for_each(|session| session.told.push(told.clone()));
    }

    /// Directed presence arrives: at the one session of a full address, available or not; or at all available ones.
    fn give(&mut self, to: &str, jid: &str, status: Option<&str>) {
        let sessions = self
            .sessions
            .iter_mut()
            .filter(|(full, session)| *full == to || (bare(session.person) == to && session.available.is_some()));
        for (_, session) in sessions {
            session.given = true;
            match status {
                Some(status) => session.sees.insert(jid.to_owned(), status.to_owned()),
                None => session.sees.remove(jid),
            };
        }
    }
}

/// One item of a roster in a line.
pub fn line(subscription: &str, ask: bool, approved: bool, name: Option<&str>, groups: &BTreeSet<String>) -> String {
    let ask = if ask { " ask" } else { "" };
    let approved = if approved { " approved" } else { "" };
    format!("{subscription}{ask}{approved} {name:?} {groups:?}")
}
