//! What goes out on a running stream: what was said to the other side, then what waits for it.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::AsyncWrite;

use super::{Moved, Run};
use crate::s2s::cargo::Loaded;
use crate::socket::{CHUNK, with_write_buffer};

impl Run {
    /// Writes what was said, then what waits.
    pub(super) fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let mut moved = self.poll_said(cx)?;
        while self.unwritten.is_empty() {
            match self.poll_load(cx)? {
                Moved::Yes => moved = Moved::Yes,
                Moved::No => break,
            }
        }
        self.poll_flush(cx)?;
        Ok(moved)
    }

    pub(super) fn poll_flush_said(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let moved = self.poll_said(cx)?;
        self.poll_flush(cx)?;
        Ok(moved)
    }

    fn poll_said(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let mut moved = Moved::No;
        while !self.unwritten.is_empty() {
            match Pin::new(&mut self.socket).poll_write(cx, &self.unwritten)? {
                Poll::Pending => return Ok(moved),
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    self.unwritten.drain(..count);
                    self.unflushed = true;
                    self.progressed();
                    moved = Moved::Yes;
                }
            }
        }
        self.unwritten = Vec::new();
        Ok(moved)
    }

    /// Moves what waits straight to the socket; only what the socket does not take is copied.
    fn poll_load(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Moved> {
        let server = self.server().clone();
        with_write_buffer(|buffer| {
            if self.cargo.poll_load(&server, cx, buffer, CHUNK) == Loaded::Nothing {
                return Ok(Moved::No);
            }
            (self.unflushed, self.active_ms) = (true, server.clock.steady_ms());
            match Pin::new(&mut self.socket).poll_write(cx, buffer)? {
                Poll::Ready(count) => {
                    self.progressed();
                    self.unwritten.extend_from_slice(&buffer[count..]);
                }
                Poll::Pending => self.unwritten.extend_from_slice(buffer),
            }
            Ok(Moved::Yes)
        })
    }

    fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> io::Result<()> {
        if self.unflushed && Pin::new(&mut self.socket).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
            self.progressed();
        }
        Ok(())
    }

    fn progressed(&mut self) {
        self.progressed_ms = self.server().clock.steady_ms();
        self.spoke_ms = self.progressed_ms;
    }
}
