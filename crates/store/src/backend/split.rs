//! Two stores that look like one: a durable one, and one in memory for guests ([`AccountId::is_guest`]), of whom nothing reaches the
//! disk and nothing is left after a restart. A guest is an account like any other for everyone who reads and writes.
//! A record that changes both is committed in the durable one first; memory follows and cannot fail.

use std::sync::Arc;

use futures_util::future::FutureExt;
use metronome_model::{
    Account, AccountId, AccountState, Affiliation, ArchivedRow, Contact, Document, Drawer, DrawerSize, Handled, Item,
    KeyHash, LastSeen, NodeChange, NodesUsage, Noted, Op, OutboxRow, Outgoing, Record, Resumable, Role,
    RoomAffiliation, RoomChange, RoomRedirect, RosterSize, RosterVersion, StoredHost, StoredKeys, StreamNumber,
    Subscription,
};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use smallvec::SmallVec;

use super::memory::{self, MemoryBackend, MemoryStore};
use super::{Backend, LastCommit, Purge, Upkeep, Wrote};
use crate::accounts::{AccountWrites, Accounts, Credentials};
use crate::archive::{Archive, ArchiveWrites, Counts, Filter, Found, Head, NewRow, Place, Search};
use crate::documents::{DocumentWrites, Documents};
use crate::hosts::{HostWrites, StoredHosts};
use crate::meta::{Meta, MetaWrites};
use crate::nodes::{ItemSearch, ItemsFound, ListedNode, NodeOwner, NodeWrites, Nodes, StoredNode};
use crate::outbox::{OutboxWrites, Outboxes};
use crate::resumables::{ResumableWrites, Resumables};
use crate::rooms::{ListedRoom, RoomWrites, Rooms, RoomsListed, StoredRoom};
use crate::rosters::{RosterWrites, Rosters, RowAbout};
use crate::{Opened, Reading, Store, StoreError};

/// Memory for all guests; beyond it what would be stored for one is `Full`.
pub const GUESTS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Memory for one guest, so that one alone cannot take all of it.
pub const GUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Puts a store for guests in memory beside `durable`.
pub fn open(durable: Opened) -> Opened {
    let (store, backend) = memory::start();
    Opened {
        store: Arc::new(SplitStore { durable: durable.store, guests: Arc::new(store) }),
        backend: Box::new(SplitBackend { durable: durable.backend, guests: backend }),
    }
}

/// The reading side.
struct SplitStore {
    durable: Store,
    guests: Arc<MemoryStore>,
}

impl SplitStore {
    /// Where this account's rows are.
    fn of(&self, owner: AccountId) -> &dyn crate::Reads {
        if owner.is_guest() { &*self.guests } else { &*self.durable }
    }
}

impl Accounts for SplitStore {
    fn account(&self, host: &str, name: &str) -> Reading<Option<Account>> {
        match self.guests.find(host, name) {
            Some(guest) => std::future::ready(Ok(Some(guest.account))).boxed(),
            None => self.durable.account(host, name),
        }
    }

    fn account_of_domain(&self, host: &str) -> Reading<Option<Account>> {
        self.durable.account_of_domain(host)
    }

    fn account_by_id(&self, id: AccountId) -> Reading<Option<Account>> {
        self.of(id).account_by_id(id)
    }

    fn credentials(&self, host: &str, name: &str) -> Reading<Option<Credentials>> {
        match self.guests.find(host, name) {
            Some(guest) => std::future::ready(Ok(Some(guest))).boxed(),
            None => self.durable.credentials(host, name),
        }
    }

    fn keys(&self, id: AccountId, hash: KeyHash) -> Reading<Option<StoredKeys>> {
        self.of(id).keys(id, hash)
    }

    fn list(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Account>> {
        let (guests, durable) = (self.guests.list(host, after, limit), self.durable.list(host, after, limit));
        async move {
            let mut all = guests.await?;
            all.extend(durable.await?);
            all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            all.truncate(limit);
            Ok(all)
        }
        .boxed()
    }
}

impl Archive for SplitStore {
    fn unseen(&self, owner: AccountId, after_id: u64, limit: usize) -> Reading<Vec<ArchivedRow>> {
        self.of(owner).unseen(owner, after_id, limit)
    }

