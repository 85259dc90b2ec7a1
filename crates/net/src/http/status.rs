//! The state of the server as a document, in XML or JSON, in the form that the Metronome of the Lua years has it: stanzas by kind, sessions,
//! memory, domains and components. Stanzas are *outgoing* when clients have sent them, and *incoming* when clients have got them.

use std::fmt::Write as _;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::counters::Stanzas;
use metronome_host::hosts::Standing;
use metronome_proto::stanza::Name;
use metronome_proto::xml::write;
use serde_json::{Map, Value, json};

use super::metrics::read;
use super::routes::{Needs, Route, Shared, Verb, Visit};
use crate::admission::figures::ConnectionKind;
use crate::metrics::reading::{Reading, Streams};

pub(super) const ROUTES: &[Route] = &[
    at("/server-status", accepted),
    at("/server-status/", accepted),
    at("/server-status.json", in_json),
    at("/server-status.xml", in_xml),
];

const fn at(path: &'static str, handler: fn(Visit) -> BoxFuture<'static, Response>) -> Route {
    Route { path, verbs: &[Verb::Get], needs: Needs::Watcher, shared: Shared::Never, body_bytes_max: 0, handler }
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Xml,
    Json,
}

impl Form {
    /// By what a request accepts; XML, unless it names JSON.
    fn of(fields: &HeaderMap) -> Form {
        let accepted = fields.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        if accepted.contains("application/json") { Form::Json } else { Form::Xml }
    }

    fn media_type(self) -> &'static str {
        match self {
            Form::Xml => "text/xml; charset=utf-8",
            Form::Json => "application/json",
        }
    }
}

fn accepted(visit: Visit) -> BoxFuture<'static, Response> {
    let form = Form::of(visit.request.headers());
    Box::pin(answer(visit, form))
}

fn in_json(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(answer(visit, Form::Json))
}

fn in_xml(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(answer(visit, Form::Xml))
}

