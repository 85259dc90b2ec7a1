//! XEP-0114: Jabber Component Protocol: how a component proves itself, section 3.

use crate::ns;
use crate::xml::Element;

/// What tells a component that it has proved itself.
pub const PROVED: &str = "<handshake/>";

/// The proof that a component gives, if this is one; whether it is right is for the caller to say.
pub fn handshake(element: &Element) -> Option<String> {
    element.is(ns::COMPONENT, "handshake").then(|| element.text().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::header::{Opening, StreamKind};
    use crate::xml::{Item, Limits, Scanner};

    fn read(xml: &str) -> Option<String> {
        let mut stream = Vec::new();
        let opening = Opening { kind: StreamKind::Component, from: None, to: None, id: None, lang: "en" };
        opening.write(&mut stream);
        stream.extend_from_slice(xml.as_bytes());
        let mut rest = &stream[..];
        let mut scanner = Scanner::new(Limits::BEFORE_AUTH);
        assert!(matches!(scanner.next(&mut rest), Ok(Some(Item::Open(_)))));
        match scanner.next(&mut rest) {
            Ok(Some(Item::Element(element))) => handshake(&element),
            other => panic!("{other:?}"),
        }
    }

    // XEP-0114 example 3
    #[test]
    fn a_handshake_has_its_proof_as_text() {
        let proof = "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e";
        assert_eq!(read(&format!("<handshake>{proof}</handshake>")).as_deref(), Some(proof));
        assert_eq!(read("<handshake/>").as_deref(), Some(""));
        assert_eq!(read("<handshake xmlns='jabber:client'>x</handshake>"), None);
        assert_eq!(read("<message>x</message>"), None);
    }
}
