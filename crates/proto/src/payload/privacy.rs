//! XEP-0016: Privacy Lists: the rules of a list, as clients write them and as they are kept, and the requests about lists.

use super::Malformed;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::StanzaError;
use crate::stanza::error::Condition;
use crate::subscription::Subscription;
use crate::xml::{Child, Tree};

/// Longest name of a list or a group, in bytes.
pub const NAME_BYTES_MAX: usize = 1023;

/// One rule of a list (section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place: rules are tried from the lowest number on, and no two of a list have the same.
    pub order: u32,
    /// Who it is about.
    pub who: Who,
    /// What happens to their stanzas.
    pub action: Action,
    /// Which stanzas it is about.
    pub kinds: Kinds,
}

/// Who a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// This address; one without a resource with all of them, a domain with everybody there.
    Jid(Jid),
    /// The contacts in this group of the roster.
    Group(Box<str>),
    /// Those who stand to the account in exactly this way.
    Standing(Standing),
    /// All whom no rule before this one was about.
    Everybody,
}

/// How an address and an account stand to each other, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Both see each other's presence.
    Both,
    /// The account sees the other's presence.
    To,
    /// The other sees the account's presence.
    From,
    /// Neither; so are all who are not in the roster.
    None,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The stanza goes on.
    Allow,
    /// The stanza goes no further.
    Deny,
}

/// The stanzas that a rule is about; one that names none is about all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

/// One kind of stanza that a rule may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Messages that come.
    Message = 1,
    /// Requests and answers that come.
    Iq = 2,
    /// Presence that comes, subscriptions aside.
    PresenceIn = 4,
    /// Presence that goes, subscriptions aside.
    PresenceOut = 8,
}

const SORTS: [(Sort, &str); 4] = [
    (Sort::Message, "message"),
    (Sort::Iq, "iq"),
    (Sort::PresenceIn, "presence-in"),
    (Sort::PresenceOut, "presence-out"),
];

impl Kinds {
    /// All stanzas, in both directions.
    pub const ALL: Kinds = Kinds(0);

    /// With one more kind named.
    #[must_use]
    pub fn with(self, sort: Sort) -> Kinds {
        Kinds(self.0 | sort as u8)
    }

    /// Whether it is about all stanzas.
    pub fn is_all(self) -> bool {
        self.0 == 0
    }

    /// Whether it is about this kind.
    pub fn holds(self, sort: Sort) -> bool {
        self.is_all() || self.0 & sort as u8 != 0
    }
}

impl Standing {
    /// What a subscription is to rules: requests and approvals do not count.
    pub fn of(subscription: Subscription) -> Standing {
        match (subscription.to, subscription.from) {
            (true, true) => Standing::Both,
            (true, false) => Standing::To,
            (false, true) => Standing::From,
            (false, false) => Standing::None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Standing::Both => "both",
            Standing::To => "to",
            Standing::From => "from",
            Standing::None => "none",
        }
    }

    fn read(text: &str) -> Option<Standing> {
        [Standing::Both, Standing::To, Standing::From, Standing::None].into_iter().find(|it| it.as_str() == text)
    }
}

impl Item {
    /// Reads one `<item/>`.
    pub fn read(item: &Child<'_>) -> Result<Item, Box<StanzaError>> {
        let order = item.attr("order").and_then(|order| order.trim().parse().ok());
        let order = order.ok_or_else(|| malformed("an item has its order, a number"))?;
        let action = match item.attr("action").as_deref() {
            Some("allow") => Action::Allow,
            Some("deny") => Action::Deny,
            _ => return Err(malformed("an item allows or denies")),
        };
        let value = || item.attr("value").ok_or_else(|| malformed("an item with a type has a value"));
        let who = match item.attr("type").as_deref() {
            None => Who::Everybody,
            Some("jid") => Who::Jid(address(&value()?)?),
            Some("group") => Who::Group(name(&value()?)?),
            Some("subscription") => {
                let standing = Standing::read(&value()?);
                Who::Standing(standing.ok_or_else(|| malformed("a subscription is both, to, from or none"))?)
            }
            Some(_) => return Err(malformed("an item is about a jid, a group or a subscription")),
        };
        let mut kinds = Kinds::ALL;
        for child in item.children().filter(|child| child.ns() == ns::PRIVACY) {
            if let Some((sort, _)) = SORTS.iter().find(|(_, name)| child.name() == *name) {
                kinds = kinds.with(*sort);
            }
        }
        Ok(Item { order, who, action, kinds })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        let (kind, value) = match &self.who {
            Who::Jid(jid) => (Some("jid"), Some(jid.as_str())),
            Who::Group(group) => (Some("group"), Some(&**group)),
            Who::Standing(standing) => (Some("subscription"), Some(standing.as_str())),
            Who::Everybody => (None, None),
        };
        let action = match self.action {
            Action::Allow => "allow",
            Action::Deny => "deny",
        };
        let named = SORTS.iter().filter(|(sort, _)| !self.kinds.is_all() && self.kinds.holds(*sort));
        Tree::new(ns::PRIVACY, "item")
            .attr_opt("type", kind)
            .attr_opt("value", value)
            .attr("action", action)
            .attr("order", self.order.to_string())
            .children(named.map(|(_, name)| Tree::new(ns::PRIVACY, name)))
    }
}

