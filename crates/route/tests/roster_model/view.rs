//! What one session has been told, read from what the server has written to it.

use std::collections::{BTreeMap, BTreeSet};

use metronome_proto::ns;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::stanza::{Kind, Received};
use metronome_proto::xml::{Child, Item, Limits, Scanner};

use crate::model::line;

/// The namespace of rosters.
const ROSTER: &str = "jabber:iq:roster";

/// A roster as a client keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    pub ver: String,
    pub items: BTreeMap<String, String>,
}

/// One session's view.
pub struct View {
    scanner: Scanner,
    /// The roster, once it was asked for; before that what an earlier session of the account has left.
    pub roster: Cache,
    /// Full addresses of those that are shown, with the status of each.
    pub sees: BTreeMap<String, String>,
    /// Subscription stanzas, as `verb from`, until somebody takes them.
    pub told: Vec<String>,
    /// Errors and other things that should not come.
    pub surprises: Vec<String>,
    /// Whether what has the id `fails` came back as an error.
    pub failed: bool,
}

impl View {
    pub fn new(roster: Cache) -> View {
        let mut scanner = Scanner::new(Limits::CLIENT);
        let mut header: &[u8] =
            b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        assert!(matches!(scanner.next(&mut header), Ok(Some(Item::Open(_)))));
        View { scanner, roster, sees: BTreeMap::new(), told: Vec::new(), surprises: Vec::new(), failed: false }
    }

    /// Takes in what was written, in whatever pieces.
    pub fn read(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while let Some(item) = self.scanner.next(&mut bytes).unwrap() {
            let Item::Element(element) = item else { panic!("the stream has ended: {text}") };
            self.stanza(&Received::read(element, ns::CLIENT).unwrap());
        }
    }

    fn stanza(&mut self, stanza: &Received) {
        let from = stanza.from.as_ref().map(ToString::to_string).unwrap_or_default();
        match stanza.kind {
            Kind::Presence(PresenceType::Available) => {
                let status = stanza.content.child(ns::CLIENT, "status").map(|status| status.text().into_owned());
                self.sees.insert(from, status.unwrap_or_default());
            }
            Kind::Presence(PresenceType::Unavailable) => drop(self.sees.remove(&from)),
            Kind::Presence(PresenceType::Error) | Kind::Iq(IqType::Error) if stanza.id.as_deref() == Some("fails") => {
                self.failed = true;
            }
            Kind::Message(_) => {}
            Kind::Presence(PresenceType::Probe | PresenceType::Error) => {
                self.surprises.push(format!("{stanza:?}"));
            }
            Kind::Presence(verb) => self.told.push(format!("{} {from}", verb.as_attr().unwrap_or_default())),
            Kind::Iq(kind) => self.iq(kind, stanza),
        }
    }

    fn iq(&mut self, kind: IqType, stanza: &Received) {
        let query = stanza.content.child(ROSTER, "query");
        match (kind, query) {
            (IqType::Set, Some(query)) => {
                self.roster.ver = query.attr("ver").unwrap_or_default().into_owned();
                query.child(ROSTER, "item").iter().for_each(|item| self.item(item));
            }
            (IqType::Result, Some(query)) => {
                self.roster = Cache { ver: query.attr("ver").unwrap_or_default().into_owned(), items: BTreeMap::new() };
                query.children().for_each(|item| self.item(&item));
            }
            (IqType::Error, _) if stanza.id.as_deref() == Some("may-fail") => {}
            (IqType::Result, None) => {}
            _ => self.surprises.push(format!("{stanza:?}")),
        }
    }

    fn item(&mut self, item: &Child<'_>) {
        let jid = item.attr("jid").unwrap().into_owned();
        let subscription = item.attr("subscription").unwrap_or("none".into());
        if subscription == "remove" {
            self.roster.items.remove(&jid);
            return;
        }
        let groups: BTreeSet<String> = item.children().map(|group| group.text().into_owned()).collect();
        let ask = item.attr("ask").as_deref() == Some("subscribe");
        let approved = item.attr("approved").as_deref() == Some("true");
        self.roster.items.insert(jid, line(&subscription, ask, approved, item.attr("name").as_deref(), &groups));
    }
}
