//! Whether privacy lists let a stanza pass (XEP-0016 sections 2.2 and 2.14, XEP-0191 section 3.3). Asked by `route` for every stanza that
//! goes or comes; without a list it costs one look at the session. Keeps nothing.

use std::sync::Arc;

use metronome_host::blocking::{Acquaintance, List, Rules, What};
use metronome_host::contacts::Known;
use metronome_host::envelope::Envelope;
use metronome_host::facts::AccountFacts;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::payload::blocking;
use metronome_proto::payload::privacy::Standing;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{Kind, PresenceType};
use metronome_proto::subscription::Subscription;

/// Stops what a session sends to somebody whom its list denies it. Answers are stopped without a word.
pub fn refuse_sent(server: &Server, session: &Session, env: &Envelope) -> Result<(), Refuse> {
    let Some(to) = &env.stanza.to else { return Ok(()) };
    let what = match env.stanza.kind {
        Kind::Presence(PresenceType::Available | PresenceType::Unavailable) => What::PresenceOut,
        _ => What::OtherOut,
    };
    match denies(server, session, to, what) {
        true => Err(blocking::not_sent().into()),
        false => Ok(()),
    }
}

/// Stops a message to somebody who does not want it: the sender hears the same as if there was no such account, and nothing is kept.
///
/// One for a connected resource is judged by the list of that session. Any other by the default list, unless a session has chosen
/// a list that lets it pass.
pub async fn refuse_message(server: &Server, env: &Envelope, to: &AccountFacts) -> Result<(), Refuse> {
    let Some(address) = env.stanza.to.as_ref().filter(|_| !to.blocking.is_empty()) else { return Ok(()) };
    let from = &env.stanza.from;
    let named = server.sessions.at(address).filter(|session| address.is_full() && session.account == to.account.id);
    let is_denied = match named {
        Some(session) => denies(server, &session, from, What::Message),
        None => {
            let sessions = server.sessions.of(to.account.id);
            let mut own = sessions.iter().filter(|session| session.active_list().is_some());
            denies_account(server, to, from, What::Message).await?
                && own.all(|session| denies(server, session, from, What::Message))
        }
    };
    if is_denied { Err(Condition::ServiceUnavailable.into()) } else { Ok(()) }
}

/// Whether the list that counts for a session denies this from or to `other`. Rules about the roster go by what is in memory of it.
pub fn denies(server: &Server, session: &Session, other: &Jid, what: What) -> bool {
    session.has_rules() && rules_deny(server, session, session.rules().as_deref(), other, what)
}

/// The same for a list that counts for it before or after a change.
pub fn rules_deny(server: &Server, session: &Session, rules: Option<&Rules>, other: &Jid, what: What) -> bool {
    let Some(rules) = rules else { return false };
    !is_exempt(&session.jid, other)
        && rules.list.denies(other, what, || acquaintance(server, session.account, &session.jid, other))
}

/// Whether the default list of an account denies this from `other`, wherever the account is.
pub async fn denies_account(
    server: &Server,
    facts: &AccountFacts,
    other: &Jid,
    what: What,
) -> Result<bool, Refuse> {
    let Some(list) = facts.blocking.default_list() else { return Ok(false) };
    let account = &facts.account;
    let Ok(owner) = Jid::from_parts(Some(&account.name), &account.host, None) else { return Ok(true) };
    if is_exempt(&owner, other) {
        return Ok(false);
    }
    let known = acquaintance_of(server, list, account.id, &owner, other).await?;
    Ok(list.denies(other, what, || known))
}

/// The same by what is in memory, for what happens after the admission: a block may have come since.
pub fn denies_account_now(server: &Server, owner: &Jid, other: &Jid, what: What) -> bool {
    let Some(facts) = server.facts.peek(owner.bare_str()).flatten() else { return false };
    let list = facts.blocking.default_list().filter(|_| !is_exempt(owner, other));
    list.is_some_and(|list| list.denies(other, what, || acquaintance(server, facts.account.id, owner, other)))
}

/// An account's sessions are never kept from each other (XEP-0016 section 2.1), nor from their own domain, which answers them.
fn is_exempt(owner: &Jid, other: &Jid) -> bool {
    other.same_bare(owner) || (other.local().is_none() && other.domain() == owner.domain())
}

/// How an account that is online stands to somebody.
fn acquaintance(server: &Server, account: AccountId, owner: &Jid, other: &Jid) -> Acquaintance {
    let contacts = server.sessions.contacts(account).unwrap_or_default();
    let standing = contacts.get(other.bare_str()).map_or(Standing::None, standing);
    let stored = contacts.groups_of(other.bare_str());
    Acquaintance { standing, groups: with_shared(server, stored, owner, other) }
}

/// The same where the roster may have to be read; only for lists that ask for it.
async fn acquaintance_of(
    server: &Server,
    list: &Arc<List>,
    account: AccountId,
    owner: &Jid,
    other: &Jid,
) -> Result<Acquaintance, Refuse> {
    let names_groups = list.groups().next().is_some();
    let contacts = server.sessions.contacts(account);
    let is_in_memory = contacts.is_some_and(|contacts| contacts.keeps_groups() || !names_groups);
    if is_in_memory || !list.asks_roster() {
        return Ok(acquaintance(server, account, owner, other));
    }
    let stored = server.store.contact(account, other.bare_str()).await?;
    let stored = stored.unwrap_or_else(|| metronome_model::Contact::unknown(other.bare()));
    let hosts = server.hosts.load();
    let subscription = Subscription {
        to: stored.subscription.to || hosts.shows(other, owner),
        from: stored.subscription.from || hosts.shows(owner, other),
        ..Subscription::NONE
    };
    let groups = with_shared(server, &stored.groups, owner, other);
    Ok(Acquaintance { standing: Standing::of(subscription), groups })
}

fn standing(known: &Known) -> Standing {
    Standing::of(Subscription { to: known.sees(), from: known.is_shown(), ..Subscription::NONE })
}

/// The groups of the roster, and those that the operator shares.
fn with_shared(server: &Server, stored: &[Box<str>], owner: &Jid, other: &Jid) -> Vec<Box<str>> {
    let mut groups = stored.to_vec();
    if let Some(host) = server.hosts.load().get(owner.domain()) {
        groups.extend(host.groups.shared_with(owner.bare_str(), other.bare_str()));
    }
    groups
}
