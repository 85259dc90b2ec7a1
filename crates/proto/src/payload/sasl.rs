//! RFC 6120 section 6: SASL, and the feature of XEP-0440. Data stay base64 text here; decoding them is for the mechanism's
//! caller, which answers `incorrect-encoding`.

use crate::conditions::conditions;
use crate::ns;
use crate::xml::{Element, Tree};

/// The stream feature: the mechanisms, best first.
pub fn feature<'a>(mechanisms: impl IntoIterator<Item = &'a str>) -> Tree {
    let mechanism = |name| Tree::new(ns::SASL, "mechanism").text(name);
    Tree::new(ns::SASL, "mechanisms").children(mechanisms.into_iter().map(mechanism))
}

/// The mechanisms that a feature offers.
pub fn mechanisms(feature: &Tree) -> Vec<String> {
    feature.elements().filter(|tree| tree.is(ns::SASL, "mechanism")).map(Tree::get_text).collect()
}

/// XEP-0440: the channel bindings that the server supports, beside the mechanisms.
pub fn channel_bindings<'a>(types: impl IntoIterator<Item = &'a str>) -> Tree {
    let binding = |name| Tree::new(ns::CHANNEL_BINDING, "channel-binding").attr("type", name);
    Tree::new(ns::CHANNEL_BINDING, "sasl-channel-binding").children(types.into_iter().map(binding))
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begins with a mechanism; data that are `=` mean data of no bytes, `None` means that none came.
    Auth {
        /// The mechanism's name.
        mechanism: String,
        /// The initial response, base64.
        data: Option<String>,
    },
    /// Answers a challenge; base64.
    Response(String),
    /// Gives up.
    Abort,
}

impl Request {
    /// Reads a top-level element; `None` if it is no SASL element of a client.
    pub fn read(element: &Element) -> Option<Request> {
        if element.ns() != ns::SASL {
            return None;
        }
        match element.name() {
            "auth" => {
                let mechanism = element.attr("mechanism").unwrap_or_default().into_owned();
                let data = element.text();
                Some(Request::Auth { mechanism, data: (!data.is_empty()).then(|| data.into_owned()) })
            }
            "response" => Some(Request::Response(element.text().into_owned())),
            "abort" => Some(Request::Abort),
            _ => None,
        }
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        match self {
            Request::Auth { mechanism, data } => {
                let data = data.as_deref().unwrap_or_default();
                Tree::new(ns::SASL, "auth").attr("mechanism", mechanism).text(data)
            }
            Request::Response(data) => Tree::new(ns::SASL, "response").text(data),
            Request::Abort => Tree::new(ns::SASL, "abort"),
        }
    }
}

/// What a server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Goes on; base64, possibly empty.
    Challenge(String),
    /// Done; base64 if the mechanism has something to add.
    Success(Option<String>),
    /// Refused.
    Failure {
        /// Why.
        condition: Condition,
        /// For humans; English.
        text: Option<String>,
    },
}

impl Answer {
    /// Reads a top-level element; `None` if it is no SASL element of a server. An unknown condition is `not-authorized`.
    pub fn read(element: &Element) -> Option<Answer> {
        if element.ns() != ns::SASL {
            return None;
        }
        match element.name() {
            "challenge" => Some(Answer::Challenge(element.text().into_owned())),
            "success" => Some(Answer::Success(Some(element.text().into_owned()).filter(|text| !text.is_empty()))),
            "failure" => {
                let known = |name: &str| Condition::ALL.iter().find(|condition| condition.name() == name).copied();
                let condition = element.children().find_map(|child| known(child.name()));
                let text = element.child(ns::SASL, "text").map(|text| text.text().into_owned());
                Some(Answer::Failure { condition: condition.unwrap_or(Condition::NotAuthorized), text })
            }
            _ => None,
        }
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        match self {
            Answer::Challenge(data) => Tree::new(ns::SASL, "challenge").text(data),
            Answer::Success(data) => Tree::new(ns::SASL, "success").text(data.as_deref().unwrap_or_default()),
            Answer::Failure { condition, text } => {
                let text = text.as_ref().map(|text| Tree::new(ns::SASL, "text").attr("xml:lang", "en").text(text));
                Tree::new(ns::SASL, "failure").child(Tree::new(ns::SASL, condition.name())).children(text)
            }
        }
    }
}

conditions! {
    /// Why authentication failed, section 6.5.
    pub enum Condition {
        /// 6.5.1: the client gave up.
        Aborted = "aborted",
        /// 6.5.2: the account is disabled.
        AccountDisabled = "account-disabled",
        /// 6.5.3: the credentials were right once.
        CredentialsExpired = "credentials-expired",
        /// 6.5.4: the mechanism needs TLS.
        EncryptionRequired = "encryption-required",
        /// 6.5.5: the data are not base64.
        IncorrectEncoding = "incorrect-encoding",
        /// 6.5.6: the client may not act as whom it asked to be.
        InvalidAuthzid = "invalid-authzid",
        /// 6.5.7: a mechanism that was not offered.
        InvalidMechanism = "invalid-mechanism",
        /// 6.5.8: the request is not as the mechanism says.
        MalformedRequest = "malformed-request",
        /// 6.5.9: the mechanism is too weak for this account.
        MechanismTooWeak = "mechanism-too-weak",
        /// 6.5.10: the credentials are wrong, or nobody says what is.
        NotAuthorized = "not-authorized",
        /// 6.5.11: try again later.
        TemporaryAuthFailure = "temporary-auth-failure",
    }
}
