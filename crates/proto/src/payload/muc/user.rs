//! `<x/>` of `muc#user`: what rooms tell of occupants, and invitations with their refusals on the way through a room.

use super::{
    Affiliation, ID_BYTES_MAX, INVITES_MAX, ITEMS_MAX, Mav, PASSWORD_BYTES_MAX, REASON_BYTES_MAX, Role, bounded_attr,
    jid_attr, nick_attr, text, text_tree, word_attr,
};
use crate::jid::Jid;
use crate::ns;
use crate::payload::Malformed;
use crate::xml::{Child, Tree};

/// Most status codes that are read of one element; there are fewer.
const STATUSES_MAX: usize = 32;

/// What a room tells, or is to pass on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserX {
    /// The version of the affiliations (XEP-0463).
    pub mav: Option<Mav>,
    /// Who it is about.
    pub items: Vec<UserItem>,
    /// The room is destroyed.
    pub destroy: Option<Destroy>,
    /// Who is invited, or by whom.
    pub invites: Vec<Invite>,
    /// Who does not come, or to whom that is said.
    pub decline: Option<Decline>,
    /// What it takes to enter, with an invitation.
    pub password: Option<Box<str>>,
    /// What happens, in the words of [`status`](super::status).
    pub statuses: Vec<u16>,
}

/// One person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserItem {
    /// What the person is to the room.
    pub affiliation: Option<Affiliation>,
    /// What the person is in the room.
    pub role: Option<Role>,
    /// The real address, for those who may see it.
    pub jid: Option<Jid>,
    /// The nickname, where it is not that of the sender: the new one of who changes it.
    pub nick: Option<Box<str>>,
    /// Who has changed something.
    pub actor: Option<Actor>,
    /// A conversation between two that goes on in the room.
    pub continued: Option<Continue>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
}

/// Who has changed something about somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The real address, for those who may see it.
    pub jid: Option<Jid>,
    /// The nickname.
    pub nick: Option<Box<str>>,
}

/// A conversation between two goes on in the room (section 7.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Continue {
    /// Which.
    pub thread: Option<Box<str>>,
}

/// An invitation through the room (section 7.8.2): `to` on the way to the room, `from` on the way from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invite {
    /// Who invites.
    pub from: Option<Jid>,
    /// Who is invited.
    pub to: Option<Jid>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
    /// A conversation between two that goes on in the room.
    pub continued: Option<Continue>,
}

/// An invitation is declined (section 7.8.2): `to` on the way to the room, `from` on the way from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decline {
    /// Who does not come.
    pub from: Option<Jid>,
    /// Who has invited.
    pub to: Option<Jid>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
}

/// The end of a room (section 10.9), as its owner asks for it and as its occupants are told.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Destroy {
    /// Where to go instead.
    pub jid: Option<Jid>,
    /// What it takes to enter there.
    pub password: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
}

impl UserX {
    /// What is told of one person.
    pub fn of(item: UserItem) -> UserX {
        UserX { items: vec![item], ..UserX::default() }
    }

    /// Says something more.
    #[must_use]
    pub fn status(mut self, code: u16) -> UserX {
        self.statuses.push(code);
        self
    }

    /// Reads `<x/>`.
    pub fn read(x: &Child<'_>) -> Result<UserX, Malformed> {
        let mut read = UserX {
            mav: x.child(ns::MUC_AFFILIATIONS, "mav").map(|mav| Mav::read(&mav)).transpose()?,
            password: text(x, ns::MUC_USER, "password", PASSWORD_BYTES_MAX)?,
            ..UserX::default()
        };
        for child in x.children().filter(|child| child.ns() == ns::MUC_USER) {
            match child.name() {
                "item" if read.items.len() == ITEMS_MAX => return Err(Malformed("too many items")),
                "item" => read.items.push(UserItem::read(&child)?),
                "invite" if read.invites.len() == INVITES_MAX => return Err(Malformed("too many invitations")),
                "invite" => read.invites.push(Invite::read(&child)?),
                "decline" if read.decline.is_some() => return Err(Malformed("more than one refusal")),
                "decline" => read.decline = Some(Decline::read(&child)?),
                "destroy" if read.destroy.is_some() => return Err(Malformed("more than one end")),
                "destroy" => read.destroy = Some(Destroy::read(&child)?),
                "status" if read.statuses.len() == STATUSES_MAX => return Err(Malformed("too many status codes")),
                "status" => read.statuses.push(status(&child)?),
                _ => {}
            }
        }
        Ok(read)
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        let code = |code: &u16| element("status").attr("code", code.to_string());
        element("x")
            .children(self.mav.as_ref().map(Mav::tree))
            .children(self.items.iter().map(UserItem::tree))
            .children(self.destroy.as_ref().map(|destroy| destroy.tree(ns::MUC_USER)))
            .children(self.invites.iter().map(Invite::tree))
            .children(self.decline.as_ref().map(Decline::tree))
            .children(text_tree(ns::MUC_USER, "password", self.password.as_deref()))
            .children(self.statuses.iter().map(code))
    }
}

