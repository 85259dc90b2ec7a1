//! PLAIN (RFC 4616): the password itself, so only inside of TLS. The caller checks it against the stored keys.

use crate::exchange::{Input, Mechanism, Need, Step, Success, Verdict};
use crate::failure::Failure;
use crate::identity::{Claim, Context};
use crate::password::Password;

pub(crate) struct Plain {
    context: Context,
    claim: Option<Claim>,
}

impl Plain {
    pub(crate) fn new(context: Context) -> Plain {
        Plain { context, claim: None }
    }

    fn check(&mut self, message: &[u8]) -> Result<Step, Failure> {
        let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        let fields: Vec<&str> = text.splitn(4, '\0').collect();
        let [authzid, authcid, password] = fields[..] else { return Err(Failure::MalformedRequest) };
        if authcid.is_empty() || password.is_empty() {
            return Err(Failure::MalformedRequest);
        }
        let claim = self.context.claim(self.context.username(authcid)?, authzid)?;
        let password = Password::new(password).map_err(|_| Failure::NotAuthorized)?;
        let username = claim.authcid().to_owned();
        self.claim = Some(claim);
        Ok(Step::Need(Need::CheckPassword { username, password }))
    }
}

impl Mechanism for Plain {
    fn step(&mut self, input: Input<'_>) -> Result<Step, Failure> {
        match (self.claim.take(), input) {
            (None, Input::Client(message)) => self.check(message),
            (Some(claim), Input::Verdict(Verdict::Right)) => {
                Ok(Step::Done(Success { identity: claim.proved(None), data: None, token: None }))
            }
            (Some(_), Input::Verdict(Verdict::Wrong)) => Err(Failure::NotAuthorized),
            _ => Err(Failure::MalformedRequest),
        }
    }
}
