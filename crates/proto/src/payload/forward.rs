//! XEP-0297: Stanza Forwarding, with the time of XEP-0203: written straight into what leaves, since archives forward much.

use super::delay::format_time;
use crate::ns;
use crate::stanza::Stanza;
use crate::xml::write;

/// Appends `<forwarded/>` with the time at which the stanza was received (Unix, milliseconds) and the stanza itself, in the namespace of
/// clients.
pub fn write_forwarded(out: &mut Vec<u8>, stanza: &Stanza, at_ms: u64) {
    out.extend_from_slice(b"<forwarded");
    write::attribute(out, "xmlns", ns::FORWARD);
    out.extend_from_slice(b"><delay");
    write::attribute(out, "xmlns", ns::DELAY);
    write::attribute(out, "stamp", &format_time(i64::try_from(at_ms).unwrap_or(i64::MAX)));
    out.extend_from_slice(b"/>");
    stanza.write_head(out, stanza.to.as_ref(), Some(ns::CLIENT));
    out.extend_from_slice(stanza.content.bytes());
    out.extend_from_slice(stanza.tail().as_bytes());
    out.extend_from_slice(b"</forwarded>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jid::Jid;
    use crate::stanza::Kind;
    use crate::stanza::message::MessageType;
    use crate::xml::Content;

    #[test]
    fn a_forwarded_stanza_keeps_its_namespace_and_says_when_it_came() {
        let stanza = Stanza::new(Kind::Message(MessageType::Chat), Jid::parse("alice@localhost/a").unwrap())
            .with_to(Jid::parse("bob@localhost").unwrap())
            .with_content(Content::parse(b"<body>hi</body><x xmlns='urn:x'/>").unwrap());
        let mut out = Vec::new();
        write_forwarded(&mut out, &stanza, 951_782_400_123);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2000-02-29T00:00:00.123Z'/>\
             <message xmlns='jabber:client' from='alice@localhost/a' to='bob@localhost' type='chat'>\
             <body>hi</body><x xmlns='urn:x'/></message></forwarded>"
        );
    }
}
