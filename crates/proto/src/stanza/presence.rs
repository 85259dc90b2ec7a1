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

/// How available somebody is (RFC 6121 section 4.7.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Show {
    /// Not there for a while.
    Away,
    /// Eager to talk.
    Chat,
    /// Not to be disturbed.
    Dnd,
    /// There, and nothing more is said.
    Online,
    /// Not there for a long while.
    Xa,
}

impl Show {
    /// What an available presence shows; what is not known is nothing more.
    pub fn of(content: &crate::xml::Content) -> Show {
        let show = content.child(crate::ns::CLIENT, "show").and_then(|show| Show::parse(show.text().trim()));
        show.unwrap_or(Show::Online)
    }

    /// Reads its name; that of [`Show::Online`] is not written in presence, but elsewhere.
    pub fn parse(name: &str) -> Option<Show> {
        match name {
            "away" => Some(Show::Away),
            "chat" => Some(Show::Chat),
            "dnd" => Some(Show::Dnd),
            "online" => Some(Show::Online),
            "xa" => Some(Show::Xa),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Show::Away => "away",
            Show::Chat => "chat",
            Show::Dnd => "dnd",
            Show::Online => "online",
            Show::Xa => "xa",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    #[test]
    fn what_is_shown_is_one_of_five() {
        let of = |xml: &str| Show::of(&Content::parse(xml.as_bytes()).unwrap());
        for show in [Show::Away, Show::Chat, Show::Dnd, Show::Xa] {
            assert_eq!(of(&format!("<show>{}</show>", show.name())), show);
        }
        assert_eq!((of(""), of("<show>busy</show>")), (Show::Online, Show::Online));
        assert_eq!(Show::parse("online"), Some(Show::Online));
    }
}
