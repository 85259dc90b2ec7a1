//! From nothing to a bound session: TCP, TLS, SASL, resource binding (RFC 6120 sections 4 to 7).
//! Called by every scenario; a `Session` then moves bytes and answers the server's own requests.

mod link;
mod resume;
mod websocket;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::args::{Target, Tls};
use crate::frames::{Frame, Frames, attribute, between, contains};
use crate::scram::{Secrets, verify};
use crate::socket::Socket;
use crate::tls::connector;
use crate::tokens::Tokens;

use self::websocket::Web;

/// A login that takes longer has failed.
const LOGIN_SECONDS_MAX: u64 = 60;
/// From the end of the stream to the end of the connection.
const PARTING_SECONDS_MAX: u64 = 10;
/// How many stanzas a server may send before the one that is waited for, while settling in.
const UNRELATED_STANZAS_MAX: usize = 1000;

/// Logs accounts in; shared by all tasks of a run.
pub(crate) struct Door {
    target: Target,
    secrets: Secrets,
    tls: TlsConnector,
    tls_name: ServerName<'static>,
    connections: AtomicU32,
    pub(crate) tokens: Tokens,
}

impl Door {
    /// Fails if the domain is not a name that TLS can ask for, or if a WebSocket is to begin without TLS and get it later.
    pub(crate) fn new(target: &Target) -> Result<Arc<Door>> {
        let alpn: &[u8] = match (target.tls, &target.websocket) {
            (Tls::Starttls, Some(_)) => bail!("a WebSocket begins with TLS or has none (--tls direct, --tls none)"),
            (Tls::Direct, Some(_)) => b"http/1.1",
            (Tls::Direct, None) => b"xmpp-client",
            (Tls::Starttls | Tls::None, _) => b"",
        };
        Door::with_alpn(target, alpn)
    }

    /// For HTTP over TLS at the target's address.
    pub(crate) fn of_web(target: &Target) -> Result<Arc<Door>> {
        Door::with_alpn(target, b"http/1.1")
    }

    fn with_alpn(target: &Target, alpn: &[u8]) -> Result<Arc<Door>> {
        Ok(Arc::new(Door {
            secrets: Secrets::new(target.mechanism, &target.password)?,
            tls: connector(target.suite, alpn)?,
            tls_name: ServerName::try_from(target.domain.clone()).context("the domain is not a DNS name")?,
            target: target.clone(),
            connections: AtomicU32::new(0),
            tokens: Tokens::default(),
        }))
    }

    /// The bare address of account `number`, counted from 1.
    pub(crate) fn account(&self, number: usize) -> String {
        format!("{}{number}@{}", self.target.user_prefix, self.target.domain)
    }

    /// The number of the account that `address`, bare or full, belongs to; none if it is not one of the run's.
    pub(crate) fn number_of(&self, address: &str) -> Option<usize> {
        let (user, rest) = address.strip_prefix(&self.target.user_prefix)?.split_once('@')?;
        let domain = rest.split_once('/').map_or(rest, |(domain, _)| domain);
        (domain == self.target.domain).then(|| user.parse().ok())?
    }

    /// The domain of the run.
    pub(crate) fn domain(&self) -> &str {
        &self.target.domain
    }

    /// Logs account `number` in and binds a resource of the server's choice. No presence is sent.
    pub(crate) async fn login(&self, number: usize) -> Result<Session> {
        let user = format!("{}{number}", self.target.user_prefix);
        timeout(Duration::from_secs(LOGIN_SECONDS_MAX), self.login_steps(&user))
            .await
            .context("login takes too long")?
    }

    /// As `login`, with presence, and returns when the server has taken note of it.
    pub(crate) async fn come_online(&self, number: usize) -> Result<Session> {
        let mut session = self.login(number).await?;
        session.settle().await?;
        Ok(session)
    }

    async fn login_steps(&self, user: &str) -> Result<Session> {
        let (mut session, features) = self.authenticated(user).await?;
        session.bind(&features).await?;
        Ok(session)
    }

