//! XEP-0199: XMPP Ping.

use crate::ns;
use crate::stanza::{IqType, Kind, Stanza};
use crate::xml::Tree;

/// The request.
pub fn request() -> Tree {
    Tree::new(ns::PING, "ping")
}

/// Whether a stanza is a request.
pub fn is_request(stanza: &Stanza) -> bool {
    stanza.kind == Kind::Iq(IqType::Get) && stanza.has(ns::PING, "ping")
}
