//! `<query/>` of `muc#admin`: lists of people by affiliation or role, and changes of either (sections 8 and 9).

use super::{Affiliation, ITEMS_MAX, REASON_BYTES_MAX, Role, jid_attr, nick_attr, text, text_tree, word_attr};
use crate::jid::Jid;
use crate::ns;
use crate::payload::Malformed;
use crate::stanza::iq::IqType;
use crate::xml::{Child, Tree};

/// Most lists that one request asks for: one for each affiliation and role.
const LISTS_MAX: usize = Affiliation::ALL.len() + Role::ALL.len();

/// A request about the people of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminRequest {
    /// Who there is.
    List(Vec<Listing>),
    /// What somebody is from now on: each item has an affiliation or a role and not both, and a bare address or a nickname or both. All
    /// changes happen, or none does.
    Set(Vec<Item>),
}

/// Which people are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// All with this affiliation.
    Affiliation(Affiliation),
    /// All occupants with this role.
    Role(Role),
}

/// One person, in a change or in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// What the person is to the room, or becomes.
    pub affiliation: Option<Affiliation>,
    /// What the person is in the room, or becomes.
    pub role: Option<Role>,
    /// The address; in a list that of an occupant may be full.
    pub jid: Option<Jid>,
    /// The nickname; beside an address and an affiliation the one that is reserved, and an empty one reserves none.
    pub nick: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
}

impl AdminRequest {
    /// Reads `<query/>` of an iq-get or an iq-set.
    pub fn read(kind: IqType, query: &Child<'_>) -> Result<AdminRequest, Malformed> {
        let items = query.children().filter(|child| child.is(ns::MUC_ADMIN, "item"));
        match kind {
            IqType::Get => all(items, LISTS_MAX, Listing::read).map(AdminRequest::List),
            IqType::Set => all(items, ITEMS_MAX, Item::read_change).map(AdminRequest::Set),
            _ => Err(Malformed("neither a question nor a change")),
        }
    }

    /// Whether it is an iq-get or an iq-set.
    pub fn kind(&self) -> IqType {
        match self {
            AdminRequest::List(_) => IqType::Get,
            AdminRequest::Set(_) => IqType::Set,
        }
    }

    /// The element, as a client writes it.
    pub fn tree(&self) -> Tree {
        match self {
            AdminRequest::List(lists) => element("query").children(lists.iter().map(|list| list.item().tree())),
            AdminRequest::Set(items) => list_tree(items),
        }
    }
}

/// `<query/>` with these people: the answer to [`AdminRequest::List`].
pub fn list_tree<'a>(items: impl IntoIterator<Item = &'a Item>) -> Tree {
    element("query").children(items.into_iter().map(Item::tree))
}

/// At least one, at most so many.
fn all<'a, T>(
    items: impl Iterator<Item = Child<'a>>,
    count_max: usize,
    read: impl Fn(&Child<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut all = Vec::new();
    for item in items {
        if all.len() == count_max {
            return Err(Malformed("too many items"));
        }
        all.push(read(&item)?);
    }
    if all.is_empty() { Err(Malformed("a request about nobody")) } else { Ok(all) }
}

impl Listing {
    /// The affiliation or the role of an item: one of them, and not both.
    fn read(item: &Child<'_>) -> Result<Listing, Malformed> {
        match (word_attr(item, "affiliation", Affiliation::of)?, word_attr(item, "role", Role::of)?) {
            (Some(affiliation), None) => Ok(Listing::Affiliation(affiliation)),
            (None, Some(role)) => Ok(Listing::Role(role)),
            _ => Err(Malformed("an item with neither affiliation nor role, or with both")),
        }
    }

    fn item(self) -> Item {
        match self {
            Listing::Affiliation(affiliation) => Item { affiliation: Some(affiliation), ..Item::default() },
            Listing::Role(role) => Item { role: Some(role), ..Item::default() },
        }
    }
}

impl Item {
    fn read_change(item: &Child<'_>) -> Result<Item, Malformed> {
        let (jid, nick) = (jid_attr(item, "jid")?, nick_attr(item)?);
        // An empty nickname says something only of an address.
        let unsets = jid.is_some() && item.attr("nick").is_some_and(|nick| nick.is_empty());
        if jid.is_none() && nick.is_none() {
            return Err(Malformed("a change of nobody"));
        }
        Ok(Item {
            jid: jid.map(|jid| jid.bare()),
            nick: if unsets { Some(Box::default()) } else { nick },
            reason: text(item, ns::MUC_ADMIN, "reason", REASON_BYTES_MAX)?,
            ..Listing::read(item)?.item()
        })
    }

    fn tree(&self) -> Tree {
        element("item")
            .attr_opt("affiliation", self.affiliation.map(Affiliation::as_str))
            .attr_opt("jid", self.jid.as_ref().map(Jid::as_str))
            .attr_opt("nick", self.nick.as_ref())
            .attr_opt("role", self.role.map(Role::as_str))
            .children(text_tree(ns::MUC_ADMIN, "reason", self.reason.as_deref()))
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::MUC_ADMIN, name)
}
