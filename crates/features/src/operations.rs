//! The running server as an administrator sees it: status, sessions, reload, logs, stop.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::feature::Feature;
use metronome_host::hosts::Standing;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stanza::Name;
use metronome_proto::stream::error::Condition;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "operations",
    commands: &[
        Command {
            name: "status",
            about: "Tells how the server is.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(status(server)))),
        },
        Command {
            name: "session list",
            about: "Lists who is connected.",
            role: Role::Admin,
            does: Does::Tells,
            fields: &[
                Field::optional("jid", FieldKind::Jid, "Only the sessions of this account.").positional(),
                Field::optional("host", FieldKind::Domain, "Only the sessions of this domain."),
            ],
            run: |server, given| Box::pin(std::future::ready(Ok(sessions(server, &given)))),
        },
        Command {
            name: "session kill",
            about: "Disconnects a session, or all sessions of an account.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[
                Field::required("jid", FieldKind::Session, "A session's full address, or an account's.").positional()
            ],
            run: |server, given| Box::pin(std::future::ready(kill(server, &given))),
        },
        Command {
            name: "reload",
            about: "Reads the configuration again; a file with a mistake changes nothing.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[],
            run: |server, _| Box::pin(reload(server)),
        },
        Command {
            name: "log level",
            about: "Logs more or less, until the next reload or restart.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[Field::required(
                "level",
                FieldKind::Choice(&["error", "warn", "info", "debug", "trace"]),
                "How much.",
            )
            .positional()],
            run: |server, given| Box::pin(std::future::ready(log_level(server, &given))),
        },
        Command {
            name: "log reopen",
            about: "Opens log files and the sockets of logs again, after something moved them away.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(log_reopen(server))),
        },
        Command {
            name: "stop",
            about: "Stops the server in order: everyone is told, nothing is lost.",
            role: Role::Operator,
            does: Does::Ends,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(stop(server)))),
        },
    ],
    ..Feature::NONE
};

fn status(server: &Server) -> Answer {
    let counters = &server.counters;
    let (served, others): (Vec<_>, Vec<_>) = {
        let hosts = server.hosts.load();
        let names = hosts.all().filter(|known| known.standing != Standing::Component);
        let names = names.map(|known| (known.host.name.to_string(), known.standing));
        names.partition(|(_, standing)| *standing == Standing::Served)
    };
    let named = |names: Vec<(String, Standing)>| match names.is_empty() {
        true => Cell::None,
        false => Cell::text(names.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")),
    };
    let mut facts = vec![("version", Cell::text(env!("CARGO_PKG_VERSION")))];
    if served.is_empty() {
        facts.push(("problem", Cell::text("no domain is served; see metronomectl host list")));
    }
    facts.extend([
        ("hosts", named(served)),
        ("hosts_not_served", named(others)),
        ("up_since", Cell::Span(Duration::from_millis(server.clock.steady_ms()))),
        ("sessions", Cell::Count(server.sessions.count() as u64)),
        ("session_memory", Cell::Bytes(server.sessions.memory_usage() as u64)),
        ("stanzas_in", Cell::Count(counters.stanzas_in())),
        ("messages_delivered", Cell::Count(counters.delivered.get(Name::Message))),
        ("bounced", Cell::Count(counters.bounced.get())),
        ("dropped", Cell::Count(counters.dropped.get())),
        ("logins", Cell::Count(counters.logins.get())),
        ("login_failures", Cell::Count(counters.login_failures.get())),
        ("panics", Cell::Count(counters.panics.get())),
    ]);
    Answer::Facts(facts)
}

fn sessions(server: &Server, given: &Arguments) -> Answer {
    let mut all = server.sessions.all();
    if let Some(jid) = given.jid_if_given("jid") {
        all.retain(|session| session.jid.bare_str() == jid.bare_str());
    }
    if let Some(host) = given.domain_if_given("host") {
        all.retain(|session| session.jid.domain() == host.as_str());
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
    Answer::Table {
        columns: &["jid", "address", "mechanism", "priority", "since"],
        rows: all.iter().map(row).collect(),
    }
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

async fn reload(server: &Arc<Server>) -> Result<Answer, Failed> {
    server.control.process()?.reload(server).await.map(Answer::text).map_err(Failed::problem)
}

fn log_level(server: &Server, given: &Arguments) -> Result<Answer, Failed> {
    server.control.process()?.set_log_level(given.text("level")).map(Answer::text)
}

fn log_reopen(server: &Server) -> Result<Answer, Failed> {
    server.control.process()?.reopen_logs()?;
    Ok(Answer::text("the logs were opened again"))
}

fn stop(server: &Server) -> Answer {
    server.control.request_stop();
    Answer::text("the server is stopping")
}
