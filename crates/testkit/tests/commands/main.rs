//! XEP-0050: commands by forms: who finds and runs which, from the first form to the result, and what hostile requests come to.
#![allow(clippy::unwrap_used)]

mod certificates;
mod hostile;
mod lists;
mod runs;
mod switches;

use metronome_testkit::{Client, Seen, Server, Setup, ask, condition};
use serde_json::json;

const COMMANDS: &str = "http://jabber.org/protocol/commands";

/// Alice administers localhost, carol everything; bob is a user, and so is dave of another domain.
fn server() -> Server {
    let options = "commands.operators = [\"carol@localhost\"]\nauth.own_certificates = true";
    let server = Setup::default().domain("b.example").account("dave@b.example").options(options).start();
    server.control().run("user role", json!({ "jid": "alice@localhost", "role": "admin" }));
    server
}

/// A session of dave's.
fn dave(server: &Server) -> Client {
    let mut dave = server.dial().domain("b.example").direct();
    dave.log_in("dave", "phone");
    dave
}

/// The name of a node of ours.
fn own(name: &str) -> String {
    format!("urn:metronome:commands:{name}")
}

/// The name of a node of XEP-0133.
fn admin(name: &str) -> String {
    format!("http://jabber.org/protocol/admin#{name}")
}

/// Sends `<command/>` with these attributes.
#[track_caller]
fn send(client: &mut Client, to: &str, node: &str, attributes: &str, inside: &str) -> Seen {
    ask(client, "set", to, &format!("<command xmlns='{COMMANDS}' node='{node}' {attributes}>{inside}</command>"))
}

/// Begins a command at localhost.
#[track_caller]
fn execute(client: &mut Client, node: &str) -> Seen {
    send(client, "localhost", node, "action='execute'", "")
}

/// Goes on with the session of an earlier answer, with an action.
#[track_caller]
fn go_on(client: &mut Client, before: &Seen, action: &str, inside: &str) -> Seen {
    let (node, session) = (before.attribute_of("command", "node").unwrap(), session(before));
    let attributes = format!("sessionid='{session}' action='{action}'");
    send(client, &before.attribute("from").unwrap(), &node, &attributes, inside)
}

fn session(answer: &Seen) -> String {
    answer.attribute_of("command", "sessionid").unwrap_or_else(|| panic!("{answer}"))
}

fn status(answer: &Seen) -> String {
    answer.attribute_of("command", "status").unwrap_or_else(|| panic!("{answer}"))
}

/// A form that was filled in.
fn form(fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    format!("<x xmlns='jabber:x:data' type='submit'>{}</x>", fields.iter().map(field).collect::<String>())
}

/// The condition of an error, and the one of XEP-0050 beside it.
#[track_caller]
fn problem(answer: &Seen) -> (String, Option<String>) {
    let known = ["malformed-action", "bad-action", "bad-payload", "bad-sessionid", "session-expired"];
    (condition(answer), answer.conditions().into_iter().find(|name| known.contains(&name.as_str())))
}

/// The nodes in a list.
fn nodes(list: &Seen) -> Vec<String> {
    list.split("<item ")
        .skip(1)
        .map(|item| item.split("node='").nth(1).unwrap().split('\'').next().unwrap().to_owned())
        .collect()
}
