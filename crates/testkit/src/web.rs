//! A WebSocket under a scripted client (RFC 6455, RFC 7395), written by hand so that a scenario can also break its rules. What the client
//! says as a stream goes out in messages, and the server's messages are read as a stream, so everything that a client can do on a TCP
//! connection it can do here.

use std::io;
use std::time::Instant;

use crate::browser::{Answer, Browser};
use crate::client::Client;
use crate::dial::Dial;
use crate::link::{Link, Read1};
use crate::login::base64;
use crate::split;

const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";

/// The connection.
pub(crate) struct Web {
    pub(crate) link: Link,
    /// Read and not taken apart.
    input: Vec<u8>,
    /// Said by the client and not complete.
    output: String,
    /// Understood and not read.
    ready: Vec<u8>,
    /// The code in the server's last frame.
    code: Option<u16>,
}

impl Web {
    /// A frame with this first byte.
    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        let mask = [fastrand::u8(..), fastrand::u8(..), fastrand::u8(..), fastrand::u8(..)];
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length @ 126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        self.link.write(&frame)
    }

    /// Says a piece of a stream: each complete element in a message of its own.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.output.push_str(&String::from_utf8_lossy(bytes));
        while let Some((piece, used)) = split::next(&self.output) {
            self.output.drain(..used);
            let message = if piece.starts_with("<stream:stream") {
                let attributes = piece.trim_end_matches('>').replacen("<stream:stream", "", 1);
                let attributes = attributes.replace(" xmlns='jabber:client'", "");
                let end = attributes
                    .find(" xmlns:stream='")
                    .map(|at| (at, at + 15 + attributes[at + 15..].find('\'').unwrap_or(0)));
                let (before, behind) =
                    end.map_or((&attributes[..], ""), |(at, to)| (&attributes[..at], &attributes[to + 1..]));
                format!("<open xmlns='{FRAMING}'{before}{behind}/>")
            } else if piece == "</stream:stream>" {
                format!("<close xmlns='{FRAMING}'/>")
            } else {
                piece
            };
            self.frame(0x81, message.as_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Read1 {
        loop {
            if !self.ready.is_empty() {
                let count = self.ready.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.ready[..count]);
                self.ready.drain(..count);
                return Read1::Bytes(count);
            }
            if let Some((opcode, payload)) = self.next_frame() {
                match opcode {
                    1 => self.understand(&payload),
                    8 => {
                        self.code = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                        return Read1::End;
                    }
                    10 => self.ready.extend(format!("<pong>{}</pong>", String::from_utf8_lossy(&payload)).bytes()),
                    other => panic!("the server sent a frame of the kind {other}"),
                }
                continue;
            }
            let mut more = [0; 16 * 1024];
            match self.link.read(&mut more, deadline) {
                Read1::Bytes(count) => self.input.extend_from_slice(&more[..count]),
                end => return end,
            }
        }
    }

    fn understand(&mut self, payload: &[u8]) {
        let text = std::str::from_utf8(payload).expect("a message is UTF-8");
        assert!(text.starts_with('<'), "a message begins with its element: {text:?}");
        let stream = match (text.strip_prefix("<open "), text.starts_with("<close ")) {
            (Some(rest), _) => {
                let rest = rest.replace(FRAMING, "jabber:client");
                format!("<stream:stream {}>", rest.trim_end_matches("/>"))
            }
            (None, true) => "</stream:stream>".to_owned(),
            (None, false) => {
                assert!(text.contains("xmlns"), "a message says its namespace: {text:?}");
                assert_eq!(split::next(text).expect("a whole element").1, text.len(), "one element: {text:?}");
                text.to_owned()
            }
        };
        self.ready.extend_from_slice(stream.as_bytes());
    }

    /// A complete frame of the server.
    fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, &second) = (self.input.first()?, self.input.get(1)?);
        assert!(first & 0x70 == 0 && first & 0x80 != 0 && second & 0x80 == 0, "{first:02x} {second:02x}");
        let (length, at) = match second {
            126 => (usize::from(u16::from_be_bytes(self.input.get(2..4)?.try_into().ok()?)), 4),
            127 => (u64::from_be_bytes(self.input.get(2..10)?.try_into().ok()?) as usize, 10),
            length => (usize::from(length), 2),
        };
        let payload = self.input.get(at..at + length)?.to_vec();
        self.input.drain(..at + length);
        Some((first & 0x0f, payload))
    }
}

/// The header fields with which a WebSocket for XMPP is asked for.
pub fn websocket_fields() -> String {
    let key = base64(std::array::from_fn::<u8, 16, _>(|_| fastrand::u8(..)));
    format!(
        "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: xmpp\r\n"
    )
}

impl Browser {
    /// Makes a WebSocket of this connection, with these header fields besides.
    #[track_caller]
    pub fn websocket(mut self, dial: &Dial, fields: &str) -> Client {
        let answer = self.ask("GET", "/xmpp-websocket", &format!("{}{fields}", websocket_fields()));
        self.upgraded(dial, &answer)
    }

    /// The WebSocket that this connection is, according to this answer.
    #[track_caller]
    pub fn upgraded(self, dial: &Dial, answer: &Answer) -> Client {
        assert_eq!((answer.status, answer.field("sec-websocket-protocol")), (101, Some("xmpp")), "{answer:?}");
        assert_eq!(answer.field("sec-websocket-extensions"), None);
        let Browser { link, input } = self;
        let web = Web { link, input, output: String::new(), ready: Vec::new(), code: None };
        Client::new(Link::Web(Box::new(web)), dial.clone())
    }
}

impl Dial {
    /// Connects with a WebSocket over TLS; the stream is to be opened.
    #[track_caller]
    pub fn websocket(&self) -> Client {
        self.browse_tls().websocket(self, "")
    }
}

impl Client {
    /// Sends a frame with this first byte as it is; for clients that break rules. The server may have closed the connection.
    #[track_caller]
    pub fn send_frame(&mut self, first: u8, payload: &[u8]) -> bool {
        self.web().frame(first, payload).is_ok()
    }

    /// Sends bytes below all framing.
    #[track_caller]
    pub fn send_below(&mut self, bytes: &[u8]) -> bool {
        self.web().link.write(bytes).is_ok()
    }

    /// Sends a message.
    #[track_caller]
    pub fn send_message(&mut self, text: &str) -> bool {
        self.send_frame(0x81, text.as_bytes())
    }

    /// Demands that the server closes the connection, and answers the code with which it does.
    #[track_caller]
    pub fn expect_code(&mut self) -> Option<u16> {
        self.expect_closed();
        self.web().code
    }

    #[track_caller]
    fn web(&mut self) -> &mut Web {
        match &mut self.link {
            Link::Web(web) => web,
            _ => panic!("this is no WebSocket"),
        }
    }
}
