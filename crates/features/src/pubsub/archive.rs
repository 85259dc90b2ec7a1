//! XEP-0442: what was published in a node, asked for as an archive (XEP-0313): a message for each item that it holds, as its subscribers were
//! sent it, in the order of publication. The id of an item is its id in the archive.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Item, NodeKind};
use metronome_proto::ns;
use metronome_proto::payload::forward::write_forwarded;
use metronome_proto::payload::mam::{self, Complete, Query};
use metronome_proto::payload::pubsub::{Items, Request};
use metronome_proto::payload::rsm::{Given, Wanted};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza, StanzaError};
use metronome_proto::xml::{Content, write};
use metronome_pubsub::{Known, Node, Nodes};
use metronome_store::archive::From;
use metronome_store::nodes::{ItemSearch, ItemsFound, ItemsPage};

use super::asked::Asked;
use super::change::{self, Stopped, Who};
use super::place::{self, Place};
use super::{nodes, settings};
use crate::mam::{PAGE, PAGE_MAX};

/// Most bytes of the items of a page, for somebody here and for somebody on another server, to whom they go through a queue of others.
const BYTES_MAX: usize = 448 * 1024;
const BYTES_ELSEWHERE: usize = 128 * 1024;

/// Most items that are asked for by their ids.
const IDS_MAX: usize = 100;

/// Whether a query of an archive is about a node.
pub(crate) fn is_of_node(env: &Envelope) -> bool {
    env.stanza.content.iter().next().is_some_and(|query| query.attr("node").is_some())
}

/// What may be asked for.
pub(super) fn form(env: &mut Envelope) -> Result<(), Refuse> {
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&mam::form()))));
    Ok(())
}

/// Answers `<query node='...'/>`: the results, and the answer behind them.
pub(crate) async fn answer(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let name = payload.attr("node").unwrap_or_default().into_owned();
    let place = Place::of(server, env).await?;
    // Whoever may not know of it hears nothing else, however they ask.
    let node = readable(server, env, &place, &name).await?;
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let (_, query) = Query::of_node(&payload).map_err(StanzaError::from)?;
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    if query.with.is_some() {
        return Err(StanzaError::new(Condition::FeatureNotImplemented).with_text("ask for all publishers").into());
    }
    let who = Who::sent(server, env, &place).await?;
    let (known, rules) = (Known::default(), settings::rules(&place));
    let facts = change::facts(server, &place, &who);
    let since_ms = node.expired_before_ms(facts.now_ms, rules.limits().expire_s_max).unwrap_or(0);
    let bytes_max = if env.sender.as_session().is_some() { BYTES_MAX } else { BYTES_ELSEWHERE };
    let page = match query.ids.is_empty() {
        true => searched(server, owner, &name, search(&query, &place.host, since_ms, bytes_max)).await?,
        false => named(server, owner, &name, &query, since_ms).await?,
    };
    let mut results = Vec::with_capacity(page.rows.len());
    for item in &page.rows {
        let event = Nodes { facts: &facts, known: &known, rules: &*rules }.items_since(&node, std::slice::from_ref(item));
        results.push(result(env, &place, &query, item, &event)?);
    }
    if query.flip {
        results.reverse();
    }
    let ends = page.rows.first().zip(page.rows.last());
    let given = Given {
        ends: ends.map(|(first, last)| (first.id.to_string(), last.id.to_string())),
        index: Some(page.count.index),
        count: Some(page.count.all),
    };
    let complete = if page.left == 0 { Complete::Yes } else { Complete::No };
    env.effects.extend(results.into_iter().map(Effect::Reply));
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&mam::fin(complete, &given)))));
    Ok(())
}

/// The node, if whoever asks may retrieve its items; otherwise the error that a request for items gets.
async fn readable(server: &Arc<Server>, env: &mut Envelope, place: &Place, name: &str) -> Result<Arc<Node>, Refuse> {
    let set = Wanted { max: Some(0), ..Wanted::default() };
    let asked = Asked::Request(Request::Items(Items { node: Some(name.into()), set, ..Items::default() }));
    place::refuse_stranger(server, env, place, &asked).await?;
    let who = Who::sent(server, env, place).await?;
    match change::act(server, place, &asked, &who).await {
        Ok(_) => {}
        Err(Stopped::Refused(error)) => return Err(super::refuse(env, *error)),
        Err(Stopped::Other(refuse)) => return Err(refuse),
    }
    let owner = place.owner.ok_or(Condition::ItemNotFound)?;
    let node = nodes::node(server, owner, name).await?.filter(|node| node.kind == NodeKind::Leaf);
    Ok(node.ok_or(Condition::FeatureNotImplemented)?)
}

