//! Rosters in memory: read once when an account comes online, and asked by everything that must know who sees whom.

use std::sync::Arc;

use metronome_host::contacts::{Contacts, Fixed, Known};
use metronome_host::effect::{Effect, Effects};
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::sessions::Sessions;
use metronome_model::{AccountId, Contact, Listed, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

use super::push;

/// The contacts of an online account; reads them if nobody has needed them yet.
pub async fn contacts(
    server: &Arc<Server>,
    host: &Host,
    account: AccountId,
    jid: &Jid,
) -> Result<Arc<Contacts>, Refuse> {
    if let Some(contacts) = server.sessions.contacts(account) {
        return Ok(contacts);
    }
    // With the lock no change can come between what is read and what is kept.
    let _locked = server.owners.lock(&[account]).await;
    match server.sessions.contacts(account) {
        Some(contacts) => Ok(contacts),
        None => Ok(read(server, host, account, jid).await?.0),
    }
}

/// Reads the roster of an online account and keeps what presence needs of it. The caller holds the owner's lock.
pub(super) async fn read(
    server: &Server,
    host: &Host,
    account: AccountId,
    jid: &Jid,
) -> Result<(Arc<Contacts>, Vec<Contact>), Refuse> {
    let (version, rows) = server.store.roster(account).await?;
    let bare = jid.bare_str();
    let members = host.groups.contacts_of(bare).into_iter().map(|member| {
        let fixed = if member.subscription.from { Fixed::ByGroup } else { Fixed::ToGroup };
        (member.jid, fixed)
    });
    let contacts = Arc::new(Contacts::new(version, &rows, host.groups.fingerprint_of(bare), members));
    server.sessions.keep_contacts(account, contacts.clone());
    Ok((contacts, rows))
}

/// The requests that wait for an answer, as they were sent (RFC 6121 section 3.1.3).
pub async fn requests(server: &Server, account: AccountId) -> Result<Vec<Arc<Stanza>>, Refuse> {
    let (_, rows) = server.store.roster(account).await?;
    Ok(rows.into_iter().filter(|row| row.subscription.pending_in).filter_map(|row| row.request).collect())
}

/// Whether `viewer` may see the presence of an account of ours: itself, its subscribers, and those it shares a group with.
pub async fn may_see(server: &Arc<Server>, owner: AccountId, viewer: &Jid) -> Result<bool, Refuse> {
    if server.sessions.online(viewer.bare_str()) == Some(owner) {
        return Ok(true);
    }
    if let Some(contacts) = server.sessions.contacts(owner) {
        let shown = contacts.get(viewer.bare_str()).is_some_and(Known::is_shown);
        let devices = server.sessions.of(owner);
        return Ok(shown || devices.first().is_some_and(|device| is_shown_by_group(server, &device.jid, viewer)));
    }
    let stored = server.store.contact(owner, viewer.bare_str()).await?;
    if stored.is_some_and(|contact| contact.subscription.from) {
        return Ok(true);
    }
    let Some(account) = server.store.account_by_id(owner).await? else { return Ok(false) };
    let owner = Jid::from_parts(Some(&account.name), &account.host, None);
    Ok(owner.is_ok_and(|owner| is_shown_by_group(server, &owner, viewer)))
}

fn is_shown_by_group(server: &Server, owner: &Jid, viewer: &Jid) -> bool {
    let hosts = server.hosts.load();
    hosts.get(owner.domain()).is_some_and(|host| host.groups.may_see(owner.bare_str(), viewer.bare_str()))
}

/// The shared groups of hosts may have changed: rosters in memory follow, those who have asked for theirs are told, and new members
/// see each other, former ones no more.
pub async fn groups_changed(server: &Arc<Server>) {
    for index in 0..Sessions::SLICES {
        for (account, jid) in server.sessions.with_contacts(index) {
            let Some(host) = server.hosts.load().get(jid.domain()).cloned() else { continue };
            let known = server.sessions.contacts(account);
            if known.is_none_or(|contacts| contacts.groups == host.groups.fingerprint_of(jid.bare_str())) {
                continue;
            }
            if let Err(refuse) = regroup(server, &host, account, &jid).await {
                tracing::warn!(jid = jid.as_str(), ?refuse, "a roster could not follow its shared groups");
            }
        }
    }
}

async fn regroup(server: &Arc<Server>, host: &Host, account: AccountId, jid: &Jid) -> Result<(), Refuse> {
    let _locked = server.owners.lock(&[account]).await;
    let Some(before) = server.sessions.contacts(account) else { return Ok(()) };
    let (after, rows) = read(server, host, account, jid).await?;
    let members = host.groups.contacts_of(jid.bare_str());
    let mut effects = Effects::new();
    for known in before.iter().chain(after.iter()) {
        let was = before.get(known.jid.as_str()).is_some_and(Known::is_shown);
        let (is, theirs) = (after.get(known.jid.as_str()).is_some_and(Known::is_shown), server.sessions.online(known.jid.as_str()));
        match theirs {
            Some(to) if was && !is => effects.push(Effect::Hide { of: account, to }),
            Some(to) if is && !was => effects.push(Effect::Show { of: account, to }),
            _ => {}
        }
        // Whom everybody sees does not know the account, so what it sees is changed from this side.
        let to_group = |contacts: &Contacts| contacts.get(known.jid.as_str()).is_some_and(|it| it.fixed == Fixed::ToGroup);
        match theirs {
            Some(of) if to_group(&after) && !to_group(&before) => effects.push(Effect::Show { of, to: account }),
            Some(of) if to_group(&before) && !after.get(known.jid.as_str()).is_some_and(Known::sees) => {
                effects.push(Effect::Hide { of, to: account });
            }
            _ => {}
        }
    }
    let row = |jid: &Jid| {
        let stored = rows.iter().find(|row| row.jid == *jid).cloned();
        Contact { version: after.version.current, ..stored.unwrap_or_else(|| Contact::unknown(jid.clone())) }
    };
    let fixed = before.iter().filter(|known| known.fixed != Fixed::No);
    let lost: Vec<&Known> =
        fixed.filter(|known| after.get(known.jid.as_str()).is_none_or(|now| now.fixed == Fixed::No)).collect();
    for session in server.sessions.of(account).iter().filter(|session| session.is_interested()) {
        for known in &lost {
            let row = row(&known.jid);
            let frame = match row.listed {
                Listed::No => push::removal(session, &row, after.groups),
                Listed::Yes => push::item(session, &row, &[], after.groups),
            };
            effects.push(Effect::Write(session.clone(), frame));
        }
        for member in &members {
            let frame = push::item(session, &row(&member.jid), &members, after.groups);
            effects.push(Effect::Write(session.clone(), frame));
        }
    }
    // Nothing is stored: the writer only hands on what is to be told.
    server.commit_with(Record::default(), effects).await;
    Ok(())
}
