//! The service removes an occupant: one that it does not bear any more. To everybody it looks as if a moderator had done it (section 8.2).

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::status;

use crate::decision::Decision;
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::room::Room;

/// The occupant that a session is goes with all of its sessions; one that is not there is passed over.
pub(crate) fn expel(room: &Room, facts: &Facts<'_>, session: &Jid, reason: &str) -> Decision {
    let Some(occupant) = room.occupant_of(session) else { return Decision::default() };
    let mut draft = Draft::new(room, facts);
    draft.remove(&occupant.nick, &[status::KICKED], Cause { reason: Some(reason), ..Cause::default() });
    draft.finish()
}
