//! A room: what is stored of it, who is in it, and what it becomes by a change. Nothing here decides anything.

use std::collections::{BTreeMap, HashMap, VecDeque};

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::xml::Content;

use crate::config::{Config, PRESENCE_BROADCAST, WHOIS};
use crate::decision::Change;
use crate::facts::{Facts, Standing};
use crate::occupant::{Occupant, Session, occupant_id};
use crate::presence;
use crate::role::default_role;
use crate::step::Step;

/// So many invitations that were not declined yet are remembered; the oldest go first.
const INVITATIONS_MAX: usize = 100;

/// A room that is in use.
#[derive(Clone, Debug)]
pub struct Room {
    pub(crate) address: Jid,
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) creator: Jid,
    pub(crate) secret: [u8; 32],
    pub(crate) subject: Option<Subject>,
    /// The hashes of its picture.
    pub(crate) avatar: Box<[Box<str>]>,
    /// By bare address, or domain; those with neither affiliation nor nickname have no row.
    pub(crate) affiliations: BTreeMap<Jid, Affiliated>,
    /// For whom a folded nickname is reserved.
    pub(crate) reserved: HashMap<Box<str>, Jid>,
    /// By folded nickname, so that nobody enters as somebody else in capitals.
    pub(crate) occupants: BTreeMap<Box<str>, Occupant>,
    /// The folded nickname behind each full address.
    pub(crate) sessions: HashMap<Jid, Box<str>>,
    /// When accounts spoke last; kept while slow mode asks for it.
    pub(crate) spoke: HashMap<Jid, u64>,
    /// By whom, and whom.
    pub(crate) invitations: VecDeque<(Jid, Jid)>,
}

/// Whether others may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Nobody but the creator, who has not configured it yet (section 10.1.1); nothing of it is stored.
    Locked,
    /// As the configuration says.
    Open,
}

/// What the conversation is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The elements `<subject/>`, empty ones if it was taken away, and the id of who set it (XEP-0421).
    pub content: Content,
    /// The nickname of who set it.
    pub nick: Box<str>,
    /// When, Unix time in milliseconds.
    pub at_ms: u64,
}

/// What somebody is to a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affiliated {
    /// May be none, if only a nickname is reserved.
    pub affiliation: Affiliation,
    /// The nickname that nobody else may use.
    pub nick: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
}

/// What is stored of a room.
#[derive(Clone, Debug)]
pub struct Rows {
    /// As of [`Config::encode`].
    pub config: Box<[u8]>,
    /// Who created it.
    pub creator: Jid,
    /// What its occupants' ids are made with.
    pub secret: [u8; 32],
    /// Its subject, if it ever had one.
    pub subject: Option<Subject>,
    /// What people are to it.
    pub affiliations: Vec<(Jid, Affiliated)>,
}

impl Room {
    /// A room that was stored; nobody is in it.
    pub fn read(address: Jid, rows: Rows) -> Room {
        let mut room = Room {
            config: Config::decode(&rows.config),
            state: State::Open,
            subject: rows.subject,
            ..Room::empty(address, rows.creator, rows.secret)
        };
        rows.affiliations.into_iter().for_each(|(jid, row)| room.set_row(jid, row));
        room
    }

    /// The same with a picture, by the hashes of its formats.
    #[must_use]
    pub fn with_avatar(self, hashes: Vec<Box<str>>) -> Room {
        Room { avatar: hashes.into(), ..self }
    }

    /// A room that was made just now: its creator owns it, and has not configured it.
    pub(crate) fn empty(address: Jid, creator: Jid, secret: [u8; 32]) -> Room {
        Room {
            address,
            config: Config::default(),
            state: State::Locked,
            creator,
            secret,
            subject: None,
            avatar: Box::default(),
            affiliations: BTreeMap::new(),
            reserved: HashMap::new(),
            occupants: BTreeMap::new(),
            sessions: HashMap::new(),
            spoke: HashMap::new(),
            invitations: VecDeque::new(),
        }
    }

