//! RFC 6121 section 2: the roster, as clients ask for it, change it and are told of it.

use super::Malformed;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::StanzaError;
use crate::stanza::error::Condition;
use crate::subscription::Subscription;
use crate::xml::{Child, Tree};

/// Longest name of a contact or a group, in bytes.
pub const TEXT_BYTES_MAX: usize = 1023;

/// Most bytes of the names of a contact and its groups together, so that a whole roster stays within bounds.
pub const ITEM_BYTES_MAX: usize = 4096;

/// Most groups of a contact.
pub const GROUPS_MAX: usize = 64;

/// What a client asks to be changed (section 2.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The contact is added, or gets this name and these groups.
    Set {
        /// Its address.
        jid: Jid,
        /// What the owner calls it; none if it says nothing or the empty text.
        name: Option<Box<str>>,
        /// Its groups, sorted.
        groups: Vec<Box<str>>,
    },
    /// The contact is removed (section 2.5).
    Remove {
        /// Its address.
        jid: Jid,
    },
}

/// One item as clients see it (section 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its address.
    pub jid: &'a Jid,
    /// What the owner calls it.
    pub name: Option<&'a str>,
    /// Its groups.
    pub groups: &'a [Box<str>],
    /// How the two stand to each other.
    pub subscription: Subscription,
}

impl Change {
    /// Reads the `<query/>` of a roster set, with the errors of section 2.3.3.
    pub fn read(query: &Child<'_>) -> Result<Change, Box<StanzaError>> {
        let mut items = query.children().filter(|child| child.is(ns::ROSTER, "item"));
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(malformed("a roster set has exactly one item"));
        };
        let jid = item.attr("jid").ok_or_else(|| malformed("a roster item has an address"))?;
        let jid = Jid::parse(&jid).map_err(|_| Box::new(StanzaError::new(Condition::JidMalformed)))?;
        if item.attr("subscription").is_some_and(|value| value == "remove") {
            return Ok(Change::Remove { jid });
        }
        let name = item.attr("name").filter(|name| !name.is_empty()).map(|name| Box::from(&*name));
        let groups = groups(&item)?;
        let texts = || name.iter().chain(&groups).map(|text| text.len());
        if texts().any(|bytes| bytes > TEXT_BYTES_MAX) || texts().sum::<usize>() > ITEM_BYTES_MAX {
            return Err(not_acceptable("a name is too long"));
        }
        Ok(Change::Set { jid, name, groups })
    }
}

fn groups(item: &Child<'_>) -> Result<Vec<Box<str>>, Box<StanzaError>> {
    let texts = item.children().filter(|child| child.is(ns::ROSTER, "group")).map(|group| group.text());
    let mut groups: Vec<Box<str>> = texts.take(GROUPS_MAX + 1).map(|text| Box::from(&*text)).collect();
    if groups.len() > GROUPS_MAX {
        return Err(not_acceptable("a contact is in too many groups"));
    }
    if groups.iter().any(|group| group.is_empty()) {
        return Err(not_acceptable("a group has a name"));
    }
    groups.sort_unstable();
    match groups.is_sorted_by(|a, b| a < b) {
        true => Ok(groups),
        false => Err(malformed("a group is named twice")),
    }
}

fn malformed(why: &'static str) -> Box<StanzaError> {
    Box::new(Malformed(why).into())
}

fn not_acceptable(why: &'static str) -> Box<StanzaError> {
    Box::new(StanzaError::new(Condition::NotAcceptable).with_text(why))
}

/// The version that the client has, if it speaks of versions at all (section 2.6); empty if it has none yet.
pub fn version(query: &Child<'_>) -> Option<String> {
    query.attr("ver").map(String::from)
}

/// A `<query/>` without items, of this version.
pub fn query(version: &str) -> Tree {
    Tree::new(ns::ROSTER, "query").attr("ver", version)
}

/// The item that tells a client of a removal (section 2.5.2).
pub fn removal(jid: &Jid) -> Tree {
    Tree::new(ns::ROSTER, "item").attr("jid", jid.as_str()).attr("subscription", "remove")
}

