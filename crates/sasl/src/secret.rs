//! Secrets as a type, and the one door to the operating system's random numbers.
//! A [`Secret`] is wiped when dropped, never printed, and compared in constant time only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Bytes or text that nobody may see: wiped on drop, `***` in logs, no `==`.
///
/// ```compile_fail
/// let (a, b) = (metronome_sasl::Secret::new(vec![1]), metronome_sasl::Secret::new(vec![1]));
/// let _ = a == b; // no PartialEq: use ct_eq
/// ```
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership, so that no unguarded copy remains with the caller.
    pub fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// The value itself, for writing it to the store or computing with it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<[u8]>> Secret<T> {
    /// Compares in a time that depends on the lengths only.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.0.as_ref().ct_eq(other).into()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Fills an array with random bytes of the operating system.
///
/// # Panics
/// If the operating system has none to give: going on without would be worse.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
    bytes
}

/// 256 random bits: the unit of everything that must not be guessed (nonces, tokens, ids that grant something).
pub fn token() -> [u8; 32] {
    random_bytes()
}

/// [`token`] as 43 characters that are safe in URLs, file names and XML.
pub fn token_text() -> String {
    URL_SAFE_NO_PAD.encode(token())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret.ct_eq(b"hunter2") && !secret.ct_eq(b"hunter3") && !secret.ct_eq(b"hunter"));
    }

    #[test]
    fn tokens_do_not_repeat() {
        let tokens: std::collections::HashSet<String> = (0..1000).map(|_| token_text()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == 43));
    }
}
