//! RFC 6120 section 7: resource binding.

use super::Malformed;
use crate::jid::{Jid, prepare_resource};
use crate::ns;
use crate::xml::{Child, Tree};

/// The stream feature; it must be negotiated.
pub fn feature() -> Tree {
    Tree::new(ns::BIND, "bind").child(Tree::new(ns::BIND, "required"))
}

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The resource that the client would like, prepared; without one the server makes one.
    pub resource: Option<String>,
}

impl Request {
    /// Reads `<bind/>`. An empty resource counts as none (section 7.6.2 would also allow an error).
    pub fn read(bind: &Child<'_>) -> Result<Request, Malformed> {
        let Some(resource) = bind.child(ns::BIND, "resource") else { return Ok(Request { resource: None }) };
        let text = resource.text();
        if text.is_empty() {
            return Ok(Request { resource: None });
        }
        let prepared = prepare_resource(&text).map_err(|_| Malformed("the resource is not one"))?;
        Ok(Request { resource: Some(prepared.into_owned()) })
    }

    /// The request as a client sends it.
    pub fn tree(&self) -> Tree {
        let resource = |text: &String| Tree::new(ns::BIND, "resource").text(text);
        Tree::new(ns::BIND, "bind").children(self.resource.as_ref().map(resource))
    }
}

/// The server's answer: the full JID that was bound.
pub fn result(jid: &Jid) -> Tree {
    Tree::new(ns::BIND, "bind").child(Tree::new(ns::BIND, "jid").text(jid.as_str()))
}

/// Reads the server's answer.
pub fn read_result(bind: &Child<'_>) -> Result<Jid, Malformed> {
    let jid = bind.child(ns::BIND, "jid").ok_or(Malformed("no jid"))?;
    Jid::parse(&jid.text()).map_err(|_| Malformed("the jid is not one"))
}
