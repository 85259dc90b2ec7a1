//! A request for nodes, whatever it came as: what it is about, and how it is decided.

use metronome_host::envelope::Envelope;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::pubsub::{OwnerRequest, PubsubError, Request};
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::Condition;
use metronome_pubsub::authorization::Authorization;
use metronome_pubsub::{Decision, Nodes, Stop};

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// By entities, subscribers and publishers.
    Request(Request),
    /// By owners.
    Owner(OwnerRequest),
    /// An owner has answered to a subscription.
    Approval(Authorization),
    /// An owner wants to see what waits for approval at a node.
    Pending(Box<str>),
    /// It is time for a node: what is over ends, and what was collected is told.
    Time(Box<str>),
    /// Somebody has become unavailable: full for one resource, bare once none is left.
    Gone {
        /// The node.
        node: Box<str>,
        /// Who.
        who: Jid,
    },
}

impl Asked {
    /// Reads the one payload of a request.
    pub(super) fn read(env: &Envelope) -> Result<Asked, PubsubError> {
        let Kind::Iq(kind) = env.stanza.kind else { return Err(Condition::BadRequest.into()) };
        let pubsub = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
        Ok(match pubsub.ns() {
            ns::PUBSUB_OWNER => Asked::Owner(OwnerRequest::read(kind, &pubsub)?),
            _ => Asked::Request(Request::read(kind, &pubsub)?),
        })
    }

    /// The verb.
    pub(super) fn decide(&self, nodes: Nodes<'_>) -> Result<Decision, Stop> {
        match self {
            Asked::Request(request) => nodes.decide(request),
            Asked::Owner(request) => nodes.decide_owner(request),
            Asked::Approval(answer) => nodes.approve(answer),
            Asked::Pending(node) => nodes.pending(node),
            Asked::Time(node) => nodes.time(node),
            Asked::Gone { node, who } => nodes.gone(node, who),
        }
    }

    /// The node that it is about; none if it is about all of them, or about one without a name.
    pub(super) fn node(&self) -> Option<&str> {
        let node = match self {
            Asked::Request(request) => match request {
                Request::Create { node, .. }
                | Request::Subscribe { node, .. }
                | Request::DefaultOptions { node }
                | Request::Subscriptions { node }
                | Request::Affiliations { node } => node.as_deref(),
                Request::Unsubscribe(of) | Request::Options(of) | Request::SetOptions { of, .. } => of.node.as_deref(),
                Request::Items(items) => items.node.as_deref(),
                Request::Publish { node, .. } | Request::Retract { node, .. } => Some(&**node),
            },
            Asked::Owner(request) => match request {
                OwnerRequest::DefaultConfiguration { .. } => None,
                OwnerRequest::Configuration { node }
                | OwnerRequest::Configure { node, .. }
                | OwnerRequest::Delete { node, .. }
                | OwnerRequest::Purge { node }
                | OwnerRequest::Subscriptions { node }
                | OwnerRequest::SetSubscriptions { node, .. }
                | OwnerRequest::Affiliations { node }
                | OwnerRequest::SetAffiliations { node, .. }
                | OwnerRequest::Associate { node, .. }
                | OwnerRequest::Dissociate { node, .. } => Some(&**node),
            },
            Asked::Approval(answer) => Some(&*answer.node),
            Asked::Pending(node) | Asked::Time(node) | Asked::Gone { node, .. } => Some(&**node),
        };
        node.filter(|node| !node.is_empty())
    }

    /// Whether it may change something: then the lock of its node is taken before it is decided.
    pub(super) fn changes(&self) -> bool {
        match self {
            Asked::Request(request) => matches!(
                request,
                Request::Create { .. }
                    | Request::Subscribe { .. }
                    | Request::Unsubscribe(_)
                    | Request::SetOptions { .. }
                    | Request::Publish { .. }
                    | Request::Retract { .. }
            ),
            Asked::Owner(request) => !matches!(
                request,
                OwnerRequest::Configuration { .. }
                    | OwnerRequest::DefaultConfiguration { .. }
                    | OwnerRequest::Subscriptions { .. }
                    | OwnerRequest::Affiliations { .. }
            ),
            Asked::Approval(_) | Asked::Time(_) | Asked::Gone { .. } => true,
            Asked::Pending(_) => false,
        }
    }

    /// Whether it tells of an event of who asks, whose client is then named to those who see its presence (XEP-0163 section 4.3.1).
    pub(super) fn publishes(&self) -> bool {
        matches!(self, Asked::Request(Request::Publish { .. }))
    }
}