/// What a client asks for (section 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Get {
    /// The names of all lists.
    Names,
    /// One list.
    List(Box<str>),
}

/// What a client asks to be changed (sections 2.4 to 2.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// Which list counts for this session; none to go by the default list.
    Active(Option<Box<str>>),
    /// Which list counts for the account; none for none.
    Default(Option<Box<str>>),
    /// A list is made, or replaced as a whole.
    List {
        /// Its name.
        name: Box<str>,
        /// Its rules in their order; at least one.
        items: Vec<Item>,
    },
    /// A list is removed.
    Remove(Box<str>),
}

impl Get {
    /// Reads the `<query/>` of a get.
    pub fn read(query: &Child<'_>) -> Result<Get, Box<StanzaError>> {
        let mut children = query.children();
        match (children.next(), children.next()) {
            (None, _) => Ok(Get::Names),
            (Some(list), None) if list.is(ns::PRIVACY, "list") => Ok(Get::List(name_of(&list)?)),
            _ => Err(malformed("one list at a time")),
        }
    }
}

impl Set {
    /// Reads the `<query/>` of a set, with at most `items_max` rules.
    pub fn read(query: &Child<'_>, items_max: usize) -> Result<Set, Box<StanzaError>> {
        let mut children = query.children();
        let (Some(what), None) = (children.next(), children.next()) else {
            return Err(malformed("one change at a time"));
        };
        let chosen = || what.attr("name").map(|text| name(&text)).transpose();
        match what.name() {
            _ if what.ns() != ns::PRIVACY => Err(malformed("this is not about lists")),
            "active" => Ok(Set::Active(chosen()?)),
            "default" => Ok(Set::Default(chosen()?)),
            "list" => {
                let (name, items) = (name_of(&what)?, items(&what, items_max)?);
                Ok(if items.is_empty() { Set::Remove(name) } else { Set::List { name, items } })
            }
            _ => Err(malformed("this is not about lists")),
        }
    }
}

/// The rules of a `<list/>` in their order. No two may have the same.
pub fn items(list: &Child<'_>, items_max: usize) -> Result<Vec<Item>, Box<StanzaError>> {
    let mut items = Vec::new();
    for child in list.children().filter(|child| child.is(ns::PRIVACY, "item")) {
        if items.len() == items_max {
            return Err(Box::new(
                StanzaError::new(Condition::ResourceConstraint).with_text("these are too many rules"),
            ));
        }
        items.push(Item::read(&child)?);
    }
    items.sort_unstable_by_key(|item| item.order);
    match items.is_sorted_by(|a, b| a.order < b.order) {
        true => Ok(items),
        false => Err(malformed("two items have the same order")),
    }
}

/// A `<list/>` with these rules.
pub fn list<'i>(name: &str, items: impl IntoIterator<Item = &'i Item>) -> Tree {
    Tree::new(ns::PRIVACY, "list").attr("name", name).children(items.into_iter().map(Item::tree))
}

/// The `<active/>` or `<default/>` that names a list.
pub fn choice(element: &str, name: &str) -> Tree {
    Tree::new(ns::PRIVACY, element).attr("name", name)
}

/// The `<query/>` around all of it.
pub fn query(inside: impl IntoIterator<Item = Tree>) -> Tree {
    Tree::new(ns::PRIVACY, "query").children(inside)
}

fn name_of(list: &Child<'_>) -> Result<Box<str>, Box<StanzaError>> {
    name(&list.attr("name").ok_or_else(|| malformed("a list has a name"))?)
}

fn name(text: &str) -> Result<Box<str>, Box<StanzaError>> {
    match text.len() {
        1..=NAME_BYTES_MAX => Ok(text.into()),
        _ => Err(malformed("a name is empty or too long")),
    }
}

/// An address that a client blocks or makes a rule about.
pub(super) fn address(text: &str) -> Result<Jid, Box<StanzaError>> {
    Jid::parse(text).map_err(|_| Box::new(StanzaError::new(Condition::JidMalformed)))
}

