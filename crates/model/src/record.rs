//! What must become durable together: a record is a list of changes that happen all or not at all.
//! Filled while a stanza is admitted, applied by the store's writer.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{
    Account, AccountId, AccountState, Contact, Direction, Document, Handled, Keep, LastSeen, NodeChange, Noted,
    Resumable, Role, RoomChange, RoomRedirect, StoredHost, StoredKeys, StreamNumber,
};
use metronome_proto::stanza::Stanza;

/// The changes of one record, in order. All become durable in one commit, or none does.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The changes. A message between two local accounts has two: one row for each side.
    pub ops: SmallVec<[Op; 2]>,
    /// Which stanzas of a client are handled with it; nothing happens if their stream is not stored any more.
    pub handled: Option<Handled>,
}

impl Record {
    /// A record with one change.
    pub fn of(op: Op) -> Record {
        let mut record = Record::default();
        record.push(op);
        record
    }

    /// Adds a change behind the others.
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Adds a stanza that waits for another server, and says where its id stands among those of the outcome.
    pub fn enqueue(&mut self, at_ms: u64, stanza: Arc<Stanza>) -> usize {
        let place = self.ops.iter().filter(|op| matches!(op, Op::Append { .. } | Op::Enqueue { .. })).count();
        self.push(Op::Enqueue { at_ms, stanza });
        place
    }

    /// About how many bytes it takes beyond what any record does, with what follows from it: nothing for the usual one or two
    /// changes, and a round sum for each further one.
    pub fn extra_bytes(&self) -> usize {
        const OP_BYTES: usize = 1024;
        self.ops.len().saturating_sub(2) * OP_BYTES
    }

    /// Whether there is nothing to make durable; such a record need not see the writer.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.handled.is_none()
    }
}

