//! Accounts: who can log in here, and with which rights.
//! An account is its id, not its name: a name can be given away again, an id never.

use std::fmt;

/// The identity of an account: 128 random bits, made once by the caller from the operating system's random numbers and
/// never used again, not even for an account that later gets the same name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 16]);

impl AccountId {
    /// The id of a new account, of bytes that are random.
    pub const fn ordinary(mut random: [u8; 16]) -> AccountId {
        if AccountId(random).is_guest() {
            random[0] = 0;
        }
        AccountId(random)
    }

    /// The id of a new guest, of bytes that are random: an account that is gone with the server's next stop, and of which nothing
    /// reaches the disk. Its mark, four bytes, is part of the id; an id that was made without regard to it has it once in 2^32.
    pub const fn guest(mut random: [u8; 16]) -> AccountId {
        (random[0], random[1], random[2], random[3]) = (0xff, 0xff, 0xff, 0xff);
        AccountId(random)
    }

    /// Wraps 16 bytes as storage keeps them.
    pub const fn from_bytes(bytes: [u8; 16]) -> AccountId {
        AccountId(bytes)
    }

    /// Whether it was made by [`AccountId::guest`].
    pub const fn is_guest(&self) -> bool {
        matches!(self.0, [0xff, 0xff, 0xff, 0xff, ..])
    }

    /// The 16 bytes, as storage keeps them.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({self})")
    }
}

/// What an account may do on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// May use the server.
    User,
    /// May also administer its own host.
    Admin,
}

/// Whether an account can log in, and to whom it may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// Can log in.
    Active,
    /// Can log in, but may speak to its host and to itself only, and nobody else reaches it: it waits for a confirmation.
    Locked,
    /// Keeps its data and its name, but nobody can log in.
    Disabled,
    /// Disabled, and locked again once it is enabled.
    LockedAndDisabled,
}

impl AccountState {
    /// Whether nobody can log in, locked or not.
    pub fn is_disabled(self) -> bool {
        matches!(self, AccountState::Disabled | AccountState::LockedAndDisabled)
    }
}

/// One account, without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's identity.
    pub id: AccountId,
    /// The prepared domain part of its address (RFC 7622 section 3.2).
    pub host: Box<str>,
    /// The prepared local part of its address (RFC 7622 section 3.3); unique within `host`.
    pub name: Box<str>,
    /// What it may do.
    pub role: Role,
    /// Whether it can log in.
    pub state: AccountState,
    /// Grows by one whenever sessions opened before must end: new keys, or the account was disabled.
    pub auth_epoch: u32,
    /// When it was made, Unix time in milliseconds.
    pub created_ms: u64,
}

impl Account {
    /// The account of a domain itself, to which the nodes of its services belong (XEP-0060). It has an empty name, which no address of a
    /// person has; it is disabled and gets no keys, so nobody logs in to it, and it is in no list of accounts.
    pub fn of_domain(id: AccountId, host: &str, created_ms: u64) -> Account {
        let (name, role, state) = (Box::default(), Role::User, AccountState::Disabled);
        Account { id, host: host.into(), name, role, state, auth_epoch: 0, created_ms }
    }

    /// The account of a room (XEP-0045) of a service at `host`, a domain where no people have accounts. It is disabled and gets no keys, so
    /// nobody logs in to it.
    pub fn of_room(id: AccountId, host: &str, name: &str, created_ms: u64) -> Account {
        Account { name: name.into(), ..Account::of_domain(id, host, created_ms) }
    }

    /// Whether it is a domain's own.
    pub fn is_of_domain(&self) -> bool {
        self.name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_guests_are_marked_as_guests() {
        for byte in [0, 1, 0x7f, 0xfe, 0xff] {
            assert!(!AccountId::ordinary([byte; 16]).is_guest(), "{byte}");
            let guest = AccountId::guest([byte; 16]);
            assert!(guest.is_guest() && AccountId::from_bytes(*guest.as_bytes()).is_guest(), "{byte}");
            assert_eq!(guest.as_bytes()[4..], [byte; 12]);
        }
        assert_eq!(AccountId::ordinary([7; 16]), AccountId::from_bytes([7; 16]));
    }

    #[test]
    fn an_id_is_shown_as_hexadecimal_digits() {
        let id = AccountId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(format!("{id:?}"), "AccountId(000102030405060708090a0b0c0d0eff)");
    }
}
