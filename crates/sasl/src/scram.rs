//! SCRAM, the server's half (RFC 5802, RFC 7677), with and without channel binding. The password never comes here:
//! the client proves that it could compute the key whose hash is stored, and the server proves that it has the account.

mod downgrade;
mod message;
#[cfg(test)]
mod tests;

use subtle::ConstantTimeEq;

use crate::channel_binding::{ChannelBinding, ChannelBindings};
use crate::exchange::{Input, Mechanism, Need, Step, Success};
use crate::failure::Failure;
use crate::hash::Hash;
use crate::identity::{Claim, Context};
use crate::keys::Keys;
use crate::wire::{base64, unbase64};

pub(crate) use downgrade::downgrade_hash;
pub(crate) use message::{ClientFinal, ClientFirst, Gs2Flag, escape_name};

/// What this stream's offer said about channel binding.
pub(crate) enum Binding {
    /// A `-PLUS` mechanism: the client must bind to one of these.
    Required(ChannelBindings),
    /// Not this mechanism, but others with `-PLUS` were offered: a client that says it saw none was lied to.
    Offered,
    /// No `-PLUS` mechanism was offered.
    Impossible,
}

pub(crate) struct Scram {
    context: Context,
    hash: Hash,
    binding: Binding,
    server_nonce: String,
    /// What was announced, hashed (XEP-0474).
    announced: String,
    state: State,
}

enum State {
    AwaitFirst,
    AwaitKeys(Started),
    AwaitFinal(Started, Keys, String),
    Ended,
}

/// What is known after the client's first message.
struct Started {
    claim: Claim,
    binding: Option<ChannelBinding>,
    /// What the client's `c=` must decode to: its GS2 header, and the binding's bytes.
    channel: Vec<u8>,
    first_bare: String,
    nonce: String,
}

impl Scram {
    pub(crate) fn new(
        context: Context,
        hash: Hash,
        binding: Binding,
        server_nonce: String,
        announced: String,
    ) -> Scram {
        Scram { context, hash, binding, server_nonce, announced, state: State::AwaitFirst }
    }

    fn first(&mut self, message: &[u8]) -> Result<Step, Failure> {
        let first = ClientFirst::parse(message)?;
        let (binding, bytes) = self.judge_flag(&first.flag)?;
        let mut channel = first.gs2_header.as_bytes().to_vec();
        channel.extend_from_slice(bytes);
        let claim = self.context.claim(self.context.username(&first.username)?, &first.authzid)?;
        let username = claim.authcid().to_owned();
        self.state = State::AwaitKeys(Started {
            claim,
            binding,
            channel,
            first_bare: first.bare.to_owned(),
            nonce: format!("{}{}", first.nonce, self.server_nonce),
        });
        Ok(Step::Need(Need::Keys { username, hash: self.hash }))
    }

    /// RFC 5802 section 6: the flag must fit the mechanism, and `y` must be true.
    fn judge_flag(&self, flag: &Gs2Flag<'_>) -> Result<(Option<ChannelBinding>, &[u8]), Failure> {
        match (flag, &self.binding) {
            (Gs2Flag::Use(name), Binding::Required(bindings)) => {
                let binding = ChannelBinding::parse(name).ok_or(Failure::NotAuthorized)?;
                let bytes = bindings.get(binding).ok_or(Failure::NotAuthorized)?;
                Ok((Some(binding), bytes))
            }
            (Gs2Flag::Use(_), _) | (_, Binding::Required(_)) => Err(Failure::MalformedRequest),
            // The client saw no -PLUS in a list that had it: somebody in between removed it.
            (Gs2Flag::NotSeen, Binding::Offered) => Err(Failure::NotAuthorized),
            (Gs2Flag::NotSeen | Gs2Flag::No, _) => Ok((None, &[])),
        }
    }

    fn challenge(&mut self, started: Started, keys: Keys) -> Result<Step, Failure> {
        if keys.hash != self.hash {
            return Err(Failure::TemporaryAuthFailure);
        }
        let challenge = match &*self.announced {
            "" => format!("r={},s={},i={}", started.nonce, base64(&keys.salt), keys.iterations),
            hash => format!("r={},s={},i={},h={hash}", started.nonce, base64(&keys.salt), keys.iterations),
        };
        self.state = State::AwaitFinal(started, keys, challenge.clone());
        Ok(Step::Challenge(challenge.into_bytes()))
    }

    fn finish(&self, started: Started, keys: &Keys, server_first: &str, message: &[u8]) -> Result<Step, Failure> {
        let last = ClientFinal::parse(message)?;
        let channel: bool = unbase64(last.channel)?.ct_eq(&started.channel).into();
        let nonce: bool = last.nonce.as_bytes().ct_eq(started.nonce.as_bytes()).into();
        let proof = unbase64(last.proof)?;
        let auth_message = [started.first_bare.as_str(), ",", server_first, ",", last.without_proof].map(str::as_bytes);
        if !(channel & nonce & self.is_proof(keys, &auth_message, &proof)) {
            return Err(Failure::NotAuthorized);
        }
        let signature = self.hash.hmac(keys.server_key.bytes(), &auth_message);
        let data = format!("v={}", base64(signature.bytes())).into_bytes();
        Ok(Step::Done(Success { identity: started.claim.proved(started.binding), data: Some(data), token: None }))
    }

    /// Whether the proof, without the signature, is the key whose hash is stored.
    fn is_proof(&self, keys: &Keys, auth_message: &[&[u8]], proof: &[u8]) -> bool {
        let signature = self.hash.hmac(keys.stored_key.bytes(), auth_message);
        if proof.len() != signature.bytes().len() {
            return false;
        }
        let client_key: Vec<u8> = proof.iter().zip(signature.bytes()).map(|(a, b)| a ^ b).collect();
        let client_key = crate::secret::Secret::new(client_key);
        self.hash.digest(client_key.bytes()).ct_eq(keys.stored_key.bytes())
    }
}

impl Mechanism for Scram {
    fn step(&mut self, input: Input<'_>) -> Result<Step, Failure> {
        match (std::mem::replace(&mut self.state, State::Ended), input) {
            (State::AwaitFirst, Input::Client(message)) => self.first(message),
            (State::AwaitKeys(started), Input::Keys(keys)) => self.challenge(started, keys),
            (State::AwaitFinal(started, keys, challenge), Input::Client(message)) => {
                self.finish(started, &keys, &challenge, message)
            }
            _ => Err(Failure::MalformedRequest),
        }
    }
}
