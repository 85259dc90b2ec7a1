//! Stream headers (RFC 6120 sections 4.7 and 4.8): the judgement of what a peer sent, and the one we send.
//! Called by stream negotiation; whether a domain is served here is for the caller to say.

use super::error::Condition;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Header, write};

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Between a client and a server: `jabber:client`.
    Client,
    /// Between two servers: `jabber:server`.
    Server,
    /// Between a component and its server (XEP-0114): `jabber:component:accept`.
    Component,
}

impl StreamKind {
    /// The namespace of its stanzas (section 4.8.2).
    pub fn content_ns(self) -> &'static str {
        match self {
            StreamKind::Client => ns::CLIENT,
            StreamKind::Server => ns::SERVER,
            StreamKind::Component => ns::COMPONENT,
        }
    }
}

/// A peer's stream header after judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The domain that the stream is opened to; the caller answers `host-unknown` if it does not serve it.
    pub to: Option<Jid>,
    /// Who says to open it: a claim.
    pub from: Option<Jid>,
    /// The language of its stanzas, unless they tell another.
    pub lang: Option<String>,
    /// The id, where the peer has accepted our stream.
    pub id: Option<String>,
    /// Whether the peer speaks RFC 6120: `version='1.0'` or later.
    pub has_version: bool,
    /// Whether the peer has declared the namespace of XEP-0220.
    pub has_dialback: bool,
}

impl Opened {
    /// Judges a header. On an error the caller sends its own header first, then the error (section 4.9.1.2).
    pub fn judge(header: &Header, kind: StreamKind) -> Result<Opened, Condition> {
        if header.ns != ns::STREAMS || header.name != "stream" {
            return Err(if header.ns == ns::STREAMS { Condition::BadFormat } else { Condition::InvalidNamespace });
        }
        if header.prefix != "stream" {
            return Err(Condition::BadNamespacePrefix);
        }
        if header.default_ns.as_deref() != Some(kind.content_ns()) {
            return Err(Condition::InvalidNamespace);
        }
        let has_version = match header.version.as_deref() {
            None => false,
            Some(version) if is_supported(version) => true,
            Some(_) => return Err(Condition::UnsupportedVersion),
        };
        Ok(Opened {
            to: address(header.to.as_deref())?,
            from: address(header.from.as_deref())?,
            lang: header.lang.clone(),
            id: header.id.clone(),
            has_version,
            has_dialback: header.has_dialback,
        })
    }
}

/// Whether a version is ours or newer (section 4.7.5).
fn is_supported(version: &str) -> bool {
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let parts = version.split_once('.').filter(|(major, minor)| is_number(major) && is_number(minor));
    parts.is_some_and(|(major, _)| major.bytes().any(|digit| digit != b'0'))
}

fn address(text: Option<&str>) -> Result<Option<Jid>, Condition> {
    text.map(Jid::parse).transpose().map_err(|_| Condition::ImproperAddressing)
}

/// The stream header that we send, the XML declaration included.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// What the stream carries.
    pub kind: StreamKind,
    /// Our domain, if we accept the stream; who we are, if we open it.
    pub from: Option<&'a str>,
    /// The peer.
    pub to: Option<&'a str>,
    /// Unpredictable, unique; only on streams that we accept.
    pub id: Option<&'a str>,
    /// The language of our texts.
    pub lang: &'a str,
}

impl Opening<'_> {
    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<?xml version='1.0'?><stream:stream");
        write::attribute(out, "xmlns", self.kind.content_ns());
        write::attribute(out, "xmlns:stream", ns::STREAMS);
        if self.kind == StreamKind::Server {
            write::attribute(out, "xmlns:db", ns::DIALBACK);
        }
        for (name, value) in [("from", self.from), ("to", self.to), ("id", self.id), ("xml:lang", Some(self.lang))] {
            if let Some(value) = value {
                write::attribute(out, name, value);
            }
        }
        // A component that saw a version might wait for features, which its protocol does not have.
        let end: &[u8] = if self.kind == StreamKind::Component { b">" } else { b" version='1.0'>" };
        out.extend_from_slice(end);
    }
}

/// The prefix of XEP-0220's elements, as the headers of our streams to servers declare it.
pub const DIALBACK_PREFIX: &str = "db";

/// The end of a stream.
pub const CLOSE: &str = "</stream:stream>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Item, Limits, Scanner};

    fn judge(header: &str) -> Result<Opened, Condition> {
        match Scanner::new(Limits::BEFORE_AUTH).next(&mut header.as_bytes()) {
            Ok(Some(Item::Open(header))) => Opened::judge(&header, StreamKind::Client),
            other => panic!("{other:?}"),
        }
    }

    const STREAM: &str = "xmlns:stream='http://etherx.jabber.org/streams'";

    #[test]
    fn a_right_header_is_read() {
        let header = format!(
            "<?xml version='1.0'?>\n<stream:stream to='LocalHost' from='a@localhost' xml:lang='de' version='1.0' xmlns='jabber:client' {STREAM}>"
        );
        let opened = judge(&header).unwrap();
        assert_eq!(opened.to.unwrap().as_str(), "localhost");
        assert_eq!(opened.from.unwrap().as_str(), "a@localhost");
        assert_eq!((opened.lang.as_deref(), opened.has_version), (Some("de"), true));
    }

    #[test]
    fn each_wrong_header_gets_its_own_error() {
        let with = |rest: &str| judge(&format!("<stream:stream {STREAM} {rest}>")).unwrap_err();
        assert_eq!(with("to='a' version='1.0' xmlns='jabber:server'"), Condition::InvalidNamespace);
        assert_eq!(with("to='a' version='1.0'"), Condition::InvalidNamespace);
        assert_eq!(with("to='a' version='0.9' xmlns='jabber:client'"), Condition::UnsupportedVersion);
        assert_eq!(with("to='a' version='x' xmlns='jabber:client'"), Condition::UnsupportedVersion);
        assert_eq!(with("to='' version='1.0' xmlns='jabber:client'"), Condition::ImproperAddressing);
        let prefix = "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client' to='a'>";
        assert_eq!(judge(prefix), Err(Condition::BadNamespacePrefix));
        assert_eq!(judge("<stream:stream xmlns:stream='x' xmlns='jabber:client'>"), Err(Condition::InvalidNamespace));
        assert_eq!(judge(&format!("<stream:foo {STREAM} xmlns='jabber:client'>")), Err(Condition::BadFormat));
    }

    #[test]
    fn a_newer_version_is_fine_and_none_is_noted() {
        let with = |rest: &str| judge(&format!("<stream:stream {STREAM} xmlns='jabber:client' {rest}>")).unwrap();
        assert!(with("version='2.7'").has_version);
        assert!(!with("").has_version);
    }

    #[test]
    fn our_header_is_read_back() {
        let mut out = Vec::new();
        let (from, id) = (Some("localhost"), Some("a'b"));
        Opening { kind: StreamKind::Client, from, to: None, id, lang: "en" }.write(&mut out);
        let opened = judge(std::str::from_utf8(&out).unwrap()).unwrap();
        assert_eq!(opened.id.as_deref(), id);
    }
}
