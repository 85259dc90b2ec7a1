//! One record: first every check, then its changes. A refused record has changed nothing, so the rest of its batch
//! need not know of it; any number of checks costs only reads, mostly of the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metronome_model::{AccountId, NodeChange, Op, Outcome, Record, RoomChange};
use metronome_proto::stanza::Stanza;
use smallvec::SmallVec;

use super::WriterLimits;
use super::heads::Heads;
use crate::StoreError;
use crate::archive::{Head, NewRow};
use crate::backend::Backend;

/// The ids of a record's appends.
type Ids = SmallVec<[u64; 2]>;

/// Why a record ends before its changes.
enum Refused {
    For(Outcome),
    Failed(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Refused {
        Refused::Failed(error)
    }
}

/// An account as the record sees it: the end of its archive before the record, and after it.
#[derive(Clone, Copy)]
enum Owner {
    Known {
        before: Head,
        after: Head,
    },
    /// Added by this record; its slot is known once that is done.
    New {
        after: Head,
    },
    Forgotten,
}

/// As many owners are looked through one by one; almost every record has one or two.
const FEW: usize = 24;

/// A node that was just made has more numbers for items than any record has items.
const NODE_NUMBERS_LEAST: u64 = 1 << 30;

/// The owners a record touches, with the state they will have after it.
#[derive(Default)]
struct Touched {
    owners: SmallVec<[(AccountId, Owner); 2]>,
    /// Where each of them stands, once they are more than [`FEW`].
    places: BTreeMap<AccountId, usize>,
}

impl Touched {
    fn place(&self, id: AccountId) -> Option<usize> {
        match self.owners.len() {
            0..=FEW => self.owners.iter().position(|(known, _)| *known == id),
            _ => self.places.get(&id).copied(),
        }
    }

    fn get(&self, id: AccountId) -> Option<Owner> {
        self.place(id).map(|place| self.owners[place].1)
    }

    fn set(&mut self, id: AccountId, owner: Owner) {
        if let Some(place) = self.place(id) {
            self.owners[place].1 = owner;
            return;
        }
        self.owners.push((id, owner));
        let count = self.owners.len();
        if count == FEW + 1 {
            self.places = self.owners.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        } else if count > FEW {
            self.places.insert(id, count - 1);
        }
    }
}

/// Checks a record and applies it inside the open transaction. An error means that the transaction must be undone.
pub(super) fn run(
    backend: &mut dyn Backend,
    heads: &mut Heads,
    limits: &WriterLimits,
    record: &Record,
) -> Result<Outcome, StoreError> {
    let mut run =
        Run { backend, heads, limits, touched: Touched::default(), nodes: BTreeMap::new(), rooms: BTreeSet::new() };
    match run.check(record) {
        Ok(ids) => {
            run.apply(record, &ids)?;
            Ok(Outcome::Done { ids })
        }
        Err(Refused::For(outcome)) => Ok(outcome),
        Err(Refused::Failed(error)) => Err(error),
    }
}

struct Run<'a, 'r> {
    backend: &'a mut dyn Backend,
    heads: &'a mut Heads,
    limits: &'a WriterLimits,
    touched: Touched,
    /// How many items the nodes that the record touches have numbers for, after it; none for one that is not there.
    nodes: BTreeMap<(AccountId, &'r str), Option<u64>>,
    /// Accounts that are rooms, or are made so by the record.
    rooms: BTreeSet<AccountId>,
}

impl<'r> Run<'_, 'r> {
    /// All checks of a record; gives the ids of its appends.
    fn check(&mut self, record: &'r Record) -> Result<Ids, Refused> {
        let mut ids = Ids::new();
        for op in &record.ops {
            match op {
                Op::AddAccount { account, .. } => {
                    if self.touched.get(account.id).is_some() || self.backend.in_use(account)? {
                        return Err(Refused::For(Outcome::Conflict));
                    }
                    let after = Head { slot: 0, last_id: 0, seen_to: 0, unseen: 0 };
                    self.touched.set(account.id, Owner::New { after });
                }
                Op::SetKeys { id, .. } | Op::AddKeys { id, .. } | Op::SetRole { id, .. } | Op::SetState { id, .. } => {
                    self.owner(*id)?;
                }
                Op::ForgetAccount { id } => {
                    self.owner(*id)?;
                    self.touched.set(*id, Owner::Forgotten);
                }
                Op::Append { owner, unseen, .. } => ids.push(self.next_id(*owner, *unseen)?),
                Op::Enqueue { .. } => ids.push(self.next_in_outbox()?),
                Op::Seen { owner, .. }
                | Op::Replace { owner, .. }
                | Op::Remove { owner, .. }
                | Op::SetContact { owner, .. }
                | Op::SetDocument { owner, .. }
                | Op::SetLastSeen { owner, .. } => {
                    self.owner(*owner)?;
                }
                Op::Node { owner, name, change } => self.check_node(*owner, name, change)?,
                Op::Room { owner, change } => self.check_room(*owner, change)?,
                Op::SetResumable { stream } => drop(self.owner(stream.owner)?),
                Op::SetHost { .. }
                | Op::ForgetHost { .. }
                | Op::NoteResumable { .. }
                | Op::ForgetResumable { .. }
                | Op::Dequeue { .. }
                | Op::SetRedirect { .. }
                | Op::ForgetRedirect { .. }
                | Op::SetMeta { .. } => {}
            }
        }
        if self.touched.owners.iter().any(|(id, _)| id.is_guest()) && !self.backend.has_room(record) {
            return Err(Refused::For(Outcome::Full));
        }
        Ok(ids)
    }

