//! The running server as an administrator sees it: status, sessions, reload, stop.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell, Command, Failed, Field, FieldKind, Role};
use metronome_host::feature::Feature;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stream::error::Condition;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "operations",
    commands: &[
        Command {
            name: "status",
            about: "Tells how the server is.",
            role: Role::Admin,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(status(server)))),
        },
        Command {
            name: "session list",
            about: "Lists who is connected.",
            role: Role::Admin,
            fields: &[Field::optional("jid", FieldKind::Jid, "Only the sessions of this account.").positional()],
            run: |server, given| Box::pin(std::future::ready(Ok(sessions(server, &given)))),
        },
        Command {
            name: "session kill",
            about: "Disconnects a session, or all sessions of an account.",
            role: Role::Admin,
            fields: &[Field::required("jid", FieldKind::Session, "A session's full address, or an account's.").positional()],
            run: |server, given| Box::pin(std::future::ready(kill(server, &given))),
        },
        Command {
            name: "reload",
            about: "Reads the configuration again; a file with a mistake changes nothing.",
            role: Role::Operator,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(reload(server))),
        },
        Command {
            name: "stop",
            about: "Stops the server in order: everyone is told, nothing is lost.",
            role: Role::Operator,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(stop(server)))),
        },
    ],
    ..Feature::NONE
};

fn status(server: &Server) -> Answer {
    let counters = &server.counters;
    let hosts: Vec<_> = server.hosts.load().iter().map(|host| host.name.to_string()).collect();
    Answer::Facts(vec![
        ("version", Cell::text(env!("CARGO_PKG_VERSION"))),
        ("hosts", Cell::text(hosts.join(" "))),
        ("up_since", Cell::Span(Duration::from_millis(server.clock.steady_ms()))),
        ("sessions", Cell::Count(server.sessions.count() as u64)),
        ("session_memory", Cell::Bytes(server.sessions.memory_usage() as u64)),
        ("stanzas_in", Cell::Count(counters.stanzas_in.get())),
        ("messages_delivered", Cell::Count(counters.messages_delivered.get())),
        ("bounced", Cell::Count(counters.bounced.get())),
        ("dropped", Cell::Count(counters.dropped.get())),
        ("logins", Cell::Count(counters.logins.get())),
        ("login_failures", Cell::Count(counters.login_failures.get())),
        ("panics", Cell::Count(counters.panics.get())),
    ])
}

fn sessions(server: &Server, given: &Arguments) -> Answer {
    let mut all = server.sessions.all();
    if let Some(jid) = given.jid_if_given("jid") {
        all.retain(|session| session.jid.bare_str() == jid.bare_str());
    }
    all.sort_by(|a, b| a.jid.cmp(&b.jid));
    let now_ms = server.clock.unix_ms();
    let row = |session: &Arc<Session>| {
        let priority = session.priority().map_or(Cell::None, |priority| Cell::text(priority.to_string()));
        vec![
            Cell::text(session.jid.as_str()),
            Cell::text(session.address.to_string()),
            Cell::text(session.mechanism),
            priority,
            Cell::Span(Duration::from_millis(now_ms.saturating_sub(session.since_ms))),
        ]
    };
    Answer::Table { columns: &["jid", "address", "mechanism", "priority", "since"], rows: all.iter().map(row).collect() }
}

fn kill(server: &Server, given: &Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let mut all = server.sessions.all();
    all.retain(|session| session.jid == jid || (jid.is_bare() && session.jid.bare_str() == jid.as_str()));
    if all.is_empty() {
        return Err(Failed::problem(format!("{jid} is not connected")));
    }
    for session in &all {
        session.close(Condition::PolicyViolation, Some("disconnected by an administrator"));
    }
    Ok(Answer::text(format!("{} disconnected", all.len())))
}

fn reload(server: &Arc<Server>) -> Result<Answer, Failed> {
    server.control.reload(server).map(Answer::text).map_err(Failed::problem)
}

fn stop(server: &Server) -> Answer {
    server.control.request_stop();
    Answer::text("the server is stopping")
}
