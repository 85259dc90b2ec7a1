//! A stream while it is negotiated, with a client or with another server: whole elements in, bytes out, within the budgets of the
//! unauthenticated.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::hosts::Host;
use metronome_host::rng::Rng;
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::header::{self, Opening, StreamKind};
use metronome_proto::xml::{Element, Header, Item, Limits, Scanner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::compressed::Compressed;
use crate::socket::{Faulty, Socket};

/// Elements that a client may send before it is bound.
const CLIENT_ELEMENTS_MAX: u32 = 16;
/// Elements that a server may send before it has proved anything: it may ask about the keys of others for a while.
const SERVER_ELEMENTS_MAX: u32 = 64;
/// From the connection to the bound resource, or to the features that let a server prove itself.
const NEGOTIATION: Duration = Duration::from_secs(30);
/// To the first byte.
const FIRST_BYTE: Duration = Duration::from_secs(5);

/// Why a negotiation ends.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection is gone.
    Lost,
    /// The other side has closed its stream.
    Closed,
    /// The other side gets this error.
    Error(StreamError),
}

impl From<Condition> for Fault {
    fn from(condition: Condition) -> Fault {
        Fault::Error(StreamError::new(condition))
    }
}

/// The stream.
pub(crate) struct Stream {
    kind: StreamKind,
    socket: Socket,
    scanner: Scanner,
    /// Read and not yet scanned.
    input: Vec<u8>,
    elements: u32,
    deadline: Instant,
    heard: bool,
    header_sent: bool,
    /// Whom our headers name as the other side; clients are not named.
    peer: Option<Jid>,
}

impl Stream {
    /// A client's stream on a fresh connection.
    pub(crate) fn client(socket: Socket) -> Stream {
        Stream::new(StreamKind::Client, socket)
    }

    /// A stream with another server on a fresh connection.
    pub(crate) fn server(socket: Socket) -> Stream {
        Stream::new(StreamKind::Server, socket)
    }

    /// A component's stream on a fresh connection.
    pub(crate) fn component(socket: Socket) -> Stream {
        Stream::new(StreamKind::Component, socket)
    }

    fn new(kind: StreamKind, socket: Socket) -> Stream {
        Stream {
            kind,
            socket,
            scanner: Scanner::new(Limits::BEFORE_AUTH),
            input: Vec::new(),
            elements: 0,
            deadline: Instant::now() + NEGOTIATION,
            heard: false,
            header_sent: false,
            peer: None,
        }
    }

    /// Something was read of it before it came here.
    pub(crate) fn give(&mut self, read: Vec<u8>) {
        (self.heard, self.input) = (!read.is_empty(), read);
    }

    /// The same connection with a new parser and a new stream to come, after SASL. Budgets and deadline go on.
    pub(crate) fn restarted(mut self) -> Stream {
        self.restart();
        self
    }

    /// The same in its place.
    pub(crate) fn restart(&mut self) {
        (self.scanner, self.header_sent) = (Scanner::new(Limits::BEFORE_AUTH), false);
        self.socket.restart();
    }

    /// The other side has said who it is; our headers name it from now on (RFC 6120 section 4.7.2).
    pub(crate) fn name_peer(&mut self, peer: Option<Jid>) {
        self.peer = peer;
    }

    /// Whether its bytes could be compressed.
    pub(crate) fn is_compressible(&self) -> bool {
        self.socket.is_compressible()
    }

    /// Everything is compressed from now on, and a new stream begins.
    pub(crate) fn compress(&mut self) {
        let socket = std::mem::replace(&mut self.socket, Socket::Closed);
        self.socket = Socket::Compressed(Box::new(Compressed::new(socket)));
        self.restart();
    }

