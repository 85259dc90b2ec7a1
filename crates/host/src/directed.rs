//! Whom a session has sent presence directly, and who sees it for no other reason (RFC 6121 section 4.6): its end is told to them too.
//! Within bounds and under the session's own mutex; a session that sends none has none of this.

use std::collections::BTreeSet;

use metronome_proto::jid::Jid;

use crate::session::{Phase, Session};

/// Most bytes of addresses that one session may have sent presence to directly; a client in a thousand rooms.
pub const DIRECTED_BYTES_MAX: usize = 64 * 1024;

/// Addresses that were sent presence directly.
#[derive(Debug, Default)]
pub(crate) struct Directed {
    addresses: BTreeSet<Jid>,
    bytes: usize,
}

impl Directed {
    /// Heap bytes of the addresses.
    pub(crate) fn memory_usage(&self) -> usize {
        self.bytes + self.addresses.len() * 2 * size_of::<Jid>()
    }
}

impl Session {
    /// Notes that this address was sent presence directly (section 4.6); false if there are too many, or the session has ended.
    pub fn note_directed(&self, to: &Jid) -> bool {
        let mut state = self.state.lock();
        if state.phase == Phase::Ended {
            return false;
        }
        let directed = state.directed.get_or_insert_default();
        if directed.addresses.contains(to) {
            return true;
        }
        let has_room = directed.bytes + to.as_str().len() <= DIRECTED_BYTES_MAX;
        if has_room {
            directed.bytes += to.as_str().len();
            directed.addresses.insert(to.clone());
        }
        has_room
    }

    /// The address was told that this session is not there any more; false if it had not been told that it was.
    pub fn forget_directed(&self, to: &Jid) -> bool {
        let mut state = self.state.lock();
        let Some(directed) = &mut state.directed else { return false };
        let removed = directed.addresses.remove(to);
        if removed {
            directed.bytes -= to.as_str().len();
        }
        removed
    }

    /// Whether this address, or its bare one, was sent presence directly.
    pub fn has_directed(&self, to: &Jid) -> bool {
        let state = self.state.lock();
        let addresses = state.directed.as_ref().map(|directed| &directed.addresses);
        addresses.is_some_and(|addresses| addresses.contains(to) || addresses.contains(to.bare_str()))
    }

    /// Everybody who was sent presence directly.
    pub fn directed(&self) -> Vec<Jid> {
        let state = self.state.lock();
        state.directed.as_ref().map_or_else(Vec::new, |directed| directed.addresses.iter().cloned().collect())
    }

    /// The first full address of this bare one that was sent presence directly: who a client is in a room.
    pub fn directed_within(&self, bare: &str) -> Option<Jid> {
        let state = self.state.lock();
        let addresses = &state.directed.as_ref()?.addresses;
        addresses
            .range(Jid::parse(bare).ok()?..)
            .find(|jid| jid.is_full())
            .filter(|jid| jid.bare_str() == bare)
            .cloned()
    }

    /// Everybody who was sent presence directly, to be told that it is over.
    pub fn take_directed(&self) -> BTreeSet<Jid> {
        self.state.lock().directed.take().map(|directed| directed.addresses).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::session;

    #[test]
    fn direct_presence_is_remembered_once_and_within_bounds() {
        let session = session();
        let jid = |number: usize| Jid::parse(&format!("room{number}@localhost")).unwrap();
        let most = DIRECTED_BYTES_MAX / jid(1000).as_str().len();
        for number in 1000..1000 + most {
            assert!(session.note_directed(&jid(number)));
        }
        assert!(session.note_directed(&jid(1000)), "it is in the list already");
        assert!(!session.note_directed(&jid(9999)));
        assert!(session.forget_directed(&jid(1000)) && !session.forget_directed(&jid(1000)));
        assert!(session.note_directed(&jid(9999)));
        assert_eq!(session.take_directed().len(), most);
        assert!(session.take_directed().is_empty());
        session.end();
        assert!(!session.note_directed(&jid(1)), "nobody would take it back");
    }
}
