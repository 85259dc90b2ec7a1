//! An authenticated account, as a value that only this module can make.
//! `net` gets one after SASL and moves it into the binding of a resource; no other code path gives a session its JID.

use metronome_model::{Account, AccountId};
use metronome_proto::jid::Jid;
use metronome_sasl::{Failure, Identity};

use crate::certificates::Certified;

/// Proof that a stream belongs to an account.
#[derive(Debug)]
pub struct Authn {
    jid: Jid,
    mechanism: &'static str,
    /// The account's own certificate, where that was the proof.
    certificate: Option<Certified>,
    /// None for a guest.
    proved: Option<Proved>,
}

/// The account that was proved.
#[derive(Debug, Clone, Copy)]
struct Proved {
    account: AccountId,
    /// As it was at that time.
    epoch: u32,
}

impl Authn {
    /// The one place where a proved identity becomes a stored account: it must be the account that was asked for and may log in.
    /// A locked account may; what it may do then is decided elsewhere.
    ///
    /// `identity` was made by the mechanism after its authorization identity was checked against the authentication identity.
    pub fn authorize(identity: &Identity, account: &Account) -> Result<Authn, Failure> {
        let is_other = identity.authcid() != &*account.name || identity.host() != &*account.host;
        if is_other || account.id.is_guest() || account.is_of_domain() {
            return Err(Failure::NotAuthorized);
        }
        if account.state.is_disabled() {
            return Err(Failure::AccountDisabled);
        }
        let jid = Jid::from_parts(Some(&account.name), &account.host, None).map_err(|_| Failure::NotAuthorized)?;
        let proved = Some(Proved { account: account.id, epoch: account.auth_epoch });
        Ok(Authn { jid, mechanism: identity.mechanism().as_str(), certificate: None, proved })
    }

    /// A guest (SASL ANONYMOUS): has an address, and an account once it binds.
    pub fn guest(identity: &Identity) -> Result<Authn, Failure> {
        if !identity.anonymous() {
            return Err(Failure::NotAuthorized);
        }
        let jid =
            Jid::from_parts(Some(identity.authcid()), identity.host(), None).map_err(|_| Failure::NotAuthorized)?;
        Ok(Authn { jid, mechanism: identity.mechanism().as_str(), certificate: None, proved: None })
    }

    /// Whether the proof still counts, given the account's row as it is now: none if it was deleted.
    ///
    /// Asked once the session stands in the table, so that whoever disables or deletes an account either finds the session there
    /// or is found out here.
    pub fn still_counts(&self, now: Option<&Account>) -> bool {
        now.is_some_and(|now| {
            !now.state.is_disabled() && self.proved.is_none_or(|proved| now.auth_epoch == proved.epoch)
        })
    }

    /// Whether it is a guest.
    pub fn is_guest(&self) -> bool {
        self.proved.is_none()
    }

    /// The account; none for a guest, whose account is made when it binds.
    pub fn account(&self) -> Option<AccountId> {
        self.proved.map(|proved| proved.account)
    }

    /// The certificate stored with the account that was the proof (XEP-0257); none if there was another.
    pub fn certificate(&self) -> Option<Certified> {
        self.certificate
    }

    /// The proof was this certificate.
    pub fn by_certificate(mut self, certificate: Option<Certified>) -> Authn {
        self.certificate = certificate;
        self
    }

    /// Its bare JID.
    pub fn jid(&self) -> &Jid {
        &self.jid
    }

    /// The SASL mechanism that proved it.
    pub fn mechanism(&self) -> &'static str {
        self.mechanism
    }
}