    /// Logs account `number` in with a token, or the first time with its password, and binds a resource along with it.
    pub(crate) async fn login_by_token(&self, number: usize) -> Result<Session> {
        ensure!(self.target.websocket.is_none(), "logins with a token are for streams over TCP");
        let user = format!("{}{number}", self.target.user_prefix);
        let steps = async {
            let mut session = self.secured().await?;
            self.tokens.log_in(&mut session, &user, self.domain(), &self.secrets).await?;
            anyhow::Ok(session)
        };
        timeout(Duration::from_secs(LOGIN_SECONDS_MAX), steps).await.context("login takes too long")?
    }

    /// A stream that is authenticated and not bound, with its features.
    async fn authenticated(&self, user: &str) -> Result<(Session, Vec<u8>)> {
        let mut session = self.secured().await?;
        session.open(self.domain()).await?;
        session.authenticate(user, &self.secrets).await?;
        session.frames = session.new_frames();
        let features = session.open(self.domain()).await?;
        Ok((session, features))
    }

    /// A connection on which the stream is to be opened.
    async fn secured(&self) -> Result<Session> {
        let tcp = self.connect().await?;
        let socket = match self.target.tls {
            Tls::Direct => self.encrypt(tcp).await?,
            Tls::None => Socket::Plain(tcp),
            Tls::Starttls => {
                let mut session = Session::new(Socket::Plain(tcp));
                session.open(self.domain()).await?;
                session.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
                session.expect("<proceed").await?;
                let Socket::Plain(tcp) = session.socket else { bail!("encrypted twice") };
                self.encrypt(tcp).await?
            }
        };
        match &self.target.websocket {
            None => Ok(Session::new(socket)),
            Some(path) => websocket::begin(socket, path, self.domain()).await,
        }
    }

    /// A connection that begins with TLS, for something else than a stream.
    pub(crate) async fn dial(&self) -> Result<Socket> {
        self.encrypt(self.connect().await?).await
    }

    async fn connect(&self) -> Result<TcpStream> {
        let address = self.target.address;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.next_source() {
            socket.bind(SocketAddr::new(source, 0)).context("cannot bind a source address")?;
        }
        let stream = socket.connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Servers limit the connections of one address: ours come from many.
    fn next_source(&self) -> Option<IpAddr> {
        let IpAddr::V4(address) = self.target.address.ip() else { return None };
        if !address.is_loopback() || self.target.source_addresses < 2 {
            return None;
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed) % self.target.source_addresses;
        Some(source_address(number))
    }

    async fn encrypt(&self, tcp: TcpStream) -> Result<Socket> {
        let stream = self.tls.connect(self.tls_name.clone(), tcp).await.context("TLS handshake")?;
        Ok(Socket::Tls(Box::new(stream)))
    }
}

/// Address `number` of 127.1.0.0 and what follows, without .0 and .255 at the end.
fn source_address(number: u32) -> IpAddr {
    let (block, host) = (number / 250 % (250 * 256), number % 250);
    IpAddr::V4(Ipv4Addr::from(Ipv4Addr::new(127, 1, 0, 2).to_bits() + block * 256 + host))
}

/// A connection with a stream on it.
#[derive(Debug)]
pub(crate) struct Session {
    socket: Socket,
    /// Where the stream goes over a WebSocket.
    web: Option<Web>,
    frames: Frames,
    answers: Vec<String>,
}

/// What `stanzas` saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The stream goes on.
    Open,
    /// The server closed it.
    Closed,
}

impl Session {
    fn new(socket: Socket) -> Session {
        Session { socket, web: None, frames: Frames::default(), answers: Vec::new() }
    }

    /// What cuts a stream that begins here.
    fn new_frames(&self) -> Frames {
        if self.web.is_some() { Frames::without_stream() } else { Frames::default() }
    }

    /// Waits for bytes from the server. Nothing is lost if the future is dropped. Fails at the end of the connection.
    pub(crate) async fn read(&mut self) -> Result<()> {
        let space = self.web.as_mut().map_or_else(|| self.frames.space(), Web::space);
        let count = self.socket.read_buf(space).await?;
        ensure!(count > 0, "the server closed the connection");
        self.web.as_mut().map_or(Ok(()), |web| web.unwrap(self.frames.space()))
    }

