//! Turns at reading for pages. Each page costs reads of the store, and anybody may ask for it: so there are some at a time for all together,
//! and so many in a while for each address.

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
    "How many pages and feeds one address (of IPv6: one /64) may read; more are refused for a while (429).",
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
        let often = server.hosts.load().values.frequency(&PAGES);
        if !self.pages.take(household(address), often, server.clock.steady_ms()) {
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        self.reads.acquire().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
    }
}