async fn answer(visit: Visit, form: Form) -> Response {
    let written = read(visit.web, move |reading| {
        let status = Status::of(reading);
        match form {
            Form::Xml => status.to_xml(),
            Form::Json => format!("{}\n", status.to_json()),
        }
    });
    match written.await {
        Some(text) => {
            ([(header::CONTENT_TYPE, form.media_type()), (header::CACHE_CONTROL, "no-store")], text).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What the document says.
#[derive(Debug)]
struct Status {
    /// By kind: what clients have got, what they have sent.
    stanzas: [(Name, u64, u64); 3],
    bosh: usize,
    websockets: usize,
    c2s: usize,
    s2s: Streams,
    allocated_bytes: Option<u64>,
    used_bytes: Option<u64>,
    hosts: Vec<(Box<str>, &'static str)>,
    components: Vec<(Box<str>, &'static str)>,
}

fn word(is_online: bool) -> &'static str {
    if is_online { "online" } else { "offline" }
}

impl Status {
    fn of(reading: &Reading) -> Status {
        let (server, figures) = (&reading.server, &reading.admission.figures);
        let hosts = server.hosts.load();
        let mut own = Vec::new();
        let mut components = Vec::new();
        for known in hosts.all() {
            let name: Box<str> = known.host.name.as_str().into();
            match known.standing {
                Standing::Component => {
                    components.push((name, word(server.components.of(&known.host.name).is_connected())));
                }
                standing => own.push((name, word(standing == Standing::Served))),
            }
        }
        let counters = &server.counters;
        Status {
            stanzas: Stanzas::KINDS.map(|kind| (kind, counters.delivered.get(kind), counters.from_clients.get(kind))),
            bosh: figures.in_use(ConnectionKind::Bosh),
            websockets: figures.in_use(ConnectionKind::WebSocket),
            c2s: figures.in_use(ConnectionKind::Client),
            s2s: reading.streams,
            allocated_bytes: reading.virtual_bytes(),
            used_bytes: reading.resident_bytes(),
            hosts: own,
            components,
        }
    }

    fn to_json(&self) -> Value {
        let stanzas = self.stanzas.map(|(kind, incoming, outgoing)| {
            (format!("{}-routed", kind.as_str()), json!({ "incoming": incoming, "outgoing": outgoing }))
        });
        let memory = [("allocated", self.allocated_bytes), ("used", self.used_bytes)];
        let memory = memory.into_iter().filter_map(|(what, bytes)| Some((what.to_owned(), json!({ "bytes": bytes? }))));
        let named = |all: &[(Box<str>, &str)]| -> Map<String, Value> {
            all.iter().map(|(name, state)| (name.to_string(), json!(state))).collect()
        };
        let Streams { incoming, outgoing, both } = self.s2s;
        json!({
            "stanzas": Map::from_iter(stanzas),
            "sessions": {
                "bosh": self.bosh,
                "ws": self.websockets,
                "c2s": self.c2s,
                "s2s": { "incoming": incoming, "outgoing": outgoing, "bidi": both },
            },
            "memory": Map::from_iter(memory),
            "hosts": named(&self.hosts),
            "components": named(&self.components),
        })
    }

    fn to_xml(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<document>\n  <stanzas>\n");
        let [message, presence, iq] = self.stanzas;
        let mut routed = |way: &str, count: fn((Name, u64, u64)) -> u64| {
            let (message, presence, iq) = (count(message), count(presence), count(iq));
            let _ = writeln!(xml, "    <{way}-routed iq=\"{iq}\" message=\"{message}\" presence=\"{presence}\"/>");
        };
        routed("incoming", |(_, incoming, _)| incoming);
        routed("outgoing", |(_, _, outgoing)| outgoing);
        xml.push_str("  </stanzas>\n  <memory>\n");
        for (what, bytes) in [("allocated", self.allocated_bytes), ("used", self.used_bytes)] {
            if let Some(bytes) = bytes {
                let _ = writeln!(xml, "    <{what} bytes=\"{bytes}\"/>");
            }
        }
        xml.push_str("  </memory>\n  <sessions>\n");
        for (what, count) in [("bosh", self.bosh), ("websockets", self.websockets), ("c2s", self.c2s)] {
            let _ = writeln!(xml, "    <{what} number=\"{count}\"/>");
        }
        let Streams { incoming, outgoing, both } = self.s2s;
        let _ =
            writeln!(xml, "    <s2s incoming=\"{incoming}\" outgoing=\"{outgoing}\" bidi=\"{both}\"/>\n  </sessions>");
        for (what, all) in [("hosts", &self.hosts), ("components", &self.components)] {
            let _ = writeln!(xml, "  <{what}>");
            for (name, state) in all {
                let _ = writeln!(xml, "    <status name=\"{}\" current=\"{state}\"/>", escaped(name));
            }
            let _ = writeln!(xml, "  </{what}>");
        }
        xml.push_str("</document>\n");
        xml
    }
}

fn escaped(value: &str) -> String {
    let mut out = Vec::new();
    write::attribute_value(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            stanzas: [(Name::Message, 1, 2), (Name::Presence, 3, 4), (Name::Iq, 5, 6)],
            bosh: 7,
            websockets: 8,
            c2s: 9,
            s2s: Streams { incoming: 10, outgoing: 11, both: 12 },
            allocated_bytes: None,
            used_bytes: Some(14),
            hosts: vec![("ours.example".into(), "online")],
            components: vec![("gate.example".into(), "offline")],
        }
    }

    #[test]
    fn the_document_in_json_has_the_names_that_programs_know() {
        let expected = json!({
            "stanzas": {
                "message-routed": { "incoming": 1, "outgoing": 2 },
                "presence-routed": { "incoming": 3, "outgoing": 4 },
                "iq-routed": { "incoming": 5, "outgoing": 6 },
            },
            "sessions": { "bosh": 7, "ws": 8, "c2s": 9, "s2s": { "incoming": 10, "outgoing": 11, "bidi": 12 } },
            "memory": { "used": { "bytes": 14 } },
            "hosts": { "ours.example": "online" },
            "components": { "gate.example": "offline" },
        });
        assert_eq!(status().to_json(), expected);
    }

    #[test]
    fn the_document_in_xml_has_the_names_that_programs_know() {
        let xml = status().to_xml();
        for line in [
            "    <incoming-routed iq=\"5\" message=\"1\" presence=\"3\"/>",
            "    <outgoing-routed iq=\"6\" message=\"2\" presence=\"4\"/>",
            "    <used bytes=\"14\"/>",
            "    <bosh number=\"7\"/>",
            "    <websockets number=\"8\"/>",
            "    <c2s number=\"9\"/>",
            "    <s2s incoming=\"10\" outgoing=\"11\" bidi=\"12\"/>",
            "    <status name=\"ours.example\" current=\"online\"/>",
            "    <status name=\"gate.example\" current=\"offline\"/>",
        ] {
            assert!(xml.lines().any(|found| found == line), "{line} is not in\n{xml}");
        }
        assert!(!xml.contains("allocated"));
    }
}
