//! One look at everything that the metrics tell, so that what is costly to find out is found out once.

use std::sync::Arc;

use metronome_host::linked::{Opened, Way};
use metronome_host::server::Server;
use metronome_host::sessions::Sessions;

use super::process::Process;
use crate::admission::Admission;

/// The look.
pub(crate) struct Reading {
    pub(crate) server: Arc<Server>,
    pub(crate) admission: Arc<Admission>,
    pub(super) process: Process,
    /// Sessions whose clients are gone and may come back (XEP-0198).
    pub(super) detached: usize,
    pub(crate) streams: Streams,
    pub(super) remotes: Waiting,
    pub(super) components: Waiting,
}

/// Streams with other servers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Streams {
    /// Stanzas go to us.
    pub(crate) incoming: usize,
    /// Stanzas go to them.
    pub(crate) outgoing: usize,
    /// In both directions.
    pub(crate) both: usize,
}

/// What waits for others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) stanzas: u64,
    pub(super) bytes: u64,
    /// Of whom nobody takes it at the moment.
    pub(super) failing: u64,
}

impl Reading {
    /// Reads files and looks at every session: where a thread may wait.
    pub(crate) fn take(server: &Arc<Server>, admission: &Arc<Admission>) -> Reading {
        Reading {
            process: Process::read(),
            detached: detached(&server.sessions),
            streams: Streams::of(server),
            remotes: of_remotes(server),
            components: of_components(server),
            server: server.clone(),
            admission: admission.clone(),
        }
    }

    /// Resident memory in bytes, if the system tells it.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        self.process.stat.map(|stat| stat.resident_bytes)
    }

    /// Memory that was asked of the system, in bytes, if it tells it.
    pub(crate) fn virtual_bytes(&self) -> Option<u64> {
        self.process.stat.map(|stat| stat.virtual_bytes)
    }
}

impl Streams {
    fn of(server: &Server) -> Streams {
        let mut streams = Streams::default();
        for stream in server.linked.all() {
            let served = stream.served();
            let goes = |way: Way| served.iter().any(|pair| pair.way == way);
            let count = match (goes(Way::In), goes(Way::Out), stream.opened) {
                (true, true, _) => &mut streams.both,
                (true, false, _) | (false, false, Opened::ByThem) => &mut streams.incoming,
                (false, true, _) | (false, false, Opened::ByUs) => &mut streams.outgoing,
            };
            *count += 1;
        }
        streams
    }
}

fn detached(sessions: &Sessions) -> usize {
    let of_slice = |index| sessions.slice(index).iter().filter(|session| session.is_detached()).count();
    (0..Sessions::SLICES).map(of_slice).sum()
}

fn of_remotes(server: &Server) -> Waiting {
    let mut waiting = Waiting::default();
    for remote in server.remotes.all() {
        let report = remote.report();
        waiting.stanzas += report.rows;
        waiting.bytes += report.bytes as u64;
        waiting.failing += u64::from(remote.failure().is_some());
    }
    waiting
}

fn of_components(server: &Server) -> Waiting {
    let mut waiting = Waiting::default();
    for component in server.components.all() {
        let report = component.report();
        waiting.stanzas += report.waiting as u64;
        waiting.bytes += report.bytes as u64;
        waiting.failing += u64::from(report.streams.is_empty());
    }
    waiting
}
