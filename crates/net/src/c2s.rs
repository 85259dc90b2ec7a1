//! Client streams (RFC 6120): negotiation as types, then one task that reads, admits and writes.
//! Negotiation is a future of its own that is dropped when the resource is bound, so an idle session carries none of it.

mod attempt;
mod auth;
mod bind;
mod bind2;
mod certified;
mod compression;
mod enabling;
pub mod guest;
pub mod managed;
mod negotiate;
mod register;
pub mod resume;
mod run;
mod sasl2;
mod upgrade;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_util::future::BoxFuture;
use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_sasl::StreamFacts;

use crate::admission::{Admission, Admitted};
use crate::listen::Accepted;
use crate::socket::Socket;
pub(crate) use attempt::by_password;
use negotiate::{Negotiated, negotiate};
use resume::Doors;
use run::Run;

/// How fast a client may send.
pub const RATE: Setting = Setting::new(
    "limits.c2s.bytes",
    Kind::Rate,
    "\"64 KiB/s\"",
    "How fast a client may send; what comes faster waits.",
)
.for_new_streams()
.per_host();

/// How much it may send at once.
pub const BURST: Setting = Setting::new(
    "limits.c2s.burst",
    Kind::Bytes,
    "\"256 KiB\"",
    "How much a client may send at once before its rate counts.",
)
.for_new_streams()
.per_host();

/// The settings of client streams.
pub const SETTINGS: &[Setting] = &[RATE, BURST, guest::SESSIONS, guest::RANDOM];

/// What a stream's negotiation works with.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) server: Arc<Server>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) doors: Arc<Doors>,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// How a connection comes to its stream.
pub(crate) enum Begun {
    /// From a listener.
    Accepted(Accepted),
    /// Behind everything that stands before a stream, encryption included: what that has proved, and whose certificate was shown.
    Carried(Socket, StreamFacts, Jid),
}

/// One connection from its first byte to its last. A future written by hand, because the compiler would keep room for the
/// negotiation's result in the task of every idle session.
pub(crate) struct Serve {
    stage: Stage,
}

#[expect(
    clippy::large_enum_variant,
    reason = "what is large is what stays: boxing it would cost every session an allocation"
)]
enum Stage {
    /// Boxed: its memory is given back before the session begins.
    Negotiating(BoxFuture<'static, Option<Negotiated>>, Option<Admitted>),
    Running(Run),
}

/// Serves a connection that was admitted.
pub(crate) fn serve(context: Context, begun: Begun, admitted: Admitted) -> Serve {
    Serve { stage: Stage::Negotiating(Box::pin(until_stopped(context, begun)), Some(admitted)) }
}

/// Who is not logged in has nothing to lose: a server that stops waits for sessions only.
async fn until_stopped(context: Context, begun: Begun) -> Option<Negotiated> {
    let server = context.server.clone();
    tokio::select! {
        negotiated = negotiate(context, begun) => negotiated,
        () = server.control.stopped() => None,
    }
}

impl Future for Serve {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        if let Stage::Negotiating(negotiation, admitted) = &mut self.stage {
            let negotiated = ready!(negotiation.as_mut().poll(cx));
            let admitted = admitted.take().filter(|_| negotiated.is_some()).map(Admitted::in_use);
            match negotiated {
                Some(Negotiated::Bound(bound)) => self.stage = Stage::Running(Run::new(*bound, admitted)),
                Some(Negotiated::Resumed(door, mut arrival)) => {
                    arrival.admitted = admitted;
                    door.arrive(arrival);
                    return Poll::Ready(());
                }
                None => return Poll::Ready(()),
            }
        }
        match &mut self.stage {
            Stage::Running(run) => Pin::new(run).poll(cx),
            Stage::Negotiating(..) => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_of_an_idle_session_is_small() {
        assert!(size_of::<Run>() <= 488, "{}", size_of::<Run>());
        assert!(size_of::<Serve>() <= 488, "{}", size_of::<Serve>());
    }
}
