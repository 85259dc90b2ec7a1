//! Whose nodes a request is for, and what whoever asks is to them.

use std::sync::Arc;

use metronome_host::command::{Asker, Role};
use metronome_host::envelope::{Destination, Envelope, Sender};
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Account, AccountId, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::Condition;
use metronome_pubsub::{Creation, Standing, Verb, attachments};

use super::asked::Asked;
use super::{nodes, settings, trust};
use crate::{disco, roster};

/// The nodes of one owner.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Whose nodes; none for a domain that has not had any yet.
    pub owner: Option<AccountId>,
    /// Their address: that of a service, of a domain, or of an account.
    pub address: Jid,
    /// The host whose options count.
    pub host: Arc<Host>,
    /// What it is.
    pub kind: Kind,
}

/// What kind of address has the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service of a domain.
    Service,
    /// A domain.
    Domain,
    /// An account.
    Account,
}

impl Place {
    /// The place that a stanza is for.
    pub(super) async fn of(server: &Server, env: &Envelope) -> Result<Place, Refuse> {
        let to = env.stanza.to.as_ref();
        match env.destination {
            Destination::OwnAccount => {
                let session = env.sender.session()?;
                Place::of_account(server, session.account, &session.jid)
            }
            Destination::Account(Some(owner)) => {
                Place::of_account(server, owner, to.ok_or(Condition::ServiceUnavailable)?)
            }
            Destination::Host | Destination::Service(_) => Place::at(server, &disco::asked_host(server, env)).await,
            _ => Err(Condition::ServiceUnavailable.into()),
        }
    }

    /// The nodes of an account.
    pub(super) fn of_account(server: &Server, owner: AccountId, address: &Jid) -> Result<Place, Refuse> {
        let host = server.hosts.load().get(address.domain()).cloned().ok_or(Condition::ServiceUnavailable)?;
        Ok(Place { owner: Some(owner), address: address.bare(), host, kind: Kind::Account })
    }

    /// The nodes of a domain or of a service.
    pub(super) async fn at(server: &Server, host: &Arc<Host>) -> Result<Place, Refuse> {
        let kind = if host.beside.is_some() { Kind::Service } else { Kind::Domain };
        let facts = server.facts.of(&*server.store, &host.name).await?;
        let owner = facts.map(|facts| facts.account.id);
        Ok(Place { owner, address: host.name.clone(), host: host.clone(), kind })
    }

    /// Where an account has its nodes, a domain's own one as well; nowhere while its domain is not served, or the account is no more.
    pub(super) async fn of_owner(server: &Server, owner: AccountId) -> Result<Option<Place>, Refuse> {
        let Some(account) = server.store.account_by_id(owner).await? else { return Ok(None) };
        let Some(host) = server.hosts.load().answering(&account.host).cloned() else { return Ok(None) };
        if account.name.is_empty() {
            return Place::at(server, &host).await.map(Some);
        }
        let Ok(address) = Jid::from_parts(Some(&account.name), &account.host, None) else { return Ok(None) };
        Place::of_account(server, account.id, &address).map(Some)
    }

    /// The owner of the nodes, made if it is a domain that has not had any yet.
    pub(super) async fn owner_made(&self, server: &Arc<Server>) -> Result<AccountId, Refuse> {
        if let Some(owner) = self.owner {
            return Ok(owner);
        }
        let id = AccountId::from_bytes(server.rng.bytes16());
        let account = Account::of_domain(id, self.address.domain(), server.clock.unix_ms());
        let outcome = server.commit(Record::of(Op::AddAccount { account: Box::new(account), keys: Vec::new() })).await;
        server.facts.forget(self.address.bare_str());
        match outcome {
            Outcome::Done { .. } => Ok(id),
            // Somebody else was quicker.
            Outcome::Conflict => {
                let made = server.store.account_of_domain(self.address.domain()).await?;
                Ok(made.ok_or(Condition::InternalServerError)?.id)
            }
            _ => Err(Condition::ResourceConstraint.into()),
        }
    }

    /// What whoever asks is to all of these nodes together.
    pub(super) async fn standing(&self, server: &Server, env: &Envelope) -> Result<Standing, Refuse> {
        let Sender::Session(session) = &env.sender else { return Ok(Standing::Stranger) };
        if session.is_guest() {
            return Ok(if self.owner == Some(session.account) { Standing::Owner } else { Standing::Anonymous });
        }
        match self.kind {
            Kind::Account if self.owner == Some(session.account) => return Ok(Standing::Owner),
            Kind::Account => return Ok(Standing::Local),
            Kind::Service | Kind::Domain => {}
        }
        let facts = server.facts.of(&*server.store, &session.jid).await?.ok_or(Condition::ServiceUnavailable)?;
        let domain = self.host.beside.as_ref().map_or(&self.host.name, |beside| &beside.domain);
        let host = server.hosts.load().get(domain.as_str()).cloned().ok_or(Condition::ServiceUnavailable)?;
        let asker = Asker::of(session, &facts.account, &host);
        let is_admin = asker.is_some_and(|asker| asker.role() >= Role::Admin);
        Ok(if is_admin { Standing::Owner } else { Standing::Local })
    }

    /// Whether whoever asks may make nodes here, without being the owner.
    pub(super) fn creation(&self, env: &Envelope, standing: Standing) -> Creation {
        let domain = self.host.beside.as_ref().map(|beside| beside.domain.as_str());
        let is_user = standing == Standing::Local && domain == Some(env.stanza.from.domain());
        match (self.kind, self.host.values.text(&settings::CREATION)) {
            (Kind::Service, "everybody") if standing != Standing::Anonymous => Creation::Allowed,
            (Kind::Service, "users") if is_user => Creation::Allowed,
            _ => Creation::Forbidden,
        }
    }
}

/// Whether whoever asks may know that the account is there.
pub(super) async fn may_see(server: &Arc<Server>, env: &Envelope, place: &Place) -> Result<bool, Refuse> {
    match (place.kind, place.owner) {
        (Kind::Account, Some(owner)) => roster::may_see(server, owner, &env.stanza.from).await,
        _ => Ok(true),
    }
}

/// To those who do not see the presence of an account it has nothing but the nodes that they may know of; all others are not there, as
/// everything is not there of an account that does not exist (`strangers`).
pub(super) async fn refuse_stranger(server: &Arc<Server>, env: &Envelope, place: &Place, asked: &Asked) -> Result<(), Refuse> {
    if may_see(server, env, place).await? {
        return Ok(());
    }
    let (Some(owner), Some(name)) = (place.owner, asked.node()) else { return Err(Condition::ItemNotFound.into()) };
    // What belongs to another node is there for whom that one is there, also if it is still to be made.
    let guard = attachments::guard(name);
    let name = guard.as_deref().unwrap_or(name);
    let node = nodes::node_or_trace(server, owner, name).await?.ok_or(Condition::ItemNotFound)?;
    match trust::allows(server, place, &node, Verb::Discover, &env.stanza.from).await? {
        true => Ok(()),
        false => Err(Condition::ItemNotFound.into()),
    }
}
