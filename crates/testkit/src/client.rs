//! The scripted client: sends raw XML, and expects what comes, in order, each within a bounded wait.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::dial::Dial;
use crate::link::{Link, Read1};
use crate::seen::Seen;
use crate::server::Server;
use crate::split;

/// How long anything that must come may take. Far longer than it takes: nothing is measured by it.
pub const WAIT: Duration = Duration::from_secs(10);

/// Of anything longer, the conversation in a failure shows the beginning.
const SHOWN_MAX: usize = 600;

/// The namespace of streams.
pub const STREAMS: &str = "http://etherx.jabber.org/streams";

/// A client on a real socket. Dropped, it closes the connection without a word.
pub struct Client {
    pub(crate) link: Link,
    pub(crate) dial: Dial,
    /// What failures call it.
    pub name: String,
    /// The bound address, once there is one.
    pub(crate) jid: Option<String>,
    input: Vec<u8>,
    transcript: Vec<String>,
    pings: u32,
    server_pings: ServerPings,
}

/// What a client does with the pings that the server sends to see whether it is alive and has got its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerPings {
    /// They are answered at once, and the scenario does not see them.
    Answered,
    /// They are pieces of the stream like all others; the scenario answers them or does not.
    Shown,
}

impl Client {
    pub(crate) fn new(link: Link, dial: Dial) -> Client {
        Client {
            link,
            dial,
            name: "client".to_owned(),
            jid: None,
            input: Vec::new(),
            transcript: Vec::new(),
            pings: 0,
            server_pings: ServerPings::Answered,
        }
    }

    /// Connects in clear text, and says nothing yet.
    #[track_caller]
    pub fn connect(server: &Server) -> Client {
        server.dial().clear()
    }

    /// Connects with TLS from the first byte; the stream is to be opened.
    #[track_caller]
    pub fn direct_tls(server: &Server) -> Client {
        server.dial().direct()
    }

    /// Connects, logs in with the password that [`crate::Setup`] gave the account, and binds `resource`. No presence is sent.
    #[track_caller]
    pub fn login(server: &Server, username: &str, resource: &str) -> Client {
        let mut client = Client::direct_tls(server);
        client.log_in(username, resource);
        client
    }

    // ---- stream ------------------------------------------------------------------------------------------------

