//! Presence types (RFC 6121 section 4.7.1).

/// What a presence stanza says or asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceType {
    /// The sender is there; written without a type.
    Available,
    /// The sender is there no longer.
    Unavailable,
    /// Asks to see the recipient's presence.
    Subscribe,
    /// Lets the recipient see the sender's presence.
    Subscribed,
    /// Ends the sender's subscription.
    Unsubscribe,
    /// Ends the recipient's subscription, or denies one.
    Unsubscribed,
    /// Asks for the current presence; between servers only.
    Probe,
    /// An error about an earlier presence.
    Error,
}

impl PresenceType {
    /// Reads the attribute; `None` if it is unknown.
    pub fn of(attr: Option<&str>) -> Option<PresenceType> {
        match attr {
            None => Some(PresenceType::Available),
            Some("unavailable") => Some(PresenceType::Unavailable),
            Some("subscribe") => Some(PresenceType::Subscribe),
            Some("subscribed") => Some(PresenceType::Subscribed),
            Some("unsubscribe") => Some(PresenceType::Unsubscribe),
            Some("unsubscribed") => Some(PresenceType::Unsubscribed),
            Some("probe") => Some(PresenceType::Probe),
            Some("error") => Some(PresenceType::Error),
            Some(_) => None,
        }
    }

    /// The attribute; none for available.
    pub fn as_attr(self) -> Option<&'static str> {
        match self {
            PresenceType::Available => None,
            PresenceType::Unavailable => Some("unavailable"),
            PresenceType::Subscribe => Some("subscribe"),
            PresenceType::Subscribed => Some("subscribed"),
            PresenceType::Unsubscribe => Some("unsubscribe"),
            PresenceType::Unsubscribed => Some("unsubscribed"),
            PresenceType::Probe => Some("probe"),
            PresenceType::Error => Some("error"),
        }
    }
}

/// The priority of a presence (RFC 6121 section 4.7.2.3): 0 if it says none, `None` if it is not a number from -128 to 127.
pub fn priority(content: &crate::xml::Content) -> Option<i8> {
    match content.child(crate::ns::CLIENT, "priority") {
        Some(child) => child.text().trim().parse().ok(),
        None => Some(0),
    }
}
