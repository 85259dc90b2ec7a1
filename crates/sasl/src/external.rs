//! EXTERNAL (RFC 4422 appendix A) with client certificates (XEP-0178 section 2): the addresses in the certificate are
//! the identities; the client names one only where there are several.

use crate::exchange::{Input, Mechanism, Need, Step, Success};
use crate::failure::Failure;
use crate::identity::{Context, Identity};

pub(crate) struct External {
    context: Context,
    authzid: Option<String>,
}

impl External {
    pub(crate) fn new(context: Context) -> External {
        External { context, authzid: None }
    }

    fn ask(&mut self, message: &[u8]) -> Result<Step, Failure> {
        let authzid = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        if authzid.contains('\0') {
            return Err(Failure::MalformedRequest);
        }
        self.authzid = Some(authzid.to_owned());
        Ok(Step::Need(Need::Certificate))
    }

    fn choose(&self, authzid: &str, addresses: &[String]) -> Result<Identity, Failure> {
        let mut accounts: Vec<String> = addresses.iter().filter_map(|address| self.account(address)).collect();
        accounts.sort();
        accounts.dedup();
        let chosen = match accounts.as_slice() {
            [] => return Err(Failure::NotAuthorized),
            [only] => only.clone(),
            // Several, and the client does not say which.
            _ if authzid.is_empty() => return Err(Failure::NotAuthorized),
            _ => self.account(authzid).filter(|named| accounts.contains(named)).ok_or(Failure::InvalidAuthzid)?,
        };
        Ok(self.context.claim(chosen, authzid)?.proved(None))
    }

    /// The user name in an address of this host; other hosts' addresses and bare domains are no accounts here.
    fn account(&self, address: &str) -> Option<String> {
        let bare = (self.context.names.bare_jid)(address)?;
        let name = bare.strip_suffix(self.context.host.as_str())?.strip_suffix('@')?;
        (!name.is_empty()).then(|| name.to_owned())
    }
}

impl Mechanism for External {
    fn step(&mut self, input: Input<'_>) -> Result<Step, Failure> {
        match (self.authzid.take(), input) {
            (None, Input::Client(message)) => self.ask(message),
            (Some(authzid), Input::Certificate(addresses)) => {
                Ok(Step::Done(Success { identity: self.choose(&authzid, &addresses)?, data: None, token: None }))
            }
            _ => Err(Failure::MalformedRequest),
        }
    }
}
