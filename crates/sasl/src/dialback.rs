//! XEP-0185: the keys of server dialback. Whoever knows the secret makes them and knows them again, so nothing of a key is kept.

use std::fmt::Write as _;

use crate::hash::Hash;
use crate::secret::Secret;

/// The secret behind all keys of a server.
#[derive(Debug)]
pub struct DialbackSecret(Secret<String>);

/// Whom a key is made for.
#[derive(Clone, Copy, Debug)]
pub struct DialbackUse<'a> {
    /// The domain that was asked to take stanzas. A domain never has a space in it, so that no two uses are written the same way.
    pub receiving: &'a str,
    /// The domain that asks, which is the one that made the key.
    pub originating: &'a str,
    /// The id that the receiving side has given the stream.
    pub stream: &'a str,
}

impl DialbackSecret {
    /// From a secret of at least 32 random bytes.
    pub fn new(secret: &[u8]) -> DialbackSecret {
        DialbackSecret(hexadecimal(Hash::Sha256.digest(secret).bytes()))
    }

    /// The key for this use, in hexadecimal.
    pub fn key(&self, what: DialbackUse<'_>) -> Secret<String> {
        let DialbackUse { receiving, originating, stream } = what;
        let parts: [&[u8]; 5] = [receiving.as_bytes(), b" ", originating.as_bytes(), b" ", stream.as_bytes()];
        hexadecimal(Hash::Sha256.hmac(self.0.bytes(), &parts).bytes())
    }

    /// Whether this is the key for this use, in a time that does not depend on how much of it is right.
    pub fn is_key(&self, what: DialbackUse<'_>, key: &str) -> bool {
        self.key(what).ct_eq(key.as_bytes())
    }
}

fn hexadecimal(bytes: &[u8]) -> Secret<String> {
    // Exactly as long as it will be: no copy is left behind by growth.
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used<'a>(receiving: &'a str, originating: &'a str, stream: &'a str) -> DialbackUse<'a> {
        DialbackUse { receiving, originating, stream }
    }

    #[test]
    fn the_keys_of_both_documents() {
        let secret = DialbackSecret::new(b"s3cr3tf0rd14lb4ck");
        assert_eq!(secret.0.expose(), "a7136eb1f46c9ef18c5e78c36ca257067c69b3d518285f0b18a96c33beae9acc");
        let key = secret.key(used("xmpp.example.com", "example.org", "D60000229F"));
        assert_eq!(key.expose(), "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643");
        let key = secret.key(used("montague.example", "capulet.example", "D60000229F"));
        assert_eq!(key.expose(), "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3");
        let other = DialbackSecret::new(b"d14lb4ck43v3r");
        let key = other.key(used("capulet.example", "montague.example", "417GAF25"));
        assert_eq!(key.expose(), "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d");
    }

    #[test]
    fn a_key_is_for_one_pair_one_way_and_one_stream() {
        let secret = DialbackSecret::new(b"secret");
        let right = used("a.example", "b.example", "1");
        let key = secret.key(right);
        assert!(secret.is_key(right, key.expose()));
        for wrong in [
            used("b.example", "a.example", "1"),
            used("a.example", "b.example", "2"),
            used("a.example", "c.example", "1"),
            used("c.example", "b.example", "1"),
        ] {
            assert!(!secret.is_key(wrong, key.expose()), "{wrong:?}");
        }
        assert!(!secret.is_key(right, &key.expose()[1..]) && !secret.is_key(right, ""));
        assert!(!DialbackSecret::new(b"another").is_key(right, key.expose()));
    }

    /// CVE-2016-0756: with the fields joined otherwise, one domain could speak for another.
    #[test]
    fn no_two_splits_of_the_same_text_have_the_same_key() {
        let secret = DialbackSecret::new(b"secret");
        let text = "example.inform.example.org";
        let mut keys = std::collections::HashSet::new();
        for one in 1..text.len() - 1 {
            for two in one + 1..text.len() {
                let key = secret.key(used(&text[..one], &text[one..two], &text[two..]));
                assert!(keys.insert(key.expose().clone()), "{one} {two}");
            }
        }
        // A stream's id is the remote's choice; spaces in it do not move a border either.
        assert!(keys.insert(secret.key(used("example.in", "form", "x .example.org")).expose().clone()));
    }
}
