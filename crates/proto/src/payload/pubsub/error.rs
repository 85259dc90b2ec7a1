//! What is wrong with a request: the condition of the stanza error, the type that the document shows with it, and the
//! condition of its own namespace beside it. The names are those of the schema of `pubsub#errors`.

use crate::ns;
use crate::payload::Malformed;
use crate::stanza::StanzaError;
use crate::stanza::error::{Condition, ErrorType};
use crate::xml::Tree;

/// A condition of publish-subscribe, beside that of the stanza error.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The access model is `whitelist`, and who asks is not on it.
    ClosedNode,
    /// There is no subscription without options.
    ConfigurationRequired,
    /// The address is none, or not that of who asks.
    InvalidJid,
    /// Options that cannot be set.
    InvalidOptions,
    /// Not exactly one payload, or of another type than the node's.
    InvalidPayload,
    /// There is no such subscription.
    InvalidSubid,
    /// The node takes no items.
    ItemForbidden,
    /// The node takes only items, or the request only ids of items.
    ItemRequired,
    /// Whose subscription it is has to be said.
    JidRequired,
    /// More items than the node keeps.
    MaxItemsExceeded,
    /// More nodes than there may be.
    MaxNodesExceeded,
    /// The node is full and rejects what is new.
    NodeFull,
    /// Which node it is has to be said.
    NodeidRequired,
    /// The access model is `roster`, and who asks is in none of its groups.
    NotInRosterGroup,
    /// There is no such subscriber.
    NotSubscribed,
    /// More bytes than the node takes.
    PayloadTooBig,
    /// The node takes only items with a payload.
    PayloadRequired,
    /// The subscription has not been approved yet.
    PendingSubscription,
    /// The node is not configured as the publisher expects.
    PreconditionNotMet,
    /// XEP-0395: the latest item is not the one that the publisher expects; the value of the latest, if there is one.
    CompareFailed(Option<Box<str>>),
    /// The access model is `presence`, and who asks has no subscription to it.
    PresenceSubscriptionRequired,
    /// There are several subscriptions, so which one it is has to be said.
    SubidRequired,
    /// More subscriptions than there may be.
    TooManySubscriptions,
    /// A feature that the node or the service does not have: its name without the namespace.
    Unsupported(&'static str),
    /// An access model that makes no sense here.
    UnsupportedAccessModel,
}