    fn check_node(&mut self, owner: AccountId, name: &'r str, change: &NodeChange) -> Result<(), Refused> {
        self.owner(owner)?;
        let known = match self.nodes.get(&(owner, name)) {
            Some(known) => *known,
            None => self.backend.node_room(owner, name)?,
        };
        let room = match (change, known) {
            (NodeChange::Create { .. }, Some(_)) => return Err(Refused::For(Outcome::Conflict)),
            (NodeChange::Create { .. }, None) => Some(NODE_NUMBERS_LEAST),
            (_, None) => return Err(Refused::For(Outcome::Gone)),
            (NodeChange::Delete, Some(_)) => None,
            (NodeChange::Publish { .. }, Some(room)) => Some(room.checked_sub(1).ok_or(Refused::For(Outcome::Full))?),
            (_, room) => room,
        };
        self.nodes.insert((owner, name), room);
        Ok(())
    }

    fn check_room(&mut self, owner: AccountId, change: &RoomChange) -> Result<(), Refused> {
        self.owner(owner)?;
        let is_room = self.rooms.contains(&owner) || self.backend.is_room(owner)?;
        match (change, is_room) {
            (RoomChange::Create(_), true) => return Err(Refused::For(Outcome::Conflict)),
            (RoomChange::Create(_), false) | (_, true) => {}
            (_, false) => return Err(Refused::For(Outcome::Gone)),
        }
        self.rooms.insert(owner);
        Ok(())
    }

    fn owner(&mut self, id: AccountId) -> Result<Owner, Refused> {
        if let Some(owner) = self.touched.get(id) {
            return match owner {
                Owner::Forgotten => Err(Refused::For(Outcome::Gone)),
                owner => Ok(owner),
            };
        }
        let head = match self.heads.get(id) {
            Some(head) => head,
            None => {
                let head = self.backend.head(id)?.ok_or(Refused::For(Outcome::Gone))?;
                self.heads.put(id, head);
                head
            }
        };
        let owner = Owner::Known { before: head, after: head };
        self.touched.set(id, owner);
        Ok(owner)
    }

    fn next_id(&mut self, id: AccountId, unseen: bool) -> Result<u64, Refused> {
        let mut owner = self.owner(id)?;
        let (Owner::Known { after: head, .. } | Owner::New { after: head }) = &mut owner else {
            return Err(Refused::For(Outcome::Gone));
        };
        if (unseen && head.unseen >= self.limits.unseen_max) || head.last_id >= self.backend.id_max() {
            return Err(Refused::For(Outcome::Full));
        }
        head.last_id += 1;
        head.unseen += u64::from(unseen);
        let next = head.last_id;
        self.touched.set(id, owner);
        Ok(next)
    }

