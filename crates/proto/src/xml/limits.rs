//! What a peer may send before it is cut off, and every way in which its XML can be wrong.
//! RFC 6120 sections 4.9.3 and 11; the scanner enforces the limits while it reads, before anything is kept.

use crate::stream::error::Condition;

/// Bounds on one top-level element, or on the stream header. Going over one of them ends the stream (`policy-violation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes from the first `<` to the last `>`.
    pub stanza_bytes: usize,
    /// Elements inside each other, the stanza itself being 1.
    pub depth: u16,
    /// Attributes of one element, namespace declarations aside.
    pub attributes: u16,
    /// Bytes of one element or attribute name, prefix included. A namespace name may be four times as long.
    pub name_bytes: u16,
    /// Namespace declarations of one element; four times as many may be in scope at once.
    pub namespaces: u16,
    /// Children of one element.
    pub children: u32,
}

/// A namespace name stands once in the bytes and may be meant by thousands of elements, so it has a limit of its own:
/// this times that of other names.
pub(super) const NAMESPACE_TO_NAME: usize = 4;

impl Limits {
    /// For a peer that has not proved who it is.
    pub const BEFORE_AUTH: Limits =
        Limits { stanza_bytes: 8 * 1024, depth: 8, attributes: 32, name_bytes: 256, namespaces: 16, children: 128 };
    /// For an authenticated client.
    pub const CLIENT: Limits =
        Limits { stanza_bytes: 256 * 1024, depth: 64, attributes: 64, name_bytes: 256, namespaces: 32, children: 8192 };
    /// For an authenticated server or component.
    pub const SERVER: Limits = Limits { stanza_bytes: 512 * 1024, ..Limits::CLIENT };
    /// For what a store gives back: it has passed the limits of a peer before, and has grown a little since.
    pub const STORED: Limits = Limits {
        stanza_bytes: 4 * 1024 * 1024,
        depth: 128,
        attributes: 128,
        // An escape in a namespace name takes up to six times the bytes.
        name_bytes: 2048,
        namespaces: 256,
        children: 1 << 20,
    };
}

/// Why a stream's XML was refused. After one of these a [`Scanner`](super::Scanner) yields nothing more.
///
/// The texts are static and for the log; the peer is told [`XmlError::condition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not XML 1.0, not UTF-8, or not XML Namespaces 1.0.
    #[error("not well-formed: {0}")]
    NotWellFormed(&'static str),
    /// XML that RFC 6120 section 11.1 forbids: comments, processing instructions, DTDs, other entities than the five.
    #[error("restricted XML: {0}")]
    Restricted(&'static str),
    /// The XML declaration names an encoding other than UTF-8 (section 11.6).
    #[error("encoding other than UTF-8")]
    UnsupportedEncoding,
    /// Well-formed XML that is no stream: text between stanzas.
    #[error("bad format: {0}")]
    BadFormat(&'static str),
    /// One of the [`Limits`] was passed; the text names it.
    #[error("over the limit: {0}")]
    Limit(&'static str),
    /// The stream has failed before, so nothing more is read from it.
    #[error("the stream has already failed")]
    Failed,
}

impl XmlError {
    /// The stream error that answers this (RFC 6120 section 4.9.3).
    pub fn condition(&self) -> Condition {
        match self {
            XmlError::NotWellFormed(_) | XmlError::Failed => Condition::NotWellFormed,
            XmlError::Restricted(_) => Condition::RestrictedXml,
            XmlError::UnsupportedEncoding => Condition::UnsupportedEncoding,
            XmlError::BadFormat(_) => Condition::BadFormat,
            XmlError::Limit(_) => Condition::PolicyViolation,
        }
    }
}
