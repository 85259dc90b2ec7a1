//! Which stored messages are worth waking a device for (XEP-0357 section 6). A push tells that there is something new for a person: what
//! only tells clients about messages that are known already waits until a client asks.

use metronome_proto::ns;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};

use crate::archive;

/// Whether a message is pushed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What services are told.
    pub tells: Tells,
    /// The rule that decided, for the log.
    pub why: &'static str,
}

/// What services are told of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// That it is there; what it says if that may be told at all.
    Words,
    /// That it is there. What it says nobody on the way can know, or it says nothing.
    Arrival,
    /// Nothing.
    Nothing,
}

/// Payloads whose arrival is news without a body.
const NEWS: &[(&str, &str)] = &[
    (ns::REACTIONS, "reactions"),
    (ns::JINGLE_MESSAGE, "propose"),
    // A phone that rings must know that it need not any more.
    (ns::JINGLE_MESSAGE, "retract"),
    (ns::CONFERENCE, "x"),
    (ns::FILE_SHARING, "file-sharing"),
];

/// Payloads that make a body a fallback which says that there is something else.
const SECRET: &[(&str, &str)] = &[
    (ns::OMEMO, "encrypted"),
    (ns::OMEMO_LEGACY, "encrypted"),
    (ns::OPENPGP, "openpgp"),
    (ns::ENCRYPTION, "encryption"),
];

/// What services are told of this message, which an account has received and which is stored for it.
pub fn decide(stanza: &Stanza) -> Decision {
    let is = |tells, why| Decision { tells, why };
    match stanza.kind {
        Kind::Message(MessageType::Chat | MessageType::Normal | MessageType::Headline) => {}
        _ => return is(Tells::Nothing, "only messages of people are pushed"),
    }
    let holds = |list: &[(&str, &str)]| list.iter().any(|(ns, name)| stanza.has(ns, name));
    if stanza.has(ns::HINTS, "no-store") {
        is(Tells::Nothing, "the sender asked for no-store")
    } else if stanza.has(ns::RETRACT, "retract") {
        is(Tells::Nothing, "it takes back what was said")
    } else if holds(SECRET) {
        is(Tells::Arrival, "it is encrypted")
    } else if has_text(stanza, "body") {
        is(Tells::Words, "it has a body")
    } else if has_text(stanza, "subject") {
        is(Tells::Arrival, "it has a subject")
    } else if holds(NEWS) || archive::is_mediated_invitation(stanza) {
        is(Tells::Arrival, "its payload is news without a body")
    } else {
        is(Tells::Nothing, "there is nothing new in it for a person")
    }
}

fn has_text(stanza: &Stanza, name: &str) -> bool {
    stanza.child(ns::CLIENT, name).is_some_and(|element| !element.text().is_empty())
}
