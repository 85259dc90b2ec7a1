//! Whether anybody looks at a client (XEP-0352), and what it is spared while nobody does.

/// What a client says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Somebody looks at it; so it begins.
    Active,
    /// Nobody does.
    Inactive(Sparing),
}

/// How a client is spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sparing {
    /// What becomes of chat states.
    pub chat_states: Fate,
    /// What becomes of messages of rooms that do not mention the owner.
    pub rooms: Fate,
    /// With this many stanzas waiting all of them are sent.
    pub held_max: usize,
}

/// What becomes of something that does not matter while nobody looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent, and everything that waits before it.
    Sent,
    /// It waits for something that matters, or for the client.
    Held,
    /// The client never gets it.
    Dropped,
}

/// What does not matter to a person who does not look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// A chat state, of which only the latest with this key matters.
    ChatState(u64),
    /// A message of a room that does not mention the owner.
    Room,
    /// An event of which nobody need know at once.
    Event,
}

impl Sparing {
    /// What becomes of such a thing.
    pub fn fate_of(self, passing: Passing) -> Fate {
        match passing {
            Passing::ChatState(_) => self.chat_states,
            Passing::Room => self.rooms,
            Passing::Event => Fate::Held,
        }
    }
}
