//! How often something may happen for the sake of one key: an address, an account, or everybody together.
//! Held by `Server` and asked by features before they do what costs; bounded, and keeps nothing that is older than its window.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use metronome_model::AccountId;

use crate::options::Frequency;
use crate::sync::Mutex;

/// Most keys that are remembered. Where more come within one window all are forgotten: a crowd of addresses must not keep
/// everybody else out, and what limits a crowd is the limit for all together.
pub const KEYS_MAX: usize = 100_000;

/// What has happened lately, by key.
#[derive(Debug)]
pub struct Throttle<K> {
    windows: Mutex<HashMap<K, Window>>,
}

/// Everything of a server that is limited like this. Addresses are those of households ([`crate::network::household`]).
#[derive(Debug, Default)]
pub struct Throttles {
    /// Accounts made from an address.
    pub accounts_made: Throttle<IpAddr>,
    /// Names that were tried from an address, each answered with whether it is taken.
    pub names_tried: Throttle<IpAddr>,
    /// Accounts made from anywhere.
    pub all_accounts_made: Throttle<()>,
    /// Passwords that an account has changed itself.
    pub passwords_changed: Throttle<AccountId>,
    /// Notifications that somebody has caused by what they did to nodes, by bare address.
    pub notified: Throttle<Box<str>>,
    /// People whom an account has reported.
    pub reports: Throttle<AccountId>,
    /// Names of rooms that were made up for somebody, by bare address.
    pub room_names: Throttle<Box<str>>,
    /// Rooms that somebody has entered or tried to, by bare address.
    pub rooms_entered: Throttle<Box<str>>,
    /// Files that an account wanted to upload.
    pub uploads: Throttle<AccountId>,
}

#[derive(Debug)]
struct Window {
    since_ms: u64,
    count: u32,
}

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Throttle { windows: Mutex::default() }
    }
}

impl<K: Hash + Eq> Throttle<K> {
    /// Counts one more, unless `limit` is reached in the window that began with the first; false if it is. `now_ms` is steady time.
    #[must_use = "what is refused must not happen"]
    pub fn take(&self, key: K, limit: Frequency, now_ms: u64) -> bool {
        self.take_many(key, 1, limit, now_ms)
    }

    /// Counts so many more at once, unless they go beyond the limit and others were counted in the window already: what is too large by
    /// itself may happen once in a window.
    #[must_use = "what is refused must not happen"]
    pub fn take_many(&self, key: K, count: u32, limit: Frequency, now_ms: u64) -> bool {
        let window_ms = u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX);
        let is_over = |window: &Window| now_ms.saturating_sub(window.since_ms) >= window_ms;
        let mut windows = self.windows.lock();
        if windows.len() >= KEYS_MAX && !windows.contains_key(&key) {
            windows.retain(|_, window| !is_over(window));
            if windows.len() >= KEYS_MAX {
                windows.clear();
            }
        }
        let window = windows.entry(key).or_insert(Window { since_ms: now_ms, count: 0 });
        if is_over(window) {
            *window = Window { since_ms: now_ms, count: 0 };
        }
        let after = window.count.saturating_add(count);
        let takes = after <= limit.times || (window.count == 0 && limit.times > 0);
        if takes {
            window.count = after;
        }
        takes
    }

    /// Takes one back that was counted and did not happen after all.
    pub fn give_back(&self, key: &K) {
        let mut windows = self.windows.lock();
        if let Some(window) = windows.get_mut(key) {
            window.count = window.count.saturating_sub(1);
            if window.count == 0 {
                windows.remove(key);
            }
        }
    }

    /// Bytes that it holds.
    pub fn memory_usage(&self) -> usize {
        self.windows.lock().capacity() * size_of::<(K, Window)>()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TWICE: Frequency = Frequency { times: 2, per: Duration::from_secs(60) };

    #[test]
    fn each_key_has_so_many_in_its_window_and_others_do_not_notice() {
        let throttle = Throttle::default();
        assert!(throttle.take("one", TWICE, 1_000) && throttle.take("one", TWICE, 30_000));
        assert!(!throttle.take("one", TWICE, 60_999));
        assert!(throttle.take("other", TWICE, 60_999));
        assert!(throttle.take("one", TWICE, 61_000), "the next window");
    }

    #[test]
    fn what_did_not_happen_is_not_counted() {
        let throttle = Throttle::default();
        assert!(throttle.take("one", TWICE, 0) && throttle.take("one", TWICE, 0));
        throttle.give_back(&"one");
        assert!(throttle.take("one", TWICE, 0) && !throttle.take("one", TWICE, 0));
        throttle.give_back(&"nobody");
    }

    #[test]
    fn many_at_once_count_as_many_and_what_is_too_large_happens_once() {
        let throttle = Throttle::default();
        assert!(throttle.take_many("one", 5, TWICE, 0) && !throttle.take("one", TWICE, 1));
        assert!(throttle.take_many("other", 2, TWICE, 0) && !throttle.take_many("other", 1, TWICE, 1));
        assert!(!throttle.take_many("third", 5, Frequency { times: 0, ..TWICE }, 0));
    }

    #[test]
    fn nothing_is_allowed_where_the_limit_is_none() {
        assert!(!Throttle::default().take((), Frequency { times: 0, ..TWICE }, 0));
    }

    #[test]
    fn its_memory_is_bounded_whoever_comes() {
        let throttle = Throttle::default();
        for key in 0..3 * KEYS_MAX {
            assert!(throttle.take(key, TWICE, 0));
        }
        assert!(throttle.windows.lock().len() <= KEYS_MAX);
    }
}