    /// Our stream header for `domain`.
    pub fn header(domain: &str) -> String {
        format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{STREAMS}' to='{domain}' version='1.0'>"
        )
    }

    /// Opens the stream: our header, the server's, and its features, which are answered.
    #[track_caller]
    pub fn open(&mut self) -> Seen {
        self.send(&Client::header(&self.dial.domain.clone()));
        self.expect("<stream:stream xmlns='jabber:client' version='1.0'");
        self.expect("<stream:features")
    }

    /// Opens the stream and encrypts it with STARTTLS. The encrypted stream is to be opened.
    #[track_caller]
    pub fn tls(mut self) -> Client {
        self.open();
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        self.expect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'");
        self.handshake()
    }

    /// The TLS handshake alone, where the server awaits it.
    #[track_caller]
    pub fn handshake(mut self) -> Client {
        assert!(self.input.is_empty(), "the server sent clear text after <proceed/>");
        self.link = match self.dial.encrypt(self.link) {
            Ok(link) => link,
            Err(error) => panic!("the TLS handshake failed: {error}\n{}", self.transcript.join("\n")),
        };
        self.transcript.push("-- TLS".to_owned());
        self
    }

    /// Lets the other side encrypt the connection, where it has called us.
    #[track_caller]
    pub(crate) fn serve(mut self, config: std::sync::Arc<rustls::ServerConfig>) -> Client {
        assert!(self.input.is_empty(), "the server sent clear text after <starttls/>");
        self.link = match self.link.serve(config) {
            Ok(link) => link,
            Err(error) => panic!("the TLS handshake failed: {error}\n{}", self.transcript.join("\n")),
        };
        self.transcript.push("-- TLS".to_owned());
        self
    }

    /// The full address, once a resource is bound.
    #[track_caller]
    pub fn jid(&self) -> &str {
        self.jid.as_deref().expect("a resource is bound")
    }

    /// Where it connects from, as it sees it itself.
    pub fn local_address(&self) -> SocketAddr {
        self.link.socket().local_addr().expect("a socket has an address")
    }

    /// Becomes available, and waits until the server says so.
    #[track_caller]
    pub fn available(&mut self) -> Seen {
        self.send("<presence/>");
        let from = format!("<presence from='{}'", self.jid());
        self.expect(&from)
    }

    // ---- sending -----------------------------------------------------------------------------------------------

    /// Sends text as it is.
    #[track_caller]
    pub fn send(&mut self, xml: &str) {
        if let Err(error) = self.try_send(xml.as_bytes()) {
            self.fail(&format!("cannot send: {error}"));
        }
    }

    /// Sends bytes as they are; the server may have closed the connection.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.note("C", &String::from_utf8_lossy(&bytes[..bytes.len().min(2 * SHOWN_MAX)]), bytes.len());
        self.link.write(bytes)
    }

    /// Sends text one byte at a time, each in a packet or a TLS record of its own. The server may close meanwhile.
    pub fn send_bytewise(&mut self, xml: &str) {
        self.transcript.push(format!("C, byte by byte: {xml}"));
        for byte in xml.as_bytes() {
            if self.link.write(&[*byte]).is_err() {
                return;
            }
        }
    }

    /// Whether the server's own pings are answered (which is how a client begins) or shown.
    pub fn server_pings(&mut self, what: ServerPings) {
        self.server_pings = what;
    }

    /// For how long sending may wait for a server that does not read.
    pub fn set_write_timeout(&mut self, wait: Duration) {
        self.link.socket().set_write_timeout(Some(wait)).expect("a socket has a timeout");
    }

    // ---- expecting ---------------------------------------------------------------------------------------------

    /// The next piece of the stream.
    #[track_caller]
    pub fn next_piece(&mut self) -> Seen {
        match self.read_until(Instant::now() + WAIT) {
            Ok(Some(seen)) => seen,
            Ok(None) => self.fail("nothing came"),
            Err(end) => self.fail(&format!("the connection ended ({end:?}), and something was expected")),
        }
    }

    /// The next piece, if one comes within `wait`.
    #[track_caller]
    pub fn next_within(&mut self, wait: Duration) -> Option<Seen> {
        self.read_until(Instant::now() + wait).ok().flatten()
    }

    /// Demands that the next piece fits `pattern` (see [`Seen::fits`]); answers it.
    #[track_caller]
    pub fn expect(&mut self, pattern: &str) -> Seen {
        let seen = match self.read_until(Instant::now() + WAIT) {
            Ok(Some(seen)) => seen,
            Ok(None) => self.fail(&format!("expected {pattern}, and nothing came")),
            Err(end) => self.fail(&format!("expected {pattern}, and the connection ended ({end:?})")),
        };
        if !seen.fits(pattern) {
            self.fail(&format!("expected {pattern}\n   found {seen}"));
        }
        seen
    }

    /// Demands that one piece for each pattern comes, in whatever order; answers them in the order of the patterns.
    #[track_caller]
    pub fn expect_all(&mut self, patterns: &[&str]) -> Vec<Seen> {
        let mut found: Vec<Option<Seen>> = vec![None; patterns.len()];
        for _ in patterns {
            let seen = self.next_piece();
            let place = (0..patterns.len()).find(|&at| found[at].is_none() && seen.fits(patterns[at]));
            match place {
                Some(at) => found[at] = Some(seen),
                None => self.fail(&format!("expected one of {patterns:?}\n   found {seen}")),
            }
        }
        found.into_iter().flatten().collect()
    }

    /// Skips pieces until one fits; only for what may stand between other things, such as pings of the server.
    #[track_caller]
    pub fn wait_for(&mut self, pattern: &str) -> Seen {
        let deadline = Instant::now() + WAIT;
        loop {
            match self.read_until(deadline) {
                Ok(Some(seen)) if seen.fits(pattern) => return seen,
                Ok(Some(_)) => {}
                Ok(None) => self.fail(&format!("waited for {pattern}, and it did not come")),
                Err(end) => self.fail(&format!("waited for {pattern}, and the connection ended ({end:?})")),
            }
        }
    }

    /// Pings the server and demands that nothing else comes before the answer.
    #[track_caller]
    pub fn expect_nothing_before_ping(&mut self) {
        self.pings += 1;
        let id = format!("nothing-{}", self.pings);
        self.send(&format!("<iq type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>"));
        self.expect(&format!("<iq type='result' id='{id}'"));
    }

    /// Demands the stream error `condition`, then the end of the stream and of the connection. The server's header may come first.
    #[track_caller]
    pub fn expect_stream_error(&mut self, condition: &str) -> Seen {
        let mut seen = self.next_piece();
        if seen.fits("<stream:stream") {
            seen = self.next_piece();
        }
        if !(seen.fits("<stream:error")
            && seen.contains(&format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'")))
        {
            self.fail(&format!("expected the stream error {condition}\n   found {seen}"));
        }
        self.expect_end();
        seen
    }

    /// Demands `</stream:stream>` and the end of the connection.
    #[track_caller]
    pub fn expect_end(&mut self) {
        self.expect("</stream:stream>");
        self.expect_closed();
    }

    /// Demands that the server closes the connection, with or without a reset, and says nothing more.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        match self.read_until(Instant::now() + WAIT) {
            Ok(Some(seen)) => self.fail(&format!("expected the end of the connection\n   found {seen}")),
            Ok(None) => self.fail("the server does not close the connection"),
            Err(_) => {}
        }
    }

    /// Reads everything to the end of the connection, whatever it is; for hostile clients.
    pub fn drain(&mut self, wait: Duration) -> String {
        let deadline = Instant::now() + wait;
        let mut buffer = [0; 16 * 1024];
        while Instant::now() < deadline {
            match self.link.read(&mut buffer, deadline) {
                Read1::Bytes(count) => self.input.extend_from_slice(&buffer[..count]),
                Read1::Nothing => {}
                Read1::End | Read1::Reset => break,
            }
        }
        String::from_utf8_lossy(&std::mem::take(&mut self.input)).into_owned()
    }

    /// Waits, reads what comes, and answers whether the server still holds the connection.
    pub fn is_open_after(&mut self, wait: Duration) -> bool {
        let mut buffer = [0; 4096];
        match self.link.read(&mut buffer, Instant::now() + wait) {
            Read1::Bytes(_) | Read1::Nothing => true,
            Read1::End | Read1::Reset => false,
        }
    }

    fn read_until(&mut self, deadline: Instant) -> Result<Option<Seen>, Read1> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let complete = match std::str::from_utf8(&self.input) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&self.input[..error.valid_up_to()]).expect("checked up to here"),
            };
            if let Some((piece, used)) = split::next(complete) {
                self.input.drain(..used);
                self.note("S", &piece, piece.len());
                let seen = Seen::new(piece);
                if self.server_pings == ServerPings::Answered && self.answer_server_ping(&seen) {
                    continue;
                }
                return Ok(Some(seen));
            }
            match self.link.read(&mut buffer, deadline) {
                Read1::Bytes(count) => self.input.extend_from_slice(&buffer[..count]),
                Read1::Nothing if Instant::now() < deadline => {}
                Read1::Nothing => return Ok(None),
                end => return Err(end),
            }
        }
    }

    /// Answers a ping of the server itself; others' pings are for the scenario to see.
    fn answer_server_ping(&mut self, seen: &Seen) -> bool {
        let from = format!("<iq type='get' from='{}'><ping xmlns='urn:xmpp:ping'", self.dial.domain);
        let Some(id) = seen.attribute("id").filter(|_| seen.fits(&from)) else { return false };
        let _ = self.try_send(format!("<iq type='result' id='{id}'/>").as_bytes());
        true
    }

    /// Adds a line to the conversation; of what is long, its beginning.
    fn note(&mut self, who: &str, text: &str, bytes: usize) {
        let end = (0..=SHOWN_MAX.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let more = if end < bytes { format!("… ({bytes} bytes)") } else { String::new() };
        self.transcript.push(format!("{who}: {}{more}", &text[..end]));
    }

    // ---- the end -----------------------------------------------------------------------------------------------

    /// Closes the stream and waits until the server has done so too (RFC 6120 section 4.4). What still comes is answered.
    #[track_caller]
    pub fn close(mut self) -> Vec<Seen> {
        self.send("</stream:stream>");
        let mut late = Vec::new();
        loop {
            let seen = self.next_piece();
            if seen.fits("</stream:stream>") {
                break;
            }
            late.push(seen);
        }
        self.link.shutdown();
        self.expect_closed();
        late
    }

    /// The connection is cut with a reset.
    pub fn drop_connection(self) {
        self.link.reset();
    }

    /// Ends our half of the connection without closing the stream.
    pub fn end_connection(&mut self) {
        self.link.shutdown();
    }

    /// The conversation so far, one line for each thing said: `C: ` by the client, `S: ` by the server.
    pub fn transcript(&self) -> &[String] {
        &self.transcript
    }

    /// Ends the test with the conversation so far.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        let mut report = format!("{}: {what}\n--- the conversation", self.name);
        for line in &self.transcript {
            let _ = write!(report, "\n{line}");
        }
        if !self.input.is_empty() {
            let _ = write!(report, "\nS, incomplete: {}", String::from_utf8_lossy(&self.input));
        }
        panic!("{report}");
    }
}
