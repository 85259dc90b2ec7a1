//! Who may connect, and how often somebody may fail to log in: budgets per address before anyone is authenticated.
//! Addresses of IPv6 count by their /64. All tables are bounded and forget what is old.

mod failures;
pub(crate) mod figures;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metronome_host::network::household;
use metronome_host::options::{Kind, Setting, Values};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use failures::{Failures, Limit};
use figures::{ConnectionKind, Figures, Refused};

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

/// Most addresses with connections or a rate to remember; the quiet ones go first.
const ADDRESSES_MAX: usize = 100_000;

/// Of file descriptors this share is not for connections of others, and no more than so many: files, the store, the control socket and
/// connections to other servers need some, and those who are logged in need these.
const RESERVED_SHARE: usize = 8;
const RESERVED_MAX: usize = 4096;

/// The budgets of all listeners together.
#[derive(Debug)]
pub struct Admission {
    addresses: Mutex<Addresses>,
    /// Most connections of all addresses together.
    places: usize,
    failures: Mutex<Failures>,
    /// Connections of other servers that have not proved who they are, by address; as many entries at most as there are connections.
    unproved: Mutex<HashMap<IpAddr, usize>>,
    /// Handshakes that may run at the same time: four for each core.
    pub(crate) handshakes: Semaphore,
    /// What was counted of all of them.
    pub(crate) figures: Figures,
}

#[derive(Debug, Default)]
struct Addresses {
    each: HashMap<IpAddr, Address>,
    /// Connections of all of them.
    connections: usize,
}

#[derive(Debug)]
struct Address {
    connections: usize,
    /// Connections that may be opened at once.
    tokens: f64,
    at: Instant,
}

/// One admitted connection; dropping it gives its place back.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    address: IpAddr,
    /// What it is for, once that is known.
    kind: Option<ConnectionKind>,
    /// Somebody has logged in.
    is_in_use: bool,
}

/// One connection of another server before it has proved who it is; dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Unproved {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    /// Empty tables for a machine with this many cores.
    pub fn new(cores: usize) -> Admission {
        let cores = cores.max(1);
        let (addresses, failures, unproved) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (places, handshakes) = (usize::MAX, Semaphore::new(4 * cores));
        Admission { addresses, places, failures, unproved, handshakes, figures: Figures::default() }
    }

    /// The same for a process that may have so many file descriptors; without a number, as many as it likes.
    pub fn within(self, descriptors: Option<u64>) -> Admission {
        let all = descriptors.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        Admission { places: all - (all / RESERVED_SHARE).min(RESERVED_MAX), ..self }
    }

    /// Admits a connection, or answers why not.
    pub fn admit(self: &Arc<Self>, address: IpAddr, values: &Values) -> Result<Admitted, &'static str> {
        self.take_place(address, values).map_err(|why| {
            self.figures.refused(why);
            why.as_str()
        })
    }

    fn take_place(self: &Arc<Self>, address: IpAddr, values: &Values) -> Result<Admitted, Refused> {
        let (rate, connections_max) = (values.frequency(&CONNECTION_RATE), values.count(&CONNECTIONS) as usize);
        let per_second = rate.times as f64 / rate.per.as_secs_f64();
        let burst = (5.0 * per_second).max(1.0);
        let (address, now) = (household(address), Instant::now());
        let mut addresses = self.addresses.lock();
        let Addresses { each, connections } = &mut *addresses;
        if *connections >= self.places {
            return Err(Refused::Full);
        }
        if each.len() >= ADDRESSES_MAX {
            each.retain(|_, entry| entry.connections > 0);
        }
        if each.len() >= ADDRESSES_MAX {
            return Err(Refused::Addresses);
        }
        let entry = each.entry(address).or_insert(Address { connections: 0, tokens: burst, at: now });
        let earned = now.duration_since(entry.at).as_secs_f64() * per_second;
        entry.tokens = (entry.tokens + earned).min(burst);
        entry.at = now;
        if entry.connections >= connections_max {
            return Err(Refused::Connections);
        }
        if entry.tokens < 1.0 {
            return Err(Refused::Rate);
        }
        entry.tokens -= 1.0;
        entry.connections += 1;
        *connections += 1;
        Ok(Admitted { admission: self.clone(), address, kind: None, is_in_use: false })
    }

    /// A place for another server until it has proved who it is; none if so many of its address have not yet.
    pub(crate) fn admit_unproved(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Unproved> {
        let address = household(address);
        let mut unproved = self.unproved.lock();
        let count = unproved.entry(address).or_default();
        if *count >= most {
            self.figures.refused(Refused::Unproved);
            return None;
        }
        *count += 1;
        Some(Unproved { admission: self.clone(), address })
    }

    /// Whether an address may try to log in to an account (any hash of its name).
    pub(crate) fn may_try(&self, address: IpAddr, account: u64, values: &Values) -> bool {
        let block = values.duration(&LOGIN_BLOCK);
        !self.failures.lock().is_blocked(household(address), account, block, Instant::now())
    }

    /// Notes a failed attempt.
    pub(crate) fn failed(&self, address: IpAddr, account: u64, values: &Values) {
        let frequency = values.frequency(&LOGIN_FAILURES);
        let limit = Limit {
            times: u64::from(frequency.times),
            window: frequency.per.max(Duration::from_secs(1)),
            block: values.duration(&LOGIN_BLOCK),
        };
        self.failures.lock().note(household(address), account, limit, Instant::now());
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.addresses.lock().connections
    }

    /// Bytes held by the tables.
    pub fn memory_usage(&self) -> usize {
        self.addresses.lock().each.capacity() * size_of::<(IpAddr, Address)>() + self.failures.lock().memory_usage()
    }
}

