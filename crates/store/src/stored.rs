//! Reading stanzas back from the XML they were stored as. They passed a peer's limits before and were written by
//! `Stanza::write`, so whatever fails here is damage.

use metronome_proto::ns;
use metronome_proto::stanza::{Received, Stanza};
use metronome_proto::xml::{Item, Limits, Scanner};

/// Wider than what any peer may send: the server adds a little of its own before it stores.
const LIMITS: Limits = Limits {
    stanza_bytes: 4 * 1024 * 1024,
    depth: 128,
    attributes: 128,
    name_bytes: 512,
    namespaces: 256,
    children: 1 << 20,
};

/// The stanza, or `None` if these bytes are not exactly one with a sender.
pub fn read(xml: &[u8]) -> Option<Stanza> {
    let mut input = xml;
    let item = Scanner::elements(LIMITS).next(&mut input).ok()?;
    let Some(Item::Element(element)) = item else { return None };
    let received = Received::read(element, ns::CLIENT).ok().filter(|_| input.is_empty())?;
    let from = received.from.clone()?;
    Some(received.stamp(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_stanza_comes_back_as_it_was() {
        let xml = "<message from='alice@example.org/phone' to='bob@example.org' id='1' type='chat' xml:lang='en'>\
                   <body>a &lt; b</body><x xmlns='urn:x'><p:y xmlns:p='urn:y' z=''/></x></message>";
        let stanza = read(xml.as_bytes()).unwrap();
        let mut written = Vec::new();
        stanza.write(&mut written);
        assert_eq!(read(&written).unwrap(), stanza);
        assert!(stanza.has("urn:x", "x") && stanza.has(ns::CLIENT, "body"));
    }

    #[test]
    fn damaged_bytes_are_no_stanza() {
        for xml in ["", "<message from='a@b'>", "<message/>", "<message from='a@b'/><message/>", "<m from='a@b'/>", "x"]
        {
            assert_eq!(read(xml.as_bytes()), None, "{xml}");
        }
    }
}
