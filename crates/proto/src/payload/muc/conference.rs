//! XEP-0249: Direct MUC Invitations: who invites writes to who is invited, and the room knows nothing of it.

use super::{Continue, ID_BYTES_MAX, PASSWORD_BYTES_MAX, REASON_BYTES_MAX, bounded_attr, jid_attr};
use crate::jid::Jid;
use crate::ns;
use crate::payload::{Malformed, truth};
use crate::xml::{Child, Tree};

/// `<x/>` in a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Conference {
    /// The room.
    pub jid: Jid,
    /// What it takes to enter.
    pub password: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
    /// A conversation between two that goes on in the room.
    pub continued: Option<Continue>,
}

impl Conference {
    /// Reads the element. A thread of a conversation that does not go on is passed over.
    pub fn read(x: &Child<'_>) -> Result<Conference, Malformed> {
        let continued = match x.attr("continue") {
            Some(continued) => truth(&continued).ok_or(Malformed("a truth value that is none"))?,
            None => false,
        };
        let thread = bounded_attr(x, "thread", ID_BYTES_MAX)?;
        Ok(Conference {
            jid: jid_attr(x, "jid")?.ok_or(Malformed("an invitation to nowhere"))?,
            password: bounded_attr(x, "password", PASSWORD_BYTES_MAX)?,
            reason: bounded_attr(x, "reason", REASON_BYTES_MAX)?,
            continued: continued.then_some(Continue { thread }),
        })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        let continued = self.continued.as_ref();
        Tree::new(ns::CONFERENCE, "x")
            .attr_opt("continue", continued.map(|_| "true"))
            .attr("jid", self.jid.as_str())
            .attr_opt("password", self.password.as_ref())
            .attr_opt("reason", self.reason.as_ref())
            .attr_opt("thread", continued.and_then(|continued| continued.thread.as_ref()))
    }
}

/// Without the password.
impl std::fmt::Debug for Conference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conference").field("jid", &self.jid).field("reason", &self.reason).finish_non_exhaustive()
    }
}
