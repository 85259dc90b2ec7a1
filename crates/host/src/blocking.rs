//! Whom an account lets write to it and see it: privacy lists (XEP-0016), of which the blocklist (XEP-0191) is a part: the addresses
//! that the default list denies everything. Plain values, read from the account's documents and asked for every stanza.

use std::cell::LazyCell;
use std::sync::{Arc, LazyLock};

use metronome_model::{Document, Drawer};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::privacy::{self, Action, Item, Kinds, Sort, Standing, Who};
use metronome_proto::xml::Content;

/// The key of the document that names the default list; lists are under [`ns::PRIVACY`] and their own names.
const DEFAULT: (&str, &str) = ("jabber:iq:privacy#default", "default");

/// All lists of one account.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blocking {
    /// In the order of their names.
    lists: Vec<Arc<List>>,
    /// The name of the list that counts where a session has no list of its own.
    default: Option<Box<str>>,
}

/// One list: its rules, ready to be asked.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// Its name.
    pub name: Box<str>,
    /// In their order.
    items: Box<[Item]>,
    /// Places of the rules about addresses, in the order of the addresses, and for one address in theirs.
    by_jid: Box<[u16]>,
    /// Places of all other rules.
    others: Box<[u16]>,
}

/// What a stanza is to the account whose list is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A message for it.
    Message,
    /// A request or an answer for it.
    Iq,
    /// Somebody's presence for it.
    PresenceIn,
    /// Its own presence for somebody.
    PresenceOut,
    /// Anything else that comes, such as a request for a subscription.
    OtherIn,
    /// Anything else that goes.
    OtherOut,
}

/// What the account's roster says of somebody: asked only by rules about groups and subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquaintance {
    /// How the two stand to each other.
    pub standing: Standing,
    /// The groups that the other is in.
    pub groups: Vec<Box<str>>,
}

/// The list that counts for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The list.
    pub list: Arc<List>,
    /// Why it counts.
    pub chosen: Chosen,
}

/// Who has chosen a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// The session, for itself.
    Active,
    /// The account, for all sessions that have not chosen.
    Default,
}

impl Blocking {
    /// No lists at all, shared by all accounts that have none.
    pub fn none() -> Arc<Blocking> {
        static NONE: LazyLock<Arc<Blocking>> = LazyLock::new(Arc::default);
        NONE.clone()
    }

    /// From an account's documents; those of other drawers are passed over.
    ///
    /// A list that cannot be read denies everything: it is wrong for its owner, and safe. The log says so.
    pub fn from_documents(documents: &[Document]) -> Arc<Blocking> {
        let mut blocking = Blocking::default();
        for document in documents.iter().filter(|document| document.drawer == Drawer::Blocking) {
            match &*document.ns {
                ns::PRIVACY => blocking.lists.push(Arc::new(List::from_document(document))),
                ns if ns == DEFAULT.0 => blocking.default = default_of(document),
                _ => {}
            }
        }
        if blocking.lists.is_empty() {
            return Blocking::none();
        }
        blocking.lists.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Arc::new(blocking)
    }

    /// Whether there is no list.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// All lists, in the order of their names.
    pub fn lists(&self) -> &[Arc<List>] {
        &self.lists
    }

    /// The list of this name.
    pub fn list(&self, name: &str) -> Option<&Arc<List>> {
        self.at(name).ok().map(|at| &self.lists[at])
    }

    /// The list with this [`List::mark`]; none if there are several.
    pub fn marked(&self, mark: u32) -> Option<&Arc<List>> {
        let mut marked = self.lists.iter().filter(|list| list.mark() == mark);
        marked.next().filter(|_| marked.next().is_none())
    }

    /// The list that counts where a session has none of its own, and for an account that is away.
    pub fn default_list(&self) -> Option<&Arc<List>> {
        self.list(self.default.as_deref()?)
    }

