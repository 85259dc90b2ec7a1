//! Who may connect, and how often somebody may fail to log in: budgets per address before anyone is authenticated.
//! Addresses of IPv6 count by their /64. All tables are bounded and forget what is old.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use metronome_host::options::{Kind, Setting, Values};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// Most connections of one address.
pub const CONNECTIONS: Setting = Setting::new(
    "limits.connections",
    Kind::Count { min: 1, max: 1_000_000 },
    "100",
    "Most connections of one address (of IPv6: one /64) at the same time.",
)
.for_new_streams();

/// How fast one address may connect.
pub const CONNECTION_RATE: Setting = Setting::new(
    "limits.connection_rate",
    Kind::Frequency,
    "\"20/s\"",
    "How often one address may connect; a burst of five times as many is let in.",
)
.for_new_streams();

/// How often one address may fail to log in.
pub const LOGIN_FAILURES: Setting = Setting::new(
    "limits.login_failures.per_ip",
    Kind::Frequency,
    "\"10/min\"",
    "How often an address may fail to log in to one account before it is turned away for a while. Others can still log in \
     to that account, and the address to others.",
);

/// For how long it is turned away then.
pub const LOGIN_BLOCK: Setting = Setting::new(
    "limits.login_failures.block",
    Kind::Duration,
    "\"10 min\"",
    "For how long an address that failed too often is turned away from that account.",
);

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[CONNECTIONS, CONNECTION_RATE, LOGIN_FAILURES, LOGIN_BLOCK];

/// Most entries of each table; the oldest quiet ones go first.
const ENTRIES_MAX: usize = 100_000;

/// The budgets of all listeners together.
#[derive(Debug)]
pub struct Admission {
    addresses: Mutex<HashMap<IpAddr, Address>>,
    failures: Mutex<HashMap<(IpAddr, u64), Failures>>,
    /// Handshakes that may run at the same time: four for each core.
    pub(crate) handshakes: Semaphore,
    /// Key derivations that may run at the same time: one for each core.
    pub(crate) derivations: Semaphore,
}

#[derive(Debug)]
struct Address {
    connections: usize,
    /// Connections that may be opened at once.
    tokens: f64,
    at: Instant,
}

#[derive(Debug)]
struct Failures {
    count: u64,
    /// Start of the window that `count` is of, or of the block.
    since: Instant,
    blocked: bool,
}

/// One admitted connection; dropping it gives its place back.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// IPv4 by address, IPv6 by the /64 that one household has.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).into(),
    }
}

impl Admission {
    /// Empty tables for a machine with this many cores.
    pub fn new(cores: usize) -> Admission {
        let cores = cores.max(1);
        Admission {
            addresses: Mutex::default(),
            failures: Mutex::default(),
            handshakes: Semaphore::new(4 * cores),
            derivations: Semaphore::new(cores),
        }
    }

