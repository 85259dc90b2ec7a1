//! Subscribing (XEP-0060 section 6.1), with options, several times, for a time, or with an owner's approval.

use metronome_model::{NodeChange, NodeKind, SubscriptionState};
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{DataForm, FormType};
use metronome_proto::payload::pubsub::{Public, Reason, reply};
use metronome_proto::stanza::error::Condition;
use std::sync::Arc;

use crate::access::{Verb, Verdict};
use crate::act::{Act, refusal, unsupported};
use crate::body;
use crate::decision::Decision;
use crate::facts::Standing;
use crate::graph::ROOT;
use crate::known::Stop;
use crate::node::{Node, Subscriber};
use crate::options::Options;
use crate::public;
use crate::rules::ByPresence;
use crate::verbs::options as subscription_options;
use crate::verbs::subscriptions::{self, Told};
use crate::verbs::{approve, create, last};

pub(crate) fn subscribe(
    act: Act<'_>,
    name: &str,
    jid: &Jid,
    form: Option<&DataForm>,
    public: Public,
) -> Result<Decision, Stop> {
    if !jid.same_bare(act.facts.from) {
        return Err(Reason::InvalidJid.error().into());
    }
    if act.facts.standing == Standing::Anonymous {
        return Err(Condition::Forbidden.into());
    }
    let mut decision = Decision::default();
    let node = match public::subscribers_of(name) {
        Some(of) => public::made(act, &mut decision, name, of)?,
        None if name == ROOT => root(act, &mut decision)?,
        None => Arc::clone(act.node(name)?),
    };
    let state = granted(act, &node, jid)?;
    let mut options = subscription_options::chosen(act, &node, &Options::new(node.kind), form)?;
    options.public = public == Public::Yes;
    let row = match same(&node, jid, &options) {
        Some(known) => {
            options.digested_ms = known.options.digested_ms;
            Subscriber { state: known.state, subid: known.subid.clone(), ..new(act, jid, state, options) }
        }
        None => {
            check_room(act, &node, jid, &options)?;
            new(act, jid, state, options)
        }
    };
    decision.change(name, NodeChange::Subscribe(row.row(node.kind)));
    follow(act, &mut decision, &node, &row, form.is_some())?;
    Ok(decision)
}

/// The root of all nodes, made when somebody subscribes to it for the first time (XEP-0248 section 7.1). An account has none: there
/// presence subscribes to everything.
fn root(act: Act<'_>, decision: &mut Decision) -> Result<Arc<Node>, Stop> {
    if act.rules.by_presence() == ByPresence::Subscribes {
        return Err(unsupported("collections"));
    }
    match act.find(ROOT)? {
        Some(node) => Ok(Arc::clone(node)),
        None => create::add(
            act,
            decision,
            ROOT,
            NodeKind::Collection,
            act.rules.defaults(ROOT, NodeKind::Collection),
            Vec::new(),
        ),
    }
}

/// Whether the subscription counts at once, or waits for an owner.
fn granted(act: Act<'_>, node: &Node, jid: &Jid) -> Result<SubscriptionState, Stop> {
    if !node.config.subscribe {
        return Err(unsupported("subscribe"));
    }
    if node
        .subscriptions_at(jid)
        .iter()
        .any(|row| row.state == SubscriptionState::Pending && row.lasts(act.facts.now_ms))
    {
        return Err(Reason::PendingSubscription.error().into());
    }
    match act.verdict_for(node, Verb::Subscribe, jid)? {
        Verdict::Granted => Ok(SubscriptionState::Subscribed),
        Verdict::NeedsApproval => Ok(SubscriptionState::Pending),
        Verdict::Refused(why) => Err(refusal(why).into()),
    }
}

/// A subscription of this address with these options is the same one: clients subscribe again to be sure (section 6.1.6). Only its lease,
/// and whether it is public, may have changed.
fn same<'a>(node: &'a Node, jid: &Jid, options: &Options) -> Option<&'a Subscriber> {
    let alike =
        |known: &Options| Options { public: options.public, expire: options.expire, ..known.clone() } == *options;
    node.subscriptions_at(jid).iter().find(|row| alike(&row.options))
}

/// Whether there is room for another subscription, and sense in it: two to one collection for the same events are none (XEP-0248
/// section 5.1.3).
fn check_room(act: Act<'_>, node: &Node, jid: &Jid, options: &Options) -> Result<(), Stop> {
    let overlaps = |row: &Subscriber| row.options.subscription_type == options.subscription_type;
    if node.kind == NodeKind::Collection && node.subscriptions_at(jid).iter().any(overlaps) {
        return Err(Condition::Conflict.into());
    }
    let own = node.subscriptions_of(jid).count();
    let limits = act.limits();
    if own >= limits.subscriptions_each_max || node.subscribers().len() >= limits.subscriptions_max {
        return Err(Reason::TooManySubscriptions.error().into());
    }
    Ok(())
}

fn new(act: Act<'_>, jid: &Jid, state: SubscriptionState, options: Options) -> Subscriber {
    let expires_ms = subscription_options::ends_ms(&options);
    Subscriber { jid: jid.clone(), subid: act.facts.id(0), state, options, expires_ms }
}

/// The answer, and who hears of it: the owners who have to approve, or those who want to know; and the subscriber gets the last item.
fn follow(act: Act<'_>, decision: &mut Decision, node: &Node, row: &Subscriber, with_form: bool) -> Result<(), Stop> {
    let entry = subscriptions::entry(node, row, Some(row.state));
    let form = with_form.then(|| row.options.form(FormType::Result, node.kind, body::offered(node)));
    decision.reply = reply::subscription(&entry, reply::OptionsSupport::Supported, form.as_ref()).to_vec("");
    if row.state == SubscriptionState::Pending {
        decision.notify(approve::ask(act, node, row));
        return Ok(());
    }
    subscriptions::tell(act, decision, node, row, Some(row.state), Told::OnlyOwners);
    decision.notify(last::for_new(act, node, &row.jid)?);
    Ok(())
}