    /// What counts for a session that has chosen this list, or none.
    pub fn rules(&self, active: Option<&str>) -> Option<Arc<Rules>> {
        let active = active.and_then(|name| self.list(name)).map(|list| (list, Chosen::Active));
        let (list, chosen) = active.or_else(|| Some((self.default_list()?, Chosen::Default)))?;
        Some(Arc::new(Rules { list: list.clone(), chosen }))
    }

    /// Whether a rule of any list asks for the roster.
    pub fn asks_roster(&self) -> bool {
        self.lists.iter().any(|list| list.asks_roster())
    }

    /// Whether a rule of any list is about a group.
    pub fn names_groups(&self) -> bool {
        self.lists.iter().any(|list| list.groups().next().is_some())
    }

    /// The blocklist (XEP-0191 section 5): the addresses that the default list denies everything.
    pub fn blocked(&self) -> impl Iterator<Item = &Jid> {
        self.default_list().into_iter().flat_map(|list| list.blocked())
    }

    /// How many rules there are in all lists.
    pub fn rules_count(&self) -> usize {
        self.lists.iter().map(|list| list.items.len()).sum()
    }

    /// With this list, in the place of an earlier one of its name.
    #[must_use]
    pub fn with_list(&self, list: List) -> Blocking {
        let mut lists = self.lists.clone();
        let list = Arc::new(list);
        match self.at(&list.name) {
            Ok(at) => lists[at] = list,
            Err(at) => lists.insert(at, list),
        }
        Blocking { lists, default: self.default.clone() }
    }

    /// Without the list of this name, which is not the default list any more either.
    #[must_use]
    pub fn without_list(&self, name: &str) -> Blocking {
        let lists = self.lists.iter().filter(|list| *list.name != *name).cloned().collect();
        let default = self.default.clone().filter(|default| **default != *name);
        Blocking { lists, default }
    }

    /// With another default list, or none.
    #[must_use]
    pub fn with_default(&self, name: Option<&str>) -> Blocking {
        Blocking { lists: self.lists.clone(), default: name.map(Box::from) }
    }

    /// The documents that make `earlier` what this is; those to be removed are empty.
    pub fn documents_since(&self, earlier: &Blocking) -> Vec<Document> {
        let removed = earlier.lists.iter().filter(|list| self.list(&list.name).is_none());
        let mut documents: Vec<Document> =
            removed.map(|list| document((ns::PRIVACY, &list.name), Vec::new())).collect();
        for list in &self.lists {
            if earlier.list(&list.name) != Some(list) {
                documents.push(list.document());
            }
        }
        if self.default != earlier.default {
            let choice = self.default.as_deref().map(|name| privacy::choice("default", name).to_vec(""));
            documents.push(document(DEFAULT, choice.unwrap_or_default()));
        }
        documents
    }

    /// Bytes of the documents.
    pub fn stored_bytes(&self) -> usize {
        self.documents_since(&Blocking::default()).iter().map(Document::len_bytes).sum()
    }

    /// Bytes on the heap; nothing for [`Blocking::none`].
    pub fn memory_usage(&self) -> usize {
        const LIST: usize = size_of::<Arc<List>>() + size_of::<List>() + 32;
        self.lists.iter().map(|list| LIST + list.memory_usage()).sum()
    }

    fn at(&self, name: &str) -> Result<usize, usize> {
        self.lists.binary_search_by(|list| (*list.name).cmp(name))
    }
}

fn document((ns, name): (&str, &str), xml: Vec<u8>) -> Document {
    Document { drawer: Drawer::Blocking, ns: ns.into(), name: name.into(), xml: xml.into() }
}

fn default_of(document: &Document) -> Option<Box<str>> {
    let content = Content::parse(&document.xml).ok()?;
    Some(content.iter().next()?.attr("name")?.into())
}

impl List {
    /// A list of these rules, which are in their order and of which no two have the same. Rules beyond 65535 are forgotten; what
    /// clients may store is far less.
    pub fn new(name: &str, items: Vec<Item>) -> List {
        let is_jid = |place: &u16| matches!(items[usize::from(*place)].who, Who::Jid(_));
        let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
        let (mut by_jid, others): (Vec<u16>, Vec<u16>) = (0..count).partition(is_jid);
        by_jid.sort_by_key(|place| jid_of(&items[usize::from(*place)]));
        List { name: name.into(), items: items.into(), by_jid: by_jid.into(), others: others.into() }
    }

