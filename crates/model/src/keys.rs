//! SCRAM keys as they are stored (RFC 5802 section 3, RFC 7677): never a password, never anything from which one login
//! could be replayed as another.

use std::fmt;

/// The hash function of a set of SCRAM keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
    /// SCRAM-SHA-384; only for keys imported from another server.
    Sha384,
    /// SCRAM-SHA-512.
    Sha512,
}

impl KeyHash {
    /// All of them, weakest first.
    pub const ALL: [KeyHash; 4] = [KeyHash::Sha1, KeyHash::Sha256, KeyHash::Sha384, KeyHash::Sha512];

    /// The name in a SCRAM mechanism, such as `SHA-256`.
    pub const fn name(self) -> &'static str {
        match self {
            KeyHash::Sha1 => "SHA-1",
            KeyHash::Sha256 => "SHA-256",
            KeyHash::Sha384 => "SHA-384",
            KeyHash::Sha512 => "SHA-512",
        }
    }

    /// The length of each of the two keys in bytes.
    pub const fn key_bytes(self) -> usize {
        match self {
            KeyHash::Sha1 => 20,
            KeyHash::Sha256 => 32,
            KeyHash::Sha384 => 48,
            KeyHash::Sha512 => 64,
        }
    }
}

/// The keys of one account for one hash function. `Debug` shows neither salt nor keys.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKeys {
    /// The hash function they were made with.
    pub hash: KeyHash,
    /// The salt of the key derivation.
    pub salt: Box<[u8]>,
    /// The number of rounds of the key derivation.
    pub iterations: u32,
    /// `StoredKey` of RFC 5802 section 3: checks the client's proof.
    pub stored_key: Box<[u8]>,
    /// `ServerKey` of RFC 5802 section 3: signs the server's answer.
    pub server_key: Box<[u8]>,
}

impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_salt_and_keys() {
        let keys = StoredKeys {
            hash: KeyHash::Sha1,
            salt: b"saltsalt".as_slice().into(),
            iterations: 4096,
            stored_key: [0xAB; 20].into(),
            server_key: [0xCD; 20].into(),
        };
        assert_eq!(format!("{keys:?}"), "StoredKeys { hash: Sha1, iterations: 4096, .. }");
    }
}
