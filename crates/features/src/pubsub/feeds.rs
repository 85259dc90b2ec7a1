//! Nodes that are open to all as feeds (RFC 4287), for readers that speak no XMPP: those of a domain's service, and people's blogs (XEP-0277).
//! The documents are made here and sent by the web server in `net`.

mod entry;
mod markup;

use std::sync::Arc;

use metronome_host::hosts::Host;
use metronome_host::options::{Kind as SettingKind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::{segments, web};
use metronome_model::{AccountId, Item, NodeKind};
use metronome_proto::jid::Jid;
use metronome_proto::ns::ATOM;
use metronome_proto::payload::delay::format_time;
use metronome_proto::xml::Tree;
use metronome_pubsub::{Claim, Node, Trust, Verb, Verdict, attachments, judge};
use metronome_store::nodes::{ItemSearch, ItemsFound};

use super::place::Kind as Place;
use super::{SERVICE, nodes, settings};
use crate::upload::encode_name;

/// Whether there are feeds.
pub const SHOWN: Setting = Setting::new(
    "pubsub.feeds",
    SettingKind::Flag,
    "true",
    "Whether nodes that are open to all can be read as Atom feeds: those of the service (`/feeds/NODE`), and people's blogs \
     (`/blogs/NAME`).",
)
.per_host();

/// The first part of the path of a node's feed.
pub const NODES: &str = "/feeds/";

/// The first part of the path of somebody's blog.
pub const BLOGS: &str = "/blogs/";

/// The node with somebody's blog.
const BLOG: &str = "urn:xmpp:microblog:0";

/// Entries of a feed, the newest first.
const ENTRIES_MAX: usize = 50;

/// Bytes of items in a feed; there is always one.
const BYTES_MAX: usize = 512 * 1024;

/// A feed.
#[derive(Debug)]
pub struct Feed {
    /// The document.
    pub document: Vec<u8>,
    /// When something was published last, or the node was made; Unix time in milliseconds.
    pub updated_ms: u64,
}

/// What a feed is of.
struct Source<'a> {
    /// The address that has the node.
    address: &'a Jid,
    /// Where the feed is, if that is known.
    own: Option<String>,
    /// Who writes it, where the entries do not say.
    author: &'a str,
    /// How long items stay at most, in seconds.
    expire_s_max: u64,
}

/// The feed of a node of the service that this domain has, or that this is; none if not everybody may read it.
pub async fn of_node(server: &Arc<Server>, host: &Arc<Host>, name: &str) -> Result<Option<Feed>, Refuse> {
    let service = server.hosts.load().service_of(host, SERVICE.name).cloned();
    let Some(service) = service.filter(|service| service.values.flag(&SHOWN)) else { return Ok(None) };
    let facts = server.facts.of(&*server.store, &service.name).await?;
    let Some(owner) = facts.map(|facts| facts.account.id) else { return Ok(None) };
    let domain = service.beside.as_ref().and_then(|beside| server.hosts.load().get(beside.domain.as_str()).cloned());
    let own = domain.and_then(|domain| web::base(server, &domain));
    let own = own.map(|base| format!("{base}{NODES}{}", segments::write(name)));
    let expire_s_max = settings::limits(Place::Service, &service.values).expire_s_max;
    read(server, owner, name, &Source { address: &service.name, own, author: service.name.domain(), expire_s_max }).await
}

/// The feed of somebody's blog, by the local part of their address; none if there is none that everybody may read.
pub async fn of_blog(server: &Arc<Server>, host: &Arc<Host>, name: &str) -> Result<Option<Feed>, Refuse> {
    let jid = Jid::from_parts(Some(name), host.name.domain(), None).ok();
    // Only a prepared name is that of an account.
    let jid = jid.filter(|jid| jid.local() == Some(name) && host.beside.is_none() && host.values.flag(&SHOWN));
    let Some(jid) = jid else { return Ok(None) };
    let facts = server.facts.of(&*server.store, &jid).await?;
    let Some(facts) = facts.filter(|facts| facts.is_active()) else { return Ok(None) };
    let own = web::base(server, host).map(|base| format!("{base}{BLOGS}{}", segments::write(name)));
    let expire_s_max = settings::limits(Place::Account, &host.values).expire_s_max;
    read(server, facts.account.id, BLOG, &Source { address: &jid, own, author: name, expire_s_max }).await
}

