//! Stanza errors (RFC 6120 section 8.3): the conditions, what each asks the sender to do, and the `<error/>` element.

use crate::conditions::conditions;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Content, Tree};

/// What the sender may do about an error (section 8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Try again with credentials.
    Auth,
    /// Do not try again.
    Cancel,
    /// Go on; it was a warning.
    Continue,
    /// Try again with other data.
    Modify,
    /// Try again later.
    Wait,
}

impl ErrorType {
    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Continue => "continue",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        }
    }

    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<ErrorType> {
        match attr {
            "auth" => Some(ErrorType::Auth),
            "cancel" => Some(ErrorType::Cancel),
            "continue" => Some(ErrorType::Continue),
            "modify" => Some(ErrorType::Modify),
            "wait" => Some(ErrorType::Wait),
            _ => None,
        }
    }
}

conditions! {
    /// The defined conditions, section 8.3.3.
    pub enum Condition {
        /// 8.3.3.1: the stanza is not as its schema says.
        BadRequest = "bad-request",
        /// 8.3.3.2: something of that name is there already.
        Conflict = "conflict",
        /// 8.3.3.3: nobody here implements it.
        FeatureNotImplemented = "feature-not-implemented",
        /// 8.3.3.4: the sender may not do this.
        Forbidden = "forbidden",
        /// 8.3.3.5: the recipient is no longer at this address.
        Gone = "gone",
        /// 8.3.3.6: something is wrong with the server itself.
        InternalServerError = "internal-server-error",
        /// 8.3.3.7: the address or the item is not there.
        ItemNotFound = "item-not-found",
        /// 8.3.3.8: an address that is none.
        JidMalformed = "jid-malformed",
        /// 8.3.3.9: a local policy wants it otherwise.
        NotAcceptable = "not-acceptable",
        /// 8.3.3.10: nobody may do this.
        NotAllowed = "not-allowed",
        /// 8.3.3.11: the sender must authenticate first.
        NotAuthorized = "not-authorized",
        /// 8.3.3.12: a local policy was violated.
        PolicyViolation = "policy-violation",
        /// 8.3.3.13: the recipient is away for now.
        RecipientUnavailable = "recipient-unavailable",
        /// 8.3.3.14: send it to another address.
        Redirect = "redirect",
        /// 8.3.3.15: the sender must register first.
        RegistrationRequired = "registration-required",
        /// 8.3.3.16: there is no such remote server.
        RemoteServerNotFound = "remote-server-not-found",
        /// 8.3.3.17: the remote server did not answer in time.
        RemoteServerTimeout = "remote-server-timeout",
        /// 8.3.3.18: not enough of something to do it now.
        ResourceConstraint = "resource-constraint",
        /// 8.3.3.19: nobody is there to answer, or nobody says so.
        ServiceUnavailable = "service-unavailable",
        /// 8.3.3.20: the sender must subscribe first.
        SubscriptionRequired = "subscription-required",
        /// 8.3.3.21: none of the others; the application's own condition says more.
        UndefinedCondition = "undefined-condition",
        /// 8.3.3.22: it was expected, but not now.
        UnexpectedRequest = "unexpected-request",
    }
}

impl Condition {
    /// The type that the RFC gives or recommends for it.
    pub fn default_type(self) -> ErrorType {
        match self {
            Condition::Forbidden
            | Condition::NotAuthorized
            | Condition::RegistrationRequired
            | Condition::SubscriptionRequired => ErrorType::Auth,
            Condition::Conflict
            | Condition::FeatureNotImplemented
            | Condition::Gone
            | Condition::InternalServerError
            | Condition::ItemNotFound
            | Condition::NotAllowed
            | Condition::RemoteServerNotFound
            | Condition::ServiceUnavailable => ErrorType::Cancel,
            Condition::BadRequest
            | Condition::JidMalformed
            | Condition::NotAcceptable
            | Condition::PolicyViolation
            | Condition::Redirect
            | Condition::UndefinedCondition => ErrorType::Modify,
            Condition::RecipientUnavailable
            | Condition::RemoteServerTimeout
            | Condition::ResourceConstraint
            | Condition::UnexpectedRequest => ErrorType::Wait,
        }
    }
}

/// The `<error/>` of an error stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// What is wrong.
    pub condition: Condition,
    /// What the sender may do about it.
    pub kind: ErrorType,
    /// For humans; English.
    pub text: Option<String>,
    /// Where to go instead, for [`Condition::Gone`] and [`Condition::Redirect`]: a URI.
    pub new_address: Option<String>,
    /// Who found the error, if it was not the one who sends it.
    pub by: Option<Jid>,
    /// Conditions of an application, beside the defined one (section 8.3.4): usually one or none.
    pub application: Vec<Tree>,
}

impl StanzaError {
    /// An error with its condition and the type that goes with it.
    pub fn new(condition: Condition) -> StanzaError {
        let kind = condition.default_type();
        StanzaError { condition, kind, text: None, new_address: None, by: None, application: Vec::new() }
    }

    /// Changes the type.
    #[must_use]
    pub fn with_type(mut self, kind: ErrorType) -> StanzaError {
        self.kind = kind;
        self
    }

    /// Adds a text for humans.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> StanzaError {
        self.text = Some(text.into());
        self
    }

    /// Adds an application's own condition.
    #[must_use]
    pub fn with_application(mut self, condition: Tree) -> StanzaError {
        self.application.push(condition);
        self
    }

    /// The `<error/>` element, for a stanza of a client's or server's stream.
    pub fn tree(&self) -> Tree {
        let address = self.new_address.as_deref().unwrap_or_default();
        let text = |text: &String| Tree::new(ns::STANZA_ERRORS, "text").attr("xml:lang", "en").text(text);
        Tree::new(ns::CLIENT, "error")
            .attr_opt("by", self.by.as_ref().map(Jid::as_str))
            .attr("type", self.kind.as_str())
            .child(Tree::new(ns::STANZA_ERRORS, self.condition.name()).text(address))
            .children(self.text.as_ref().map(text))
            .children(self.application.iter().cloned())
    }

    /// Reads the `<error/>` of an error stanza; `None` if it has none. Lenient: what is unknown becomes
    /// `undefined-condition`, a missing type the condition's own.
    pub fn read(content: &Content) -> Option<StanzaError> {
        let element = content.child(ns::CLIENT, "error")?;
        let mut error = StanzaError::new(Condition::UndefinedCondition);
        error.by = element.attr("by").and_then(|by| Jid::parse(&by).ok());
        for child in element.children() {
            error.read_child(&child);
        }
        let kind = element.attr("type").and_then(|kind| ErrorType::of(&kind));
        error.kind = kind.unwrap_or(error.condition.default_type());
        Some(error)
    }

    fn read_child(&mut self, child: &Child<'_>) {
        match (child.ns(), child.name()) {
            (ns::STANZA_ERRORS, "text") => self.text = Some(child.text().into_owned()),
            (ns::STANZA_ERRORS, name) => {
                let known = Condition::ALL.iter().find(|condition| condition.name() == name);
                self.condition = known.copied().unwrap_or(Condition::UndefinedCondition);
                let has_address = matches!(self.condition, Condition::Gone | Condition::Redirect);
                self.new_address = Some(child.text()).filter(|uri| has_address && !uri.is_empty()).map(String::from);
            }
            _ => self.application.push(child.tree()),
        }
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> StanzaError {
        StanzaError::new(condition)
    }
}
