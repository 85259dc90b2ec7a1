//! Bytestreams that this server carries between two parties (XEP-0065 section 6): connections that wait for the one who may let their bytes
//! flow, found by the hash that both have named, and how much each account has had carried. Sockets are `net`'s: a connection is whatever the
//! one who waits hands over to the other once they may begin. Everything ends with the process.

mod transfer;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::network::household;
use crate::sync::Mutex;
use transfer::Accounts;
pub use transfer::{Spent, Terms, Transfer};

/// Most connections that wait, of all addresses.
pub const WAITING_MAX: usize = 2000;

/// Most connections of one address that wait.
pub const WAITING_OF_ADDRESS_MAX: usize = 20;

/// What both parties of a stream name when they connect: the SHA-1 of its `sid` and their addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamHash(pub [u8; 20]);

impl StreamHash {
    /// How many digits it is written with.
    pub const DIGITS: usize = 40;

    /// Reads it as it is written: lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<StreamHash> {
        let digits: &[u8; StreamHash::DIGITS] = text.try_into().ok()?;
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 20];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(StreamHash(hash))
    }
}

impl fmt::Display for StreamHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StreamHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A connection on its way from one who waits to the other.
#[derive(Debug)]
pub struct Connection {
    /// The connection.
    pub socket: TcpStream,
    /// What is given back when it ends: its place among the connections.
    pub place: Box<dyn Any + Send>,
}

/// The streams of a server. `C` is a connection.
#[derive(Debug)]
pub struct Bytestreams<C = Connection> {
    table: Mutex<Table<C>>,
    accounts: Accounts,
}

#[derive(Debug)]
struct Table<C> {
    /// One or two who wait for each stream.
    seats: HashMap<StreamHash, Vec<Seat<C>>>,
    /// How many wait, by address.
    of_address: HashMap<IpAddr, usize>,
    waiting: usize,
    number: u64,
}

/// Somebody who waits, as the table knows it.
#[derive(Debug)]
struct Seat<C> {
    number: u64,
    address: IpAddr,
    call: oneshot::Sender<Call<C>>,
}

/// Somebody who waits, as it knows itself. Dropping it gives its place back.
#[derive(Debug)]
pub struct Waiting<C = Connection> {
    streams: Arc<Bytestreams<C>>,
    hash: StreamHash,
    number: u64,
    called: oneshot::Receiver<Call<C>>,
}

/// What one who waits is to do now.
#[derive(Debug)]
pub enum Call<C = Connection> {
    /// Carry bytes between the own connection and the one that comes here.
    Carry(oneshot::Receiver<C>, Transfer),
    /// Hand the own connection over.
    HandOver(oneshot::Sender<C>),
}

/// Why somebody may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Two wait for this stream already.
    Third,
    /// Too many of its address wait.
    OfAddress,
    /// Too many wait.
    Full,
}

impl Turned {
    /// As the log has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Turned::Third => "two have connected for this stream already",
            Turned::OfAddress => "too many connections of this address wait for their streams",
            Turned::Full => "too many connections wait for their streams",
        }
    }
}

/// Why the bytes of a stream cannot flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// Nobody has connected for it.
    Nobody,
    /// One of the two is missing.
    OneMissing,
    /// Its account has as many transfers under way as it may have.
    ManyOfAccount,
    /// Its account has had as much carried as it may have within a day.
    Spent,
    /// The server carries as much as it can.
    Full,
}

/// A stream whose two parties were taken out of the table; nothing has happened to them yet. Dropped, it closes their connections.
#[derive(Debug)]
pub struct Ready<C = Connection> {
    carries: Seat<C>,
    hands_over: Seat<C>,
    transfer: Transfer,
}

impl<C> Default for Bytestreams<C> {
    fn default() -> Bytestreams<C> {
        let table = Table { seats: HashMap::new(), of_address: HashMap::new(), waiting: 0, number: 0 };
        Bytestreams { table: Mutex::new(table), accounts: Accounts::default() }
    }
}

