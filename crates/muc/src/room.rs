//! A room: what is stored of it, who is in it, and what it becomes by a change. Nothing here decides anything.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use metronome_proto::jid::{Jid, prepare_local};
use metronome_proto::payload::muc::{Affiliation, Hat, Role};
use metronome_proto::xml::Content;

use crate::affiliated::{Affiliated, Rows};
use crate::config::{Config, PRESENCE_BROADCAST, WHOIS};
use crate::facts::{Facts, Standing};
use crate::occupant::{Audience, Occupant, Session};
use crate::role::default_role;
use crate::step::Wish;

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
    /// The hats that there are.
    pub(crate) hats: Arc<[Hat]>,
    /// By bare address, or domain; those of whom nothing is said have no row.
    pub(crate) affiliations: Arc<BTreeMap<Jid, Affiliated>>,
    /// For whom a folded nickname is reserved.
    pub(crate) reserved: Arc<HashMap<Box<str>, Jid>>,
    /// How often affiliations have changed (XEP-0463).
    pub(crate) version: u64,
    /// Who is nothing to the room any more, by the version of that.
    pub(crate) departed: Arc<BTreeMap<u64, Jid>>,
    /// The version of the last who is not among them, because there are too many. Stored as what is said of the room itself.
    pub(crate) forgotten: u64,
    /// By folded nickname, so that nobody enters as somebody else in capitals.
    pub(crate) occupants: BTreeMap<Arc<str>, Arc<Occupant>>,
    /// The folded nickname behind each full address.
    pub(crate) sessions: HashMap<Jid, Arc<str>>,
    /// When accounts spoke last; kept while slow mode asks for it.
    pub(crate) spoke: HashMap<Jid, u64>,
    /// When accounts asked for something that others decide on.
    pub(crate) asked: HashMap<(Wish, Jid), u64>,
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

impl Room {
    /// A room that was stored; nobody is in it.
    pub fn read(address: Jid, rows: Rows) -> Room {
        let mut room = Room::empty(address, rows.creator, rows.secret);
        room.configure(Config::decode(&rows.config));
        (room.state, room.subject, room.version) = (State::Open, rows.subject, rows.version);
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
            hats: Arc::default(),
            affiliations: Arc::default(),
            reserved: Arc::default(),
            version: 0,
            departed: Arc::default(),
            forgotten: 0,
            occupants: BTreeMap::new(),
            sessions: HashMap::new(),
            spoke: HashMap::new(),
            asked: HashMap::new(),
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
        self.occupants.values().map(|occupant| &**occupant)
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
        self.holder(nick).filter(|occupant| *occupant.nick == *nick)
    }

    /// The occupant with a nickname that cannot be told from this one.
    pub(crate) fn holder(&self, nick: &str) -> Option<&Occupant> {
        self.occupants.get(&*fold(nick)).map(|occupant| &**occupant)
    }

    /// The occupant that a session is.
    pub fn occupant_of(&self, session: &Jid) -> Option<&Occupant> {
        self.occupants.get(self.sessions.get(session)?).map(|occupant| &**occupant)
    }

    /// What an address is to the room: by itself, or banned with its whole domain (section 9.2). Nothing else than a ban is everybody's at a
    /// domain: a component that is a member is one, and not all its users.
    pub fn affiliation(&self, jid: &Jid) -> Affiliation {
        let of = |address: &str| self.affiliations.get(address).map_or(Affiliation::None, |row| row.affiliation);
        match of(jid.bare_str()) {
            Affiliation::None if of(jid.domain()) == Affiliation::Outcast => Affiliation::Outcast,
            affiliation => affiliation,
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
        moderators.flat_map(|occupant| occupant.addresses()).collect()
    }

    /// For whom a nickname is reserved.
    pub(crate) fn reserved_for(&self, nick: &str) -> Option<&Jid> {
        self.reserved.get(&*fold(nick))
    }

    /// Puts a session back that was in the room before an orderly stop, with the role it had; nobody is told, since for them nothing has
    /// happened. Says whether it is in: not if the room does not let its account in any more, or the nickname is somebody else's by now.
    pub fn restore(&mut self, nick: Box<str>, role: Role, session: Session) -> bool {
        let least = default_role(&self.config, self.affiliation(&session.jid));
        let is_taken = match self.holder(&nick) {
            Some(known) => known.nick != nick || !known.jid.same_bare(&session.jid),
            None => self.reserved_for(&nick).is_some_and(|owner| !owner.same_bare(&session.jid)),
        };
        if least == Role::None || role == Role::None || is_taken || self.sessions.contains_key(&session.jid) {
            return false;
        }
        let role = if least == Role::Moderator { least } else { role };
        // Whoever was shown is known to others: it must be seen leaving, however large the room is.
        let audience = if self.shows_presence_of(role) { Audience::Everybody } else { Audience::Moderators };
        self.enter(&nick, role, audience, session);
        true
    }

    /// About how many bytes it takes in memory.
    pub fn memory_usage(&self) -> usize {
        let jid = |jid: &Jid| jid.as_str().len() + 40;
        let occupant = |occupant: &Arc<Occupant>| {
            let sessions =
                occupant.sessions.iter().map(|session| 2 * jid(&session.jid) + session.presence.memory_usage() + 64);
            let texts = 4 * occupant.nick.len() + occupant.id.len() + jid(&occupant.jid);
            let shown = [&occupant.open, &occupant.veiled, &occupant.mark, &occupant.hats];
            let shown = shown.into_iter().map(Content::memory_usage).sum::<usize>();
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

/// What nicknames have in common that look alike: in another case, in wide letters, with more spaces between the words.
pub(crate) fn fold(nick: &str) -> String {
    let mut folded = String::with_capacity(nick.len());
    for word in nick.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        match prepare_local(word) {
            Ok(word) => folded.push_str(&word),
            Err(_) => folded.push_str(&word.to_lowercase()),
        }
    }
    folded
}
