//! Names of guests (XEP-0175): the same for the same network address, so that somebody who was sent away cannot come back under
//! another name, and useless to whoever would like to know the address.

use std::fmt::Write as _;

use crate::hash::Hash;

/// What the names of guests begin with, and those of accounts do not: see [`is_guest_name`].
const PREFIX: &str = "guest-";
const DIGITS: usize = 32;

/// The name of the guest who comes from a network address to a host, as far as a keyed hash (HMAC-SHA-256) tells.
///
/// `server_secret` is at least 32 random bytes that outlive a restart. It may be the one of [`crate::fake_keys`]: what is hashed
/// begins otherwise. `address` is the part of the network address that stands for one household.
pub fn guest_name(server_secret: &[u8], host: &str, address: &[u8]) -> String {
    let hash = Hash::Sha256.hmac(server_secret, &[b"guest\0name\0", host.as_bytes(), b"\0", address]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.bytes()[..16]);
    random_guest_name(bytes)
}

/// The name of a guest whom nothing tells from others, of bytes that are random.
pub fn random_guest_name(random: [u8; 16]) -> String {
    random.iter().fold(String::from(PREFIX), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// Whether a name, prepared, is one that a guest could have. No account may have such a name: a guest could come as it.
pub fn is_guest_name(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of thirty-two bytes or so";

    #[test]
    fn the_same_address_is_the_same_guest_and_others_are_others() {
        let first = guest_name(SECRET, "example.org", &[192, 0, 2, 1]);
        assert_eq!(first, guest_name(SECRET, "example.org", &[192, 0, 2, 1]));
        for other in [
            guest_name(SECRET, "example.org", &[192, 0, 2, 2]),
            guest_name(SECRET, "example.net", &[192, 0, 2, 1]),
            guest_name(b"another secret of thirty-two bytes", "example.org", &[192, 0, 2, 1]),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn names_of_guests_are_told_from_others() {
        assert!(is_guest_name(&guest_name(SECRET, "example.org", &[192, 0, 2, 1])));
        assert!(is_guest_name(&random_guest_name([7; 16])));
        for other in [
            "guest-1",
            "guest",
            "alice",
            "guest-0123456789abcdef0123456789abcdeg",
            "guest-0123456789ABCDEF0123456789abcdef",
        ] {
            assert!(!is_guest_name(other), "{other}");
        }
    }
}
