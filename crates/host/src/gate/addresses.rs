//! From where closed domains come: such an address is turned away before it costs anything, unless others come from there too, as
//! they do where many domains share a machine.

use std::net::IpAddr;

use hashlink::LinkedHashMap;

use crate::network::household;

/// Most addresses that are remembered; those that came longest ago go first.
const ADDRESSES_MAX: usize = 10_000;
/// For so long somebody who has proved to be another protects an address, in milliseconds.
const WELCOME_MS: u64 = 24 * 60 * 60 * 1000;

/// The table, by household.
#[derive(Debug, Default)]
pub(super) struct Addresses(LinkedHashMap<IpAddr, Known>);

#[derive(Debug)]
enum Known {
    Welcome { until_ms: u64, domain: Box<str> },
    TurnedAway { until_ms: u64, domain: Box<str> },
}

impl Addresses {
    pub(super) fn welcome(&mut self, address: IpAddr, domain: &str, now_ms: u64) {
        self.note(address, Known::Welcome { until_ms: now_ms.saturating_add(WELCOME_MS), domain: domain.into() });
    }

    pub(super) fn turn_away(&mut self, address: IpAddr, domain: &str, until_ms: u64, now_ms: u64) {
        let is_shared = match self.0.get(&household(address)) {
            // What it has proved itself, before it was closed, is no reason to spare it.
            Some(Known::Welcome { until_ms, domain: other }) => now_ms < *until_ms && **other != *domain,
            Some(Known::TurnedAway { .. }) | None => false,
        };
        if !is_shared {
            self.note(address, Known::TurnedAway { until_ms, domain: domain.into() });
        }
    }

    pub(super) fn is_turned_away(&self, address: IpAddr, now_ms: u64) -> bool {
        matches!(self.0.get(&household(address)), Some(Known::TurnedAway { until_ms, .. }) if now_ms < *until_ms)
    }

    /// The rule of a domain has changed: from wherever it or a sub-domain came, the next one is judged anew.
    pub(super) fn forgive(&mut self, domain: &str) {
        let is_below =
            |other: &str| other.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        self.0.retain(|_, known| !matches!(known, Known::TurnedAway { domain, .. } if is_below(domain)));
    }

    pub(super) fn memory_usage(&self) -> usize {
        self.0.capacity() * size_of::<(IpAddr, Known)>()
    }

    fn note(&mut self, address: IpAddr, known: Known) {
        let address = household(address);
        self.0.remove(&address);
        if self.0.len() >= ADDRESSES_MAX {
            self.0.pop_front();
        }
        self.0.insert(address, known);
    }
}
