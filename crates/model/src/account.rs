//! Accounts: who can log in here, and with which rights.
//! An account is its id, not its name: a name can be given away again, an id never.

use std::fmt;

/// The identity of an account: 128 random bits, made once by the caller from the operating system's random numbers and
/// never used again, not even for an account that later gets the same name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 16]);

impl AccountId {
    /// Wraps 16 bytes that were random when the account was made.
    pub const fn from_bytes(bytes: [u8; 16]) -> AccountId {
        AccountId(bytes)
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

/// Whether an account can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// Can log in.
    Active,
    /// Can log in, but may speak to its host and to itself only, and nobody else reaches it: it waits for a confirmation.
    Locked,
    /// Keeps its data and its name, but nobody can log in.
    Disabled,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_shown_as_hexadecimal_digits() {
        let id = AccountId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(format!("{id:?}"), "AccountId(000102030405060708090a0b0c0d0eff)");
    }
}
