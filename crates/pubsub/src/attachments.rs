//! XEP-0470: nodes that belong to another one. People attach to an item what they say of it, each by one item in a node whose name is made of
//! that item's; and one summary node tells of all items of a node how much is attached. The server makes both kinds, and who may do what
//! with them is asked of the node that they belong to.

pub(crate) mod attached;
pub(crate) mod summary;

use std::borrow::Cow;
use std::fmt::Write as _;

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::Malformed;
use metronome_proto::stanza::error::Condition;

use crate::config::{Amount, Config, NodeFull, SendLast};
use crate::known::Stop;
use crate::node::Node;
use crate::public;

/// An item that things are attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its node.
    pub node: Box<str>,
    /// Its id.
    pub item: Box<str>,
}

/// What the name of a node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// It is a node like any other.
    Other,
    /// It has what is attached to this item.
    Attachments(Target),
    /// It has the summaries of this node.
    Summary(&'a str),
    /// It begins like one of those, and is none.
    Wrong,
}

/// What a node of this name is, at an address.
pub(crate) fn kind<'a>(name: &'a str, address: &Jid) -> Kind<'a> {
    if let Some(of) = after(name, ns::PUBSUB_ATTACHMENTS_SUMMARY) {
        return if is_made(of) || of.is_empty() { Kind::Wrong } else { Kind::Summary(of) };
    }
    let Some(uri) = after(name, ns::PUBSUB_ATTACHMENTS) else { return Kind::Other };
    // An item has one such node, so its name is written in one way only.
    match target(uri).filter(|target| !is_made(&target.node) && target.name(address) == name) {
        Some(target) => Kind::Attachments(target),
        None => Kind::Wrong,
    }
}

/// Whether the server makes nodes of this name, and nobody else does.
pub(crate) fn is_made(name: &str) -> bool {
    after(name, ns::PUBSUB_ATTACHMENTS).is_some() || after(name, ns::PUBSUB_ATTACHMENTS_SUMMARY).is_some()
}

/// Nobody makes these nodes by hand (section 4.4) or says how they behave.
pub(crate) fn refuse_made(name: &str) -> Result<(), Stop> {
    if is_made(name) { Err(Condition::NotAllowed.into()) } else { Ok(()) }
}

/// What is in a summary node nobody writes but the server (section 4.6).
pub(crate) fn refuse_summary(name: &str) -> Result<(), Stop> {
    match after(name, ns::PUBSUB_ATTACHMENTS_SUMMARY) {
        Some(_) => Err(Condition::Forbidden.into()),
        None => Ok(()),
    }
}

/// The node of which it is asked who may do what with a node of this name, if that is another one.
#[must_use]
pub fn guard(name: &str) -> Option<Cow<'_, str>> {
    if let Some(of) = public::subscribers_of(name) {
        return Some(Cow::Borrowed(of));
    }
    match after(name, ns::PUBSUB_ATTACHMENTS_SUMMARY) {
        Some(of) => Some(Cow::Borrowed(of)),
        None => target(after(name, ns::PUBSUB_ATTACHMENTS)?).map(|target| Cow::Owned(target.node.into())),
    }
}

/// The configuration of a node that belongs to another one, as it is shown: who may read and publish is what the other one says.
#[must_use]
pub fn shown(config: &Config, guard: &Node) -> Config {
    let Config { access_model, publish_model, roster_groups_allowed, .. } = guard.config.clone();
    Config { access_model, publish_model, roster_groups_allowed, ..config.clone() }
}

/// The summary node of a node.
#[must_use]
pub fn summary_name(node: &str) -> String {
    format!("{}/{node}", ns::PUBSUB_ATTACHMENTS_SUMMARY)
}

/// What the names of the nodes with what is attached to the items of a node begin with.
#[must_use]
pub fn beginning(node: &str, address: &Jid) -> String {
    let mut name = format!("{}/xmpp:", ns::PUBSUB_ATTACHMENTS);
    encode(&mut name, address.as_str(), "@");
    name.push_str("?;node=");
    encode(&mut name, node, "");
    name.push_str(";item=");
    name
}

/// How the server configures such a node.
pub(crate) fn config(kind: &str, guard: &Node) -> Config {
    let made = Config {
        r#type: kind.into(),
        max_items: Amount::Max,
        // What is counted does not go unseen.
        publish_node_full: NodeFull::Reject,
        notify_retract: true,
        notify_delete: true,
        send_last_published_item: SendLast::Never,
        ..Config::base()
    };
    shown(&made, guard)
}