    fn rows(&self, owner: AccountId, ids: Vec<(u64, u64)>, limit: usize) -> Reading<Vec<ArchivedRow>> {
        self.of(owner).rows(owner, ids, limit)
    }

    fn last_id(&self, owner: AccountId) -> Reading<u64> {
        self.of(owner).last_id(owner)
    }

    fn unseen_count(&self, owner: AccountId) -> Reading<u64> {
        self.of(owner).unseen_count(owner)
    }

    fn search(&self, owner: AccountId, search: Search) -> Reading<Found> {
        self.of(owner).search(owner, search)
    }

    fn places(&self, owner: AccountId, filter: Filter, limit: usize) -> Reading<Vec<Place>> {
        self.of(owner).places(owner, filter, limit)
    }

    fn ends(&self, owner: AccountId) -> Reading<Option<(Place, Place)>> {
        self.of(owner).ends(owner)
    }

    fn counts(&self, owner: AccountId) -> Reading<Counts> {
        self.of(owner).counts(owner)
    }
}

impl Rosters for SplitStore {
    fn roster(&self, owner: AccountId) -> Reading<(RosterVersion, Vec<Contact>)> {
        self.of(owner).roster(owner)
    }

    fn roster_version(&self, owner: AccountId) -> Reading<RosterVersion> {
        self.of(owner).roster_version(owner)
    }

    fn roster_size(&self, owner: AccountId) -> Reading<RosterSize> {
        self.of(owner).roster_size(owner)
    }

    fn rows_about(&self, jid: &str) -> Reading<Vec<RowAbout>> {
        let (guests, durable) = (self.guests.rows_about(jid), self.durable.rows_about(jid));
        async move {
            let mut all = guests.await?;
            all.extend(durable.await?);
            all.sort_unstable_by_key(|row| row.owner);
            Ok(all)
        }
        .boxed()
    }

    fn contact(&self, owner: AccountId, jid: &str) -> Reading<Option<Contact>> {
        self.of(owner).contact(owner, jid)
    }
}

impl Documents for SplitStore {
    fn document(&self, owner: AccountId, drawer: Drawer, ns: &str, name: &str) -> Reading<Option<Box<[u8]>>> {
        self.of(owner).document(owner, drawer, ns, name)
    }

    fn documents(&self, owner: AccountId, drawers: &'static [Drawer]) -> Reading<Vec<Document>> {
        self.of(owner).documents(owner, drawers)
    }

    fn drawer_size(&self, owner: AccountId, drawer: Drawer) -> Reading<DrawerSize> {
        self.of(owner).drawer_size(owner, drawer)
    }

    fn last_seen(&self, owner: AccountId) -> Reading<Option<LastSeen>> {
        self.of(owner).last_seen(owner)
    }
}

/// Guests end with their connection, so they have none.
impl Resumables for SplitStore {
    fn resumables(&self) -> Reading<Vec<Resumable>> {
        self.durable.resumables()
    }
}

impl StoredHosts for SplitStore {
    fn hosts(&self) -> Reading<Vec<StoredHost>> {
        self.durable.hosts()
    }
}

impl Meta for SplitStore {
    fn meta(&self, key: &'static str) -> Reading<Option<Box<[u8]>>> {
        self.durable.meta(key)
    }
}

impl Nodes for SplitStore {
    fn node(&self, owner: AccountId, name: &str) -> Reading<Option<StoredNode>> {
        self.of(owner).node(owner, name)
    }

    fn nodes(&self, owner: AccountId, after: Option<&str>, limit: usize) -> Reading<Vec<ListedNode>> {
        self.of(owner).nodes(owner, after, limit)
    }

