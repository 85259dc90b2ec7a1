//! Rooms with many people in them: above a size, the presence of those who come and only take part goes to nobody, so that a room of
//! thousands is no flood of presence, and whoever enters it gets no more than that many. Everybody hears them, and moderators find them in the
//! lists of roles. Who was shown stays so until it leaves, and nobody is left behind in anybody's list.

use metronome_proto::payload::muc::Role;

use crate::config::QUIET_ABOVE;
use crate::occupant::{Audience, Occupant};
use crate::room::Room;

/// Who sees somebody who is shown anew with this role; `known` is who it was until now, if it was there.
pub(crate) fn audience(room: &Room, role: Role, known: Option<&Occupant>) -> Audience {
    let quiet_above = room.config.number(&QUIET_ABOVE);
    let others = room.occupants.len() as u64 - u64::from(known.is_some());
    let is_loud = quiet_above == 0 || others < quiet_above || role == Role::Moderator;
    match known.map(|known| known.audience) {
        None | Some(Audience::Nobody) if !is_loud => Audience::Nobody,
        _ if !room.shows_presence_of(role) => Audience::Moderators,
        Some(Audience::Moderators) if !is_loud => Audience::Moderators,
        _ => Audience::Everybody,
    }
}
