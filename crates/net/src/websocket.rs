//! XMPP over WebSocket (RFC 7395), as a connection like any other: what a client says in messages is read from here as the bytes of a stream
//! (RFC 6120), and what is written here as a stream leaves in messages, one element in each. So everything above it, the negotiation, the
//! session, its resumption on whatever connection, knows nothing of it.

mod frame;

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use metronome_proto::ns;
use metronome_proto::stream::error::Condition;
use metronome_proto::stream::header;
use metronome_proto::xml::{Element, Header, Item, Limits, Scanner, write};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::alone;
use crate::socket::{Faulty, Socket};
use frame::{Code, Decoder, Event};

/// Control frames that may come at once, and how many each second beyond.
const CONTROL_BURST: f32 = 40.0;
const CONTROL_PER_SECOND: f32 = 10.0;
/// Most bytes of white space behind the element of a message: line feeds of some libraries. No budget of bytes counts them.
const SPACE_BYTES_MAX: usize = 64;
/// Reads in one go; after that others have their turn.
const READS_MAX: u32 = 16;
/// For how long our last frame may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whether others on the way can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// They cannot.
    Private,
    /// They can.
    Readable,
}

/// A connection behind its handshake.
pub(crate) struct WebSocket {
    inner: Socket,
    privacy: Privacy,
    decoder: Decoder,
    /// Of the message that is being read.
    scanner: Scanner,
    limits: Limits,
    /// Its element, once that is complete.
    element: Option<Element>,
    /// Bytes behind that.
    behind: usize,
    begun: Begun,
    expects: Expects,
    /// Read with the handshake.
    early: Vec<u8>,
    /// Understood and not yet read from here.
    ready: Vec<u8>,
    end: Option<End>,
    /// Takes apart what is written.
    splitter: Scanner,
    /// Frames that are to be sent.
    out: Vec<u8>,
    /// The answer to the last ping.
    pong: Option<Vec<u8>>,
    closed: Closed,
    controls: f32,
    controls_at: Instant,
}

/// Whether there was anything of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Not,
    Yes,
}

/// What the next message must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// `<open/>`.
    Open,
    /// Something within the stream.
    Element,
}

/// Whether our last frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    Not,
    Yes,
}

/// How reading has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client has closed the connection in order.
    Clean,
    /// The client has broken the rules of streams and is to be told so; nothing of what follows counts.
    Fault(Condition),
    /// It was told, and only its end is waited for.
    Told,
    /// It has broken the rules of WebSocket.
    Broken,
}

impl WebSocket {
    /// On a connection whose handshake is done; `early` was read behind it.
    pub(crate) fn new(inner: Socket, privacy: Privacy, early: Vec<u8>) -> WebSocket {
        let limits = Limits::BEFORE_AUTH;
        WebSocket {
            inner,
            privacy,
            decoder: Decoder::default(),
            scanner: Scanner::elements(limits),
            limits,
            element: None,
            behind: 0,
            begun: Begun::Not,
            expects: Expects::Open,
            early,
            ready: Vec::new(),
            end: None,
            splitter: Scanner::new(Limits::STORED),
            out: Vec::new(),
            pong: None,
            closed: Closed::Not,
            controls: CONTROL_BURST,
            controls_at: Instant::now(),
        }
    }

    /// Whether others on the way can read it.
    pub(crate) fn privacy(&self) -> Privacy {
        self.privacy
    }

    /// The connection below.
    pub(crate) fn inner(&self) -> &Socket {
        &self.inner
    }

    /// A new stream begins on both sides.
    pub(crate) fn restart(&mut self) {
        self.expects = Expects::Open;
        self.splitter = Scanner::new(Limits::STORED);
    }

