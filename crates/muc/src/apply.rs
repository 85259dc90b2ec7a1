//! What a room becomes by what was decided: each step is carried out as it is said, and cannot fail.

use std::sync::Arc;

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Role;
use metronome_proto::xml::Content;

use crate::affiliated::Affiliated;
use crate::config::Config;
use crate::decision::Change;
use crate::hats;
use crate::occupant::{Audience, Occupant, Session};
use crate::presence;
use crate::room::{Room, State, fold};
use crate::step::{Step, Wish};

/// So many invitations that were not declined yet are remembered; the oldest go first.
const INVITATIONS_MAX: usize = 100;

impl Room {
    /// Does what was decided; the record of the decision is durable.
    pub fn apply(&mut self, change: Change) {
        change.0.into_iter().for_each(|step| self.step(step));
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Enter { nick, role, audience, session } => self.enter(&nick, role, audience, session),
            Step::Show { jid, presence, audience } => self.show(&jid, presence, audience),
            Step::Leave { jid } => drop(self.leave(&jid)),
            Step::Rename { from, to } => self.rename(&from, to),
            Step::Move { jid, to } => self.move_session(&jid, &to),
            Step::Role { nick, role, audience } => self.set_role(&nick, role, audience),
            Step::Affiliate { jid, row } => self.affiliate(jid, row),
            Step::Forget { jid } => self.affiliate(jid, Affiliated::default()),
            Step::Configure(config) => self.configure(config),
            Step::Unlock => self.state = State::Open,
            Step::Subject(subject) => self.subject = Some(subject),
            Step::Avatar(hashes) => self.avatar = hashes,
            Step::Spoke { jid, at_ms, forget_ms } => self.note_spoken(jid, at_ms, forget_ms),
            Step::Asked { wish, jid, at_ms, forget_ms } => self.note_asked(wish, jid, at_ms, forget_ms),
            Step::Invited { by, whom } => self.note_invited(by, whom),
            Step::Declined { by, whom } => self.invitations.retain(|known| (&known.0, &known.1) != (&by, &whom)),
        }
    }

    /// The occupant of this nickname once this session is one of its own; a new one has the role and the audience.
    pub(crate) fn seated(&self, nick: &str, role: Role, audience: Audience, session: Session) -> Occupant {
        let mut occupant = match self.holder(nick) {
            Some(known) => known.clone(),
            None => Occupant::new(self, nick, role, &session),
        };
        occupant.audience = audience;
        occupant.sessions.retain(|known| known.jid != session.jid);
        occupant.sessions.push(session);
        occupant
    }

    pub(crate) fn enter(&mut self, nick: &str, role: Role, audience: Audience, session: Session) {
        let folded: Arc<str> = fold(nick).into();
        self.sessions.insert(session.jid.clone(), folded.clone());
        let occupant = self.seated(nick, role, audience, session);
        self.occupants.insert(folded.clone(), occupant.into());
        self.refresh(&folded);
    }

    fn show(&mut self, jid: &Jid, presence: Content, audience: Audience) {
        let Some(folded) = self.sessions.get(jid).cloned() else { return };
        let Some(occupant) = self.occupants.get_mut(&folded).map(Arc::make_mut) else { return };
        let Some(at) = occupant.sessions.iter().position(|session| session.jid == *jid) else { return };
        let session = occupant.sessions.remove(at);
        occupant.sessions.push(Session { presence, ..session });
        occupant.audience = audience;
        self.refresh(&folded);
    }

    fn leave(&mut self, jid: &Jid) -> Option<(Arc<Occupant>, Session)> {
        let folded = self.sessions.remove(jid)?;
        let occupant = self.occupants.get_mut(&folded).map(Arc::make_mut)?;
        let at = occupant.sessions.iter().position(|session| session.jid == *jid)?;
        let session = occupant.sessions.remove(at);
        let is_last = occupant.sessions.is_empty();
        let before = self.occupants.get(&folded)?.clone();
        if is_last {
            self.occupants.remove(&folded);
        } else {
            self.refresh(&folded);
        }
        Some((before, session))
    }

    fn rename(&mut self, from: &str, to: Box<str>) {
        let Some(mut known) = self.occupants.remove(&*fold(from)) else { return };
        let folded: Arc<str> = fold(&to).into();
        for session in &known.sessions {
            self.sessions.insert(session.jid.clone(), folded.clone());
        }
        let occupant = Arc::make_mut(&mut known);
        (occupant.address, occupant.nick) = (self.occupant_jid(&to), to);
        self.occupants.insert(folded.clone(), known);
        self.refresh(&folded);
    }

    fn move_session(&mut self, jid: &Jid, to: &str) {
        if let Some((occupant, session)) = self.leave(jid) {
            let audience = self.holder(to).map_or(occupant.audience, |there| there.audience);
            self.enter(to, occupant.role, audience, session);
        }
    }

    fn set_role(&mut self, nick: &str, role: Role, audience: Audience) {
        let folded = fold(nick);
        if let Some(occupant) = self.occupants.get_mut(&*folded).map(Arc::make_mut) {
            (occupant.role, occupant.audience) = (role, audience);
            self.refresh(&folded);
        }
    }

    fn affiliate(&mut self, jid: Jid, row: Affiliated) {
        self.set_row(jid.clone(), row);
        let concerned =
            |occupant: &&Occupant| occupant.jid == jid || (jid.is_domain() && occupant.jid.domain() == jid.domain());
        let folded: Vec<_> = self.occupants().filter(concerned).map(|occupant| fold(&occupant.nick)).collect();
        folded.iter().for_each(|folded| self.refresh(folded));
    }

    pub(crate) fn set_row(&mut self, jid: Jid, row: Affiliated) {
        let before = self.affiliations.get(&jid).and_then(|row| row.nick.as_deref());
        if before != row.nick.as_deref() {
            let before = before.map(fold).filter(|folded| self.reserved.get(&**folded) == Some(&jid));
            let reserved = Arc::make_mut(&mut self.reserved);
            before.iter().for_each(|folded| drop(reserved.remove(&**folded)));
            row.nick.iter().for_each(|nick| drop(reserved.insert(fold(nick).into(), jid.clone())));
        }
        self.version = self.version.max(row.version);
        if self.departed.values().any(|known| *known == jid) {
            Arc::make_mut(&mut self.departed).retain(|_, known| *known != jid);
        }
        if row.counts() {
            Arc::make_mut(&mut self.affiliations).insert(jid, row);
            return;
        }
        if self.affiliations.contains_key(&jid) {
            Arc::make_mut(&mut self.affiliations).remove(&jid);
        }
        match row.version {
            0 => {}
            version if jid == self.address => self.forgotten = version,
            version => drop(Arc::make_mut(&mut self.departed).insert(version, jid)),
        }
    }

    pub(crate) fn configure(&mut self, config: Config) {
        let hats = hats::of(&config);
        self.config = config;
        if *self.hats == *hats {
            return;
        }
        self.hats = hats.into();
        let wears = |jid: &Jid| self.affiliations.get(jid).is_some_and(|row| !row.hats.is_empty());
        let worn: Vec<_> = self.occupants.iter().filter(|(_, occupant)| wears(&occupant.jid)).collect();
        let folded: Vec<_> = worn.into_iter().map(|(folded, _)| folded.clone()).collect();
        folded.iter().for_each(|folded| self.refresh(folded));
    }

    fn note_spoken(&mut self, jid: Jid, at_ms: u64, forget_ms: u64) {
        if self.spoke.len() > 2 * self.occupants.len() + 16 {
            self.spoke.retain(|_, at_ms| *at_ms > forget_ms);
        }
        self.spoke.insert(jid, at_ms);
    }

    fn note_asked(&mut self, wish: Wish, jid: Jid, at_ms: u64, forget_ms: u64) {
        self.asked.retain(|(known, _), at_ms| *known != wish || *at_ms > forget_ms);
        self.asked.insert((wish, jid), at_ms);
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
        let affiliation = self.affiliation(&occupant.jid);
        let hats = hats::worn(self, &occupant.jid);
        let Some(occupant) = self.occupants.get_mut(folded).map(Arc::make_mut) else { return };
        occupant.hats = hats;
        (occupant.open, occupant.veiled) = presence::both(occupant, affiliation);
    }
}