    fn nodes_in(
        &self,
        owner: AccountId,
        collection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<ListedNode>> {
        self.of(owner).nodes_in(owner, collection, after, limit)
    }

    /// Guests come behind all others.
    fn node_owners(&self, after: u64, limit: usize) -> Reading<Vec<NodeOwner>> {
        const OF_GUEST: u64 = 1 << 63;
        let durable = (after < OF_GUEST).then(|| self.durable.node_owners(after, limit));
        let guests = Arc::clone(&self.guests);
        async move {
            let mut all = match durable {
                Some(durable) => durable.await?,
                None => Vec::new(),
            };
            let after = after.saturating_sub(OF_GUEST);
            let guests = guests.node_owners(after, limit - all.len().min(limit)).await?;
            all.extend(guests.into_iter().map(|guest| NodeOwner { place: OF_GUEST + guest.place, ..guest }));
            Ok(all)
        }
        .boxed()
    }

    fn nodes_usage(&self, owner: AccountId) -> Reading<NodesUsage> {
        self.of(owner).nodes_usage(owner)
    }

    fn items(&self, owner: AccountId, node: &str, search: ItemSearch) -> Reading<ItemsFound> {
        self.of(owner).items(owner, node, search)
    }

    fn items_by_id(&self, owner: AccountId, node: &str, ids: Vec<Box<str>>) -> Reading<Vec<Item>> {
        self.of(owner).items_by_id(owner, node, ids)
    }

    fn newest_items(&self, owner: AccountId, nodes: Vec<Box<str>>) -> Reading<Vec<(Box<str>, Item)>> {
        self.of(owner).newest_items(owner, nodes)
    }

    fn subscriptions_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Subscription)>> {
        self.of(owner).subscriptions_of(owner, bare, after, limit)
    }

    fn subscribed_to(&self, bare: &Jid, limit: usize) -> Reading<Vec<(AccountId, Box<str>)>> {
        let (guests, durable) = (self.guests.subscribed_to(bare, limit), self.durable.subscribed_to(bare, limit));
        async move {
            let mut all = durable.await?;
            all.extend(guests.await?);
            all.truncate(limit);
            Ok(all)
        }
        .boxed()
    }

    fn affiliations_of(
        &self,
        owner: AccountId,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, Affiliation)>> {
        self.of(owner).affiliations_of(owner, bare, after, limit)
    }
}

/// A room whose account is a guest's is gone with the next stop, like a guest.
impl Rooms for SplitStore {
    fn room(&self, host: &str, name: &str) -> Reading<Option<StoredRoom>> {
        match self.guests.find_room(host, name) {
            Some(room) => std::future::ready(Ok(Some(room))).boxed(),
            None => self.durable.room(host, name),
        }
    }

    fn rooms(&self, host: &str, listed: RoomsListed, after: Option<&str>, limit: usize) -> Reading<Vec<ListedRoom>> {
        let pages = (self.guests.rooms(host, listed, after, limit), self.durable.rooms(host, listed, after, limit));
        merge(pages, limit, |room| room.name.clone())
    }

    fn rooms_count(&self, host: &str) -> Reading<u64> {
        let (guests, durable) = (self.guests.rooms_count(host), self.durable.rooms_count(host));
        async move { Ok(guests.await? + durable.await?) }.boxed()
    }

    fn rooms_of(
        &self,
        host: &str,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, RoomAffiliation)>> {
        let pages = (self.guests.rooms_of(host, bare, after, limit), self.durable.rooms_of(host, bare, after, limit));
        merge(pages, limit, |(name, _)| name.clone())
    }

    fn rooms_with_occupants(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Box<str>>> {
        let guests = self.guests.rooms_with_occupants(host, after, limit);
        merge((guests, self.durable.rooms_with_occupants(host, after, limit)), limit, |name| name.clone())
    }

    fn redirect(&self, host: &str, name: &str) -> Reading<Option<RoomRedirect>> {
        self.durable.redirect(host, name)
    }

    fn redirects(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<RoomRedirect>> {
        self.durable.redirects(host, after, limit)
    }
}

/// One page of two, in the order of the names. It ends with the first of their ends: one that is there because of its bytes has more
/// behind it, and who goes on behind a later name would never see that.
fn merge<T: Send + 'static>(
    (guests, durable): (Reading<Vec<T>>, Reading<Vec<T>>),
    limit: usize,
    name: fn(&T) -> Box<str>,
) -> Reading<Vec<T>> {
    async move {
        let (mut all, durable) = (guests.await?, durable.await?);
        let ends = [all.last().map(name), durable.last().map(name)];
        all.extend(durable);
        all.sort_by_key(name);
        if let Some(end) = ends.into_iter().flatten().min() {
            let is_torn = |page: &T| name(page) > end;
            let whole = all.iter().position(is_torn).unwrap_or(all.len());
            all.truncate(whole.min(limit));
        }
        Ok(all)
    }
    .boxed()
}

/// Guests speak to nobody on other servers.
impl Outboxes for SplitStore {
    fn outgoing(&self) -> Reading<Vec<Outgoing>> {
        self.durable.outgoing()
    }