/// One change. Unless said otherwise an account that does not exist makes the whole record
/// [`Gone`](crate::Outcome::Gone).
#[derive(Clone, Debug)]
pub enum Op {
    /// A new account with its keys. [`Conflict`](crate::Outcome::Conflict) if its name or id is in use.
    AddAccount {
        /// The account; its id must be random and new.
        account: Box<Account>,
        /// At most one set per hash function.
        keys: Vec<StoredKeys>,
    },
    /// Replaces all keys of an account and raises its `auth_epoch`.
    SetKeys {
        /// The account.
        id: AccountId,
        /// At most one set per hash function; none at all means that nobody can log in with a password.
        keys: Vec<StoredKeys>,
    },
    /// Adds keys for a hash function that the account has none for; those that it has stay, and so does its `auth_epoch`.
    AddKeys {
        /// The account.
        id: AccountId,
        /// Of the same password: whoever submits it holds the owner's lock and has seen that it is still that one.
        keys: Box<StoredKeys>,
    },
    /// Gives an account another role.
    SetRole {
        /// The account.
        id: AccountId,
        /// Its new role.
        role: Role,
    },
    /// Gives an account another state; one that becomes disabled has its `auth_epoch` raised.
    SetState {
        /// The account.
        id: AccountId,
        /// Its new state.
        state: AccountState,
    },
    /// Removes an account. With the commit it does not exist any more and its name is free; its rows are removed in
    /// pieces afterwards, also after a restart.
    ForgetAccount {
        /// The account.
        id: AccountId,
    },
    /// A new row at the end of an archive; its id is the owner's last id plus one.
    /// [`Full`](crate::Outcome::Full) if it is unseen and the owner has too many unseen rows already.
    Append {
        /// Whose archive.
        owner: AccountId,
        /// When, Unix time in milliseconds.
        at_ms: u64,
        /// Sent or received by the owner.
        direction: Direction,
        /// How long the row stays.
        keep: Keep,
        /// Whether a client of the owner still has to prove receipt.
        unseen: bool,
        /// The message. Rows of one record that share one `Arc` share its bytes on disk.
        stanza: Arc<Stanza>,
    },
    /// A client of the owner has proved receipt: the rows are not unseen any more, and those kept only until then are
    /// removed. Ids that do not exist are passed over, so saying it twice does no harm.
    Seen {
        /// Whose archive.
        owner: AccountId,
        /// Ranges of ids, both ends included.
        ids: Vec<(u64, u64)>,
    },
    /// Puts another stanza into a row of an archive, which keeps its id, its time and its place; nothing if there is no such row.
    Replace {
        /// Whose archive.
        owner: AccountId,
        /// Which row.
        id: u64,
        /// What stands there from now on.
        stanza: Arc<Stanza>,
    },
    /// Removes rows of an archive for good, but for those that are unseen; their ids are not used again. The caller keeps the number of
    /// rows in one record small.
    Remove {
        /// Whose archive.
        owner: AccountId,
        /// Ranges of ids, both ends included.
        ids: Vec<(u64, u64)>,
    },
    /// Sets a row of a roster, or removes it if nothing is left of the contact ([`Contact::is_nothing`]). Its version becomes the
    /// roster's; whoever submits it holds the owner's lock, so that versions only grow.
    SetContact {
        /// Whose roster.
        owner: AccountId,
        /// The row.
        contact: Box<Contact>,
    },
    /// Sets a document, or removes it if it is empty.
    SetDocument {
        /// Whose document.
        owner: AccountId,
        /// The document.
        document: Box<Document>,
    },
    /// Notes when an account was last there.
    SetLastSeen {
        /// Which account.
        owner: AccountId,
        /// When, and what it said.
        last: Box<LastSeen>,
    },
    /// Notes a domain that was added, or switched off or on; needs no account.
    SetHost {
        /// The domain.
        host: Box<StoredHost>,
    },
    /// Forgets what was noted of a domain; its accounts stay.
    ForgetHost {
        /// Its name.
        name: Box<str>,
    },
    /// Stores a stream that its client may resume, without what is handled of it.
    SetResumable {
        /// The stream.
        stream: Box<Resumable>,
    },
    /// Notes what a stored stream has become; nothing happens if it is not stored any more. Needs no account.
    NoteResumable {
        /// Which.
        number: StreamNumber,
        /// What it has become.
        noted: Box<Noted>,
    },
    /// Forgets a stream; needs no account.
    ForgetResumable {
        /// Which.
        number: StreamNumber,
    },
    /// A stanza that waits for another server, told by its `to`, behind all others; its id is one higher than the last. Needs no account: what
    /// was promised goes out even if its sender is gone.
    Enqueue {
        /// When, Unix time in milliseconds.
        at_ms: u64,
        /// The stanza, with both addresses.
        stanza: Arc<Stanza>,
    },
    /// The stanzas that wait between two domains are done with, up to this one.
    Dequeue {
        /// Our domain.
        local: Box<str>,
        /// The other.
        remote: Box<str>,
        /// The last id.
        to: u64,
    },
    /// Changes a node; changes of one record happen in their order.
    Node {
        /// Whose node.
        owner: AccountId,
        /// Its name.
        name: Box<str>,
        /// The change.
        change: Box<NodeChange>,
    },
    /// Changes a room; changes of one record happen in their order.
    Room {
        /// The room's account.
        owner: AccountId,
        /// The change.
        change: Box<RoomChange>,
    },
    /// Notes that a room was destroyed, in the place of what was noted of its address before; needs no account.
    SetRedirect {
        /// The room, and where to go instead.
        redirect: Box<RoomRedirect>,
    },
    /// Forgets what was noted of rooms that were destroyed; needs no account.
    ForgetRedirect {
        /// The domain of their service.
        host: Box<str>,
        /// The local part of the address of one room; without it all of the service are meant.
        name: Option<Box<str>>,
    },
    /// A value of the server itself, such as the secret behind the salts of unknown users. Replaces an earlier one.
    SetMeta {
        /// Its name, in our own code; never taken from input.
        key: &'static str,
        /// Its bytes.
        value: Box<[u8]>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_small_because_every_waiting_message_has_one() {
        assert!(size_of::<Op>() <= 48, "{}", size_of::<Op>());
        assert!(size_of::<Record>() <= 136, "{}", size_of::<Record>());
    }
}