impl Reason {
    /// The name of its element.
    pub fn name(&self) -> &'static str {
        self.parts().0
    }

    /// The error that the document shows with it.
    pub fn error(self) -> PubsubError {
        let (_, condition, kind) = self.parts();
        PubsubError { kind, reason: Some(self), ..PubsubError::new(condition) }
    }

    /// The same beside another condition, where the document shows it with more than one.
    pub fn beside(self, condition: Condition) -> PubsubError {
        PubsubError { reason: Some(self), ..PubsubError::new(condition) }
    }

    fn parts(&self) -> (&'static str, Condition, ErrorType) {
        use Condition::{BadRequest, Conflict, FeatureNotImplemented, NotAcceptable, NotAllowed, NotAuthorized};
        let usual = |name, condition: Condition| (name, condition, condition.default_type());
        match self {
            Reason::ClosedNode => usual("closed-node", NotAllowed),
            Reason::ConfigurationRequired => usual("configuration-required", NotAcceptable),
            Reason::InvalidJid => usual("invalid-jid", BadRequest),
            Reason::InvalidOptions => usual("invalid-options", BadRequest),
            Reason::InvalidPayload => usual("invalid-payload", BadRequest),
            Reason::InvalidSubid => usual("invalid-subid", NotAcceptable),
            Reason::ItemForbidden => usual("item-forbidden", BadRequest),
            Reason::ItemRequired => usual("item-required", BadRequest),
            Reason::JidRequired => usual("jid-required", BadRequest),
            Reason::MaxItemsExceeded => usual("max-items-exceeded", NotAllowed),
            Reason::MaxNodesExceeded => usual("max-nodes-exceeded", NotAllowed),
            Reason::NodeFull => usual("node-full", Conflict),
            Reason::NodeidRequired => usual("nodeid-required", BadRequest),
            Reason::NotInRosterGroup => usual("not-in-roster-group", NotAuthorized),
            Reason::NotSubscribed => ("not-subscribed", Condition::UnexpectedRequest, ErrorType::Cancel),
            Reason::PayloadTooBig => usual("payload-too-big", NotAcceptable),
            Reason::PayloadRequired => usual("payload-required", BadRequest),
            Reason::PendingSubscription => usual("pending-subscription", NotAuthorized),
            Reason::PreconditionNotMet => usual("precondition-not-met", Conflict),
            Reason::CompareFailed(_) => ("precondition-not-met", Conflict, ErrorType::Modify),
            Reason::PresenceSubscriptionRequired => usual("presence-subscription-required", NotAuthorized),
            Reason::SubidRequired => usual("subid-required", BadRequest),
            Reason::TooManySubscriptions => ("too-many-subscriptions", Condition::PolicyViolation, ErrorType::Wait),
            Reason::Unsupported(_) => usual("unsupported", FeatureNotImplemented),
            Reason::UnsupportedAccessModel => usual("unsupported-access-model", NotAcceptable),
        }
    }

    /// Its elements: one, and the value of the latest item with a comparison that failed.
    fn trees(&self) -> impl Iterator<Item = Tree> {
        let own = Tree::new(ns::PUBSUB_ERRORS, self.name());
        let (own, more) = match self {
            Reason::Unsupported(feature) => (own.attr("feature", feature), None),
            Reason::CompareFailed(latest) => {
                let failed = Tree::new(ns::COMPARE_AND_PUBLISH, "compare-and-publish-failed");
                (own, Some(failed.attr_opt("cap-id", latest.as_ref())))
            }
            _ => (own, None),
        };
        [own].into_iter().chain(more)
    }
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}, {}", condition.name(), reason.as_ref().map_or("for no other reason", Reason::name))]
pub struct PubsubError {
    /// The condition of the stanza error.
    pub condition: Condition,
    /// What may be done about it.
    pub kind: ErrorType,
    /// The condition beside it.
    pub reason: Option<Reason>,
    /// For humans; English.
    pub text: Option<&'static str>,
    /// Where the node is now, as a URI.
    pub new_address: Option<Box<str>>,
    /// What of the request has failed, as it still is; it stands in the answer in the place of the request.
    pub failed: Option<Box<Tree>>,
}

impl PubsubError {
    /// An error that the stanza error's condition says all about.
    pub fn new(condition: Condition) -> PubsubError {
        let kind = condition.default_type();
        PubsubError { condition, kind, reason: None, text: None, new_address: None, failed: None }
    }

    /// Changes the type.
    #[must_use]
    pub fn with_type(self, kind: ErrorType) -> PubsubError {
        PubsubError { kind, ..self }
    }

    /// Adds a text for humans.
    #[must_use]
    pub fn with_text(self, text: &'static str) -> PubsubError {
        PubsubError { text: Some(text), ..self }
    }

    /// Says where the node is now.
    #[must_use]
    pub fn with_new_address(self, uri: &str) -> PubsubError {
        PubsubError { new_address: Some(uri.into()), ..self }
    }

    /// Says what of the request has failed.
    #[must_use]
    pub fn with_failed(self, failed: Tree) -> PubsubError {
        PubsubError { failed: Some(Box::new(failed)), ..self }
    }
}

impl From<Condition> for PubsubError {
    fn from(condition: Condition) -> PubsubError {
        PubsubError::new(condition)
    }
}

impl From<Reason> for PubsubError {
    fn from(reason: Reason) -> PubsubError {
        reason.error()
    }
}

impl From<Malformed> for PubsubError {
    fn from(malformed: Malformed) -> PubsubError {
        PubsubError::new(Condition::BadRequest).with_text(malformed.0)
    }
}

impl From<PubsubError> for StanzaError {
    fn from(error: PubsubError) -> StanzaError {
        let mut written = StanzaError::new(error.condition).with_type(error.kind);
        written.text = error.text.map(str::to_owned);
        written.new_address = error.new_address.map(String::from);
        written.application = error.reason.iter().flat_map(|reason| reason.trees()).collect();
        written
    }
}
