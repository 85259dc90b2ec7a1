//! ANONYMOUS (RFC 4505, XEP-0175): a guest. What the client sends is a note for logs at best and never becomes a name.

use crate::exchange::{Input, Mechanism, Need, Step, Success};
use crate::failure::Failure;
use crate::identity::Context;

/// The longest trace, in bytes (RFC 4505 section 2: 255 characters).
const TRACE_BYTES_MAX: usize = 1020;

pub(crate) struct Anonymous {
    context: Context,
    asked: bool,
}

impl Anonymous {
    pub(crate) fn new(context: Context) -> Anonymous {
        Anonymous { context, asked: false }
    }
}

impl Mechanism for Anonymous {
    fn step(&mut self, input: Input<'_>) -> Result<Step, Failure> {
        match input {
            Input::Client(trace) if !self.asked => {
                if trace.len() > TRACE_BYTES_MAX || std::str::from_utf8(trace).is_err() {
                    return Err(Failure::MalformedRequest);
                }
                self.asked = true;
                Ok(Step::Need(Need::AnonymousName))
            }
            Input::AnonymousName(name) if self.asked => {
                let claim = self.context.claim(self.context.username(&name)?, "")?;
                Ok(Step::Done(Success { identity: claim.proved(None), data: None, token: None }))
            }
            _ => Err(Failure::MalformedRequest),
        }
    }
}
