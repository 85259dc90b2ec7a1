//! Other servers as an administrator deals with them: whom to block, whom to allow, and who was banned. The rules are in
//! `host::gate`; they are stored by the commands, and by a task of their own ([`run`]) where offences have made them. Streams are
//! in `host::linked`; they ask the rules themselves.

mod list;
mod ping;

use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::feature::{Feature, Xep};
use metronome_host::gate::{self, ALLOW, BLOCK, Rule, Verdict};
use metronome_host::linked::End;
use metronome_host::options::read_duration;
use metronome_host::routes;
use metronome_host::server::Server;
use metronome_model::Outcome;
use metronome_proto::jid::Jid;

const DOMAIN: Field =
    Field::required("domain", FieldKind::Domain, "The remote domain; its sub-domains are meant too.").positional();
const FOR: Field = Field::optional("for", FieldKind::Text, "For how long, such as 2d; without it, until it is said otherwise.");
const WHY: Field = Field::optional("why", FieldKind::Text, "The reason, for the next administrator.");

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "federation",
    // The streams are in `net`; this is what the pages about them are made from.
    xeps: &[
        Xep::new(178, "1.2", "Best Practices for Use of SASL EXTERNAL with Certificates"),
        Xep::new(185, "1.0", "Dialback Key Generation and Validation"),
        Xep::new(220, "1.1.1", "Server Dialback"),
        Xep::new(288, "1.0.1", "Bidirectional Server-to-Server Connections"),
        Xep::new(344, "0.4", "Impact of TLS and DNSSEC on Dialback"),
        Xep::new(368, "1.1.0", "SRV records for XMPP over TLS"),
        Xep::new(495, "0.1.0", "Happy Eyeballs"),
    ],
    settings: gate::SETTINGS,
    check: routes::check,
    commands: &[
        Command {
            name: "s2s list",
            about: "Lists the streams with other servers, and what waits for others.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[Field::optional("domain", FieldKind::Domain, "Only those with this remote domain.").positional()],
            run: |server, given| Box::pin(std::future::ready(Ok(list::table(server, &given)))),
        },
        Command {
            name: "s2s close",
            about: "Closes the streams with a remote domain; what waits for it makes another one.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[Field::required("domain", FieldKind::Domain, "The remote domain.").positional()],
            run: |server, given| Box::pin(std::future::ready(close(server, &given))),
        },
        Command {
            name: "s2s ping",
            about: "Asks a remote domain for an answer, as people's stanzas would.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[
                Field::required("domain", FieldKind::Domain, "The remote domain.").positional(),
                Field::optional("from", FieldKind::Domain, "The domain of ours that asks; the first without it."),
            ],
            run: |server, given| Box::pin(ping::ping(server, given)),
        },
        Command {
            name: "s2s rules",
            about: "Lists the remote domains that are blocked, banned or allowed.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(rules(server)))),
        },
        Command {
            name: "s2s block",
            about: "Exchanges nothing more with a remote domain.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[DOMAIN, FOR, WHY],
            run: |server, given| Box::pin(set(server, given, Verdict::Blocked)),
        },
        Command {
            name: "s2s allow",
            about: "Lets a remote domain in, whatever it does and whatever lists say.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[DOMAIN, FOR, WHY],
            run: |server, given| Box::pin(set(server, given, Verdict::Allowed)),
        },
        Command {
            name: "s2s unblock",
            about: "Removes what was decided of a remote domain, a ban too.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[DOMAIN],
            run: |server, given| Box::pin(unblock(server, given)),
        },
    ],
    ..Feature::NONE
};

/// Stores the rules that offences make, for as long as the server runs.
pub async fn run(server: Arc<Server>) {
    let mut changes = server.gate.changes();
    while changes.changed().await.is_ok() {
        if let outcome @ (Outcome::Unavailable(_) | Outcome::Full) = server.gate.save(&server).await {
            // They count all the same, until the server ends.
            tracing::error!(?outcome, "the rules about other servers could not be stored");
        }
    }
}

fn close(server: &Server, given: &Arguments) -> Result<Answer, Failed> {
    let domain = given.domain("domain");
    let streams = server.linked.with(domain.as_str());
    if streams.is_empty() {
        return Err(Failed::problem(format!("there is no stream with {domain}")));
    }
    for stream in &streams {
        stream.close(End::InOrder);
    }
    Ok(Answer::text(match streams.len() {
        1 => format!("1 stream with {domain} is closed"),
        count => format!("{count} streams with {domain} are closed"),
    }))
}

