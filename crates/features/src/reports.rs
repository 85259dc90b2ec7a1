//! XEP-0377: Blocking Command Reports: why people block others, kept for those who run the server: the newest, in one value of the
//! store, and in the log. Nothing goes to anybody else, whatever a reporter agrees to.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Feature, Xep};
use metronome_host::options::Frequency;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::blocking::Item;
use metronome_proto::payload::delay;
use metronome_proto::xml::{Content, Tree};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "reports",
    xeps: &[Xep::new(377, "0.4.1", "Blocking Command Reports")],
    disco: &[ns::REPORTING],
    disco_account: &[ns::REPORTING],
    commands: &[
        Command {
            name: "report list",
            about: "Lists whom people have reported when they blocked them, the newest last.",
            role: Role::Admin,
            does: Does::Tells,
            fields: &[HOST],
            run: |server, given| Box::pin(list(server, given)),
        },
        Command {
            name: "report clear",
            about: "Forgets the reports.",
            role: Role::Admin,
            does: Does::Ends,
            fields: &[HOST],
            run: |server, given| Box::pin(clear(server, given)),
        },
    ],
    ..Feature::NONE
};

const HOST: Field = Field::optional("host", FieldKind::Domain, "Only what accounts of this domain have reported.");

/// Whose lock the reports are changed under. No account has this id: the first bits of real ones are random, and guests' are ones.
pub const OWNER: AccountId = AccountId::from_bytes([0; 16]);

/// The name of the value.
const KEY: &str = "reports";
/// Most reports that are kept; beyond them the oldest goes.
const REPORTS_MAX: usize = 256;
/// Most reports of one reporter: nobody drives out those of others.
const OF_ONE_MAX: usize = 16;
/// Most bytes of all; every new report writes them anew.
const BYTES_MAX: usize = 128 * 1024;
/// How often an account may report somebody; of more only the block counts, since each report costs a write of all of them.
const OFTEN: Frequency = Frequency { times: 32, per: Duration::from_secs(3600) };

/// One report as it is kept: an element with all of it as attributes and text.
struct Kept(Tree);

impl Kept {
    fn new(at_ms: u64, by: &str, item: &Item) -> Option<Kept> {
        let report = item.report.as_ref()?;
        let agreed = |name: &'static str, agreed: bool| agreed.then_some(name);
        let agreed = [agreed("report-origin", report.to_origin), agreed("third-party", report.to_others)];
        let agreed: Vec<&str> = agreed.into_iter().flatten().collect();
        let tree = Tree::new(ns::REPORTING, "report")
            .attr("at", delay::format_time(at_ms as i64))
            .attr("by", by)
            .attr("about", item.jid.as_str())
            .attr("reason", &report.reason)
            .attr("messages", report.messages.join(" "))
            .attr("agreed", agreed.join(" "))
            .text(&report.text);
        Some(Kept(tree))
    }

    fn attr(&self, name: &str) -> &str {
        self.0.get_attr(name).unwrap_or_default()
    }

    /// As its row of the list.
    fn cells(&self) -> Vec<Cell> {
        let cell = |text: &str| if text.is_empty() { Cell::None } else { Cell::text(text) };
        let mut cells: Vec<Cell> = COLUMNS.iter().map(|name| cell(self.attr(name))).collect();
        if let Some(text) = cells.last_mut() {
            *text = cell(&self.0.get_text());
        }
        cells
    }
}

const COLUMNS: &[&str] = &["at", "by", "about", "reason", "messages", "agreed", "text"];

/// Puts the reports of these items into the record of the block. The caller holds the lock of [`OWNER`] if there are any.
pub(crate) async fn keep(server: &Server, env: &mut Envelope, items: &[Item]) -> Result<(), Refuse> {
    if items.is_empty() {
        return Ok(());
    }
    let by = env.sender.session()?.jid.bare();
    let mut all = read(server).await?;
    let mut added = 0;
    for item in items {
        if !server.throttles.reports.take(env.sender.session()?.account, OFTEN, server.clock.steady_ms()) {
            tracing::debug!(jid = by.as_str(), "an account reports too often; this is not kept");
            break;
        }
        let Some(report) = Kept::new(server.clock.unix_ms(), by.as_str(), item) else { continue };
        tracing::info!(jid = by.as_str(), peer = item.jid.as_str(), why = report.attr("reason"), "somebody was reported");
        add(&mut all, report);
        added += 1;
    }
    if added > 0 {
        env.record.push(Op::SetMeta { key: KEY, value: write(&mut all) });
    }
    Ok(())
}

