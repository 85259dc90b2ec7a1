//! XEP-0124 and XEP-0206: the element in which everything is wrapped that goes over HTTP in the one direction or the other.

use bytes::Bytes;

use crate::conditions::conditions;
use crate::ns;
use crate::xml::{Element, Item, Limits, Scanner, attribute_in, write};

conditions! {
    /// Why a session ends (XEP-0124 section 17.2).
    pub enum Condition {
        /// The request cannot be understood.
        BadRequest = "bad-request",
        /// The domain is not served here.
        HostUnknown = "host-unknown",
        /// No domain was named.
        ImproperAddressing = "improper-addressing",
        /// There is no such session, or no such request in it.
        ItemNotFound = "item-not-found",
        /// Too much, or too often.
        PolicyViolation = "policy-violation",
        /// The stream has ended with an error, which is in the answer.
        RemoteStreamError = "remote-stream-error",
        /// Something is wrong with the server itself, or it is going down.
        SystemShutdown = "system-shutdown",
    }
}

/// The largest request id: beyond it numbers lose their units in some languages (section 14.1).
const RID_MAX: u64 = (1 << 53) - 1;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number; those of a session follow each other.
    pub rid: u64,
    /// Its session; none asks for one.
    pub sid: Option<String>,
    /// The domain that the stream is opened to.
    pub to: Option<String>,
    /// Who says to open it.
    pub from: Option<String>,
    /// The language of its stanzas.
    pub lang: Option<String>,
    /// For how many seconds an answer may wait.
    pub wait: Option<u32>,
    /// How many answers may wait.
    pub hold: Option<u32>,
    /// The kind of content that answers must be said to be.
    pub content: Option<String>,
    /// The next of its keys.
    pub key: Option<String>,
    /// The first of other keys.
    pub newkey: Option<String>,
    /// For how many seconds nothing will be heard of it.
    pub pause: Option<u32>,
    /// The highest number up to which it has had all answers; in a request for a session, that it will say so (section 9.2).
    pub ack: Option<u64>,
    /// What it asks for besides.
    pub kind: Kind,
    /// The elements in it, of which some may be in the namespace of what they stood in.
    pub payload: Bytes,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// That its payload goes on.
    Usual,
    /// That the stream begins anew (XEP-0206 section 5).
    Restart,
    /// That the session ends.
    Terminate,
}

impl Request {
    /// Reads a request: one element within these limits, and nothing else. None if it is no such thing.
    pub fn read(bytes: &[u8], limits: Limits) -> Option<Request> {
        let bytes = bytes.trim_ascii();
        let element = only_element(bytes, limits).filter(|element| element.is(ns::BOSH, "body"))?;
        let text = |name| element.attr(name).map(|value| value.into_owned());
        let number = |name| element.attr(name).map(|value| value.parse::<u32>().ok());
        let rid = element.attr("rid")?.parse().ok().filter(|rid| (1..=RID_MAX).contains(rid))?;
        let restart = attribute_in(bytes, ns::XBOSH, "restart");
        let kind = match (element.attr("type").as_deref(), restart.as_deref()) {
            (Some("terminate"), _) => Kind::Terminate,
            (_, Some("true" | "1")) => Kind::Restart,
            _ => Kind::Usual,
        };
        Some(Request {
            rid,
            sid: text("sid"),
            to: text("to"),
            from: text("from"),
            lang: element.lang().map(|lang| lang.into_owned()),
            wait: number("wait").map_or(Some(None), |wait| wait.map(Some))?,
            hold: number("hold").map_or(Some(None), |hold| hold.map(Some))?,
            content: text("content"),
            key: text("key"),
            newkey: text("newkey"),
            pause: number("pause").map_or(Some(None), |pause| pause.map(Some))?,
            ack: match element.attr("ack") {
                Some(ack) => Some(ack.parse::<u64>().ok().filter(|ack| *ack <= RID_MAX)?),
                None => None,
            },
            kind,
            payload: element.into_content().bytes().clone(),
        })
    }

