//! SCRAM logins without channel binding, on top of `metronome_sasl::client`. Called by `connect`.
//! Keeps the derived keys of each account, so that a login costs the generator no key derivation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;
use metronome_sasl::client::{Answered, Challenged, ClientBinding, ClientKeys, Scram, Waiting};
use metronome_sasl::{Hash, Password, token_text};

/// Servers ask for 4096 to 10,000; more than this would only burn our own time.
const ITERATIONS_MAX: u32 = 1_000_000;

/// The mechanism used for every login of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mechanism {
    /// RFC 5802
    #[value(name = "SCRAM-SHA-1")]
    Sha1,
    /// RFC 7677
    #[value(name = "SCRAM-SHA-256")]
    Sha256,
}

impl Mechanism {
    /// The name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mechanism::Sha1 => "SCRAM-SHA-1",
            Mechanism::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn hash(self) -> Hash {
        match self {
            Mechanism::Sha1 => Hash::Sha1,
            Mechanism::Sha256 => Hash::Sha256,
        }
    }
}

/// The password of all accounts and the keys derived from it so far, one entry per salt that a server showed.
#[derive(Debug)]
pub(crate) struct Secrets {
    mechanism: Mechanism,
    password: Password,
    derived: Mutex<HashMap<(Vec<u8>, u32), ClientKeys>>,
}

impl Secrets {
    /// All accounts of a run share one password.
    pub(crate) fn new(mechanism: Mechanism, password: &str) -> Result<Secrets> {
        Ok(Secrets { mechanism, password: Password::new(password)?, derived: Mutex::default() })
    }

    /// The mechanism of this run.
    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Begins a login of `user`: the base64 of the first message, and what reads the challenge.
    pub(crate) fn first(&self, user: &str) -> (String, Waiting) {
        let nonce = token_text();
        let binding = ClientBinding::Unsupported;
        let scram = Scram { hash: self.mechanism.hash(), authzid: "", username: user, nonce: &nonce, binding };
        let (message, waiting) = scram.first();
        (BASE64_STANDARD.encode(message), waiting)
    }

    /// Answers the base64 of a challenge with the base64 of the proof.
    pub(crate) fn answer(&self, waiting: Waiting, challenge: &str) -> Result<(String, Answered)> {
        let challenged = waiting.challenge(&BASE64_STANDARD.decode(challenge)?)?;
        let iterations = challenged.iterations;
        ensure!(iterations <= ITERATIONS_MAX, "the server asks for {iterations} iterations");
        let keys = self.keys(&challenged);
        let (message, answered) = challenged.answer(&keys);
        Ok((BASE64_STANDARD.encode(message), answered))
    }

    fn keys(&self, challenged: &Challenged) -> ClientKeys {
        let entry = (challenged.salt.clone(), challenged.iterations);
        if let Some(keys) = self.derived.lock().unwrap_or_else(PoisonError::into_inner).get(&entry) {
            return keys.clone();
        }
        let keys = challenged.derive(&self.password);
        self.derived.lock().unwrap_or_else(PoisonError::into_inner).insert(entry, keys.clone());
        keys
    }
}

/// Checks the base64 additional data of the success: a server that cannot prove the password is a failed run.
pub(crate) fn verify(answered: Answered, success: &str) -> Result<()> {
    Ok(answered.verify(&BASE64_STANDARD.decode(success)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_derived_once_per_salt() {
        let secrets = Secrets::new(Mechanism::Sha1, "pencil").unwrap();
        for salt in ["QSXC", "QSXC", "W22Z"] {
            let (first, waiting) = secrets.first("u1");
            let first = String::from_utf8(BASE64_STANDARD.decode(first).unwrap()).unwrap();
            let nonce = first.strip_prefix("n,,n=u1,r=").unwrap();
            let challenge = BASE64_STANDARD.encode(format!("r={nonce}more,s={salt},i=4096"));
            let (_, answered) = secrets.answer(waiting, &challenge).unwrap();
            assert!(verify(answered, &BASE64_STANDARD.encode("v=AAAA")).is_err());
        }
        assert_eq!(secrets.derived.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_challenge_with_another_nonce_is_refused() {
        let secrets = Secrets::new(Mechanism::Sha256, "pencil").unwrap();
        let (_, waiting) = secrets.first("u1");
        assert!(secrets.answer(waiting, &BASE64_STANDARD.encode("r=yours,s=QSXC,i=4096")).is_err());
    }
}
