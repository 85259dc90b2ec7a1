//! An account is deleted: whoever has its address later is somebody else, and gets nothing of what it was (row by row the same as if admins
//! had taken it away). Whether a room without an
//! owner ends is for its service to say.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, status};

use crate::admin;
use crate::affiliated::Affiliated;
use crate::decision::Decision;
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::room::Room;

/// Nothing remains of `jid`, a bare address.
pub(crate) fn forget(room: &Room, facts: &Facts<'_>, jid: &Jid) -> Decision {
    let mut draft = Draft::new(room, facts);
    for nick in draft.nicks_of(jid) {
        draft.remove(&nick, &[status::UNREACHABLE], Cause::default());
    }
    if room.affiliations.contains_key(jid) {
        let mav = draft.affiliate(jid, Affiliated::default());
        admin::tell_occupants(&mut draft, jid, Affiliation::None, Cause { mav: mav.as_ref(), ..Cause::default() });
    }
    draft.finish()
}
