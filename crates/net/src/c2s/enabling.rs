//! The beginning of stream management (XEP-0198 section 3, and section 11 within a login). A client relies on the name of a stream from the
//! moment it hears it, so a stream that is to outlive the server is durable before; everything else on it goes on meanwhile.

use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use metronome_features::stream_management::patience;
use metronome_host::stream_management::element;
use metronome_model::StreamNumber;
use metronome_proto::payload::sm::{self, Resumable};
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::Tree;
use metronome_route::resumables;
use tokio::time::timeout;

use super::managed::Management;
use super::negotiate::Begins;
use super::resume::{Resumption, token};
use super::run::{Moved, Run};

/// For how long a client waits for the store. After that its stream is counted, and ends with its connection.
const STORED: Duration = Duration::from_secs(5);

/// The end of a login, with this `<enabled/>` in it.
type Says = Box<dyn FnOnce(Tree) -> Vec<u8> + Send>;

/// A stream whose client waits for `<enabled/>`.
pub(super) struct Enabling {
    name: String,
    max_s: u64,
    number: StreamNumber,
    stored: BoxFuture<'static, bool>,
    /// What the answer stands in, if it is the end of a login: nothing is written before it.
    says: Option<Says>,
}

impl Run {
    /// Section 3. At most once on a stream.
    pub(super) fn enable(&mut self, resumable: Resumable, max_s: Option<u32>) {
        if self.management.is_some() {
            return self.fail(Condition::PolicyViolation);
        }
        self.manage(resumable, max_s, None);
    }

    /// Section 11: it was asked for when the resource was bound, and the answer stands in the end of the login.
    pub(super) fn begin(&mut self, begins: Begins) {
        let Begins { resumable, max_s, says } = begins;
        self.manage(resumable, max_s, Some(says));
    }

    /// Counts what is read from here on, opens the door through which the stream is resumed, and stores it where sessions outlive the
    /// server.
    fn manage(&mut self, resumable: Resumable, max_s: Option<u32>, says: Option<Says>) {
        let wanted = patience(&self.host.values, max_s).filter(|_| resumable == Resumable::Yes);
        let Some(patience) = wanted else {
            self.management = Some(Box::default());
            self.list.count(None, 0, []);
            self.session.manage(Resumable::No, None);
            return self.enabled(&sm::enabled(None), says);
        };
        let name = self.server.rng.token();
        let token = token(&name);
        let door = self.doors.open(token, self.session.clone());
        let mut management = Management::new(Resumption { door, patience });
        let max_s = patience.as_secs();
        let stored = resumables::store(&self.server, &self.session, token, patience);
        let number = stored.as_ref().map(|(number, _)| *number);
        self.list.count(number, 0, []);
        self.session.manage(Resumable::Yes, number);
        let Some((number, stored)) = stored else {
            self.management = Some(Box::new(management));
            return self.enabled(&sm::enabled(Some((&name, max_s))), says);
        };
        let stored = Box::pin(async move { timeout(STORED, stored).await.unwrap_or_default() });
        management.enabling = Some(Box::new(Enabling { name, max_s, number, stored, says }));
        self.management = Some(Box::new(management));
    }

    /// Says `<enabled/>`; where it stands in the end of a login, nothing else has been written.
    fn enabled(&mut self, enabled: &Tree, says: Option<Says>) {
        match says {
            None => self.session.enabled(element(enabled)),
            Some(says) => {
                self.session.enabled_already();
                self.unwritten = says(enabled.clone());
                self.unflushed = true;
            }
        }
    }

    /// Says `<enabled/>` once the stream is stored, or that it cannot be resumed if it is not.
    pub(super) fn poll_enabling(&mut self, cx: &mut TaskContext<'_>) -> Moved {
        let Some(management) = &mut self.management else { return Moved::No };
        let Some(enabling) = &mut management.enabling else { return Moved::No };
        let Poll::Ready(is_stored) = enabling.stored.as_mut().poll(cx) else { return Moved::No };
        let Some(enabling) = management.enabling.take() else { return Moved::No };
        if is_stored {
            let resumption = Some((&*enabling.name, enabling.max_s));
            self.enabled(&sm::enabled(resumption), enabling.says);
            return Moved::Yes;
        }
        tracing::warn!(jid = self.session.jid.as_str(), "a stream cannot be resumed: the store does not take it now");
        management.resumption = None;
        self.list.stop_storing();
        self.session.manage(Resumable::No, None);
        resumables::forget_unnamed(&self.server, enabling.number);
        self.enabled(&sm::enabled(None), enabling.says);
        Moved::Yes
    }

    /// Whether the end of the login is still to be said.
    pub(super) fn is_logging_in(&self) -> bool {
        let enabling = self.management.as_ref().and_then(|management| management.enabling.as_ref());
        enabling.is_some_and(|enabling| enabling.says.is_some())
    }
}
