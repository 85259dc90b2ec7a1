//! What accounts take in memory: an estimate of their rows, by which `split` bounds its guests.

use std::collections::HashMap;

use metronome_model::{
    Account, AccountId, Contact, Document, LastSeen, NodeChange, Op, RoomChange, RoomMember, RoomRow, SavedOccupant,
    Subscription,
};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;

/// What a row takes beside its text: its place in both copies of a table, and its allocations.
const ROW_BYTES: usize = 512;

/// Bytes by owner, and of all of them.
#[derive(Clone, Default)]
pub(super) struct Usage {
    all: usize,
    owners: HashMap<AccountId, usize>,
}

impl Usage {
    pub(super) fn add(&mut self, owner: AccountId, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.all += bytes;
        *self.owners.entry(owner).or_default() += bytes;
    }

    pub(super) fn sub(&mut self, owner: AccountId, bytes: usize) {
        self.all -= bytes;
        if let Some(of_owner) = self.owners.get_mut(&owner) {
            *of_owner -= bytes;
            if *of_owner == 0 {
                self.owners.remove(&owner);
            }
        }
    }

    pub(super) fn all(&self) -> usize {
        self.all
    }

    pub(super) fn of(&self, owner: AccountId) -> usize {
        self.owners.get(&owner).copied().unwrap_or(0)
    }
}

/// What a change adds at most, and to whom; `None` for one that adds nothing worth counting.
pub(super) fn of(op: &Op) -> Option<(AccountId, usize)> {
    match op {
        Op::AddAccount { account: new, .. } => Some((new.id, account(new))),
        Op::Append { owner, stanza: new, .. } | Op::Replace { owner, stanza: new, .. } => Some((*owner, stanza(new))),
        Op::SetContact { owner, contact: new } => Some((*owner, contact(new))),
        Op::SetDocument { owner, document: new } => Some((*owner, document(new))),
        Op::SetLastSeen { owner, last } => Some((*owner, last_seen(last))),
        Op::Node { owner, name, change } => Some((*owner, change_of_node(name, change)?)),
        Op::Room { owner, change } => Some((*owner, change_of_room(change)?)),
        _ => None,
    }
}

pub(super) fn account(account: &Account) -> usize {
    ROW_BYTES + account.host.len() + account.name.len()
}

pub(super) fn stanza(stanza: &Stanza) -> usize {
    let to = stanza.to.as_ref().map_or(0, |to| to.as_str().len());
    let texts = [&stanza.id, &stanza.lang].into_iter().flatten().map(|text| text.len()).sum::<usize>();
    ROW_BYTES + stanza.from.as_str().len() + to + texts + stanza.content.len_bytes()
}

/// Nothing for a contact whose row is removed.
pub(super) fn contact(contact: &Contact) -> usize {
    if contact.is_nothing() {
        return 0;
    }
    let name = contact.name.as_ref().map_or(0, |name| name.len());
    let groups = contact.groups.iter().map(|group| group.len() + size_of::<Box<str>>()).sum::<usize>();
    ROW_BYTES + contact.jid.as_str().len() + name + groups + contact.request.as_deref().map_or(0, stanza)
}

/// Nothing for a document that is removed.
pub(super) fn document(document: &Document) -> usize {
    if document.xml.is_empty() { 0 } else { ROW_BYTES + document.len_bytes() }
}

pub(super) fn last_seen(last: &LastSeen) -> usize {
    ROW_BYTES + last.status.len()
}

/// A node with texts of so many bytes, without what belongs to it.
pub(super) fn node(bytes: usize) -> usize {
    ROW_BYTES + bytes
}

pub(super) fn affiliation(jid: &Jid) -> usize {
    ROW_BYTES + jid.as_str().len()
}

pub(super) fn subscription(subscription: &Subscription) -> usize {
    ROW_BYTES + subscription.len_bytes()
}

/// So many items with so many bytes.
pub(super) fn items(count: usize, bytes: u64) -> usize {
    ROW_BYTES * count + bytes as usize
}

/// A room without the people around it.
pub(super) fn room(row: &RoomRow) -> usize {
    ROW_BYTES + row.len_bytes()
}

pub(super) fn member(member: &RoomMember) -> usize {
    ROW_BYTES + member.len_bytes()
}

pub(super) fn occupant(occupant: &SavedOccupant) -> usize {
    ROW_BYTES + occupant.len_bytes()
}

fn change_of_room(change: &RoomChange) -> Option<usize> {
    match change {
        RoomChange::Create(row) => Some(room(row)),
        RoomChange::Configure { config, .. } => Some(config.len()),
        RoomChange::SetSubject(Some(subject)) => Some(subject.len_bytes()),
        RoomChange::SetMember(new) => Some(member(new)),
        RoomChange::SaveOccupants(occupants) => {
            Some(occupants.iter().map(occupant).sum::<usize>()).filter(|sum| *sum > 0)
        }
        RoomChange::SetSubject(None) | RoomChange::RemoveMember { .. } | RoomChange::Use { .. } => None,
    }
}

fn change_of_node(name: &str, change: &NodeChange) -> Option<usize> {
    let texts = |config: &[u8], collections: &[Box<str>]| {
        config.len() + collections.iter().map(|collection| collection.len()).sum::<usize>()
    };
    match change {
        NodeChange::Create { config, collections, creator, .. } => {
            Some(node(name.len() + texts(config, collections) + creator.as_str().len()))
        }
        NodeChange::Configure { config, collections } => Some(texts(config, collections)),
        NodeChange::Affiliate { jid, affiliation: Some(_) } => Some(affiliation(jid)),
        NodeChange::Subscribe(new) => Some(subscription(new)),
        NodeChange::Publish { item, .. } => Some(items(1, item.len_bytes() as u64)),
        NodeChange::Affiliate { affiliation: None, .. }
        | NodeChange::Turn(_)
        | NodeChange::Delete
        | NodeChange::Unsubscribe { .. }
        | NodeChange::EndSubscriptions { .. }
        | NodeChange::Retract { .. }
        | NodeChange::Trim { .. }
        | NodeChange::Expire { .. }
        | NodeChange::Purge
        | NodeChange::PurgeButNewest => None,
    }
}
