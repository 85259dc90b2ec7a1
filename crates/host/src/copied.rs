//! Which of a session's messages were copied to the account's other sessions (XEP-0280): an error is copied if the message that it
//! answers was. Only the last few are remembered; a session that copies nothing has none of this.

/// How many messages are remembered. An error that comes later than this is for its own session alone.
pub const REMEMBERED: usize = 32;

/// Numbers of the last messages that were copied.
#[derive(Debug, Default)]
pub struct Copied {
    messages: [u64; REMEMBERED],
    next: usize,
}

impl Copied {
    /// Remembers a message by its number, which is not 0, in the place of the oldest.
    pub fn note(&mut self, message: u64) {
        self.messages[self.next] = message;
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// Whether it is remembered.
    pub fn holds(&self, message: u64) -> bool {
        message != 0 && self.messages.contains(&message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_are_remembered() {
        let mut copied = Copied::default();
        assert!(!copied.holds(0) && !copied.holds(1));
        for message in 1..=REMEMBERED as u64 + 1 {
            copied.note(message);
        }
        assert!(!copied.holds(1) && copied.holds(2) && copied.holds(REMEMBERED as u64 + 1));
    }
}
