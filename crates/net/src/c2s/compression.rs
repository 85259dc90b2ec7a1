//! XEP-0138 on a client's stream: between the login and the resource, once, and only where bytes are what is carried. Before the login nobody
//! gets so far, and a stream that has a resource cannot begin anew.

use metronome_features::compression::ALLOWED;
use metronome_host::hosts::Host;
use metronome_proto::ns;
use metronome_proto::payload::compress::{self, Condition};
use metronome_proto::stream::error::Condition as StreamCondition;
use metronome_proto::xml::Tree;

use super::negotiate::Authenticated;
use crate::stream::Fault;

/// Why a stream is not compressed that could not be: it is already, has a resource, or does not consist of bytes alone; or nothing is on this
/// host.
pub(super) fn refusal(host: &Host) -> Condition {
    if host.values.flag(&ALLOWED) { Condition::SetupFailed } else { Condition::UnsupportedMethod }
}

impl Authenticated {
    /// The stream feature, where it may be asked for.
    pub(super) fn compression(&self) -> Option<Tree> {
        self.may_compress().then(compress::feature)
    }

    fn may_compress(&self) -> bool {
        self.host.values.flag(&ALLOWED) && self.stream.is_compressible()
    }

    /// Answers a request. Where it is granted the stream has begun anew, and this is our header, to be sent with the features.
    pub(super) async fn compress(&mut self, asked: Result<(), Condition>) -> Result<Option<Vec<u8>>, Fault> {
        let refused = match asked {
            Ok(()) if self.may_compress() => None,
            Ok(()) => Some(refusal(&self.host)),
            Err(condition) => Some(condition),
        };
        if let Some(condition) = refused {
            self.stream.send(&compress::failure(condition).to_vec(ns::CLIENT)).await?;
            return Ok(None);
        }
        // What was sent before our answer is of the stream that is over, and it is not known how it was meant.
        if self.stream.has_unread() {
            return Err(StreamCondition::PolicyViolation.into());
        }
        self.stream.send(&compress::compressed().to_vec(ns::CLIENT)).await?;
        self.stream.compress();
        tracing::debug!(jid = self.authn.jid().as_str(), "a stream is compressed");
        self.opened().await.map(Some)
    }
}
