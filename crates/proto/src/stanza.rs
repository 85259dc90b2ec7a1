//! Stanzas (RFC 6120 section 8): the head as values, the content as shared bytes with an index. `net` reads a `Received`
//! from each element of a stream and stamps it with the sender that was authenticated; only the `Stanza` that comes out
//! can be routed. A fan-out writes a head per recipient before one shared content.

pub mod error;
pub mod iq;
pub mod message;
pub mod presence;
mod received;
#[cfg(test)]
mod tests;

pub use error::StanzaError;
pub use iq::IqType;
pub use message::MessageType;
pub use presence::PresenceType;
pub use received::{Received, Refused, Unreadable};

use crate::jid::Jid;
use crate::xml::{Child, Content, write};

/// A message whose content is longer than this is not sent back with its error (RFC 6120 section 8.3.1 leaves the choice).
pub const ECHO_BYTES_MAX: usize = 1024;

/// The three stanzas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

impl Name {
    /// The name of its element.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Message => "message",
            Name::Presence => "presence",
            Name::Iq => "iq",
        }
    }

    /// The stanza with this name.
    pub fn of(name: &str) -> Option<Name> {
        match name {
            "message" => Some(Name::Message),
            "presence" => Some(Name::Presence),
            "iq" => Some(Name::Iq),
            _ => None,
        }
    }

    /// The kind that answers this one with an error.
    pub fn error(self) -> Kind {
        match self {
            Name::Message => Kind::Message(MessageType::Error),
            Name::Presence => Kind::Presence(PresenceType::Error),
            Name::Iq => Kind::Iq(IqType::Error),
        }
    }
}

/// Which stanza, with its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 6121 section 5.
    Message(MessageType),
    /// RFC 6121 section 4, and section 3 for subscriptions.
    Presence(PresenceType),
    /// RFC 6120 section 8.2.3.
    Iq(IqType),
}

impl Kind {
    /// The stanza's name.
    pub fn name(self) -> Name {
        match self {
            Kind::Message(_) => Name::Message,
            Kind::Presence(_) => Name::Presence,
            Kind::Iq(_) => Name::Iq,
        }
    }

    /// The value of the attribute `type`; none where its absence says it.
    pub fn type_attr(self) -> Option<&'static str> {
        match self {
            Kind::Message(kind) => kind.as_attr(),
            Kind::Presence(kind) => kind.as_attr(),
            Kind::Iq(kind) => Some(kind.as_str()),
        }
    }

    /// Whether it reports an error.
    pub fn is_error(self) -> bool {
        self == self.name().error()
    }

    /// Whether an error may be sent back for it: not for errors and results (RFC 6120 section 8.3.1).
    pub fn may_be_answered_with_error(self) -> bool {
        !self.is_error() && self != Kind::Iq(IqType::Result)
    }
}

/// A stanza whose sender is known to be who it says: the only one that can be routed. A clone copies no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    /// Which stanza, with its type.
    pub kind: Kind,
    /// The sender, set by this server or checked against what a remote may say.
    pub from: Jid,
    /// The recipient; without one it is for the sender's own account.
    pub to: Option<Jid>,
    /// The sender's id for it. Unchecked text, as long as a stanza may be.
    pub id: Option<Box<str>>,
    /// `xml:lang`.
    pub lang: Option<Box<str>>,
    /// The children.
    pub content: Content,
}

impl Stanza {
    /// A stanza without anything else yet.
    pub fn new(kind: Kind, from: Jid) -> Stanza {
        Stanza { kind, from, to: None, id: None, lang: None, content: Content::empty() }
    }

    /// Sets the recipient.
    #[must_use]
    pub fn with_to(mut self, to: Jid) -> Stanza {
        self.to = Some(to);
        self
    }

    /// Sets the id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Stanza {
        self.id = Some(id.into());
        self
    }

    /// Sets the content.
    #[must_use]
    pub fn with_content(mut self, content: Content) -> Stanza {
        self.content = content;
        self
    }

    /// Whether there is a child with this namespace and name; parses nothing.
    pub fn has(&self, ns: &str, name: &str) -> bool {
        self.content.has(ns, name)
    }

    /// The first child with this namespace and name.
    pub fn child(&self, ns: &str, name: &str) -> Option<Child<'_>> {
        self.content.child(ns, name)
    }

    /// Appends the start tag, never an empty one, so that children may follow: with this `to`, or none, instead of the
    /// stanza's own, and with `ns` declared where the stream does not do it (WebSocket, forwarded stanzas).
    pub fn write_head(&self, out: &mut Vec<u8>, to: Option<&Jid>, ns: Option<&str>) {
        self.write_open_tag(out, to, ns);
        out.push(b'>');
    }

    /// The end tag.
    pub fn tail(&self) -> &'static str {
        match self.kind.name() {
            Name::Message => "</message>",
            Name::Presence => "</presence>",
            Name::Iq => "</iq>",
        }
    }

    /// Appends the whole stanza, as it stands in a stream.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_open_tag(out, self.to.as_ref(), None);
        if self.content.is_empty() {
            out.extend_from_slice(b"/>");
            return;
        }
        out.push(b'>');
        out.extend_from_slice(self.content.bytes());
        out.extend_from_slice(self.tail().as_bytes());
    }

    /// The whole stanza, as it stands in a stream.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.content.len_bytes() + 256);
        self.write(&mut out);
        out
    }

    /// The result of this iq, from whom it was sent to.
    pub fn result(&self, content: Content) -> Stanza {
        self.answer(Kind::Iq(IqType::Result), content)
    }

    /// The error that answers this stanza, or `None` if it must not be answered: errors and results never are.
    ///
    /// The content goes back with it (RFC 6120 section 8.3.1) unless it is larger than [`ECHO_BYTES_MAX`].
    pub fn error(&self, error: &StanzaError) -> Option<Stanza> {
        if !self.kind.may_be_answered_with_error() {
            return None;
        }
        let echoed = if self.content.len_bytes() <= ECHO_BYTES_MAX { self.content.clone() } else { Content::empty() };
        Some(self.answer(self.kind.name().error(), echoed.with(&error.tree())))
    }

    /// From the recipient, or the sender's own account, back to the sender.
    fn answer(&self, kind: Kind, content: Content) -> Stanza {
        let from = self.to.clone().unwrap_or_else(|| self.from.bare());
        let to = Some(self.from.clone());
        Stanza { kind, from, to, id: self.id.clone(), lang: None, content }
    }

    fn write_open_tag(&self, out: &mut Vec<u8>, to: Option<&Jid>, ns: Option<&str>) {
        out.push(b'<');
        out.extend_from_slice(self.kind.name().as_str().as_bytes());
        let attributes = [
            ("xmlns", ns),
            ("from", Some(self.from.as_str())),
            ("to", to.map(Jid::as_str)),
            ("id", self.id.as_deref()),
            ("type", self.kind.type_attr()),
            ("xml:lang", self.lang.as_deref()),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                write::attribute(out, name, value);
            }
        }
    }
}