pub(super) fn malformed(why: &'static str) -> Box<StanzaError> {
    Box::new(Malformed(why).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn content(inside: &str) -> Content {
        Content::parse(format!("<query xmlns='jabber:iq:privacy'>{inside}</query>").as_bytes()).unwrap()
    }

    fn get(inside: &str) -> Result<Get, Condition> {
        Get::read(&content(inside).iter().next().unwrap()).map_err(|error| error.condition)
    }

    fn set(inside: &str) -> Result<Set, Condition> {
        Set::read(&content(inside).iter().next().unwrap(), 3).map_err(|error| error.condition)
    }

    #[test]
    fn a_list_is_read_in_its_order_and_written_as_it_was() {
        let item = |xml: &str| format!("<list name='a &amp; b'>{xml}</list>");
        let allow = "<item action='allow' order='4294967295'/>";
        let jid = "<item type='jid' value='tybalt@example.com' action='deny' order='3'><message/><iq/></item>";
        let group = "<item type='group' value='Enemies' action='deny' order='0'><presence-in/><presence-out/></item>";
        let Ok(Set::List { name, items }) = set(&item(&[allow, jid, group].concat())) else { panic!("a list") };
        assert_eq!(&*name, "a & b");
        assert!(items[1].kinds.holds(Sort::Message) && !items[1].kinds.holds(Sort::PresenceIn));
        assert!(items[2].kinds.is_all() && items[2].kinds.holds(Sort::PresenceOut));
        let written = String::from_utf8(list(&name, &items).to_vec(ns::PRIVACY)).unwrap();
        assert_eq!(written, item(&[group, jid, allow].concat()));
        for standing in ["both", "to", "from", "none"] {
            let xml = item(&format!("<item type='subscription' value='{standing}' action='allow' order='1'/>"));
            let Ok(Set::List { name, items }) = set(&xml) else { panic!("{xml}") };
            assert_eq!(String::from_utf8(list(&name, &items).to_vec(ns::PRIVACY)).unwrap(), xml);
        }
    }

    #[test]
    fn what_is_asked_for_and_chosen() {
        assert_eq!(get(""), Ok(Get::Names));
        assert_eq!(get("<list name='x'/>"), Ok(Get::List("x".into())));
        assert_eq!(set("<active name='x'/>"), Ok(Set::Active(Some("x".into()))));
        assert_eq!(set("<active/>"), Ok(Set::Active(None)));
        assert_eq!(set("<default name='x'/>"), Ok(Set::Default(Some("x".into()))));
        assert_eq!(set("<default/>"), Ok(Set::Default(None)));
        assert_eq!(set("<list name='x'/>"), Ok(Set::Remove("x".into())));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for wrong in ["<list/>", "<list name=''/>", "<list name='a'/><list name='b'/>", "<active name='x'/>"] {
            assert_eq!(get(wrong), Err(Condition::BadRequest), "{wrong}");
        }
        let item = |attributes: &str| format!("<list name='x'><item {attributes}/></list>");
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for (wrong, condition) in [
            (String::new(), Condition::BadRequest),
            ("<active/><default/>".to_owned(), Condition::BadRequest),
            ("<list name='a'/><list name='b'/>".to_owned(), Condition::BadRequest),
            ("<other/>".to_owned(), Condition::BadRequest),
            ("<active xmlns='urn:x'/>".to_owned(), Condition::BadRequest),
            (format!("<active name='{long}'/>"), Condition::BadRequest),
            (item("order='1'"), Condition::BadRequest),
            (item("action='ban' order='1'"), Condition::BadRequest),
            (item("action='deny'"), Condition::BadRequest),
            (item("action='deny' order='-1'"), Condition::BadRequest),
            (item("action='deny' order='4294967296'"), Condition::BadRequest),
            (item("action='deny' order='1' type='jid'"), Condition::BadRequest),
            (item("action='deny' order='1' type='jid' value='@'"), Condition::JidMalformed),
            (item("action='deny' order='1' type='subscription' value='remove'"), Condition::BadRequest),
            (item("action='deny' order='1' type='group' value=''"), Condition::BadRequest),
            (item("action='deny' order='1' type='colour' value='red'"), Condition::BadRequest),
            (
                "<list name='x'><item action='deny' order='1'/><item action='allow' order='1'/></list>".to_owned(),
                Condition::BadRequest,
            ),
            (
                format!("<list name='x'>{}</list>", "<item action='deny' order='1'/>".repeat(4)),
                Condition::ResourceConstraint,
            ),
        ] {
            assert_eq!(set(&wrong), Err(condition), "{wrong}");
        }
    }
}