impl<C> Bytestreams<C> {
    /// Lets a connection from this address wait for its stream.
    pub fn wait(self: &Arc<Self>, hash: StreamHash, address: IpAddr) -> Result<Waiting<C>, Turned> {
        let address = household(address);
        let mut table = self.table.lock();
        if table.waiting >= WAITING_MAX {
            return Err(Turned::Full);
        }
        if table.of_address.get(&address).is_some_and(|waiting| *waiting >= WAITING_OF_ADDRESS_MAX) {
            return Err(Turned::OfAddress);
        }
        if table.seats.get(&hash).is_some_and(|seats| seats.len() >= 2) {
            return Err(Turned::Third);
        }
        table.number += 1;
        let (number, (call, called)) = (table.number, oneshot::channel());
        table.seats.entry(hash).or_default().push(Seat { number, address, call });
        *table.of_address.entry(address).or_default() += 1;
        table.waiting += 1;
        Ok(Waiting { streams: self.clone(), hash, number, called })
    }

    /// Takes out the two who wait for a stream, for the account with this bare address.
    pub fn activate(&self, hash: StreamHash, account: &str, terms: Terms, now_ms: u64) -> Result<Ready<C>, NotReady> {
        self.table.lock().complete(hash)?;
        let transfer = self.accounts.begin(account, terms, now_ms)?;
        let mut table = self.table.lock();
        table.complete(hash)?;
        let mut seats = table.seats.remove(&hash).unwrap_or_default();
        seats.iter().for_each(|seat| table.left(seat.address));
        match (seats.pop(), seats.pop()) {
            (Some(hands_over), Some(carries)) => Ok(Ready { carries, hands_over, transfer }),
            _ => Err(NotReady::OneMissing),
        }
    }

    /// How many connections wait.
    pub fn waiting(&self) -> usize {
        self.table.lock().waiting
    }

    /// How many transfers are under way.
    pub fn under_way(&self) -> usize {
        self.accounts.under_way()
    }

    /// How many transfers there were since the start, and how many bytes they have carried.
    pub fn carried(&self) -> (u64, u64) {
        self.accounts.carried()
    }

    /// Bytes held by the tables.
    pub fn memory_usage(&self) -> usize {
        let table = self.table.lock();
        let seats =
            table.seats.capacity() * size_of::<(StreamHash, Vec<Seat<C>>)>() + table.waiting * 2 * size_of::<Seat<C>>();
        seats + table.of_address.capacity() * size_of::<(IpAddr, usize)>() + self.accounts.memory_usage()
    }
}

impl<C> Table<C> {
    /// Whether both parties of a stream wait.
    fn complete(&self, hash: StreamHash) -> Result<(), NotReady> {
        let seats = self.seats.get(&hash).ok_or(NotReady::Nobody)?;
        let are_there = seats.len() == 2 && seats.iter().all(|seat| !seat.call.is_closed());
        if are_there { Ok(()) } else { Err(NotReady::OneMissing) }
    }

    /// One of an address waits no longer.
    fn left(&mut self, address: IpAddr) {
        self.waiting -= 1;
        if let Some(waiting) = self.of_address.get_mut(&address) {
            *waiting -= 1;
            if *waiting == 0 {
                self.of_address.remove(&address);
            }
        }
    }
}

impl<C> Waiting<C> {
    /// Waits for the call; none if the stream came to nothing.
    pub async fn called(&mut self) -> Option<Call<C>> {
        (&mut self.called).await.ok()
    }
}

impl<C> Drop for Waiting<C> {
    fn drop(&mut self) {
        let mut table = self.streams.table.lock();
        let Some(seats) = table.seats.get_mut(&self.hash) else { return };
        let Some(place) = seats.iter().position(|seat| seat.number == self.number) else { return };
        let seat = seats.swap_remove(place);
        if seats.is_empty() {
            table.seats.remove(&self.hash);
        }
        table.left(seat.address);
    }
}

impl<C> Ready<C> {
    /// Lets the bytes flow. Who has gone at this very moment ends the transfer for the other as well.
    pub fn begin(self) {
        let (hand_over, comes) = oneshot::channel();
        let _ = self.carries.call.send(Call::Carry(comes, self.transfer));
        let _ = self.hands_over.call.send(Call::HandOver(hand_over));
    }
}

#[cfg(test)]
mod tests;
