//! XEP-0441: what an account wants archived: its requests about that, and what it means for a message. Kept as a document, and in the
//! account's facts, where every message finds it.

use std::sync::Arc;

use metronome_host::archiving::{NAME, Verdict};
use metronome_host::contacts::{Fixed, Known};
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::facts::AccountFacts;
use metronome_host::hosts::{Host, Keeps};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{Document, Drawer, Listed, Op};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::mam::{DefaultRule, Preferences};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;

use super::{DEFAULT, reply};
use crate::archive::{Decision, Worth};

/// Most addresses in both lists together.
const LISTED_MAX: usize = 500;

/// Most bytes of preferences: they are in memory for every account that is written to.
const BYTES_MAX: usize = 32 * 1024;

/// What holds for accounts that have said nothing.
fn default_of(host: &Host) -> DefaultRule {
    DefaultRule::of(host.values.text(&DEFAULT)).unwrap_or_default()
}

async fn facts(server: &Server, env: &Envelope) -> Result<Arc<AccountFacts>, Refuse> {
    let facts = server.facts.of(&*server.store, &env.sender.session()?.jid).await?;
    facts.ok_or(Refuse::Drop("the account has gone"))
}

pub(super) async fn get(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let facts = facts(server, env).await?;
    let said = facts.archiving.preferences.clone();
    let said = said.unwrap_or_else(|| Preferences { default: default_of(&env.host), ..Preferences::default() });
    reply(env, &said.tree());
    Ok(())
}

pub(super) async fn set(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let preferences = Preferences::read(&payload)?;
    let answer = preferences.tree();
    let xml = answer.to_vec(ns::CLIENT);
    if preferences.always.len() + preferences.never.len() > LISTED_MAX || xml.len() > BYTES_MAX {
        let text = format!("at most {LISTED_MAX} addresses and {BYTES_MAX} bytes");
        return Err(StanzaError::new(Condition::PolicyViolation).with_text(text).into());
    }
    let owner = env.sender.session()?.account;
    env.locked = Some(server.owners.lock(&[owner]).await);
    let document = Document { drawer: Drawer::Archiving, ns: ns::MAM.into(), name: NAME.into(), xml: xml.into() };
    env.record.push(Op::SetDocument { owner, document: Box::new(document) });
    env.effects.push(Effect::Forget(env.sender.session()?.jid.bare()));
    reply(env, &answer);
    Ok(())
}

/// What is kept for the sender of a message: what its host keeps, unless it does not want that.
pub async fn of_sender(server: &Server, env: &Envelope, session: &Session, decision: Decision) -> Result<Keeps, Refuse> {
    match (env.host.keeps, &env.stanza.to) {
        (Keeps::Archive, Some(to)) if decision.worth == Worth::Archive && !session.is_guest() => {
            let facts = facts(server, env).await?;
            wanted(server, &facts, &session.jid, to, &env.host).await
        }
        (keeps, _) => Ok(keeps),
    }
}

/// What is kept of messages between an account of a host that keeps archives and `peer`.
pub async fn wanted(
    server: &Server,
    facts: &AccountFacts,
    owner: &Jid,
    peer: &Jid,
    host: &Host,
) -> Result<Keeps, Refuse> {
    let archived = match facts.archiving.verdict(peer, default_of(host)) {
        Verdict::Archived => true,
        Verdict::NotArchived => false,
        Verdict::IfInRoster => is_in_roster(server, facts, owner, peer).await?,
    };
    Ok(if archived { Keeps::Archive } else { Keeps::UntilSeen })
}

/// Whether clients of the account see this address in the roster, or a shared group joins the two.
async fn is_in_roster(server: &Server, facts: &AccountFacts, owner: &Jid, peer: &Jid) -> Result<bool, Refuse> {
    let id = facts.account.id;
    if owner.same_bare(peer) {
        return Ok(true);
    }
    if let Some(contacts) = server.sessions.contacts(id) {
        let is_seen = |known: &Known| known.listed == Listed::Yes || known.fixed != Fixed::No;
        return Ok(contacts.get(peer.bare_str()).is_some_and(is_seen));
    }
    let stored = server.store.contact(id, peer.bare_str()).await?;
    Ok(stored.is_some_and(|contact| contact.listed == Listed::Yes) || server.hosts.load().shows(owner, peer))
}
