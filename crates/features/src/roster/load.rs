//! Rosters in memory: read once when an account comes online, and asked by everything that must know who sees whom.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use metronome_host::contacts::{Contacts, Fixed, Known};
use metronome_host::effect::{Effect, Effects};
use metronome_host::groups::{GroupContact, Groups};
use metronome_host::hosts::Hosts;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::sessions::Sessions;
use metronome_model::{AccountId, Contact, Listed, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Name;
use metronome_proto::stream::error::Condition as StreamCondition;

use super::push;

/// A roster as it was read.
pub(super) struct Loaded {
    /// What is kept of it in memory.
    pub(super) contacts: Arc<Contacts>,
    /// The rows.
    pub(super) rows: Vec<Contact>,
    /// Those whom shared groups add.
    pub(super) groups: Vec<GroupContact>,
}

/// The contacts of an online account; reads them if nobody has needed them yet.
pub async fn contacts(server: &Arc<Server>, account: AccountId, jid: &Jid) -> Result<Arc<Contacts>, Refuse> {
    if let Some(contacts) = server.sessions.contacts(account) {
        return Ok(contacts);
    }
    // With the lock no change can come between what is read and what is kept.
    let _locked = server.owners.lock(&[account]).await;
    match server.sessions.contacts(account) {
        Some(contacts) => Ok(contacts),
        None => Ok(read(server, account, jid).await?.contacts),
    }
}

/// Reads the roster of an online account and keeps what presence needs of it. The caller holds the owner's lock.
pub(super) async fn read(server: &Server, account: AccountId, jid: &Jid) -> Result<Loaded, Refuse> {
    let facts = server.facts.of(&*server.store, jid).await?;
    let known = server.sessions.contacts(account);
    let keeps_groups = known.is_some_and(|contacts| contacts.keeps_groups())
        || facts.is_some_and(|facts| facts.blocking.names_groups());
    let (version, rows) = server.store.roster(account).await?;
    let bare = jid.bare_str();
    loop {
        // The groups of now, whatever snapshot the stanza came under: they are kept for longer than it.
        let groups = groups_of(server, jid);
        let fingerprint = groups.fingerprint_of(bare);
        let members = groups.contacts_of(bare);
        let fixed = members.iter().map(|member| {
            let fixed = if member.subscription.from { Fixed::ByGroup } else { Fixed::ToGroup };
            (member.jid.clone(), fixed)
        });
        let contacts = Contacts::new(version, &rows, fingerprint, fixed);
        let contacts = Arc::new(if keeps_groups { contacts.with_groups(&rows) } else { contacts });
        server.sessions.keep_contacts(account, contacts.clone());
        // A reload that came before they were kept has passed this account over.
        if groups_of(server, jid).fingerprint_of(bare) == fingerprint {
            return Ok(Loaded { contacts, rows, groups: members });
        }
    }
}

/// The names of all groups in the roster of an online account, which are kept in memory from here on. The caller holds the owner's lock.
pub async fn groups(server: &Server, account: AccountId, jid: &Jid) -> Result<HashSet<Box<str>>, Refuse> {
    let Loaded { rows, groups, .. } = read(server, account, jid).await?;
    server.sessions.change_contacts(account, |contacts| {
        *contacts = std::mem::take(contacts).with_groups(&rows);
    });
    let stored = rows.iter().flat_map(|row| &row.groups);
    let shared = groups.iter().flat_map(|member| &member.groups);
    Ok(stored.chain(shared).cloned().collect())
}

fn groups_of(server: &Server, jid: &Jid) -> Arc<Groups> {
    server.hosts.load().get(jid.domain()).map(|host| host.groups.clone()).unwrap_or_default()
}

/// Reads anew what is in memory of a roster: nobody knows whether a change of it took place.
pub async fn refresh(server: &Arc<Server>, account: AccountId) {
    let _locked = server.owners.lock(&[account]).await;
    let Some(jid) = server.sessions.of(account).first().map(|session| session.jid.bare()) else { return };
    if let Err(refuse) = read(server, account, &jid).await {
        tracing::warn!(jid = jid.as_str(), ?refuse, "a roster could not be read again; its sessions are ended");
        for session in server.sessions.of(account) {
            session.close(StreamCondition::InternalServerError, Some("the roster cannot be read now"));
        }
    }
}

/// Whether `viewer` may see the presence of an account of ours: itself, its subscribers, and those it shares a group with.
pub async fn may_see(server: &Arc<Server>, owner: AccountId, viewer: &Jid) -> Result<bool, Refuse> {
    if server.sessions.online(viewer.bare_str()) == Some(owner) {
        return Ok(true);
    }
    if let Some(contacts) = server.sessions.contacts(owner) {
        let shown = contacts.get(viewer.bare_str()).is_some_and(Known::is_shown);
        let devices = server.sessions.of(owner);
        return Ok(shown || devices.first().is_some_and(|device| server.hosts.load().shows(&device.jid, viewer)));
    }
    let stored = server.store.contact(owner, viewer.bare_str()).await?;
    if stored.is_some_and(|contact| contact.subscription.from) {
        return Ok(true);
    }
    let Some(account) = server.store.account_by_id(owner).await? else { return Ok(false) };
    let owner = Jid::from_parts(Some(&account.name), &account.host, None);
    Ok(owner.is_ok_and(|owner| server.hosts.load().shows(&owner, viewer)))
}

/// With more members than this a client asks for its roster again rather than being told of each.
const PUSHES_MAX: usize = 256;

/// The shared groups of hosts may have changed: rosters in memory follow, those who have asked for theirs are told, and new members
/// see each other, former ones no more. `earlier` is what was served until now.
pub async fn groups_changed(server: &Arc<Server>, earlier: &Hosts) {
    for index in 0..Sessions::SLICES {
        for (account, jid) in server.sessions.with_contacts(index) {
            let Some(host) = server.hosts.load().get(jid.domain()).cloned() else { continue };
            let known = server.sessions.contacts(account);
            if known.is_none_or(|contacts| contacts.groups == host.groups.fingerprint_of(jid.bare_str())) {
                continue;
            }
            let groups = earlier.get(jid.domain()).map(|host| host.groups.clone()).unwrap_or_default();
            if let Err(refuse) = regroup(server, account, &jid, &groups).await {
                tracing::warn!(jid = jid.as_str(), ?refuse, "a roster could not follow its shared groups");
            }
        }
    }
}

async fn regroup(server: &Arc<Server>, account: AccountId, jid: &Jid, earlier: &Groups) -> Result<(), Refuse> {
    let _locked = server.owners.lock(&[account]).await;
    let Some(before) = server.sessions.contacts(account) else { return Ok(()) };
    let Loaded { contacts: after, rows, groups: members } = read(server, account, jid).await?;
    let mut effects = Effects::new();
    let left = before.iter().filter(|known| after.get(known.jid.as_str()).is_none());
    for known in after.iter().chain(left) {
        let (before, after) = (before.get(known.jid.as_str()), after.get(known.jid.as_str()));
        shown_or_hidden(server, (account, jid), before, after, &mut effects);
    }
    let rows: HashMap<&str, &Contact> = rows.iter().map(|row| (row.jid.as_str(), row)).collect();
    let row = |jid: &Jid| {
        let stored = rows.get(jid.as_str()).map(|row| (*row).clone());
        Contact { version: after.version.current, ..stored.unwrap_or_else(|| Contact::unknown(jid.clone())) }
    };
    let fixed = before.iter().filter(|known| known.fixed != Fixed::No);
    let lost: Vec<&Known> =
        fixed.filter(|known| after.get(known.jid.as_str()).is_none_or(|now| now.fixed == Fixed::No)).collect();
    // If others were merged last, nobody knows what clients have of them.
    let told = match earlier.fingerprint_of(jid.bare_str()) == before.groups {
        true => earlier.contacts_of(jid.bare_str()),
        false => Vec::new(),
    };
    let changed: Vec<&GroupContact> =
        members.iter().filter(|member| push::is_changed(&row(&member.jid), &told, member)).collect();
    let sessions = server.sessions.of(account);
    if lost.len() + changed.len() > PUSHES_MAX {
        effects.push(Effect::Disconnect(account, StreamCondition::Reset, "the shared groups have changed"));
    } else {
        for session in sessions.iter().filter(|session| session.is_interested()) {
            for known in &lost {
                let row = row(&known.jid);
                let frame = match row.listed {
                    Listed::No => push::removal(server, session, &row, after.groups),
                    Listed::Yes => push::item(server, session, &row, &[], after.groups),
                };
                effects.push(Effect::Write(session.clone(), Name::Iq, frame));
            }
            for member in &changed {
                let frame = push::item(server, session, &row(&member.jid), &members, after.groups);
                effects.push(Effect::Write(session.clone(), Name::Iq, frame));
            }
        }
    }
    // Nothing is stored: the writer only hands on what is to be told.
    server.commit_with(Record::default(), effects).await;
    Ok(())
}

/// Who is shown to whom anew, and who not any more, when groups have changed.
fn shown_or_hidden(
    server: &Server,
    (account, jid): (AccountId, &Jid),
    before: Option<&Known>,
    after: Option<&Known>,
    effects: &mut Effects,
) {
    let Some(known) = after.or(before) else { return };
    let Some(other) = server.sessions.online(known.jid.as_str()) else { return };
    match (before.is_some_and(Known::is_shown), after.is_some_and(Known::is_shown)) {
        // A group that everybody sees may show it all the same.
        (true, false) if server.hosts.load().shows(jid, &known.jid) => {}
        (true, false) => effects.push(Effect::Hide { of: account, to: other }),
        (false, true) => effects.extend([Effect::Show { of: account, to: other }, admitted(account, &known.jid)]),
        _ => {}
    }
    // Whom everybody sees does not know the account, so what it sees is changed from this side.
    let to_group = |known: Option<&Known>| known.is_some_and(|known| known.fixed == Fixed::ToGroup);
    match (to_group(before), to_group(after)) {
        (false, true) => effects.extend([Effect::Show { of: other, to: account }, admitted(other, jid)]),
        (true, false) if !after.is_some_and(Known::sees) => effects.push(Effect::Hide { of: other, to: account }),
        _ => {}
    }
}

/// Somebody sees an account who did not.
fn admitted(of: AccountId, who: &Jid) -> Effect {
    Effect::Admitted { of, before: Arc::new(Contact::unknown(who.bare())) }
}
