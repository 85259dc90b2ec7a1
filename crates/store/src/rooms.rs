//! Rooms with the people around them (the store behind XEP-0045). A room is an account of its service's domain, so its archive and its
//! documents are read and written as those of any account. Whoever changes a room is its task, so nobody else changes it meanwhile.

use metronome_model::{AccountId, RoomAffiliation, RoomChange, RoomMember, RoomRedirect, RoomRow, SavedOccupant};
use metronome_proto::jid::Jid;

use crate::{Reading, StoreError};

/// A room with everybody around it, read in one step so that it belongs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoom {
    /// The room's account.
    pub id: AccountId,
    /// The room.
    pub row: RoomRow,
    /// Who is what to it, in byte order of the addresses.
    pub members: Vec<RoomMember>,
    /// Who was in it when the server stopped, in the order in which they were saved.
    pub occupants: Vec<SavedOccupant>,
}

/// A room as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoom {
    /// The room's account.
    pub id: AccountId,
    /// The local part of its address.
    pub name: Box<str>,
    /// The room.
    pub row: RoomRow,
}

/// Which rooms of a service are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoomsListed {
    /// All of them.
    All,
    /// Those that the service names to everybody.
    Public,
}

/// Reads rooms. Hosts, names and addresses are compared byte by byte, so callers give prepared ones. Nothing of a room is read before
/// somebody asks for it, however many there are.
///
/// A list of rooms may be shorter than asked for: it ends after [`PAGE_BYTES_MAX`](crate::archive::PAGE_BYTES_MAX) bytes of rows; only
/// an empty one is the end.
pub trait Rooms: Send + Sync {
    /// A whole room, `None` if there is none with this address.
    fn room(&self, host: &str, name: &str) -> Reading<Option<StoredRoom>>;

    /// Up to `limit` rooms of a service in byte order of their names, beginning behind the name `after`.
    fn rooms(&self, host: &str, listed: RoomsListed, after: Option<&str>, limit: usize) -> Reading<Vec<ListedRoom>>;

    /// How many rooms a service has.
    fn rooms_count(&self, host: &str) -> Reading<u64>;

    /// What somebody is to the rooms of a service, by the bare address, in byte order of their names; up to `limit` of them, beginning
    /// behind the name `after`.
    fn rooms_of(
        &self,
        host: &str,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, RoomAffiliation)>>;

    /// The names of up to `limit` rooms of a service for which occupants are saved, in byte order, beginning behind the name `after`.
    fn rooms_with_occupants(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Box<str>>>;

    /// What was noted of a room that was destroyed.
    fn redirect(&self, host: &str, name: &str) -> Reading<Option<RoomRedirect>>;

    /// Up to `limit` rooms of a service that were destroyed, in byte order of their names, beginning behind the name `after`.
    fn redirects(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<RoomRedirect>>;
}

/// Changes rooms, inside the writer's open transaction and after its checks.
pub trait RoomWrites {
    /// Whether an account is a room, with the changes of the open transaction.
    fn is_room(&mut self, owner: AccountId) -> Result<bool, StoreError>;

    /// Makes a change. The account exists, and is a room unless the change makes it one.
    fn change_room(&mut self, owner: AccountId, change: &RoomChange) -> Result<(), StoreError>;

    /// Notes that a room was destroyed.
    fn set_redirect(&mut self, redirect: &RoomRedirect) -> Result<(), StoreError>;

    /// Forgets what was noted of one room, or of all of a service.
    fn forget_redirect(&mut self, host: &str, name: Option<&str>) -> Result<(), StoreError>;
}
