//! `metronomectl s2s list`: a row for each pair of domains in each direction that a stream serves.

use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell};
use metronome_host::linked::{Opened, Secrecy, Served, Stream, Way};
use metronome_host::server::Server;

const COLUMNS: &[&str] = &["remote", "local", "direction", "proof", "encrypted", "opened", "address", "since", "stream"];

pub(super) fn table(server: &Server, given: &Arguments) -> Answer {
    let only = given.domain_if_given("domain");
    let is_meant = |served: &Served| only.as_ref().is_none_or(|only| *only == served.remote);
    let now_ms = server.clock.unix_ms();
    let mut rows = Vec::new();
    for stream in server.linked.all() {
        let served = stream.served();
        if served.is_empty() && only.is_none() {
            rows.push(row(&stream, None, now_ms));
        }
        rows.extend(served.iter().filter(|served| is_meant(served)).map(|served| row(&stream, Some(served), now_ms)));
    }
    Answer::Table { columns: COLUMNS, rows }
}

/// One row; of a stream on which nothing is proved as well.
fn row(stream: &Stream, served: Option<&Served>, now_ms: u64) -> Vec<Cell> {
    let of = |cell: fn(&Served) -> Cell| served.map_or(Cell::None, cell);
    vec![
        of(|served| Cell::text(served.remote.as_str())),
        of(|served| Cell::text(served.local.as_str())),
        of(|served| Cell::text(if served.way == Way::In { "in" } else { "out" })),
        of(|served| Cell::text(served.proof)),
        Cell::Flag(stream.secrecy == Secrecy::Encrypted),
        Cell::text(if stream.opened == Opened::ByUs { "by us" } else { "by them" }),
        Cell::text(stream.address.to_string()),
        Cell::Span(Duration::from_millis(now_ms.saturating_sub(stream.since_ms))),
        Cell::Count(stream.id),
    ]
}
