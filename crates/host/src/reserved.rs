//! Names of rooms that the service has made up for somebody (XEP-0307): theirs alone for a while. Kept in memory only, bounded for each
//! account and for all together; held by `Server`, asked by `features::muc` before a room is made.

use std::collections::HashMap;

use metronome_proto::jid::Jid;

use crate::sync::Mutex;

/// Most names of one account.
pub const EACH_MAX: usize = 10;
/// Most names of all.
pub const ALL_MAX: usize = 50_000;

/// The names.
#[derive(Debug, Default)]
pub struct Reserved {
    names: Mutex<HashMap<Jid, Reservation>>,
}

#[derive(Debug)]
struct Reservation {
    owner: Jid,
    until_ms: u64,
}

impl Reserved {
    /// Reserves the address of a room for a bare address; false if they have enough of them, or there are too many. Both times are steady.
    #[must_use = "what is refused is nobody's"]
    pub fn reserve(&self, room: &Jid, owner: &Jid, until_ms: u64, now_ms: u64) -> bool {
        let mut names = self.names.lock();
        names.retain(|_, reservation| reservation.until_ms > now_ms);
        let own = names.values().filter(|reservation| reservation.owner.same_bare(owner)).count();
        if own >= EACH_MAX || names.len() >= ALL_MAX {
            return false;
        }
        names.insert(room.bare(), Reservation { owner: owner.bare(), until_ms });
        true
    }

    /// Whether somebody else has this name.
    pub fn is_others(&self, room: &Jid, who: &Jid, now_ms: u64) -> bool {
        let names = self.names.lock();
        names.get(room.bare_str()).is_some_and(|known| known.until_ms > now_ms && !known.owner.same_bare(who))
    }

    /// The room is there now; its name is no concern of this any more.
    pub fn forget(&self, room: &Jid) {
        self.names.lock().remove(room.bare_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_somebodys_alone_until_its_time_is_over() {
        let reserved = Reserved::default();
        let room = jid("x@rooms.example");
        assert!(reserved.reserve(&room, &jid("a@example/phone"), 100, 0));
        assert!(!reserved.is_others(&room, &jid("a@example/desk"), 50));
        assert!(reserved.is_others(&room, &jid("b@example/desk"), 99));
        assert!(!reserved.is_others(&room, &jid("b@example/desk"), 100));
        reserved.forget(&room);
        assert!(!reserved.is_others(&room, &jid("b@example/desk"), 50));
    }

    #[test]
    fn nobody_has_more_than_a_few() {
        let reserved = Reserved::default();
        let reserve = |at: usize, now_ms| {
            reserved.reserve(&jid(&format!("r{at}@rooms.example")), &jid("a@example"), now_ms + 100, now_ms)
        };
        assert!((0..EACH_MAX).all(|at| reserve(at, 0)));
        assert!(!reserve(EACH_MAX, 0));
        assert!(reserve(EACH_MAX, 100), "the others are over");
    }
}
