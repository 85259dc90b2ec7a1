//! What a request leads to: changes that become durable together, the answer, and who is told of it. Nothing of it has happened yet.

use metronome_model::NodeChange;
use metronome_proto::jid::Jid;

use crate::audience::Subscribers;
use crate::config::NotificationType;

/// The outcome of a request that is granted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What changes, by the name of the node: one record, all or nothing, in this order.
    pub changes: Vec<(Box<str>, NodeChange)>,
    /// The content of the answer, as XML; may be empty.
    pub reply: Vec<u8>,
    /// Who is told, once it is durable, in this order.
    pub notifications: Vec<Notification>,
}

/// A message to some, with the same content for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// The content of the message, as XML: the same bytes for everybody. What is for one recipient alone comes behind
    /// ([`Recipient::tail`](crate::Recipient::tail)).
    pub content: Vec<u8>,
    /// Its type.
    pub style: NotificationType,
    /// Who gets it.
    pub to: Audience,
}

/// Who gets a notification.
#[derive(Clone, Debug, PartialEq)]
pub enum Audience {
    /// Whoever has a subscription, and may read, and wants this.
    Subscribers(Subscribers),
    /// These addresses, whatever they may read: what is said concerns them.
    These(Vec<Jid>),
}

impl Decision {
    /// An answer and nothing else.
    pub(crate) fn answer(reply: Vec<u8>) -> Decision {
        Decision { reply, ..Decision::default() }
    }

    pub(crate) fn change(&mut self, node: &str, change: NodeChange) {
        self.changes.push((node.into(), change));
    }

    pub(crate) fn notify(&mut self, notification: Option<Notification>) {
        self.notifications.extend(notification);
    }

    /// The names of the nodes that change, in order, each once: those whose locks are held while it is decided and committed.
    pub fn nodes(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.changes.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What its notifications cost at most, in bytes: the sender of the request is charged for it.
    pub fn weight(&self) -> u64 {
        let weight = |sent: &Notification| sent.to.len_max() as u64 * (sent.content.len() as u64 + 200);
        self.notifications.iter().map(weight).sum()
    }
}

impl Notification {
    /// What only these are told.
    pub(crate) fn to_these(to: Vec<Jid>, content: Vec<u8>) -> Option<Notification> {
        if to.is_empty() {
            return None;
        }
        Some(Notification { content, style: NotificationType::Normal, to: Audience::These(to) })
    }
}

impl Audience {
    /// So many messages at most, not counting those whom presence subscribes.
    pub fn len_max(&self) -> usize {
        match self {
            Audience::Subscribers(subscribers) => subscribers.len_max(),
            Audience::These(jids) => jids.len(),
        }
    }
}