    /// Writes `bytes` and sends them off.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.web {
            Some(web) => self.socket.write_all(web.wrap(bytes)).await?,
            None => self.socket.write_all(bytes).await?,
        }
        Ok(self.socket.flush().await?)
    }

    /// Gives every whole stanza received so far to `see`. Requests of the server are noted for `answer`.
    pub(crate) fn stanzas(&mut self, mut see: impl FnMut(&[u8])) -> Stream {
        while let Some(frame) = self.frames.next() {
            match frame {
                Frame::Header => {}
                Frame::Close => return Stream::Closed,
                Frame::Stanza(stanza) if self.web.is_some() && stanza.starts_with(b"<close") => return Stream::Closed,
                Frame::Stanza(stanza) => {
                    answer_to(stanza, &mut self.answers);
                    see(stanza);
                }
            }
        }
        Stream::Open
    }

    /// Sends what `stanzas` noted: real clients answer pings and roster pushes.
    pub(crate) async fn answer(&mut self) -> Result<()> {
        if !self.answers.is_empty() || self.web.as_ref().is_some_and(Web::owes) {
            let answers = self.take_answers().concat();
            self.write(answers.as_bytes()).await?;
        }
        Ok(())
    }

    /// What `stanzas` noted, one stanza each, for who counts what it sends.
    pub(crate) fn take_answers(&mut self) -> Vec<String> {
        std::mem::take(&mut self.answers)
    }

    /// Frees what an idle session does not need.
    pub(crate) fn shrink(&mut self) {
        self.frames.shrink();
        if let Some(web) = &mut self.web {
            web.shrink();
        }
    }

    /// Closes the stream, reads until the server has closed it too, then ends the connection from both sides.
    /// Every stanza on the way goes to `see`. `Open` says that it did not end so.
    pub(crate) async fn close(&mut self, mut see: impl FnMut(&[u8])) -> Result<Stream> {
        self.write(if self.web.is_some() { websocket::CLOSE } else { b"</stream:stream>" }).await?;
        while self.stanzas(&mut see) == Stream::Open {
            self.read().await?;
        }
        // The server may have ended the connection already.
        let _ = self.socket.shutdown().await;
        // Bytes left unread would turn our end into a reset, which proves nothing to the server.
        let ended = timeout(Duration::from_secs(PARTING_SECONDS_MAX), async {
            while self.socket.read_buf(self.frames.space()).await? > 0 {}
            std::io::Result::Ok(())
        });
        Ok(match ended.await {
            Ok(Ok(())) => Stream::Closed,
            // An end without TLS's own farewell is an end all the same.
            Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Stream::Closed,
            _ => Stream::Open,
        })
    }

    /// Asks for the roster, as every client does before its first presence (RFC 6121 section 2.2), and returns the answer.
    pub(crate) async fn roster(&mut self) -> Result<Vec<u8>> {
        self.write(b"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>").await?;
        let roster = self.answer_with("roster").await?;
        ensure!(attribute(&roster, "type") == Some("result"), "no roster: {}", String::from_utf8_lossy(&roster));
        Ok(roster)
    }

    /// Becomes available. The ping is to the own account: a server may answer what is asked of itself before its turn.
    async fn settle(&mut self) -> Result<()> {
        self.write(b"<presence/><iq type='get' id='settled'><ping xmlns='urn:xmpp:ping'/></iq>").await?;
        self.answer_with("settled").await.map(drop)
    }

    /// Sends the request `id` and returns its answer, whatever it says.
    pub(crate) async fn ask(&mut self, id: &str, request: &str) -> Result<Vec<u8>> {
        self.write(request.as_bytes()).await?;
        self.answer_with(id).await
    }

    /// The answer to the request `id`; what comes before it is not looked at.
    async fn answer_with(&mut self, id: &str) -> Result<Vec<u8>> {
        let answered = async {
            for _ in 0..UNRELATED_STANZAS_MAX {
                let stanza = self.next().await?;
                if attribute(&stanza, "id") == Some(id) {
                    return Ok(stanza);
                }
            }
            bail!("too many stanzas come before the answer to {id}")
        };
        timeout(Duration::from_secs(LOGIN_SECONDS_MAX), answered)
            .await
            .with_context(|| format!("the server does not answer the request {id}"))?
    }

    async fn open(&mut self, domain: &str) -> Result<Vec<u8>> {
        if self.web.is_some() {
            self.write(websocket::open(domain).as_bytes()).await?;
            self.expect("<open").await?;
            return self.expect("<stream:features").await;
        }
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='{domain}'>"
        );
        self.write(header.as_bytes()).await?;
        self.expect("<stream:features").await
    }

    async fn authenticate(&mut self, user: &str, secrets: &Secrets) -> Result<()> {
        let (first, waiting) = secrets.first(user);
        let mechanism = secrets.mechanism().name();
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{first}</auth>");
        self.write(auth.as_bytes()).await?;
        let challenge = self.expect("<challenge").await?;
        let (answer, answered) = secrets.answer(waiting, between(&challenge, ">", b'<').context("empty challenge")?)?;
        self.write(format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{answer}</response>").as_bytes())
            .await?;
        let success = self.expect("<success").await?;
        verify(answered, between(&success, ">", b'<').context("the server proves nothing")?)
    }

    async fn bind(&mut self, features: &[u8]) -> Result<()> {
        self.write(b"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>").await?;
        let bound = self.expect("<iq").await?;
        ensure!(attribute(&bound, "type") == Some("result"), "not bound: {}", String::from_utf8_lossy(&bound));
        let session = between(features, "<session", b'>').is_some() && !contains(features, "<optional");
        if session {
            self.write(b"<iq type='set' id='sess'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>").await?;
            self.expect("<iq").await?;
        }
        Ok(())
    }

    pub(crate) async fn expect(&mut self, start: &str) -> Result<Vec<u8>> {
        let stanza = self.next().await?;
        ensure!(stanza.starts_with(start.as_bytes()), "wanted {start}, got {}", String::from_utf8_lossy(&stanza));
        Ok(stanza)
    }

    /// The next whole stanza, copied. For the few that begin a session.
    async fn next(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.frames.next() {
                Some(Frame::Stanza(stanza)) => {
                    answer_to(stanza, &mut self.answers);
                    return Ok(stanza.to_vec());
                }
                Some(Frame::Header) => {}
                Some(Frame::Close) => bail!("the server closed the stream"),
                None => self.read().await?,
            }
        }
    }
}