    fn outbox(&self, local: &str, remote: &str, after: u64, limit: usize) -> Reading<Vec<OutboxRow>> {
        self.durable.outbox(local, remote, after, limit)
    }
}

/// The writing side.
struct SplitBackend {
    durable: Box<dyn Backend>,
    /// Between a commit that failed and its recovery it holds what that commit would have changed.
    guests: MemoryBackend,
}

impl SplitBackend {
    /// Where this account's rows are.
    fn of(&mut self, owner: AccountId) -> &mut dyn Backend {
        if owner.is_guest() { &mut self.guests } else { &mut *self.durable }
    }
}

impl Backend for SplitBackend {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.guests.begin()?;
        self.durable.begin()
    }

    fn has_room(&self, record: &Record) -> bool {
        // Where an account ends, others' rows about it say so: they must not keep it from making room.
        if record.ops.iter().any(|op| matches!(op, Op::ForgetAccount { .. })) {
            return true;
        }
        let mut more: SmallVec<[(AccountId, usize); 2]> = SmallVec::new();
        for (owner, bytes) in record.ops.iter().filter_map(memory::weight).filter(|(owner, _)| owner.is_guest()) {
            match more.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, of_owner)) => *of_owner += bytes,
                None => more.push((owner, bytes)),
            }
        }
        let all: usize = more.iter().map(|(_, bytes)| bytes).sum();
        let fits = |&(owner, bytes): &(AccountId, usize)| self.guests.bytes_of(owner) + bytes <= GUEST_BYTES_MAX;
        // What only removes is welcome however full it is.
        all == 0 || (self.guests.bytes() + all <= GUESTS_BYTES_MAX && more.iter().all(fits))
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.durable.flush()
    }

    fn commit(&mut self) -> Result<Wrote, StoreError> {
        let durable = self.durable.commit()?;
        let guests = self.guests.commit()?;
        Ok(if guests == Wrote::Changes { guests } else { durable })
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.guests.rollback()?;
        self.durable.rollback()
    }

    fn recover(&mut self) -> Result<LastCommit, StoreError> {
        let last = self.durable.recover()?;
        match last {
            LastCommit::Applied => drop(self.guests.commit()?),
            LastCommit::NotApplied => self.guests.rollback()?,
        }
        Ok(last)
    }

    fn purge(&mut self, rows_max: usize) -> Result<Purge, StoreError> {
        let purged = [self.guests.purge(rows_max)?, self.durable.purge(rows_max)?];
        Ok(if purged.contains(&Purge::More) { Purge::More } else { Purge::Finished })
    }

    fn upkeep(&mut self, when: Upkeep) {
        self.durable.upkeep(when);
    }
}

impl AccountWrites for SplitBackend {
    fn in_use(&mut self, account: &Account) -> Result<bool, StoreError> {
        Ok(self.guests.in_use(account)? || self.durable.in_use(account)?)
    }

    fn add_account(&mut self, account: &Account, keys: &[StoredKeys]) -> Result<(), StoreError> {
        self.of(account.id).add_account(account, keys)
    }

    fn set_keys(&mut self, id: AccountId, keys: &[StoredKeys]) -> Result<(), StoreError> {
        self.of(id).set_keys(id, keys)
    }

    fn add_keys(&mut self, id: AccountId, keys: &StoredKeys) -> Result<(), StoreError> {
        self.of(id).add_keys(id, keys)
    }

    fn set_role(&mut self, id: AccountId, role: Role) -> Result<(), StoreError> {
        self.of(id).set_role(id, role)
    }

    fn set_state(&mut self, id: AccountId, state: AccountState) -> Result<(), StoreError> {
        self.of(id).set_state(id, state)
    }

    fn forget(&mut self, id: AccountId) -> Result<(), StoreError> {
        self.of(id).forget(id)
    }
}

impl ArchiveWrites for SplitBackend {
    fn head(&mut self, owner: AccountId) -> Result<Option<Head>, StoreError> {
        self.of(owner).head(owner)
    }

