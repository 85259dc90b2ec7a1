//! What happens once a record is durable: a closed list, run by `route/deliver.rs` and nowhere else.

use std::sync::Arc;

use metronome_model::{AccountId, Contact};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::{Name, Stanza};
use metronome_proto::stream::error::Condition;

use crate::blocking::{Blocking, Rules};
use crate::bytestreams::Ready;
use crate::nodes::Changed;
use crate::notify::Notify;
use crate::outbox::Frame;
use crate::session::{Carbons, Lock, Session};
use crate::way::Outlet;

/// What happens, in order.
pub type Effects = Vec<Effect>;

/// One visible consequence of an admitted stanza or of a command. Those of one record run in their order.
#[derive(Debug)]
pub enum Effect {
    /// An answer to the session that sent the stanza; not for commands.
    Reply(Stanza),
    /// A stanza of this kind written for one session.
    Write(Arc<Session>, Name, Frame),
    /// Whether the session that sent the stanza gets copies from now on (XEP-0280); not for commands.
    Carbons(Carbons),
    /// A row of a roster has changed: what is in memory of it follows before any effect of the same record runs, and in its turn
    /// sessions that have asked for the roster are told if they can see it (RFC 6121 section 2.1.6).
    Contact {
        /// Whose roster.
        owner: AccountId,
        /// The row as it is now.
        contact: Arc<Contact>,
        /// Whether clients are told.
        push: Push,
    },
    /// A stanza for every available session of an account, such as a request for a subscription (section 3.1.3).
    ToAvailable(AccountId, Stanza),
    /// A stanza for every session of an account that is available or has asked for the roster, such as the answer to a request
    /// (section 3.1.6).
    ToInterested(AccountId, Stanza),
    /// Each available session of the first account is shown to the second one (section 3.1.6).
    Show {
        /// Who is shown.
        of: AccountId,
        /// To whom.
        to: AccountId,
    },
    /// The sessions of the first account are not there any more for the second one (sections 3.2.2 and 3.3.3).
    Hide {
        /// Who is hidden.
        of: AccountId,
        /// From whom.
        to: AccountId,
    },
    /// Each available session of an account is shown to somebody on another server.
    ShowTo {
        /// Who is shown.
        of: AccountId,
        /// To whom, a bare address.
        to: Jid,
    },
    /// A roster lets a contact see more than it did: what nodes have for it is told to it (XEP-0060 section 12.2).
    Admitted {
        /// Whose roster.
        of: AccountId,
        /// The row as it was before.
        before: Arc<Contact>,
    },
    /// The sessions of an account are not there any more for somebody on another server.
    HideFrom {
        /// Who is hidden.
        of: AccountId,
        /// From whom, a bare address.
        from: Jid,
    },
    /// A stanza that the record stores for another server or a component. It joins the queue of that one in the order of the commits, before
    /// any other effect of its batch runs.
    Outgoing {
        /// Where its id stands among those of the outcome.
        place: usize,
        /// When it was stored, Unix time in milliseconds.
        at_ms: u64,
        /// The stanza.
        stanza: Arc<Stanza>,
        /// Whose queue it joins.
        outlet: Outlet,
    },
    /// What a node tells to many.
    Notify(Box<Notify>),
    /// Nodes have changed: what is in memory of them follows.
    Nodes(Box<Changed>),
    /// The account's row has changed: nothing that was known of it counts any more.
    Forget(Jid),
    /// The account with this bare address is no more: what it was to rooms it is no longer, whoever has the address next, and its files
    /// go with it.
    Removed(AccountId, Jid),
    /// The privacy lists of an account are these now: what is known of it follows, each of its sessions goes by the list that
    /// counts for it, and those who may see it, or may not any more, are told.
    Blocking {
        /// Whose lists.
        owner: AccountId,
        /// The owner's bare address.
        jid: Jid,
        /// All lists.
        blocking: Arc<Blocking>,
    },
    /// A session goes by this list now, or by none.
    Rules(Arc<Session>, Option<Arc<Rules>>),
    /// Whether the sessions of an account may speak to others than the host and themselves.
    Lock(AccountId, Lock),
    /// The bytes of a stream flow.
    Begin(Box<Ready>),
    /// Ends all sessions of an account with this stream error.
    Disconnect(AccountId, Condition, &'static str),
    /// Ends all other sessions of this session's account with this stream error.
    DisconnectOthers(Arc<Session>, Condition, &'static str),
}

/// Whether clients hear of a change of a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// An item that they see has changed.
    Item,
    /// An item that they saw is gone.
    Removal,
    /// What has changed is not visible to them.
    Nothing,
}
