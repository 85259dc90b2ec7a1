//! What happens to nodes without a request: leases end, digests are told, items expire, and what lasts as long as somebody is online goes
//! with them. A tick looks at what is known to be due; a round goes through all nodes, and finds what nobody has noted.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::upkeep::{Named, Waits};
use metronome_model::{AccountId, Outcome};
use metronome_proto::jid::Jid;
use metronome_pubsub::{Node, attachments};
use metronome_store::StoreError;
use metronome_store::nodes::{ItemSearch, ItemsFound};

use super::asked::Asked;
use super::change::{self, Who};
use super::nodes;
use super::place::Place;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_secs(1);

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(3600);

/// How soon a node is looked at again that had nothing to tell.
const AGAIN_MS: u64 = 60_000;

/// Owners, and nodes of one of them, looked at together.
const PAGE: usize = 200;

/// How often one round removes expired items of one node; a store removes some hundreds at a time.
const EXPIRIES_MAX: usize = 1000;

/// Looks at what is due, until the server is dropped.
pub async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tick(&server).await;
    }
}

/// Goes its rounds, until the server is dropped.
pub async fn go_rounds(server: Arc<Server>) {
    tell_of_unreachable(&server).await;
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut people = People::MayComeBack;
    loop {
        rounds.tick().await;
        if let Err(refuse) = round(&server, people).await {
            // The next round goes on from there.
            tracing::error!(?refuse, "a round through the nodes has ended early");
        }
        people = People::AreGone;
    }
}

/// What is thought of people who are not online.
#[derive(Clone, Copy, PartialEq, Eq)]
enum People {
    /// The server has just been started, and their sessions may be resumed.
    MayComeBack,
    /// What lasts as long as they are there is over.
    AreGone,
}

/// What a node waits for is noted whenever it changes.
pub(super) fn note(server: &Server, owner: AccountId, name: &str, node: Option<&Node>) {
    let waits = node.map(|node| Waits { at_ms: node.next_ms(), people: node.lasting_with() });
    server.upkeep.note(owner, name, waits.unwrap_or_default());
}

/// One look.
pub async fn tick(server: &Arc<Server>) {
    for named in server.upkeep.due(server.clock.unix_ms()) {
        report(time(server, &named).await);
    }
    for (who, nodes) in server.upkeep.take_left() {
        for (owner, name) in nodes {
            report(gone(server, owner, &name, &who).await);
        }
    }
}

fn report(outcome: Result<(), Refuse>) {
    if let Err(refuse) = outcome {
        tracing::warn!(?refuse, "what is due at a node could not be done");
    }
}

/// It is time for a node; what it waits for next is noted, and that is a while away.
async fn time(server: &Arc<Server>, (owner, name): &Named) -> Result<(), Refuse> {
    let done = act(server, *owner, Asked::Time(name.clone())).await;
    let node = nodes::node(server, *owner, name).await?;
    let Some(node) = node else { return done };
    let again_ms = server.clock.unix_ms() + AGAIN_MS;
    let at_ms = node.next_ms().map(|at_ms| at_ms.max(again_ms));
    server.upkeep.note(*owner, name, Waits { at_ms, people: node.lasting_with() });
    done
}

async fn gone(server: &Arc<Server>, owner: AccountId, name: &str, who: &Jid) -> Result<(), Refuse> {
    act(server, owner, Asked::Gone { node: name.into(), who: who.clone() }).await
}

/// Decides it as the owner of all nodes, and makes it happen. An account that is no more has no nodes.
async fn act(server: &Arc<Server>, owner: AccountId, asked: Asked) -> Result<(), Refuse> {
    let Some(place) = Place::of_owner(server, owner).await? else { return Ok(()) };
    let acted = change::act(server, &place, &asked, &Who::owner(&place)).await?;
    match acted.commit(server).await {
        Outcome::Done { .. } | Outcome::Gone => {}
        outcome => tracing::warn!(?outcome, "what is due at a node was not made durable"),
    }
    Ok(())
}

