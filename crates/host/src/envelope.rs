//! A stanza on its way through admit, commit and deliver, with everything that was decided about it.

use std::sync::Arc;

use metronome_model::{AccountId, Record};
use metronome_proto::stanza::Stanza;

use crate::effect::Effects;
use crate::hosts::Host;
use crate::owners::Locked;
use crate::services::Services;
use crate::session::Session;
use crate::tickets::Ticket;

/// One admitted or still to be admitted stanza.
#[derive(Debug)]
pub struct Envelope {
    /// The rules it is handled under, from its arrival to its end.
    pub host: Arc<Host>,
    /// Which of our sessions sent it.
    pub sender: Arc<Session>,
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

/// Whom a stanza is for, as far as its address tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Not looked at yet, or refused.
    Nobody,
    /// A domain that this server serves.
    Host,
    /// The sender's own account: no `to`, or its own bare JID.
    OwnAccount,
    /// Another account of ours, or a resource of one; the id is known once its facts are.
    Account(Option<AccountId>),
    /// A domain that this server does not serve.
    Remote,
}

impl Envelope {
    /// A fresh envelope.
    pub fn new(host: Arc<Host>, sender: Arc<Session>, stanza: Stanza, ticket: Option<Ticket>) -> Box<Envelope> {
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
