//! Leaving a room (section 7.14): by one's own will, because a session cannot be reached any more (section 11.1), or because the service
//! stops (section 11.2).

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Destroy, status};
use metronome_proto::xml::Content;

use crate::body;
use crate::decision::{Decision, Effect, RoomOp};
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::presence::Told;
use crate::room::{Room, State};
use crate::step::Step;

/// A session goes; `presence` is what it says at last, with this `id`. One that is not there is passed over (section 15.4).
pub(crate) fn leave(room: &Room, facts: &Facts<'_>, presence: &Content, id: Option<&str>) -> Decision {
    let is_small = presence.len_bytes() <= facts.limits.presence_bytes_max;
    let presence = if is_small { body::clean(presence, &room.address) } else { Content::empty() };
    session_goes(room, facts.from, &presence, id, &[])
}

/// A session is gone without a word: its server says so, or nothing reaches it.
pub(crate) fn lose(room: &Room, session: &Jid) -> Decision {
    session_goes(room, session, &Content::empty(), None, &[status::UNREACHABLE])
}

fn session_goes(room: &Room, session: &Jid, presence: &Content, id: Option<&str>, codes: &[u16]) -> Decision {
    let mut decision = Decision::default();
    let Some(occupant) = room.occupant_of(session) else { return decision };
    let told = Told { codes, ..Told::unavailable(room, occupant, presence) };
    // A room that nobody has configured is destroyed with its creator (section 10.1.3).
    let end = Destroy::default();
    let destroy = (room.state == State::Locked && room.sessions.len() == 1).then_some(&end);
    Told { destroy, id, ..told.clone() }.tell_itself(vec![session.clone()], &mut decision);
    if occupant.sessions.len() == 1 {
        told.tell_others(room, &mut decision);
    } else if occupant.shown().jid == *session {
        let mut rest = occupant.clone();
        rest.sessions.retain(|known| known.jid != *session);
        Told::available(room, &rest).send(room, &mut decision);
    }
    decision.change.0.push(Step::Leave { jid: session.clone() });
    end_if_last(room, &mut decision);
    decision
}

/// Section 7.14: a room that is not to stay is over when the last one goes, and one that nobody has configured as well (10.1.3).
fn end_if_last(room: &Room, decision: &mut Decision) {
    if room.sessions.len() > 1 || room.stays() {
        return;
    }
    if room.state == State::Open {
        decision.ops.push(RoomOp::Destroy { alternate: None, reason: None });
    }
    decision.effects.push(Effect::End);
}

/// The service stops: everybody is told, and the room stays as it is stored.
pub(crate) fn stop(room: &Room, facts: &Facts<'_>) -> Decision {
    let mut draft = Draft::new(room, facts);
    let sessions: Vec<_> = room.occupants().map(|occupant| occupant.nick.clone()).collect();
    for nick in sessions {
        draft.dismiss(&nick, &[status::SHUTDOWN], None, Cause::default());
    }
    draft.decision
}