/// A number of three digits.
fn status(status: &Child<'_>) -> Result<u16, Malformed> {
    let code = status.attr("code").filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()));
    let code = code.and_then(|code| code.parse().ok()).filter(|code| *code >= 100);
    code.ok_or(Malformed("a status without a code"))
}

impl UserItem {
    fn read(item: &Child<'_>) -> Result<UserItem, Malformed> {
        let actor = item.child(ns::MUC_USER, "actor");
        Ok(UserItem {
            affiliation: word_attr(item, "affiliation", Affiliation::of)?,
            role: word_attr(item, "role", Role::of)?,
            jid: jid_attr(item, "jid")?,
            nick: nick_attr(item)?,
            actor: actor
                .map(|actor| Ok(Actor { jid: jid_attr(&actor, "jid")?, nick: nick_attr(&actor)? }))
                .transpose()?,
            continued: Continue::within(item)?,
            reason: text(item, ns::MUC_USER, "reason", REASON_BYTES_MAX)?,
        })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        let actor = self.actor.as_ref().map(|actor| {
            let jid = actor.jid.as_ref().map(Jid::as_str);
            element("actor").attr_opt("jid", jid).attr_opt("nick", actor.nick.as_ref())
        });
        element("item")
            .attr_opt("affiliation", self.affiliation.map(Affiliation::as_str))
            .attr_opt("jid", self.jid.as_ref().map(Jid::as_str))
            .attr_opt("nick", self.nick.as_ref())
            .attr_opt("role", self.role.map(Role::as_str))
            .children(actor)
            .children(self.continued.as_ref().map(Continue::tree))
            .children(text_tree(ns::MUC_USER, "reason", self.reason.as_deref()))
    }
}

impl Continue {
    fn within(element: &Child<'_>) -> Result<Option<Continue>, Malformed> {
        let Some(continued) = element.child(ns::MUC_USER, "continue") else { return Ok(None) };
        Ok(Some(Continue { thread: bounded_attr(&continued, "thread", ID_BYTES_MAX)? }))
    }

    fn tree(&self) -> Tree {
        element("continue").attr_opt("thread", self.thread.as_ref())
    }
}

impl Invite {
    fn read(invite: &Child<'_>) -> Result<Invite, Malformed> {
        Ok(Invite {
            from: jid_attr(invite, "from")?,
            to: jid_attr(invite, "to")?,
            reason: text(invite, ns::MUC_USER, "reason", REASON_BYTES_MAX)?,
            continued: Continue::within(invite)?,
        })
    }

    fn tree(&self) -> Tree {
        passed_on("invite", self.from.as_ref(), self.to.as_ref(), self.reason.as_deref())
            .children(self.continued.as_ref().map(Continue::tree))
    }
}

impl Decline {
    fn read(decline: &Child<'_>) -> Result<Decline, Malformed> {
        let reason = text(decline, ns::MUC_USER, "reason", REASON_BYTES_MAX)?;
        Ok(Decline { from: jid_attr(decline, "from")?, to: jid_attr(decline, "to")?, reason })
    }

    fn tree(&self) -> Tree {
        passed_on("decline", self.from.as_ref(), self.to.as_ref(), self.reason.as_deref())
    }
}

impl Destroy {
    /// Reads it in either namespace, of owners or of occupants.
    pub(super) fn read(destroy: &Child<'_>) -> Result<Destroy, Malformed> {
        let ns = destroy.ns().to_owned();
        Ok(Destroy {
            jid: jid_attr(destroy, "jid")?,
            password: text(destroy, &ns, "password", PASSWORD_BYTES_MAX)?,
            reason: text(destroy, &ns, "reason", REASON_BYTES_MAX)?,
        })
    }

    /// The element in either namespace.
    pub(super) fn tree(&self, ns: &str) -> Tree {
        Tree::new(ns, "destroy")
            .attr_opt("jid", self.jid.as_ref().map(Jid::as_str))
            .children(text_tree(ns, "password", self.password.as_deref()))
            .children(text_tree(ns, "reason", self.reason.as_deref()))
    }
}

/// Without the password.
impl std::fmt::Debug for Destroy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destroy").field("jid", &self.jid).field("reason", &self.reason).finish_non_exhaustive()
    }
}

fn passed_on(name: &str, from: Option<&Jid>, to: Option<&Jid>, reason: Option<&str>) -> Tree {
    element(name).attr_opt("from", from.map(Jid::as_str)).attr_opt("to", to.map(Jid::as_str)).children(text_tree(
        ns::MUC_USER,
        "reason",
        reason,
    ))
}

fn element(name: &str) -> Tree {
    Tree::new(ns::MUC_USER, name)
}
