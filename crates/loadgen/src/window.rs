//! What a server spends between two moments. Called by every scenario that measures a rate; keeps the first moment.

use std::time::Instant;

use anyhow::Result;

use crate::process::{Server, Usage};

/// A measurement that has begun.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    server: Option<&'a Server>,
    before: Option<Usage>,
    begin: Instant,
}

/// A measurement that has ended. Without a known server process only the time is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Time that has passed.
    pub(crate) seconds: f64,
    /// What the server has used in it.
    pub(crate) cpu_seconds: Option<f64>,
    /// The server's resident memory at its end.
    pub(crate) rss_bytes: Option<u64>,
}

impl<'a> Window<'a> {
    /// Begins now. Fails if a process of the server is gone.
    pub(crate) fn open(server: Option<&'a Server>) -> Result<Window<'a>> {
        let before = server.map(Server::usage).transpose()?;
        Ok(Window { server, before, begin: Instant::now() })
    }

    /// Ends now. Fails if a process of the server is gone.
    pub(crate) fn close(self) -> Result<Span> {
        let after = self.server.map(Server::usage).transpose()?;
        Ok(Span {
            seconds: self.begin.elapsed().as_secs_f64(),
            cpu_seconds: self.before.zip(after).map(|(before, after)| after.cpu_seconds - before.cpu_seconds),
            rss_bytes: after.map(|after| after.rss_bytes),
        })
    }
}
