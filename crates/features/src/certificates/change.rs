//! What can become of an account's certificates: one is stored, or removed. One function for each, whichever door asks for it; durable
//! when it returns, decided under the owner's lock.

use std::sync::Arc;

use metronome_host::certificates::{
    COUNT_MAX, DER_BYTES_MAX, Fingerprint, Leaf, Manages, NAME_BYTES_MAX, Stored, nothing,
};
use metronome_host::command::Failed;
use metronome_host::effect::Effect;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{AccountId, Document, Drawer, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::stream;
use metronome_store::StoreError;

use super::ALLOWED;

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot be read.
    #[error("this is not a certificate in X.509, or larger than {DER_BYTES_MAX} bytes")]
    NotACertificate,
    /// Its time is over, or has not come.
    #[error("this certificate is not valid now")]
    NotValid,
    /// Nobody could log in with it.
    #[error("this certificate does not name {0} (as xmppAddr in its subjectAltName)")]
    NotFor(Jid),
    /// There is one of this name.
    #[error("there is a certificate of this name")]
    NameTaken,
    /// It is there under another name.
    #[error("this certificate is there already")]
    Stored,
    /// The name is too long or cannot be shown.
    #[error("this cannot be the name of a certificate")]
    BadName,
    /// There are too many.
    #[error("an account has {COUNT_MAX} certificates at most")]
    TooMany,
    /// There is none of this name.
    #[error("there is no certificate of this name")]
    NotFound,
    /// Who asks has logged in with one that may not do this.
    #[error("who has logged in with this certificate cannot change certificates")]
    Limited,
    /// Others can read what is said.
    #[error("encrypt the stream first")]
    Readable,
    /// The session that asks is being ended.
    #[error("this session is over")]
    Ended,
    /// The domain does not want it, or the account is a guest's.
    #[error("certificates of one's own cannot be used here")]
    NotHere,
    /// The store cannot write now, or the account is gone.
    #[error("it cannot be stored now")]
    Unavailable,
}

/// What becomes of sessions that have logged in with a certificate that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// They go on (section 2.3).
    Nothing,
    /// They end, and so do tokens: nobody knows which were given to them (section 2.4).
    Sessions,
}

/// What is stored with an account.
pub(super) async fn stored(server: &Server, account: AccountId) -> Result<Vec<Stored>, Refused> {
    Ok(Stored::all(&server.store.documents(account, &[Drawer::Certificates]).await?))
}

/// What a stored certificate says; none if it is damaged.
pub(super) fn leaf(stored: &Stored) -> Option<Leaf> {
    Leaf::read(&stored.der)
}

/// Stores a certificate. `by` is the session that asks, none where an administrator does outside of one.
pub(super) async fn append(
    server: &Arc<Server>,
    account: AccountId,
    jid: &Jid,
    by: Option<&Session>,
    certificate: Stored,
) -> Result<(), Refused> {
    judge(server, account, jid, &certificate)?;
    let _locked = server.owners.lock(&[account]).await;
    refuse_session(by)?;
    let all = stored(server, account).await?;
    let fingerprint = certificate.certified().fingerprint;
    if all.iter().any(|other| other.name == certificate.name) {
        return Err(Refused::NameTaken);
    }
    if all.iter().any(|other| other.certified().fingerprint.is(&fingerprint)) {
        return Err(Refused::Stored);
    }
    if all.len() >= COUNT_MAX {
        return Err(Refused::TooMany);
    }
    tracing::info!(jid = jid.bare_str(), fingerprint = fingerprint.text(), "a certificate is stored");
    let op = Op::SetDocument { owner: account, document: Box::new(certificate.document()) };
    judged(&server.commit_with(Record::of(op), vec![Effect::Forget(jid.bare())]).await)
}

