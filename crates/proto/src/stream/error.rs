//! Stream errors (RFC 6120 section 4.9): the last thing that is said on a stream before it is closed.

use crate::conditions::conditions;
use crate::ns;
use crate::xml::{Element, Tree, write};

conditions! {
    /// The defined conditions, section 4.9.3.
    pub enum Condition {
        /// 4.9.3.1: XML that cannot be processed.
        BadFormat = "bad-format",
        /// 4.9.3.2: an unsupported prefix, or none where one is needed.
        BadNamespacePrefix = "bad-namespace-prefix",
        /// 4.9.3.3: another stream has taken this one's place.
        Conflict = "conflict",
        /// 4.9.3.4: the other side does not answer any more.
        ConnectionTimeout = "connection-timeout",
        /// 4.9.3.5: the domain is no longer served here.
        HostGone = "host-gone",
        /// 4.9.3.6: the domain is not served here.
        HostUnknown = "host-unknown",
        /// 4.9.3.7: a stanza between servers without `to` or `from`, or with one that is not an address.
        ImproperAddressing = "improper-addressing",
        /// 4.9.3.8: something is wrong with the server itself.
        InternalServerError = "internal-server-error",
        /// 4.9.3.9: `from` is not what was authenticated.
        InvalidFrom = "invalid-from",
        /// 4.9.3.10: the namespace of the stream or of its content.
        InvalidNamespace = "invalid-namespace",
        /// 4.9.3.11: the content is not what its namespace says.
        InvalidXml = "invalid-xml",
        /// 4.9.3.12: something was sent that needs authentication first.
        NotAuthorized = "not-authorized",
        /// 4.9.3.13: the XML is not well-formed.
        NotWellFormed = "not-well-formed",
        /// 4.9.3.14: a local policy was violated: size, rate, resources.
        PolicyViolation = "policy-violation",
        /// 4.9.3.15: a remote server that is needed cannot be reached.
        RemoteConnectionFailed = "remote-connection-failed",
        /// 4.9.3.16: the stream is closed because its features have changed.
        Reset = "reset",
        /// 4.9.3.17: not enough of something to serve this stream.
        ResourceConstraint = "resource-constraint",
        /// 4.9.3.18: comments, processing instructions, DTDs, entities.
        RestrictedXml = "restricted-xml",
        /// 4.9.3.19: go to another host; the text of the element names it.
        SeeOtherHost = "see-other-host",
        /// 4.9.3.20: the server is going down.
        SystemShutdown = "system-shutdown",
        /// 4.9.3.21: none of the others.
        UndefinedCondition = "undefined-condition",
        /// 4.9.3.22: an encoding other than UTF-8.
        UnsupportedEncoding = "unsupported-encoding",
        /// 4.9.3.23: a mandatory feature is not supported.
        UnsupportedFeature = "unsupported-feature",
        /// 4.9.3.24: a top-level element that is no stanza and nothing else that is known.
        UnsupportedStanzaType = "unsupported-stanza-type",
        /// 4.9.3.25: the version of the stream.
        UnsupportedVersion = "unsupported-version",
    }
}

/// A stream error: the condition, and what may go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// What is wrong.
    pub condition: Condition,
    /// For humans; English.
    pub text: Option<String>,
    /// Where to go instead, for [`Condition::SeeOtherHost`].
    pub other_host: Option<String>,
    /// A condition of an application, beside the defined one (section 4.9.4).
    pub application: Option<Tree>,
}

impl StreamError {
    /// An error without anything but its condition.
    pub fn new(condition: Condition) -> StreamError {
        StreamError { condition, text: None, other_host: None, application: None }
    }

    /// Adds a text for humans.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> StreamError {
        self.text = Some(text.into());
        self
    }

    /// Appends `<stream:error>`; the prefix `stream` must be declared, as [`Opening`](super::header::Opening) does.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<stream:error>");
        let host = self.other_host.as_deref().unwrap_or_default();
        Tree::new(ns::STREAM_ERRORS, self.condition.name()).text(host).write(out, "");
        if let Some(text) = &self.text {
            out.extend_from_slice(b"<text");
            write::attribute(out, "xmlns", ns::STREAM_ERRORS);
            out.extend_from_slice(b" xml:lang='en'>");
            write::text(out, text);
            out.extend_from_slice(b"</text>");
        }
        if let Some(application) = &self.application {
            application.write(out, "");
        }
        out.extend_from_slice(b"</stream:error>");
    }

    /// Reads a peer's `<stream:error>`; `None` if it is none. An unknown condition is `undefined-condition`.
    pub fn read(element: &Element) -> Option<StreamError> {
        if !element.is(ns::STREAMS, "error") {
            return None;
        }
        let mut error = StreamError::new(Condition::UndefinedCondition);
        for child in element.children() {
            if child.is(ns::STREAM_ERRORS, "text") {
                error.text = Some(child.text().into_owned());
            } else if child.ns() == ns::STREAM_ERRORS {
                let known = Condition::ALL.iter().find(|condition| condition.name() == child.name());
                error.condition = known.copied().unwrap_or(Condition::UndefinedCondition);
                if error.condition == Condition::SeeOtherHost {
                    error.other_host = Some(child.text().into_owned());
                }
            } else {
                error.application = Some(child.tree());
            }
        }
        Some(error)
    }
}

impl From<Condition> for StreamError {
    fn from(condition: Condition) -> StreamError {
        StreamError::new(condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::features::Features;
    use crate::stream::header::{Opening, StreamKind};
    use crate::xml::{Item, Limits, Scanner};

    /// The element that a peer sees after our header.
    fn seen(xml: &[u8]) -> Element {
        let mut stream = Vec::new();
        Opening { kind: StreamKind::Client, from: None, to: None, id: Some("1"), lang: "en" }.write(&mut stream);
        stream.extend_from_slice(xml);
        let mut rest = &stream[..];
        let mut scanner = Scanner::new(Limits::CLIENT);
        assert!(matches!(scanner.next(&mut rest), Ok(Some(Item::Open(_)))));
        match scanner.next(&mut rest) {
            Ok(Some(Item::Element(element))) if rest.is_empty() => element,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_condition_is_read_as_it_was_written() {
        for &condition in Condition::ALL {
            let mut error = StreamError::new(condition).with_text("a < b");
            error.other_host = (condition == Condition::SeeOtherHost).then(|| "[2001:db8::1]:5222".into());
            error.application = Some(Tree::new("urn:x", "y").text("z"));
            let mut out = Vec::new();
            error.write(&mut out);
            assert_eq!(StreamError::read(&seen(&out)), Some(error));
        }
        assert_eq!(Condition::ALL.len(), 25);
    }

    #[test]
    fn an_error_is_written_as_in_the_rfc() {
        let mut out = Vec::new();
        StreamError::new(Condition::NotWellFormed).write(&mut out);
        assert_eq!(out, b"<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
    }

    #[test]
    fn features_are_read_as_they_were_written() {
        let features = Features::new().with(Tree::new("urn:a", "a").text("x")).with(Tree::new("urn:b", "b"));
        let mut out = Vec::new();
        features.write(&mut out);
        assert_eq!(Features::read(&seen(&out)), Some(features));
        assert_eq!(Features::read(&seen(b"<stream:features/>")), Some(Features::new()));
        assert_eq!(Features::read(&seen(b"<features/>")), None);
    }
}
