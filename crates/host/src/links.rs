//! Who sends us stanzas from elsewhere: another server over a proved stream, or a component. A link is only where they come from; answers
//! go to the domain that a stanza is from, by whatever way leads there now (`remotes`), and never to the socket it came in on.

use std::net::IpAddr;
use std::sync::Arc;

use crate::tickets::Tickets;

/// One stream from elsewhere while it lives.
#[derive(Debug)]
pub struct Link {
    /// Tells it from all others of this process, for logs and commands.
    pub id: u64,
    /// What is at its other end.
    pub kind: LinkKind,
    /// The domain that proved itself first, for logs: what each stanza may say it is from is judged by the stream.
    pub domain: Box<str>,
    /// Where it connects from, or was connected to.
    pub address: IpAddr,
    /// How its stanzas are settled.
    pub tickets: Arc<Tickets>,
}

/// What is at the other end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Another server (RFC 6120).
    Server,
    /// A component (XEP-0114).
    Component,
}

impl Link {
    /// A link with this number, which no other has.
    pub fn new(id: u64, kind: LinkKind, domain: &str, address: IpAddr) -> Arc<Link> {
        Arc::new(Link { id, kind, domain: domain.into(), address, tickets: Arc::default() })
    }
}