    /// Admits a connection, or answers why not.
    pub fn admit(self: &Arc<Self>, address: IpAddr, values: &Values) -> Result<Admitted, &'static str> {
        let (rate, connections_max) = (values.frequency(&CONNECTION_RATE), values.count(&CONNECTIONS) as usize);
        let per_second = rate.times as f64 / rate.per.as_secs_f64();
        let burst = (5.0 * per_second).max(1.0);
        let (address, now) = (household(address), Instant::now());
        let mut addresses = self.addresses.lock();
        if addresses.len() >= ENTRIES_MAX {
            addresses.retain(|_, entry| entry.connections > 0);
        }
        if addresses.len() >= ENTRIES_MAX {
            return Err("too many addresses are connected");
        }
        let entry = addresses.entry(address).or_insert(Address { connections: 0, tokens: burst, at: now });
        let earned = now.duration_since(entry.at).as_secs_f64() * per_second;
        entry.tokens = (entry.tokens + earned).min(burst);
        entry.at = now;
        if entry.connections >= connections_max {
            return Err("the address has too many connections");
        }
        if entry.tokens < 1.0 {
            return Err("the address connects too often");
        }
        entry.tokens -= 1.0;
        entry.connections += 1;
        Ok(Admitted { admission: self.clone(), address })
    }

    /// Whether an address may try to log in to an account (any hash of its name).
    pub(crate) fn may_try(&self, address: IpAddr, account: u64, values: &Values) -> bool {
        let block = values.duration(&LOGIN_BLOCK);
        let failures = self.failures.lock();
        failures
            .get(&(household(address), account))
            .is_none_or(|entry| !entry.blocked || entry.since.elapsed() >= block)
    }

    /// Notes a failed attempt.
    pub(crate) fn failed(&self, address: IpAddr, account: u64, values: &Values) {
        let limit = values.frequency(&LOGIN_FAILURES);
        let (now, window) = (Instant::now(), limit.per.max(Duration::from_secs(1)));
        let block = values.duration(&LOGIN_BLOCK);
        let keep = window.max(block);
        let mut failures = self.failures.lock();
        if failures.len() >= ENTRIES_MAX {
            failures.retain(|_, entry| now.duration_since(entry.since) < keep);
        }
        if failures.len() >= ENTRIES_MAX {
            failures.clear();
        }
        let entry =
            failures.entry((household(address), account)).or_insert(Failures { count: 0, since: now, blocked: false });
        if now.duration_since(entry.since) >= if entry.blocked { block } else { window } {
            *entry = Failures { count: 0, since: now, blocked: false };
        }
        entry.count += 1;
        if entry.count >= u64::from(limit.times) && !entry.blocked {
            *entry = Failures { count: entry.count, since: now, blocked: true };
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.addresses.lock().values().map(|entry| entry.connections).sum()
    }

    /// Bytes held by the tables.
    pub fn memory_usage(&self) -> usize {
        self.addresses.lock().capacity() * size_of::<(IpAddr, Address)>()
            + self.failures.lock().capacity() * size_of::<((IpAddr, u64), Failures)>()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut addresses = self.admission.addresses.lock();
        if let Some(entry) = addresses.get_mut(&self.address) {
            entry.connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values::defaults(&[SETTINGS])
    }

    #[test]
    fn an_address_has_a_bounded_number_of_connections_and_others_do_not_notice() {
        let admission = Arc::new(Admission::new(1));
        let values = values().with("limits.connections", "2");
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = admission.admit(one, &values).unwrap();
        let _second = admission.admit(one, &values).unwrap();
        assert!(admission.admit(one, &values).is_err());
        assert!(admission.admit(other, &values).is_ok());
        drop(first);
        assert!(admission.admit(one, &values).is_ok());
    }

    #[test]
    fn one_ipv6_household_is_one_address() {
        let admission = Arc::new(Admission::new(1));
        let values = values().with("limits.connections", "1");
        let _held = admission.admit("2001:db8::1".parse().unwrap(), &values).unwrap();
        assert!(admission.admit("2001:db8::2".parse().unwrap(), &values).is_err());
        assert!(admission.admit("2001:db8:0:1::1".parse().unwrap(), &values).is_ok());
    }

    #[test]
    fn an_address_that_connects_too_often_waits() {
        let admission = Arc::new(Admission::new(1));
        let values = values().with("limits.connection_rate", "\"1/min\"");
        let address = "192.0.2.1".parse().unwrap();
        assert!(admission.admit(address, &values).is_ok());
        assert_eq!(admission.admit(address, &values).unwrap_err(), "the address connects too often");
    }

    #[test]
    fn failures_turn_the_attacker_away_and_not_the_owner() {
        let admission = Admission::new(1);
        let values = values().with("limits.login_failures.per_ip", "\"3/min\"");
        let (attacker, owner): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..3 {
            assert!(admission.may_try(attacker, 7, &values));
            admission.failed(attacker, 7, &values);
        }
        assert!(!admission.may_try(attacker, 7, &values));
        assert!(admission.may_try(attacker, 8, &values), "another account from the same address");
        assert!(admission.may_try(owner, 7, &values), "the same account from another address");
    }
}