    fn from_document(document: &Document) -> List {
        let content = Content::parse(&document.xml);
        let list = content.as_ref().ok().and_then(|content| content.iter().next());
        let items = list.and_then(|list| privacy::items(&list, usize::from(u16::MAX)).ok());
        let items = items.unwrap_or_else(|| {
            tracing::error!(list = &*document.name, "a stored privacy list cannot be read; it denies everything");
            vec![Item { order: 0, who: Who::Everybody, action: Action::Deny, kinds: Kinds::ALL }]
        });
        List::new(&document.name, items)
    }

    fn document(&self) -> Document {
        document((ns::PRIVACY, &self.name), privacy::list(&self.name, &*self.items).to_vec(""))
    }

    /// A number from 1 to 2^24 - 1 that tells it from the other lists of its account, the same after a restart; two names very rarely have
    /// the same.
    pub fn mark(&self) -> u32 {
        // FNV-1a: no hasher of the standard library promises to stay the same.
        let hash =
            self.name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        (hash >> 8).max(1)
    }

    /// Its rules, in their order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The addresses that it denies everything, as long as no rule before says otherwise.
    pub fn blocked(&self) -> impl Iterator<Item = &Jid> {
        self.items.iter().filter(|item| is_block(item)).map(jid_of).map(|jid| jid.expect("a block is about an address"))
    }

    /// The groups that it is about.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.others.iter().filter_map(|place| match &self.items[usize::from(*place)].who {
            Who::Group(group) => Some(&**group),
            _ => None,
        })
    }

    /// Whether a rule of it asks for the roster.
    pub fn asks_roster(&self) -> bool {
        let asks = |place: &u16| matches!(self.items[usize::from(*place)].who, Who::Group(_) | Who::Standing(_));
        self.others.iter().any(asks)
    }

    /// Whether it denies `what` from or to `other`, who is not the owner: the first rule that is about both decides, and without one
    /// everything is allowed (section 2.2, rules 5 to 7). `acquaintance` is asked at most once.
    pub fn denies(&self, other: &Jid, what: What, acquaintance: impl FnOnce() -> Acquaintance) -> bool {
        self.deciding(other, what, acquaintance).is_some_and(|item| item.action == Action::Deny)
    }

    /// The rule that decides.
    fn deciding(&self, other: &Jid, what: What, acquaintance: impl FnOnce() -> Acquaintance) -> Option<&Item> {
        let by_jid = self.first_about(other, what);
        let known = LazyCell::new(acquaintance);
        for place in self.others.iter().copied().take_while(|place| by_jid.is_none_or(|first| *place < first)) {
            let item = &self.items[usize::from(place)];
            let is_about = is_about(item, what)
                && match &item.who {
                    Who::Everybody => true,
                    Who::Standing(standing) => known.standing == *standing,
                    Who::Group(group) => known.groups.contains(group),
                    Who::Jid(_) => false,
                };
            if is_about {
                return Some(item);
            }
        }
        by_jid.map(|place| &self.items[usize::from(place)])
    }

    /// The first rule about this address: as it is, without its resource, or its domain alone.
    fn first_about(&self, other: &Jid, what: What) -> Option<u16> {
        if self.by_jid.is_empty() {
            return None;
        }
        let ways =
            [Some(other.as_str()), other.is_full().then(|| other.bare_str()), other.local().map(|_| other.domain())];
        ways.into_iter().flatten().filter_map(|way| self.first_named(way, what)).min()
    }

    fn first_named(&self, jid: &str, what: What) -> Option<u16> {
        let named = |place: &u16| jid_of(&self.items[usize::from(*place)]).map_or("", Jid::as_str);
        let from = self.by_jid.partition_point(|place| named(place) < jid);
        let mut same = self.by_jid[from..].iter().take_while(|place| named(place) == jid);
        same.find(|place| is_about(&self.items[usize::from(**place)], what)).copied()
    }

    /// With these addresses denied everything, before all other rules (XEP-0191 section 5). Those that are denied already stay as
    /// they are; the rules are numbered anew.
    #[must_use]
    pub fn with_blocked(&self, jids: &[Jid]) -> List {
        let mut items: Vec<Item> = Vec::with_capacity(self.items.len() + jids.len());
        for jid in jids {
            let is_new = |item: &Item| !(is_block(item) && jid_of(item) == Some(jid));
            if self.items.iter().chain(&items).all(is_new) {
                items.push(Item { order: 0, who: Who::Jid(jid.clone()), action: Action::Deny, kinds: Kinds::ALL });
            }
        }
        items.extend(self.items.iter().cloned());
        for (order, item) in (1..).zip(&mut items) {
            item.order = order;
        }
        List::new(&self.name, items)
    }

    /// Without the rules that deny these addresses everything, or without any such rule.
    #[must_use]
    pub fn without_blocked(&self, jids: Option<&[Jid]>) -> List {
        let goes =
            |item: &Item| is_block(item) && jids.is_none_or(|jids| jid_of(item).is_some_and(|jid| jids.contains(jid)));
        List::new(&self.name, self.items.iter().filter(|item| !goes(item)).cloned().collect())
    }

    fn memory_usage(&self) -> usize {
        let text = |item: &Item| match &item.who {
            Who::Jid(jid) => jid.as_str().len() + 16,
            Who::Group(group) => group.len(),
            Who::Standing(_) | Who::Everybody => 0,
        };
        let texts: usize = self.items.iter().map(text).sum();
        self.name.len() + texts + self.items.len() * (size_of::<Item>() + size_of::<u16>())
    }
}

