//! What an account answers to those who may not see its presence (RFC 6121 section 8.5.1, and what some XEPs ask for instead). `route`
//! gives the same answer for accounts that do not exist, so nobody can tell the two apart by asking.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_proto::ns;
use metronome_proto::payload::disco::{self, Items};
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Child, Content};

/// Answers a request to an account that the sender may not know of, or that is not there.
pub fn answer(env: &mut Envelope) -> Result<(), Refuse> {
    let payload = env.stanza.content.iter().next();
    let is_of_nodes = payload.as_ref().is_some_and(is_of_nodes);
    let Some(payload) = payload.filter(|_| is_of_nodes || env.stanza.kind == Kind::Iq(IqType::Get)) else {
        return Err(Condition::ServiceUnavailable.into());
    };
    match (payload.ns(), payload.name()) {
        // XEP-0030 section 8: no items, rather than an error.
        (ns::DISCO_ITEMS, "query") => {
            let none = Items { node: disco::node(&payload), items: Vec::new() };
            env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&none.tree()))));
            Ok(())
        }
        // XEP-0012 section 3, and XEP-0279 section 4.
        (ns::LAST, "query") | (ns::SIC, "address") => Err(Condition::Forbidden.into()),
        // XEP-0060 section 6.5.9.11: nodes that somebody may not know of are not there.
        (ns::PUBSUB | ns::PUBSUB_OWNER, "pubsub") | (ns::MAM, "query") if is_of_nodes => {
            Err(Condition::ItemNotFound.into())
        }
        _ => Err(Condition::ServiceUnavailable.into()),
    }
}

/// Whether it is for a node of the account, or for the archive of one (XEP-0442).
fn is_of_nodes(payload: &Child<'_>) -> bool {
    match payload.ns() {
        ns::PUBSUB | ns::PUBSUB_OWNER => true,
        ns::MAM => payload.name() == "query" && payload.attr("node").is_some(),
        _ => false,
    }
}
