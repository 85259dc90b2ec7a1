//! What a room writes into stanzas, and what it takes out of those of its occupants: nobody may speak for the room.

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::stanza_id;
use metronome_proto::xml::{Child, Content, Tree};

/// What somebody sent, and behind it what the room says of it. What was sent is not read again.
pub(crate) fn join(content: &Content, trees: &[Tree]) -> Content {
    content.and(&Content::from_trees(trees))
}

/// Without what an occupant's stanza must not carry: what rooms say (section 15.4), ids of occupants (XEP-0421 section 4), ids and delays in
/// the name of the room, and tombstones (XEP-0424, XEP-0425): only an archive puts one in the place of a message, and what looked like one
/// could not be taken back.
pub(crate) fn clean(content: &Content, room: &Jid) -> Content {
    content.clone().without(|child| is_claim(child, room))
}

fn is_claim(child: &Child<'_>, room: &Jid) -> bool {
    let is_by_room = |name| child.attr(name).is_some_and(|jid| Jid::parse(&jid).is_ok_and(|jid| jid.same_bare(room)));
    match child.ns() {
        ns::MUC | ns::MUC_USER | ns::OCCUPANT_ID | ns::HATS => true,
        ns::STANZA_ID => stanza_id::is_by(child, room),
        ns::DELAY => is_by_room("from"),
        ns::RETRACT => child.name() == "retracted",
        ns::MODERATE | ns::MODERATE_0 => child.name() == "moderated",
        _ => false,
    }
}
