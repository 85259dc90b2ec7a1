//! XEP-0280: Message Carbons: a person's other devices get copies of what one of them sends and receives. What is copied is decided here;
//! `route::copies` says who gets a copy and hands it out. Keeps one mark on a session, stores nothing.

use std::future::ready;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, Handle, Inline, IqHandler, Xep};
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::{Carbons, Session};
use metronome_model::Direction;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::{Child, Content, Tree, write};

use crate::archive;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "carbons",
    xeps: &[Xep::new(280, "1.0.1", "Message Carbons")],
    disco: &[ns::CARBONS, ns::CARBONS_RULES],
    bind2: &[Inline { ns: ns::CARBONS, name: "enable", ask: enabled_at_login }],
    iq: &[
        switch("enable", |_, env| Box::pin(ready(turn(env, Carbons::On)))),
        switch("disable", |_, env| Box::pin(ready(turn(env, Carbons::Off)))),
    ],
    ..Feature::NONE
};

/// In order with what the client sends to its own account before and behind it; saying it twice is no mistake (section 10.1).
const fn switch(name: &'static str, handle: Handle) -> IqHandler {
    IqHandler { kind: IqType::Set, at: At::OwnAccount, ns: ns::CARBONS, name, asks: Asks::Read, handle }
}

fn turn(env: &mut Envelope, carbons: Carbons) -> Result<(), Refuse> {
    env.effects.push(Effect::Carbons(carbons));
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// There is no answer: it cannot fail (XEP-0386 section 3.2).
fn enabled_at_login(_: &Arc<Server>, session: &Arc<Session>, _: &Child<'_>) -> Option<Tree> {
    session.set_carbons(Carbons::On);
    None
}

/// Whether a message is copied, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What the other sessions get.
    pub copies: Copies,
    /// The rule that decided, for the log.
    pub why: &'static str,
}

/// Whether the account's other sessions get copies of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Those that have asked for them.
    Made,
    /// Those, if the message that this error answers was copied (see [`number`] and [`number_answered`]).
    AsOfItsCause,
    /// None.
    None,
}

/// The rules of section 6.1, all of them, as the announced `urn:xmpp:carbons:rules:0` promises. `side` is what the account did with
/// the message whose sessions may get copies.
pub fn decide(stanza: &Stanza, side: Direction) -> Decision {
    let is = |copies, why| Decision { copies, why };
    let Kind::Message(kind) = stanza.kind else { return is(Copies::None, "only messages are copied") };
    match kind {
        MessageType::Groupchat => return is(Copies::None, "a room tells every session that is in it"),
        // What else is in it is that of the message it answers (XEP-0334 section 5).
        MessageType::Error => return is(Copies::AsOfItsCause, "an error goes the way of the message that it answers"),
        MessageType::Chat | MessageType::Normal | MessageType::Headline => {}
    }
    if stanza.has(ns::CARBONS, "private") || stanza.has(ns::HINTS, "no-copy") {
        return is(Copies::None, "the sender wants no copies");
    }
    let to_full = stanza.to.as_ref().is_some_and(Jid::is_full);
    if side == Direction::Received && to_full && stanza.has(ns::MUC_USER, "x") && !archive::is_mediated_invitation(stanza) {
        return is(Copies::None, "a room sends private messages to every session that is in it");
    }
    let why = if kind == MessageType::Chat {
        "it is of type chat"
    } else if kind == MessageType::Normal && stanza.has(ns::CLIENT, "body") {
        "it has a body"
    } else if TALK.iter().any(|(ns, name)| stanza.has(ns, name)) {
        "its payload is part of a conversation"
    } else if stanza.has(ns::CONFERENCE, "x") || archive::is_mediated_invitation(stanza) {
        "it invites to a room"
    } else {
        return is(Copies::None, "it is no part of a conversation");
    };
    is(Copies::Made, why)
}

/// Payloads that instant messaging uses: XEP-0184, XEP-0085 and XEP-0333.
const TALK: &[(&str, &str)] = &[
    (ns::RECEIPTS, "request"),
    (ns::RECEIPTS, "received"),
    (ns::CHAT_STATES, "active"),
    (ns::CHAT_STATES, "composing"),
    (ns::CHAT_STATES, "paused"),
    (ns::CHAT_STATES, "inactive"),
    (ns::CHAT_STATES, "gone"),
    (ns::CHAT_MARKERS, "markable"),
    (ns::CHAT_MARKERS, "received"),
    (ns::CHAT_MARKERS, "displayed"),
    (ns::CHAT_MARKERS, "acknowledged"),
];

/// The number by which a session remembers that this message of its own, or to it, was copied; none for one without an id, which no
/// error can name.
pub fn number(stanza: &Stanza, side: Direction) -> Option<u64> {
    let other = match side {
        Direction::Sent => stanza.to.as_ref().unwrap_or(&stanza.from),
        Direction::Received => &stanza.from,
    };
    Some(number_of(side, other, stanza.id.as_deref()?))
}

