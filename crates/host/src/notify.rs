//! What a node tells to many (XEP-0060 section 7.1.2): the same content for all of them. Whoever decides what is published says who they
//! are; `route::notify` finds their clients once it is durable, and what somebody may see is asked again then.

use std::fmt::Debug;

use bytes::Bytes;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::presence::Show;

use crate::server::Server;

/// A message of a node on its way to everybody who is told.
#[derive(Debug)]
pub struct Notify {
    /// Whose node it is: a person's account, or a domain's own.
    pub owner: AccountId,
    /// Where it comes from: the bare address of the account, or the domain.
    pub from: Jid,
    /// Headlines are for whoever is there, others are kept like messages of people.
    pub kind: MessageType,
    /// The id of the message.
    pub id: Box<str>,
    /// What is in it, as XML.
    pub content: Bytes,
    /// Who published, for those who see the owner's presence (XEP-0163 section 4.3.1); none is said.
    pub reply_to: Option<Jid>,
    /// Who is told.
    pub audience: Box<dyn Audience>,
}

/// Who is told of something that happened to a node, as far as rosters and leases let them at the moment of the question.
pub trait Audience: Debug + Send + Sync {
    /// Tells those who have asked for it by a subscription, each address once.
    fn each(&self, server: &Server, tell: &mut dyn FnMut(&Told<'_>));

    /// How many that may be.
    fn len_max(&self) -> usize;

    /// The node by whose name clients ask for it in their capabilities; none if only subscriptions count (XEP-0163 section 4.2).
    fn node(&self) -> Option<&str>;

    /// Whether somebody who asks for it like that may have it.
    fn may_read(&self, server: &Server, who: &Jid) -> bool;

    /// Contacts of the owner whose clients may ask for it, while the owner is not online; nobody asks otherwise.
    fn contacts(&self) -> &[Jid] {
        &[]
    }
}

/// Somebody who has a subscription.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The address that is subscribed, bare or full.
    pub jid: &'a Jid,
    /// What is for this recipient alone, as XML; it stands before the content.
    pub extra: &'a [u8],
    /// What is said to people; then it is nothing that could wait.
    pub says: Says,
    /// When it is told.
    pub when: When<'a>,
}

/// Whether there is something to read for people in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// There is.
    Words,
    /// It is for the client.
    Nothing,
}

/// When a subscriber is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When<'a> {
    /// In any case.
    Always,
    /// Only while they are available.
    Available,
    /// Only by a client that shows one of these.
    Shows(&'a [Show]),
}
