//! SASL (RFC 4422): proof of identity, nothing else. Mechanisms are pure step machines without XML, sockets or storage:
//! bytes go in, and a challenge, a question to the caller, an [`Identity`] or a failure comes out.
//! Called by the negotiation of a stream; keeps only what one exchange needs, and wipes it.
//!
//! ```text
//! Offer::new(rules, facts of the stream)  -> names for <mechanisms/>, names for XEP-0440
//! offer.begin(name, opening)              -> Box<dyn Exchange>, only for a name in this very offer
//! offer.begin_token(name, opening)        -> the same for a token instead of a password (XEP-0484)
//! exchange.step(Input::Client(bytes))     -> Challenge | Need | Done | Fail
//! exchange.step(Input::Keys(keys))        -> the answer to Need::Keys, and so on until Done or Fail
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod anonymous;
mod channel_binding;
pub mod client;
mod component;
mod dialback;
mod exchange;
mod external;
mod failure;
mod guest;
mod hash;
mod hashed_token;
mod identity;
mod keys;
mod mechanism;
mod offer;
mod password;
mod plain;
mod scram;
mod secret;
mod self_test;
mod token;
mod wire;

pub use channel_binding::{ChannelBinding, ChannelBindings};
pub use component::{component_proof, is_component_proof};
pub use dialback::{DialbackSecret, DialbackUse};
pub use exchange::{Exchange, Input, MESSAGE_BYTES_MAX, Need, Step, Success, Verdict};
pub use failure::Failure;
pub use guest::{guest_name, is_guest_name, random_guest_name};
pub use hash::Hash;
pub use identity::{Identity, Names};
pub use keys::{ITERATIONS_DEFAULT, Keys, SALT_BYTES, SaltedPassword, derive, fake_keys, verify_password};
pub use mechanism::MechanismName;
pub use offer::{ClientCertificate, Offer, Opening, PlainRule, Rules, StreamFacts};
pub use password::{PASSWORD_BYTES_MAX, Password, PasswordError};
pub use secret::{Secret, random_bytes, token, token_text};
pub use self_test::{SelfTestError, self_test};
pub use token::{TOKEN_SALT_BYTES, Token, TokenUse, resource_name};
pub use wire::{decode, decode_plain, encode, encode_plain};
