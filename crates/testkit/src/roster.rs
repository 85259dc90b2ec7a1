//! What a client does with its roster: asks for it, changes it, and reads pushes (RFC 6121 section 2). And the two ways of the
//! scenarios about presence to know that everything has been said: [`Client::settle`] and [`Client::so_far`].

use std::collections::BTreeMap;
use std::fmt;

use crate::client::Client;
use crate::seen::Seen;

/// One item of a roster, as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The contact.
    pub jid: String,
    /// What the account's owner calls it.
    pub name: Option<String>,
    /// `none`, `to`, `from`, `both` or, in a push, `remove`.
    pub subscription: String,
    /// Whether a request to the contact is pending.
    pub ask: bool,
    /// Whether a request of the contact is approved in advance.
    pub approved: bool,
    /// Sorted.
    pub groups: Vec<String>,
}

/// A roster as a client was given it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// Its version, if it tells one.
    pub ver: Option<String>,
    /// The items by their addresses.
    pub items: BTreeMap<String, Item>,
}

/// A push, already answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The id of the request that carried it.
    pub id: String,
    /// The roster's version after the change.
    pub ver: Option<String>,
    /// The item.
    pub item: Item,
}

impl Item {
    /// Reads the first `<item/>` of a piece of a stream.
    fn read(xml: &str) -> Option<Item> {
        let item = &xml[xml.find("<item")?..];
        let tag = &item[..=item.find('>')?];
        let content = if tag.ends_with("/>") { "" } else { &item[tag.len()..item.find("</item>")?] };
        let mut groups: Vec<String> = content
            .split_inclusive("</group>")
            .filter_map(|group| Seen::new(group[group.find("<group")?..].to_owned()).text_of("group"))
            .collect();
        groups.sort();
        let tag = Seen::new(tag.to_owned());
        Some(Item {
            jid: tag.attribute("jid")?,
            name: tag.attribute("name"),
            subscription: tag.attribute("subscription").unwrap_or_else(|| "none".to_owned()),
            ask: tag.attribute("ask").as_deref() == Some("subscribe"),
            approved: tag.attribute("approved").as_deref() == Some("true"),
            groups,
        })
    }
}

/// In one line: the address and the state, then a name in quotes and groups in brackets where there are some.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.jid, self.subscription)?;
        if self.ask {
            f.write_str(" ask")?;
        }
        if self.approved {
            f.write_str(" approved")?;
        }
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        if !self.groups.is_empty() {
            write!(f, " [{}]", self.groups.join(", "))?;
        }
        Ok(())
    }
}

impl Roster {
    fn read(result: &Seen) -> Option<Roster> {
        result.contains("<query").then(|| {
            let items = result.split("<item").skip(1).filter_map(|item| Item::read(&format!("<item{item}")));
            let items = items.map(|item| (item.jid.clone(), item)).collect();
            Roster { ver: result.attribute_of("query", "ver"), items }
        })
    }

    /// The items in one line each, in the order of their addresses.
    pub fn lines(&self) -> Vec<String> {
        self.items.values().map(Item::to_string).collect()
    }

    /// What one contact is shown as.
    pub fn line(&self, jid: &str) -> Option<String> {
        self.items.get(jid).map(Item::to_string)
    }

    /// Does what a client does with a push.
    pub fn take(&mut self, push: &Push) {
        self.ver = push.ver.clone().or(self.ver.take());
        if push.item.subscription == "remove" {
            self.items.remove(&push.item.jid);
        } else {
            self.items.insert(push.item.jid.clone(), push.item.clone());
        }
    }
}

impl Push {
    /// Reads a push; none if the piece is something else.
    pub fn read(seen: &Seen) -> Option<Push> {
        if !seen.fits("<iq type='set'><query xmlns='jabber:iq:roster'") {
            return None;
        }
        let (id, ver) = (seen.attribute("id")?, seen.attribute_of("query", "ver"));
        Some(Push { id, ver, item: Item::read(seen)? })
    }
}

impl Client {
    /// The bare address, once a resource is bound.
    #[track_caller]
    pub fn bare(&self) -> &str {
        self.jid().split('/').next().unwrap_or_default()
    }

    /// Asks for the roster and so for pushes from now on (section 2.2). Nothing else may come before the answer.
    #[track_caller]
    pub fn roster(&mut self) -> Roster {
        self.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
        let result = self.expect("<iq type='result' id='roster'");
        Roster::read(&result).unwrap_or_else(|| self.fail("a roster that was asked for without a version came empty"))
    }

    /// Asks for what has changed since a version (section 2.6): the whole roster, or none if pushes will tell.
    #[track_caller]
    pub fn roster_since(&mut self, ver: &str) -> Option<Roster> {
        self.send(&format!("<iq type='get' id='since'><query xmlns='jabber:iq:roster' ver='{ver}'/></iq>"));
        Roster::read(&self.expect("<iq type='result' id='since'"))
    }

    /// Sends a roster set with these items, as raw XML, and does not wait for anything.
    #[track_caller]
    pub fn send_roster_set(&mut self, id: &str, items: &str) {
        self.send(&format!("<iq type='set' id='{id}'><query xmlns='jabber:iq:roster'>{items}</query></iq>"));
    }