/// The page that is asked for.
fn search(query: &Query, host: &Host, since_ms: u64, bytes_max: usize) -> ItemSearch {
    let (set, values) = (&query.set, &host.values);
    let id = |page: &Option<String>, bound: &Option<String>| {
        page.as_deref().filter(|id| !id.is_empty()).or(bound.as_deref()).map(Box::from)
    };
    ItemSearch {
        from_ms: query.start_ms.map_or(0, |start_ms| start_ms.max(0) as u64).max(since_ms),
        to_ms: query.end_ms.map_or(u64::MAX, |end_ms| end_ms.max(0) as u64),
        after: id(&set.after, &query.after_id),
        before: id(&set.before, &query.before_id),
        from: if set.before.is_some() { From::Last } else { From::First },
        skip: set.index.unwrap_or(0),
        rows_max: set.max.unwrap_or(values.count(&PAGE)).min(values.count(&PAGE_MAX)) as usize,
        bytes_max,
        ..ItemSearch::default()
    }
}

async fn searched(server: &Server, owner: AccountId, name: &str, search: ItemSearch) -> Result<ItemsPage, Refuse> {
    match server.store.items(owner, name, search).await? {
        ItemsFound::Page(page) => Ok(page),
        ItemsFound::NoNode | ItemsFound::Unknown => Err(Condition::ItemNotFound.into()),
    }
}

/// The items with these ids; all of them must be there (XEP-0313 section 4.1.4).
async fn named(
    server: &Server,
    owner: AccountId,
    name: &str,
    query: &Query,
    since_ms: u64,
) -> Result<ItemsPage, Refuse> {
    if query.ids.len() > IDS_MAX {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("ask for fewer at a time").into());
    }
    let mut ids: Vec<Box<str>> = query.ids.iter().map(|id| id.as_str().into()).collect();
    ids.sort();
    ids.dedup();
    let count = ids.len();
    let mut rows = server.store.items_by_id(owner, name, ids).await?;
    rows.retain(|item| item.updated_ms >= since_ms);
    rows.sort_by_key(|item| item.updated_ms);
    let bytes: usize = rows.iter().map(Item::len_bytes).sum();
    match rows.len() == count {
        true => Ok(ItemsPage { count: metronome_store::archive::Count { all: count as u64, index: 0 }, rows, left: 0 }),
        false if bytes > BYTES_MAX => Err(StanzaError::new(Condition::PolicyViolation).with_text("ask for fewer at a time").into()),
        false => Err(Condition::ItemNotFound.into()),
    }
}

/// One result (XEP-0313 section 4.2): the notification of the item, without anybody it was for.
fn result(env: &Envelope, place: &Place, query: &Query, item: &Item, event: &[u8]) -> Result<Stanza, Refuse> {
    let broken = |_| Refuse::from(StanzaError::new(Condition::InternalServerError));
    let kind = Kind::Message(MessageType::Headline);
    let sent = Stanza::new(kind, place.address.clone()).with_content(Content::parse(event).map_err(broken)?);
    let mut out = Vec::with_capacity(event.len() + 512);
    out.extend_from_slice(b"<result");
    write::attribute(&mut out, "xmlns", ns::MAM);
    if let Some(queryid) = &query.queryid {
        write::attribute(&mut out, "queryid", queryid);
    }
    write::attribute(&mut out, "id", &item.id);
    out.push(b'>');
    write_forwarded(&mut out, &sent, item.updated_ms);
    out.extend_from_slice(b"</result>");
    let content = Content::parse(&out).map_err(broken)?;
    let result = Stanza::new(Kind::Message(MessageType::Normal), place.address.clone());
    Ok(result.with_to(env.stanza.from.clone()).with_content(content))
}
