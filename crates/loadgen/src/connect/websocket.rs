//! Streams over WebSocket (RFC 7395): each stanza is a message of its own, and what a client sends is masked (RFC 6455 section 5.3).
//! Called by `connect`; keeps what has been received of a frame, and the answers that it owes to pings.

use anyhow::{Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Session;
use crate::frames::{Frame, Frames};
use crate::socket::Socket;

/// What ends a stream (section 3.6).
pub(super) const CLOSE: &[u8] = b"<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
/// Most bytes of the answer to a request to change over.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Room that is made for one read: a whole TLS record.
const READ_BYTES: usize = 16 * 1024;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const CLOSING: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// What begins a stream (section 3.4).
pub(super) fn open(domain: &str) -> String {
    format!("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='1.0' to='{domain}'/>")
}

/// Changes a connection over to WebSocket (RFC 6455 section 4.1). What proves that the server has understood is not looked at.
pub(super) async fn begin(mut socket: Socket, path: &str, domain: &str) -> Result<Session> {
    let key = BASE64_STANDARD.encode(fastrand::u128(..).to_be_bytes());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {domain}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    socket.flush().await?;
    let mut web = Web::new();
    let end = loop {
        ensure!(socket.read_buf(web.space()).await? > 0, "the server closed the connection");
        if let Some(end) = memmem::find(&web.received, b"\r\n\r\n") {
            break end + 4;
        }
        ensure!(web.received.len() <= ANSWER_BYTES_MAX, "the answer to a request has no end");
    };
    let answer = String::from_utf8_lossy(&web.received[..end]);
    ensure!(answer.starts_with("HTTP/1.1 101 "), "no WebSocket: {answer}");
    web.received.drain(..end);
    let mut session = Session::new(socket);
    web.unwrap(session.frames.space())?;
    session.web = Some(web);
    session.frames = session.new_frames();
    Ok(session)
}

/// One side of a WebSocket.
#[derive(Debug)]
pub(super) struct Web {
    /// Cuts what is sent into stanzas.
    cutter: Frames,
    /// What has been received and not been unwrapped.
    received: Vec<u8>,
    /// Bytes of the message under way that are still to come.
    missing: usize,
    /// The one that is being wrapped.
    message: Vec<u8>,
    /// Frames to be sent.
    out: Vec<u8>,
    /// How many of these bytes answer pings.
    owed: usize,
}

impl Web {
    fn new() -> Web {
        Web {
            cutter: Frames::without_stream(),
            received: Vec::new(),
            missing: 0,
            message: Vec::new(),
            out: Vec::new(),
            owed: 0,
        }
    }

    /// Makes room for a read and returns the buffer to append to.
    pub(super) fn space(&mut self) -> &mut Vec<u8> {
        self.received.reserve(READ_BYTES);
        &mut self.received
    }

    /// Gives unused memory back.
    pub(super) fn shrink(&mut self) {
        self.cutter.shrink();
        self.received.shrink_to_fit();
        self.message = Vec::new();
        self.out = self.out.split_off(self.out.len() - self.owed);
    }

    /// Whether a ping waits for its answer, which goes with whatever is sent next.
    pub(super) fn owes(&self) -> bool {
        self.owed > 0
    }

    /// Takes the text out of all that has been received, up to a frame whose head is incomplete. Fails if the server closes the WebSocket.
    pub(super) fn unwrap(&mut self, stream: &mut Vec<u8>) -> Result<()> {
        let mut at = 0;
        loop {
            let rest = &self.received[at..];
            let taken = self.missing.min(rest.len());
            stream.extend_from_slice(&rest[..taken]);
            self.missing -= taken;
            at += taken;
            let Some(head) = Head::read(&self.received[at..]).filter(|_| self.missing == 0) else { break };
            let body = at + head.bytes;
            if matches!(head.code, TEXT | CONTINUATION) {
                (self.missing, at) = (head.length, body);
                continue;
            }
            let Some(payload) = self.received.get(body..body + head.length) else { break };
            match head.code {
                PING => {
                    let before = self.out.len();
                    push(&mut self.out, PONG, payload);
                    self.owed += self.out.len() - before;
                }
                PONG => {}
                CLOSING => bail!("the server closes the WebSocket: {}", reason(payload)),
                code => bail!("the server sends a frame of kind {code}"),
            }
            at = body + head.length;
        }
        self.received.drain(..at);
        Ok(())
    }

    /// The frames of these stanzas, behind what is owed.
    pub(super) fn wrap(&mut self, stanzas: &[u8]) -> &[u8] {
        // Behind what is owed stands what was sent before.
        self.out.drain(..self.out.len() - self.owed);
        self.owed = 0;
        self.cutter.space().extend_from_slice(stanzas);
        while let Some(Frame::Stanza(stanza)) = self.cutter.next() {
            self.message.clear();
            write_alone(stanza, &mut self.message);
            push(&mut self.out, TEXT, &self.message);
        }
        &self.out
    }
}

/// A stanza with its namespace, which no stream around it gives it (RFC 7395 section 3.3.3); anything else names its own.
fn write_alone(stanza: &[u8], out: &mut Vec<u8>) {
    let names: [&[u8]; 3] = [b"<message", b"<presence", b"<iq"];
    let name = names.into_iter().find(|name| {
        stanza.starts_with(name) && stanza.get(name.len()).is_some_and(|next| matches!(next, b' ' | b'/' | b'>'))
    });
    let name = name.unwrap_or_default();
    out.extend_from_slice(name);
    if !name.is_empty() {
        out.extend_from_slice(b" xmlns='jabber:client'");
    }
    out.extend_from_slice(&stanza[name.len()..]);
}

/// A frame of its own, masked.
fn push(out: &mut Vec<u8>, code: u8, payload: &[u8]) {
    out.push(FINAL | code);
    match payload.len() {
        length @ 0..=125 => out.push(MASKED | length as u8),
        length @ 126..=0xffff => {
            out.push(MASKED | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(MASKED | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    let key = fastrand::u32(..).to_ne_bytes();
    out.extend(key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The number and the words that a WebSocket is closed with (RFC 6455 section 5.5.1).
fn reason(payload: &[u8]) -> String {
    match payload.split_first_chunk() {
        Some((code, words)) => format!("{} {}", u16::from_be_bytes(*code), String::from_utf8_lossy(words)),
        None => "without a reason".to_owned(),
    }
}

/// What a frame of the server begins with; servers mask nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    code: u8,
    /// Of what follows it.
    length: usize,
    /// Its own.
    bytes: usize,
}

impl Head {
    /// None while it is incomplete.
    fn read(frame: &[u8]) -> Option<Head> {
        let (code, short) = (frame.first()? & 0xf, frame.get(1)? & 0x7f);
        let (length, bytes) = match short {
            126 => (usize::from(u16::from_be_bytes(frame.get(2..4)?.try_into().ok()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(frame.get(2..10)?.try_into().ok()?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        Some(Head { code, length, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a server sends it.
    fn frame(code: u8, payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        push(&mut masked, code, payload);
        let head = Head::read(&masked).unwrap();
        masked[1] &= !MASKED;
        masked.truncate(head.bytes);
        masked.extend_from_slice(payload);
        masked
    }

    #[test]
    fn text_is_the_same_whatever_the_reads_and_pings_are_answered() {
        let long = vec![b'x'; 70_000];
        let mut sent = frame(TEXT, b"<a/>");
        sent.extend(frame(PING, b"now"));
        sent.extend(frame(TEXT, &long[..200]));
        sent.extend(frame(PONG, b""));
        sent.extend(frame(TEXT, &long));
        for size in [1, 3, 1000, sent.len()] {
            let (mut web, mut text) = (Web::new(), Vec::new());
            for piece in sent.chunks(size) {
                web.space().extend_from_slice(piece);
                web.unwrap(&mut text).unwrap();
            }
            assert_eq!(text.len(), 4 + 200 + 70_000, "pieces of {size}");
            assert!(web.owes());
            assert_eq!(Head::read(web.wrap(b"")), Some(Head { code: PONG, length: 3, bytes: 2 }));
            assert!(!web.owes() && web.wrap(b"").is_empty());
        }
    }

    #[test]
    fn each_stanza_is_a_masked_message_of_its_own() {
        let mut web = Web::new();
        let out = web.wrap(b"<message><body>1</body></message><r/>").to_vec();
        let first = Head::read(&out).unwrap();
        let wanted = b"<message xmlns='jabber:client'><body>1</body></message>";
        assert_eq!((first.code, first.length, out[1] & MASKED), (TEXT, wanted.len(), MASKED));
        let key = &out[2..6];
        let end = 6 + wanted.len();
        let text: Vec<u8> = out[6..end].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        assert_eq!(text, wanted);
        assert_eq!(Head::read(&out[end..]).unwrap().length, 4);
    }

    #[test]
    fn a_server_that_closes_is_told_of() {
        let mut web = Web::new();
        web.space().extend(frame(CLOSING, b"\x03\xe8enough"));
        let error = web.unwrap(&mut Vec::new()).unwrap_err().to_string();
        assert!(error.ends_with("1000 enough"), "{error}");
    }
}
