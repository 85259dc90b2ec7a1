//! Rooms in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use futures_util::future::FutureExt;
use metronome_model::{
    AccountId, RoomAffiliation, RoomChange, RoomMember, RoomRedirect, RoomRow, SavedOccupant, Visibility,
};
use metronome_proto::jid::Jid;

use super::usage::{self, Usage};
use super::{MemoryBackend, MemoryStore, Tables};
use crate::archive::PAGE_BYTES_MAX;
use crate::rooms::{ListedRoom, RoomWrites, Rooms, RoomsListed, StoredRoom};
use crate::{Reading, StoreError};

/// Every room, and those that are no more.
#[derive(Clone, Default)]
pub(super) struct Table {
    rooms: HashMap<AccountId, Room>,
    /// By service and name.
    redirects: BTreeMap<(Box<str>, Box<str>), RoomRedirect>,
}

#[derive(Clone)]
struct Room {
    row: RoomRow,
    /// By address.
    members: BTreeMap<Box<str>, RoomMember>,
    occupants: Vec<SavedOccupant>,
    /// What all of it takes in memory.
    memory: usize,
}

/// A change of the rooms.
pub(super) enum Change {
    Room { owner: AccountId, change: Arc<RoomChange> },
    Forget { owner: AccountId },
    Redirect(RoomRedirect),
    NoRedirect { host: Box<str>, name: Option<Box<str>> },
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change, usage: &mut Usage) {
        match change {
            Change::Room { owner, change } => {
                let before = self.rooms.get(owner).map_or(0, |room| room.memory);
                self.change(*owner, change);
                usage.add(*owner, self.rooms.get(owner).map_or(0, |room| room.memory));
                usage.sub(*owner, before);
            }
            Change::Forget { owner } => {
                if let Some(room) = self.rooms.remove(owner) {
                    usage.sub(*owner, room.memory);
                }
            }
            Change::Redirect(redirect) => {
                self.redirects.insert((redirect.host.clone(), redirect.name.clone()), redirect.clone());
            }
            Change::NoRedirect { host, name: Some(name) } => {
                self.redirects.remove(&(host.clone(), name.clone()));
            }
            Change::NoRedirect { host, name: None } => self.redirects.retain(|(known, _), _| known != host),
        }
    }

    fn change(&mut self, owner: AccountId, change: &RoomChange) {
        if let RoomChange::Create(row) = change {
            let (members, occupants, memory) = (BTreeMap::new(), Vec::new(), usage::room(row));
            self.rooms.insert(owner, Room { row: row.clone(), members, occupants, memory });
        } else if let Some(room) = self.rooms.get_mut(&owner) {
            let before = usage::room(&room.row);
            room.apply(change);
            room.memory += usage::room(&room.row);
            room.memory -= before;
        }
    }
}

impl Room {
    fn apply(&mut self, change: &RoomChange) {
        match change {
            RoomChange::Create(_) => {}
            RoomChange::Configure { config, visibility } => {
                (self.row.config, self.row.visibility) = (config.clone(), *visibility);
            }
            RoomChange::SetSubject(subject) => self.row.subject = subject.clone(),
            RoomChange::SetMember(member) => {
                self.row.version = member.version;
                let former = self.members.insert(member.jid.as_str().into(), member.clone());
                self.memory += usage::member(member);
                self.memory -= former.as_ref().map_or(0, usage::member);
            }
            RoomChange::RemoveMember { jid, version } => {
                self.row.version = *version;
                self.memory -= self.members.remove(jid.as_str()).as_ref().map_or(0, usage::member);
            }
            RoomChange::Use { at_ms } => self.row.used_ms = *at_ms,
            RoomChange::SaveOccupants(occupants) => {
                self.memory += occupants.iter().map(usage::occupant).sum::<usize>();
                self.memory -= self.occupants.iter().map(usage::occupant).sum::<usize>();
                self.occupants = occupants.clone();
            }
        }
    }

    fn is_listed(&self, listed: RoomsListed) -> bool {
        listed == RoomsListed::All || self.row.visibility == Visibility::Listed
    }