fn add(all: &mut Vec<Kept>, report: Kept) {
    let of_one = all.iter().filter(|kept| kept.attr("by") == report.attr("by")).count();
    if of_one >= OF_ONE_MAX {
        let oldest = all.iter().position(|kept| kept.attr("by") == report.attr("by"));
        oldest.map(|at| all.remove(at));
    } else if all.len() >= REPORTS_MAX {
        all.remove(0);
    }
    all.push(report);
}

/// The oldest go until the rest is within its bytes.
fn write(all: &mut Vec<Kept>) -> Box<[u8]> {
    let mut written: Vec<Vec<u8>> = all.iter().map(|report| report.0.to_vec("")).collect();
    let mut bytes: usize = written.iter().map(Vec::len).sum();
    let mut dropped = 0;
    while bytes > BYTES_MAX {
        bytes -= written[dropped].len();
        dropped += 1;
    }
    all.drain(..dropped);
    written.drain(dropped..).flatten().collect()
}

async fn read(server: &Server) -> Result<Vec<Kept>, Refuse> {
    let stored = server.store.meta(KEY).await?.unwrap_or_default();
    let content = Content::parse(&stored).unwrap_or_else(|error| {
        tracing::error!(%error, "the stored reports are damaged; they are forgotten");
        Content::empty()
    });
    Ok(content.iter().map(|report| Kept(report.tree())).collect())
}

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let mut all = read(server).await.map_err(|_| unreadable())?;
    all.retain(|report| is_meant(report, &given));
    Ok(Answer::Table { columns: COLUMNS, rows: all.iter().map(Kept::cells).collect() })
}

async fn clear(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let _locked = server.owners.lock(&[OWNER]).await;
    let mut all = read(server).await.map_err(|_| unreadable())?;
    let before = all.len();
    all.retain(|report| !is_meant(report, &given));
    let forgotten = before - all.len();
    match server.commit(Record::of(Op::SetMeta { key: KEY, value: write(&mut all) })).await {
        Outcome::Done { .. } => Ok(Answer::text(format!("{forgotten} reports were forgotten"))),
        other => Err(Failed::problem(format!("the reports could not be forgotten: {other:?}"))),
    }
}

/// Whether a report was made by an account of the domain that is given, if one is.
fn is_meant(report: &Kept, given: &Arguments) -> bool {
    let host = given.domain_if_given("host");
    host.is_none_or(|host| Jid::parse(report.attr("by")).is_ok_and(|by| by.domain() == host.as_str()))
}

fn unreadable() -> Failed {
    Failed::problem("the reports cannot be read; the log says why")
}

#[cfg(test)]
mod tests {
    use metronome_proto::payload::reporting::Report;

    use super::*;

    fn report(by: &str, about: usize, text: &str) -> Kept {
        let report = Report {
            reason: "urn:xmpp:reporting:spam".to_owned(),
            text: text.to_owned(),
            messages: vec!["1".to_owned(), "2".to_owned()],
            to_origin: true,
            to_others: false,
        };
        let jid = Jid::parse(&format!("spammer-{about}@example.org")).unwrap();
        Kept::new(1_000, by, &Item { jid, report: Some(report) }).unwrap()
    }

    #[test]
    fn the_newest_reports_are_kept_and_nobody_drives_out_those_of_others() {
        let mut all = Vec::new();
        add(&mut all, report("alice@localhost", 0, ""));
        for about in 0..REPORTS_MAX * 2 {
            add(&mut all, report("eve@localhost", about, ""));
        }
        assert_eq!(all.len(), 1 + OF_ONE_MAX);
        for number in 0..REPORTS_MAX * 2 {
            add(&mut all, report(&format!("{number}@localhost"), number, ""));
        }
        assert_eq!(all.len(), REPORTS_MAX);
        assert_eq!(all.last().unwrap().attr("about"), "spammer-511@example.org");
    }

    #[test]
    fn reports_come_back_as_they_were_written_within_their_bytes() {
        let mut all: Vec<Kept> = (0..200).map(|number| report("a@b", number, &"<&".repeat(500))).collect();
        let written = write(&mut all);
        assert!(written.len() <= BYTES_MAX && all.len() < 200);
        let content = Content::parse(&written).unwrap();
        let read: Vec<Kept> = content.iter().map(|report| Kept(report.tree())).collect();
        assert_eq!(read.len(), all.len());
        let last = read.last().unwrap().cells();
        assert_eq!(last[2], Cell::text("spammer-199@example.org"));
        assert_eq!(last[4..6], [Cell::text("1 2"), Cell::text("report-origin")]);
        assert_eq!(last[6], Cell::text("<&".repeat(500)));
    }
}
