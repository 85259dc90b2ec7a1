//! The client's half of SCRAM, PLAIN and tokens, for tests and the load generator. Typed by its steps:
//! [`Scram::first`], then [`Waiting::challenge`], then [`Challenged::answer`], then [`Answered::verify`].

use subtle::ConstantTimeEq;

use crate::channel_binding::ChannelBinding;
use crate::hash::Hash;
use crate::hashed_token::proof_of;
use crate::keys::client_and_server_key;
use crate::password::Password;
use crate::scram::escape_name;
use crate::secret::Secret;
use crate::wire::{base64, unbase64};

/// The most iterations that a server may ask of this client: more would be an attack on it.
pub const ITERATIONS_MAX: u32 = 10_000_000;

/// Why the client does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server's message breaks the syntax, or asks for an absurd number of iterations.
    #[error("the server's message is malformed")]
    Malformed,
    /// The server's nonce does not begin with ours.
    #[error("the server's nonce does not extend the client's")]
    WrongNonce,
    /// The server has not proved that it knows the account.
    #[error("the server's signature is wrong")]
    WrongSignature,
}

/// PLAIN's only message.
pub fn plain(authzid: &str, username: &str, password: &str) -> Vec<u8> {
    format!("{authzid}\0{username}\0{password}").into_bytes()
}

/// What a client with the password computes for a salt (`SaltedPassword` of RFC 5802 section 3, XEP-0480). Slow.
pub fn salted_password(hash: Hash, password: &Password, salt: &[u8], iterations: u32) -> Vec<u8> {
    hash.pbkdf2(password.bytes(), salt, iterations).bytes().to_vec()
}

/// The only message of a mechanism of tokens; `channel` is empty without a binding.
pub fn hashed_token(username: &str, token: &str, channel: &[u8]) -> Vec<u8> {
    let mut message = format!("{username}\0").into_bytes();
    message.extend_from_slice(&proof_of(token.as_bytes(), b"Initiator", channel));
    message
}

/// Whether the data of a success prove that the server has the same token.
pub fn is_same_token(token: &str, channel: &[u8], data: &[u8]) -> bool {
    proof_of(token.as_bytes(), b"Responder", channel).ct_eq(data).into()
}

/// What SCRAM's slow part yields; good for as long as salt and iterations stay the same.
#[derive(Clone, Debug)]
pub struct ClientKeys {
    client_key: Secret<Box<[u8]>>,
    server_key: Secret<Box<[u8]>>,
}

impl ClientKeys {
    /// Runs PBKDF2. Slow.
    pub fn derive(hash: Hash, password: &Password, salt: &[u8], iterations: u32) -> ClientKeys {
        let (client_key, server_key) = client_and_server_key(hash, password, salt, iterations);
        ClientKeys { client_key, server_key }
    }
}

/// What the client says about channel binding.
#[derive(Clone, Copy, Debug)]
pub enum ClientBinding<'a> {
    /// `n`: cannot.
    Unsupported,
    /// `y`: can, but the server did not offer it.
    NotOffered,
    /// `p=`: binds to these bytes; for the `-PLUS` mechanisms.
    Bind(ChannelBinding, &'a [u8]),
}

/// A login with SCRAM that has not begun.
#[derive(Clone, Copy, Debug)]
pub struct Scram<'a> {
    /// The hash in the mechanism's name.
    pub hash: Hash,
    /// Empty, or the address to act as.
    pub authzid: &'a str,
    /// The user name, unescaped.
    pub username: &'a str,
    /// Random printable ASCII without commas, such as [`crate::token_text`].
    pub nonce: &'a str,
    /// Channel binding.
    pub binding: ClientBinding<'a>,
}

/// The first message is sent.
#[derive(Debug)]
pub struct Waiting {
    hash: Hash,
    channel: Vec<u8>,
    first_bare: String,
    nonce: String,
}

/// The server's challenge is here; the keys are wanted.
#[derive(Debug)]
pub struct Challenged {
    waiting: Waiting,
    server_first: String,
    server_nonce: String,
    /// The account's salt.
    pub salt: Vec<u8>,
    /// The account's iterations.
    pub iterations: u32,
}

/// The proof is sent; the server's own proof is wanted.
#[derive(Debug)]
pub struct Answered {
    signature: Secret<Box<[u8]>>,
}

impl Scram<'_> {
    /// The first message.
    pub fn first(&self) -> (Vec<u8>, Waiting) {
        let (flag, bytes): (String, &[u8]) = match self.binding {
            ClientBinding::Unsupported => (String::from("n"), &[]),
            ClientBinding::NotOffered => (String::from("y"), &[]),
            ClientBinding::Bind(binding, bytes) => (format!("p={}", binding.as_str()), bytes),
        };
        let authzid = match self.authzid {
            "" => String::new(),
            authzid => format!("a={}", escape_name(authzid)),
        };
        let header = format!("{flag},{authzid},");
        let first_bare = format!("n={},r={}", escape_name(self.username), self.nonce);
        let message = format!("{header}{first_bare}").into_bytes();
        let channel = [header.as_bytes(), bytes].concat();
        (message, Waiting { hash: self.hash, channel, first_bare, nonce: self.nonce.to_owned() })
    }
}

impl Waiting {
    /// Reads the server's challenge.
    pub fn challenge(self, message: &[u8]) -> Result<Challenged, ClientError> {
        let text = std::str::from_utf8(message).map_err(|_| ClientError::Malformed)?;
        let mut fields = text.split(',');
        let mut field = |name| fields.next().and_then(|field| field.strip_prefix(name)).ok_or(ClientError::Malformed);
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(ClientError::WrongNonce);
        }
        let iterations = iterations.parse().ok().filter(|i| (1..=ITERATIONS_MAX).contains(i));
        Ok(Challenged {
            server_first: text.to_owned(),
            server_nonce: nonce.to_owned(),
            salt: unbase64(salt).map_err(|_| ClientError::Malformed)?,
            iterations: iterations.ok_or(ClientError::Malformed)?,
            waiting: self,
        })
    }
}

impl Challenged {
    /// Runs PBKDF2 for this challenge. Slow; keep the result where the same account logs in often.
    pub fn derive(&self, password: &Password) -> ClientKeys {
        ClientKeys::derive(self.waiting.hash, password, &self.salt, self.iterations)
    }

    /// The proof.
    pub fn answer(self, keys: &ClientKeys) -> (Vec<u8>, Answered) {
        let hash = self.waiting.hash;
        let without_proof = format!("c={},r={}", base64(&self.waiting.channel), self.server_nonce);
        let signed =
            [self.waiting.first_bare.as_str(), ",", &self.server_first, ",", &without_proof].map(str::as_bytes);
        let stored_key = hash.digest(keys.client_key.bytes());
        let signature = hash.hmac(stored_key.bytes(), &signed);
        let proof: Vec<u8> = keys.client_key.bytes().iter().zip(signature.bytes()).map(|(a, b)| a ^ b).collect();
        let message = format!("{without_proof},p={}", base64(&proof)).into_bytes();
        (message, Answered { signature: hash.hmac(keys.server_key.bytes(), &signed) })
    }
}

impl Answered {
    /// Checks the data of the server's success.
    pub fn verify(self, message: &[u8]) -> Result<(), ClientError> {
        let signature = message.strip_prefix(b"v=").and_then(|text| std::str::from_utf8(text).ok());
        let signature = unbase64(signature.ok_or(ClientError::Malformed)?).map_err(|_| ClientError::Malformed)?;
        if self.signature.bytes().ct_eq(&signature).into() { Ok(()) } else { Err(ClientError::WrongSignature) }
    }
}