    fn stored(&self, id: AccountId) -> StoredRoom {
        let (members, occupants) = (self.members.values().cloned().collect(), self.occupants.clone());
        StoredRoom { id, row: self.row.clone(), members, occupants }
    }
}

/// The rooms of a service behind a name, in the order of their names.
fn behind<'a>(
    tables: &'a Tables,
    host: &'a str,
    after: Option<&str>,
) -> impl Iterator<Item = (AccountId, &'a str, &'a Room)> {
    tables.accounts.of_host(host, after).filter_map(|account| {
        let room = tables.rooms.rooms.get(&account.id)?;
        Some((account.id, &*account.name, room))
    })
}

impl Rooms for MemoryStore {
    fn room(&self, host: &str, name: &str) -> Reading<Option<StoredRoom>> {
        std::future::ready(Ok(self.find_room(host, name))).boxed()
    }

    fn rooms(&self, host: &str, listed: RoomsListed, after: Option<&str>, limit: usize) -> Reading<Vec<ListedRoom>> {
        self.read(|tables| {
            let mut bytes = 0;
            let fits = |(_, _, room): &(AccountId, &str, &Room)| {
                let is_full = bytes >= PAGE_BYTES_MAX;
                bytes += room.row.len_bytes();
                !is_full
            };
            behind(tables, host, after)
                .filter(|(_, _, room)| room.is_listed(listed))
                .take(limit)
                .take_while(fits)
                .map(|(id, name, room)| ListedRoom { id, name: name.into(), row: room.row.clone() })
                .collect()
        })
    }

    fn rooms_count(&self, host: &str) -> Reading<u64> {
        self.read(|tables| behind(tables, host, None).count() as u64)
    }

    fn rooms_of(
        &self,
        host: &str,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, RoomAffiliation)>> {
        self.read(|tables| {
            let own = |(_, name, room): (AccountId, &str, &Room)| {
                Some((Box::from(name), room.members.get(bare.as_str())?.affiliation))
            };
            behind(tables, host, after).filter_map(own).take(limit).collect()
        })
    }

    fn rooms_with_occupants(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Box<str>>> {
        self.read(|tables| {
            let with_occupants = behind(tables, host, after).filter(|(_, _, room)| !room.occupants.is_empty());
            with_occupants.take(limit).map(|(_, name, _)| name.into()).collect()
        })
    }

    fn redirect(&self, host: &str, name: &str) -> Reading<Option<RoomRedirect>> {
        self.read(|tables| tables.rooms.redirects.get(&(host.into(), name.into())).cloned())
    }

    fn redirects(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<RoomRedirect>> {
        self.read(|tables| {
            let key = (Box::from(host), Box::from(after.unwrap_or_default()));
            let first = if after.is_some() { Bound::Excluded(key) } else { Bound::Included(key) };
            let behind = tables.rooms.redirects.range((first, Bound::Unbounded)).map(|(_, redirect)| redirect);
            behind.take_while(|redirect| *redirect.host == *host).take(limit).cloned().collect()
        })
    }
}

impl MemoryStore {
    /// The room with this address, at once.
    pub(in crate::backend) fn find_room(&self, host: &str, name: &str) -> Option<StoredRoom> {
        let tables = self.tables.read();
        let id = tables.accounts.id_of(host, name)?;
        tables.rooms.rooms.get(&id).map(|room| room.stored(id))
    }
}

impl RoomWrites for MemoryBackend {
    fn is_room(&mut self, owner: AccountId) -> Result<bool, StoreError> {
        Ok(self.working.accounts.contains(owner) && self.working.rooms.rooms.contains_key(&owner))
    }

    fn change_room(&mut self, owner: AccountId, change: &RoomChange) -> Result<(), StoreError> {
        self.change(super::Change::Room(Change::Room { owner, change: Arc::new(change.clone()) }))
    }

    fn set_redirect(&mut self, redirect: &RoomRedirect) -> Result<(), StoreError> {
        self.change(super::Change::Room(Change::Redirect(redirect.clone())))
    }

    fn forget_redirect(&mut self, host: &str, name: Option<&str>) -> Result<(), StoreError> {
        self.change(super::Change::Room(Change::NoRedirect { host: host.into(), name: name.map(Box::from) }))
    }
}
