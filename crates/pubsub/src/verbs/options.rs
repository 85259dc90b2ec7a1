//! The options of a subscription (XEP-0060 sections 6.3 and 6.4), and how long it is leased (section 12.18).

use metronome_model::{NodeChange, NodeKind, SubscriptionState};
use metronome_proto::payload::data_form::{DataForm, FormType};
use metronome_proto::payload::pubsub::{Reason, SubscriptionName, reply};

use crate::act::Act;
use crate::body;
use crate::decision::Decision;
use crate::known::Stop;
use crate::node::{Node, Subscriber};
use crate::options::{Bodies, Expire, Options};
use crate::verbs::unsubscribe;

/// The form with the options of a subscription.
pub(crate) fn get(act: Act<'_>, of: &SubscriptionName) -> Result<Decision, Stop> {
    let (node, row) = unsubscribe::find(act, of)?;
    let form = row.options.form(FormType::Form, node.kind, body::offered(node));
    let tree = reply::options(of.node.as_deref(), &row.jid, Some(&row.subid), &form);
    Ok(Decision::answer(tree.to_vec("")))
}

/// Sets them; a form that is cancelled changes nothing.
pub(crate) fn set(act: Act<'_>, of: &SubscriptionName, form: &DataForm) -> Result<Decision, Stop> {
    let (node, row) = unsubscribe::find(act, of)?;
    if form.kind == FormType::Cancel {
        return Ok(Decision::default());
    }
    let options = chosen(act, node, &row.options, Some(form))?;
    let state = match row.state {
        SubscriptionState::Unconfigured => SubscriptionState::Subscribed,
        state => state,
    };
    let expires_ms = ends_ms(&options);
    let row = Subscriber { options, state, expires_ms, ..row.clone() };
    let mut decision = Decision::default();
    decision.change(&node.name, NodeChange::Subscribe(row.row(node.kind)));
    Ok(decision)
}

/// The options of a subscription that sets none.
pub(crate) fn defaults(act: Act<'_>, name: Option<&str>) -> Result<Decision, Stop> {
    let node = name.map(|name| act.node(name)).transpose()?;
    let kind = node.map_or(NodeKind::Leaf, |node| node.kind);
    let bodies = node.map_or(Bodies::Made, |node| body::offered(node));
    let form = Options::new(kind).form(FormType::Form, kind, bodies);
    Ok(Decision::answer(reply::default_options(name, &form).to_vec("")))
}

/// What a form makes of options, within the longest lease; one that is over already is none.
pub(crate) fn chosen(act: Act<'_>, node: &Node, known: &Options, form: Option<&DataForm>) -> Result<Options, Stop> {
    let Some(form) = form else { return Ok(known.clone()) };
    let mut options = known.submit(form, node.kind, body::offered(node))?;
    if let Some(Expire::At(end_ms)) = options.expire {
        if end_ms <= act.facts.now_ms {
            return Err(Reason::InvalidOptions.error().into());
        }
        let latest_ms = act.facts.now_ms.saturating_add(act.limits().lease_ms_max);
        options.expire = Some(Expire::At(end_ms.min(latest_ms)));
    }
    if options.digest && !known.digest {
        options.digested_ms = act.facts.now_ms;
    }
    Ok(options)
}

/// When a subscription with these options ends by itself.
pub(crate) fn ends_ms(options: &Options) -> Option<u64> {
    match options.expire {
        Some(Expire::At(end_ms)) => Some(end_ms),
        Some(Expire::Presence) | None => None,
    }
}
