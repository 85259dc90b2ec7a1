//! XEP-0060: Publish-Subscribe, on a service of each domain, and on every account and domain itself (XEP-0163). Verbs are decided in the
//! crate `pubsub`; this gathers what a decision needs, holds the locks of the nodes, and puts what comes of it into the envelope.

mod announced;
mod approval;
mod asked;
mod audience;
mod change;
mod commands;
pub mod discovery;
pub mod last;
pub mod nodes;
pub(crate) mod pending;
mod place;
mod reads;
mod settings;
mod trust;
pub mod upkeep;

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Asks, At, Feature, IqHandler, Service, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::pubsub::{PubsubError, Request};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;
use metronome_pubsub::{Trust, Verb, Verdict, asks_for_trust, judge};

use crate::conversions::bookmarks;
use asked::Asked;
use place::{Kind, Place};

pub use change::Acted;
pub use approval::{admit as admit_answer, is_answer};
pub use settings::{PLACE, SETTINGS};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "pubsub",
    xeps: &[
        Xep::new(60, "1.30.0", "Publish-Subscribe"),
        Xep::new(163, "1.2.2", "Personal Eventing Protocol"),
        Xep::new(222, "1.0", "Persistent Storage of Public Data via PubSub"),
        Xep::new(223, "1.1.1", "Persistent Storage of Private Data via PubSub"),
        Xep::new(131, "1.2", "Stanza Headers and Internet Metadata"),
        Xep::new(248, "0.5.0", "PubSub Collection Nodes"),
        Xep::new(395, "0.2.0", "Atomically Compare-And-Publish PubSub Items"),
        Xep::new(413, "0.2.1", "Order-By"),
        Xep::new(462, "0.1.1", "PubSub Type Filtering"),
        Xep::new(465, "0.1.1", "Pubsub Public Subscriptions"),
    ],
    identities: &[("pubsub", "pep")],
    disco: announced::ACCOUNT,
    disco_account: announced::ACCOUNT,
    service: Some(&SERVICE),
    iq: IQ,
    settings: SETTINGS,
    commands: commands::COMMANDS,
    ..Feature::NONE
};

/// The service that each domain has.
pub static SERVICE: Service = Service {
    name: "pubsub",
    identity: ("pubsub", "service"),
    title: "Publish-Subscribe",
    disco: announced::SERVICE,
    place: &PLACE,
};

const AT_SERVICE: At = At::Service("pubsub");

const IQ: &[IqHandler] = &[
    handler(AT_SERVICE, IqType::Get, ns::PUBSUB),
    handler(AT_SERVICE, IqType::Set, ns::PUBSUB),
    handler(AT_SERVICE, IqType::Get, ns::PUBSUB_OWNER),
    handler(AT_SERVICE, IqType::Set, ns::PUBSUB_OWNER),
    handler(At::Host, IqType::Get, ns::PUBSUB),
    handler(At::Host, IqType::Set, ns::PUBSUB),
    handler(At::Host, IqType::Get, ns::PUBSUB_OWNER),
    handler(At::Host, IqType::Set, ns::PUBSUB_OWNER),
    handler(At::OwnAccount, IqType::Get, ns::PUBSUB),
    handler(At::OwnAccount, IqType::Set, ns::PUBSUB),
    handler(At::OwnAccount, IqType::Get, ns::PUBSUB_OWNER),
    handler(At::OwnAccount, IqType::Set, ns::PUBSUB_OWNER),
    handler(At::Account, IqType::Get, ns::PUBSUB),
    handler(At::Account, IqType::Set, ns::PUBSUB),
    handler(At::Account, IqType::Get, ns::PUBSUB_OWNER),
    handler(At::Account, IqType::Set, ns::PUBSUB_OWNER),
    IqHandler {
        kind: IqType::Set,
        at: AT_SERVICE,
        ns: ns::COMMANDS,
        name: "command",
        asks: Asks::Read,
        handle: |server, env| Box::pin(pending::admit(server, env)),
    },
];

/// What changes a node is decided under the lock of that node, so other requests of the stream need not wait for it unless they are for
/// the same address.
const fn handler(at: At, kind: IqType, ns: &'static str) -> IqHandler {
    IqHandler { kind, at, ns, name: "pubsub", asks: Asks::Read, handle: |server, env| Box::pin(admit(server, env)) }
}

async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let place = Place::of(server, env).await?;
    let asked = Asked::read(env);
    if let Ok(asked) = &asked {
        place::refuse_stranger(server, env, &place, asked).await?;
    } else if place.kind == Kind::Account && !place::may_see(server, env, &place).await? {
        return Err(Condition::ItemNotFound.into());
    }
    let asked = asked.map_err(|error| refuse(env, error))?;
    if let (Destination::OwnAccount, Some(owner), Asked::Request(request)) = (env.destination, place.owner, &asked) {
        bookmarks::before(server, owner, &place.address, request).await?;
        if bookmarks::changes_list(server, owner, request).await? {
            change::run_at_once(server, env, &place, &asked).await?;
            return bookmarks::keep_list(server, owner, &place.address).await;
        }
    }
    change::run(server, env, &place, &asked).await
}

/// Whether somebody may read a node of an account; nobody may read one that is not there.
pub(crate) async fn may_read(
    server: &Arc<Server>,
    owner: AccountId,
    address: &Jid,
    name: &str,
    who: &Jid,
) -> Result<bool, Refuse> {
    let Some(node) = nodes::node(server, owner, name).await? else { return Ok(false) };
    if address.same_bare(who) {
        return Ok(true);
    }
    let place = Place::of_account(server, owner, address)?;
    let trust = match asks_for_trust(Verb::Read, node.affiliation(who), node.config.access_model) {
        true => trust::of(server, &place, &node, who).await?,
        false => Trust::NONE,
    };
    Ok(judge(Verb::Read, node.claim(who, &trust, server.clock.unix_ms()), node.policy()) == Verdict::Granted)
}

/// Decides a request of the owner of an account's nodes that has not come as one: the server itself publishes, or keeps forms of the same
/// thing alike. Takes the locks of the nodes that change; whoever holds an account's lock may ask for it, and nobody who holds a node's.
pub async fn as_owner(
    server: &Arc<Server>,
    owner: AccountId,
    address: &Jid,
    request: Request,
) -> Result<Acted, Refuse> {
    let place = Place::of_account(server, owner, address)?;
    let who = change::Who::owner(&place);
    Ok(change::act(server, &place, &Asked::Request(request), &who).await?)
}

/// The error that answers a request; what of it has failed stands there in its place.
fn refuse(env: &mut Envelope, error: PubsubError) -> Refuse {
    if let Some(failed) = &error.failed {
        Arc::make_mut(&mut env.stanza).content = Content::from_tree(failed);
    }
    StanzaError::from(error).into()
}

/// The answer of a request that is granted.
fn reply(env: &mut Envelope, content: &[u8]) -> Result<(), Refuse> {
    let broken = |_| Refuse::from(StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait));
    let content = if content.is_empty() { Content::empty() } else { Content::parse(content).map_err(broken)? };
    env.effects.push(Effect::Reply(env.stanza.result(content)));
    Ok(())
}
