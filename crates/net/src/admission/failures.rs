//! Failed logins, by address and account: who failed too often is turned away from that account for a while.
//! Bounded. An address that tries many accounts displaces its own entries, and then those of addresses with as many as it has;
//! whoever has few keeps them.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Most entries of all addresses together.
pub(super) const ENTRIES_MAX: usize = 100_000;
/// Most entries of one address: a large household's forgotten passwords.
pub(super) const ENTRIES_OF_ADDRESS_MAX: usize = 256;
/// How many addresses are compared when one must give up an entry.
const COMPARED: usize = 8;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Failures {
    addresses: HashMap<IpAddr, Vec<Entry>>,
    /// Every address of the table once; the front is compared next.
    order: VecDeque<IpAddr>,
    entries: usize,
}

#[derive(Debug)]
struct Entry {
    /// A hash of the account's address.
    account: u64,
    count: u64,
    /// Start of the window that `count` is of, or of the block.
    since: Instant,
    blocked: bool,
}

/// How often an address may fail, and what happens then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// So many failures ...
    pub(super) times: u64,
    /// ... within this time ...
    pub(super) window: Duration,
    /// ... turn it away for this long.
    pub(super) block: Duration,
}

impl Failures {
    /// Whether an address is turned away from an account now.
    pub(super) fn is_blocked(&self, address: IpAddr, account: u64, block: Duration, now: Instant) -> bool {
        let entries = self.addresses.get(&address).map_or(&[][..], Vec::as_slice);
        let entry = entries.iter().find(|entry| entry.account == account);
        entry.is_some_and(|entry| entry.blocked && now.duration_since(entry.since) < block)
    }

    /// Notes a failure.
    pub(super) fn note(&mut self, address: IpAddr, account: u64, limit: Limit, now: Instant) {
        let fresh = Entry { account, count: 0, since: now, blocked: false };
        let entry = self.entry(address, account, fresh);
        let counts_for = if entry.blocked { limit.block } else { limit.window };
        if now.duration_since(entry.since) >= counts_for {
            *entry = Entry { account, count: 0, since: now, blocked: false };
        }
        entry.count += 1;
        if entry.count >= limit.times && !entry.blocked {
            *entry = Entry { account, count: entry.count, since: now, blocked: true };
        }
    }

    fn entry(&mut self, address: IpAddr, account: u64, fresh: Entry) -> &mut Entry {
        let is_known = |entries: &Vec<Entry>| entries.iter().any(|entry| entry.account == account);
        if !self.addresses.get(&address).is_some_and(is_known) {
            self.make_room(address);
            let entries = self.addresses.entry(address).or_insert_with(|| {
                self.order.push_back(address);
                Vec::new()
            });
            entries.push(fresh);
            self.entries += 1;
        }
        let entries = self.addresses.get_mut(&address).expect("the address has this entry");
        entries.iter_mut().find(|entry| entry.account == account).expect("the address has this entry")
    }

    /// Room for one more entry of this address.
    fn make_room(&mut self, address: IpAddr) {
        if self.addresses.get(&address).is_some_and(|entries| entries.len() >= ENTRIES_OF_ADDRESS_MAX) {
            self.drop_oldest(address);
        } else if self.entries >= ENTRIES_MAX {
            self.rotate_largest_to_front();
            let Some(largest) = self.order.pop_front() else { return };
            self.drop_oldest(largest);
            if self.addresses.contains_key(&largest) {
                self.order.push_back(largest);
            }
        }
    }

    /// Of the next few addresses the one with the most entries comes to the front; the others come again when all have.
    fn rotate_largest_to_front(&mut self) {
        let entries_of = |address: &IpAddr| self.addresses.get(address).map_or(0, Vec::len);
        let compared = COMPARED.min(self.order.len());
        // Of those with equally many, the one that is longest in the queue.
        let largest = (0..compared).max_by_key(|&at| (entries_of(&self.order[at]), compared - at));
        if let Some(largest) = largest {
            self.order.swap(0, largest);
            for _ in 1..compared {
                let other = self.order.remove(1).expect("as many were compared");
                self.order.push_back(other);
            }
        }
    }

