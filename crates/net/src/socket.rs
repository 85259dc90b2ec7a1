//! A connection, encrypted or not, as one type; and the scratch buffer that all connections of a thread share,
//! so that an idle connection holds none.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use metronome_proto::payload::compress;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::xml::Limits;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsStream;

use crate::bosh::Carrier;
use crate::compressed::Compressed;
use crate::websocket::{Privacy, WebSocket};

/// Most bytes read or written at once; also the largest TLS record.
pub(crate) const CHUNK: usize = 16 * 1024;

/// A connection.
pub(crate) enum Socket {
    /// Not encrypted.
    Plain(TcpStream),
    /// Encrypted; boxed, since it is large and moves through negotiation.
    Tls(Box<TlsStream<TcpStream>>),
    /// One that carries messages (RFC 7395); boxed, since few connections are.
    Web(Box<WebSocket>),
    /// One that comes in requests (XEP-0124).
    Bosh(Box<Carrier>),
    /// One of the first two whose bytes are compressed (XEP-0138).
    Compressed(Box<Compressed>),
    /// None: the last one is lost.
    Closed,
}

/// The other side has broken the rules of its stream in what carries it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum Faulty {
    /// It is to hear this condition.
    #[error("{}", .0.name())]
    Rules(Condition),
    /// What it has compressed is nothing that could be read (XEP-0138).
    #[error("what came cannot be decompressed")]
    Compression,
}

impl From<Faulty> for io::Error {
    fn from(faulty: Faulty) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, faulty)
    }
}

impl Faulty {
    /// What the other side is to hear after an error of reading, if it is its own.
    pub(crate) fn of(error: &io::Error) -> Option<StreamError> {
        Some(match error.get_ref()?.downcast_ref::<Faulty>()? {
            Faulty::Rules(condition) => StreamError::new(*condition),
            Faulty::Compression => {
                let application = Some(compress::failure(compress::Condition::ProcessingFailed));
                StreamError { application, ..StreamError::new(Condition::UndefinedCondition) }
            }
        })
    }
}

impl Socket {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Socket::Plain(socket) => Some(socket),
            Socket::Tls(socket) => Some(socket.get_ref().0),
            Socket::Web(socket) => socket.inner().tcp(),
            Socket::Compressed(socket) => socket.inner().tcp(),
            Socket::Bosh(_) | Socket::Closed => None,
        }
    }

    /// Whether nobody on the way can read it.
    pub(crate) fn is_private(&self) -> bool {
        match self {
            Socket::Plain(_) | Socket::Closed => false,
            Socket::Tls(_) => true,
            Socket::Web(socket) => socket.privacy() == Privacy::Private,
            Socket::Bosh(socket) => socket.privacy() == Privacy::Private,
            Socket::Compressed(socket) => socket.inner().is_private(),
        }
    }

    /// Whether its bytes could be compressed: those of a stream that is nothing but bytes.
    pub(crate) fn is_compressible(&self) -> bool {
        matches!(self, Socket::Plain(_) | Socket::Tls(_))
    }

    /// A new stream begins on it.
    pub(crate) fn restart(&mut self) {
        match self {
            Socket::Web(socket) => socket.restart(),
            Socket::Bosh(socket) => socket.restart(),
            Socket::Plain(_) | Socket::Tls(_) | Socket::Compressed(_) | Socket::Closed => {}
        }
    }

    /// What is read may be as large as this says.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        match self {
            Socket::Web(socket) => socket.set_limits(limits),
            Socket::Bosh(socket) => socket.set_limits(limits),
            Socket::Plain(_) | Socket::Tls(_) | Socket::Compressed(_) | Socket::Closed => {}
        }
    }

    /// Reads a little more before the connection is closed: closing with unread bytes would destroy our last words.
    pub(crate) async fn drain(&mut self) {
        const BYTES_MAX: usize = 64 * 1024;
        const LINGER: Duration = Duration::from_secs(2);
        let deadline = Instant::now() + LINGER;
        let (mut read, mut buffer) = (0, vec![0; 4096]);
        while read < BYTES_MAX {
            match timeout_at(deadline, self.read(&mut buffer)).await {
                Ok(Ok(count)) if count > 0 => read += count,
                _ => return,
            }
        }
    }

    /// The system ends the connection once the other side has not confirmed for so long, in milliseconds, what was sent to it. Without
    /// this it tries for a quarter of an hour, and nobody hears of it.
    pub(crate) fn give_up_after(&self, silence_ms: u32) {
        if let Some(socket) = self.tcp()
            && let Err(error) = sockopt::set_tcp_user_timeout(socket, silence_ms)
        {
            tracing::debug!(%error, "a connection waits for as long as the system says");
        }
    }

    /// Ends the connection at once. What was written and has not gone out never does, not even when the network comes back.
    pub(crate) fn abort(&mut self) {
        if let Some(socket) = self.tcp()
            && let Err(error) = socket.set_zero_linger()
        {
            tracing::debug!(%error, "a connection is closed and not cut");
        }
        *self = Socket::Closed;
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_read(cx, buf),
            Socket::Web(socket) => Pin::new(&mut **socket).poll_read(cx, buf),
            Socket::Bosh(socket) => Pin::new(&mut **socket).poll_read(cx, buf),
            Socket::Compressed(socket) => Pin::new(&mut **socket).poll_read(cx, buf),
            Socket::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
            Socket::Web(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
            Socket::Bosh(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
            Socket::Compressed(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
            Socket::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_flush(cx),
            Socket::Web(socket) => Pin::new(&mut **socket).poll_flush(cx),
            Socket::Bosh(socket) => Pin::new(&mut **socket).poll_flush(cx),
            Socket::Compressed(socket) => Pin::new(&mut **socket).poll_flush(cx),
            Socket::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
            Socket::Web(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
            Socket::Bosh(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
            Socket::Compressed(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
            Socket::Closed => Poll::Ready(Ok(())),
        }
    }
}

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
    static WRITE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(2 * CHUNK));
}

/// Lends the thread's read buffer for one poll; taken out meanwhile, so that a nested use would get one of its own.
pub(crate) fn with_read_buffer<R>(run: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ.with(|cell| std::mem::take(&mut *cell.borrow_mut()));
    if buffer.is_empty() {
        buffer = vec![0; CHUNK].into();
    }
    let result = run(&mut buffer);
    READ.with(|cell| *cell.borrow_mut() = buffer);
    result
}

/// Lends the thread's write buffer, empty, for one poll.
pub(crate) fn with_write_buffer<R>(run: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = WRITE.with(|cell| std::mem::take(&mut *cell.borrow_mut()));
    buffer.clear();
    let result = run(&mut buffer);
    // One large stanza must not make every thread keep its size for ever.
    buffer.shrink_to(4 * CHUNK);
    WRITE.with(|cell| *cell.borrow_mut() = buffer);
    result
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Socket::Plain(ours), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn what_is_aborted_is_reset() {
        let (mut ours, mut theirs) = connected().await;
        ours.abort();
        assert!(matches!(ours, Socket::Closed));
        let end = theirs.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn the_system_is_told_how_long_silence_may_last() {
        let (ours, _theirs) = connected().await;
        ours.give_up_after(60_000);
        assert_eq!(sockopt::tcp_user_timeout(ours.tcp().unwrap()).unwrap(), 60_000);
    }
}
