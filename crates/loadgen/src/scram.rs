//! The client half of SCRAM (RFC 5802, RFC 7677) without channel binding. Called by `connect`.
//! Keeps the derived keys of each account, so that a login costs the generator no key derivation.

use std::collections::HashMap;
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

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

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Mechanism::Sha1 => Sha1::digest(data).to_vec(),
            Mechanism::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        const ANY_KEY: &str = "HMAC takes keys of any length";
        match self {
            Mechanism::Sha1 => {
                Hmac::<Sha1>::new_from_slice(key).expect(ANY_KEY).chain_update(data).finalize().into_bytes().to_vec()
            }
            Mechanism::Sha256 => {
                Hmac::<Sha256>::new_from_slice(key).expect(ANY_KEY).chain_update(data).finalize().into_bytes().to_vec()
            }
        }
    }

    fn derive(self, password: &str, salt: &[u8], iterations: u32) -> Keys {
        let salted = match self {
            Mechanism::Sha1 => pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password.as_bytes(), salt, iterations).to_vec(),
            Mechanism::Sha256 => {
                pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, iterations).to_vec()
            }
        };
        Keys { client: self.hmac(&salted, b"Client Key"), server: self.hmac(&salted, b"Server Key") }
    }
}

/// What a password becomes under one salt and iteration count.
#[derive(Clone, Debug)]
struct Keys {
    client: Vec<u8>,
    server: Vec<u8>,
}

/// The password of all accounts and the keys derived from it so far, one entry per salt that a server showed.
#[derive(Debug)]
pub(crate) struct Secrets {
    mechanism: Mechanism,
    password: String,
    derived: Mutex<HashMap<(Vec<u8>, u32), Keys>>,
}

impl Secrets {
    /// All accounts of a run share one password.
    pub(crate) fn new(mechanism: Mechanism, password: &str) -> Secrets {
        Secrets { mechanism, password: password.to_owned(), derived: Mutex::default() }
    }

    /// The mechanism of this run.
    pub(crate) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    fn keys(&self, salt: Vec<u8>, iterations: u32) -> Result<Keys> {
        ensure!((1..=ITERATIONS_MAX).contains(&iterations), "the server asks for {iterations} iterations");
        let poisoned = |_| anyhow::anyhow!("a login task panicked");
        if let Some(keys) = self.derived.lock().map_err(poisoned)?.get(&(salt.clone(), iterations)) {
            return Ok(keys.clone());
        }
        let keys = self.mechanism.derive(&self.password, &salt, iterations);
        self.derived.lock().map_err(poisoned)?.insert((salt, iterations), keys.clone());
        Ok(keys)
    }
}

/// One exchange: `first`, then `answer` to the challenge, then `verify` of the success.
#[derive(Debug)]
pub(crate) struct Exchange {
    mechanism: Mechanism,
    nonce: String,
    first_bare: String,
    signature: Vec<u8>,
}

impl Exchange {
    /// Begins a login of `user`, whose name must not need escaping, with a fresh nonce.
    pub(crate) fn new(mechanism: Mechanism, user: &str) -> Result<Exchange> {
        let mut random = [0; 18];
        getrandom::fill(&mut random).context("no random numbers")?;
        Ok(Exchange::with_nonce(mechanism, user, &BASE64_STANDARD.encode(random)))
    }

    fn with_nonce(mechanism: Mechanism, user: &str, nonce: &str) -> Exchange {
        let first_bare = format!("n={user},r={nonce}");
        Exchange { mechanism, nonce: nonce.to_owned(), first_bare, signature: Vec::new() }
    }

    /// The base64 of the client's first message.
    pub(crate) fn first(&self) -> String {
        BASE64_STANDARD.encode(format!("n,,{}", self.first_bare))
    }

    /// The base64 of the client's final message, from the base64 of the server's challenge.
    pub(crate) fn answer(&mut self, challenge: &str, secrets: &Secrets) -> Result<String> {
        let challenge = String::from_utf8(BASE64_STANDARD.decode(challenge)?)?;
        let field = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name));
        let nonce = field("r=").context("challenge without nonce")?;
        ensure!(nonce.starts_with(&self.nonce) && nonce.len() > self.nonce.len(), "the nonce is not ours");
        let salt = BASE64_STANDARD.decode(field("s=").context("challenge without salt")?)?;
        let keys = secrets.keys(salt, field("i=").context("challenge without iterations")?.parse()?)?;
        let final_bare = format!("c=biws,r={nonce}");
        let signed = format!("{},{challenge},{final_bare}", self.first_bare);
        let mut proof = self.mechanism.hmac(&self.mechanism.hash(&keys.client), signed.as_bytes());
        proof.iter_mut().zip(&keys.client).for_each(|(byte, key)| *byte ^= key);
        self.signature = self.mechanism.hmac(&keys.server, signed.as_bytes());
        Ok(BASE64_STANDARD.encode(format!("{final_bare},p={}", BASE64_STANDARD.encode(proof))))
    }

    /// Checks the base64 additional data of the success: a server that cannot prove the password is a failed run.
    pub(crate) fn verify(&self, success: &str) -> Result<()> {
        let expected = format!("v={}", BASE64_STANDARD.encode(&self.signature));
        if BASE64_STANDARD.decode(success)? != expected.as_bytes() {
            bail!("the server's signature is wrong");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Vector {
        mechanism: Mechanism,
        nonce: &'static str,
        challenge: &'static str,
        answer: &'static str,
        success: &'static str,
    }

    /// RFC 5802 section 5 and RFC 7677 section 3.
    const VECTORS: [Vector; 2] = [
        Vector {
            mechanism: Mechanism::Sha1,
            nonce: "fyko+d2lbbFgONRv9qkxdawL",
            challenge: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            answer: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            success: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        },
        Vector {
            mechanism: Mechanism::Sha256,
            nonce: "rOprNGfwEbeRWgbNEkqO",
            challenge: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            answer: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                     p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            success: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        },
    ];

    #[test]
    fn the_vectors_of_the_rfcs_come_out() {
        for vector in VECTORS {
            let secrets = Secrets::new(vector.mechanism, "pencil");
            let mut exchange = Exchange::with_nonce(vector.mechanism, "user", vector.nonce);
            let answer = exchange.answer(&BASE64_STANDARD.encode(vector.challenge), &secrets).unwrap();
            assert_eq!(BASE64_STANDARD.decode(answer).unwrap(), vector.answer.as_bytes());
            exchange.verify(&BASE64_STANDARD.encode(vector.success)).unwrap();
            assert!(exchange.verify(&BASE64_STANDARD.encode("v=AAAA")).is_err());
        }
    }

    #[test]
    fn a_challenge_with_another_nonce_is_refused() {
        let secrets = Secrets::new(Mechanism::Sha1, "pencil");
        let mut exchange = Exchange::with_nonce(Mechanism::Sha1, "user", "mine");
        assert!(exchange.answer(&BASE64_STANDARD.encode("r=yours,s=QSXC,i=4096"), &secrets).is_err());
    }
}
