//! What a reload changes, and what of it needs a restart.

use metronome_host::options::{Reload, Setting, Values};

use super::Configuration;

/// One setting whose value differs between two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The domain it changed for; empty for the whole server.
    pub host: String,
    /// The dotted key.
    pub key: &'static str,
    /// When it takes effect.
    pub reload: Reload,
}

impl Configuration {
    /// What differs in `newer`, by domain and key. A domain that has overrides in either is compared by itself.
    pub fn changes(&self, newer: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut differ = |host: &str, old: &Values, new: &Values| {
            let settings = self.tables.iter().copied().flatten();
            let changed = settings.filter(|setting: &&Setting| old.get(setting) != new.get(setting));
            changes.extend(changed.map(|setting| Change {
                host: host.to_owned(),
                key: setting.key,
                reload: setting.reload,
            }));
        };
        differ("", &self.values, &newer.values);
        let mut hosts: Vec<&String> = self.hosts.keys().chain(newer.hosts.keys()).collect();
        hosts.sort();
        hosts.dedup();
        for host in hosts {
            differ(host, self.for_host(host), newer.for_host(host));
        }
        changes
    }
}