/// Notes the answer to `stanza` if it is a request: a result to pings and pushes, else an error.
fn answer_to(stanza: &[u8], answers: &mut Vec<String>) {
    let kind = attribute(stanza, "type");
    if !stanza.starts_with(b"<iq") || !matches!(kind, Some("get" | "set")) {
        return;
    }
    let Some(id) = attribute(stanza, "id") else { return };
    let to = attribute(stanza, "from").map(|from| format!(" to='{from}'")).unwrap_or_default();
    let answer = if kind == Some("set") || contains(stanza, "urn:xmpp:ping") {
        format!("<iq type='result' id='{id}'{to}/>")
    } else {
        format!(
            "<iq type='error' id='{id}'{to}><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        )
    };
    answers.push(answer);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(stanza: &str) -> String {
        let mut answers = Vec::new();
        answer_to(stanza.as_bytes(), &mut answers);
        answers.concat()
    }

    #[test]
    fn pings_are_answered_and_other_requests_refused() {
        let ping = "<iq type='get' id='1' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>";
        assert_eq!(answer(ping), "<iq type='result' id='1' to='localhost'/>");
        assert_eq!(
            answer("<iq type='set' id='2'><query xmlns='jabber:iq:roster'/></iq>"),
            "<iq type='result' id='2'/>"
        );
        assert!(answer("<iq type='get' id='3'><query xmlns='x'/></iq>").contains("service-unavailable"));
        assert_eq!(answer("<iq type='result' id='4'/>"), "");
        assert_eq!(answer("<message type='get' id='5'/>"), "");
    }

    #[test]
    fn source_addresses_are_distinct_and_on_loopback() {
        let addresses: std::collections::HashSet<IpAddr> = (0..20_000).map(source_address).collect();
        assert_eq!(addresses.len(), 20_000);
        assert!(addresses.iter().all(IpAddr::is_loopback));
    }
}
