//! Affiliations: one's own (XEP-0060 section 5.7), and those of a node for its owners, who may change them (section 8.9) as far as the
//! state chart of section 4.1 goes. A node always keeps an owner.

use metronome_model::{Affiliation, NodeChange, SubscriptionState};
use metronome_proto::jid::Jid;
use metronome_proto::payload::pubsub::{AffiliationChange, Change, PubsubError, reply};
use metronome_proto::stanza::error::{Condition, ErrorType};

use crate::act::Act;
use crate::attachments;
use crate::decision::{Decision, Notification};
use crate::facts::Standing;
use crate::known::Stop;
use crate::node::Node;
use crate::verbs::last;
use crate::verbs::subscriptions::{self, Told};

/// The sender's own affiliations, with one node or with all.
pub(crate) fn own(act: Act<'_>, name: Option<&str>) -> Result<Decision, Stop> {
    let tree = match name {
        Some(name) => {
            let node = act.node(name)?;
            let affiliation = act.affiliation(node, act.facts.from);
            reply::affiliations(Some(name), affiliation.map(|affiliation| (name, affiliation)))
        }
        None => {
            let rows = act.known.affiliations(&act.facts.from.bare())?.iter();
            let named = rows.filter(|(node, _)| !node.is_empty());
            reply::affiliations(None, named.map(|(node, affiliation)| (&**node, *affiliation)))
        }
    };
    Ok(Decision::answer(tree.to_vec("")))
}

/// All affiliations with a node.
pub(crate) fn of_node(act: Act<'_>, name: &str) -> Result<Decision, Stop> {
    let node = act.managed(name)?;
    let entries = node.affiliations().iter().map(|(jid, affiliation)| (jid, Some(*affiliation)));
    Ok(Decision::answer(reply::owner_affiliations(name, entries).to_vec("")))
}

/// An owner changes affiliations: all of them as asked for, or none.
pub(crate) fn set(act: Act<'_>, name: &str, changes: &[AffiliationChange]) -> Result<Decision, Stop> {
    attachments::refuse_made(name)?;
    let node = act.managed(name)?;
    let wanted: Vec<_> = changes.iter().filter_map(|change| Some((&change.jid, target(change)?))).collect();
    let allowed = wanted.iter().all(|(jid, to)| may_become(act, node, jid, *to));
    if !allowed || !keeps_owner(act, node, &wanted) || len_after(node, &wanted) > act.limits().affiliations_max {
        return Err(unchanged(node, changes).into());
    }
    let mut decision = Decision::default();
    for (jid, affiliation) in wanted {
        if node.affiliation(jid) == affiliation {
            continue;
        }
        decision.change(name, NodeChange::Affiliate { jid: jid.clone(), affiliation });
        settle_subscriptions(act, &mut decision, node, jid, affiliation)?;
        let notice = reply::affiliation_notice(name, jid, affiliation).to_vec("");
        decision.notify(Notification::to_these(vec![jid.clone()], notice));
    }
    Ok(decision)
}

/// What somebody becomes; `None` if nothing is said.
fn target(change: &AffiliationChange) -> Option<Option<Affiliation>> {
    match change.affiliation {
        Change::Keep => None,
        Change::Remove => Some(None),
        Change::Set(affiliation) => Some(Some(affiliation)),
    }
}

/// The state chart of section 4.1: an owner can only resign, and a publisher does not become a mere member at once. Whoever owns all
/// nodes stays the owner of each; and may end the ownership of others, which among owners nobody may.
fn may_become(act: Act<'_>, node: &Node, jid: &Jid, to: Option<Affiliation>) -> bool {
    use Affiliation::{Member, Owner, Publisher};
    let resigns = jid.same_bare(act.facts.from) || act.facts.standing == Standing::Owner;
    match (node.affiliation(jid), to) {
        (from, to) if from == to => true,
        _ if act.is_owner_of_all(jid) => false,
        (Some(Owner), None) => resigns,
        (Some(Owner), Some(_)) | (Some(Publisher), Some(Member)) => false,
        _ => true,
    }
}

fn keeps_owner(act: Act<'_>, node: &Node, wanted: &[(&Jid, Option<Affiliation>)]) -> bool {
    let stays = |jid: &&Jid| !wanted.iter().any(|(changed, to)| changed == jid && *to != Some(Affiliation::Owner));
    let comes = wanted.iter().any(|(_, to)| *to == Some(Affiliation::Owner));
    comes || act.rules.owner(act.facts).is_some() || node.affiliated(Affiliation::Owner).any(|jid| stays(&jid))
}

fn len_after(node: &Node, wanted: &[(&Jid, Option<Affiliation>)]) -> usize {
    let new = wanted.iter().filter(|(jid, to)| to.is_some() && node.affiliation(jid).is_none());
    node.affiliations().len() + new.count()
}

/// Section 8.7.4: who is shut out, or may only publish, is subscribed no longer; who becomes an owner, a publisher or a member needs no
/// approval any more.
fn settle_subscriptions(
    act: Act<'_>,
    decision: &mut Decision,
    node: &Node,
    jid: &Jid,
    to: Option<Affiliation>,
) -> Result<(), Stop> {
    for row in node.subscriptions_of(jid) {
        let state = match to {
            Some(Affiliation::Outcast | Affiliation::PublishOnly) => None,
            Some(_) if row.state == SubscriptionState::Pending => Some(SubscriptionState::Subscribed),
            _ => continue,
        };
        decision.change(&node.name, subscriptions::made(node, row, state));
        subscriptions::tell(act, decision, node, row, state, Told::Subscriber);
        if state.is_some() {
            decision.notify(last::for_new(act, node, &row.jid)?);
        }
    }
    Ok(())
}

/// Nothing has changed: what was asked for is returned as it still is (section 8.9.2.4).
fn unchanged(node: &Node, changes: &[AffiliationChange]) -> PubsubError {
    let entries = changes.iter().map(|change| (&change.jid, node.affiliation(&change.jid)));
    let error = PubsubError::new(Condition::NotAcceptable).with_type(ErrorType::Modify);
    error.with_failed(reply::owner_affiliations(&node.name, entries))
}
