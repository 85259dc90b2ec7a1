//! An authenticated account, as a value that only this module can make.
//! `net` gets one after SASL and moves it into the binding of a resource; no other code path gives a session its JID.

use metronome_model::{Account, AccountId, AccountState};
use metronome_proto::jid::Jid;
use metronome_sasl::{Failure, Identity};

/// Proof that a stream belongs to an account.
#[derive(Debug)]
pub struct Authn {
    account: AccountId,
    jid: Jid,
    mechanism: &'static str,
    /// The account's epoch when it was proved; none for a guest.
    epoch: Option<u32>,
}

impl Authn {
    /// The one place where a proved identity becomes a stored account: it must be the account that was asked for and may log in.
    /// A locked account may; what it may do then is decided elsewhere.
    ///
    /// `identity` was made by the mechanism after its authorization identity was checked against the authentication identity.
    pub fn authorize(identity: &Identity, account: &Account) -> Result<Authn, Failure> {
        if identity.authcid() != &*account.name || identity.host() != &*account.host {
            return Err(Failure::NotAuthorized);
        }
        if account.state == AccountState::Disabled {
            return Err(Failure::AccountDisabled);
        }
        let jid = Jid::from_parts(Some(&account.name), &account.host, None).map_err(|_| Failure::NotAuthorized)?;
        let epoch = Some(account.auth_epoch);
        Ok(Authn { account: account.id, jid, mechanism: identity.mechanism().as_str(), epoch })
    }

    /// A guest (SASL ANONYMOUS): an account that no store knows. `id` is the same for all sessions of one address, and else random.
    pub fn guest(identity: &Identity, id: AccountId) -> Result<Authn, Failure> {
        if !identity.anonymous() {
            return Err(Failure::NotAuthorized);
        }
        let jid =
            Jid::from_parts(Some(identity.authcid()), identity.host(), None).map_err(|_| Failure::NotAuthorized)?;
        Ok(Authn { account: id, jid, mechanism: identity.mechanism().as_str(), epoch: None })
    }

    /// Whether the proof still counts, given the account's row as it is now: none if it was deleted.
    ///
    /// Asked once the session stands in the table, so that whoever disables or deletes an account either finds the session there
    /// or is found out here.
    pub fn still_counts(&self, now: Option<&Account>) -> bool {
        match (self.epoch, now) {
            (None, _) => true,
            (Some(epoch), Some(account)) => account.auth_epoch == epoch && account.state != AccountState::Disabled,
            (Some(_), None) => false,
        }
    }

    /// Whether it is a guest, whom no store knows.
    pub fn is_guest(&self) -> bool {
        self.epoch.is_none()
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
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