fn jid_of(item: &Item) -> Option<&Jid> {
    match &item.who {
        Who::Jid(jid) => Some(jid),
        Who::Group(_) | Who::Standing(_) | Who::Everybody => None,
    }
}

/// Whether it is what the blocking command makes.
fn is_block(item: &Item) -> bool {
    item.action == Action::Deny && item.kinds.is_all() && matches!(item.who, Who::Jid(_))
}

/// Whether a rule is about such stanzas (sections 2.1 and 2.13).
fn is_about(item: &Item, what: What) -> bool {
    match what {
        What::Message => item.kinds.holds(Sort::Message),
        What::Iq => item.kinds.holds(Sort::Iq),
        What::PresenceIn => item.kinds.holds(Sort::PresenceIn),
        What::PresenceOut => item.kinds.holds(Sort::PresenceOut),
        What::OtherIn | What::OtherOut => item.kinds.is_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn list(items: &str) -> List {
        let content = Content::parse(format!("<list xmlns='jabber:iq:privacy' name='x'>{items}</list>").as_bytes());
        let items = privacy::items(&content.unwrap().iter().next().unwrap(), 100).unwrap();
        List::new("x", items)
    }

    fn friend() -> Acquaintance {
        Acquaintance { standing: Standing::Both, groups: vec!["Friends".into()] }
    }

    fn stranger() -> Acquaintance {
        Acquaintance { standing: Standing::None, groups: Vec::new() }
    }

    #[test]
    fn the_first_rule_that_is_about_a_stanza_decides() {
        /// Rules, the other one, how well it is known, and what is denied of `all`.
        type Row = (String, &'static str, fn() -> Acquaintance, [bool; 6]);
        const DENY_BOB: &str = "<item type='jid' value='bob@localhost' action='deny' order='5'/>";
        const NOT_ITS_MESSAGES: &str =
            "<item type='jid' value='bob@localhost' action='deny' order='5'><message/></item>";
        let all = [What::Message, What::Iq, What::PresenceIn, What::PresenceOut, What::OtherIn, What::OtherOut];
        let only = |denied: &[What]| all.map(|what| denied.contains(&what));
        let item = |rest: &str| format!("<item {rest}/>");
        let table: Vec<Row> = vec![
            (String::new(), "bob@localhost/x", stranger, only(&[])),
            (DENY_BOB.into(), "bob@localhost/x", stranger, only(&all)),
            (DENY_BOB.into(), "bob@localhost", stranger, only(&all)),
            (DENY_BOB.into(), "bobby@localhost", stranger, only(&[])),
            (DENY_BOB.into(), "localhost", stranger, only(&[])),
            (NOT_ITS_MESSAGES.into(), "bob@localhost/x", stranger, only(&[What::Message])),
            // Each address matches in four ways (section 2.1).
            (
                item("type='jid' value='bob@localhost/x' action='deny' order='1'"),
                "bob@localhost/x",
                stranger,
                only(&all),
            ),
            (
                item("type='jid' value='bob@localhost/x' action='deny' order='1'"),
                "bob@localhost/y",
                stranger,
                only(&[]),
            ),
            (item("type='jid' value='bob@localhost/x' action='deny' order='1'"), "bob@localhost", stranger, only(&[])),
            (item("type='jid' value='localhost' action='deny' order='1'"), "bob@localhost/x", stranger, only(&all)),
            (item("type='jid' value='localhost' action='deny' order='1'"), "localhost/x", stranger, only(&all)),
            (item("type='jid' value='localhost/x' action='deny' order='1'"), "localhost/x", stranger, only(&all)),
            (item("type='jid' value='localhost/x' action='deny' order='1'"), "bob@localhost/x", stranger, only(&[])),
            (item("type='jid' value='localhost' action='deny' order='1'"), "sub.localhost", stranger, only(&[])),
            // The lowest order wins, however exact the address is.
            (
                format!("{DENY_BOB}<item type='jid' value='localhost' action='allow' order='4'/>"),
                "bob@localhost/x",
                stranger,
                only(&[]),
            ),
            (
                format!("{DENY_BOB}<item type='jid' value='bob@localhost/x' action='allow' order='6'/>"),
                "bob@localhost/x",
                stranger,
                only(&all),
            ),
            (
                format!("{DENY_BOB}<item type='jid' value='bob@localhost' action='allow' order='4'><iq/></item>"),
                "bob@localhost/x",
                stranger,
                [true, false, true, true, true, true],
            ),
            // A rule for everything else stands before or behind.
            (format!("<item action='allow' order='4'/>{DENY_BOB}"), "bob@localhost/x", stranger, only(&[])),
            (
                "<item type='jid' value='bob@localhost' action='allow' order='1'/><item action='deny' order='2'/>"
                    .into(),
                "bob@localhost",
                stranger,
                only(&[]),
            ),
            (
                "<item type='jid' value='bob@localhost' action='allow' order='1'/><item action='deny' order='2'/>"
                    .into(),
                "carol@localhost",
                stranger,
                only(&all),
            ),
            (
                "<item action='deny' order='2'><presence-out/><presence-in/></item>".into(),
                "carol@localhost",
                friend,
                only(&[What::PresenceIn, What::PresenceOut]),
            ),
            // The roster.
            (item("type='subscription' value='none' action='deny' order='1'"), "bob@localhost", stranger, only(&all)),
            (item("type='subscription' value='none' action='deny' order='1'"), "bob@localhost", friend, only(&[])),
            (item("type='subscription' value='to' action='deny' order='1'"), "bob@localhost", friend, only(&[])),
            (item("type='subscription' value='both' action='deny' order='1'"), "bob@localhost", friend, only(&all)),
            (item("type='group' value='Friends' action='deny' order='1'"), "bob@localhost", friend, only(&all)),
            (item("type='group' value='friends' action='deny' order='1'"), "bob@localhost", friend, only(&[])),
            (
                format!("<item type='group' value='Friends' action='allow' order='1'/>{DENY_BOB}"),
                "bob@localhost",
                friend,
                only(&[]),
            ),
            (
                format!("<item type='group' value='Friends' action='allow' order='9'/>{DENY_BOB}"),
                "bob@localhost",
                friend,
                only(&all),
            ),
        ];
        for (items, other, acquaintance, expected) in table {
            let list = list(&items);
            let denied = all.map(|what| list.denies(&jid(other), what, acquaintance));
            assert_eq!(denied, expected, "{other}: {items}");
        }
    }

    /// The rules as the XEP tells them, one after the other.
    fn told_plainly(items: &[Item], other: &Jid, what: What, known: &Acquaintance) -> bool {
        let sort = match what {
            What::Message => Some(Sort::Message),
            What::Iq => Some(Sort::Iq),
            What::PresenceIn => Some(Sort::PresenceIn),
            What::PresenceOut => Some(Sort::PresenceOut),
            What::OtherIn | What::OtherOut => None,
        };
        for item in items {
            let about = match &item.who {
                Who::Jid(jid) => {
                    jid == other
                        || (jid.is_bare() && jid.local().is_some() && jid.same_bare(other))
                        || (jid.is_domain() && jid.domain() == other.domain())
                }
                Who::Group(group) => known.groups.contains(group),
                Who::Standing(standing) => known.standing == *standing,
                Who::Everybody => true,
            };
            if about && (item.kinds.is_all() || sort.is_some_and(|sort| item.kinds.holds(sort))) {
                return item.action == Action::Deny;
            }
        }
        false
    }

    #[test]
    fn any_list_says_what_its_rules_say_one_after_the_other() {
        let mut rng = fastrand::Rng::with_seed(16);
        let jids = ["a@x", "a@x/r", "b@x", "b@x/r", "x", "x/r", "y", "a@y/r"].map(jid);
        let all = [What::Message, What::Iq, What::PresenceIn, What::PresenceOut, What::OtherIn, What::OtherOut];
        let standings = [Standing::Both, Standing::To, Standing::From, Standing::None];
        let groups: [Box<str>; 2] = ["g".into(), "h".into()];
        for _ in 0..3000 {
            let count = rng.u32(0..7);
            let mut one = |order: u32| {
                let who = match rng.u8(0..8) {
                    0 => Who::Everybody,
                    1 => Who::Group(groups[rng.usize(0..2)].clone()),
                    2 => Who::Standing(standings[rng.usize(0..4)]),
                    _ => Who::Jid(jids[rng.usize(0..jids.len())].clone()),
                };
                let sorts = [Sort::Message, Sort::Iq, Sort::PresenceIn, Sort::PresenceOut];
                let named = sorts.into_iter().filter(|_| rng.u8(0..4) == 0);
                let kinds = named.fold(Kinds::ALL, Kinds::with);
                Item { order: order * 3, who, action: if rng.bool() { Action::Deny } else { Action::Allow }, kinds }
            };
            let items: Vec<Item> = (0..count).map(&mut one).collect();
            let list = List::new("x", items.clone());
            for other in &jids {
                let groups: Vec<Box<str>> = groups.iter().filter(|_| rng.bool()).cloned().collect();
                let known = Acquaintance { standing: standings[rng.usize(0..4)], groups };
                for what in all {
                    let plainly = told_plainly(&items, other, what, &known);
                    assert_eq!(list.denies(other, what, || known.clone()), plainly, "{other} {what:?} {items:?}");
                }
            }
        }
    }

    #[test]
    fn the_roster_is_asked_only_by_rules_that_need_it() {
        let nobody = || panic!("the roster is not asked");
        let simple = list("<item type='jid' value='bob@localhost' action='deny' order='1'/>");
        assert!(!simple.asks_roster() && simple.denies(&jid("bob@localhost"), What::Iq, nobody));
        // A rule that decides stands before the one that would ask.
        let before = list(
            "<item type='jid' value='bob@localhost' action='deny' order='1'/>\
             <item type='group' value='g' action='allow' order='2'/>\
             <item type='subscription' value='to' action='deny' order='3'><message/></item>",
        );
        assert!(before.asks_roster() && before.denies(&jid("bob@localhost"), What::Iq, nobody));
        assert_eq!(before.groups().collect::<Vec<_>>(), ["g"]);
    }

    #[test]
    fn blocks_stand_before_all_other_rules() {
        let before = list(
            "<item type='jid' value='bob@localhost' action='allow' order='0'/>\
             <item type='jid' value='eve@localhost' action='deny' order='4294967295'/>",
        );
        let after = before.with_blocked(&[jid("bob@localhost"), jid("eve@localhost"), jid("bob@localhost")]);
        assert!(after.denies(&jid("bob@localhost/x"), What::Message, stranger));
        let orders: Vec<u32> = after.items().iter().map(|item| item.order).collect();
        assert_eq!(orders, [1, 2, 3]);
        let blocked: Vec<&str> = after.blocked().map(Jid::as_str).collect();
        assert_eq!(blocked, ["bob@localhost", "eve@localhost"]);
        let again = after.without_blocked(Some(&[jid("bob@localhost"), jid("nobody@localhost")]));
        assert!(!again.denies(&jid("bob@localhost/x"), What::Message, stranger));
        assert_eq!(again.blocked().count(), 1);
        assert_eq!(after.without_blocked(None).items().len(), 1);
    }

    #[test]
    fn lists_are_kept_as_documents() {
        let none = Blocking::none();
        let blocking = none.with_list(list("<item action='deny' order='7'><iq/></item>"));
        let blocking = blocking.with_list(List::new("a", Vec::new()).with_blocked(&[jid("bob@localhost")]));
        let blocking = blocking.with_default(Some("a"));
        let documents = blocking.documents_since(&none);
        assert_eq!(documents.len(), 3);
        assert_eq!(blocking.stored_bytes(), documents.iter().map(Document::len_bytes).sum::<usize>());
        let read = Blocking::from_documents(&documents);
        assert_eq!(*read, blocking);
        assert_eq!(read.blocked().map(Jid::as_str).collect::<Vec<_>>(), ["bob@localhost"]);
        assert_eq!(read.rules_count(), 2);
        assert!(read.memory_usage() > 0);
        assert!(blocking.documents_since(&read).is_empty());
        let fewer = read.without_list("a");
        let removed = fewer.documents_since(&read);
        assert_eq!(removed.len(), 2, "the list, and that it is the default");
        assert!(removed.iter().all(|document| document.xml.is_empty()));
        assert!(fewer.default_list().is_none());
    }

    #[test]
    fn accounts_without_lists_share_one_value() {
        let other =
            Document { drawer: Drawer::Push, ns: "a".into(), name: "b".into(), xml: b"<b xmlns='a'/>"[..].into() };
        assert!(Arc::ptr_eq(&Blocking::from_documents(&[other]), &Blocking::none()));
        assert_eq!(Blocking::none().memory_usage(), 0);
        assert!(Blocking::none().rules(None).is_none());
    }

    #[test]
    fn a_damaged_list_denies_everything() {
        let damaged = document((ns::PRIVACY, "x"), b"<list xmlns='jabber:iq:privacy'><item/></list>".to_vec());
        let blocking = Blocking::from_documents(&[damaged]).with_default(Some("x"));
        let list = blocking.default_list().unwrap();
        assert!(list.denies(&jid("bob@localhost"), What::Message, stranger));
    }

    #[test]
    fn a_session_goes_by_its_own_list_or_the_default() {
        let blocking = Blocking::none().with_list(list("<item action='deny' order='7'/>"));
        assert!(blocking.rules(None).is_none() && blocking.rules(Some("y")).is_none());
        let active = blocking.rules(Some("x")).unwrap();
        assert_eq!((active.chosen, &*active.list.name), (Chosen::Active, "x"));
        let list = &active.list;
        assert_eq!(blocking.marked(list.mark()), Some(list));
        assert!(blocking.marked(list.mark() + 1).is_none() && list.mark() < 1 << 24);
        let by_default = blocking.with_default(Some("x")).rules(Some("gone")).unwrap();
        assert_eq!(by_default.chosen, Chosen::Default);
    }
}