    /// Drops the entry of an address that will be missed least: a block is dropped last.
    fn drop_oldest(&mut self, address: IpAddr) {
        let Some(entries) = self.addresses.get_mut(&address) else { return };
        let oldest = (0..entries.len()).min_by_key(|&at| (entries[at].blocked, entries[at].since));
        if let Some(oldest) = oldest {
            entries.swap_remove(oldest);
            self.entries -= 1;
        }
        if entries.is_empty() {
            self.addresses.remove(&address);
        }
    }

    /// Bytes held.
    pub(super) fn memory_usage(&self) -> usize {
        let lists: usize = self.addresses.values().map(|entries| entries.capacity() * size_of::<Entry>()).sum();
        lists
            + self.addresses.capacity() * size_of::<(IpAddr, Vec<Entry>)>()
            + self.order.capacity() * size_of::<IpAddr>()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LIMIT: Limit = Limit { times: 3, window: Duration::from_secs(60), block: Duration::from_secs(600) };

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    fn blocked(table: &Failures, who: u32, account: u64, now: Instant) -> bool {
        table.is_blocked(address(who), account, LIMIT.block, now)
    }

    fn block(table: &mut Failures, who: u32, account: u64, now: Instant) {
        for _ in 0..LIMIT.times {
            table.note(address(who), account, LIMIT, now);
        }
        assert!(blocked(table, who, account, now));
    }

    #[test]
    fn a_block_and_a_window_end() {
        let (mut table, now) = (Failures::default(), Instant::now());
        block(&mut table, 1, 7, now);
        assert!(!blocked(&table, 1, 8, now) && !blocked(&table, 2, 7, now));
        assert!(!blocked(&table, 1, 7, now + LIMIT.block));
        table.note(address(1), 7, LIMIT, now + LIMIT.block);
        assert!(!blocked(&table, 1, 7, now + LIMIT.block), "it counts from the beginning");
        for seconds in [0, 61, 122, 183] {
            table.note(address(3), 7, LIMIT, now + Duration::from_secs(seconds));
        }
        assert!(!blocked(&table, 3, 7, now + Duration::from_secs(183)), "each failure is alone in its window");
    }

    #[test]
    fn an_address_that_tries_many_accounts_displaces_nobody_else() {
        let (mut table, now) = (Failures::default(), Instant::now());
        block(&mut table, 1, 7, now);
        for account in 0..ENTRIES_MAX as u64 + 10 {
            table.note(address(2), account, LIMIT, now);
        }
        assert_eq!(table.entries, 1 + ENTRIES_OF_ADDRESS_MAX);
        assert!(blocked(&table, 1, 7, now));
    }

    #[test]
    fn a_full_table_takes_from_those_who_have_the_most() {
        let (mut table, now) = (Failures::default(), Instant::now());
        block(&mut table, 0, 7, now);
        let crowd = ENTRIES_MAX as u64 / ENTRIES_OF_ADDRESS_MAX as u64 + 20;
        for who in 1..=crowd {
            for account in 0..ENTRIES_OF_ADDRESS_MAX as u64 {
                table.note(address(who as u32), account, LIMIT, now);
            }
        }
        assert!(table.entries <= ENTRIES_MAX, "{}", table.entries);
        assert!(blocked(&table, 0, 7, now), "one entry is kept beside those who have hundreds");
        assert_eq!(table.order.len(), table.addresses.len());
    }

    #[test]
    fn a_crowd_of_addresses_is_bounded_too() {
        let (mut table, now) = (Failures::default(), Instant::now());
        for who in 0..ENTRIES_MAX as u32 + 500 {
            table.note(address(who), 7, LIMIT, now);
        }
        assert_eq!((table.entries, table.addresses.len()), (ENTRIES_MAX, ENTRIES_MAX));
    }

    #[test]
    fn an_address_gives_up_its_blocks_last() {
        let (mut table, now) = (Failures::default(), Instant::now());
        block(&mut table, 1, u64::MAX, now);
        for account in 0..10 * ENTRIES_OF_ADDRESS_MAX as u64 {
            table.note(address(1), account, LIMIT, now + Duration::from_secs(1));
        }
        assert!(blocked(&table, 1, u64::MAX, now + Duration::from_secs(1)));
    }
}
