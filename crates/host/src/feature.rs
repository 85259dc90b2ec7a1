//! A feature is a value: what it announces, answers, configures and lets an administrator do.
//! One `FEATURE` per XEP or duty, collected in `features`; everything that is advertised derives from it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_proto::stanza::iq::IqType;

use crate::command::Command;
use crate::envelope::Envelope;
use crate::options::Setting;
use crate::refuse::Refuse;
use crate::server::Server;

/// One XEP or duty of the server.
#[derive(Debug)]
pub struct Feature {
    /// Its short name.
    pub name: &'static str,
    /// The specifications it implements.
    pub xeps: &'static [Xep],
    /// Namespaces that service discovery announces for the host.
    pub disco: &'static [&'static str],
    /// Namespaces that service discovery announces for an account.
    pub disco_account: &'static [&'static str],
    /// Requests it answers.
    pub iq: &'static [IqHandler],
    /// Options it reads.
    pub settings: &'static [Setting],
    /// What an administrator can do with it.
    pub commands: &'static [Command],
}

impl Feature {
    /// A feature that does nothing, to be filled by struct update.
    pub const NONE: Feature =
        Feature { name: "", xeps: &[], disco: &[], disco_account: &[], iq: &[], settings: &[], commands: &[] };
}

/// A specification and how far it is met.
#[derive(Debug, Clone, Copy)]
pub struct Xep {
    /// Its number.
    pub number: u16,
    /// The version that was implemented.
    pub version: &'static str,
    /// Its title.
    pub title: &'static str,
}

impl Xep {
    /// XEP `number` in the version that was read.
    pub const fn new(number: u16, version: &'static str, title: &'static str) -> Xep {
        Xep { number, version, title }
    }
}

/// Where a request must be addressed for a handler to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// The host's domain.
    Host,
    /// The sender's own account: its bare JID, or no address at all.
    OwnAccount,
}

/// How a request stands to others of its stream (RFC 6120 section 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Answered from the host's snapshot alone: waits for nothing.
    Snapshot,
    /// Reads stored data: in order with other stanzas to its address.
    Read,
    /// Changes the sender's own account: everything before it is settled first, and everything behind it waits.
    Change,
}

/// Admits one kind of request: fills the envelope's record and effects, or refuses.
pub type Handle = for<'a> fn(&'a Arc<Server>, &'a mut Envelope) -> BoxFuture<'a, Result<(), Refuse>>;

/// One row of the table of requests.
#[derive(Debug)]
pub struct IqHandler {
    /// `Get` or `Set`.
    pub kind: IqType,
    /// Where it must be addressed.
    pub at: At,
    /// Namespace of the payload.
    pub ns: &'static str,
    /// Name of the payload.
    pub name: &'static str,
    /// How it is ordered.
    pub asks: Asks,
    /// The handler.
    pub handle: Handle,
}
