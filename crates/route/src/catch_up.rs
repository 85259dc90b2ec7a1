//! Hands stored messages to a session that has become available, or that could not take them when they came:
//! page by page, in id order, as fast as the client reads. Run by the session's own task beside its stream.

use std::sync::Arc;

use metronome_features::{offline, ping};
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{CatchUp, From, Session};
use metronome_model::{ArchivedRow, Direction};
use metronome_store::StoreError;

use crate::deliver;

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
        let wanted = is_for(&server, &row, &session);
        let went = match wanted {
            true => session.catch_up_with(id, || frame_of(&server, &row, &session)),
            false => session.pass_over(id),
        };
        if !went {
            return Ok(());
        }
        if wanted {
            server.counters.messages_delivered.add();
        }
    }
    Ok(())
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

/// Rows that the account received, unless another of its sessions is named and there to take it.
fn is_for(server: &Server, row: &ArchivedRow, session: &Session) -> bool {
    row.direction == Direction::Received
        && match &row.stanza.to {
            Some(to) if to.is_full() && *to != session.jid => {
                row.unseen && server.sessions.of(session.account).iter().all(|other| other.jid != *to)
            }
            _ => true,
        }
}

/// The row as the client gets it, with the time it was stored if it has waited (XEP-0203): one that came while this session was
/// there already, a moment ago, has not.
fn frame_of(server: &Server, row: &ArchivedRow, session: &Session) -> Frame {
    const MOMENT_MS: u64 = 1000;
    let has_waited = row.at_ms < session.since_ms || server.clock.unix_ms().saturating_sub(row.at_ms) >= MOMENT_MS;
    deliver::stored_frame(&row.stanza, row.id, |out| {
        if has_waited {
            offline::write_stamp(out, &session.jid.domain_jid(), row.at_ms);
        }
    })
}
