//! Streams that outlive the server (XEP-0198): stored when they begin, noted once a second while they change, forgotten with their
//! sessions, and taken up by the next process. What is handled of them is stored with each record (`inflight`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use metronome_features::blocking::watch;
use metronome_features::roster::load;
use metronome_host::announcement::Announcement;
use metronome_host::server::{Load, Server};
use metronome_host::session::{Bound, Presence, Session};
use metronome_host::sessions::{BindRules, Conflict};
use metronome_host::stream_management::chosen_list;
use metronome_model::{Noted, Op, Record, Resumable, StreamNumber};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::presence::priority;
use metronome_store::journal::{self, Journal, Line};
use metronome_store::{StoreError, stored};

/// Stores a stream that begins; none where sessions end with the process. Answers its number, and whether it has become durable: its client
/// hears its name after that, since it relies on it however the process ends.
pub fn store(
    server: &Arc<Server>,
    session: &Arc<Session>,
    token: [u8; 32],
    patience: Duration,
) -> Option<(StreamNumber, BoxFuture<'static, bool>)> {
    if session.is_guest() || server.next_stream.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let number = StreamNumber(server.next_stream.fetch_add(1, Ordering::Relaxed));
    let stream = Resumable {
        number,
        owner: session.account,
        auth_epoch: 0,
        token,
        resource: session.jid.resource().unwrap_or_default().into(),
        mechanism: session.mechanism.into(),
        since_ms: session.since_ms,
        max_s: patience.as_secs() as u32,
        noted: Noted { at_ms: server.clock.unix_ms(), ..Noted::default() },
        handled: 0,
        marks: Vec::new(),
    };
    let mut stored: BoxFuture<'static, bool> = Box::pin(store_new(server.clone(), session.jid.clone(), stream));
    // It is submitted now if it can be, before anything that is handled of it.
    Some(match (&mut stored).now_or_never() {
        Some(stored) => (number, Box::pin(std::future::ready(stored))),
        None => (number, stored),
    })
}

async fn store_new(server: Arc<Server>, jid: Jid, stream: Resumable) -> bool {
    match server.facts.of(&*server.store, &jid).await {
        Ok(Some(facts)) => {
            let stream = Box::new(Resumable { auth_epoch: facts.account.auth_epoch, ..stream });
            server.commit(Record::of(Op::SetResumable { stream })).await.is_done()
        }
        // Of an account that is gone there is nothing to be resumed.
        Ok(None) => false,
        Err(error) => {
            tracing::warn!(jid = jid.as_str(), %error, "a stream is not stored");
            false
        }
    }
}

/// Forgets a stream whose client was told that it cannot be resumed: it may have become durable all the same.
pub fn forget_unnamed(server: &Server, number: StreamNumber) {
    submit(server, Op::ForgetResumable { number });
}

/// Nobody waits for it. Where the writer has no room now it comes a little later, in whatever order: nothing depends on it.
fn submit(server: &Server, op: Op) {
    const BYTES: usize = 1024;
    let record = Record::of(op);
    match server.writer.try_permit(BYTES + record.extra_bytes()) {
        Some(permit) => server.writer.submit(permit, record, Load::Quiet),
        None => tracing::debug!("a stream is not noted: the store has no room now"),
    }
}

/// Notes what all streams have become since the last time. A long journal begins anew, and its earlier part is forgotten once all that it
/// tells is stored.
pub fn note_all(server: &Arc<Server>) {
    let turned = server.journal.get().map(Journal::turn);
    note_each(server);
    match turned {
        Some(Ok(true)) => {
            let server = server.clone();
            tokio::spawn(async move {
                let stored = server.commit(Record::default()).await;
                if let (true, Some(journal)) = (stored.is_done(), server.journal.get()) {
                    let _ = journal.forget_earlier();
                }
            });
        }
        Some(Err(error)) => tracing::warn!(%error, "the journal of streams could not be begun anew"),
        _ => {}
    }
}

fn note_each(server: &Server) {
    let at_ms = server.clock.unix_ms();
    for index in 0..metronome_host::sessions::Sessions::SLICES {
        for session in server.sessions.slice(index) {
            note(server, &session, at_ms);
        }
    }
}

