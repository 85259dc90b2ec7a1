//! One request from its facts to its consequences: decided under the locks of the nodes that change, with everything in the envelope that
//! then happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metronome_host::effect::{Effect, Effects};
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::nodes::{Changed, Others};
use metronome_host::owners::Locked;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, NodeChange, NodeKind, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::pubsub::PubsubError;
use metronome_proto::stanza::{Kind as StanzaKind, StanzaError};
use metronome_proto::stanza::error::Condition;
use metronome_pubsub::{
    Audience, ByPresence, Creation, Decision, Facts, Known, Nodes, Notification, Rules, Standing, Stop,
};

use super::asked::Asked;
use super::place::{Kind, Place};
use super::{audience, nodes, reads, reply, settings, upkeep};

/// How often locks are taken anew because the nodes that change have become others meanwhile.
const TRIES: usize = 5;

/// How many rounds of reading a decision may take.
const ROUNDS: usize = 200;

/// Why there is no decision.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It is refused.
    Refused(Box<PubsubError>),
    /// It cannot be decided.
    Other(Refuse),
}

impl From<Refuse> for Stopped {
    fn from(refuse: Refuse) -> Stopped {
        Stopped::Other(refuse)
    }
}

impl From<Stopped> for Refuse {
    fn from(stopped: Stopped) -> Refuse {
        match stopped {
            Stopped::Refused(error) => StanzaError::from(*error).into(),
            Stopped::Other(refuse) => refuse,
        }
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// Their address.
    pub from: Jid,
    /// What they are to all nodes of the place.
    pub standing: Standing,
    /// Whether they may make nodes there.
    pub creation: Creation,
}

impl Who {
    /// Whoever sent a stanza.
    pub(super) async fn sent(server: &Server, env: &Envelope, place: &Place) -> Result<Who, Refuse> {
        let standing = place.standing(server, env).await?;
        Ok(Who { from: env.stanza.from.clone(), standing, creation: place.creation(env, standing) })
    }