/// Removes the certificate of this name; answers how many sessions were ended.
pub(super) async fn remove(
    server: &Arc<Server>,
    account: AccountId,
    jid: &Jid,
    by: Option<&Session>,
    name: &str,
    ends: Ends,
) -> Result<usize, Refused> {
    let _locked = server.owners.lock(&[account]).await;
    refuse_session(by)?;
    let documents = server.store.documents(account, &[Drawer::Tokens, Drawer::Certificates]).await?;
    let all = Stored::all(&documents);
    let fingerprint = all.iter().find(|stored| stored.name == name).ok_or(Refused::NotFound)?.certified().fingerprint;
    let mut record = Record::of(Op::SetDocument { owner: account, document: Box::new(nothing(name)) });
    if ends == Ends::Sessions {
        for token in documents.into_iter().filter(|document| document.drawer == Drawer::Tokens) {
            let document = Box::new(Document { xml: Box::default(), ..token });
            record.push(Op::SetDocument { owner: account, document });
        }
    }
    judged(&server.commit_with(record, vec![Effect::Forget(jid.bare())]).await)?;
    tracing::info!(jid = jid.bare_str(), fingerprint = fingerprint.text(), "a certificate is removed");
    if ends == Ends::Nothing {
        return Ok(0);
    }
    // Whoever logs in with it meanwhile is in the table by now, or finds out that it is gone.
    let sessions = server.sessions.of(account);
    let ended = sessions.iter().filter(|session| is_by(session, &fingerprint));
    let close = |session: &Arc<Session>| {
        session.close(stream::error::Condition::NotAuthorized, Some("the certificate was revoked"));
    };
    Ok(ended.map(close).count())
}

/// Whether a session has logged in with this certificate, or with a token that may have been given for it.
fn is_by(session: &Session, fingerprint: &Fingerprint) -> bool {
    session.mechanism.starts_with("HT-")
        || session.certificate().is_some_and(|certified| certified.fingerprint.is(fingerprint))
}

fn judge(server: &Server, account: AccountId, jid: &Jid, certificate: &Stored) -> Result<(), Refused> {
    let host = server.hosts.load().get(jid.domain()).cloned().ok_or(Refused::NotHere)?;
    if account.is_guest() || !host.sasl.external || !host.values.flag(&ALLOWED) {
        return Err(Refused::NotHere);
    }
    // It must be found again by the name under which it is read.
    let survives = || Stored::all(&[certificate.document()]).iter().any(|read| read.name == certificate.name);
    if certificate.name.len() > NAME_BYTES_MAX || certificate.name.chars().any(char::is_control) || !survives() {
        return Err(Refused::BadName);
    }
    if certificate.der.len() > DER_BYTES_MAX {
        return Err(Refused::NotACertificate);
    }
    let leaf = leaf(certificate).ok_or(Refused::NotACertificate)?;
    if !leaf.is_valid(server.clock.unix_ms()) {
        return Err(Refused::NotValid);
    }
    let is_named = leaf.accounts(jid.domain()).iter().any(|named| named.as_str() == jid.bare_str());
    if is_named { Ok(()) } else { Err(Refused::NotFor(jid.bare())) }
}

/// Section 5.1: a man in the middle must not add a certificate of his own, nor learn about others.
pub(super) fn refuse_readable(session: &Session) -> Result<(), Refused> {
    if session.is_readable() { Err(Refused::Readable) } else { Ok(()) }
}

/// Asked under the owner's lock, which whoever ends a session holds as well.
fn refuse_session(by: Option<&Session>) -> Result<(), Refused> {
    let Some(session) = by else { return Ok(()) };
    refuse_readable(session)?;
    if session.is_closing() {
        return Err(Refused::Ended);
    }
    match session.certificate() {
        Some(certified) if certified.manages == Manages::Nothing => Err(Refused::Limited),
        _ => Ok(()),
    }
}

fn judged(outcome: &Outcome) -> Result<(), Refused> {
    if outcome.is_done() { Ok(()) } else { Err(Refused::Unavailable) }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        tracing::error!(%error, "certificates could not be read");
        Refused::Unavailable
    }
}

impl From<Refused> for Failed {
    fn from(why: Refused) -> Failed {
        match why {
            // It can be said better.
            Refused::NotACertificate | Refused::BadName | Refused::NameTaken => Failed::usage(why.to_string()),
            _ => Failed::problem(why.to_string()),
        }
    }
}

impl From<Refused> for Refuse {
    fn from(why: Refused) -> Refuse {
        let condition = match why {
            Refused::NotACertificate | Refused::BadName => Condition::BadRequest,
            Refused::NotValid | Refused::NotFor(_) => Condition::NotAcceptable,
            Refused::NameTaken | Refused::Stored => Condition::Conflict,
            Refused::TooMany => Condition::ResourceConstraint,
            Refused::NotFound => Condition::ItemNotFound,
            Refused::Limited => Condition::Forbidden,
            Refused::Readable => Condition::PolicyViolation,
            Refused::Ended => Condition::NotAuthorized,
            Refused::NotHere => Condition::NotAllowed,
            Refused::Unavailable => Condition::InternalServerError,
        };
        let error = StanzaError::new(condition).with_text(why.to_string());
        match why {
            Refused::Unavailable => error.with_type(ErrorType::Wait).into(),
            _ => error.into(),
        }
    }
}
