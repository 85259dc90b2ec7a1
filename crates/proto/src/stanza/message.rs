//! Message types (RFC 6121 section 5.2.2).

/// What a message is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A one-to-one conversation.
    Chat,
    /// A single message; also every type that is absent or unknown.
    Normal,
    /// An alert that nobody answers.
    Headline,
    /// A room's message.
    Groupchat,
    /// An error about an earlier message.
    Error,
}

impl MessageType {
    /// Reads the attribute; an absent or unknown type is `normal`.
    pub fn of(attr: Option<&str>) -> MessageType {
        match attr {
            Some("chat") => MessageType::Chat,
            Some("headline") => MessageType::Headline,
            Some("groupchat") => MessageType::Groupchat,
            Some("error") => MessageType::Error,
            _ => MessageType::Normal,
        }
    }

    /// The attribute; none for `normal`.
    pub fn as_attr(self) -> Option<&'static str> {
        match self {
            MessageType::Chat => Some("chat"),
            MessageType::Normal => None,
            MessageType::Headline => Some("headline"),
            MessageType::Groupchat => Some("groupchat"),
            MessageType::Error => Some("error"),
        }
    }
}
