//! Bits of binary (XEP-0231) that were said in rooms: kept for a while, so that they can be asked for when who said it is gone. In memory
//! only, bounded for each room and in all; the oldest go first.

use std::collections::{HashMap, HashSet};

use hashlink::LinkedHashMap;
use metronome_proto::jid::Jid;
use metronome_proto::payload::bob::Data;

use crate::sync::Mutex;

/// Most bytes for one room.
pub const ROOM_BYTES_MAX: usize = 256 * 1024;

/// Most bytes for all rooms.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most that one room asks for at a time.
const ROOM_ASKED_MAX: usize = 8;

/// Most that all rooms ask for at a time.
const ASKED_MAX: usize = 256;

/// About what an entry takes beside its data.
const ENTRY: usize = 256;

/// A room, and a name in it.
type Key = (Jid, Box<str>);

/// What is kept.
#[derive(Debug, Default)]
pub struct Bits {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: LinkedHashMap<Key, Bit>,
    /// What rooms have asked for.
    asked: HashSet<Key>,
    /// Bytes of each room.
    rooms: HashMap<Jid, usize>,
    bytes: usize,
}

#[derive(Debug)]
struct Bit {
    data: Data,
    /// Unix time in milliseconds.
    until_ms: u64,
}

impl Bits {
    /// Keeps something for the room at this bare address until then (Unix, milliseconds), in the place of the oldest if there is too much.
    /// What is larger than what one room may have is not kept.
    pub fn keep(&self, room: &Jid, data: Data, until_ms: u64) {
        let bytes = cost(&data);
        if bytes > ROOM_BYTES_MAX {
            return;
        }
        let mut state = self.state.lock();
        let key = (room.clone(), data.cid.clone());
        state.remove(&key);
        *state.rooms.entry(room.clone()).or_default() += bytes;
        state.bytes += bytes;
        state.kept.insert(key, Bit { data, until_ms });
        state.shrink(room);
    }

    /// What has this name in the room, if it is kept and its time (Unix, milliseconds) has not passed.
    pub fn get(&self, room: &Jid, cid: &str, now_ms: u64) -> Option<Data> {
        let mut state = self.state.lock();
        let key = (room.clone(), Box::from(cid));
        let bit = state.kept.get(&key)?;
        if bit.until_ms <= now_ms {
            state.remove(&key);
            return None;
        }
        Some(bit.data.clone())
    }

    /// Notes that a room asks somebody for what it lacks; false if it does already, or asks for too much. Whoever asks says when it has an
    /// answer, or none ([`Bits::answered`]).
    pub fn ask(&self, room: &Jid, cid: &str) -> bool {
        let mut state = self.state.lock();
        let of_room = state.asked.iter().filter(|(of, _)| of == room).count();
        of_room < ROOM_ASKED_MAX && state.asked.len() < ASKED_MAX && state.asked.insert((room.clone(), cid.into()))
    }

    /// A room waits for this no more.
    pub fn answered(&self, room: &Jid, cid: &str) {
        self.state.lock().asked.remove(&(room.clone(), Box::from(cid)));
    }

    /// Bytes that are kept.
    pub fn memory_usage(&self) -> usize {
        self.state.lock().bytes
    }
}

fn cost(data: &Data) -> usize {
    ENTRY + 2 * data.cid.len() + data.base64.len() + data.kind.as_ref().map_or(0, |kind| kind.len())
}

impl State {
    fn remove(&mut self, key: &Key) {
        let Some(bit) = self.kept.remove(key) else { return };
        self.uncount(&key.0, cost(&bit.data));
    }

    fn uncount(&mut self, room: &Jid, bytes: usize) {
        self.bytes -= bytes;
        if let Some(of_room) = self.rooms.get_mut(room) {
            *of_room -= bytes;
            if *of_room == 0 {
                self.rooms.remove(room);
            }
        }
    }

    fn shrink(&mut self, room: &Jid) {
        while self.rooms.get(room).is_some_and(|bytes| *bytes > ROOM_BYTES_MAX) {
            let Some(oldest) = self.kept.keys().find(|(of, _)| of == room).cloned() else { break };
            self.remove(&oldest);
        }
        while self.bytes > BYTES_MAX
            && let Some((key, bit)) = self.kept.pop_front()
        {
            self.uncount(&key.0, cost(&bit.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(number: usize) -> Jid {
        Jid::parse(&format!("room{number}@rooms.localhost")).unwrap()
    }

    fn data(cid: &str, bytes: usize) -> Data {
        Data { base64: "x".repeat(bytes), ..Data::request(cid) }
    }

    #[test]
    fn it_is_found_by_its_name_in_its_room_until_its_time_has_passed() {
        let bits = Bits::default();
        bits.keep(&room(1), data("a", 5), 10);
        assert_eq!(bits.get(&room(1), "a", 9), Some(data("a", 5)));
        assert_eq!(bits.get(&room(2), "a", 9), None);
        assert_eq!(bits.get(&room(1), "b", 9), None);
        bits.keep(&room(1), data("a", 5), 20);
        assert!(bits.get(&room(1), "a", 10).is_some());
        assert!(bits.get(&room(1), "a", 20).is_none());
        assert_eq!(bits.memory_usage(), 0);
    }

    #[test]
    fn a_room_asks_for_little_at_a_time_and_for_nothing_twice() {
        let bits = Bits::default();
        assert!(bits.ask(&room(1), "a") && !bits.ask(&room(1), "a") && bits.ask(&room(2), "a"));
        bits.answered(&room(1), "a");
        let asked = |number: usize| (0..20).filter(|cid: &usize| bits.ask(&room(number), &cid.to_string())).count();
        assert_eq!(asked(1), ROOM_ASKED_MAX);
        assert_eq!(asked(1), 0);
        let of_others: usize = (3..200).map(asked).sum();
        assert_eq!(of_others, ASKED_MAX - ROOM_ASKED_MAX - 1);
    }

    #[test]
    fn no_room_takes_the_place_of_others_and_all_together_stay_within_their_bytes() {
        let bits = Bits::default();
        bits.keep(&room(0), data("first", 5), 10);
        for number in 0..1000 {
            bits.keep(&room(1), data(&number.to_string(), 8192), 10);
        }
        assert!(bits.memory_usage() <= 2 * ROOM_BYTES_MAX);
        assert!(bits.get(&room(0), "first", 1).is_some() && bits.get(&room(1), "999", 1).is_some());
        assert!(bits.get(&room(1), "0", 1).is_none());
        for number in 0..2000 {
            bits.keep(&room(number), data("x", 8192), 10);
            assert!(bits.memory_usage() <= BYTES_MAX);
        }
        bits.keep(&room(5), data("huge", ROOM_BYTES_MAX), 10);
        assert!(bits.get(&room(5), "huge", 1).is_none());
    }
}
