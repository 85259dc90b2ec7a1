//! Turns at reading for pages, and at logging in there. Each costs reads of the store or of time, and anybody may ask for it: so there are
//! some at a time for all together, and so many in a while for each address.

use std::net::IpAddr;

use axum::http::StatusCode;
use metronome_host::network::household;
use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use metronome_host::throttle::Throttle;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many pages an address may read.
pub(super) const PAGES: Setting = Setting::new(
    "limits.web.pages",
    Kind::Frequency,
    "\"300/min\"",
    "How many pages and feeds one address (of IPv6: one /64) may read, and how often it may try to log in on a page; more is refused for a \
     while (429).",
);

/// Pages for which something is read at the same time.
const AT_ONCE: usize = 8;

/// All turns.
pub(crate) struct Turns {
    reads: Semaphore,
    pages: Throttle<IpAddr>,
}

impl Default for Turns {
    fn default() -> Turns {
        Turns { reads: Semaphore::new(AT_ONCE), pages: Throttle::default() }
    }
}

impl Turns {
    /// Waits for a turn, which lasts until it is dropped; the answer to whoever reads too much.
    pub(super) async fn take(&self, server: &Server, address: IpAddr) -> Result<SemaphorePermit<'_>, StatusCode> {
        self.count(server, address)?;
        self.reads.acquire().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Counts for an address what waits for turns of another kind; the answer if it is too much.
    pub(super) fn count(&self, server: &Server, address: IpAddr) -> Result<(), StatusCode> {
        let often = server.hosts.load().values.frequency(&PAGES);
        let is_taken = self.pages.take(household(address), often, server.clock.steady_ms());
        if is_taken { Ok(()) } else { Err(StatusCode::TOO_MANY_REQUESTS) }
    }
}