    /// Reads a request as a page sends it that can only load scripts (XEP-0252 section 4.2): what is in it is a piece of the stream that
    /// may begin and end anywhere, and is not looked at here.
    pub fn read_piece(bytes: &[u8], limits: Limits) -> Option<Request> {
        let bytes = bytes.trim_ascii();
        let (tag, behind) = bytes.split_at(end_of_tag(bytes)?);
        if behind.is_empty() {
            return Request::read(bytes, limits);
        }
        let inside = tag.strip_suffix(b">")?;
        let name = inside.strip_prefix(b"<")?.split(u8::is_ascii_whitespace).next()?;
        let payload = behind.strip_suffix(b">")?.trim_ascii_end().strip_suffix(name)?.strip_suffix(b"</")?;
        let request = Request::read(&[inside, b"/>"].concat(), limits)?;
        Some(Request { payload: Bytes::copy_from_slice(payload), ..request })
    }

    /// Reads what stands in the tag of a request of which only the beginning has come, as if nothing were in it. None while not all of the tag
    /// has come, or if it is no such thing.
    pub fn read_tag(bytes: &[u8], limits: Limits) -> Option<Request> {
        let bytes = bytes.trim_ascii_start();
        let inside = bytes[..end_of_tag(bytes)?].strip_suffix(b">")?;
        Request::read(&[inside.strip_suffix(b"/").unwrap_or(inside), b"/>"].concat(), limits)
    }

    /// The header of the stream that it opens.
    pub fn header(&self) -> Vec<u8> {
        let mut out = b"<stream:stream".to_vec();
        write::attribute(&mut out, "xmlns", ns::CLIENT);
        write::attribute(&mut out, "xmlns:stream", ns::STREAMS);
        for (name, value) in [("to", &self.to), ("from", &self.from), ("xml:lang", &self.lang)] {
            if let Some(value) = value {
                write::attribute(&mut out, name, value);
            }
        }
        out.extend_from_slice(b" version='1.0'>");
        out
    }
}

/// Where the tag ends that is at the beginning.
fn end_of_tag(bytes: &[u8]) -> Option<usize> {
    let mut quoted_by = None;
    for (at, byte) in bytes.iter().enumerate() {
        match (quoted_by, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quoted_by = Some(*byte),
            (Some(quote), byte) if quote == *byte => quoted_by = None,
            _ => {}
        }
    }
    None
}

fn only_element(bytes: &[u8], limits: Limits) -> Option<Element> {
    let mut rest = bytes;
    match Scanner::elements(limits).next(&mut rest) {
        Ok(Some(Item::Element(element))) if rest.is_empty() => Some(element),
        _ => None,
    }
}

/// Writes an answer with these attributes and elements.
pub fn answer(attributes: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut out = b"<body".to_vec();
    write::attribute(&mut out, "xmlns", ns::BOSH);
    for (name, value) in attributes {
        write::attribute(&mut out, name, value);
    }
    if payload.is_empty() {
        out.extend_from_slice(b"/>");
        return out;
    }
    write::attribute(&mut out, "xmlns:stream", ns::STREAMS);
    out.push(b'>');
    out.extend_from_slice(payload);
    out.extend_from_slice(b"</body>");
    out
}

