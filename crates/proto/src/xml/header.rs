//! The stream header as it was sent. The scanner reads it; `stream::header` judges it (RFC 6120 sections 4.7 and 4.8).

use super::raw::StartTag;
use super::scope::Namespace;

/// The start tag of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The name without its prefix; `stream` in a right header.
    pub name: String,
    /// The prefix, empty if there is none; `stream` in a right header.
    pub prefix: String,
    /// The namespace of the element itself.
    pub ns: String,
    /// The default namespace, that of the stanzas to come.
    pub default_ns: Option<String>,
    /// Whom the stream is opened to.
    pub to: Option<String>,
    /// Who says to open it.
    pub from: Option<String>,
    /// The stream's id; only the side that accepts a stream sends one.
    pub id: Option<String>,
    /// `1.0` in streams of RFC 6120; absent in those from before RFC 3920.
    pub version: Option<String>,
    /// The language of what the stream's stanzas say, unless they tell another.
    pub lang: Option<String>,
    /// Whether the prefix of XEP-0220 is declared.
    pub has_dialback: bool,
}

impl Header {
    /// Reads an accepted start tag.
    pub(super) fn read(tag: StartTag<'_>, ns: &Namespace, default_ns: &Namespace) -> Header {
        let attribute = |name| tag.attribute("", name).map(String::from);
        let declares_default = tag.declarations().any(|(prefix, _)| prefix.is_empty());
        Header {
            name: tag.local().to_owned(),
            prefix: tag.prefix().to_owned(),
            ns: ns.as_str().to_owned(),
            default_ns: declares_default.then(|| default_ns.as_str().to_owned()),
            to: attribute("to"),
            from: attribute("from"),
            id: attribute("id"),
            version: attribute("version"),
            lang: tag.attribute("xml", "lang").map(String::from),
            has_dialback: tag.declarations().any(|(_, name)| name == crate::ns::DIALBACK.as_bytes()),
        }
    }
}
