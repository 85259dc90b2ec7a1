//! Who may read what was said in a room (XEP-0313, on archives of rooms): whoever might enter at this moment; and they see no more of each
//! other than they would see inside.

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Stanza, StanzaError};

use crate::config::{ARCHIVING, PASSWORD_PROTECTED};
use crate::facts::{Facts, Standing};
use crate::history::veil;
use crate::role::default_role;
use crate::room::{Room, State};

/// What a room with an archive announces, beside what any room does. Without one messages have no ids by which they could be taken back.
pub const FEATURES: &[&str] = &[
    ns::MAM,
    ns::MAM_EXTENDED,
    ns::MAM_GROUPCHAT_FIELD,
    ns::RSM,
    ns::STANZA_ID,
    ns::MODERATE,
    ns::MODERATE_0,
    ns::RETRACT,
    ns::RETRACT_TOMBSTONE,
];

/// What a reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sees {
    /// The real addresses of those who wrote.
    Addresses,
    /// Their nicknames and occupant ids only.
    Nicknames,
}

/// How somebody reads an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What they see of those who wrote.
    pub sees: Sees,
    /// Only what this one wrote: a real address, or that of the room for what the room itself has said. An address of an occupant that
    /// nobody has stands for nothing at all.
    pub with: Option<Jid>,
}

/// How whoever asks may read the archive, if at all; `with` is whose messages they want.
///
/// The nickname of an occupant stands for whoever has it now, or has reserved it, and finds what they said under any nickname: occupant ids
/// tell the same. By real addresses only those may ask who see them, and everybody for what they said themselves.
pub fn view(room: &Room, facts: &Facts<'_>, with: Option<&Jid>) -> Result<View, StanzaError> {
    refuse(room, facts)?;
    if !room.config.is_on(&ARCHIVING) {
        return Err(Condition::ServiceUnavailable.into());
    }
    let sees = sees(room, facts);
    let with = match with {
        Some(with) if with.same_bare(&room.address) => Some(occupant(room, with)),
        Some(with) if sees == Sees::Nicknames && !with.same_bare(facts.from) => {
            let text = "Only those who see real addresses may ask for them";
            return Err(StanzaError::new(Condition::Forbidden).with_text(text));
        }
        with => with.cloned(),
    };
    Ok(View { sees, with })
}

/// Refuses those who could not enter. Who is in a room with a password has given it; to know it otherwise there is the configuration.
fn refuse(room: &Room, facts: &Facts<'_>) -> Result<(), StanzaError> {
    if facts.standing == Standing::Superuser {
        return Ok(());
    }
    if room.state == State::Locked && !facts.from.same_bare(&room.creator) {
        return Err(Condition::ItemNotFound.into());
    }
    let affiliation = room.affiliation(facts.from);
    if default_role(&room.config, affiliation) == Role::None {
        return Err(Condition::Forbidden.into());
    }
    let knows = affiliation == Affiliation::Owner || room.sessions.keys().any(|session| session.same_bare(facts.from));
    if room.config.is_on(&PASSWORD_PROTECTED) && !knows {
        return Err(Condition::Forbidden.into());
    }
    Ok(())
}

fn sees(room: &Room, facts: &Facts<'_>) -> Sees {
    let inside = room.occupants.values().filter(|occupant| occupant.jid.same_bare(facts.from));
    let entering = default_role(&room.config, room.standing(facts));
    let is_moderator = inside.map(|occupant| occupant.role).chain([entering]).any(|role| role == Role::Moderator);
    if is_moderator || room.is_open_about_addresses() { Sees::Addresses } else { Sees::Nicknames }
}

/// Who is behind an address of the room's.
fn occupant(room: &Room, address: &Jid) -> Jid {
    let Some(nick) = address.resource() else { return room.address.clone() };
    let owner = room.occupant(nick).map(|occupant| &occupant.jid).or_else(|| room.reserved_for(nick));
    owner.unwrap_or(address).clone()
}

impl View {
    /// A message of the archive as it is shown: without recipient, and without what may not be seen.
    #[must_use]
    pub fn shown(&self, stanza: Stanza) -> Stanza {
        let content = match self.sees {
            Sees::Addresses => stanza.content,
            Sees::Nicknames => veil(stanza.content),
        };
        Stanza { to: None, content, ..stanza }
    }
}