/// Writes the end of a session.
pub fn terminate(condition: Option<Condition>, payload: &[u8]) -> Vec<u8> {
    match condition {
        Some(condition) => answer(&[("type", "terminate"), ("condition", condition.name())], payload),
        None => answer(&[("type", "terminate")], payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Option<Request> {
        Request::read(xml.as_bytes(), Limits::CLIENT)
    }

    #[test]
    fn a_request_for_a_session_is_read() {
        let request = read(
            "<body content='text/xml; charset=utf-8' from='user@example.com' hold='1' rid='1573741820' to='example.com' ver='1.6' \
             wait='60' ack='1' xml:lang='en' newkey='ab' xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' \
             xmlns:xmpp='urn:xmpp:xbosh'/>",
        )
        .unwrap();
        assert_eq!(
            (request.rid, request.hold, request.wait, request.kind),
            (1573741820, Some(1), Some(60), Kind::Usual)
        );
        assert_eq!((request.sid.as_deref(), request.newkey.as_deref()), (None, Some("ab")));
        let header = String::from_utf8(request.header()).unwrap();
        assert!(header.ends_with(" to='example.com' from='user@example.com' xml:lang='en' version='1.0'>"), "{header}");
    }

    #[test]
    fn a_restart_is_known_by_its_namespace_whatever_its_prefix() {
        let restart = |inside: &str| {
            read(&format!("<body rid='1' sid='x' xmlns='http://jabber.org/protocol/httpbind' {inside}/>")).unwrap().kind
        };
        assert_eq!(restart("xmlns:xmpp='urn:xmpp:xbosh' xmpp:restart='true'"), Kind::Restart);
        assert_eq!(restart("b:restart='1' xmlns:b='urn:xmpp:xbosh'"), Kind::Restart);
        assert_eq!(restart("xmlns:b='urn:x' b:restart='true'"), Kind::Usual);
        assert_eq!(restart("restart='true'"), Kind::Usual);
        assert_eq!(restart("type='terminate'"), Kind::Terminate);
    }

    #[test]
    fn the_payload_is_what_is_inside() {
        let request = read(
            "<body rid='1' sid='x' xmlns='http://jabber.org/protocol/httpbind'><message to='a'><body>hi</body></message>\
             <iq xmlns='jabber:client'/></body>",
        );
        let payload = request.unwrap().payload;
        assert_eq!(&payload[..], b"<message to='a'><body>hi</body></message><iq xmlns='jabber:client'/>");
    }

    #[test]
    fn a_piece_of_a_stream_may_begin_and_end_anywhere() {
        let piece = |xml: &str| Request::read_piece(xml.as_bytes(), Limits::CLIENT);
        let request =
            piece("<body rid='7' sid='a>b' ack='5' xmlns='http://jabber.org/protocol/httpbind'>lo</body>&lt;<x</body>");
        let request = request.unwrap();
        assert_eq!((request.rid, request.sid.as_deref(), request.ack), (7, Some("a>b"), Some(5)));
        assert_eq!(&request.payload[..], b"lo</body>&lt;<x");
        let prefixed = piece("<b:body rid='7' xmlns:b='http://jabber.org/protocol/httpbind'></x></b:body >").unwrap();
        assert_eq!(&prefixed.payload[..], b"</x>");
        let empty = piece(" <body rid='7' xmlns='http://jabber.org/protocol/httpbind'/> ").unwrap();
        assert!(empty.payload.is_empty());
        for wrong in [
            "",
            "<",
            "<>",
            "<body rid='7' xmlns='http://jabber.org/protocol/httpbind'",
            "<body rid='7' xmlns='http://jabber.org/protocol/httpbind'>",
            "<body rid='7' xmlns='http://jabber.org/protocol/httpbind'><a/>",
            "<body rid='7' xmlns='http://jabber.org/protocol/httpbind'/><a/></body>",
            "<body rid='7' xmlns='http://jabber.org/protocol/httpbind'></bodi>",
            "<body rid='7' xmlns='urn:x'></body>",
            "<x><body rid='7' xmlns='http://jabber.org/protocol/httpbind'/></x>",
        ] {
            assert_eq!(piece(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tag_is_read_before_what_is_in_it_has_come() {
        let whole = " <body rid='7' sid='a>b' xmlns='http://jabber.org/protocol/httpbind'><message><body>lo";
        let tag = |bytes: &str| Request::read_tag(bytes.as_bytes(), Limits::CLIENT);
        let request = tag(whole).unwrap();
        assert_eq!((request.rid, request.sid.as_deref(), request.payload.len()), (7, Some("a>b"), 0));
        assert_eq!(tag("<body rid='7' xmlns='http://jabber.org/protocol/httpbind'/>").unwrap().rid, 7);
        for wrong in ["", "<body rid='7' sid='a>b' xmlns='http://", "<body rid='7' xmlns='urn:x'>", "<>", "x>"] {
            assert_eq!(tag(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_request_is_none() {
        for wrong in [
            "",
            "<body xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body rid='0' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body rid='-1' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body rid='9007199254740992' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body rid='1' wait='x' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body rid='1' ack='-1' xmlns='http://jabber.org/protocol/httpbind'/>",
            "<body rid='1'/>",
            "<body rid='1' xmlns='http://jabber.org/protocol/httpbind'>",
            "<body rid='1' xmlns='http://jabber.org/protocol/httpbind'/><body/>",
            "<!DOCTYPE a><body rid='1' xmlns='http://jabber.org/protocol/httpbind'/>",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn answers_are_written_as_in_the_examples() {
        assert_eq!(answer(&[], b""), b"<body xmlns='http://jabber.org/protocol/httpbind'/>");
        let end = terminate(Some(Condition::ItemNotFound), b"");
        assert_eq!(
            end,
            b"<body xmlns='http://jabber.org/protocol/httpbind' type='terminate' condition='item-not-found'/>"
        );
    }
}
