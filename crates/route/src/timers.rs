//! What happens by the clock: pings as proof of receipt and as sign of life, and the batch of seen rows.
//! One task for the whole server; there is no timer per session.

use std::sync::Arc;
use std::time::Duration;

use metronome_features::{last_activity, ping};
use metronome_host::options::{Kind, Setting};
use metronome_host::server::{Load, Proved, Server};
use metronome_host::session::Session;
use metronome_model::{Op, Record};
use metronome_proto::stream::error::Condition;

use crate::{components, remotes, resumables};

/// When a silent client is asked whether it is still there.
pub const IDLE: Setting = Setting::new(
    "limits.c2s.idle",
    Kind::Duration,
    "\"5 min\"",
    "A client that says nothing for this long gets a ping.",
);

/// When a client that does not answer is given up.
pub const ANSWER: Setting = Setting::new(
    "limits.c2s.answer",
    Kind::Duration,
    "\"60 s\"",
    "A client that leaves a ping unanswered for this long is disconnected.",
);

/// The settings that the clock works with.
pub const SETTINGS: &[Setting] = &[IDLE, ANSWER];

const TICK: Duration = Duration::from_secs(1);

/// Ticks until the server is dropped.
pub async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tick(&server);
    }
}

/// One tick: visits every session, then submits what clients have proved since the last one.
pub fn tick(server: &Arc<Server>) {
    let now_ms = server.clock.steady_ms();
    let values = server.hosts.load().values.clone();
    let idle_ms = values.duration(&IDLE).as_millis() as u64;
    let answer_ms = values.duration(&ANSWER).as_millis() as u64;
    for index in 0..metronome_host::sessions::Sessions::SLICES {
        for session in server.sessions.slice(index) {
            visit(&session, now_ms, idle_ms, answer_ms);
        }
    }
    flush_seen(server);
    resumables::note_all(server);
    last_activity::flush(server);
    remotes::tick(server);
    components::tick(server);
    server.asked.expire(now_ms);
    server.lost.expire(server.clock.unix_ms());
}

fn visit(session: &Session, now_ms: u64, idle_ms: u64, answer_ms: u64) {
    if let Some(since_ms) = session.pinged_since_ms()
        && is_overdue(now_ms, since_ms, session.heard_ms(), answer_ms)
    {
        session.cut(Condition::ConnectionTimeout, "a ping was not answered");
        return;
    }
    if session.is_hopeless() {
        session.close(Condition::ResourceConstraint, Some("nothing is acknowledged"));
        return;
    }
    if session.is_detached() {
        return;
    }
    let idle = now_ms.saturating_sub(session.heard_ms()) > idle_ms;
    session.ping(now_ms, idle, |number| ping::ask(&session.jid.domain_jid(), &session.jid, number));
}

/// A silent client is given up after the time for an answer. One that talks on may have the ping still before it on a slow
/// line, and gets more time; but without an answer it proves nothing, so not for ever.
fn is_overdue(now_ms: u64, asked_ms: u64, heard_ms: u64, answer_ms: u64) -> bool {
    const PATIENCE: u64 = 5;
    now_ms.saturating_sub(asked_ms.max(heard_ms)) > answer_ms
        || now_ms.saturating_sub(asked_ms) > answer_ms.saturating_mul(PATIENCE)
}

/// Submits the proofs of receipt: one record for each owner, so that an account that was deleted meanwhile spoils nobody
/// else's. Where the writer has no room they wait, rather than take it from messages.
pub fn flush_seen(server: &Server) {
    const BYTES: usize = 256;
    loop {
        let Some(permit) = server.writer.try_permit(BYTES) else { return };
        // Submitted under the lock, so that nobody finds it neither here nor on its way.
        let mut seen = server.seen.lock();
        let Some(Proved { owner, ids }) = seen.pop() else { return };
        server.writer.submit(permit, Record::of(Op::Seen { owner, ids }), Load::Quiet);
    }
}
