//! What is stored of a password (RFC 5802 section 3): salt, iterations, StoredKey, ServerKey; never the password.
//! Derivation and verification are slow on purpose: the caller runs them in a bounded pool of blocking threads.

use crate::hash::Hash;
use crate::password::Password;
use crate::secret::Secret;

/// Iterations for new passwords unless the configuration says otherwise.
pub const ITERATIONS_DEFAULT: u32 = 10_000;

/// Bytes of salt for new passwords; the salts of unknown users look the same.
pub const SALT_BYTES: usize = 16;

/// One account's keys for one hash. Whoever reads them can pose as the server, but not log in.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The hash that made them.
    pub hash: Hash,
    /// Random per account; sent to whoever wants to log in.
    pub salt: Box<[u8]>,
    /// Rounds of PBKDF2; the client does them at each login with SCRAM.
    pub iterations: u32,
    /// The hash of the client's key: checks a proof.
    pub stored_key: Secret<Box<[u8]>>,
    /// Signs the server's last message.
    pub server_key: Secret<Box<[u8]>>,
}

/// Derives the keys of a password. Slow: milliseconds of CPU at the default of [`ITERATIONS_DEFAULT`].
///
/// `iterations` is at least 1; 4096 is the least that RFC 7677 allows for new passwords.
pub fn derive(hash: Hash, password: &Password, salt: &[u8], iterations: u32) -> Keys {
    let (client_key, server_key) = client_and_server_key(hash, password, salt, iterations);
    Keys { hash, salt: salt.into(), iterations, stored_key: hash.digest(client_key.bytes()), server_key }
}

/// What is left of a password once it is salted (`SaltedPassword` of RFC 5802 section 3): a client that has the password computes it for a
/// hash that the account has no keys for (XEP-0480). As good as the password for this salt, so it is never stored.
#[derive(Debug)]
pub struct SaltedPassword(Secret<Vec<u8>>);

impl SaltedPassword {
    /// Takes what a client sent; none if it is not as long as the hash makes it.
    pub fn new(hash: Hash, bytes: Vec<u8>) -> Option<SaltedPassword> {
        let bytes = Secret::new(bytes);
        (bytes.expose().len() == hash.output_bytes()).then_some(SaltedPassword(bytes))
    }

    /// The keys to be stored, for the salt and the iterations that the client was told.
    pub fn keys(&self, hash: Hash, salt: &[u8], iterations: u32) -> Keys {
        let client_key = hash.hmac(self.0.bytes(), &[b"Client Key"]);
        Keys {
            hash,
            salt: salt.into(),
            iterations,
            stored_key: hash.digest(client_key.bytes()),
            server_key: hash.hmac(self.0.bytes(), &[b"Server Key"]),
        }
    }
}

/// Whether this is the password that the keys were made of. As slow as [`derive()`]; the comparison takes constant time.
///
/// For an unknown user call it with [`fake_keys`], so that the answer takes as long.
pub fn verify_password(keys: &Keys, password: &Password) -> bool {
    let salted = keys.hash.pbkdf2(password.bytes(), &keys.salt, keys.iterations);
    let client_key = keys.hash.hmac(salted.bytes(), &[b"Client Key"]);
    keys.hash.digest(client_key.bytes()).ct_eq(keys.stored_key.bytes())
}

/// Keys for a user who does not exist, or has none for this hash: the same each time, and matched by no password.
///
/// `server_secret` is at least 32 random bytes that outlive a restart, else a salt that changes tells that the user is
/// unknown. `username` is prepared. `iterations` is what new accounts get.
pub fn fake_keys(server_secret: &[u8], host: &str, username: &str, hash: Hash, iterations: u32) -> Keys {
    let make = |what: &str| {
        let subject = [what, "\0", host, "\0", username, "\0", hash.as_str()];
        hash.hmac(server_secret, &subject.map(str::as_bytes))
    };
    let salt = Hash::Sha256.hmac(make("salt").bytes(), &[]);
    Keys {
        hash,
        salt: salt.bytes()[..SALT_BYTES].into(),
        iterations,
        stored_key: make("stored key"),
        server_key: make("server key"),
    }
}

type KeyPair = (Secret<Box<[u8]>>, Secret<Box<[u8]>>);

pub(crate) fn client_and_server_key(hash: Hash, password: &Password, salt: &[u8], iterations: u32) -> KeyPair {
    let salted = hash.pbkdf2(password.bytes(), salt, iterations);
    (hash.hmac(salted.bytes(), &[b"Client Key"]), hash.hmac(salted.bytes(), &[b"Server Key"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn only_the_right_password_verifies() {
        for hash in Hash::ALL {
            let keys = derive(hash, &password("pencil"), b"0123456789abcdef", 10);
            assert!(verify_password(&keys, &password("pencil")));
            assert!(!verify_password(&keys, &password("Pencil")));
            assert_eq!(keys.stored_key.expose().len(), hash.output_bytes());
            assert_eq!(keys.server_key.expose().len(), hash.output_bytes());
        }
    }

    #[test]
    fn a_salted_password_makes_the_keys_that_the_password_makes() {
        for hash in Hash::ALL {
            let salted = hash.pbkdf2(b"pencil", b"0123456789abcdef", 10);
            let keys = SaltedPassword::new(hash, salted.bytes().to_vec()).unwrap().keys(hash, b"0123456789abcdef", 10);
            assert!(verify_password(&keys, &password("pencil")) && !verify_password(&keys, &password("Pencil")));
            let derived = derive(hash, &password("pencil"), b"0123456789abcdef", 10);
            assert!(keys.server_key.ct_eq(derived.server_key.bytes()));
            assert!(SaltedPassword::new(hash, vec![0; hash.output_bytes() - 1]).is_none());
        }
    }

    #[test]
    fn fake_keys_are_steady_and_differ_by_host_user_and_hash() {
        let salt = |secret: &[u8], host: &str, user: &str, hash| fake_keys(secret, host, user, hash, 10).salt;
        let first = salt(b"s", "a.example", "romeo", Hash::Sha1);
        assert_eq!(first.len(), SALT_BYTES);
        assert_eq!(first, salt(b"s", "a.example", "romeo", Hash::Sha1));
        assert_ne!(first, salt(b"t", "a.example", "romeo", Hash::Sha1));
        assert_ne!(first, salt(b"s", "b.example", "romeo", Hash::Sha1));
        assert_ne!(first, salt(b"s", "a.example", "juliet", Hash::Sha1));
        assert_ne!(first, salt(b"s", "a.example", "romeo", Hash::Sha256));
    }

    #[test]
    fn printing_keys_shows_no_key() {
        let shown = format!("{:?}", derive(Hash::Sha256, &password("pencil"), b"0123456789abcdef", 1));
        assert!(shown.contains("stored_key: ***") && shown.contains("server_key: ***"), "{shown}");
    }
}
