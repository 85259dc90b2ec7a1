//! Answers that may be used again: bounded by their bytes, and those that were asked for longest ago go first.

use std::net::IpAddr;
use std::time::Instant;

use hashlink::LinkedHashMap;

use super::{Answer, Records, Service, Wanted};

/// Most bytes of all answers together: some ten thousand remote domains.
const BYTES_MAX: usize = 8 << 20;

pub(super) type Key = (Box<str>, Wanted);

/// The table.
#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: LinkedHashMap<Key, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    answer: Answer,
    until: Instant,
    bytes: usize,
}

impl Cache {
    /// The answer, if there is one that may still be used.
    pub(super) fn get(&mut self, key: &Key, now: Instant) -> Option<Answer> {
        let entry = self.answers.to_back(key)?;
        if now < entry.until {
            return Some(entry.answer.clone());
        }
        self.remove(key);
        None
    }

    pub(super) fn keep(&mut self, key: Key, answer: Answer, until: Instant) {
        self.remove(&key);
        let bytes = cost(&key, &answer);
        self.bytes += bytes;
        self.answers.insert(key, Entry { answer, until, bytes });
        while self.bytes > BYTES_MAX
            && let Some((_, entry)) = self.answers.pop_front()
        {
            self.bytes -= entry.bytes;
        }
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.bytes
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.answers.remove(key) {
            self.bytes -= entry.bytes;
        }
    }
}

/// About what an entry takes, the table's links included.
fn cost(key: &Key, answer: &Answer) -> usize {
    const ROW: usize = 96;
    let records = match answer {
        Ok(Records::Services(services)) => {
            services.iter().map(|service| size_of::<Service>() + service.target.as_deref().map_or(0, str::len)).sum()
        }
        Ok(Records::Addresses(addresses)) => addresses.len() * size_of::<IpAddr>(),
        Err(_) => 0,
    };
    ROW + size_of::<Key>() + key.0.len() + size_of::<Entry>() + records
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::NoAnswer;
    use super::*;

    fn key(number: usize) -> Key {
        (format!("host{number}.example.").into(), Wanted::V4)
    }

    #[test]
    fn an_answer_is_used_until_its_time_is_over() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.keep(key(1), Err(NoAnswer::Nothing), now + Duration::from_secs(10));
        assert!(cache.get(&key(1), now + Duration::from_secs(9)).is_some());
        assert!(cache.get(&(key(1).0, Wanted::V6), now).is_none(), "another type is another question");
        assert!(cache.get(&key(1), now + Duration::from_secs(10)).is_none());
        assert_eq!((cache.answers.len(), cache.memory_usage()), (0, 0));
    }

    #[test]
    fn its_memory_is_bounded_and_what_is_asked_for_stays() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let until = now + Duration::from_secs(10);
        let service = Service { priority: 0, weight: 0, port: 1, target: Some("a".repeat(250).into()) };
        let answer: Answer = Ok(Records::Services(vec![service; 16].into()));
        for number in 0..5_000 {
            cache.keep(key(number), answer.clone(), until);
            assert!(cache.get(&key(0), now).is_some());
        }
        assert!(cache.memory_usage() <= BYTES_MAX);
        assert!(cache.answers.len() < 5_000 && cache.get(&key(1), now).is_none());
        let sum: usize = cache.answers.values().map(|entry| entry.bytes).sum();
        assert_eq!(sum, cache.memory_usage());
    }
}
