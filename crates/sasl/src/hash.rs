//! The hash functions of SCRAM and what is computed with them. One `match` per operation, so that a mechanism is chosen
//! at run time without generics spreading through the crate.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::secret::Secret;

/// A hash function that SCRAM is defined for (RFC 5802, RFC 7677 and their registered siblings).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-1: mandatory in XMPP, safe inside of SCRAM.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384: for keys that were imported from elsewhere.
    Sha384,
    /// SHA-512.
    Sha512,
}

type Bytes = Secret<Box<[u8]>>;

impl Hash {
    /// Every hash, weakest first.
    pub const ALL: [Hash; 4] = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// The name as the mechanism names have it: `SHA-256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// Reads what [`Hash::as_str`] writes.
    pub fn parse(name: &str) -> Option<Hash> {
        Hash::ALL.into_iter().find(|hash| hash.as_str() == name)
    }

    /// How many bytes it makes.
    pub fn output_bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Bytes {
        let bytes: Box<[u8]> = match self {
            Hash::Sha1 => Sha1::digest(data).as_slice().into(),
            Hash::Sha256 => Sha256::digest(data).as_slice().into(),
            Hash::Sha384 => Sha384::digest(data).as_slice().into(),
            Hash::Sha512 => Sha512::digest(data).as_slice().into(),
        };
        Secret::new(bytes)
    }

    /// HMAC (RFC 2104) over the concatenation of `parts`.
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Secret<Box<[u8]>> {
        match self {
            Hash::Sha1 => mac::<Hmac<Sha1>>(key, parts),
            Hash::Sha256 => mac::<Hmac<Sha256>>(key, parts),
            Hash::Sha384 => mac::<Hmac<Sha384>>(key, parts),
            Hash::Sha512 => mac::<Hmac<Sha512>>(key, parts),
        }
    }

    /// PBKDF2 (RFC 8018) with one block of output: `Hi` of RFC 5802 section 2.2.
    pub(crate) fn pbkdf2(self, password: &[u8], salt: &[u8], iterations: u32) -> Bytes {
        let mut bytes = vec![0; self.output_bytes()].into_boxed_slice();
        match self {
            Hash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut bytes),
            Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut bytes),
            Hash::Sha384 => pbkdf2::pbkdf2_hmac::<Sha384>(password, salt, iterations, &mut bytes),
            Hash::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut bytes),
        }
        Secret::new(bytes)
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Bytes {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    Secret::new(mac.finalize().into_bytes().as_slice().into())
}
