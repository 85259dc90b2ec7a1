//! XEP-0060 sections 8.6 and 8.7: owners answer by a message to those who want to subscribe and need an approval.

use std::sync::Arc;

use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::ns;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::message::MessageType;
use metronome_pubsub::authorization::Authorization;

use super::asked::Asked;
use super::change;
use super::place::Place;

/// Whether a message is the answer of an owner: to a service, to a domain, or to the own account.
pub fn is_answer(env: &Envelope) -> bool {
    let is_here = match env.destination {
        Destination::Service(_) | Destination::Host => {
            env.stanza.to.as_ref().is_some_and(|to| to.local().is_none())
        }
        Destination::OwnAccount => env.stanza.to.as_ref().is_none_or(|to| to.is_bare()),
        _ => false,
    };
    let is_message = matches!(env.stanza.kind, Kind::Message(kind) if kind != MessageType::Error);
    is_here && is_message && form(env).is_some()
}

fn form(env: &Envelope) -> Option<DataForm> {
    let form = env.stanza.child(ns::DATA_FORMS, "x")?;
    DataForm::read(&form).ok().filter(|form| form.form_type() == Some(ns::PUBSUB_SUBSCRIBE_AUTHORIZATION))
}

/// Decides what becomes of the subscription. An answer is not answered, unless it is refused.
pub async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let form = form(env).ok_or(Condition::BadRequest)?;
    let place = Place::of(server, env).await?;
    env.destination = Destination::Service(place.owner);
    match Authorization::read(&form)? {
        Some(answer) => change::run(server, env, &place, &Asked::Approval(answer)).await,
        // Cancelled: everything stays as it is.
        None => Ok(()),
    }
}
