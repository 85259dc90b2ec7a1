//! What administrators ask of the process itself: to stop, to read its configuration again, to serve other domains, to log
//! elsewhere. The binary gives the functions; `Turn` lets one change of the domains at a time happen. Keeps the wish to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;
use tokio::sync::{Mutex as Fair, MutexGuard as FairGuard, Notify};

use crate::command::Failed;
use crate::hosts::{Host, Hosts};
use crate::server::Server;

/// What only the process around a server can do, because it has read the configuration and opened the logs.
pub trait Process: Send + Sync {
    /// Reads the configuration again and puts it into force: what changed, or why nothing did. Takes the [`Turn`] itself.
    fn reload<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, Result<String, String>>;

    /// A domain's snapshot by the configuration in force, with the files of its certificate as they are now; fails where
    /// clients must encrypt and could not. Reads files.
    fn host(&self, server: &Server, name: &Jid) -> Result<Host, Failed>;

    /// The same for the domain of a component with this secret. Its certificate is for other servers, so it may have none.
    fn component(&self, server: &Server, name: &Jid, secret: &str) -> Result<Host, Failed>;

    /// Opens files and sockets of the logs again.
    fn reopen_logs(&self) -> Result<(), Failed>;

    /// Logs at another level until the configuration is read again; answers what has changed.
    fn set_log_level(&self, level: &str) -> Result<String, Failed>;

    /// How many lines of the log could not be handed to whoever keeps it.
    fn lost_log_lines(&self) -> u64 {
        0
    }
}

/// What an administrator asks of the process.
#[derive(Default)]
pub struct Control {
    stopping: AtomicBool,
    stop: Notify,
    process: OnceLock<Box<dyn Process>>,
    changes: Fair<()>,
}

/// The right to change which domains there are and how they are served. Whoever reads the present snapshot, decides and
/// stores another one has it all the while: two that did so at once would undo one another.
pub struct Turn<'c>(#[expect(dead_code, reason = "held, not read")] FairGuard<'c, ()>);

impl Control {
    /// Begins an orderly stop.
    pub fn request_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stop.notify_waiters();
    }

    /// Whether the server is stopping.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for the stop.
    pub async fn stopped(&self) {
        let mut notified = std::pin::pin!(self.stop.notified());
        // From here on a stop is noticed, also one between the question and the waiting.
        notified.as_mut().enable();
        if !self.is_stopping() {
            notified.await;
        }
    }

    /// Gives the functions of the process; said once, by whoever has read the configuration.
    pub fn set_process(&self, process: Box<dyn Process>) {
        let _ = self.process.set(process);
    }

    /// The functions of the process; a server in a test has none.
    pub fn process(&self) -> Result<&dyn Process, Failed> {
        let process = self.process.get().map(|process| &**process);
        process.ok_or_else(|| Failed::problem("this server has no configuration to read again"))
    }

    /// Waits for the right to change the domains; those who asked before have it first.
    pub async fn turn(&self) -> Turn<'_> {
        Turn(self.changes.lock().await)
    }
}

impl Server {
    /// Puts another snapshot of the domains into force, and ends the sessions of domains that are not served any more
    /// (RFC 6120 section 4.9.3.5).
    ///
    /// A session that is being bound meanwhile either is in the table by now or finds the new snapshot.
    pub fn serve(&self, _turn: &Turn<'_>, hosts: Hosts) {
        let hosts = Arc::new(hosts);
        let earlier = self.hosts.swap(hosts.clone());
        self.gate.touch();
        if earlier.iter().all(|host| hosts.get(host.name.as_str()).is_some()) {
            return;
        }
        for session in self.sessions.all() {
            if hosts.get(session.jid.domain()).is_none() {
                session.close(Condition::HostGone, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn one_change_of_the_domains_waits_for_the_other() {
        let control = Control::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = std::pin::pin!(control.turn());
        let mut second = std::pin::pin!(control.turn());
        let Poll::Ready(held) = first.as_mut().poll(&mut cx) else { panic!("nobody has it") };
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(held);
        assert!(second.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn a_stop_is_noticed_before_and_after_it_was_asked_for() {
        let control = Control::default();
        let mut cx = Context::from_waker(Waker::noop());
        let mut early = std::pin::pin!(control.stopped());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        control.request_stop();
        assert!(early.as_mut().poll(&mut cx).is_ready());
        assert!(std::pin::pin!(control.stopped()).poll(&mut cx).is_ready());
    }
}
