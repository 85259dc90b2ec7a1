//! XEP-0030: Service Discovery of the host and of the sender's own account.
//! Answers from the registry alone: what is announced is what the features say they do. Keeps nothing.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::ns;
use metronome_proto::xml::Content;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Tree;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "disco",
    xeps: &[Xep::new(30, "2.5.0", "Service Discovery")],
    disco: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    disco_account: &[ns::DISCO_INFO, ns::DISCO_ITEMS],
    iq: &[
        handler(At::Host, ns::DISCO_INFO),
        handler(At::Host, ns::DISCO_ITEMS),
        handler(At::OwnAccount, ns::DISCO_INFO),
        handler(At::OwnAccount, ns::DISCO_ITEMS),
    ],
    ..Feature::NONE
};

const fn handler(at: At, ns: &'static str) -> IqHandler {
    let asks = match at {
        At::Host => Asks::Snapshot,
        At::OwnAccount => Asks::Read,
    };
    IqHandler {
        kind: IqType::Get,
        at,
        ns,
        name: "query",
        asks,
        handle: match at {
            At::Host => |server, env| Box::pin(std::future::ready(answer(server, env, At::Host))),
            At::OwnAccount => |server, env| Box::pin(std::future::ready(answer(server, env, At::OwnAccount))),
        },
    }
}

fn answer(server: &Arc<Server>, env: &mut Envelope, at: At) -> Result<(), Refuse> {
    let Some(query) = env.stanza.content.iter().next() else { return Ok(()) };
    if query.attr("node").is_some_and(|node| !node.is_empty()) {
        return Err(StanzaError::new(Condition::ItemNotFound).into());
    }
    let answer = match query.ns() {
        ns::DISCO_INFO => info(server, at),
        other => Tree::new(other, "query"),
    };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&answer))));
    Ok(())
}

fn info(server: &Arc<Server>, at: At) -> Tree {
    let identity = Tree::new(ns::DISCO_INFO, "identity");
    let identity = match at {
        At::Host => identity.attr("category", "server").attr("type", "im").attr("name", "metronome"),
        At::OwnAccount => identity.attr("category", "account").attr("type", "registered"),
    };
    let features = server.registry.disco(at).iter();
    features.fold(Tree::new(ns::DISCO_INFO, "query").child(identity), |query, feature| {
        query.child(Tree::new(ns::DISCO_INFO, "feature").attr("var", feature))
    })
}
