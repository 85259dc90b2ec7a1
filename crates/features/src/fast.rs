//! XEP-0484: Fast Authentication Streamlining Tokens: who has logged in gets a token for the next time. Asked by the negotiation of a
//! stream; keeps one document per client, from which and the server's secret its tokens are computed.

pub mod slots;
#[cfg(test)]
mod tests;

use metronome_host::feature::{Feature, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use metronome_model::{Account, AccountId, AccountState, Document, Drawer, Op, Outcome, Record};
use metronome_proto::ns;
use metronome_proto::payload::fast::{self, Ends, Use};
use metronome_proto::xml::Tree;
use metronome_sasl::{Failure, MechanismName, Token};
use metronome_store::StoreError;

use slots::{Issued, Slots};

/// For how long a token is good.
pub const LIFETIME: Setting = Setting::new(
    "auth.fast_lifetime",
    Kind::Duration,
    "\"30 days\"",
    "For how long a token is good that a client logs in with instead of a password. A client that comes back in time gets a new one when \
     a quarter of it is over; a device that stays away for longer needs its password again.",
)
.per_host()
.within(60_000, 365 * 24 * 3_600_000);

/// Clients of one account that may have tokens; one more takes the place of the one whose token ends first.
pub const CLIENTS_MAX: usize = 24;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "fast",
    xeps: &[Xep::new(484, "0.2.0", "Fast Authentication Streamlining Tokens")],
    settings: &[LIFETIME],
    ..Feature::NONE
};

/// The tokens that a client may prove.
#[derive(Debug)]
pub struct Candidates {
    slots: Slots,
    mechanism: MechanismName,
}

/// What is known of whoever may prove a token: as much is read for a name that nobody has.
pub async fn candidates(
    server: &Server,
    account: Option<&Account>,
    client: Option<&str>,
    mechanism: MechanismName,
) -> Result<Candidates, StoreError> {
    const NOBODY: AccountId = AccountId::from_bytes([0; 16]);
    let owner = account.map_or(NOBODY, |account| account.id);
    let slots = read(server, owner, client.unwrap_or_default()).await?;
    Ok(Candidates { slots, mechanism })
}

impl Candidates {
    /// The tokens in the order in which they are compared: for everybody as many (section 5.1).
    pub fn tokens(&self, server: &Server, owner: Option<AccountId>, client: Option<&str>) -> Vec<Token> {
        let secret = &server.fake_salt_secret;
        let (owner, client) = (owner.unwrap_or(AccountId::from_bytes([0; 16])), client.unwrap_or_default());
        let of = |issued: &Option<Issued>| match issued {
            // A token is good for the mechanism that it was asked for and for no other (section 3.4).
            Some(issued) if issued.mechanism == self.mechanism => issued.token(secret, owner, client),
            _ => Token::of_nobody(secret),
        };
        vec![of(&self.slots.new), of(&self.slots.current)]
    }

    /// The one that was proved, by its place among the tokens.
    fn proved(&self, at: usize) -> Option<&Issued> {
        if at == 0 { self.slots.new.as_ref() } else { self.slots.current.as_ref() }
    }
}

/// What somebody does who has proved a token.
#[derive(Debug, Clone, Copy)]
pub struct Redeemed<'a> {
    /// The account as it was read for this login.
    pub account: &'a Account,
    /// The client.
    pub client: &'a str,
    /// What it might have been.
    pub candidates: &'a Candidates,
    /// Which of them it was.
    pub proved: usize,
    /// How it is used.
    pub uses: Use,
    /// The mechanism that another token is wanted for.
    pub wants: Option<MechanismName>,
}

/// Judges a token that was proved, notes its use and makes the next one if it is time. The answer is what the client is told.
pub async fn redeem(server: &Server, host: &Host, what: Redeemed<'_>) -> Result<Option<Tree>, Failure> {
    let now_ms = server.clock.unix_ms();
    let proved = what.candidates.proved(what.proved).ok_or(Failure::NotAuthorized)?;
    judge(proved, what.account, what.uses.count, now_ms)?;
    let due = (what.uses.ends == Ends::Later && proved.is_due(now_ms)).then_some(proved.mechanism);
    let next = what.wants.or(due);
    let is_current = what.candidates.slots.current.as_ref() == Some(proved);
    if is_current && next.is_none() && what.uses.count.is_none() && what.uses.ends == Ends::Later {
        return Ok(None);
    }
    let owner = what.account.id;
    let _locked = server.owners.lock(&[owner]).await;
    let mut slots = read(server, owner, what.client).await.map_err(unavailable)?;
    // Somebody else may have been faster with the same token.
    let token = slots.promote(proved).ok_or(Failure::NotAuthorized)?;
    judge(token, what.account, what.uses.count, now_ms)?;
    token.count = what.uses.count.or(token.count);
    if what.uses.ends == Ends::Now {
        slots = Slots::default();
    }
    let told = next.map(|mechanism| issue(server, host, what.account, what.client, mechanism, &mut slots));
    store(server, owner, vec![slots.document(what.client)]).await?;
    Ok(told)
}

