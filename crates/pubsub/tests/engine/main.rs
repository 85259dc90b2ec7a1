//! The engine from outside: requests and answers as XML, over a small store of nodes. One file for each family of verbs, and random
//! sequences against what must always hold.
#![allow(clippy::unwrap_used)]

mod attachments;
mod collections;
mod managing;
mod nodes;
mod publishing;
mod random;
mod retrieving;
mod subscribing;
mod world;

use metronome_proto::payload::pubsub::PubsubError;
use metronome_proto::stanza::error::StanzaError;
use metronome_pubsub::{AccountRules, Limits, OnMissing, ServiceRules, config::Config};

use world::World;

/// A service with usual rules.
fn service() -> World {
    World::service(service_rules())
}

fn service_rules() -> ServiceRules {
    ServiceRules {
        leaf: Config { notify_delete: true, notify_retract: true, ..Config::base() },
        collection: Config { notify_delete: true, notify_config: true, ..Config::base() },
        on_missing: OnMissing::Refuse,
        limits: Limits::default(),
    }
}

/// Juliet's account.
fn account() -> World {
    use metronome_pubsub::config::AccessModel::Presence;
    World::account(AccountRules {
        leaf: Config { access_model: Presence, notify_delete: true, notify_retract: true, ..Config::base() },
        collection: Config { access_model: Presence, ..Config::base() },
        singletons: vec!["http://jabber.org/protocol/tune".into()],
        limits: Limits::default(),
    })
}

/// The error of a refusal, on the wire: condition and what stands beside it.
fn wire(refused: Result<world::Answer, PubsubError>) -> String {
    let error = StanzaError::from(refused.expect_err("it is refused"));
    let application: String = error.application.iter().map(|tree| format!(" {}", tree.name())).collect();
    format!("{}:{}{application}", error.kind.as_str(), error.condition.name())
}

/// A form that is filled in.
fn form(of: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| {
        let values: String = value.split('\n').map(|value| format!("<value>{value}</value>")).collect();
        format!("<field var='{var}'>{values}</field>")
    };
    let fields: String = fields.iter().map(field).collect();
    let form_type =
        format!("<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#{of}</value></field>");
    format!("<x xmlns='jabber:x:data' type='submit'>{form_type}{fields}</x>")
}
