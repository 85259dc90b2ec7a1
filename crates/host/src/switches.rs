//! What the owner of an account has switched on or off for itself: a document for each switch that was touched. Ad-hoc commands are their
//! door; admission and delivery ask [`Switches`], which facts know.

use metronome_model::{Document, Drawer};
use metronome_proto::ns;
use metronome_proto::xml::{Content, Tree};

/// One of the switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Switch {
    /// XEP-0357: whether services are told who has written, where the host lets them be told.
    PushSender,
    /// XEP-0357: whether services are told what was written, where the host lets them be told.
    PushBody,
    /// XEP-0352: whether chat states wait while nobody looks; otherwise they are dropped then.
    InactiveChatStates,
    /// XEP-0352: whether messages of rooms that do not mention the owner wait while nobody looks.
    InactiveRooms,
    /// XEP-0045: whether an administrator of a domain is an owner of all rooms of its services.
    OwnsRooms,
}

impl Switch {
    /// All of them.
    pub const ALL: [Switch; 5] =
        [Switch::PushSender, Switch::PushBody, Switch::InactiveChatStates, Switch::InactiveRooms, Switch::OwnsRooms];

    /// Those that everybody has.
    pub const OF_PEOPLE: [Switch; 4] =
        [Switch::PushSender, Switch::PushBody, Switch::InactiveChatStates, Switch::InactiveRooms];

    /// The namespace and the name of its document.
    fn key(self) -> (&'static str, &'static str) {
        match self {
            Switch::PushSender => (ns::PUSH, "sender"),
            Switch::PushBody => (ns::PUSH, "body"),
            Switch::InactiveChatStates => (ns::CSI, "chat-states"),
            Switch::InactiveRooms => (ns::CSI, "rooms"),
            Switch::OwnsRooms => (ns::MUC_OWNER, "rooms"),
        }
    }

    /// The document that sets it; none puts it back to what it is as installed.
    pub fn document(self, position: Option<Position>) -> Document {
        let (ns, name) = self.key();
        let xml = match position {
            None => Box::default(),
            Some(Position::On) => Tree::new(ns, name).text("true").to_vec(ns::CLIENT).into(),
            Some(Position::Off) => Tree::new(ns, name).text("false").to_vec(ns::CLIENT).into(),
        };
        Document { drawer: Drawer::Switches, ns: ns.into(), name: name.into(), xml }
    }
}

/// How a switch stands that was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Switched on.
    On,
    /// Switched off.
    Off,
}

/// How an account's switches stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches([Option<Position>; Switch::ALL.len()]);

impl Switches {
    /// Reads them from an account's documents; those of other drawers are passed over.
    pub fn from_documents(documents: &[Document]) -> Switches {
        let mut switches = Switches::default();
        for document in documents.iter().filter(|document| document.drawer == Drawer::Switches) {
            let Some(at) = Switch::ALL.iter().position(|switch| switch.key() == (&*document.ns, &*document.name))
            else {
                continue;
            };
            let content = Content::parse(&document.xml).unwrap_or_default();
            let text = content.iter().next().map(|element| element.text().into_owned());
            switches.0[at] = match text.as_deref() {
                Some("true") => Some(Position::On),
                Some("false") => Some(Position::Off),
                _ => None,
            };
        }
        switches
    }

    /// How one stands; none as installed.
    pub fn get(self, switch: Switch) -> Option<Position> {
        Switch::ALL.iter().position(|known| *known == switch).and_then(|at| self.0[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_switched_is_read_back_and_the_rest_is_as_installed() {
        let documents =
            [Switch::PushSender.document(Some(Position::Off)), Switch::InactiveRooms.document(Some(Position::On))];
        let switches = Switches::from_documents(&documents);
        assert_eq!(switches.get(Switch::PushSender), Some(Position::Off));
        assert_eq!(switches.get(Switch::InactiveRooms), Some(Position::On));
        assert_eq!(switches.get(Switch::PushBody), None);
        assert!(Switch::PushBody.document(None).xml.is_empty());
        let damaged =
            Document { xml: b"<sender xmlns='urn:xmpp:push:0'>perhaps</sender>"[..].into(), ..documents[0].clone() };
        assert_eq!(Switches::from_documents(&[damaged]), Switches::default());
    }
}
