//! Hands stored messages to a session that has become available, or that could not take them when they came:
//! page by page, in id order, as fast as the client reads. Run by the session's own task beside its stream.

use std::sync::Arc;

use metronome_features::carbons::{self, Copies};
use metronome_features::{offline, ping};
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{CatchUp, From, Session};
use metronome_model::{ArchivedRow, Direction, Keep};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::Name;
use metronome_store::StoreError;

use crate::{audience, copies, deliver};

/// Rows read at once; a page also ends after a mebibyte.
const PAGE_ROWS: usize = 64;

/// Reads the next page and hands it over. Called again while [`Session::catch_up`] says so.
pub async fn next_page(server: Arc<Server>, session: Arc<Session>, at: CatchUp) -> Result<(), StoreError> {
    if session.wants_proof() {
        // A talk of many turns has so many separate ids that the next tick would be waited for.
        session
            .ping(server.clock.steady_ms(), false, |number| ping::ask(&session.jid.domain_jid(), &session.jid, number));
        return Ok(());
    }
    // What the account's other sessions send from now on is copied and never unseen.
    if at.from == From::Unseen && at.unseen_to.is_none() && session.has_carbons() {
        session.reads_unseen_to(server.store.last_id(session.account).await?);
    }
    let rows = match at.from {
        From::Unseen => unseen(&server, &session, at).await?,
        From::Handed => server.store.rows(session.account, vec![(at.after + 1, u64::MAX)], PAGE_ROWS).await?,
    };
    if rows.is_empty() {
        session.caught_up(at.noted);
        return Ok(());
    }
    for row in rows {
        let id = row.id;
        let form = form_for(&server, &row, &session).filter(|_| !leaves_to_archive(&server, &session, &row, at.from));
        let went = match form {
            Some(form) => session.catch_up_with(id, || frame_of(&server, &row, &session, form)),
            None => session.pass_over(id),
        };
        if !went {
            return Ok(());
        }
        if form.is_some() {
            server.counters.delivered.add(Name::Message);
        }
    }
    Ok(())
}

/// Reads again what a client was sent on an earlier connection and has not had (XEP-0198 section 5).
pub async fn again(server: Arc<Server>, session: Arc<Session>, ids: Vec<u64>) -> Result<(), StoreError> {
    let ranges = ids.iter().map(|&id| (id, id)).collect();
    let rows = server.store.rows(session.account, ranges, ids.len()).await?;
    // A page may end early: the others are asked for again.
    let read_to =
        if rows.len() == ids.len() { ids.len() } else { rows.last().map_or(ids.len(), |row| place(&ids, row.id)) };
    for &id in &ids[..read_to] {
        let row = rows.iter().find(|row| row.id == id);
        // It was given before, whatever has changed since: what others of the account sent never as itself.
        let otherwise = |row: &ArchivedRow| match row.direction {
            Direction::Sent => Form::Copy,
            Direction::Received => Form::Itself,
        };
        let form = |row| form_for(&server, row, &session).unwrap_or(otherwise(row));
        session.fill(id, row.map(|row| frame_of(&server, row, &session, form(row))));
    }
    Ok(())
}

/// How many of the ids have been dealt with once this one has.
fn place(ids: &[u64], id: u64) -> usize {
    ids.iter().position(|other| *other == id).map_or(ids.len(), |at| at + 1)
}

/// The next unseen rows. Before the first of them what was proved a moment ago is cleared, so that a client that closes its
/// stream, or becomes unavailable, and comes back at once does not get again what it had.
async fn unseen(server: &Server, session: &Session, at: CatchUp) -> Result<Vec<ArchivedRow>, StoreError> {
    let rows = server.store.unseen(session.account, at.after, PAGE_ROWS).await?;
    if !at.unsettled || rows.is_empty() {
        return Ok(rows);
    }
    server.settle_seen(session.account).await;
    session.settled();
    server.store.unseen(session.account, at.after, PAGE_ROWS).await
}

/// Whether the client reads this row in the archive (XEP-0386 section 3.2): then it is seen. What is kept only until somebody has seen it
/// is not in the archive, and is sent as ever.
fn leaves_to_archive(server: &Server, session: &Session, row: &ArchivedRow, from: From) -> bool {
    let leaves = from == From::Unseen && row.keep == Keep::Archive && session.has_archived(row.id);
    if leaves && row.unseen {
        server.note_seen(session.account, vec![(row.id, row.id)]);
    }
    leaves
}

/// How a row comes to a session.
#[derive(Clone, Copy)]
enum Form {
    /// As the message that it is.
    Itself,
    /// As a copy of what another session of the account sent or received (XEP-0280).
    Copy,
}

/// Rows that the account received, unless another of its sessions is named and there to take it; of that one and of what others sent a
/// copy, if the session has asked for copies.
fn form_for(server: &Server, row: &ArchivedRow, session: &Session) -> Option<Form> {
    let stanza = &row.stanza;
    // Whoever was blocked since does not reach it any more; the row stays for when it is unblocked.
    if row.direction == Direction::Received && audience::is_denied(server, session, stanza) {
        return None;
    }
    let named = stanza.to.as_ref().filter(|to| to.is_full() && **to != session.jid);
    let is_there = |to: &Jid| server.sessions.of(session.account).iter().any(|other| other.jid == *to);
    match (row.direction, named) {
        (Direction::Received, None) => return Some(Form::Itself),
        (Direction::Received, Some(to)) if row.unseen && !is_there(to) => return Some(Form::Itself),
        _ => {}
    }
    let is_copied = session.has_carbons()
        && session.jid != stanza.from
        && carbons::decide(stanza, row.direction).copies == Copies::Made;
    is_copied.then_some(Form::Copy)
}

/// The row as the client gets it, with the time it was stored if it has waited (XEP-0203): one that came while this session was
/// there already, a moment ago, has not.
fn frame_of(server: &Server, row: &ArchivedRow, session: &Session, form: Form) -> Frame {
    const MOMENT_MS: u64 = 1000;
    let has_waited = row.at_ms < session.since_ms || server.clock.unix_ms().saturating_sub(row.at_ms) >= MOMENT_MS;
    match form {
        Form::Copy => copies::of_row(row, session, has_waited),
        Form::Itself => deliver::stored_frame(&row.stanza, row.id, |out| {
            if has_waited {
                offline::write_stamp(out, &session.jid.domain_jid(), row.at_ms);
            }
        }),
    }
}