    /// Its address, bare.
    pub fn address(&self) -> &Jid {
        &self.address
    }

    /// How it is configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether others may enter.
    pub fn state(&self) -> State {
        self.state
    }

    /// What the conversation is about; none if nobody ever said.
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Who is in it, in the order of the folded nicknames.
    pub fn occupants(&self) -> impl ExactSizeIterator<Item = &Occupant> {
        self.occupants.values()
    }

    /// What people are to it, in the order of their addresses.
    pub fn affiliations(&self) -> impl ExactSizeIterator<Item = (&Jid, &Affiliated)> {
        self.affiliations.iter()
    }

    /// Every session in it.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = &Jid> {
        self.sessions.keys()
    }

    /// The occupant with exactly this nickname.
    pub fn occupant(&self, nick: &str) -> Option<&Occupant> {
        self.occupants.get(&*fold(nick)).filter(|occupant| *occupant.nick == *nick)
    }

    /// The occupant that a session is.
    pub fn occupant_of(&self, session: &Jid) -> Option<&Occupant> {
        self.occupants.get(self.sessions.get(session)?)
    }

    /// What an address is to the room: by itself, or else by its domain (section 9.2).
    pub fn affiliation(&self, jid: &Jid) -> Affiliation {
        let own = self.affiliations.get(jid.bare_str()).map(|row| row.affiliation);
        match own {
            Some(affiliation) if affiliation != Affiliation::None => affiliation,
            _ => self.affiliations.get(jid.domain()).map_or(Affiliation::None, |row| row.affiliation),
        }
    }

    /// The same for whoever acts: superusers own every room.
    pub(crate) fn standing(&self, facts: &Facts<'_>) -> Affiliation {
        match facts.standing {
            Standing::Superuser => Affiliation::Owner,
            Standing::Ordinary => self.affiliation(facts.from),
        }
    }

    /// The role of whoever acts: superusers moderate without being there.
    pub(crate) fn role(&self, facts: &Facts<'_>) -> Role {
        let role = self.occupant_of(facts.from).map_or(Role::None, |occupant| occupant.role);
        if facts.standing == Standing::Superuser { Role::Moderator } else { role }
    }

    /// The address of an occupant.
    pub(crate) fn occupant_jid(&self, nick: &str) -> Jid {
        self.address.with_resource(nick).unwrap_or_else(|_| self.address.clone())
    }

    /// Whether everybody sees real addresses.
    pub(crate) fn is_open_about_addresses(&self) -> bool {
        self.config.text(&WHOIS) == "anyone"
    }

    /// Whether somebody with this role sees real addresses.
    pub(crate) fn shows_addresses_to(&self, role: Role) -> bool {
        role == Role::Moderator || (role != Role::None && self.is_open_about_addresses())
    }

    /// Whether everybody sees the presence of occupants with this role; moderators do in any case.
    pub(crate) fn shows_presence_of(&self, role: Role) -> bool {
        self.config.list(&PRESENCE_BROADCAST).contains(&role.as_str())
    }

    /// The sessions of moderators.
    pub(crate) fn moderators(&self) -> Vec<Jid> {
        let moderators = self.occupants.values().filter(|occupant| occupant.role == Role::Moderator);
        moderators.flat_map(Occupant::addresses).collect()
    }

    /// For whom a nickname is reserved.
    pub(crate) fn reserved_for(&self, nick: &str) -> Option<&Jid> {
        self.reserved.get(&*fold(nick))
    }

    /// Puts a session back that was in the room before an orderly stop, with the role it had; nobody is told, since for them nothing has
    /// happened. Says whether it is in: not if the room does not let its account in any more, or the nickname is somebody else's by now.
    pub fn restore(&mut self, nick: Box<str>, role: Role, session: Session) -> bool {
        let least = default_role(&self.config, self.affiliation(&session.jid));
        let is_taken = match self.occupants.get(&*fold(&nick)) {
            Some(known) => known.nick != nick || !known.jid.same_bare(&session.jid),
            None => self.reserved_for(&nick).is_some_and(|owner| !owner.same_bare(&session.jid)),
        };
        if least == Role::None || role == Role::None || is_taken || self.sessions.contains_key(&session.jid) {
            return false;
        }
        self.enter(nick, if least == Role::Moderator { least } else { role }, session);
        true
    }

    /// Forgets what somebody is to the room, since their address is somebody else's by now; nobody is told. What is stored of it is for the
    /// caller to remove.
    pub fn forget(&mut self, bare: &Jid) {
        self.affiliate(bare.clone(), Affiliated::default());
    }

    /// Does what was decided; the record of the decision is durable.
    pub fn apply(&mut self, change: Change) {
        change.0.into_iter().for_each(|step| self.step(step));
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Enter { nick, role, session } => self.enter(nick, role, session),
            Step::Show { jid, presence } => self.show(&jid, presence),
            Step::Leave { jid } => drop(self.leave(&jid)),
            Step::Rename { from, to } => self.rename(&from, to),
            Step::Move { jid, to } => self.move_session(&jid, to),
            Step::Role { nick, role } => self.set_role(&nick, role),
            Step::Affiliate { jid, affiliation, nick, reason } => {
                self.affiliate(jid, Affiliated { affiliation, nick, reason });
            }
            Step::Configure(config) => self.config = config,
            Step::Unlock => self.state = State::Open,
            Step::Subject(subject) => self.subject = Some(subject),
            Step::Avatar(hashes) => self.avatar = hashes,
            Step::Spoke { jid, at_ms, forget_ms } => self.note_spoken(jid, at_ms, forget_ms),
            Step::Asked { nick, at_ms } => {
                if let Some(occupant) = self.occupants.get_mut(&*fold(&nick)) {
                    occupant.asked_ms = Some(at_ms);
                }
            }
            Step::Invited { by, whom } => self.note_invited(by, whom),
            Step::Declined { by, whom } => self.invitations.retain(|known| (&known.0, &known.1) != (&by, &whom)),
        }
    }

    fn enter(&mut self, nick: Box<str>, role: Role, session: Session) {
        let folded: Box<str> = fold(&nick).into();
        self.sessions.insert(session.jid.clone(), folded.clone());
        let jid = session.jid.bare();
        let id = occupant_id(&self.secret, &jid);
        let occupant = self.occupants.entry(folded.clone()).or_insert_with(|| Occupant {
            nick,
            jid,
            role,
            sessions: Vec::new(),
            id,
            asked_ms: None,
            open: Content::empty(),
            veiled: Content::empty(),
        });
        occupant.sessions.retain(|known| known.jid != session.jid);
        occupant.sessions.push(session);
        self.refresh(&folded);
    }

    fn show(&mut self, jid: &Jid, presence: Content) {
        let Some(folded) = self.sessions.get(jid).cloned() else { return };
        let Some(occupant) = self.occupants.get_mut(&folded) else { return };
        let Some(at) = occupant.sessions.iter().position(|session| session.jid == *jid) else { return };
        let session = occupant.sessions.remove(at);
        occupant.sessions.push(Session { presence, ..session });
        self.refresh(&folded);
    }

    fn leave(&mut self, jid: &Jid) -> Option<(Occupant, Session)> {
        let folded = self.sessions.remove(jid)?;
        let occupant = self.occupants.get_mut(&folded)?;
        let at = occupant.sessions.iter().position(|session| session.jid == *jid)?;
        let session = occupant.sessions.remove(at);
        let before = occupant.clone();
        if before.sessions.is_empty() {
            self.occupants.remove(&folded);
        } else {
            self.refresh(&folded);
        }
        Some((before, session))
    }

    fn rename(&mut self, from: &str, to: Box<str>) {
        let Some(mut occupant) = self.occupants.remove(&*fold(from)) else { return };
        let folded: Box<str> = fold(&to).into();
        for session in &occupant.sessions {
            self.sessions.insert(session.jid.clone(), folded.clone());
        }
        occupant.nick = to;
        self.occupants.insert(folded.clone(), occupant);
        self.refresh(&folded);
    }

    fn move_session(&mut self, jid: &Jid, to: Box<str>) {
        if let Some((occupant, session)) = self.leave(jid) {
            self.enter(to, occupant.role, session);
        }
    }

    fn set_role(&mut self, nick: &str, role: Role) {
        let folded = fold(nick);
        if let Some(occupant) = self.occupants.get_mut(&*folded) {
            occupant.role = role;
            self.refresh(&folded);
        }
    }

    fn affiliate(&mut self, jid: Jid, row: Affiliated) {
        self.set_row(jid.clone(), row);
        let concerned =
            |occupant: &&Occupant| occupant.jid == jid || (jid.is_domain() && occupant.jid.domain() == jid.domain());
        let folded: Vec<_> = self.occupants.values().filter(concerned).map(|occupant| fold(&occupant.nick)).collect();
        folded.iter().for_each(|folded| self.refresh(folded));
    }

    fn set_row(&mut self, jid: Jid, row: Affiliated) {
        let before = self.affiliations.get(&jid).and_then(|row| row.nick.as_deref()).map(fold);
        if let Some(folded) = before.filter(|folded| self.reserved.get(&**folded) == Some(&jid)) {
            self.reserved.remove(&*folded);
        }
        if let Some(nick) = &row.nick {
            self.reserved.insert(fold(nick).into(), jid.clone());
        }
        if row.affiliation == Affiliation::None && row.nick.is_none() {
            self.affiliations.remove(&jid);
        } else {
            self.affiliations.insert(jid, row);
        }
    }

    fn note_spoken(&mut self, jid: Jid, at_ms: u64, forget_ms: u64) {
        if self.spoke.len() > 2 * self.occupants.len() + 16 {
            self.spoke.retain(|_, at_ms| *at_ms > forget_ms);
        }
        self.spoke.insert(jid, at_ms);
    }

    fn note_invited(&mut self, by: Jid, whom: Jid) {
        self.invitations.retain(|known| (&known.0, &known.1) != (&by, &whom));
        self.invitations.push_back((by, whom));
        if self.invitations.len() > INVITATIONS_MAX {
            self.invitations.pop_front();
        }
    }

    /// Writes anew what those are shown who enter.
    fn refresh(&mut self, folded: &str) {
        let Some(occupant) = self.occupants.get(folded) else { return };
        let (open, veiled) = presence::both(occupant, self.affiliation(&occupant.jid));
        if let Some(occupant) = self.occupants.get_mut(folded) {
            (occupant.open, occupant.veiled) = (open, veiled);
        }
    }

    /// About how many bytes it takes in memory.
    pub fn memory_usage(&self) -> usize {
        let jid = |jid: &Jid| jid.as_str().len() + 40;
        let occupant = |occupant: &Occupant| {
            let sessions =
                occupant.sessions.iter().map(|session| 2 * jid(&session.jid) + session.presence.memory_usage() + 64);
            let texts = 4 * occupant.nick.len() + occupant.id.len() + jid(&occupant.jid);
            let shown = occupant.open.memory_usage() + occupant.veiled.memory_usage();
            size_of::<Occupant>() + sessions.sum::<usize>() + texts + shown
        };
        let row = |(who, row): (&Jid, &Affiliated)| {
            let texts = [&row.nick, &row.reason].into_iter().flatten().map(|text| text.len()).sum::<usize>();
            jid(who) + texts + size_of::<Affiliated>()
        };
        size_of::<Room>()
            + self.config.encode().len()
            + self.occupants.values().map(occupant).sum::<usize>()
            + self.affiliations.iter().map(row).sum::<usize>()
    }
}

/// What two nicknames that look alike but for their case have in common.
pub(crate) fn fold(nick: &str) -> String {
    nick.to_lowercase()
}
