//! XEP-0060 section 8.7: owners ask, by an ad-hoc command of the service, for what waits for their approval. The command has no state: the
//! form says which node is meant.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Affiliation, SubscriptionState};
use metronome_proto::ns;
use metronome_proto::payload::commands::{Action, Actions, Request, Response, Status};
use metronome_proto::payload::data_form::FormType;
use metronome_proto::payload::disco::{Identity, Info, Item, Items};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::{Content, Tree};
use metronome_pubsub::authorization::{choose_node, chosen_node};
use metronome_pubsub::{Node, Standing};

use super::asked::Asked;
use super::change::{self, Who};
use super::nodes;
use super::place::Place;
use crate::disco;

/// The name of the command.
pub(crate) const GET_PENDING: &str = "http://jabber.org/protocol/pubsub#get-pending";

/// Most nodes that are offered, and looked at for somebody to whom all of them belong.
const NODES_MAX: usize = 1000;

/// What discovery says of the command.
pub(crate) fn info() -> Tree {
    let identities = vec![Identity::new("automation", "command-node").named("What waits for approval")];
    let features = vec![ns::COMMANDS.to_owned(), ns::DATA_FORMS.to_owned()];
    Info { node: Some(GET_PENDING.to_owned()), identities, features, ..Info::default() }.tree()
}

/// The commands of a service.
pub(crate) fn items(server: &Server, env: &Envelope) -> Tree {
    let jid = disco::asked_host(server, env).name.clone();
    let name = Some("What waits for approval".to_owned());
    let item = Item { jid, node: Some(GET_PENDING.to_owned()), name };
    Items { node: Some(ns::COMMANDS.to_owned()), items: vec![item] }.tree()
}

/// Answers the command.
pub(super) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let command = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let request = Request::read(&command).map_err(StanzaError::from)?;
    if request.node != GET_PENDING {
        return Err(Condition::ItemNotFound.into());
    }
    let place = Place::of(server, env).await?;
    let who = Who::sent(server, env, &place).await?;
    let is_cancelled = request.form.as_ref().is_some_and(|form| form.kind == FormType::Cancel);
    let session = request.session.unwrap_or_else(|| server.rng.token());
    let mut response = Response {
        node: GET_PENDING.to_owned(),
        session,
        status: Status::Completed,
        actions: None,
        form: None,
        notes: Vec::new(),
    };
    if request.action == Action::Cancel || is_cancelled {
        response.status = Status::Canceled;
    } else if let Some(form) = &request.form {
        let node = chosen_node(form).ok_or(Condition::BadRequest)?;
        let acted = change::act(server, &place, &Asked::Pending(node.into()), &who).await?;
        change::charge(server, &place, &who, acted.told_max)?;
        return finish(env, &response, acted.effects);
    } else {
        let waiting = waiting(server, &place, &who).await?;
        response.status = Status::Executing;
        response.actions = Some(Actions { execute: Action::Complete, has_previous: false });
        response.form = Some(choose_node(waiting.iter().map(|node| &*node.name)));
    }
    finish(env, &response, Vec::new())
}

fn finish(env: &mut Envelope, response: &Response, effects: Vec<Effect>) -> Result<(), Refuse> {
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&response.tree()))));
    env.effects.extend(effects);
    Ok(())
}

/// The nodes of whoever asks at which somebody waits; whoever owns none has nothing to approve.
async fn waiting(server: &Arc<Server>, place: &Place, who: &Who) -> Result<Vec<Arc<Node>>, Refuse> {
    let owner = place.owner.ok_or(Condition::Forbidden)?;
    let names: Vec<Box<str>> = match who.standing {
        Standing::Owner => {
            let rows = server.store.nodes(owner, None, NODES_MAX).await?;
            rows.into_iter().map(|node| node.row.name).collect()
        }
        _ => {
            let rows = server.store.affiliations_of(owner, &who.from.bare(), None, NODES_MAX).await?;
            rows.into_iter().filter(|(_, affiliation)| *affiliation == Affiliation::Owner).map(|(name, _)| name).collect()
        }
    };
    if names.is_empty() && who.standing != Standing::Owner {
        return Err(Condition::Forbidden.into());
    }
    let mut waiting = Vec::new();
    for name in names {
        let node = nodes::node(server, owner, &name).await?;
        waiting.extend(node.filter(|node| node.subscribers().iter().any(|row| row.state == SubscriptionState::Pending)));
    }
    Ok(waiting)
}
