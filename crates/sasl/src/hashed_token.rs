//! The mechanisms of tokens (XEP-0484, draft-schmaus-kitten-sasl-ht): one message each way. The client proves that it has a token of the
//! server's, bound to the TLS connection if the mechanism says so, and the server proves the same.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::channel_binding::ChannelBinding;
use crate::exchange::{Input, Mechanism, Need, Step, Success};
use crate::failure::Failure;
use crate::hash::Hash;
use crate::identity::{Claim, Context};
use crate::token::Token;

const HASH: Hash = Hash::Sha256;

pub(crate) struct HashedToken {
    context: Context,
    binding: Option<ChannelBinding>,
    /// The bytes of the binding; none where the mechanism has no binding.
    channel: Vec<u8>,
    claimed: Option<(Claim, Vec<u8>)>,
}

impl HashedToken {
    pub(crate) fn new(context: Context, binding: Option<ChannelBinding>, channel: Vec<u8>) -> HashedToken {
        HashedToken { context, binding, channel, claimed: None }
    }

    /// `authcid NUL proof`.
    fn ask(&mut self, message: &[u8]) -> Result<Step, Failure> {
        let end = message.iter().position(|&byte| byte == 0).ok_or(Failure::MalformedRequest)?;
        let (authcid, proof) = (&message[..end], &message[end + 1..]);
        if authcid.is_empty() || proof.len() != HASH.output_bytes() {
            return Err(Failure::MalformedRequest);
        }
        let authcid = std::str::from_utf8(authcid).map_err(|_| Failure::MalformedRequest)?;
        let claim = self.context.claim(self.context.username(authcid)?, "")?;
        let username = claim.authcid().to_owned();
        self.claimed = Some((claim, proof.to_vec()));
        Ok(Step::Need(Need::Tokens { username }))
    }

    /// Compares with each token, however soon one fits: how long it takes tells nothing.
    fn compare(&self, claim: Claim, proof: &[u8], tokens: &[Token]) -> Result<Step, Failure> {
        let mut found = Choice::from(0);
        let mut which = 0u32;
        for (at, token) in tokens.iter().enumerate() {
            let fits = proof_of(token.bytes(), b"Initiator", &self.channel).ct_eq(proof);
            which.conditional_assign(&(at as u32), fits & !found);
            found |= fits;
        }
        let token = tokens.get(which as usize).filter(|_| found.into()).ok_or(Failure::NotAuthorized)?;
        let data = proof_of(token.bytes(), b"Responder", &self.channel);
        let identity = claim.proved(self.binding);
        Ok(Step::Done(Success { identity, data: Some(data), token: Some(which as usize) }))
    }
}

impl Mechanism for HashedToken {
    fn step(&mut self, input: Input<'_>) -> Result<Step, Failure> {
        match (self.claimed.take(), input) {
            (None, Input::Client(message)) => self.ask(message),
            (Some((claim, proof)), Input::Tokens(tokens)) => self.compare(claim, &proof, &tokens),
            _ => Err(Failure::MalformedRequest),
        }
    }
}

/// What one side sends: an HMAC whose key is the token.
pub(crate) fn proof_of(token: &[u8], side: &[u8], channel: &[u8]) -> Vec<u8> {
    HASH.hmac(token, &[side, channel]).bytes().to_vec()
}