async fn read(
    server: &Arc<Server>,
    owner: AccountId,
    name: &str,
    source: &Source<'_>,
) -> Result<Option<Feed>, Refuse> {
    let node = nodes::node(server, owner, name).await?;
    let Some(node) = node.filter(|node| is_open(node)) else { return Ok(None) };
    // What has expired is removed now and then, and is not there until then either.
    let from_ms = node.expired_before_ms(server.clock.unix_ms(), source.expire_s_max).unwrap_or(0);
    let search = ItemSearch { from_ms, rows_max: ENTRIES_MAX, bytes_max: BYTES_MAX, ..ItemSearch::default() };
    let ItemsFound::Page(page) = server.store.items(owner, name, search).await? else { return Ok(None) };
    Ok(Some(feed(&node, &page.rows, source)))
}

/// Whether everybody may read it, and it is one to be read.
fn is_open(node: &Node) -> bool {
    let anybody = Claim { affiliation: None, subscription: None, trust: &Trust::NONE };
    node.kind == NodeKind::Leaf
        && attachments::guard(&node.name).is_none()
        && judge(Verb::Read, anybody, node.policy()) == Verdict::Granted
}

/// The document; `items` are in the order in which they were published.
fn feed(node: &Node, items: &[Item], source: &Source<'_>) -> Feed {
    let uri = uri(source.address, &node.name);
    let updated_ms = items.iter().map(|item| item.updated_ms).max().unwrap_or(node.created_ms);
    let title = if node.config.title.is_empty() { source.author } else { &node.config.title };
    let element = |name: &str, text: &str| Tree::new(ATOM, name).text(text);
    let subtitle = Some(&*node.config.description).filter(|text| !text.is_empty());
    let link = |rel: &str, href: &str| Tree::new(ATOM, "link").attr("rel", rel).attr("href", href);
    let tree = Tree::new(ATOM, "feed")
        .child(element("id", &uri))
        .child(element("title", title))
        .children(subtitle.map(|text| element("subtitle", text)))
        .child(element("updated", &stamp(updated_ms)))
        .child(Tree::new(ATOM, "author").child(element("name", source.author)))
        .child(link("alternate", &uri))
        .children(source.own.as_deref().map(|own| link("self", own).attr("type", "application/atom+xml")))
        .children(items.iter().rev().map(|item| entry::of(item, &uri)));
    let mut document = b"<?xml version='1.0' encoding='utf-8'?>\n".to_vec();
    tree.write(&mut document, "");
    document.push(b'\n');
    Feed { document, updated_ms }
}

/// The address of a node (XEP-0060 section 12.22).
fn uri(address: &Jid, node: &str) -> String {
    let local = address.local().map(|local| format!("{}@", encode_name(local))).unwrap_or_default();
    format!("xmpp:{local}{}?;node={}", encode_name(address.domain()), encode_name(node))
}

fn stamp(at_ms: u64) -> String {
    format_time(i64::try_from(at_ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use metronome_model::NodeRow;
    use metronome_pubsub::config::{AccessModel, Config};

    use super::*;

    fn node(name: &str, config: Config) -> Node {
        let creator = Jid::parse("alice@localhost").unwrap();
        let row = NodeRow {
            name: name.into(),
            kind: NodeKind::Leaf,
            config: config.encode(),
            collections: Vec::new(),
            creator,
            created_ms: 1_000,
        };
        Node::read(row, Vec::new(), Vec::new())
    }

    #[test]
    fn only_open_nodes_are_read_by_everybody() {
        for model in [AccessModel::Presence, AccessModel::Roster, AccessModel::Authorize, AccessModel::Whitelist] {
            assert!(!is_open(&node("news", Config { access_model: model, ..Config::base() })), "{model:?}");
        }
        assert!(is_open(&node("news", Config::base())));
        assert!(!is_open(&node("urn:xmpp:pps:subscribers:0/news", Config::base())), "its own is asked elsewhere");
    }

    #[test]
    fn an_empty_node_is_a_feed_and_what_it_is_called_stays_text() {
        let config = Config { title: "<b>&".into(), description: "]]>".into(), ..Config::base() };
        let address = Jid::parse("pubsub.localhost").unwrap();
        let (own, author) = (Some("https://x/feeds/news".into()), "pubsub.localhost");
        let source = Source { address: &address, own, author, expire_s_max: 1 };
        let feed = feed(&node("news", config), &[], &source);
        let text = String::from_utf8(feed.document).unwrap();
        assert!(text.contains("<title>&lt;b&gt;&amp;</title><subtitle>]]&gt;</subtitle>"), "{text}");
        assert!(text.contains("<id>xmpp:pubsub.localhost?;node=news</id>"), "{text}");
        assert!(text.contains("<updated>1970-01-01T00:00:01.000Z</updated>") && feed.updated_ms == 1_000, "{text}");
        assert!(text.contains("<feed xmlns='http://www.w3.org/2005/Atom'>"), "{text}");
    }
}