    /// Changes the limits of what is read.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.scanner.set_limits(limits);
    }

    // ---- what the client says ----------------------------------------------------------------------------------

    fn decode(&mut self, mut bytes: &mut [u8]) {
        while self.end.is_none() {
            match self.decoder.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Event::Text(piece))) => {
                    let element = (&mut self.element, &mut self.behind);
                    if let Err(condition) = text(&mut self.scanner, element, &mut self.begun, piece) {
                        self.end = Some(End::Fault(condition));
                    }
                }
                Ok(Some(Event::End)) => self.message(),
                Ok(Some(Event::Ping(payload))) => {
                    self.pong = Some(payload);
                    self.control();
                }
                Ok(Some(Event::Pong)) => self.control(),
                Ok(Some(Event::Close)) => {
                    self.close(Code::Normal);
                    self.end = Some(End::Clean);
                }
                Err(code) => self.break_off(code),
            }
        }
    }

    /// A message is complete: it was one element and nothing else (section 3.3.3).
    fn message(&mut self) {
        (self.begun, self.behind) = (Begun::Not, 0);
        match self.element.take() {
            Some(element) if self.scanner.buffered() == 0 => self.understand(&element),
            _ => self.end = Some(End::Fault(Condition::BadFormat)),
        }
    }

    fn understand(&mut self, element: &Element) {
        match (self.expects, element.is(ns::FRAMING, "open")) {
            (Expects::Open, true) => {
                self.expects = Expects::Element;
                write_stream_header(&mut self.ready, element);
            }
            _ if element.is(ns::FRAMING, "close") => self.ready.extend_from_slice(header::CLOSE.as_bytes()),
            // Without a header there is no stream that it could be in.
            (Expects::Open, false) => self.end = Some(End::Fault(Condition::InvalidNamespace)),
            (Expects::Element, _) => self.ready.extend_from_slice(element.bytes()),
        }
    }

    /// One more control frame: they cost work that no budget of bytes counts.
    fn control(&mut self) {
        let now = Instant::now();
        let earned = now.duration_since(self.controls_at).as_secs_f32() * CONTROL_PER_SECOND;
        self.controls = (self.controls + earned).min(CONTROL_BURST) - 1.0;
        self.controls_at = now;
        if self.controls < 0.0 {
            self.break_off(Code::Policy);
        }
    }

    /// The connection ends here and now. The client is told why by somebody who has the time to see that it arrives.
    fn break_off(&mut self, code: Code) {
        self.end = Some(End::Broken);
        self.close(code);
        let (inner, out) = (mem::replace(&mut self.inner, Socket::Closed), mem::take(&mut self.out));
        tokio::spawn(timeout(FAREWELL, farewell(inner, out)));
    }

    // ---- what is said to the client ----------------------------------------------------------------------------

    /// Puts what is written of a stream into frames.
    fn encode(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            match self.splitter.next(&mut bytes) {
                Ok(None) => return Ok(()),
                Ok(Some(item)) if self.closed == Closed::Not => write_item(&mut self.out, &item),
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::error!(%error, "what was to be written to a WebSocket is no stream");
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }

    /// Our last frame; only the first one counts.
    fn close(&mut self, code: Code) {
        if self.closed == Closed::Not {
            self.closed = Closed::Yes;
            frame::write_close(&mut self.out, code);
        }
    }

    /// Writes what is to be sent; ready once nothing is.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.out.is_empty() {
                self.out = Vec::new();
                match self.pong.take().filter(|_| self.closed == Closed::Not) {
                    Some(payload) => frame::write_pong(&mut self.out, &payload),
                    None => return Pin::new(&mut self.inner).poll_flush(cx),
                }
            }
            let count = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..count);
        }
    }

    /// Reads from the connection and understands it. How many bytes there were; none at its end.
    fn poll_understand(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let mut early = mem::take(&mut self.early);
            self.decode(&mut early);
            return Poll::Ready(Ok(early.len()));
        }
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut room))?;
        let bytes = room.filled_mut();
        if self.end.is_none() {
            self.decode(bytes);
        }
        Poll::Ready(Ok(bytes.len()))
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        for _ in 0..READS_MAX {
            if !this.ready.is_empty() {
                let count = this.ready.len().min(buf.remaining());
                buf.put_slice(&this.ready[..count]);
                this.ready.drain(..count);
                if this.ready.is_empty() {
                    this.ready = Vec::new();
                }
                return Poll::Ready(Ok(()));
            }
            if this.pong.is_some() || !this.out.is_empty() {
                // Whoever does not take the answer is not waited for.
                if let Poll::Ready(Err(error)) = this.poll_out(cx) {
                    return Poll::Ready(Err(error));
                }
            }
            match this.end {
                Some(End::Clean) => return Poll::Ready(Ok(())),
                Some(End::Broken) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Some(End::Fault(condition)) => {
                    this.end = Some(End::Told);
                    return Poll::Ready(Err(Faulty::Rules(condition).into()));
                }
                Some(End::Told) | None => {}
            }
            if ready!(this.poll_understand(cx, buf.initialize_unfilled()))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        this.encode(bytes)?;
        match this.poll_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_out(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.close(Code::Normal);
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}

/// The next bytes of a message, of which the first is `<`.
fn text(
    scanner: &mut Scanner,
    (found, behind): (&mut Option<Element>, &mut usize),
    begun: &mut Begun,
    mut piece: &[u8],
) -> Result<(), Condition> {
    if *begun == Begun::Not && piece.first() != Some(&b'<') {
        return Err(Condition::BadFormat);
    }
    *begun = Begun::Yes;
    loop {
        if found.is_some() {
            *behind += piece.len();
            if *behind > SPACE_BYTES_MAX {
                return Err(Condition::BadFormat);
            }
        }
        match scanner.next(&mut piece) {
            Ok(None) => return Ok(()),
            Ok(Some(Item::Element(element))) if found.is_none() => *found = Some(element),
            Ok(Some(_)) => return Err(Condition::BadFormat),
            Err(error) => return Err(error.condition()),
        }
    }
}

/// What `<open/>` says, as the header of a stream.
fn write_stream_header(out: &mut Vec<u8>, open: &Element) {
    out.extend_from_slice(b"<stream:stream");
    write::attribute(out, "xmlns", ns::CLIENT);
    write::attribute(out, "xmlns:stream", ns::STREAMS);
    for name in ["to", "from", "version"] {
        if let Some(value) = open.attr(name) {
            write::attribute(out, name, &value);
        }
    }
    if let Some(lang) = open.lang() {
        write::attribute(out, "xml:lang", &lang);
    }
    out.push(b'>');
}

fn write_item(out: &mut Vec<u8>, item: &Item) {
    match item {
        Item::Open(header) => frame::write_text(out, &[&open(header)]),
        Item::Close => {
            let mut close = b"<close".to_vec();
            write::attribute(&mut close, "xmlns", ns::FRAMING);
            close.extend_from_slice(b"/>");
            frame::write_text(out, &[&close]);
        }
        Item::Element(element) if element.ns() == ns::STREAMS => {
            let mut text = Vec::new();
            alone::write_of_stream(&mut text, element);
            frame::write_text(out, &[&text]);
        }
        Item::Element(element) => frame::write_text(out, &alone::pieces(element)),
    }
}

fn open(header: &Header) -> Vec<u8> {
    let mut open = b"<open".to_vec();
    write::attribute(&mut open, "xmlns", ns::FRAMING);
    let names = ["from", "to", "id", "version", "xml:lang"];
    let values = [&header.from, &header.to, &header.id, &header.version, &header.lang];
    for (name, value) in names.into_iter().zip(values) {
        if let Some(value) = value {
            write::attribute(&mut open, name, value);
        }
    }
    open.extend_from_slice(b"/>");
    open
}

/// Writes the last frame, and reads a little more: closing with unread bytes would destroy it.
async fn farewell(mut socket: Socket, out: Vec<u8>) -> io::Result<()> {
    socket.write_all(&out).await?;
    socket.shutdown().await?;
    socket.drain().await;
    Ok(())
}

#[cfg(test)]
mod tests;
