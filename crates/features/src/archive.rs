//! What is stored of a message, and for how long: XEP-0334 hints, XEP-0160 section 3 and what today's clients send without a body.
//! Called from `route::message` for both sides of every message; one row per account, with an id that only grows.

use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Feature, Xep};
use metronome_host::hosts::Keeps;
use metronome_host::session::Session;
use metronome_model::{AccountId, Direction, Keep, Op};
use metronome_proto::ns;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::Child;

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

/// Payloads that matter though the message has no body. Of encrypted messages the body is a fallback at best; calls are told of
/// those events that belong into a history.
const WORTHY: &[(&str, &str)] = &[
    (ns::RECEIPTS, "received"),
    (ns::CHAT_MARKERS, "received"),
    (ns::CHAT_MARKERS, "displayed"),
    (ns::CHAT_MARKERS, "acknowledged"),
    (ns::OMEMO, "encrypted"),
    (ns::OMEMO_LEGACY, "encrypted"),
    (ns::OPENPGP, "openpgp"),
    (ns::ENCRYPTION, "encryption"),
    (ns::FILE_SHARING, "file-sharing"),
    (ns::REACTIONS, "reactions"),
    (ns::RETRACT, "retract"),
    (ns::CONFERENCE, "x"),
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
        // XEP-0334 section 4.4: whoever is away is to have this one all the same.
        Kind::Message(MessageType::Headline) if stanza.has(ns::HINTS, "store") => {}
        Kind::Message(MessageType::Headline) => {
            return is(Worth::Nothing, "a headline is news for those who are there");
        }
        Kind::Message(MessageType::Groupchat) => return is(Worth::Nothing, "the room keeps its own messages"),
        // Section 5: hints in an error are those of the message that it answers.
        Kind::Message(MessageType::Error) => return is(Worth::Nothing, "an error is for the session that caused it"),
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
    } else if is_mediated_invitation(stanza) {
        "it invites to a room"
    } else if let Some(why) = until_seen(stanza) {
        return is(Worth::UntilSeen, why);
    } else {
        return is(Worth::Nothing, "nothing in it outlasts the moment");
    };
    if stanza.has(ns::HINTS, "no-permanent-store") {
        return is(Worth::UntilSeen, "the sender asked for no-permanent-store");
    }
    is(Worth::Archive, worthy)
}

/// What somebody who is away has to be told once, and what has no place in a history: the events of nodes that are configured to be kept
/// (XEP-0060 section 7.1.2, notifications of the type normal), and what somebody is asked by a form, such as whether another may subscribe
/// (section 8.6).
fn until_seen(stanza: &Stanza) -> Option<&'static str> {
    if stanza.kind != Kind::Message(MessageType::Normal) {
        return None;
    }
    let asks = |x: &Child<'_>| x.attr("type").as_deref() == Some("form");
    if stanza.has(ns::PUBSUB_EVENT, "event") {
        Some("its node wants it to be kept for who is away")
    } else {
        stanza.child(ns::DATA_FORMS, "x").filter(asks).map(|_| "it asks something")
    }
}

/// Whether a room hands on an invitation, or the answer to one (XEP-0045 section 7.8.2). Rooms also tell their occupants about themselves
/// in this element, which nobody who is away need know.
pub fn is_mediated_invitation(stanza: &Stanza) -> bool {
    let invites = |x: Child<'_>| x.child(ns::MUC_USER, "invite").or(x.child(ns::MUC_USER, "decline")).is_some();
    stanza.child(ns::MUC_USER, "x").is_some_and(invites)
}

/// The row of a session that has sent the message, unless it goes to its own account, which keeps one row of it.
pub fn keep_sent(env: &mut Envelope, session: &Session, keeps: Keeps, decision: Decision, at_ms: u64) {
    let archived = decision.worth == Worth::Archive && keeps == Keeps::Archive;
    if archived && env.destination != Destination::OwnAccount && !session.is_guest() {
        env.sent_row = Some(env.record.ops.len());
        env.record.push(Op::Append {
            owner: session.account,
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

#[cfg(test)]
mod tests {
    use metronome_proto::jid::Jid;
    use super::*;

    #[test]
    fn a_record_has_the_rows_that_the_host_keeps() {
        use std::net::{IpAddr, Ipv4Addr};
        use std::sync::Arc;

        use metronome_host::envelope::Sender;
        use metronome_host::hosts::Host;
        use metronome_host::options::Values;
        use metronome_host::registry::Registry;
        use metronome_host::session::Bound;
        use metronome_host::sessions::Sessions;
        use metronome_proto::stanza::Stanza;

        let (alice, bob) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let session = {
            let bound = Bound {
                jid: Jid::parse("alice@localhost/a").unwrap(),
                account: alice,
                since_ms: 0,
                heard_ms: 0,
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: 5,
                mechanism: "PLAIN",
            };
            let rules = metronome_host::sessions::BindRules {
                sessions_max: 1,
                conflict: metronome_host::sessions::Conflict::KickOld,
            };
            Sessions::default().bind(bound, rules, String::new).unwrap().session
        };
        let rows = |keeps: Keeps, worth: Worth, destination: Destination, owner: AccountId| {
            let values = Values::defaults(&[FEATURE.settings]);
            let registry = Arc::new(Registry::new(&[]));
            let mut host = Host::new(Jid::parse("localhost").unwrap(), values, registry, None);
            host.keeps = keeps;
            let stanza = Stanza::new(Kind::Message(MessageType::Chat), Jid::parse("alice@localhost/a").unwrap());
            let mut env = Envelope::new(Arc::new(host), Sender::Session(session.clone()), stanza, None);
            env.destination = destination;
            let decision = Decision { worth, why: "" };
            keep_sent(&mut env, &session, keeps, decision, 5);
            keep_received(&mut env, owner, keeps, decision, 5);
            let row = |op: &Op| match op {
                Op::Append { owner, direction, keep, unseen, .. } => (*owner, *direction, *keep, *unseen),
                _ => panic!("only rows"),
            };
            (env.record.ops.iter().map(row).collect::<Vec<_>>(), env.received_row)
        };
        let to_bob = Destination::Account(Some(bob));
        let sent = (alice, Direction::Sent, Keep::Archive, false);
        let received = |keep| (bob, Direction::Received, keep, true);
        assert_eq!(rows(Keeps::Archive, Worth::Archive, to_bob, bob), (vec![sent, received(Keep::Archive)], Some(1)));
        assert_eq!(rows(Keeps::Archive, Worth::UntilSeen, to_bob, bob), (vec![received(Keep::UntilSeen)], Some(0)));
        assert_eq!(rows(Keeps::UntilSeen, Worth::Archive, to_bob, bob), (vec![received(Keep::UntilSeen)], Some(0)));
        assert_eq!(rows(Keeps::Archive, Worth::Nothing, to_bob, bob), (vec![], None));
        assert_eq!(rows(Keeps::Nothing, Worth::Archive, to_bob, bob), (vec![], None));
        let own = (alice, Direction::Received, Keep::Archive, true);
        assert_eq!(rows(Keeps::Archive, Worth::Archive, Destination::OwnAccount, alice), (vec![own], Some(0)));
    }
}
