//! `metronomectl s2s list`: a row for each pair of domains in each direction that a stream serves, and one for each pair for which
//! something waits without a stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell};
use metronome_host::linked::{Opened, Secrecy, Served, Stream, Way};
use metronome_host::remotes::{Remote, Report, Standing};
use metronome_host::server::Server;
use metronome_proto::jid::Jid;

const COLUMNS: &[&str] = &[
    "remote", "local", "direction", "state", "proof", "encrypted", "opened", "address", "since", "stream", "stored", "queued",
];

/// What waits, by our domain and the remote one.
type Waiting = HashMap<(Jid, Jid), (Arc<Remote>, Report)>;

pub(super) fn table(server: &Server, given: &Arguments) -> Answer {
    let only = given.domain_if_given("domain");
    let is_meant = |remote: &Jid| only.as_ref().is_none_or(|only| only == remote);
    let now_ms = server.clock.unix_ms();
    let reported = server.remotes.all().into_iter().map(|remote| {
        let report = remote.report();
        ((remote.local.clone(), remote.remote.clone()), (remote, report))
    });
    let mut waiting: Waiting = reported.collect();
    let mut rows = Vec::new();
    for stream in server.linked.all() {
        let served = stream.served();
        if served.is_empty() && only.is_none() {
            rows.push(of_stream(&stream, None, None, now_ms));
        }
        for served in served.iter().filter(|served| is_meant(&served.remote)) {
            let report = match served.way {
                Way::Out => waiting.remove(&(served.local.clone(), served.remote.clone())),
                Way::In => None,
            };
            rows.push(of_stream(&stream, Some(served), report.map(|(_, report)| report), now_ms));
        }
    }
    let mut alone: Vec<_> = waiting.into_values().filter(|(remote, _)| is_meant(&remote.remote)).collect();
    alone.sort_by(|(a, _), (b, _)| (&a.remote, &a.local).cmp(&(&b.remote, &b.local)));
    rows.extend(alone.iter().filter(|(_, report)| is_worth_telling(report)).map(|(remote, report)| of_pair(remote, report)));
    Answer::Table { columns: COLUMNS, rows }
}

/// One row; of a stream on which nothing is proved as well.
fn of_stream(stream: &Stream, served: Option<&Served>, waiting: Option<Report>, now_ms: u64) -> Vec<Cell> {
    let of = |cell: fn(&Served) -> Cell| served.map_or(Cell::None, cell);
    let waits = |cell: fn(&Report) -> Cell| waiting.as_ref().map_or(Cell::None, cell);
    vec![
        of(|served| Cell::text(served.remote.as_str())),
        of(|served| Cell::text(served.local.as_str())),
        of(|served| Cell::text(if served.way == Way::In { "in" } else { "out" })),
        Cell::text(if served.is_some() { "up" } else { "not proved" }),
        of(|served| Cell::text(served.proof)),
        Cell::Flag(stream.secrecy == Secrecy::Encrypted),
        Cell::text(if stream.opened == Opened::ByUs { "by us" } else { "by them" }),
        Cell::text(stream.address.to_string()),
        Cell::Span(Duration::from_millis(now_ms.saturating_sub(stream.since_ms))),
        Cell::Count(stream.id),
        waits(|report| Cell::Count(report.rows)),
        waits(|report| Cell::Bytes(report.bytes as u64)),
    ]
}

fn is_worth_telling(report: &Report) -> bool {
    report.rows > 0 || report.bytes > 0 || matches!(report.standing, Standing::Connecting | Standing::Failed(..))
}

/// A pair without a stream.
fn of_pair(remote: &Remote, report: &Report) -> Vec<Cell> {
    let state = match &report.standing {
        Standing::Idle => "idle".to_owned(),
        Standing::Wanted => "waits for its turn".to_owned(),
        Standing::Connecting => "connecting".to_owned(),
        Standing::Up => "up".to_owned(),
        Standing::Failed(failure, _) => format!("failed: {}", failure.text),
    };
    let mut row = vec![
        Cell::text(remote.remote.as_str()),
        Cell::text(remote.local.as_str()),
        Cell::text("out"),
        Cell::text(state),
    ];
    row.extend((0..6).map(|_| Cell::None));
    row.extend([Cell::Count(report.rows), Cell::Bytes(report.bytes as u64)]);
    row
}
