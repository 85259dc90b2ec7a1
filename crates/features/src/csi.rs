//! XEP-0352: Client State Indication: a client says when nobody looks at it, and is spared what can wait. What can wait is decided here,
//! `route::csi` takes what clients say, and the client's outbox holds what waits (`host::outbox`). Keeps nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use metronome_host::activity::{Activity, Fate, Passing, Sparing};
use metronome_host::feature::{Feature, Inline, StreamFeature, StreamState, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::{Kind as Of, Setting};
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_host::switches::{Position, Switch, Switches};
use metronome_proto::ns;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::{Child, Tree};

/// What becomes of chat states.
pub const CHAT_STATES: Setting = Setting::new(
    "csi.chat_states",
    Of::Choice(&["drop", "hold", "send"]),
    "\"drop\"",
    "What becomes of chat states for clients that nobody looks at: they are dropped, or the last of each conversation waits, or they \
     are sent at once. Accounts may choose between the first two.",
)
.per_host();

/// What becomes of messages of rooms.
pub const ROOMS: Setting = Setting::new(
    "csi.rooms",
    Of::Choice(&["mentions", "all"]),
    "\"mentions\"",
    "Which messages of rooms are sent at once to clients that nobody looks at: those that mention the owner's nickname, or all. The others \
     wait. Accounts may choose otherwise.",
)
.per_host();

/// How much waits.
pub const HELD: Setting = Setting::new(
    "csi.held",
    Of::Count { min: 1, max: 2000 },
    "300",
    "With this many stanzas waiting for a client that nobody looks at, all of them are sent.",
)
.per_host();

/// The settings of client states.
pub const SETTINGS: &[Setting] = &[CHAT_STATES, ROOMS, HELD];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "csi",
    xeps: &[Xep::new(352, "1.0.0", "Client State Indication")],
    stream: &[StreamFeature {
        when: StreamState::Authenticated,
        announce: |_, _| Some(Tree::new(ns::CSI, "csi")),
    }],
    bind2: &[Inline { ns: ns::CSI, name: "active", ask: at_login }, Inline { ns: ns::CSI, name: "inactive", ask: at_login }],
    settings: SETTINGS,
    ..Feature::NONE
};

/// XEP-0386 section 3.2; there is no answer.
fn at_login(server: &Arc<Server>, session: &Arc<Session>, said: &Child<'_>) -> Option<Tree> {
    if let Some(activity) = activity(server, session, said.name()) {
        session.set_activity(activity);
    }
    None
}

/// What a client says of itself by the name of an element, with what it is spared by the rules of this moment.
pub fn activity(server: &Server, session: &Session, name: &str) -> Option<Activity> {
    match name {
        "active" => Some(Activity::Active),
        "inactive" => {
            let host = server.hosts.load().get(session.jid.domain()).cloned()?;
            // Read at the login; if that was forgotten meanwhile, as it is installed.
            let facts = server.facts.peek(session.jid.bare_str()).flatten();
            let switches = facts.map(|facts| facts.switches).unwrap_or_default();
            Some(Activity::Inactive(sparing(&host, switches)))
        }
        _ => None,
    }
}

/// How a client of this account is spared.
pub fn sparing(host: &Host, switches: Switches) -> Sparing {
    let chat_states = match (switches.get(Switch::InactiveChatStates), host.values.text(&CHAT_STATES)) {
        (Some(Position::On), _) | (None, "hold") => Fate::Held,
        (None, "send") => Fate::Sent,
        _ => Fate::Dropped,
    };
    let rooms = match (switches.get(Switch::InactiveRooms), host.values.text(&ROOMS)) {
        (Some(Position::Off), _) | (None, "all") => Fate::Sent,
        _ => Fate::Held,
    };
    Sparing { chat_states, rooms, held_max: host.values.count(&HELD) as usize }
}

/// Whether a message matters to a person who does not look, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it is if it does not; none if it does.
    pub passing: Option<Passing>,
    /// The rule that decided.
    pub why: &'static str,
}

/// Whether a message matters at once. Those of a room still do if they mention the owner (see [`mentions`]).
pub fn decide(stanza: &Stanza) -> Decision {
    let is = |passing, why| Decision { passing, why };
    let Kind::Message(kind) = stanza.kind else { return is(None, "only messages are judged here") };
    let has_body = stanza.has(ns::CLIENT, "body");
    match kind {
        MessageType::Error => is(None, "an error answers what the client has done"),
        _ if !has_body && is_chat_state(stanza) => is(Some(Passing::ChatState(key_of(stanza))), "it is a chat state alone"),
        MessageType::Groupchat => is(Some(Passing::Room), "it is a room's"),
        MessageType::Headline if !has_body && stanza.has(ns::PUBSUB_EVENT, "event") => {
            is(Some(Passing::Event), "it is an event without words")
        }
        MessageType::Chat | MessageType::Normal | MessageType::Headline => is(None, "it may matter"),
    }
}

/// Whether nothing is in it but a chat state and what goes along with one.
fn is_chat_state(stanza: &Stanza) -> bool {
    let mut found = false;
    for child in stanza.content.iter() {
        match child.ns() {
            ns::CHAT_STATES => found = true,
            ns::HINTS | ns::STANZA_ID | ns::CARBONS | ns::NICK => {}
            ns::CLIENT if child.name() == "thread" => {}
            ns::MUC_USER => {}
            _ => return false,
        }
    }
    found
}

