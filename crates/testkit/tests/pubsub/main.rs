//! Publish-subscribe (XEP-0060 and its family): the service of a domain, nodes of accounts and of domains, and who hears of what.
#![allow(clippy::unwrap_used)]

mod administration;
mod announced;
mod archive;
mod attachments;
mod blogs;
mod conversions;
mod feeds;
mod fields;
mod hostile;
mod interest;
mod limits;
mod nodes;
mod pages;
mod personal;
mod presence;
mod profiles;
mod publishers;
mod relatives;
mod remote;
mod rosters;
mod server_info;
mod services;
mod subscribers;
mod upkeep;

use metronome_testkit::{Backend, Client, Seen, Server, Setup, ask};

/// The service of these scenarios.
const SERVICE: &str = "pubsub.localhost";

fn server(options: &str) -> Server {
    Setup::default().store(Backend::Memory).options(options).start()
}

/// Asks for something and demands that it is granted; `to` is the own account if it is empty.
#[track_caller]
fn granted(client: &mut Client, kind: &str, to: &str, ns: &str, request: &str) -> Seen {
    let answer = ask(client, kind, to, &format!("<pubsub xmlns='http://jabber.org/protocol/{ns}'>{request}</pubsub>"));
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{request}: {answer}");
    answer
}

#[track_caller]
fn get(client: &mut Client, to: &str, request: &str) -> Seen {
    granted(client, "get", to, "pubsub", request)
}

#[track_caller]
fn set(client: &mut Client, to: &str, request: &str) -> Seen {
    granted(client, "set", to, "pubsub", request)
}

#[track_caller]
fn owner_get(client: &mut Client, to: &str, request: &str) -> Seen {
    granted(client, "get", to, "pubsub#owner", request)
}

#[track_caller]
fn owner_set(client: &mut Client, to: &str, request: &str) -> Seen {
    granted(client, "set", to, "pubsub#owner", request)
}

/// Asks for something and demands that it is refused with this condition, and the one of publish-subscribe behind it.
#[track_caller]
fn refused(client: &mut Client, kind: &str, to: &str, request: &str, conditions: &str) {
    let answer =
        ask(client, kind, to, &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{request}</pubsub>"));
    assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{request}: {answer}");
    for condition in conditions.split(' ') {
        assert!(answer.contains(&format!("<{condition} xmlns=")), "{condition} for {request}: {answer}");
    }
}

/// A form that is filled in, of a type of publish-subscribe.
fn submit(form_type: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| {
        format!("<field var='{var}'><value>{}</value></field>", value.replace('<', "&lt;"))
    };
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#{form_type}</value></field>{fields}</x>"
    )
}

fn publish_options(fields: &[(&str, &str)]) -> String {
    format!("<publish-options>{}</publish-options>", submit("publish-options", fields))
}

/// A payload.
fn entry(text: &str) -> String {
    format!("<entry xmlns='http://www.w3.org/2005/Atom'><title>{text}</title></entry>")
}
