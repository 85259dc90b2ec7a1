//! Logging in with a certificate that an account has stored (XEP-0257): found out which accounts those are before EXTERNAL is offered,
//! and whether it is still stored once the session stands in the table.

use metronome_features::certificates::ALLOWED;
use metronome_host::authn::Authn;
use metronome_host::certificates::{Certified, Fingerprint, Stored};
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{AccountId, Drawer};
use metronome_proto::jid::Jid;
use metronome_sasl::{ClientCertificate, MechanismName};
use metronome_store::StoreError;

use super::negotiate::Secured;

impl Secured {
    /// Asks the accounts that the client's certificate names whether they have stored it. What cannot be read has nothing stored.
    pub(super) async fn certify(&mut self, host: &Host) {
        let server = &self.context.server;
        let Some((leaf, fingerprint)) = &self.leaf else { return };
        if !host.sasl.external || !host.values.flag(&ALLOWED) || !leaf.is_valid(server.clock.unix_ms()) {
            return;
        }
        let mut stored = Vec::new();
        for jid in leaf.accounts(host.name.as_str()) {
            match stored_by(server, &jid, fingerprint).await {
                Ok(Some(certified)) => stored.push((jid, certified)),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "certificates could not be read"),
            }
        }
        self.certified.extend(stored.iter().map(|(jid, _)| jid.as_str().to_owned()));
        self.stored = stored;
        if !self.certified.is_empty() {
            self.facts.certificate = ClientCertificate::Verified;
        }
    }

    /// Notes with which of its certificates an account has logged in, if it was one.
    pub(super) fn note_certificate(&self, authn: Authn) -> Authn {
        let is_external = authn.mechanism() == MechanismName::External.as_str();
        let stored = self.stored.iter().find(|(jid, _)| is_external && jid == authn.jid());
        let certified = stored.map(|(_, certified)| *certified);
        authn.by_certificate(certified)
    }
}

/// Whether the certificate that a session has logged in with is still stored. Asked once it stands in the table, so that whoever removes
/// the certificate either finds it there or is found out here.
pub(super) async fn still_stored(server: &Server, session: &Session) -> bool {
    let Some(certified) = session.certificate() else { return true };
    match of_account(server, session.account, &certified.fingerprint).await {
        Ok(found) => found.is_some(),
        Err(error) => {
            tracing::error!(%error, "certificates could not be read");
            false
        }
    }
}

/// Whether who has logged in may resume this session, which from now on stands and falls with the certificate that was the proof, or
/// with none.
pub(super) async fn may_resume(server: &Server, authn: &Authn, session: &Session) -> bool {
    session.set_certificate(authn.certificate());
    still_stored(server, session).await
}

async fn stored_by(server: &Server, jid: &Jid, fingerprint: &Fingerprint) -> Result<Option<Certified>, StoreError> {
    match server.facts.of(&*server.store, jid).await? {
        Some(facts) => of_account(server, facts.account.id, fingerprint).await,
        None => Ok(None),
    }
}

async fn of_account(
    server: &Server,
    account: AccountId,
    fingerprint: &Fingerprint,
) -> Result<Option<Certified>, StoreError> {
    let documents = server.store.documents(account, &[Drawer::Certificates]).await?;
    let mut certified = Stored::all(&documents).into_iter().map(|stored| stored.certified());
    Ok(certified.find(|certified| certified.fingerprint.is(fingerprint)))
}