    /// Changes one item and demands that it succeeds; answers the push, which this client must be interested in.
    #[track_caller]
    pub fn set_item(&mut self, item: &str) -> Push {
        self.send_roster_set("set", item);
        let found = self.expect_all(&["<iq type='result' id='set'", "<iq type='set'><query xmlns='jabber:iq:roster'"]);
        self.taken(&found[1])
    }

    /// Demands that a roster set is refused with this condition.
    #[track_caller]
    pub fn expect_set_refused(&mut self, items: &str, condition: &str) {
        self.send_roster_set("refused", items);
        self.expect(&format!("<iq type='error' id='refused'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"));
    }

    /// Demands a push, and answers it.
    #[track_caller]
    pub fn expect_push(&mut self) -> Push {
        let seen = self.expect("<iq type='set'><query xmlns='jabber:iq:roster'");
        self.taken(&seen)
    }

    /// Checks that a push is one that a client may believe (section 2.1.6), and answers it.
    #[track_caller]
    fn taken(&mut self, seen: &Seen) -> Push {
        let from = seen.attribute("from");
        if from.as_deref().is_some_and(|from| from != self.bare()) {
            self.fail(&format!("a push from somebody else: {seen}"));
        }
        if seen.attribute("to").as_deref() != Some(self.jid()) || seen.matches("<item").count() != 1 {
            self.fail(&format!("a push must be for this client and have one item: {seen}"));
        }
        let Some(push) = Push::read(seen) else { self.fail(&format!("this is no push: {seen}")) };
        self.send(&format!("<iq type='result' id='{}'/>", push.id));
        push
    }

    /// Waits until all that this client has sent to `to` or to another resource of that account before is done: a request to its
    /// bare address that nobody can answer is refused in its order. What comes meanwhile is answered.
    #[track_caller]
    pub fn settle(&mut self, to: &str) -> Vec<Seen> {
        let to = to.split('/').next().unwrap_or_default();
        self.send(&format!("<iq type='get' to='{to}' id='settle'><settle xmlns='urn:example:settle'/></iq>"));
        self.until("<iq type='error' id='settle'")
    }

    /// Everything that has come for this client so far: what stands before the answer to a ping of its own account, which waits
    /// for all that changes its own state.
    #[track_caller]
    pub fn so_far(&mut self) -> Vec<Seen> {
        self.send("<iq type='get' id='so-far'><ping xmlns='urn:xmpp:ping'/></iq>");
        self.until("<iq type='result' id='so-far'")
    }

    /// Every piece before the first that fits.
    #[track_caller]
    fn until(&mut self, pattern: &str) -> Vec<Seen> {
        let mut before = Vec::new();
        loop {
            let seen = self.next_piece();
            if seen.fits(pattern) {
                return before;
            }
            before.push(seen);
        }
    }

    /// Demands that these pieces have come so far, in whatever order, and nothing else.
    #[track_caller]
    pub fn expect_so_far(&mut self, patterns: &[&str]) -> Vec<Seen> {
        let came = self.so_far();
        let mut left: Vec<Option<&Seen>> = came.iter().map(Some).collect();
        let mut found = Vec::new();
        for pattern in patterns {
            match left.iter_mut().find(|seen| seen.is_some_and(|seen| seen.fits(pattern))) {
                Some(seen) => found.extend(seen.take().cloned()),
                None => self.fail(&format!("expected {pattern}\n   among {came:#?}")),
            }
        }
        if let Some(more) = left.into_iter().flatten().next() {
            self.fail(&format!("expected nothing but {patterns:#?}\n   found {more}"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roster_is_read_item_by_item() {
        let result = "<iq type='result'><query xmlns='jabber:iq:roster' ver='7'><item jid='b@c' name='B &amp; C' \
                      subscription='from' ask='subscribe'><group>Z</group><group>A &lt;</group></item>\
                      <item jid='a@c' subscription='none' approved='true'/><item jid='d@c'></item></query></iq>";
        let roster = Roster::read(&Seen::new(result.to_owned())).expect("a roster");
        assert_eq!(roster.ver.as_deref(), Some("7"));
        assert_eq!(roster.lines(), ["a@c none approved", "b@c from ask 'B & C' [A <, Z]", "d@c none"]);
        assert_eq!(Roster::read(&Seen::new("<iq type='result'/>".to_owned())), None);
    }

    #[test]
    fn a_push_changes_a_roster() {
        let push = |xml: &str| Push::read(&Seen::new(xml.to_owned()));
        let mut roster = Roster::default();
        let set = "<iq type='set' id='p'><query xmlns='jabber:iq:roster' ver='2'><item jid='a@c' subscription='to'/></query></iq>";
        roster.take(&push(set).expect("a push"));
        assert_eq!((roster.lines(), roster.ver.as_deref()), (vec!["a@c to".to_owned()], Some("2")));
        roster.take(&push(&set.replace("'to'", "'remove'")).expect("a push"));
        assert!(roster.items.is_empty());
        assert_eq!(push("<iq type='set' id='p'><query xmlns='urn:x'/></iq>"), None);
    }
}
