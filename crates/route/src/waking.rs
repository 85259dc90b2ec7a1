//! Wakes the sessions that are told something together, now or with what they are told in a moment (`host/waves`).

use std::sync::Arc;

use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_host::waves::{Wave, Waves};

/// Wakes all of these. They wait for others that these `waves` are given in a moment, if much is told.
pub(crate) fn wake(server: &Server, waves: &Arc<Waves>, sessions: Vec<Arc<Session>>) {
    match waves.add(sessions, server.clock.steady_ms()) {
        Wave::Now(woken) => woken.iter().for_each(|session| session.wake()),
        Wave::Planned => {}
        Wave::Later(pause) => {
            let waves = waves.clone();
            tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                waves.take().iter().for_each(|session| session.wake());
            });
        }
    }
}
