//! Carries bytes between two connections, both ways at once, within the terms of their transfer. Each direction has one buffer, which is emptied
//! before it is filled again: who does not take what comes keeps the other side from being read. What is cut is reset, so that it does not
//! look complete.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metronome_host::bytestreams::Transfer;
use metronome_host::server::Server;
use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::sleep;

use crate::budget::Budget;
use crate::socket::CHUNK;

/// How a transfer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Both have said all that they had to say.
    Complete,
    /// One of the connections has broken.
    Broken,
    /// It was larger than it may be, or its account has had as much carried as it may have.
    Spent,
    /// Nothing went for too long.
    Idle,
    /// The server stops.
    Stopped,
}

impl End {
    /// As the log has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            End::Complete => "both sides have ended it",
            End::Broken => "a connection has broken",
            End::Spent => "there were more bytes than there may be",
            End::Idle => "nothing went for too long",
            End::Stopped => "the server stops",
        }
    }
}

/// What both directions share.
struct Flow<'t> {
    server: &'t Server,
    transfer: &'t Transfer,
    /// How often something has moved.
    moves: AtomicU64,
}

/// Carries everything, until the end. Both connections come so that closing them resets them, which is so no longer once all was carried.
pub(super) async fn carry(server: &Server, mut one: TcpStream, mut other: TcpStream, transfer: &Transfer) -> End {
    let flow = Flow { server, transfer, moves: AtomicU64::new(0) };
    let end = {
        let ((from_one, to_one), (from_other, to_other)) = (one.split(), other.split());
        let both = async { tokio::try_join!(flow.carry(from_one, to_other), flow.carry(from_other, to_one)) };
        tokio::select! {
            ended = both => ended.map_or_else(|end| end, |_| End::Complete),
            () = flow.stalls(transfer.terms().idle) => End::Idle,
            () = server.control.stopped() => End::Stopped,
        }
    };
    if end == End::Complete {
        for socket in [&one, &other] {
            let _ = sockopt::set_socket_linger(socket, None);
        }
    }
    end
}

impl Flow<'_> {
    /// One direction, until its side has said everything. The other side hears of that end, and may go on speaking.
    async fn carry(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), End> {
        let clock = &self.server.clock;
        let rate = self.transfer.terms().bytes_per_second;
        let mut budget = Budget::new(rate, rate, clock.steady_ms());
        let mut buffer = vec![0; CHUNK];
        loop {
            poll_fn(|cx| budget.poll(cx, clock.steady_ms())).await;
            let count = from.read(&mut buffer).await.map_err(|_| End::Broken)?;
            if count == 0 {
                // Who has closed both directions at once cannot be told any more.
                let _ = to.shutdown().await;
                self.has_moved();
                return Ok(());
            }
            budget.spend(count);
            self.transfer.spend(count, clock.steady_ms()).map_err(|_| End::Spent)?;
            let mut rest = &buffer[..count];
            while !rest.is_empty() {
                self.has_moved();
                match to.write(rest).await {
                    Ok(written) if written > 0 => rest = &rest[written..],
                    Ok(_) | Err(_) => return Err(End::Broken),
                }
            }
        }
    }

    fn has_moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until nothing has moved for so long, or up to twice as long.
    async fn stalls(&self, idle: Duration) {
        let mut seen = self.moves.load(Ordering::Relaxed);
        loop {
            sleep(idle).await;
            let now = self.moves.load(Ordering::Relaxed);
            if now == seen {
                return;
            }
            seen = now;
        }
    }
}