impl Item<'_> {
    /// The element.
    pub fn tree(&self) -> Tree {
        let Item { jid, name, groups, subscription } = self;
        let item = Tree::new(ns::ROSTER, "item")
            .attr("jid", jid.as_str())
            .attr_opt("name", *name)
            .attr("subscription", subscription.as_attr())
            .attr_opt("ask", subscription.pending_out.then_some("subscribe"))
            .attr_opt("approved", subscription.approved.then_some("true"));
        item.children(groups.iter().map(|group| Tree::new(ns::ROSTER, "group").text(group)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(items: &str) -> Result<Change, Condition> {
        let xml = format!("<query xmlns='jabber:iq:roster'>{items}</query>");
        let content = Content::parse(xml.as_bytes()).unwrap();
        let query = content.iter().next().unwrap();
        Change::read(&query).map_err(|error| error.condition)
    }

    #[test]
    fn a_set_names_one_contact_with_its_groups() {
        let jid = Jid::parse("bob@localhost").unwrap();
        let set = "<item jid='bob@localhost' name='Bob' subscription='both' ask='subscribe'>\
                   <group>Work</group><group>Friends</group><x xmlns='urn:x'/></item>";
        let groups = vec!["Friends".into(), "Work".into()];
        let expected = Change::Set { jid: jid.clone(), name: Some("Bob".into()), groups };
        assert_eq!(read(set), Ok(expected));
        let expected = Change::Set { jid: jid.clone(), name: None, groups: Vec::new() };
        assert_eq!(read("<item jid='bob@localhost' name=''/>"), Ok(expected));
        assert_eq!(read("<item jid='bob@localhost' subscription='remove'/>"), Ok(Change::Remove { jid }));
    }

    #[test]
    fn section_2_3_3_tells_what_is_wrong() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        let many: String = (0..5).map(|n| format!("<group>{n}{}</group>", "x".repeat(1000))).collect();
        let crowd: String = (0..=GROUPS_MAX).map(|n| format!("<group>{n}</group>")).collect();
        for (items, condition) in [
            (String::new(), Condition::BadRequest),
            ("<item/>".to_owned(), Condition::BadRequest),
            ("<item jid='a@b'/><item jid='c@d'/>".to_owned(), Condition::BadRequest),
            ("<item jid='a@b'><group>x</group><group>x</group></item>".to_owned(), Condition::BadRequest),
            ("<item jid='@b'/>".to_owned(), Condition::JidMalformed),
            ("<item jid='a@b'><group/></item>".to_owned(), Condition::NotAcceptable),
            (format!("<item jid='a@b' name='{long}'/>"), Condition::NotAcceptable),
            (format!("<item jid='a@b'><group>{long}</group></item>"), Condition::NotAcceptable),
            (format!("<item jid='a@b'>{many}</item>"), Condition::NotAcceptable),
            (format!("<item jid='a@b'>{crowd}</item>"), Condition::NotAcceptable),
        ] {
            assert_eq!(read(&items), Err(condition), "{items}");
        }
    }

    #[test]
    fn an_item_tells_its_state() {
        let jid = Jid::parse("bob@localhost").unwrap();
        let groups = ["Friends".into()];
        let subscription = Subscription { to: true, approved: true, ..Subscription::NONE };
        let item = Item { jid: &jid, name: Some("Bob"), groups: &groups, subscription };
        assert_eq!(
            String::from_utf8(item.tree().to_vec(ns::ROSTER)).unwrap(),
            "<item jid='bob@localhost' name='Bob' subscription='to' approved='true'><group>Friends</group></item>"
        );
        let asked = Subscription { pending_out: true, pending_in: true, ..Subscription::NONE };
        let item = Item { jid: &jid, name: None, groups: &[], subscription: asked };
        let expected = "<item jid='bob@localhost' subscription='none' ask='subscribe'/>";
        assert_eq!(String::from_utf8(item.tree().to_vec(ns::ROSTER)).unwrap(), expected);
        let content = Content::from_tree(&query("7").child(removal(&jid)));
        let query = content.iter().next().unwrap();
        assert_eq!(version(&query).as_deref(), Some("7"));
        assert_eq!(Change::read(&query), Ok(Change::Remove { jid }));
    }
}
