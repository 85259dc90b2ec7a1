//! A feature is a value: what it announces, answers, configures and lets an administrator do.
//! One `FEATURE` per XEP or duty, collected in `features`; everything that is advertised derives from it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Child, Tree};

use crate::command::Command;
use crate::envelope::Envelope;
use crate::hosts::Host;
use crate::options::{Setting, Unfit, Values};
use crate::refuse::Refuse;
use crate::server::Server;
use crate::session::Session;

/// One XEP or duty of the server.
#[derive(Debug)]
pub struct Feature {
    /// Its short name.
    pub name: &'static str,
    /// The specifications it implements.
    pub xeps: &'static [Xep],
    /// What service discovery says that the host is, beside a server: category and type.
    pub identities: &'static [(&'static str, &'static str)],
    /// Namespaces that service discovery announces for the host.
    pub disco: &'static [&'static str],
    /// Namespaces that service discovery announces for an account.
    pub disco_account: &'static [&'static str],
    /// Whether a host has it: where not, service discovery announces nothing of it.
    pub is_on: fn(&Values) -> bool,
    /// Forms that service discovery shows for the host (XEP-0128).
    pub disco_forms: &'static [DiscoForm],
    /// What it announces on a stream.
    pub stream: &'static [StreamFeature],
    /// What a client may ask for while it binds (XEP-0386).
    pub bind2: &'static [Inline],
    /// Requests it answers.
    pub iq: &'static [IqHandler],
    /// Options it reads.
    pub settings: &'static [Setting],
    /// Finds values of its options that are of the right kind and cannot be worked with; asked before a configuration is put into
    /// force, once for each host.
    pub check: fn(&Values) -> Result<(), Unfit>,
    /// What an administrator can do with it.
    pub commands: &'static [Command],
}

impl Feature {
    /// A feature that does nothing, to be filled by struct update.
    pub const NONE: Feature = Feature {
        name: "",
        xeps: &[],
        identities: &[],
        disco: &[],
        disco_account: &[],
        is_on: |_| true,
        disco_forms: &[],
        stream: &[],
        bind2: &[],
        iq: &[],
        settings: &[],
        check: |_| Ok(()),
        commands: &[],
    };
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

/// Makes a form that service discovery shows for a host; none where there is nothing to tell.
pub type DiscoForm = fn(&Server, &Host) -> Option<DataForm>;

/// Something that a stream's features announce (RFC 6120 section 4.3.2).
#[derive(Debug)]
pub struct StreamFeature {
    /// On which streams.
    pub when: StreamState,
    /// The element; none where the host does not offer it.
    pub announce: fn(&Server, &Host) -> Option<Tree>,
}

/// Something that a client may ask for inside of its request to bind a resource (XEP-0386 section 3.2).
#[derive(Debug)]
pub struct Inline {
    /// The namespace of the element, which is also what is announced.
    pub ns: &'static str,
    /// The name of the element.
    pub name: &'static str,
    /// Gives the new session what was asked for; nobody but its client has heard of it yet. What it returns stands in the answer.
    pub ask: fn(&Arc<Server>, &Arc<Session>, &Child<'_>) -> Option<Tree>,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamState {
    /// The client has not logged in, and what it sends cannot be read on its way (or the host lets clients in without TLS).
    Secured,
    /// It has logged in and binds a resource.
    Authenticated,
}

/// Where a request must be addressed for a handler to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// The host's domain.
    Host,
    /// The sender's own account: its bare JID, or no address at all.
    OwnAccount,
    /// The bare JID of another account of ours, which exists and is active: `Envelope::destination` has its id. Whether the sender
    /// may know what it asks for is the handler's business.
    Account,
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