/// Goes through the nodes of everybody who has some.
async fn round(server: &Arc<Server>, people: People) -> Result<(), Refuse> {
    let mut behind = 0;
    loop {
        let owners = server.store.node_owners(behind, PAGE).await?;
        let Some(last) = owners.last() else { return Ok(()) };
        behind = last.place;
        for owner in &owners {
            nodes_of(server, owner.account.id, people).await?;
        }
    }
}

async fn nodes_of(server: &Arc<Server>, owner: AccountId, people: People) -> Result<(), Refuse> {
    let mut behind: Option<Box<str>> = None;
    loop {
        let listed = server.store.nodes(owner, behind.as_deref(), PAGE).await?;
        let Some(last) = listed.last() else { return Ok(()) };
        behind = Some(last.row.name.clone());
        for row in &listed {
            look_at(server, owner, &row.row.name, people).await?;
        }
    }
}

/// Reads a node without keeping it in memory, where only nodes belong that somebody asks for.
async fn look_at(server: &Arc<Server>, owner: AccountId, name: &str, people: People) -> Result<(), Refuse> {
    let node = match nodes::peek(server, owner, name) {
        Some(known) => known,
        None => {
            let stored = server.store.node(owner, name).await?;
            stored.map(|stored| Arc::new(Node::read(stored.row, stored.affiliations, stored.subscriptions)))
        }
    };
    let Some(node) = node else { return Ok(()) };
    note(server, owner, name, Some(&node));
    if node.expires() {
        expire(server, owner, &node).await?;
    }
    if attachments::guard(name).is_some() || node.moved().is_some() {
        report(act(server, owner, Asked::Time(name.into())).await);
    }
    if people == People::AreGone {
        for who in node.lasting_with().iter().filter(|who| is_away(server, who)) {
            report(gone(server, owner, name, who).await);
        }
    }
    Ok(())
}

/// Removes expired items, as often as there are some.
async fn expire(server: &Arc<Server>, owner: AccountId, node: &Node) -> Result<(), Refuse> {
    for _ in 0..EXPIRIES_MAX {
        let before_ms = node.expired_before_ms(server.clock.unix_ms(), u64::MAX / 1000).unwrap_or(0);
        let search = ItemSearch { to_ms: before_ms.saturating_sub(1), rows_max: 0, ..ItemSearch::default() };
        match server.store.items(owner, &node.name, search).await? {
            ItemsFound::Page(page) if page.count.all > 0 => act(server, owner, Asked::Time(node.name.clone())).await?,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Whether somebody has an account here, and no session that is available.
fn is_away(server: &Server, who: &Jid) -> bool {
    let is_local = who.local().is_some() && server.hosts.load().get(who.domain()).is_some();
    is_local && server.sessions.named(who.bare_str()).iter().all(|session| !session.is_available())
}

/// Domains that have nodes and answer nowhere, most of them services whose name has changed, and how many nodes each has.
pub(crate) async fn unreachable(server: &Server) -> Result<Vec<(Box<str>, u64)>, StoreError> {
    let (mut behind, mut found) = (0, Vec::new());
    loop {
        let owners = server.store.node_owners(behind, PAGE).await?;
        let Some(last) = owners.last() else { return Ok(found) };
        behind = last.place;
        let hosts = server.hosts.load();
        let of_domains = owners.into_iter().filter(|owner| owner.account.name.is_empty());
        let left = of_domains.filter(|owner| hosts.answering(&owner.account.host).is_none());
        found.extend(left.map(|owner| (owner.account.host, owner.usage.nodes)));
    }
}

async fn tell_of_unreachable(server: &Server) {
    match unreachable(server).await {
        Ok(found) => {
            for (domain, nodes) in found {
                tracing::warn!(
                    domain = &*domain,
                    nodes,
                    "nobody reaches these nodes, since nothing here has that name; see `pubsub.service`"
                );
            }
        }
        Err(error) => tracing::error!(%error, "the nodes of domains cannot be read"),
    }
}
