//! Who is online: the bound sessions of every account, in shards with short leaf locks.
//! The only place where a resource is claimed or released; callers get clones of the `Arc`s and leave the lock at once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use metronome_model::AccountId;
use metronome_proto::jid::Jid;

use crate::addresses::Addresses;
use crate::contacts::Contacts;
use crate::session::{Bound, Session};
use crate::sync::Mutex;

const SHARDS: usize = 64;
/// Most sessions of one account that wait for their clients (XEP-0198).
const DETACHED_MAX: usize = 10;

pub use crate::addresses::Devices;

/// What happens when a client asks for a resource that the account already has (RFC 6120 section 7.7.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The older session is closed with the stream error `conflict`.
    KickOld,
    /// The newcomer is refused with the stanza error `conflict`.
    KickNew,
    /// The newcomer gets a resource made by the server.
    Random,
    /// The newcomer gets the resource it asked for with `#2`, `#3` and so on behind it.
    Increment,
}

/// Why a resource could not be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbound {
    /// The resource is in use and the policy keeps the older session.
    Conflict,
    /// The account has as many sessions as it may have.
    TooMany,
    /// No name could be made from the one asked for.
    BadResource,
}

/// What binding answers: the new session, and the old one that it replaces.
#[derive(Debug)]
pub struct Binding {
    /// The session, already in the table.
    pub session: Arc<Session>,
    /// To be closed with the stream error `conflict`; no longer in the table.
    pub replaced: Option<Arc<Session>>,
}

/// Rules for one binding.
#[derive(Debug, Clone, Copy)]
pub struct BindRules {
    /// Most sessions of one account.
    pub sessions_max: usize,
    /// See [`Conflict`].
    pub conflict: Conflict,
}

/// An account with sessions.
#[derive(Debug, Default)]
struct Online {
    devices: Devices,
    /// Its roster, once somebody needed it.
    contacts: Option<Arc<Contacts>>,
}

/// Online accounts by id.
type Shard = HashMap<AccountId, Online, BuildHasherDefault<ByRandomId>>;

/// The table of bound sessions.
#[derive(Debug)]
pub struct Sessions {
    shards: [Mutex<Shard>; SHARDS],
    addresses: Addresses,
    /// What most accounts without a roster share.
    no_contacts: Arc<Contacts>,
    count: AtomicUsize,
    serial: AtomicU64,
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions {
            shards: std::array::from_fn(|_| Mutex::default()),
            addresses: Addresses::default(),
            no_contacts: Arc::default(),
            count: AtomicUsize::new(0),
            serial: AtomicU64::new(0),
        }
    }
}

impl Sessions {
    fn shard(&self, account: AccountId) -> &Mutex<Shard> {
        &self.shards[account.as_bytes()[15] as usize % SHARDS]
    }

