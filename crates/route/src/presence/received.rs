//! Presence from other servers (RFC 6121 sections 3, 4.3 and 4.4): requests and answers change a roster, probes are answered from it, and the
//! rest is shown to whom it is addressed to. Nothing of it is kept: whoever comes later asks by probes of its own.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_features::roster;
use metronome_host::announcement::{Announcement, Says};
use metronome_host::blocking::What;
use metronome_host::contacts::Known;
use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::subscription::{Subscription, Verb};

use super::show::count;
use super::{directed, subscription};
use crate::{interests, remotes, visits};

/// Decides a presence that has come over a link.
pub(super) async fn admit(server: &Arc<Server>, env: &mut Envelope, kind: PresenceType) -> Result<(), Refuse> {
    if env.destination == Destination::Remote {
        return remotes::refuse(server, env);
    }
    if visits::is_one(env) && matches!(kind, PresenceType::Available | PresenceType::Unavailable) {
        return super::judge(&env.stanza).map_err(|_| Refuse::Drop("a presence that nobody can be shown"));
    }
    if !matches!(env.destination, Destination::Account(_)) {
        return Err(Refuse::Drop("presence is for accounts"));
    }
    match (Verb::of(kind), kind) {
        (Some(verb), _) => subscription::admit_received(server, env, verb).await,
        (None, PresenceType::Available) => {
            super::judge(&env.stanza).map_err(|_| Refuse::Drop("a presence that nobody can be shown"))
        }
        (None, PresenceType::Probe) => admit_probe(server, env).await,
        (None, PresenceType::Error) => directed::admit_error(env),
        (None, _) => Ok(()),
    }
}

/// Section 4.3.2: whoever may not see the account hears that there is no subscription, whether the account exists or not; for one that is
/// blocked nobody is there.
async fn admit_probe(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let Some(to) = env.stanza.to.as_ref().map(Jid::bare) else { return Err(Refuse::Drop("a probe of nobody")) };
    let from = env.stanza.from.bare();
    let facts = server.facts.of(&*server.store, &to).await?;
    let facts = facts.filter(|facts| facts.is_active() && !facts.account.id.is_guest());
    let account = facts.as_ref().map(|facts| facts.account.id);
    if let Some(account) = account
        && roster::may_see(server, account, &from).await?
    {
        env.destination = Destination::Account(Some(account));
        return Ok(());
    }
    env.destination = Destination::Nobody;
    let subscription = match account {
        Some(account) => stored(server, account, &from).await?,
        None => Subscription::NONE,
    };
    // A request that waits for its answer must not be answered by this, nor one that has just got it.
    if !subscription.pending_in && !subscription.from {
        let unsubscribed = Stanza::new(Kind::Presence(PresenceType::Unsubscribed), to).with_to(from);
        env.effects.push(Effect::Reply(unsubscribed));
    }
    Ok(())
}

/// What is stored, behind every change that is on its way.
async fn stored(server: &Server, account: AccountId, contact: &Jid) -> Result<Subscription, Refuse> {
    let _locked = server.owners.lock(&[account]).await;
    let row = server.store.contact(account, contact.as_str()).await?;
    Ok(row.map_or(Subscription::NONE, |row| row.subscription))
}

/// Runs an admitted one, in the task of the link.
pub(super) fn deliver(server: &Arc<Server>, env: &Envelope, kind: PresenceType) {
    let Some(to) = &env.stanza.to else { return };
    if visits::is_one(env) {
        return visits::run(server, &env.stanza, to, kind);
    }
    match kind {
        PresenceType::Probe => answer_probe(server, env, to),
        PresenceType::Available | PresenceType::Unavailable | PresenceType::Error => {
            show(server, &env.stanza, to);
            interests::seen(server, &env.stanza, to);
        }
        _ => {}
    }
}

/// Each session that is asked for, or that nobody is there.
fn answer_probe(server: &Server, env: &Envelope, to: &Jid) {
    let from = &env.stanza.from;
    let mut is_there = false;
    for session in server.sessions.named(to.bare_str()).iter().filter(|session| to.is_bare() || session.jid == *to) {
        if let (Some(announcement), false) = (shown_to(server, session, from), session.is_locked()) {
            remotes::announce(server, &session.jid, &announcement, from);
            is_there = true;
        }
    }
    if !is_there {
        remotes::announce(server, to, &Announcement::unavailable(to), from);
    }
}

/// A session's presence as somebody on another server may see it now.
pub(super) fn shown_to(server: &Server, session: &Session, to: &Jid) -> Option<Announcement> {
    let (_, announcement) = session.shown();
    announcement.filter(|_| !check::denies(server, session, to, What::PresenceOut))
}

/// Shows it to the sessions it is addressed to (sections 8.5.2.1.2 and 8.5.3).
fn show(server: &Server, stanza: &Stanza, to: &Jid) {
    let announcement = super::announcement(stanza);
    for session in server.sessions.named(to.bare_str()) {
        if session.is_locked() || check::denies(server, &session, &stanza.from, What::PresenceIn) {
            continue;
        }
        let mut announcement = announcement.clone();
        // Only who was shown that somebody is there is owed the goodbye: what anybody else says must not take the room of answers.
        if announcement.says == Says::Gone && !is_owed(server, &session, &stanza.from) {
            announcement.says = Says::Here;
        }
        if to.is_bare() {
            count(server, session.show(&announcement, || announcement.to(to.as_str())));
        } else if session.jid == *to {
            count(server, session.show_directly(&announcement));
        }
    }
}

fn is_owed(server: &Server, session: &Session, from: &Jid) -> bool {
    let contacts = server.sessions.contacts(session.account);
    contacts.is_some_and(|contacts| contacts.get(from.bare_str()).is_some_and(Known::sees))
        || session.has_directed(from)
}

/// An error about a presence of ours that could not go: for the session that it was from, or for all that are there.
pub(crate) fn given_back(server: &Server, error: &Stanza, to: &Jid) {
    show(server, error, to);
}
