//! A connection that speaks HTTP/1.1 by hand: requests as they are written here, answers taken apart.

use std::time::{Duration, Instant};

use crate::client::WAIT;
use crate::dial::Dial;
use crate::link::{Link, Read1};

/// A connection to the web server.
pub struct Browser {
    pub(crate) link: Link,
    pub(crate) input: Vec<u8>,
}

/// What the web server has answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields, names in lower case, in order.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header field; panics if it is there more than once.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut all = self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| &**value);
        let first = all.next();
        assert!(all.next().is_none(), "{name} is there more than once: {self:?}");
        first
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

impl Dial {
    /// Connects to the web server in clear text.
    #[track_caller]
    pub fn browse(&self) -> Browser {
        Browser { link: self.try_clear().expect("the web server listens").link, input: Vec::new() }
    }

    /// Connects to the web server with TLS.
    #[track_caller]
    pub fn browse_tls(&self) -> Browser {
        Browser { link: self.try_direct().expect("the web server listens with TLS").link, input: Vec::new() }
    }
}

impl Browser {
    /// Sends bytes as they are; the server may have closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.link.write(bytes).is_ok()
    }

    /// Asks for a path of `localhost`, with these header fields besides (each with its line end).
    #[track_caller]
    pub fn ask(&mut self, verb: &str, path: &str, fields: &str) -> Answer {
        self.ask_host("localhost", verb, path, fields)
    }

    /// Asks for a path of this host.
    #[track_caller]
    pub fn ask_host(&mut self, host: &str, verb: &str, path: &str, fields: &str) -> Answer {
        self.send(format!("{verb} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").as_bytes());
        self.answer(verb)
    }

    /// The answer to what was asked with this verb.
    #[track_caller]
    pub fn answer(&mut self, verb: &str) -> Answer {
        self.try_answer(verb).expect("the web server closed the connection without an answer")
    }

    /// The answer, if there is one before the connection ends.
    #[track_caller]
    pub fn try_answer(&mut self, verb: &str) -> Option<Answer> {
        let head = loop {
            if let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.input.drain(..end + 4).collect();
                break String::from_utf8(head).expect("a head in ASCII");
            }
            self.more()?;
        };
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        let fields = lines.map(|line| line.split_once(':').expect("a header field"));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        let mut answer = Answer { status, fields, body: Vec::new() };
        if verb != "HEAD" && status >= 200 {
            answer.body = self.body(&answer);
        }
        Some(answer)
    }

    #[track_caller]
    fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.field("transfer-encoding") == Some("chunked") {
            return self.chunks();
        }
        match answer.field("content-length").map(|length| length.parse().expect("a number")) {
            Some(length) => self.exactly(length),
            None if matches!(answer.status, 204 | 304) => Vec::new(),
            None => {
                while self.more().is_some() {}
                std::mem::take(&mut self.input)
            }
        }
    }

    #[track_caller]
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.input.windows(2).position(|two| two == b"\r\n") {
                    Some(end) => break end,
                    None => self.more().expect("a chunk"),
                }
            };
            let line: Vec<u8> = self.exactly(end + 2);
            let size = std::str::from_utf8(&line[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.expect("the size of a chunk");
            let chunk = self.exactly(size + 2);
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return body;
            }
        }
    }

    #[track_caller]
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            self.more().expect("more of the answer");
        }
        self.input.drain(..count).collect()
    }

    /// Reads what comes; none at the end of the connection.
    #[track_caller]
    pub(crate) fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        match self.link.read(&mut buffer, Instant::now() + WAIT) {
            Read1::Bytes(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Read1::End | Read1::Reset => None,
            Read1::Nothing => panic!("the web server says nothing"),
        }
    }

    /// Whether the server ends the connection in time, whatever it says before.
    pub fn ends_within(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        let mut buffer = [0; 4096];
        while Instant::now() < deadline {
            if let Read1::End | Read1::Reset = self.link.read(&mut buffer, deadline) {
                return true;
            }
        }
        false
    }

    /// Demands that the server closes the connection and says nothing more.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        assert!(self.more().is_none() && self.input.is_empty(), "{}", String::from_utf8_lossy(&self.input));
    }
}