    fn append(&mut self, rows: &[NewRow], stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        if !rows.iter().any(|row| row.owner.is_guest()) {
            return self.durable.append(rows, stanza);
        }
        let (guests, durable): (SmallVec<[NewRow; 2]>, SmallVec<[NewRow; 2]>) =
            rows.iter().copied().partition(|row| row.owner.is_guest());
        if !durable.is_empty() {
            self.durable.append(&durable, stanza)?;
        }
        self.guests.append(&guests, stanza)
    }

    fn mark_seen(&mut self, owner: AccountId, head: &mut Head, first: u64, last: u64) -> Result<(), StoreError> {
        self.of(owner).mark_seen(owner, head, first, last)
    }

    fn replace(&mut self, owner: AccountId, head: &Head, id: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.of(owner).replace(owner, head, id, stanza)
    }

    fn remove(&mut self, owner: AccountId, head: &Head, first: u64, last: u64) -> Result<(), StoreError> {
        self.of(owner).remove(owner, head, first, last)
    }

    fn id_max(&self) -> u64 {
        self.durable.id_max().min(self.guests.id_max())
    }
}

impl OutboxWrites for SplitBackend {
    fn outbox_last(&mut self) -> Result<u64, StoreError> {
        self.durable.outbox_last()
    }

    fn enqueue(&mut self, id: u64, at_ms: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        self.durable.enqueue(id, at_ms, stanza)
    }

    fn dequeue(&mut self, local: &str, remote: &str, to: u64) -> Result<(), StoreError> {
        self.durable.dequeue(local, remote, to)
    }
}

impl RoomWrites for SplitBackend {
    fn is_room(&mut self, owner: AccountId) -> Result<bool, StoreError> {
        self.of(owner).is_room(owner)
    }

    fn change_room(&mut self, owner: AccountId, change: &RoomChange) -> Result<(), StoreError> {
        self.of(owner).change_room(owner, change)
    }

    fn set_redirect(&mut self, redirect: &RoomRedirect) -> Result<(), StoreError> {
        self.durable.set_redirect(redirect)
    }

    fn forget_redirect(&mut self, host: &str, name: Option<&str>) -> Result<(), StoreError> {
        self.durable.forget_redirect(host, name)
    }
}

impl RosterWrites for SplitBackend {
    fn set_contact(&mut self, owner: AccountId, contact: &Contact) -> Result<(), StoreError> {
        self.of(owner).set_contact(owner, contact)
    }
}

impl DocumentWrites for SplitBackend {
    fn set_document(&mut self, owner: AccountId, document: &Document) -> Result<(), StoreError> {
        self.of(owner).set_document(owner, document)
    }

    fn set_last_seen(&mut self, owner: AccountId, last: &LastSeen) -> Result<(), StoreError> {
        self.of(owner).set_last_seen(owner, last)
    }
}

impl NodeWrites for SplitBackend {
    fn node_room(&mut self, owner: AccountId, name: &str) -> Result<Option<u64>, StoreError> {
        self.of(owner).node_room(owner, name)
    }

    fn change_node(&mut self, owner: AccountId, name: &str, change: &NodeChange) -> Result<(), StoreError> {
        self.of(owner).change_node(owner, name, change)
    }
}

impl ResumableWrites for SplitBackend {
    fn set_resumable(&mut self, stream: &Resumable) -> Result<(), StoreError> {
        self.durable.set_resumable(stream)
    }

    fn note_resumable(&mut self, number: StreamNumber, noted: &Noted) -> Result<(), StoreError> {
        self.durable.note_resumable(number, noted)
    }

    fn set_handled(&mut self, handled: Handled) -> Result<(), StoreError> {
        self.durable.set_handled(handled)
    }

    fn forget_resumable(&mut self, number: StreamNumber) -> Result<(), StoreError> {
        self.durable.forget_resumable(number)
    }
}

impl HostWrites for SplitBackend {
    fn set_host(&mut self, host: &StoredHost) -> Result<(), StoreError> {
        self.durable.set_host(host)
    }

    fn forget_host(&mut self, name: &str) -> Result<(), StoreError> {
        self.durable.forget_host(name)
    }
}

impl MetaWrites for SplitBackend {
    fn set_meta(&mut self, key: &'static str, value: &[u8]) -> Result<(), StoreError> {
        self.durable.set_meta(key, value)
    }
}
