//! The connection of a stream that comes over HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use metronome_proto::ns;
use metronome_proto::payload::bosh::Condition;
use metronome_proto::xml::{Item, Limits, Scanner};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::state::{OUTPUT_BYTES_MAX, Over};
use super::{Session, Sessions};
use crate::alone;
use crate::websocket::Privacy;

/// The connection.
pub(crate) struct Carrier {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    /// Takes apart what is written.
    splitter: Scanner,
    written: Written,
    /// The error that the stream has ended with.
    error: Option<Condition>,
    /// Present while nobody waits for an answer.
    idle: Option<Pin<Box<Sleep>>>,
}

/// How much of a stream was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Some,
    /// Its end, too.
    All,
}

impl Carrier {
    pub(super) fn new(sessions: Arc<Sessions>, session: Arc<Session>) -> Carrier {
        Carrier {
            sessions,
            session,
            splitter: Scanner::new(Limits::STORED),
            written: Written::Some,
            error: None,
            idle: None,
        }
    }

    /// Whether others on the way can read it.
    pub(crate) fn privacy(&self) -> Privacy {
        self.session.privacy
    }

    /// A new stream begins on both sides.
    pub(crate) fn restart(&mut self) {
        self.splitter = Scanner::new(Limits::STORED);
        self.session.state.lock().restart();
    }

    /// Changes the limits of what is read.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.session.state.lock().limits = limits;
    }
}

impl AsyncRead for Carrier {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let idle_until = {
                let mut state = this.session.state.lock();
                if !state.input.is_empty() {
                    let count = state.input.len().min(buf.remaining());
                    buf.put_slice(&state.input[..count]);
                    state.input.drain(..count);
                    if state.input.is_empty() {
                        state.input = Vec::new();
                    }
                    state.take(Instant::now());
                    return Poll::Ready(Ok(()));
                }
                match state.over() {
                    Some(_) if state.is_read() => return Poll::Ready(Ok(())),
                    Some(_) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                    None => {}
                }
                state.reader = Some(cx.waker().clone());
                state.idle_until()
            };
            let Some(until) = idle_until else {
                this.idle = None;
                return Poll::Pending;
            };
            let idle = this.idle.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if idle.deadline() != until {
                idle.as_mut().reset(until);
            }
            if idle.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.session.state.lock().end(Over::Silent);
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut state = this.session.state.lock();
        if state.output.len() >= OUTPUT_BYTES_MAX && state.over().is_none() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut rest = bytes;
        loop {
            match this.splitter.next(&mut rest) {
                Ok(None) => return Poll::Ready(Ok(bytes.len())),
                // The attributes of the header are in the first answer, and its end is in the last.
                Ok(Some(Item::Open(_))) => {}
                Ok(Some(Item::Close)) => this.written = Written::All,
                Ok(Some(Item::Element(element))) => {
                    if element.is(ns::STREAMS, "error") {
                        this.error = Some(Condition::RemoteStreamError);
                    }
                    // Whoever has gone hears nothing any more; that there was something is known by its first piece.
                    if state.over().is_none() || state.output.is_empty() {
                        alone::write(&mut state.output, &element);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "what was to be written to a client is no stream");
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.session.state.lock();
        match (self.written, self.error) {
            (Written::All, error) => state.end(Over::Stream(error)),
            (Written::Some, None) => state.flush(Instant::now()),
            // It goes together with the end, which says what it is.
            (Written::Some, Some(_)) => {}
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let error = self.error;
        self.session.state.lock().end(Over::Stream(error));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.session.state.lock().end(Over::Stream(self.error));
        self.sessions.over(&self.session);
    }
}
