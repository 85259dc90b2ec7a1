//! A connection, encrypted or not, as one type; and the scratch buffer that all connections of a thread share,
//! so that an idle connection holds none.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// Most bytes read or written at once; also the largest TLS record.
pub(crate) const CHUNK: usize = 16 * 1024;

/// A connection.
pub(crate) enum Socket {
    /// Not encrypted.
    Plain(TcpStream),
    /// Encrypted; boxed, since it is large and moves through negotiation.
    Tls(Box<TlsStream<TcpStream>>),
    /// None: the last one is lost.
    Closed,
}

impl Socket {
    /// Ends the connection at once. What was written and has not gone out never does, not even when the network comes back.
    pub(crate) fn abort(&mut self) {
        match self {
            Socket::Plain(socket) => drop(socket.set_zero_linger()),
            Socket::Tls(socket) => drop(socket.get_ref().0.set_zero_linger()),
            Socket::Closed => {}
        }
        *self = Socket::Closed;
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_read(cx, buf),
            Socket::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_write(cx, bytes),
            Socket::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_flush(cx),
            Socket::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Socket::Tls(socket) => Pin::new(&mut **socket).poll_shutdown(cx),
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