    /// The other side is known now: its stanzas may be as large as the host allows.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.scanner.set_limits(limits);
        self.socket.set_limits(limits);
    }

    /// The negotiation may take so much longer from now on, for a reason that the server knows.
    pub(crate) fn allow(&mut self, more: Duration) {
        self.deadline = self.deadline.max(Instant::now() + more);
    }

    /// When the negotiation must be over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether others on the way can read it.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.socket.is_private()
    }

    /// Whether anything was read that is not scanned yet.
    pub(crate) fn has_unread(&self) -> bool {
        !self.input.is_empty() || self.scanner.buffered() > 0
    }

    async fn next(&mut self) -> Result<Item, Fault> {
        loop {
            let mut rest = &self.input[..];
            let item = self.scanner.next(&mut rest);
            let used = self.input.len() - rest.len();
            self.input.drain(..used);
            match item {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => self.fill().await?,
                Err(error) => return Err(error.condition().into()),
            }
        }
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        const BYTES: usize = 4096;
        let deadline = if self.heard { self.deadline } else { self.deadline.min(Instant::now() + FIRST_BYTE) };
        self.input.reserve(BYTES);
        match timeout_at(deadline, self.socket.read_buf(&mut self.input)).await {
            Err(_) => Err(Condition::ConnectionTimeout.into()),
            Ok(Err(error)) => Err(Faulty::of(&error).map_or(Fault::Lost, Fault::Error)),
            Ok(Ok(0)) => Err(Fault::Lost),
            Ok(Ok(_)) => {
                self.heard = true;
                Ok(())
            }
        }
    }

    /// The stream header that must come now.
    pub(crate) async fn header(&mut self) -> Result<Header, Fault> {
        match self.next().await? {
            Item::Open(header) => Ok(header),
            Item::Element(_) | Item::Close => Err(Condition::BadFormat.into()),
        }
    }

    /// The element that must come now.
    pub(crate) async fn element(&mut self) -> Result<Element, Fault> {
        let elements_max = match self.kind {
            StreamKind::Client | StreamKind::Component => CLIENT_ELEMENTS_MAX,
            StreamKind::Server => SERVER_ELEMENTS_MAX,
        };
        self.elements += 1;
        if self.elements > elements_max {
            return Err(Condition::PolicyViolation.into());
        }
        match self.next().await? {
            Item::Element(element) => Ok(element),
            Item::Close => Err(Fault::Closed),
            Item::Open(_) => Err(Condition::BadFormat.into()),
        }
    }

    /// Writes and flushes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let write = async {
            self.socket.write_all(bytes).await?;
            self.socket.flush().await
        };
        match timeout_at(self.deadline, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Fault::Lost),
        }
    }

    /// Writes the header that accepts a stream into `out`, and answers its id; `from` is the host that was asked for, if it is one of
    /// ours.
    pub(crate) fn write_header(&mut self, out: &mut Vec<u8>, rng: &Rng, host: Option<&Host>) -> String {
        let id = rng.token();
        let (from, to) = (host.map(|host| host.name.as_str()), self.peer.as_ref().map(Jid::as_str));
        Opening { kind: self.kind, from, to, id: Some(&id), lang: "en" }.write(out);
        self.header_sent = true;
        id
    }

    /// Sends the header that opens a stream.
    pub(crate) async fn open(&mut self, from: &Jid, to: &Jid) -> Result<(), Fault> {
        let mut out = Vec::new();
        let (from, to) = (Some(from.as_str()), Some(to.as_str()));
        Opening { kind: self.kind, from, to, id: None, lang: "en" }.write(&mut out);
        // We have spoken first: the other side may take its time.
        (self.header_sent, self.heard) = (true, true);
        self.send(&out).await
    }

    /// Ends the stream: with our header first if it was not sent, so that the error stands inside of a stream.
    pub(crate) async fn end(mut self, fault: Fault, rng: &Rng, host: Option<&Arc<Host>>) {
        let mut out = Vec::new();
        if let Fault::Lost = fault {
            return;
        }
        if !self.header_sent {
            self.write_header(&mut out, rng, host.map(|host| &**host));
        }
        if let Fault::Error(error) = fault {
            error.write(&mut out);
        }
        out.extend_from_slice(header::CLOSE.as_bytes());
        self.deadline = self.deadline.max(Instant::now() + FIRST_BYTE);
        if self.send(&out).await.is_ok() {
            let _ = timeout_at(self.deadline, self.socket.shutdown()).await;
            self.socket.drain().await;
        }
    }

    /// What a session or link goes on with: the connection, the parser, and what was read beyond the negotiation.
    pub(crate) fn into_parts(self) -> (Socket, Scanner, Vec<u8>) {
        // Only what was read counts: an idle session holds no buffer.
        (self.socket, self.scanner, self.input.into_boxed_slice().into_vec())
    }
}