    /// The owner of all nodes of a place: an account, or an administrator.
    pub(super) fn owner(place: &Place) -> Who {
        Who { from: place.address.clone(), standing: Standing::Owner, creation: Creation::Allowed }
    }
}

/// What a request for nodes has come to: nothing of it has happened yet, and the locks of the nodes that change are held.
#[derive(Debug)]
pub struct Acted {
    /// What must become durable.
    pub record: Record,
    /// What then happens.
    pub effects: Effects,
    /// The locks under which it was decided, to be kept until that is so.
    pub locked: Option<Locked>,
    /// The content of the answer, as XML.
    pub reply: Vec<u8>,
    /// How many messages it may lead to.
    pub told_max: usize,
    /// Whose nodes; none if nothing changes at a domain that has had none yet.
    pub owner: Option<AccountId>,
}

impl Acted {
    /// Makes it happen, for whoever handles no stanza.
    pub async fn commit(self, server: &Server) -> Outcome {
        let Acted { record, effects, locked, .. } = self;
        if record.is_empty() && effects.is_empty() {
            return Outcome::Done { ids: Default::default() };
        }
        let outcome = server.commit_with(record, effects).await;
        drop(locked);
        outcome
    }
}

/// Decides a request that has come as a stanza, and fills its envelope.
pub(super) async fn run(server: &Arc<Server>, env: &mut Envelope, place: &Place, asked: &Asked) -> Result<(), Refuse> {
    run_holding(server, env, place, asked, &[]).await
}

/// The same for whoever holds the locks of these nodes already.
pub(super) async fn run_holding(
    server: &Arc<Server>,
    env: &mut Envelope,
    place: &Place,
    asked: &Asked,
    held: &[&str],
) -> Result<(), Refuse> {
    let who = Who::sent(server, env, place).await?;
    let acted = match act_holding(server, place, asked, &who, held).await {
        Ok(acted) => acted,
        Err(Stopped::Refused(error)) => return Err(super::refuse(env, *error)),
        Err(Stopped::Other(refuse)) => return Err(refuse),
    };
    charge(server, place, &who, acted.told_max)?;
    let is_of_account = matches!(env.destination, Destination::OwnAccount | Destination::Account(_));
    if !acted.record.is_empty() && !is_of_account {
        // One worker for all that happens to the nodes of a domain, whoever asks.
        env.destination = Destination::Service(acted.owner);
    }
    env.locked = acted.locked;
    env.record.ops.extend(acted.record.ops);
    if matches!(env.stanza.kind, StanzaKind::Iq(_)) {
        reply(env, &acted.reply)?;
    }
    env.effects.extend(acted.effects);
    Ok(())
}

/// Whoever makes the server write to many pays for it.
pub(super) fn charge(server: &Server, place: &Place, who: &Who, told_max: usize) -> Result<(), Refuse> {
    if pays(server, place, who.from.bare_str(), told_max) {
        return Ok(());
    }
    let error = StanzaError::new(Condition::ResourceConstraint).with_text("too many would be told of it; try again later");
    Err(error.into())
}

/// Whether so many messages may still be caused by the one with this bare address, who has paid for them then.
pub(super) fn pays(server: &Server, place: &Place, bare: &str, told_max: usize) -> bool {
    let limit = place.host.values.frequency(&settings::NOTIFICATIONS);
    let count = u32::try_from(told_max).unwrap_or(u32::MAX);
    count == 0 || server.throttles.notified.take_many(bare.into(), count, limit, server.clock.steady_ms())
}

/// How many messages a notification may lead to: to its subscribers, and to the contacts whom presence subscribes.
fn told_max(server: &Server, place: &Place, told: &Notification) -> usize {
    let seeing = || {
        let contacts = place.owner.filter(|_| place.kind == Kind::Account).and_then(|owner| server.sessions.contacts(owner));
        contacts.map_or(0, |contacts| contacts.iter().filter(|contact| contact.is_shown()).count())
    };
    let by_presence = match &told.to {
        Audience::Subscribers(to) if to.by_presence == ByPresence::Subscribes => seeing(),
        _ => 0,
    };
    told.to.len_max() + by_presence
}

/// Decides a request.
pub(super) async fn act(server: &Arc<Server>, place: &Place, asked: &Asked, who: &Who) -> Result<Acted, Stopped> {
    act_holding(server, place, asked, who, &[]).await
}

/// The same for whoever holds the locks of these nodes already, none of which comes behind another that will change.
pub(super) async fn act_holding(
    server: &Arc<Server>,
    place: &Place,
    asked: &Asked,
    who: &Who,
    held: &[&str],
) -> Result<Acted, Stopped> {
    let facts = facts(server, place, who);
    let mut place = place.clone();
    let (decision, locked) = decided(server, &mut place, &facts, asked, held).await?;
    let (mut record, mut effects) = (Record::default(), Effects::new());
    if let Some(owner) = place.owner {
        put(server, owner, decision.changes, &mut record, &mut effects);
    }
    let told_max = decision.notifications.iter().map(|told| self::told_max(server, &place, told)).sum();
    let reply_to = (place.kind == Kind::Account && asked.publishes() && who.from.is_full()).then(|| who.from.clone());
    audience::notify(server, &mut effects, &place, decision.notifications, reply_to).await?;
    Ok(Acted { record, effects, locked, reply: decision.reply, told_max, owner: place.owner })
}

/// What is known of whoever asks.
pub(super) fn facts<'a>(server: &Server, place: &'a Place, who: &'a Who) -> Facts<'a> {
    Facts {
        from: &who.from,
        address: &place.address,
        standing: who.standing,
        creation: who.creation,
        now_ms: server.clock.unix_ms(),
        random: server.rng.bytes16(),
    }
}

/// The decision, with the locks under which it was made.
async fn decided(
    server: &Arc<Server>,
    place: &mut Place,
    facts: &Facts<'_>,
    asked: &Asked,
    held: &[&str],
) -> Result<(Decision, Option<Locked>), Stopped> {
    let rules = settings::rules(place);
    let mut names: BTreeSet<Box<str>> = asked.node().filter(|_| asked.changes()).map(Box::from).into_iter().collect();
    for _ in 0..TRIES {
        let sorted: Vec<&str> = names.iter().map(|name| &**name).filter(|name| !held.contains(name)).collect();
        let locked = match place.owner {
            Some(owner) if !sorted.is_empty() => Some(server.owners.lock_nodes(owner, &sorted).await),
            _ => None,
        };
        let decision = with_what_it_needs(server, place, facts, asked, &*rules).await?;
        if decision.changes.is_empty() {
            return Ok((decision, locked));
        }
        if place.owner.is_none() {
            place.owner = Some(place.owner_made(server).await?);
        } else if decision.nodes().into_iter().all(|name| names.contains(name)) {
            return Ok((decision, locked));
        }
        names.extend(decision.nodes().into_iter().map(Box::from));
    }
    Err(Stopped::Other(Condition::ResourceConstraint.into()))
}

async fn with_what_it_needs(
    server: &Arc<Server>,
    place: &Place,
    facts: &Facts<'_>,
    asked: &Asked,
    rules: &dyn Rules,
) -> Result<Decision, Stopped> {
    let mut known = Known::default();
    for _ in 0..ROUNDS {
        let needs = match asked.decide(Nodes { facts, known: &known, rules }) {
            Ok(decision) => return Ok(decision),
            Err(Stop::Refuse(error)) => return Err(Stopped::Refused(error)),
            Err(Stop::Need(needs)) => needs,
        };
        for need in needs {
            reads::add(server, place, &mut known, need).await?;
        }
    }
    Err(Stopped::Other(Condition::ResourceConstraint.into()))
}

/// The changes go into the record, and what is in memory follows them.
fn put(
    server: &Server,
    owner: AccountId,
    changes: Vec<(Box<str>, NodeChange)>,
    record: &mut Record,
    effects: &mut Effects,
) {
    let mut after = BTreeMap::new();
    let mut others = Others::Stay;
    // Of items nothing is in memory but this one's hash.
    let is_of_avatar = changes.iter().any(|(name, _)| **name == *ns::AVATAR_METADATA);
    for (name, change) in &changes {
        if is_of_items(change) {
            continue;
        }
        let before = match after.remove(name) {
            Some(known) => known,
            None => nodes::peek(server, owner, name).flatten(),
        };
        let is_collection = before.as_ref().is_none_or(|node| node.kind == NodeKind::Collection);
        if *change == NodeChange::Delete && is_collection {
            others = Others::Forgotten;
        }
        after.insert(name.clone(), before.and_then(|node| node.after(change)).map(Arc::new));
    }
    for (name, node) in &after {
        upkeep::note(server, owner, name, node.as_deref());
    }
    let subscribed = |change: &NodeChange| match change {
        NodeChange::Subscribe(row) => Some(row.jid.bare_str().into()),
        _ => None,
    };
    let subscribed = changes.iter().filter_map(|(_, change)| subscribed(change)).collect();
    let known = |node: Option<Arc<_>>| node.map(|node| nodes::known(Some(node)));
    let changed: Vec<_> = after.into_iter().map(|(name, node)| (name, known(node))).collect();
    if !changed.is_empty() || is_of_avatar {
        effects.push(Effect::Nodes(Box::new(Changed { owner, nodes: changed, others, subscribed })));
    }
    for (name, change) in changes {
        record.push(Op::Node { owner, name, change: Box::new(change) });
    }
}

/// Whether it leaves everything but the items of a node as it was.
fn is_of_items(change: &NodeChange) -> bool {
    matches!(
        change,
        NodeChange::Publish { .. }
            | NodeChange::Retract { .. }
            | NodeChange::Trim { .. }
            | NodeChange::Expire { .. }
            | NodeChange::Purge
            | NodeChange::PurgeButNewest
    )
}