    /// A number that a refused record leaves unused harms nobody.
    fn next_in_outbox(&mut self) -> Result<u64, Refused> {
        let last = self.last_in_outbox()?;
        self.heads.outbox = Some(last + 1);
        Ok(last + 1)
    }

    fn last_in_outbox(&mut self) -> Result<u64, StoreError> {
        if self.heads.outbox.is_none() {
            self.heads.outbox = Some(self.backend.outbox_last()?);
        }
        Ok(self.heads.outbox.unwrap_or_default())
    }

    /// The changes: all but the archive first, then what clients have seen of the rows before this record, then what becomes of these
    /// rows, then its new rows.
    fn apply(&mut self, record: &Record, ids: &[u64]) -> Result<(), StoreError> {
        for op in &record.ops {
            match op {
                Op::Append { .. } | Op::Enqueue { .. } | Op::Seen { .. } | Op::Replace { .. } | Op::Remove { .. } => {}
                op => self.apply_row(op)?,
            }
        }
        for op in &record.ops {
            if let Op::Seen { owner, ids } = op {
                self.apply_seen(*owner, ids)?;
            }
        }
        for op in &record.ops {
            match op {
                Op::Replace { owner, id, stanza } => self.apply_replace(*owner, *id, stanza)?,
                Op::Remove { owner, ids } => self.apply_remove(*owner, ids)?,
                _ => {}
            }
        }
        if !ids.is_empty() {
            self.apply_appends(record, ids)?;
        }
        if let Some(handled) = record.handled {
            self.backend.set_handled(handled)?;
        }
        for (id, owner) in &self.touched.owners {
            match owner {
                Owner::Known { after, .. } => self.heads.put(*id, *after),
                Owner::New { .. } => {}
                Owner::Forgotten => self.heads.remove(*id),
            }
        }
        Ok(())
    }

    fn apply_row(&mut self, op: &Op) -> Result<(), StoreError> {
        match op {
            Op::AddAccount { account, keys } => self.backend.add_account(account, keys),
            Op::SetKeys { id, keys } => self.backend.set_keys(*id, keys),
            Op::AddKeys { id, keys } => self.backend.add_keys(*id, keys),
            Op::SetRole { id, role } => self.backend.set_role(*id, *role),
            Op::SetState { id, state } => self.backend.set_state(*id, *state),
            Op::ForgetAccount { id } => self.backend.forget(*id),
            Op::SetContact { owner, contact } => self.backend.set_contact(*owner, contact),
            Op::SetDocument { owner, document } => self.backend.set_document(*owner, document),
            Op::SetLastSeen { owner, last } => self.backend.set_last_seen(*owner, last),
            Op::SetHost { host } => self.backend.set_host(host),
            Op::ForgetHost { name } => self.backend.forget_host(name),
            Op::SetResumable { stream } => self.backend.set_resumable(stream),
            Op::NoteResumable { number, noted } => self.backend.note_resumable(*number, noted),
            Op::ForgetResumable { number } => self.backend.forget_resumable(*number),
            Op::Node { owner, name, change } => self.backend.change_node(*owner, name, change),
            Op::Room { owner, change } => self.backend.change_room(*owner, change),
            Op::SetRedirect { redirect } => self.backend.set_redirect(redirect),
            Op::ForgetRedirect { host, name } => self.backend.forget_redirect(host, name.as_deref()),
            Op::SetMeta { key, value } => self.backend.set_meta(key, value),
            Op::Dequeue { local, remote, to } => {
                // Known before the rows are gone: those who sent them go on counting.
                self.last_in_outbox()?;
                self.backend.dequeue(local, remote, *to)
            }
            Op::Append { .. } | Op::Enqueue { .. } | Op::Seen { .. } | Op::Replace { .. } | Op::Remove { .. } => Ok(()),
        }
    }