fn rules(server: &Server) -> Answer {
    let now_ms = server.clock.unix_ms();
    let span = |from_ms: u64, to_ms: u64| Cell::Span(Duration::from_millis(to_ms.saturating_sub(from_ms)));
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for (domain, rule) in server.gate.rules(now_ms) {
        rows.push(vec![
            Cell::text(domain),
            Cell::text(rule.verdict.as_str()),
            Cell::text(if rule.verdict == Verdict::Banned { "offences" } else { "command" }),
            span(rule.since_ms, now_ms),
            rule.until_ms.map_or(Cell::None, |until_ms| span(now_ms, until_ms)),
            if rule.why.is_empty() { Cell::None } else { Cell::text(rule.why) },
        ]);
    }
    let hosts = server.hosts.load();
    for (setting, verdict) in [(&ALLOW, Verdict::Allowed), (&BLOCK, Verdict::Blocked)] {
        for domain in hosts.values.list(setting) {
            let from = Cell::text("configuration");
            rows.push(vec![Cell::text(domain), Cell::text(verdict.as_str()), from, Cell::None, Cell::None, Cell::None]);
        }
    }
    Answer::Table { columns: &["domain", "rule", "from", "since", "left", "why"], rows }
}

async fn set(server: &Arc<Server>, given: Arguments, verdict: Verdict) -> Result<Answer, Failed> {
    let domain = remote(server, &given)?;
    let now_ms = server.clock.unix_ms();
    let span = given.text_if_given("for").map(|text| {
        let wrong = |error: metronome_host::options::UnitError| Failed::usage(format!("`for`: {}", error.problem)).with_hint(error.hint);
        read_duration(text).map_err(wrong)
    });
    let span = span.transpose()?;
    let until_ms = span.map(|span| now_ms.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)));
    let why = given.text_if_given("why").unwrap_or_default().into();
    let before = server.gate.rules(now_ms).into_iter().find(|(other, _)| **other == *domain.as_str());
    if !server.gate.set(domain.as_str(), Rule { verdict, since_ms: now_ms, until_ms, why }) {
        return Err(Failed::problem(format!("there are {} rules already", gate::RULES_MAX)).with_hint("metronomectl s2s unblock"));
    }
    stored(server, &domain, before.map(|(_, rule)| rule)).await?;
    let left = match span {
        Some(span) => format!(" for {}", Cell::Span(span).to_text()),
        None => String::new(),
    };
    Ok(Answer::text(format!("{domain} is {}{left}", verdict.as_str())))
}

async fn unblock(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let domain = given.domain("domain");
    let Some(rule) = server.gate.remove(domain.as_str()) else {
        let is_listed = server.hosts.load().values.list(&BLOCK).iter().any(|listed| listed == domain.as_str());
        let failed = Failed::problem(format!("nothing was decided of {domain} by a command or for offences"));
        return Err(match is_listed {
            true => failed.with_hint("it is in federation.block of the configuration; remove it there, then metronomectl reload"),
            false => failed,
        });
    };
    let was = rule.verdict.as_str();
    stored(server, &domain, Some(rule)).await?;
    Ok(Answer::text(format!("{domain} is {was} no more")))
}

/// A domain of others.
fn remote(server: &Server, given: &Arguments) -> Result<Jid, Failed> {
    let domain = given.domain("domain");
    match server.hosts.load().known(domain.as_str()) {
        None => Ok(domain),
        Some(_) => Err(Failed::problem(format!("{domain} is a domain of this server"))
            .with_hint("federation.enabled in [host.\"NAME\"] decides whether it speaks with others")),
    }
}

/// Stores what was changed; what cannot be stored is as it was before.
async fn stored(server: &Arc<Server>, domain: &Jid, before: Option<Rule>) -> Result<(), Failed> {
    let outcome = server.gate.save(server).await;
    if outcome.is_done() {
        return Ok(());
    }
    match before {
        Some(rule) => drop(server.gate.set(domain.as_str(), rule)),
        None => drop(server.gate.remove(domain.as_str())),
    }
    Err(Failed::problem(format!("nothing was changed: {outcome:?}")))
}

#[cfg(test)]
mod tests;
