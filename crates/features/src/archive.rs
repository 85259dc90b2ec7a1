//! What is stored of a message, and for how long: XEP-0334 hints, XEP-0160 section 3 and what today's clients send without a body.
//! Called from `route::message` for both sides of every message; one row per account, with an id that only grows.

use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Feature, Xep};
use metronome_host::hosts::Keeps;
use metronome_model::{AccountId, Direction, Keep, Op};
use metronome_proto::ns;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "archive",
    xeps: &[Xep::new(334, "0.4.0", "Message Processing Hints")],
    disco: &[ns::HINTS],
    settings: metronome_host::hosts::SETTINGS,
    ..Feature::NONE
};

/// How long a message is worth keeping, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What to keep.
    pub worth: Worth,
    /// The rule that decided, for the log.
    pub why: &'static str,
}

/// How long a message is worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Both sides' archives.
    Archive,
    /// Only until the recipient has seen it.
    UntilSeen,
    /// Only those who are online now.
    Nothing,
}

/// Payloads that matter though the message has no body.
const WORTHY: &[(&str, &str)] = &[
    (ns::RECEIPTS, "received"),
    (ns::CHAT_MARKERS, "received"),
    (ns::CHAT_MARKERS, "displayed"),
    (ns::CHAT_MARKERS, "acknowledged"),
    (ns::OMEMO, "encrypted"),
    (ns::OMEMO_LEGACY, "encrypted"),
    (ns::OPENPGP, "openpgp"),
    (ns::REACTIONS, "reactions"),
    (ns::RETRACT, "retract"),
    (ns::CONFERENCE, "x"),
    (ns::MUC_USER, "x"),
    (ns::JINGLE_MESSAGE, "propose"),
    (ns::JINGLE_MESSAGE, "retract"),
    (ns::JINGLE_MESSAGE, "accept"),
    (ns::JINGLE_MESSAGE, "reject"),
    (ns::JINGLE_MESSAGE, "finish"),
];

/// What of this message is worth keeping.
pub fn decide(stanza: &Stanza) -> Decision {
    let is = |worth, why| Decision { worth, why };
    match stanza.kind {
        Kind::Message(MessageType::Chat | MessageType::Normal) => {}
        Kind::Message(MessageType::Headline) => return is(Worth::Nothing, "a headline is news for those who are there"),
        Kind::Message(MessageType::Groupchat) => return is(Worth::Nothing, "the room keeps its own messages"),
        _ => return is(Worth::Nothing, "only messages are kept"),
    }
    if stanza.has(ns::HINTS, "no-store") {
        return is(Worth::Nothing, "the sender asked for no-store");
    }
    let worthy = if stanza.has(ns::CLIENT, "body") {
        "it has a body"
    } else if stanza.has(ns::HINTS, "store") {
        "the sender asked for store"
    } else if stanza.has(ns::CLIENT, "subject") {
        "it has a subject"
    } else if WORTHY.iter().any(|(ns, name)| stanza.has(ns, name)) {
        "its payload matters without a body"
    } else {
        return is(Worth::Nothing, "nothing in it outlasts the moment");
    };
    if stanza.has(ns::HINTS, "no-permanent-store") {
        return is(Worth::UntilSeen, "the sender asked for no-permanent-store");
    }
    is(Worth::Archive, worthy)
}

/// The sender's row, unless the message goes to the sender's own account, which keeps one row of it.
pub fn keep_sent(env: &mut Envelope, decision: Decision, at_ms: u64) {
    let archived = decision.worth == Worth::Archive && env.host.keeps == Keeps::Archive;
    if archived && env.destination != Destination::OwnAccount {
        env.record.push(Op::Append {
            owner: env.sender.account,
            at_ms,
            direction: Direction::Sent,
            keep: Keep::Archive,
            unseen: false,
            stanza: env.stanza.clone(),
        });
    }
}

/// The recipient's row: unseen until a client has proved that it has the message.
pub fn keep_received(env: &mut Envelope, owner: AccountId, keeps: Keeps, decision: Decision, at_ms: u64) {
    let keep = match (decision.worth, keeps) {
        (Worth::Nothing, _) | (_, Keeps::Nothing) => return,
        (Worth::Archive, Keeps::Archive) => Keep::Archive,
        (Worth::UntilSeen, _) | (_, Keeps::UntilSeen) => Keep::UntilSeen,
    };
    let appends = env.record.ops.len();
    env.received_row = Some(appends);
    env.record.push(Op::Append {
        owner,
        at_ms,
        direction: Direction::Received,
        keep,
        unseen: true,
        stanza: env.stanza.clone(),
    });
}
