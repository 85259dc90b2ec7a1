//! A stanza as it was sent: read from an element of a stream, its `from` only a claim. What is wrong with it is found
//! here, once (RFC 6120 sections 8.1 and 8.2.3), so that nobody behind has to look again.

use super::error::Condition;
use super::{IqType, Kind, MessageType, Name, PresenceType, Stanza, StanzaError};
use crate::jid::Jid;
use crate::xml::{Content, Element};

/// A stanza just read. It cannot be routed: [`Received::stamp`] gives it a sender that was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Which stanza, with its type.
    pub kind: Kind,
    /// The recipient.
    pub to: Option<Jid>,
    /// Who the sender says to be: only a claim.
    pub from: Option<Jid>,
    /// The sender's id for it.
    pub id: Option<Box<str>>,
    /// `xml:lang`.
    pub lang: Option<Box<str>>,
    /// The children.
    pub content: Content,
}

/// An element that is not a stanza one could route.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// Another top-level element: part of a negotiation, or an `unsupported-stanza-type`.
    NotStanza(Element),
    /// `from` is not an address: `invalid-from` on a client's stream (section 8.1.2.1), `improper-addressing` between
    /// servers.
    BadFrom,
    /// A stanza that its sender gets back as an error, if [`Refused::into_reply`] gives one.
    Refused(Box<Refused>),
}

/// What is known of a stanza that was refused while it was read.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Which stanza.
    pub name: Name,
    /// Its id.
    pub id: Option<Box<str>>,
    /// The recipient, if that is an address.
    pub to: Option<Jid>,
    /// The claimed sender.
    pub from: Option<Jid>,
    /// What is wrong.
    pub error: StanzaError,
    /// The value of its `type` says that it is itself an answer, so it gets none.
    pub is_answer: bool,
}

impl Refused {
    /// The error for the sender, `to`; `server` speaks where the stanza has no usable recipient.
    /// `None` if it must not be answered.
    pub fn into_reply(self, server: Jid, to: Jid) -> Option<Stanza> {
        if self.is_answer {
            return None;
        }
        let mut reply = Stanza::new(self.name.error(), self.to.unwrap_or(server)).with_to(to);
        reply.id = self.id;
        Some(reply.with_content(Content::from_tree(&self.error.tree())))
    }
}

/// The attributes of a stanza's head, as text.
#[derive(Default)]
struct Head {
    to: Option<Result<Jid, ()>>,
    from: Option<Result<Jid, ()>>,
    id: Option<Box<str>>,
    lang: Option<Box<str>>,
    kind: Option<TypeAttr>,
}

/// The attribute `type` by length-bounded copy: every known type is shorter.
type TypeAttr = smallvec::SmallVec<[u8; 16]>;

impl Head {
    fn read(element: &Element) -> Head {
        let mut head = Head::default();
        for (prefix, name, value) in element.attributes() {
            match (prefix, name) {
                ("", "to") => head.to = Some(Jid::parse(&value).map_err(|_| ())),
                ("", "from") => head.from = Some(Jid::parse(&value).map_err(|_| ())),
                ("", "id") => head.id = Some(value.into()),
                ("", "type") => head.kind = Some(value.as_bytes().iter().copied().take(16).collect()),
                ("xml", "lang") => head.lang = Some(value.into()),
                _ => {}
            }
        }
        head
    }

    fn type_attr(&self) -> Option<&str> {
        self.kind.as_ref().map(|kind| std::str::from_utf8(kind).unwrap_or("?"))
    }
}

impl Received {
    /// Reads an element of a stream whose stanzas are in `stream_ns`.
    // The error is no larger than the stanza, and a negotiation's elements would pay for a box.
    #[allow(clippy::result_large_err)]
    pub fn read(element: Element, stream_ns: &str) -> Result<Received, Unreadable> {
        let Some(name) = Name::of(element.name()).filter(|_| element.ns() == stream_ns) else {
            return Err(Unreadable::NotStanza(element));
        };
        let head = Head::read(&element);
        let content = element.into_content().of_stanza();
        let from = match head.from {
            Some(Err(())) => return Err(Unreadable::BadFrom),
            Some(Ok(ref from)) => Some(from.clone()),
            None => None,
        };
        match check(name, &head, &content) {
            Ok(kind) => {
                let to = head.to.and_then(Result::ok);
                Ok(Received { kind, to, from, id: head.id, lang: head.lang, content })
            }
            Err(condition) => Err(Unreadable::Refused(Box::new(Refused {
                name,
                is_answer: is_answer(name, head.type_attr()),
                id: head.id.filter(|id| id.len() <= ATTRIBUTE_BYTES_MAX),
                to: head.to.and_then(Result::ok),
                from,
                error: condition.into(),
            }))),
        }
    }

    /// Makes it a stanza of this sender; the claim is forgotten.
    pub fn stamp(self, from: Jid) -> Stanza {
        Stanza { kind: self.kind, from, to: self.to, id: self.id, lang: self.lang, content: self.content }
    }
}

/// Longest `id` and `xml:lang`, in bytes: they are copied into every answer and for every recipient.
const ATTRIBUTE_BYTES_MAX: usize = 1023;

fn is_too_long(text: &Option<Box<str>>) -> bool {
    text.as_ref().is_some_and(|text| text.len() > ATTRIBUTE_BYTES_MAX)
}

/// The rules for each stanza: RFC 6120 section 8.2, RFC 6121 sections 4.7.1 and 5.2.2.
fn check(name: Name, head: &Head, content: &Content) -> Result<Kind, Condition> {
    let kind = match name {
        Name::Message => Kind::Message(MessageType::of(head.type_attr())),
        Name::Presence => Kind::Presence(PresenceType::of(head.type_attr()).ok_or(Condition::BadRequest)?),
        Name::Iq => Kind::Iq(IqType::of(head.type_attr()).ok_or(Condition::BadRequest)?),
    };
    if is_too_long(&head.id) || is_too_long(&head.lang) {
        return Err(Condition::PolicyViolation);
    }
    if let Kind::Iq(kind) = kind {
        let children = content.count();
        let is_right = match kind {
            IqType::Get | IqType::Set => children == 1,
            IqType::Result => children <= 1,
            IqType::Error => children >= 1,
        };
        if head.id.is_none() || !is_right {
            return Err(Condition::BadRequest);
        }
    }
    match head.to {
        Some(Err(())) => Err(Condition::JidMalformed),
        _ => Ok(kind),
    }
}

fn is_answer(name: Name, kind: Option<&str>) -> bool {
    kind == Some("error") || (name == Name::Iq && kind == Some("result"))
}
