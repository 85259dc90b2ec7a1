//! Bookmarks of rooms in their two forms: all in one element (XEP-0048), and each in an item of its own (XEP-0402), whose id is the room.
//! What is made of the one is the other, and what no client of the old form knows (`<extensions/>` and all else) stays where it was.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::{Malformed, truth};
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Content, Tree, write};

/// Most rooms of one list.
pub const ROOMS_MAX: usize = 1000;

/// The feature that announces that private data and items are the same bookmarks (XEP-0402 section 5).
pub const COMPAT: &str = "urn:xmpp:bookmarks:1#compat";

/// The feature that announces the same of the list in one item (XEP-0402 section 5).
pub const COMPAT_PEP: &str = "urn:xmpp:bookmarks:1#compat-pep";

/// The feature that announces that private data and the list in one item are the same bookmarks (XEP-0411 section 2).
pub const CONVERSION: &str = "urn:xmpp:bookmarks-conversion:0";

/// The item with the list in its node (XEP-0048 section 3.1).
pub const LIST_ITEM: &str = "current";

/// What both forms say of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookmark {
    /// What the user calls it.
    pub name: Option<Box<str>>,
    /// Whether clients enter it when they log in.
    pub autojoin: bool,
    /// What the user is called there.
    pub nick: Option<Box<str>>,
    /// What it takes to enter.
    pub password: Option<Box<str>>,
}

/// A room as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The room: the id of its item.
    pub room: Jid,
    /// What is said of it.
    pub bookmark: Bookmark,
    /// What else is in its element, of other namespaces: bytes of elements.
    pub others: Vec<u8>,
}

/// What a new list makes of the items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Items to publish: id and payload.
    pub publish: Vec<(Box<str>, Vec<u8>)>,
    /// Ids of items to retract.
    pub retract: Vec<Box<str>>,
}

impl Bookmark {
    /// Reads `<conference/>` of either form.
    pub fn read(conference: &Child<'_>) -> Bookmark {
        let ns = conference.ns().to_owned();
        let text = |name| conference.child(&ns, name).map(|child| Box::from(&*child.text()));
        Bookmark {
            name: conference.attr("name").map(Box::from),
            autojoin: conference.attr("autojoin").and_then(|autojoin| truth(&autojoin)).unwrap_or(false),
            nick: text("nick"),
            password: text("password"),
        }
    }

    /// Appends the start tag and what is known of the content.
    fn write_known(&self, out: &mut Vec<u8>, ns: &str, room: Option<&str>) {
        out.extend_from_slice(b"<conference");
        write::attribute(out, "xmlns", ns);
        let autojoin = self.autojoin.then_some("true");
        for (name, value) in [("name", self.name.as_deref()), ("autojoin", autojoin), ("jid", room)] {
            if let Some(value) = value {
                write::attribute(out, name, value);
            }
        }
        out.push(b'>');
        for (name, value) in [("nick", &self.nick), ("password", &self.password)] {
            if let Some(value) = value {
                Tree::new(ns, name).text(value).write(out, ns);
            }
        }
    }
}

/// Appends what is in `<conference/>` and is not known here, byte by byte, unless it is of a namespace that means something else there.
fn write_others(out: &mut Vec<u8>, conference: &Child<'_>) {
    let own = conference.ns().to_owned();
    let is_other = |child: &Child<'_>| child.ns() != own || !["nick", "password"].contains(&child.name());
    let others = conference.children().filter(is_other).filter(|child| child.ns() != ns::BOOKMARKS_LEGACY);
    others.filter_map(|child| child.alone().ok()).for_each(|bytes| out.extend_from_slice(&bytes));
}

/// The rooms of a list, the first of each. What is no address is passed over; a list of too many is malformed, since what is not seen of
/// it would be lost.
pub fn rooms(storage: &Child<'_>) -> Result<Vec<Listed>, Malformed> {
    let mut rooms: Vec<Listed> = Vec::new();
    let mut seen = HashSet::new();
    for conference in storage.children().filter(|child| child.is(ns::BOOKMARKS_LEGACY, "conference")) {
        let Some(room) = conference.attr("jid").and_then(|jid| Jid::parse(&jid).ok()) else { continue };
        if seen.insert(room.clone()) {
            let mut others = Vec::new();
            write_others(&mut others, &conference);
            rooms.push(Listed { room, bookmark: Bookmark::read(&conference), others });
        }
        if rooms.len() > ROOMS_MAX {
            return Err(Malformed("a list of too many rooms"));
        }
    }
    Ok(rooms)
}

/// The list of all items, given by id and payload (XEP-0402 section 4.3.1), with what the list before it had besides rooms, such as pages.
pub fn list<'a>(items: impl IntoIterator<Item = (&'a str, &'a [u8])>, before: Option<&Child<'_>>) -> Vec<u8> {
    let mut out = b"<storage xmlns='storage:bookmarks'>".to_vec();
    for (room, payload) in items {
        let Ok(content) = Content::parse(payload) else { continue };
        let Some(conference) = content.child(ns::BOOKMARKS, "conference") else { continue };
        Bookmark::read(&conference).write_known(&mut out, ns::BOOKMARKS_LEGACY, Some(room));
        write_others(&mut out, &conference);
        out.extend_from_slice(b"</conference>");
    }
    let pages = before.into_iter().flat_map(Child::children);
    let pages = pages.filter(|child| !child.is(ns::BOOKMARKS_LEGACY, "conference"));
    pages.filter_map(|child| child.alone().ok()).for_each(|bytes| out.extend_from_slice(&bytes));
    out.extend_from_slice(b"</storage>");
    out
}

/// What a new list makes of the items there are (XEP-0402 section 4.3.2): only what has changed is published, with everything that the item
/// had besides; what is not in the list any more goes. Items that are no bookmarks stay.
pub fn changes<'a>(
    items: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    storage: &Child<'_>,
) -> Result<Changes, Malformed> {
    let listed = rooms(storage)?;
    let mut changes = Changes::default();
    let mut new: HashMap<&Jid, &Bookmark> = listed.iter().map(|listed| (&listed.room, &listed.bookmark)).collect();
    for (id, payload) in items {
        let content = Content::parse(payload).unwrap_or_default();
        let Some(conference) = content.child(ns::BOOKMARKS, "conference") else { continue };
        match Jid::parse(id).ok().and_then(|room| new.remove(&room)) {
            None => changes.retract.push(id.into()),
            Some(bookmark) if *bookmark == Bookmark::read(&conference) => {}
            Some(bookmark) => {
                let mut others = Vec::new();
                write_others(&mut others, &conference);
                changes.publish.push((id.into(), item(bookmark, &others)));
            }
        }
    }
    for Listed { room, bookmark, others } in listed.iter().filter(|listed| new.contains_key(&listed.room)) {
        changes.publish.push((room.as_str().into(), item(bookmark, others)));
    }
    Ok(changes)
}

/// The payload of the item of a room, with what there is besides.
fn item(bookmark: &Bookmark, others: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bookmark.write_known(&mut out, ns::BOOKMARKS, None);
    out.extend_from_slice(others);
    out.extend_from_slice(b"</conference>");
    out
}