/// The number of the message that an error answers: what one side received was sent to it, the other way round.
pub fn number_answered(error: &Stanza, side: Direction) -> Option<u64> {
    Some(match side {
        Direction::Received => number_of(Direction::Sent, &error.from, error.id.as_deref()?),
        Direction::Sent => number_of(Direction::Received, error.to.as_ref()?, error.id.as_deref()?),
    })
}

fn number_of(side: Direction, other: &Jid, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (side, other.bare_str(), id).hash(&mut hasher);
    hasher.finish().max(1)
}

/// Drops what only the server may say: wrappers of copies come from one's own bare address and never from a client (section 11).
pub fn drop_claims(env: &mut Envelope) {
    let claims = ["received", "sent"];
    if claims.iter().any(|name| env.stanza.has(ns::CARBONS, name)) {
        let stanza = Arc::make_mut(&mut env.stanza);
        let content = std::mem::take(&mut stanza.content);
        stanza.content = content.without(|child| claims.iter().any(|name| child.is(ns::CARBONS, name)));
    }
}

/// A written copy without its recipient.
#[derive(Debug, Clone)]
pub struct Carbon {
    /// The start tag without its end.
    head: Bytes,
    /// The rest, shared by all recipients.
    body: Bytes,
}

impl Carbon {
    /// Writes a copy for the sessions of `account` (sections 7 and 8; XEP-0297). `before` writes what stands before the message, such
    /// as its time, `within` what the server adds to it.
    pub fn new(
        stanza: &Stanza,
        side: Direction,
        account: &Jid,
        before: impl FnOnce(&mut Vec<u8>),
        within: impl FnOnce(&mut Vec<u8>),
    ) -> Carbon {
        let name = match side {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        let mut head = Vec::with_capacity(64);
        head.extend_from_slice(b"<message");
        write::attribute(&mut head, "from", account.bare_str());
        if let Some(kind) = stanza.kind.type_attr() {
            write::attribute(&mut head, "type", kind);
        }
        let content = stanza.content.bytes();
        let mut body = Vec::with_capacity(content.len() + 512);
        body.push(b'>');
        open(&mut body, name, ns::CARBONS);
        open(&mut body, "forwarded", ns::FORWARD);
        before(&mut body);
        stanza.write_head(&mut body, stanza.to.as_ref(), Some(ns::CLIENT));
        body.extend_from_slice(content);
        within(&mut body);
        body.extend_from_slice(stanza.tail().as_bytes());
        body.extend_from_slice(format!("</forwarded></{name}></message>").as_bytes());
        Carbon { head: head.into(), body: body.into() }
    }

    /// For one session.
    pub fn to(&self, session: &Jid) -> Frame {
        let mut head = Vec::with_capacity(self.head.len() + session.as_str().len() + 6);
        head.extend_from_slice(&self.head);
        write::attribute(&mut head, "to", session.as_str());
        Frame { head: head.into(), body: self.body.clone() }
    }
}

fn open(out: &mut Vec<u8>, name: &str, ns: &str) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    write::attribute(out, "xmlns", ns);
    out.push(b'>');
}

#[cfg(test)]
mod tests {
    use metronome_proto::xml::Tree;

    use super::*;

    fn message() -> Stanza {
        let body = Content::from_tree(&Tree::new(ns::CLIENT, "body").text("hi & ho"));
        Stanza::new(Kind::Message(MessageType::Chat), Jid::parse("juliet@capulet.example/b'y").unwrap())
            .with_to(Jid::parse("romeo@montague.example/garden").unwrap())
            .with_id("m1")
            .with_content(body)
    }

    #[test]
    fn a_copy_is_from_the_bare_address_to_one_session_and_has_the_message_inside() {
        let romeo = Jid::parse("romeo@montague.example/garden").unwrap();
        let copy = Carbon::new(&message(), Direction::Received, &romeo, |_| {}, |_| {});
        let frame = copy.to(&Jid::parse("romeo@montague.example/home").unwrap());
        let text = String::from_utf8([&frame.head[..], &frame.body[..]].concat()).unwrap();
        assert_eq!(
            text,
            "<message from='romeo@montague.example' type='chat' to='romeo@montague.example/home'>\
             <received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
             <message xmlns='jabber:client' from='juliet@capulet.example/b&apos;y' to='romeo@montague.example/garden' id='m1' \
             type='chat'><body>hi &amp; ho</body></message></forwarded></received></message>"
        );
        let other = copy.to(&Jid::parse("romeo@montague.example/orchard").unwrap());
        assert_eq!(frame.body.as_ptr(), other.body.as_ptr(), "the body is shared");
    }

    #[test]
    fn an_error_names_the_message_that_it_answers() {
        let sent = message();
        let romeo = sent.to.clone().unwrap();
        let error = Stanza::new(Kind::Message(MessageType::Error), romeo.bare()).with_to(sent.from.clone()).with_id("m1");
        assert_eq!(number(&sent, Direction::Sent), number_answered(&error, Direction::Received));
        assert_eq!(number(&sent, Direction::Received), number_answered(&error, Direction::Sent));
        assert_ne!(number(&sent, Direction::Sent), number(&sent, Direction::Received));
        let other = error.with_id("m2");
        assert_ne!(number(&sent, Direction::Sent), number_answered(&other, Direction::Received));
    }
}