    /// Binds `wanted.jid`, or what the conflict policy makes of it; `made` makes a fresh resource.
    pub fn bind(&self, mut wanted: Bound, rules: BindRules, made: impl Fn() -> String) -> Result<Binding, Unbound> {
        let mut shard = self.shard(wanted.account).lock();
        let devices = &mut shard.entry(wanted.account).or_default().devices;
        let mut replaced = None;
        if let Some(at) = devices.iter().position(|session| session.jid == wanted.jid) {
            match rules.conflict {
                Conflict::KickOld => replaced = Some(devices.remove(at)),
                Conflict::KickNew => return Err(Unbound::Conflict),
                Conflict::Random => wanted.jid = named(&wanted.jid, &made())?,
                Conflict::Increment => wanted.jid = counted(&wanted.jid, devices)?,
            }
        }
        if replaced.is_none() && devices.len() >= rules.sessions_max {
            // One that waits for a client that may never come back makes room for one that is here.
            let at = devices.iter().position(|session| session.is_detached()).ok_or(Unbound::TooMany)?;
            replaced = Some(devices.remove(at));
        }
        let session = Session::new(wanted, self.serial.fetch_add(1, Ordering::Relaxed) + 1);
        let session = Arc::new(match devices.first().or(replaced.as_ref()) {
            Some(other) => session.beside(other),
            None => session,
        });
        devices.push(session.clone());
        // Under the same lock, the one place that takes two: otherwise an overtaken bind would leave its session in the index.
        self.addresses.insert(session.clone());
        if let Some(replaced) = &replaced {
            self.addresses.remove(replaced);
        }
        if replaced.is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Binding { session, replaced })
    }

    /// The session of an account that has waited for a client for longest, if more of them wait than may.
    pub fn one_too_many(&self, account: AccountId) -> Option<Arc<Session>> {
        let mut waiting = self.of(account);
        waiting.retain(|session| session.is_detached() && !session.is_closing());
        let is_too_many = waiting.len() > DETACHED_MAX;
        waiting.into_iter().filter(|_| is_too_many).min_by_key(|session| session.serial)
    }

    /// Takes exactly this session out of the table; false if it is not in it (any more).
    pub fn remove(&self, session: &Session) -> bool {
        let removed = self.release(session);
        if removed {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    fn release(&self, session: &Session) -> bool {
        let mut shard = self.shard(session.account).lock();
        let Some(online) = shard.get_mut(&session.account) else { return false };
        let before = online.devices.len();
        online.devices.retain(|other| other.serial != session.serial);
        let removed = online.devices.len() < before;
        if removed {
            self.addresses.remove(session);
        }
        if online.devices.is_empty() {
            shard.remove(&session.account);
        }
        removed
    }

    /// The bound sessions of an account.
    pub fn of(&self, account: AccountId) -> Devices {
        self.shard(account).lock().get(&account).map(|online| online.devices.clone()).unwrap_or_default()
    }

    /// The account with this bare address, if it has sessions. Asks no store.
    pub fn online(&self, bare: &str) -> Option<AccountId> {
        self.addresses.of(bare).first().map(|session| session.account)
    }

    /// The sessions with this bare address.
    pub fn named(&self, bare: &str) -> Devices {
        self.addresses.of(bare)
    }

    /// The session with this full address.
    pub fn at(&self, full: &Jid) -> Option<Arc<Session>> {
        self.addresses.at(full)
    }

    /// The contacts of an online account, if they are in memory.
    pub fn contacts(&self, account: AccountId) -> Option<Arc<Contacts>> {
        self.shard(account).lock().get(&account)?.contacts.clone()
    }

    /// Keeps the contacts of an account for as long as it is online. The caller holds the owner's lock, so that no change
    /// comes between the reading and this.
    pub fn keep_contacts(&self, account: AccountId, contacts: Arc<Contacts>) {
        let contacts = if contacts.is_nothing() { self.no_contacts.clone() } else { contacts };
        if let Some(online) = self.shard(account).lock().get_mut(&account) {
            online.contacts = Some(contacts);
        }
    }

    /// Changes the contacts of an account where they are in memory.
    pub fn change_contacts(&self, account: AccountId, change: impl FnOnce(&mut Contacts)) {
        if let Some(contacts) = self.shard(account).lock().get_mut(&account).and_then(|online| online.contacts.as_mut())
        {
            change(Arc::make_mut(contacts));
        }
    }

    /// The accounts of one slice of the table whose contacts are in memory.
    pub fn with_contacts(&self, index: usize) -> Vec<(AccountId, Jid)> {
        let shard = self.shards[index % SHARDS].lock();
        let loaded = shard.iter().filter(|(_, online)| online.contacts.is_some());
        loaded.filter_map(|(account, online)| Some((*account, online.devices.first()?.jid.bare()))).collect()
    }

    /// How many sessions are bound.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How many slices [`Sessions::slice`] has.
    pub const SLICES: usize = SHARDS;

    /// The sessions of one slice of the table, for work that visits all of them in turn.
    pub fn slice(&self, index: usize) -> Vec<Arc<Session>> {
        self.shards[index % SHARDS].lock().values().flat_map(|online| &online.devices).cloned().collect()
    }

    /// Every bound session.
    pub fn all(&self) -> Vec<Arc<Session>> {
        (0..SHARDS).flat_map(|index| self.slice(index)).collect()
    }

    /// Bytes held by the table and the sessions' own queues.
    pub fn memory_usage(&self) -> usize {
        let tables: usize = self.shards.iter().map(|shard| memory_of(&shard.lock())).sum();
        let sessions: usize = self.all().iter().map(|session| size_of::<Session>() + session.memory_usage()).sum();
        tables + self.addresses.memory_usage() + sessions
    }
}

fn memory_of(shard: &Shard) -> usize {
    let contacts = shard.values().filter_map(|online| online.contacts.as_ref()).map(|contacts| contacts.memory_usage());
    shard.capacity() * size_of::<(AccountId, Online)>() + contacts.sum::<usize>()
}

fn named(jid: &Jid, resource: &str) -> Result<Jid, Unbound> {
    jid.with_resource(resource).map_err(|_| Unbound::BadResource)
}

fn counted(jid: &Jid, devices: &Devices) -> Result<Jid, Unbound> {
    let wanted = jid.resource().unwrap_or_default();
    // One more name than there are sessions is always free.
    for number in 2..devices.len() + 3 {
        let next = named(jid, &format!("{wanted}#{number}"))?;
        if devices.iter().all(|session| session.jid != next) {
            return Ok(next);
        }
    }
    Err(Unbound::Conflict)
}

/// Account ids are random, so some of their bytes are as good as a hash of them, and nobody can choose them.
#[derive(Debug, Default)]
pub struct ByRandomId(u64);

impl Hasher for ByRandomId {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn bound(resource: &str) -> Bound {
        Bound {
            jid: Jid::parse(&format!("alice@localhost/{resource}")).unwrap(),
            account: AccountId::from_bytes([7; 16]),
            since_ms: 0,
            heard_ms: 0,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 5,
            mechanism: "PLAIN",
        }
    }

    fn rules(conflict: Conflict) -> BindRules {
        BindRules { sessions_max: 3, conflict }
    }

    #[test]
    fn kick_old_replaces_the_older_session() {
        let sessions = Sessions::default();
        let first = sessions.bind(bound("x"), rules(Conflict::KickOld), String::new).unwrap();
        let second = sessions.bind(bound("x"), rules(Conflict::KickOld), String::new).unwrap();
        assert_eq!(second.replaced.unwrap().serial, first.session.serial);
        assert_eq!(sessions.count(), 1);
        assert!(!sessions.remove(&first.session), "the old session is not in the table any more");
        assert!(sessions.remove(&second.session));
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn kick_new_refuses_the_newcomer() {
        let sessions = Sessions::default();
        sessions.bind(bound("x"), rules(Conflict::KickNew), String::new).unwrap();
        assert_eq!(sessions.bind(bound("x"), rules(Conflict::KickNew), String::new).unwrap_err(), Unbound::Conflict);
    }

    #[test]
    fn random_and_increment_give_the_newcomer_another_name() {
        let sessions = Sessions::default();
        sessions.bind(bound("x"), rules(Conflict::Random), String::new).unwrap();
        let second = sessions.bind(bound("x"), rules(Conflict::Random), || "made".to_owned()).unwrap();
        assert_eq!(second.session.jid.resource(), Some("made"));
        let third = sessions.bind(bound("x"), rules(Conflict::Increment), String::new).unwrap();
        assert_eq!(third.session.jid.resource(), Some("x#2"));
    }

    #[test]
    fn an_online_account_is_found_by_its_address_until_its_last_session_ends() {
        let sessions = Sessions::default();
        let account = AccountId::from_bytes([7; 16]);
        let first = sessions.bind(bound("a"), rules(Conflict::KickOld), String::new).unwrap().session;
        let second = sessions.bind(bound("b"), rules(Conflict::KickOld), String::new).unwrap().session;
        assert_eq!(sessions.online("alice@localhost"), Some(account));
        assert_eq!(sessions.at(&second.jid).unwrap().serial, second.serial);
        sessions.keep_contacts(account, Arc::default());
        assert!(sessions.contacts(account).is_some());
        // The same resource again replaces a session and counts once.
        let third = sessions.bind(bound("b"), rules(Conflict::KickOld), String::new).unwrap().session;
        assert!(!sessions.remove(&second) && sessions.remove(&first));
        assert_eq!(sessions.online("alice@localhost"), Some(account));
        assert!(sessions.remove(&third) && !sessions.remove(&third));
        assert_eq!(sessions.online("alice@localhost"), None);
        assert!(sessions.contacts(account).is_none() && sessions.at(&third.jid).is_none());
        sessions.keep_contacts(account, Arc::default());
        assert!(sessions.contacts(account).is_none(), "nothing is kept for who is not there");
    }

    #[test]
    fn an_address_that_was_given_away_belongs_to_its_new_account() {
        let sessions = Sessions::default();
        let old = sessions.bind(bound("a"), rules(Conflict::KickOld), String::new).unwrap().session;
        let newer = AccountId::from_bytes([8; 16]);
        let new = sessions.bind(Bound { account: newer, ..bound("a") }, rules(Conflict::KickOld), String::new).unwrap();
        assert_eq!(sessions.online("alice@localhost"), Some(newer));
        assert!(sessions.remove(&old));
        assert_eq!(sessions.online("alice@localhost"), Some(newer));
        assert!(sessions.remove(&new.session));
        assert_eq!(sessions.online("alice@localhost"), None);
    }

    #[test]
    fn an_account_has_a_bounded_number_of_sessions() {
        let sessions = Sessions::default();
        for resource in ["a", "b", "c"] {
            sessions.bind(bound(resource), rules(Conflict::KickOld), String::new).unwrap();
        }
        assert_eq!(sessions.bind(bound("d"), rules(Conflict::KickOld), String::new).unwrap_err(), Unbound::TooMany);
        let again = sessions.bind(bound("c"), rules(Conflict::KickOld), String::new).unwrap();
        assert!(again.replaced.is_some(), "replacing a session needs no room for another");
    }
}