impl Admitted {
    /// The same place, for a connection that is known to be of this kind now.
    pub(crate) fn of_kind(mut self, kind: ConnectionKind) -> Admitted {
        self.uncount();
        self.kind = Some(kind);
        self.count();
        self
    }

    /// The same place, for a connection on which somebody has logged in.
    pub(crate) fn in_use(mut self) -> Admitted {
        self.uncount();
        self.is_in_use = true;
        self.count();
        self
    }

    fn count(&self) {
        let Some(kind) = self.kind else { return };
        self.admission.figures.opened(kind);
        if self.is_in_use {
            self.admission.figures.logged_in(kind);
        }
    }

    fn uncount(&self) {
        let Some(kind) = self.kind else { return };
        self.admission.figures.closed(kind);
        if self.is_in_use {
            self.admission.figures.logged_out(kind);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.uncount();
        let mut addresses = self.admission.addresses.lock();
        addresses.connections -= 1;
        if let Some(entry) = addresses.each.get_mut(&self.address) {
            entry.connections -= 1;
        }
    }
}

impl Drop for Unproved {
    fn drop(&mut self) {
        let mut unproved = self.admission.unproved.lock();
        if let Some(count) = unproved.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                unproved.remove(&self.address);
            }
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
    fn all_addresses_together_leave_descriptors_for_what_the_server_itself_needs() {
        let admission = Arc::new(Admission::new(1).within(Some(16)));
        let values = values();
        let address = |number: u8| IpAddr::from([192, 0, 2, number]);
        let mut held: Vec<_> = (0..14).map(|number| admission.admit(address(number), &values).unwrap()).collect();
        assert_eq!(admission.admit(address(14), &values).unwrap_err(), Refused::Full.as_str());
        assert_eq!((admission.connections(), admission.figures.refusals(Refused::Full)), (14, 1));
        held.pop();
        assert!(admission.admit(address(14), &values).is_ok());
        assert_eq!(Admission::new(1).within(Some(1_000_000)).places, 1_000_000 - RESERVED_MAX);
        assert!(Admission::new(1).within(None).places > 1 << 40);
    }

    #[test]
    fn strangers_of_one_address_are_few_and_leave_nothing_behind() {
        let admission = Arc::new(Admission::new(1));
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = admission.admit_unproved(one, 2).unwrap();
        let second = admission.admit_unproved(one, 2).unwrap();
        assert!(admission.admit_unproved(one, 2).is_none());
        assert!(admission.admit_unproved(other, 2).is_some());
        drop(first);
        assert!(admission.admit_unproved(one, 2).is_some());
        drop(second);
        assert!(admission.unproved.lock().is_empty());
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
    fn a_connection_is_counted_by_what_it_is_for_until_it_ends() {
        use ConnectionKind::{Client, Web, WebSocket};
        let admission = Arc::new(Admission::new(1));
        let values = values().with("limits.connections", "2");
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let (open, in_use) = (|kind| admission.figures.open(kind), |kind| admission.figures.in_use(kind));
        let first = admission.admit(address, &values).unwrap().of_kind(Web);
        let second = admission.admit(address, &values).unwrap().of_kind(Client).in_use();
        assert_eq!((open(Web), open(Client), in_use(Client)), (1, 1, 1));
        assert!(admission.admit(address, &values).is_err());
        assert_eq!(admission.figures.refusals(Refused::Connections), 1);
        let first = first.of_kind(WebSocket).in_use();
        assert_eq!((open(Web), open(WebSocket), in_use(WebSocket)), (0, 1, 1));
        drop((first, second));
        assert!(ConnectionKind::ALL.iter().all(|kind| open(*kind) == 0 && in_use(*kind) == 0));
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
