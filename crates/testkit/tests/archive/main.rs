//! The archive of an account: what is in it, how it is asked for page by page, what its owner wants in it, and what is taken out again.
#![allow(clippy::unwrap_used)]

mod filters;
mod hostile;
mod ids;
mod pages;
mod preferences;
mod removal;
mod retraction;

use metronome_testkit::{Client, Seen, ask, condition};

const MAM: &str = "urn:xmpp:mam:2";

/// Waits until everything that this client has sent is stored: what changes its account comes behind it.
#[track_caller]
fn settle(client: &mut Client) {
    let answer =
        ask(client, "set", "", "<query xmlns='jabber:iq:private'><settle xmlns='urn:example:settle'/></query>");
    assert!(answer.fits("<iq type='result'"), "{answer}");
}

/// Sends a message with this body, and waits until it is stored.
#[track_caller]
fn say(client: &mut Client, to: &str, body: &str) {
    client.send(&format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>"));
    settle(client);
}

/// A page of an archive: the results in the order they came, and the answer behind them.
struct Page {
    results: Vec<Seen>,
    fin: Seen,
}

impl Page {
    /// The bodies of what was found.
    fn bodies(&self) -> Vec<String> {
        self.results.iter().map(|result| result.text_of("body").unwrap()).collect()
    }

    /// The archive ids of what was found.
    fn ids(&self) -> Vec<String> {
        self.results.iter().map(|result| result.attribute_of("result", "id").unwrap()).collect()
    }

    fn is_complete(&self) -> bool {
        self.fin.attribute_of("fin", "complete").as_deref() == Some("true")
    }

    fn first(&self) -> String {
        self.fin.text_of("first").unwrap()
    }

    fn last(&self) -> String {
        self.fin.text_of("last").unwrap()
    }
}

/// A form with these fields, filled in for an archive.
fn form(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>{MAM}</value></field>{fields}</x>"
    )
}

/// A request for a page (XEP-0059).
fn set(inside: &str) -> String {
    format!("<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>")
}

/// Asks for a page of one's own archive and reads it to its end, whatever else comes meanwhile passed over.
#[track_caller]
fn query(client: &mut Client, inside: &str) -> Page {
    client.send(&format!("<iq type='set' id='page'><query xmlns='{MAM}' queryid='q1'>{inside}</query></iq>"));
    let mut results = Vec::new();
    loop {
        let seen = client.next_piece();
        if seen.fits("<iq id='page'") {
            assert!(seen.fits("<iq type='result'"), "{seen}");
            return Page { results, fin: seen };
        }
        if seen.fits("<message") && seen.contains(&format!("<result xmlns='{MAM}'")) {
            results.push(seen);
        }
    }
}

/// Asks for a page that is refused, and answers the condition.
#[track_caller]
fn refused(client: &mut Client, inside: &str) -> String {
    condition(&ask(client, "set", "", &format!("<query xmlns='{MAM}'>{inside}</query>")))
}