impl Target {
    /// The name of the node with what is attached: the URI of the item (XEP-0060 section 12.22), in which everything stands encoded that is
    /// neither a letter nor a digit nor one of `-._~`.
    pub(crate) fn name(&self, address: &Jid) -> String {
        let mut name = beginning(&self.node, address);
        encode(&mut name, &self.item, "");
        name
    }

    /// Why a name is none.
    pub(crate) fn refusal() -> Stop {
        Malformed("attach to the item xmpp:ADDRESS?;node=NODE;item=ITEM of this address, percent-encoded").into()
    }
}

/// What stands behind a namespace and a slash.
fn after<'a>(name: &'a str, ns: &str) -> Option<&'a str> {
    name.strip_prefix(ns)?.strip_prefix('/')
}

fn target(uri: &str) -> Option<Target> {
    let (_, query) = uri.strip_prefix("xmpp:")?.split_once("?;node=")?;
    let (node, item) = query.split_once(";item=")?;
    let (node, item) = (decode(node)?, decode(item)?);
    (!node.is_empty() && !item.is_empty()).then_some(Target { node: node.into(), item: item.into() })
}

fn encode(out: &mut String, text: &str, also: &str) {
    for byte in text.bytes() {
        let character = char::from(byte);
        match byte.is_ascii_alphanumeric() || "-._~".contains(character) || also.contains(character) {
            true => out.push(character),
            false => drop(write!(out, "%{byte:02X}")),
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'%' => {
                let (digits, behind) = behind.split_at_checked(2)?;
                let digit = |digit: u8| char::from(digit).to_digit(16);
                bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
                rest = behind;
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn juliet() -> Jid {
        Jid::parse("juliet@capulet.lit").unwrap()
    }

    // XEP-0470 section 4.1, the name of the example.
    const NAME: &str = "urn:xmpp:pubsub-attachments:1/xmpp:juliet@capulet.lit?;node=urn%3Axmpp%3Amicroblog%3A0;item=balcony-restoration-afd1";

    #[test]
    fn names_are_made_of_the_uri_of_the_item_and_read_back() {
        let target = Target { node: "urn:xmpp:microblog:0".into(), item: "balcony-restoration-afd1".into() };
        assert_eq!(target.name(&juliet()), NAME);
        assert_eq!(kind(NAME, &juliet()), Kind::Attachments(target));
        assert_eq!(guard(NAME).as_deref(), Some("urn:xmpp:microblog:0"));
        let odd = Target { node: "ä;item=&%?/\u{1F477}".into(), item: "x;node=\"'<".into() };
        let name = odd.name(&juliet());
        assert!(name.is_ascii() && kind(&name, &juliet()) == Kind::Attachments(odd), "{name}");
        let summary = summary_name("urn:xmpp:microblog:0");
        assert_eq!(summary, "urn:xmpp:pubsub-attachments:summary:1/urn:xmpp:microblog:0");
        assert_eq!(kind(&summary, &juliet()), Kind::Summary("urn:xmpp:microblog:0"));
        assert_eq!(guard(&summary).as_deref(), Some("urn:xmpp:microblog:0"));
        assert_eq!((kind("n", &juliet()), guard("n")), (Kind::Other, None));
    }

    #[test]
    fn each_item_has_one_such_node_and_those_nodes_have_none() {
        for wrong in [
            NAME.replace("juliet", "romeo"),
            NAME.replace("%3A", ":"),
            NAME.replace("%3A", "%3a"),
            NAME.replace("%3A0", "%3A0%ff"),
            NAME.replace(";item=balcony-restoration-afd1", ""),
            NAME.replace("balcony-restoration-afd1", ""),
            NAME.replace("balcony-restoration-afd1", "%4"),
            Target { node: NAME.into(), item: "x".into() }.name(&juliet()),
            Target { node: summary_name("n").into(), item: "x".into() }.name(&juliet()),
            summary_name(NAME),
            summary_name(""),
            "urn:xmpp:pubsub-attachments:1/".into(),
        ] {
            assert_eq!(kind(&wrong, &juliet()), Kind::Wrong, "{wrong}");
            assert!(is_made(&wrong) && refuse_made(&wrong).is_err());
        }
        assert!(!is_made("urn:xmpp:pubsub-attachments:1"));
    }
}
