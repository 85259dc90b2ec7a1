//! Who somebody has proved to be. The one place where an [`Identity`] is made, and the authzid check before it
//! (RFC 6120 section 6.3.8): a client acts as itself or not at all.

use crate::channel_binding::ChannelBinding;
use crate::failure::Failure;
use crate::mechanism::MechanismName;

/// A proved identity. Only a finished exchange makes one, so holding it is the proof.
#[derive(Clone, Debug)]
pub struct Identity {
    authcid: String,
    host: String,
    mechanism: MechanismName,
    binding: Option<ChannelBinding>,
    named: bool,
}

impl Identity {
    /// The prepared user name: the local part of the account's address.
    pub fn authcid(&self) -> &str {
        &self.authcid
    }

    /// The served domain that the account is of, as given in [`crate::Opening`].
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How it was proved.
    pub fn mechanism(&self) -> MechanismName {
        self.mechanism
    }

    /// Whether the proof was bound to the TLS connection.
    pub fn channel_bound(&self) -> bool {
        self.binding.is_some()
    }

    /// What it was bound to.
    pub fn binding(&self) -> Option<ChannelBinding> {
        self.binding
    }

    /// Whether the client named whom it acts as: its authorization identity was not empty.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Whether nothing was proved: a guest under a fresh name.
    pub fn anonymous(&self) -> bool {
        self.mechanism == MechanismName::Anonymous
    }
}

/// How the caller prepares names; functions, so that this crate knows nothing of addresses.
#[derive(Clone, Copy)]
pub struct Names {
    /// Prepares a local part; `None` if it is malformed.
    pub username: fn(&str) -> Option<String>,
    /// Prepares a bare address `local@domain`; `None` if it is malformed or has a resource.
    pub bare_jid: fn(&str) -> Option<String>,
}

/// A name that is claimed and may be claimed, but is not proved yet.
#[derive(Debug)]
pub(crate) struct Claim {
    authcid: String,
    host: String,
    mechanism: MechanismName,
    named: bool,
}

/// What a claim is judged by: the same for every message of an exchange.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) host: String,
    pub(crate) names: Names,
    pub(crate) mechanism: MechanismName,
}

impl Context {
    pub(crate) fn username(&self, authcid: &str) -> Result<String, Failure> {
        (self.names.username)(authcid).ok_or(Failure::NotAuthorized)
    }

    /// The authzid check: empty, or the bare address of `authcid` (prepared) on this host.
    pub(crate) fn claim(&self, authcid: String, authzid: &str) -> Result<Claim, Failure> {
        if !authzid.is_empty() {
            let asked = (self.names.bare_jid)(authzid).ok_or(Failure::InvalidAuthzid)?;
            if asked != format!("{authcid}@{}", self.host) {
                return Err(Failure::InvalidAuthzid);
            }
        }
        Ok(Claim { authcid, host: self.host.clone(), mechanism: self.mechanism, named: !authzid.is_empty() })
    }
}

impl Claim {
    pub(crate) fn authcid(&self) -> &str {
        &self.authcid
    }

    /// Called where a mechanism has checked the proof, and nowhere else.
    pub(crate) fn proved(self, binding: Option<ChannelBinding>) -> Identity {
        Identity { authcid: self.authcid, host: self.host, mechanism: self.mechanism, binding, named: self.named }
    }
}
