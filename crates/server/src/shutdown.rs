//! The end of a server, in order: everyone is told, what was read is settled and stored, then the process ends.

use std::time::{Duration, Instant};

use metronome_features::accounts::guests;
use metronome_host::session::Session;
use metronome_proto::stream::error::Condition;
use metronome_route::{components, remotes, resumables, rooms, timers};

use crate::assemble::Running;

/// For how long streams may take to end, and then guests.
const STREAMS: Duration = Duration::from_secs(6);
/// For how long other servers may take of that to prove what they were sent, and rooms before it to store who is there.
const PROOFS: Duration = Duration::from_secs(3);
/// For how long the control socket may go on with its last answers; it has a bound of its own, which is shorter.
const ANSWERS: Duration = Duration::from_secs(5);

/// What can be resumed goes on with the next process; its client is not told that it is over.
fn end(session: &Session) {
    if !session.hibernate() {
        session.close(Condition::SystemShutdown, None);
    }
}

/// Ends the server; its listeners have stopped already.
pub async fn run(running: Running) {
    let Running { server, admission, federation, answering, .. } = running;
    // While there is somebody to hear it: none of that is stored.
    components::give_all_back(&server);
    // Those that may be resumed stay in their rooms. What takes too long was stored some seconds ago.
    let _ = tokio::time::timeout(PROOFS, rooms::stop(&server)).await;
    let sessions = server.sessions.all();
    tracing::info!(sessions = sessions.len(), "the server is stopping");
    for session in sessions {
        end(&session);
    }
    federation.begin_end();
    let (deadline, proved) = (Instant::now() + STREAMS, Instant::now() + PROOFS);
    while (admission.connections() > 0 || federation.running() > 0) && Instant::now() < deadline {
        // Again and again: a stream may have been at its last step when the stop came.
        for session in server.sessions.all() {
            end(&session);
        }
        if federation.is_quiet() || Instant::now() > proved {
            federation.end();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What others shared with guests ends with them. Where that takes too long, it does so when the next guest comes from there.
    let _ = tokio::time::timeout(STREAMS, guests::end_left(&server)).await;
    remotes::flush_done(&server).await;
    timers::flush_seen(&server);
    resumables::note_all(&server);
    metronome_features::last_activity::flush(&server);
    // Blocks until the last record is durable.
    let _ = tokio::task::spawn_blocking(move || server.writer.shutdown()).await;
    // Whoever asked for the stop hears that it was begun, also where nobody was there to be waited for; and the socket's file goes last.
    let _file = tokio::time::timeout(ANSWERS, answering).await;
    tracing::info!("the server has stopped");
}
