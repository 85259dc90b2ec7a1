//! Members who are not there, for rooms that show them: those with a nickname of their own, to whoever enters.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Role, UserItem, UserX};
use metronome_proto::stanza::{Kind, PresenceType};
use metronome_proto::xml::Content;

use crate::config::SHOW_ABSENT;
use crate::decision::{Decision, Outgoing};
use crate::room::Room;

/// Shows them to one session that has this role.
pub(crate) fn show(room: &Room, role: Role, to: &Jid, decision: &mut Decision) {
    if !room.config.is_on(&SHOW_ABSENT) {
        return;
    }
    let sees_addresses = room.shows_addresses_to(role);
    for (jid, row) in room.affiliations.iter().filter(|(_, row)| row.affiliation >= Affiliation::Member) {
        let Some(nick) = row.nick.as_deref().filter(|nick| room.holder(nick).is_none()) else { continue };
        let item = UserItem {
            affiliation: Some(row.affiliation),
            role: Some(Role::None),
            jid: sees_addresses.then(|| jid.clone()),
            ..UserItem::default()
        };
        let content = Content::from_tree(&UserX::of(item).tree());
        let from = room.occupant_jid(nick);
        decision.send(Outgoing::one(Kind::Presence(PresenceType::Unavailable), from, content, to.clone()));
    }
}
