//! One exchange: what goes in, what comes out, and the guard around every mechanism (size, order, nothing after the end).
//! The caller drives it with [`Exchange::step`] and answers its needs; it never waits and never asks anyone itself.

use crate::failure::Failure;
use crate::hash::Hash;
use crate::identity::Identity;
use crate::keys::Keys;
use crate::password::Password;
use crate::token::Token;

/// The longest message of a client, in bytes after decoding. Longer ones end the exchange with `malformed-request`.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// One attempt to log in. Dropped after `Done` or `Fail`; a further step fails.
pub trait Exchange: Send {
    /// Takes the client's next message, or the answer to the last [`Need`].
    fn step(&mut self, input: Input<'_>) -> Step;
}

/// What the caller gives to an exchange.
#[derive(Debug)]
pub enum Input<'a> {
    /// `<auth/>` had no initial response; the answer is an empty challenge.
    NoInitialResponse,
    /// A decoded message of the client.
    Client(&'a [u8]),
    /// Answers [`Need::Keys`]: the account's keys, or [`crate::fake_keys`] if there are none.
    Keys(Keys),
    /// Answers [`Need::CheckPassword`].
    Verdict(Verdict),
    /// Answers [`Need::Certificate`]: the addresses (xmppAddr) in the client's verified certificate, as written there;
    /// empty if it has none.
    Certificate(Vec<String>),
    /// Answers [`Need::AnonymousName`]: a user name that nobody has.
    AnonymousName(String),
    /// Answers [`Need::Tokens`]: those that may be used, or others that nobody has ([`Token::of_nobody`]): as many for everybody.
    Tokens(Vec<Token>),
    /// Answers any need that could not be met, such as an unreachable store: `temporary-auth-failure`.
    Unavailable,
}

/// The caller's judgement of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the account's password.
    Right,
    /// It is not, or there is no such account.
    Wrong,
}

/// What an exchange wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this to the client, and step with what it answers.
    Challenge(Vec<u8>),
    /// Find this out, and step with the answer.
    Need(Need),
    /// The client has proved who it is.
    Done(Success),
    /// It has not.
    Fail(Failure),
}

/// What only the caller can find out.
#[derive(Debug)]
pub enum Need {
    /// This account's keys; `username` is prepared. Answer with [`Input::Keys`].
    Keys {
        /// The prepared user name.
        username: String,
        /// The hash that the keys must be for.
        hash: Hash,
    },
    /// Whether this is the account's password ([`crate::verify_password`], slow). Answer with [`Input::Verdict`].
    CheckPassword {
        /// The prepared user name.
        username: String,
        /// What the client sent.
        password: Password,
    },
    /// The addresses in the client's certificate. Answer with [`Input::Certificate`].
    Certificate,
    /// The tokens that the client may prove. Answer with [`Input::Tokens`].
    Tokens {
        /// The prepared user name.
        username: String,
    },
    /// A fresh user name. Answer with [`Input::AnonymousName`].
    AnonymousName,
}

/// A proof that was accepted.
#[derive(Debug)]
pub struct Success {
    /// Who it is. That the account (still) exists and is not disabled is for the caller to check.
    pub identity: Identity,
    /// Additional data for `<success/>`: the server's own proof.
    pub data: Option<Vec<u8>>,
    /// Which of the tokens that were given was proved; none where a mechanism needs no token.
    pub token: Option<usize>,
}

/// A mechanism's own steps, behind the guard.
pub(crate) trait Mechanism: Send {
    fn step(&mut self, input: Input<'_>) -> Result<Step, Failure>;
}

/// The guard: what is the same for every mechanism.
pub(crate) struct Guarded<M> {
    mechanism: M,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    Running,
    Ended,
}

impl<M: Mechanism> Guarded<M> {
    pub(crate) fn new(mechanism: M) -> Guarded<M> {
        Guarded { mechanism, state: State::Fresh }
    }

    fn guarded(&mut self, input: Input<'_>) -> Result<Step, Failure> {
        match input {
            _ if self.state == State::Ended => Err(Failure::MalformedRequest),
            Input::NoInitialResponse if self.state == State::Fresh => Ok(Step::Challenge(Vec::new())),
            Input::NoInitialResponse => Err(Failure::MalformedRequest),
            Input::Client(message) if message.len() > MESSAGE_BYTES_MAX => Err(Failure::MalformedRequest),
            Input::Unavailable => Err(Failure::TemporaryAuthFailure),
            input => self.mechanism.step(input),
        }
    }
}

impl<M: Mechanism> Exchange for Guarded<M> {
    fn step(&mut self, input: Input<'_>) -> Step {
        let step = self.guarded(input).unwrap_or_else(Step::Fail);
        self.state = if matches!(step, Step::Done(_) | Step::Fail(_)) { State::Ended } else { State::Running };
        step
    }
}