    /// Works on the head from before the record, and carries what it changed over to the one after it.
    fn apply_seen(&mut self, owner: AccountId, ids: &[(u64, u64)]) -> Result<(), StoreError> {
        // A new account has no rows to be seen, and a forgotten one loses them anyway.
        let Some(Owner::Known { before, mut after }) = self.touched.get(owner) else { return Ok(()) };
        let mut head = before;
        for &(first, last) in ids {
            let (first, last) = (first.max(head.seen_to + 1), last.min(head.last_id));
            if first <= last && head.unseen > 0 {
                self.backend.mark_seen(owner, &mut head, first, last)?;
            }
        }
        after.seen_to = head.seen_to;
        after.unseen -= before.unseen - head.unseen;
        self.touched.set(owner, Owner::Known { before: head, after });
        Ok(())
    }

    /// A row that this record appends is not there yet.
    fn apply_replace(&mut self, owner: AccountId, id: u64, stanza: &Arc<Stanza>) -> Result<(), StoreError> {
        match self.touched.get(owner) {
            Some(Owner::Known { before, .. }) if (1..=before.last_id).contains(&id) => {
                self.backend.replace(owner, &before, id, stanza)
            }
            _ => Ok(()),
        }
    }

    fn apply_remove(&mut self, owner: AccountId, ids: &[(u64, u64)]) -> Result<(), StoreError> {
        let Some(Owner::Known { before, .. }) = self.touched.get(owner) else { return Ok(()) };
        for &(first, last) in ids {
            let (first, last) = (first.max(1), last.min(before.last_id));
            if first <= last {
                self.backend.remove(owner, &before, first, last)?;
            }
        }
        Ok(())
    }

    fn apply_appends(&mut self, record: &Record, ids: &[u64]) -> Result<(), StoreError> {
        let mut ids = ids.iter().copied();
        let mut waiting: SmallVec<[(NewRow, &Arc<Stanza>); 2]> = SmallVec::new();
        for op in &record.ops {
            let mut id = || ids.next().expect("check gives one id to each new row");
            let (owner, at_ms, direction, keep, unseen, stanza) = match op {
                Op::Append { owner, at_ms, direction, keep, unseen, stanza } => {
                    (owner, at_ms, direction, keep, unseen, stanza)
                }
                Op::Enqueue { at_ms, stanza } => {
                    self.backend.enqueue(id(), *at_ms, stanza)?;
                    continue;
                }
                _ => continue,
            };
            let id = id();
            let Some(slot) = self.slot(*owner)? else { continue };
            let (at_ms, direction, keep, unseen) = (*at_ms, *direction, *keep, *unseen);
            waiting.push((NewRow { owner: *owner, slot, id, at_ms, direction, keep, unseen }, stanza));
        }
        // Rows that share a stanza go together; almost always that is all of them.
        while let Some((_, stanza)) = waiting.first().copied() {
            let mut rows: SmallVec<[NewRow; 2]> = SmallVec::new();
            waiting.retain(|(row, other)| {
                let same = Arc::ptr_eq(stanza, other);
                if same {
                    rows.push(*row);
                }
                !same
            });
            self.backend.append(&rows, stanza)?;
        }
        Ok(())
    }

    /// `None` for an account that this record forgets after appending to it.
    fn slot(&mut self, owner: AccountId) -> Result<Option<u64>, StoreError> {
        match self.touched.get(owner) {
            Some(Owner::Known { before, .. }) => Ok(Some(before.slot)),
            Some(Owner::New { .. }) => Ok(self.backend.head(owner)?.map(|head| head.slot)),
            Some(Owner::Forgotten) | None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_owners_is_found_again_with_its_last_state() {
        let id = |n: usize| AccountId::ordinary(((n as u128) << 64).to_le_bytes());
        let state = |touched: &Touched, n| match touched.get(id(n)) {
            Some(Owner::New { after }) => Some(after.last_id),
            _ => None,
        };
        let new = |last_id| Owner::New { after: Head { slot: 0, last_id, seen_to: 0, unseen: 0 } };
        let mut touched = Touched::default();
        for n in 0..3 * FEW {
            assert_eq!(state(&touched, n), None);
            touched.set(id(n), new(1));
            touched.set(id(n / 2), new(n as u64));
            assert_eq!((touched.owners.len(), state(&touched, n / 2)), (n + 1, Some(n as u64)));
        }
        assert!((0..3 * FEW).all(|n| state(&touched, n).is_some()));
    }
}
