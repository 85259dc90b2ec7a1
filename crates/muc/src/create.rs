//! A new room (section 10.1): whoever enters it first owns it, and it is locked until it is configured; nothing of it is stored before.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Affiliation;
use metronome_proto::stanza::StanzaError;

use crate::affiliated::Affiliated;
use crate::config::Config;
use crate::decision::{Decision, RoomOp};
use crate::draft::Draft;
use crate::enter::{self, Entry};
use crate::facts::Facts;
use crate::room::Room;
use crate::step::Step;

/// Whether a new room waits for its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Creation {
    /// Nobody enters until its owner has configured it, or taken it as it is.
    Locked,
    /// It is open at once, as the service's defaults say.
    Instant,
}

/// Makes the room at `address` for somebody who enters it, with the service's defaults. `secret` is random, and the room's alone. The
/// decision is one upon the room that comes with it. Whether they may create rooms is for the caller to say.
pub fn create(
    address: Jid,
    facts: &Facts<'_>,
    (creation, defaults): (Creation, &Config),
    secret: [u8; 32],
    entry: &Entry<'_>,
) -> Result<(Room, Decision), StanzaError> {
    let owner = facts.from.bare();
    let mut room = Room::empty(address, owner.clone(), secret);
    room.configure(defaults.clone());
    room.set_row(owner, Affiliated { affiliation: Affiliation::Owner, version: 1, ..Affiliated::default() });
    let entered = enter::enter(&room, facts, entry)?;
    if creation == Creation::Locked {
        return Ok((room, entered));
    }
    let mut draft = Draft::new(&room, facts);
    unlock(&mut draft);
    let mut decision = draft.decision;
    decision.change.0.extend(entered.change.0);
    decision.effects.extend(entered.effects);
    Ok((room, decision))
}

/// Others may enter from now on, and the room is stored as it is.
pub(crate) fn unlock(draft: &mut Draft<'_>) {
    draft.step(Step::Unlock);
    let room = &draft.room;
    let mut ops = vec![RoomOp::Create {
        config: room.config.encode(),
        creator: room.creator.clone(),
        secret: room.secret,
        at_ms: draft.facts.now_ms,
    }];
    ops.extend(room.affiliations.iter().map(|(jid, row)| RoomOp::affiliate(jid, row)));
    ops.extend(room.subject.iter().map(|subject| RoomOp::Subject {
        content: subject.content.bytes().to_vec().into(),
        nick: subject.nick.clone(),
        at_ms: subject.at_ms,
    }));
    draft.decision.ops.extend(ops);
}