/// Notes what a stream has become, if that has changed.
fn note(server: &Server, session: &Session, at_ms: u64) {
    if let Some((number, noted)) = session.to_note(at_ms) {
        submit(server, Op::NoteResumable { number, noted: Box::new(noted) });
    }
}

/// Notes at once what a stream has become. Another privacy list counts for it, which must not be forgotten with this process; or it was
/// resumed, and what its client had of it is known: a server that is killed every second would otherwise know less and less of that.
pub fn note_now(server: &Server, session: &Session) {
    note(server, session, server.clock.unix_ms());
}

/// The session is over.
pub(crate) fn forget(server: &Server, session: &Session) {
    if let Some(number) = session.take_stored_stream() {
        submit(server, Op::ForgetResumable { number });
    }
}

/// A session of an earlier process that waits for its client.
pub struct Again {
    /// The session, in the table and without a connection.
    pub session: Arc<Session>,
    /// What was stored of it.
    pub stream: Resumable,
}

/// Takes up the sessions of an earlier process, before anybody connects. Those whose accounts or domains are not what they were are
/// forgotten, and so are those that nobody has come for in time.
///
/// `written` is what the journal of that process tells of them.
pub async fn take_up(server: &Arc<Server>, written: &[Line]) -> Result<Vec<Again>, StoreError> {
    let streams = server.store.resumables().await?;
    let next = streams.last().map_or(1, |stream| stream.number.0 + 1);
    server.next_stream.store(next, Ordering::Relaxed);
    let mut again = Vec::new();
    for mut stream in streams {
        // Its client may come without resuming it.
        server.lost.note(stream.owner, server.clock.unix_ms());
        journal::apply(written, stream.number, &mut stream.noted);
        match one(server, &stream).await? {
            Some(session) => again.push(Again { session, stream }),
            None => submit(server, Op::ForgetResumable { number: stream.number }),
        }
    }
    Ok(again)
}

async fn one(server: &Arc<Server>, stream: &Resumable) -> Result<Option<Arc<Session>>, StoreError> {
    let late_ms = stream.noted.at_ms.saturating_add(u64::from(stream.max_s) * 1000);
    // It was alive when the server ended, which may be long after it was noted; the clock of now tells only that it is not too old.
    const PAUSE_MAX_MS: u64 = 24 * 60 * 60 * 1000;
    if late_ms.saturating_add(PAUSE_MAX_MS) < server.clock.unix_ms() {
        return Ok(None);
    }
    let Some(account) = server.store.account_by_id(stream.owner).await? else { return Ok(None) };
    let is_served = server.hosts.load().get(&account.host).is_some();
    if !is_served || account.state != metronome_model::AccountState::Active || account.auth_epoch != stream.auth_epoch {
        return Ok(None);
    }
    let Ok(jid) = Jid::from_parts(Some(&account.name), &account.host, Some(&stream.resource)) else { return Ok(None) };
    let bound = Bound {
        jid: jid.clone(),
        account: stream.owner,
        since_ms: stream.since_ms,
        heard_ms: server.clock.steady_ms(),
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        port: 0,
        mechanism: "resumed",
    };
    let rules = BindRules { sessions_max: usize::MAX, conflict: Conflict::KickNew };
    let Ok(binding) = server.sessions.bind(bound, rules, String::new) else { return Ok(None) };
    let session = binding.session;
    session.switch_again(stream.noted.switches);
    let chosen = chosen_list(stream.noted.switches);
    if !watch::watch_again(server, &session, chosen).await.is_ok_and(|is_found| is_found) {
        tracing::warn!(jid = jid.as_str(), "a session cannot be taken up: its privacy list is not known");
        server.sessions.remove(&session);
        return Ok(None);
    }
    if let Some(presence) = stream.noted.presence.as_deref().and_then(stored::read) {
        // Its contacts have seen it, and see it still.
        if let Err(refuse) = load::contacts(server, stream.owner, &jid.bare()).await {
            tracing::warn!(jid = jid.as_str(), ?refuse, "a session cannot be taken up");
            server.sessions.remove(&session);
            return Ok(None);
        }
        let priority = priority(&presence.content).unwrap_or_default();
        session.set_presence(Some(Presence { priority, announcement: Announcement::new(&presence) }));
        // Others may have come and gone without it.
        session.missed();
    }
    session.manage_again(&stream.noted, stream.number);
    Ok(Some(session))
}
