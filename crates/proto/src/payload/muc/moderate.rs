//! XEP-0425: Moderated Message Retraction: a moderator takes back what somebody else has said. The older form, which clients still use,
//! wraps the same in the element of XEP-0422.

use super::{ID_BYTES_MAX, REASON_BYTES_MAX, bounded_attr, occupant_id_tree, text, text_tree};
use crate::jid::Jid;
use crate::ns;
use crate::payload::Malformed;
use crate::payload::delay::format_time;
use crate::xml::{Child, Tree};

/// In which of the two forms something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModerationForm {
    /// `urn:xmpp:message-moderate:1`.
    Current,
    /// `urn:xmpp:message-moderate:0`.
    Older,
}

/// What a moderator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moderate {
    /// The id that the room gave the message (XEP-0359).
    pub id: Box<str>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
    /// How it was asked.
    pub form: ModerationForm,
}

/// What occupants are told of it, and what stands in the place of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moderation {
    /// The id that the room gave the message.
    pub id: Box<str>,
    /// The moderator, by the address within the room.
    pub by: Option<Jid>,
    /// The moderator's occupant identifier.
    pub occupant_id: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
}

impl Moderate {
    /// Whether the child of an iq is one of the two forms.
    pub fn is(child: &Child<'_>) -> bool {
        child.is(ns::MODERATE, "moderate")
            || (child.is(ns::FASTEN, "apply-to") && child.child(ns::MODERATE_0, "moderate").is_some())
    }

    /// Reads the child of an iq-set. What is asked for must be a retraction: there is nothing else.
    pub fn read(child: &Child<'_>) -> Result<Moderate, Malformed> {
        let id = bounded_attr(child, "id", ID_BYTES_MAX)?.ok_or(Malformed("a moderation of no message"))?;
        if child.is(ns::MODERATE, "moderate") {
            let reason = retraction(child, ns::RETRACT)?;
            return Ok(Moderate { id, reason, form: ModerationForm::Current });
        }
        let moderate = child.child(ns::MODERATE_0, "moderate").filter(|_| child.is(ns::FASTEN, "apply-to"));
        let moderate = moderate.ok_or(Malformed("a moderation that is none"))?;
        let reason = retraction(&moderate, ns::RETRACT_0)?;
        Ok(Moderate { id, reason, form: ModerationForm::Older })
    }

    /// The element, as a client writes it.
    pub fn tree(&self) -> Tree {
        let inside = |ns: &str, retract: &str| {
            let reason = text_tree(ns, "reason", self.reason.as_deref());
            Tree::new(ns, "moderate").child(Tree::new(retract, "retract")).children(reason)
        };
        match self.form {
            ModerationForm::Current => inside(ns::MODERATE, ns::RETRACT).attr("id", &self.id),
            ModerationForm::Older => apply_to(&self.id).child(inside(ns::MODERATE_0, ns::RETRACT_0)),
        }
    }
}

/// Gives the reason.
fn retraction(moderate: &Child<'_>, retract: &str) -> Result<Option<Box<str>>, Malformed> {
    if moderate.child(retract, "retract").is_none() {
        return Err(Malformed("a moderation without a retraction"));
    }
    text(moderate, moderate.ns(), "reason", REASON_BYTES_MAX)
}

impl Moderation {
    /// What stands in the message to all occupants; both forms may stand there beside each other.
    pub fn told(&self, form: ModerationForm) -> Tree {
        match form {
            ModerationForm::Current => Tree::new(ns::RETRACT, "retract")
                .attr("id", &self.id)
                .child(self.moderated(ns::MODERATE))
                .children(text_tree(ns::RETRACT, "reason", self.reason.as_deref())),
            ModerationForm::Older => {
                let moderated = Tree::new(ns::MODERATE_0, "moderated")
                    .attr_opt("by", self.by.as_ref().map(Jid::as_str))
                    .child(Tree::new(ns::RETRACT_0, "retract"))
                    .children(self.occupant_id.as_deref().map(occupant_id_tree))
                    .children(text_tree(ns::MODERATE_0, "reason", self.reason.as_deref()));
                apply_to(&self.id).child(moderated)
            }
        }
    }

    /// What stands in the archive in the place of what was said; `at_ms` is when it was taken back (Unix, milliseconds). The occupant
    /// identifier of who said it goes beside it.
    pub fn tombstone(&self, form: ModerationForm, at_ms: u64) -> Tree {
        let stamp = format_time(i64::try_from(at_ms).unwrap_or(i64::MAX));
        match form {
            ModerationForm::Current => Tree::new(ns::RETRACT, "retracted")
                .attr("stamp", stamp)
                .child(self.moderated(ns::MODERATE))
                .children(text_tree(ns::RETRACT, "reason", self.reason.as_deref())),
            ModerationForm::Older => self
                .moderated(ns::MODERATE_0)
                .child(Tree::new(ns::RETRACT_0, "retracted").attr("stamp", stamp))
                .children(text_tree(ns::MODERATE_0, "reason", self.reason.as_deref())),
        }
    }

    fn moderated(&self, ns: &str) -> Tree {
        Tree::new(ns, "moderated")
            .attr_opt("by", self.by.as_ref().map(Jid::as_str))
            .children(self.occupant_id.as_deref().map(occupant_id_tree))
    }
}

fn apply_to(id: &str) -> Tree {
    Tree::new(ns::FASTEN, "apply-to").attr("id", id)
}
