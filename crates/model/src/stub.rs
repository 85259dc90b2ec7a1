//! Stands in for `metronome_proto::stanza::Stanza` until that type is there.

/// A stanza as its XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stanza {
    xml: Box<str>,
}

impl Stanza {
    /// Takes the XML as it is.
    pub fn read(xml: &str) -> Option<Stanza> {
        Some(Stanza { xml: xml.into() })
    }

    /// Appends the XML to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.xml.as_bytes());
    }
}
