//! A stanza on its way through admit, commit and deliver, with everything that was decided about it.

use std::sync::Arc;

use metronome_model::{AccountId, Record};
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::error::Condition;

use crate::effect::Effects;
use crate::hosts::Host;
use crate::links::Link;
use crate::owners::Locked;
use crate::refuse::Refuse;
use crate::services::Services;
use crate::session::Session;
use crate::tickets::Ticket;

/// One admitted or still to be admitted stanza.
#[derive(Debug)]
pub struct Envelope {
    /// The rules it is handled under, from its arrival to its end.
    pub host: Arc<Host>,
    /// Where it has come in.
    pub sender: Sender,
    /// The stanza, with the `from` that the server gave it.
    pub stanza: Arc<Stanza>,
    /// Whom it is for.
    pub destination: Destination,
    /// What must be durable before anyone sees it.
    pub record: Record,
    /// Where in the record the sender's row stands; none if the message is not stored for them.
    pub sent_row: Option<usize>,
    /// Where in the record the recipient's row stands; none if the message is not stored for them.
    pub received_row: Option<usize>,
    /// Who is told if the recipient does not see it (XEP-0357); none for most accounts.
    pub services: Option<Arc<Services>>,
    /// What happens besides delivery.
    pub effects: Effects,
    /// The locks under which it was decided; held until it is delivered.
    pub locked: Option<Locked>,
    /// Settles the stanza on its stream when the envelope is dropped.
    pub ticket: Option<Ticket>,
}

/// Where a stanza has come in.
#[derive(Debug, Clone)]
pub enum Sender {
    /// One of our sessions sent it.
    Session(Arc<Session>),
    /// It has come from another server or a component, which may say that it is from this address.
    Link(Arc<Link>),
}

impl Sender {
    /// The session that sent it. What only an account of ours may ask is refused to others with `forbidden`.
    pub fn session(&self) -> Result<&Arc<Session>, Refuse> {
        self.as_session().ok_or_else(|| Condition::Forbidden.into())
    }

    /// The session that sent it, if it was one.
    pub fn as_session(&self) -> Option<&Arc<Session>> {
        match self {
            Sender::Session(session) => Some(session),
            Sender::Link(_) => None,
        }
    }
}

/// Whom a stanza is for, as far as its address tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Not looked at yet, or refused.
    Nobody,
    /// A domain that this server serves.
    Host,
    /// A service of such a domain, or an address at one; or nodes of this account, wherever they were asked for.
    Service(Option<AccountId>),
    /// The sender's own account: no `to`, or its own bare JID.
    OwnAccount,
    /// An account of ours, or a resource of one, that is not the sender's; the id is known once its facts are.
    Account(Option<AccountId>),
    /// A room of a service, or one of its occupants.
    Room,
    /// A domain of another server, or of a component.
    Remote,
    /// A domain of this server that is not served now: nothing for it goes anywhere.
    Unserved,
}

impl Envelope {
    /// A fresh envelope.
    pub fn new(host: Arc<Host>, sender: Sender, stanza: Stanza, ticket: Option<Ticket>) -> Box<Envelope> {
        Box::new(Envelope {
            host,
            sender,
            stanza: Arc::new(stanza),
            destination: Destination::Nobody,
            record: Record::default(),
            sent_row: None,
            received_row: None,
            services: None,
            effects: Effects::new(),
            locked: None,
            ticket,
        })
    }

    /// Bytes that it pins while it waits for its commit: the stanza and a round sum for the rest, or more for a large record.
    pub fn weight(&self) -> usize {
        self.stanza.content.len_bytes() + 512 + self.record.extra_bytes()
    }
}