/// Makes a token for a client that has logged in with something else. The answer is what the client is told.
pub async fn give(
    server: &Server,
    host: &Host,
    account: &Account,
    client: &str,
    mechanism: MechanismName,
) -> Result<Option<Tree>, Failure> {
    if account.state != AccountState::Active {
        return Ok(None);
    }
    let _locked = server.owners.lock(&[account.id]).await;
    let stored = server.store.documents(account.id, &[Drawer::Tokens]).await.map_err(unavailable)?;
    let mut others: Vec<(Document, Slots)> = Vec::new();
    let (mut slots, name) = (Slots::default(), slots::name(client));
    for document in stored {
        let read = Slots::read(&document.xml);
        if document.name == name {
            slots = read;
        } else {
            others.push((document, read));
        }
    }
    let mut documents = make_room(others, account, server.clock.unix_ms());
    let told = issue(server, host, account, client, mechanism, &mut slots);
    documents.push(slots.document(client));
    store(server, account.id, documents).await?;
    Ok(Some(told))
}

/// What is removed so that one more client may have tokens: all that nobody can log in with any more, and what ends first.
fn make_room(mut others: Vec<(Document, Slots)>, account: &Account, now_ms: u64) -> Vec<Document> {
    others.sort_by_key(|(_, slots)| std::cmp::Reverse(slots.ends_ms(account.auth_epoch)));
    let is_over = |at: usize, slots: &Slots| at + 1 >= CLIENTS_MAX || slots.ends_ms(account.auth_epoch) <= now_ms;
    let over = others.into_iter().enumerate().filter(|(at, (_, slots))| is_over(*at, slots));
    over.map(|(_, (document, _))| Document { xml: Box::default(), ..document }).collect()
}

/// Whether a token that was proved lets its client in (sections 3.4 and 4.2).
fn judge(token: &Issued, account: &Account, count: Option<u32>, now_ms: u64) -> Result<(), Failure> {
    let is_over = token.expires_ms <= now_ms || token.auth_epoch != account.auth_epoch;
    // Who waits for a confirmation shows the password.
    if is_over || matches!(account.state, AccountState::Locked | AccountState::LockedAndDisabled) {
        return Err(Failure::CredentialsExpired);
    }
    match (count, token.count) {
        (Some(count), Some(before)) if count <= before => Err(Failure::NotAuthorized),
        // Who does not count sends nothing that somebody else could send again: we take nothing before the handshake is over.
        _ => Ok(()),
    }
}

/// A new token in the slot for new ones: the one before it stays good until this one is used (section 3.5).
fn issue(
    server: &Server,
    host: &Host,
    account: &Account,
    client: &str,
    mechanism: MechanismName,
    slots: &mut Slots,
) -> Tree {
    let (issued_ms, lifetime) = (server.clock.unix_ms(), host.values.duration(&LIFETIME));
    let issued = Issued {
        mechanism,
        salt: server.rng.bytes16(),
        auth_epoch: account.auth_epoch,
        issued_ms,
        expires_ms: issued_ms.saturating_add(lifetime.as_millis() as u64),
        count: None,
    };
    let token = issued.token(&server.fake_salt_secret, account.id, client);
    let told = fast::token(token.expose(), issued.expires_ms);
    slots.new = Some(issued);
    told
}

async fn read(server: &Server, owner: AccountId, client: &str) -> Result<Slots, StoreError> {
    let stored = server.store.document(owner, Drawer::Tokens, ns::FAST, &slots::name(client)).await?;
    Ok(stored.map(|xml| Slots::read(&xml)).unwrap_or_default())
}

async fn store(server: &Server, owner: AccountId, documents: Vec<Document>) -> Result<(), Failure> {
    let mut record = Record::default();
    for document in documents {
        record.push(Op::SetDocument { owner, document: Box::new(document) });
    }
    match server.commit(record).await {
        Outcome::Done { .. } => Ok(()),
        _ => Err(Failure::TemporaryAuthFailure),
    }
}

fn unavailable(error: StoreError) -> Failure {
    tracing::error!(%error, "tokens could not be read");
    Failure::TemporaryAuthFailure
}
