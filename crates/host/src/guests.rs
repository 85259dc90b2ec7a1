//! Guests (XEP-0175) on their way in and out: the lock under which an address becomes an account and ends as one, and those whose
//! last session may have gone. Used by `features::accounts::guests`; who is there is known by the store and the table of sessions.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use metronome_model::AccountId;
use metronome_proto::jid::Jid;

use crate::owners::{Locked, Owners};
use crate::sync::Mutex;

/// See the module.
#[derive(Debug, Default)]
pub struct Guests {
    /// By address, since a guest has no id before it is let in. Taken before owners' locks and never after: nobody who holds one of
    /// those asks for one of these, so the two cannot wait for each other.
    doors: Arc<Owners>,
    left: Mutex<HashSet<Jid>>,
}

impl Guests {
    /// Takes the lock of a guest's bare address, as soon as those who asked before have had it. Whoever holds it may ask for owners'
    /// locks, but not for a second one of these.
    pub async fn lock(&self, guest: &Jid) -> Locked {
        let mut hasher = DefaultHasher::new();
        guest.bare_str().hash(&mut hasher);
        // Two addresses with the same hash only wait for each other.
        let mut key = [0; 16];
        key[..8].copy_from_slice(&hasher.finish().to_le_bytes());
        self.doors.lock(&[AccountId::from_bytes(key)]).await
    }

    /// Notes that a session of this guest has gone, maybe the last one, or that it might never get one.
    pub fn note_left(&self, guest: &Jid) {
        self.left.lock().insert(guest.bare());
    }

    /// Takes those that were noted.
    pub fn take_left(&self) -> HashSet<Jid> {
        std::mem::take(&mut self.left.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_left_is_noted_once_whichever_session_it_was() {
        let guests = Guests::default();
        for session in ["a@localhost/1", "a@localhost/2", "b@localhost"] {
            guests.note_left(&Jid::parse(session).unwrap());
        }
        let mut left: Vec<String> = guests.take_left().iter().map(Jid::to_string).collect();
        left.sort();
        assert_eq!(left, ["a@localhost", "b@localhost"]);
        assert!(guests.take_left().is_empty());
    }
}