/// Of chat states of one conversation only the last matters.
fn key_of(stanza: &Stanza) -> u64 {
    let mut hasher = DefaultHasher::new();
    ("chat state", stanza.from.as_str(), stanza.to.as_ref().map(|to| to.bare_str())).hash(&mut hasher);
    hasher.finish()
}

/// Whether a room's message mentions the person who is in it under this nickname.
pub fn mentions(stanza: &Stanza, nick: Option<&str>) -> bool {
    let (Some(nick), Some(body)) = (nick.filter(|nick| !nick.is_empty()), stanza.child(ns::CLIENT, "body")) else {
        return false;
    };
    let (body, nick) = (body.text().to_lowercase(), nick.to_lowercase());
    // A word of its own: `al` is not meant by `also`.
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    body.match_indices(&nick).any(|(at, found)| {
        is_edge(body[..at].chars().next_back()) && is_edge(body[at + found.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use metronome_host::options::Values;
    use metronome_host::registry::Registry;
    use metronome_proto::jid::Jid;
    use metronome_proto::xml::Content;

    use super::*;

    fn message(kind: MessageType, content: &str) -> Stanza {
        Stanza::new(Kind::Message(kind), Jid::parse("room@muc.localhost/alice").unwrap())
            .with_to(Jid::parse("bob@localhost/phone").unwrap())
            .with_content(Content::parse(content.as_bytes()).unwrap())
    }

    #[test]
    fn what_matters_to_a_person_who_does_not_look() {
        const STATE: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        const EVENT: &str = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";
        let table: &[(MessageType, String, &str)] = &[
            (MessageType::Chat, "<body>hi</body>".into(), "now"),
            (MessageType::Normal, "<body>hi</body>".into(), "now"),
            (MessageType::Headline, "<body>hi</body>".into(), "now"),
            (MessageType::Chat, STATE.into(), "state"),
            (MessageType::Normal, STATE.into(), "state"),
            (MessageType::Chat, format!("{STATE}<thread>t</thread><no-store xmlns='urn:xmpp:hints'/>"), "state"),
            (MessageType::Groupchat, STATE.into(), "state"),
            (MessageType::Chat, format!("{STATE}<body>hi</body>"), "now"),
            (MessageType::Chat, format!("{STATE}<received xmlns='urn:xmpp:receipts' id='1'/>"), "now"),
            (MessageType::Chat, "<encrypted xmlns='urn:xmpp:omemo:2'/>".into(), "now"),
            (MessageType::Chat, "<ringing xmlns='urn:xmpp:jingle-message:0' id='1'/>".into(), "now"),
            (MessageType::Chat, String::new(), "now"),
            (MessageType::Groupchat, "<body>hi</body>".into(), "room"),
            (MessageType::Groupchat, "<subject>hi</subject>".into(), "room"),
            (MessageType::Headline, EVENT.into(), "event"),
            (MessageType::Headline, format!("{EVENT}<body>hi</body>"), "now"),
            (MessageType::Error, STATE.into(), "now"),
        ];
        for (kind, content, expected) in table {
            let found = match decide(&message(*kind, content)).passing {
                None => "now",
                Some(Passing::ChatState(_)) => "state",
                Some(Passing::Room) => "room",
                Some(Passing::Event) => "event",
            };
            assert_eq!(found, *expected, "{kind:?} {content}");
        }
    }

    #[test]
    fn a_nickname_is_meant_where_it_is_a_word() {
        let says = |body: &str, nick: Option<&str>| {
            mentions(&message(MessageType::Groupchat, &format!("<body>{body}</body>")), nick)
        };
        for body in ["Zoë: look", "look, zoë!", "ZOË", "(zoë)"] {
            assert!(says(body, Some("Zoë")), "{body}");
        }
        for body in ["zoëtrope", "hizoë", "nobody", ""] {
            assert!(!says(body, Some("Zoë")), "{body}");
        }
        assert!(says("it is also al", Some("al")) && !says("also", Some("al")));
        assert!(!says("anything", None) && !says("anything", Some("")));
    }

    #[test]
    fn the_owner_chooses_otherwise_than_the_host() {
        let sparing = |settings: &[(&str, &str)], documents: &[metronome_model::Document]| {
            let defaults = Values::defaults(&[metronome_host::hosts::SETTINGS, SETTINGS]);
            let values = settings.iter().fold(defaults, |values, (key, text)| values.with(key, text));
            let host = Host::new(Jid::parse("localhost").unwrap(), values, Arc::new(Registry::new(&[])), None);
            let sparing = super::sparing(&host, Switches::from_documents(documents));
            (sparing.chat_states, sparing.rooms)
        };
        let set = |switch: Switch, position| switch.document(Some(position));
        assert_eq!(sparing(&[], &[]), (Fate::Dropped, Fate::Held));
        assert_eq!(sparing(&[("csi.chat_states", "\"hold\""), ("csi.rooms", "\"all\"")], &[]), (Fate::Held, Fate::Sent));
        assert_eq!(sparing(&[("csi.chat_states", "\"send\"")], &[]), (Fate::Sent, Fate::Held));
        let other = [set(Switch::InactiveChatStates, Position::On), set(Switch::InactiveRooms, Position::Off)];
        assert_eq!(sparing(&[], &other), (Fate::Held, Fate::Sent));
        let other = [set(Switch::InactiveChatStates, Position::Off), set(Switch::InactiveRooms, Position::On)];
        assert_eq!(sparing(&[("csi.chat_states", "\"send\""), ("csi.rooms", "\"all\"")], &other), (Fate::Dropped, Fate::Held));
    }
}
