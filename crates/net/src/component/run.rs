//! A component's running stream: what it sends goes into the link's list, what waits for it is written, and a silent one is asked whether it is
//! there. The three wait for each other in no way, and whichever ends first ends the stream.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use metronome_host::components::{Attached, Drained, Given, IDLE, QUEUE};
use metronome_host::hosts::Host;
use metronome_host::links::Link;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::ping;
use metronome_proto::stanza::error::Condition as StanzaCondition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Received, Refused, Stanza, Unreadable};
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::header;
use metronome_proto::xml::{Content, Element, Item, Scanner};
use metronome_route::inflight::InFlight;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{sleep, timeout};

use super::negotiate::Proved;
use crate::socket::{CHUNK, Socket};

/// For how long a component may leave everything unread before it is given up, and a ping unanswered.
const PATIENCE: Duration = Duration::from_secs(60);
/// For how long a server that stops waits for the proof of what was written.
const PROOFS: Duration = Duration::from_secs(3);
/// From our goodbye to the end of the connection.
const CLOSE: Duration = Duration::from_secs(5);

/// The ids of pings behind what must not be lost.
const PROOF: &str = "component-has-";
/// Those of pings of a component that is silent.
const ALIVE: &str = "component-ping-";

/// Why a stream ends.
#[derive(Debug)]
enum End {
    /// The connection is gone.
    Lost,
    /// The component has closed its stream, in order or with an error.
    Closed,
    /// The component gets this error.
    Error(Condition),
}

impl From<Condition> for End {
    fn from(condition: Condition) -> End {
        End::Error(condition)
    }
}

/// Runs the stream until it is over and everything that was read is settled.
pub(super) async fn run(server: &Arc<Server>, proved: Proved) {
    let Proved { host, attached, link, socket, scanner, unread } = proved;
    tracing::info!(component = host.name.as_str(), link = link.id, peer = %link.address, "a component is connected");
    let (mut from, mut to) = tokio::io::split(socket);
    let list = InFlight::of_link(link.tickets.clone());
    let mut hearing = Hearing { server, host: &host, link: &link, attached: &attached, list, scanner, unread };
    let mut speaking = Speaking { server, host: &host, attached: &attached, out: Vec::new(), written: 0 };
    let end = tokio::select! {
        end = hearing.run(&mut from) => end,
        end = speaking.run(&mut to) => end,
        end = watch(server, &host, &attached) => end,
        () = parting(server, &attached) => Condition::SystemShutdown.into(),
    };
    tracing::info!(component = host.name.as_str(), link = link.id, ?end, "a component's stream is over");
    let last_words = speaking.end(&end);
    if let End::Error(Condition::SystemShutdown) = end {
        // What it has said before it knows of our goodbye would be lost.
        let _ = timeout(CLOSE, async {
            if say_goodbye(&mut to, &last_words).await.is_ok() {
                hearing.run(&mut from).await;
            }
        })
        .await;
    }
    let mut list = hearing.list;
    // A component that is being restarted comes back at once: what was not written waits for it.
    attached.detach(server.clock.steady_ms());
    if !matches!(end, End::Lost | End::Error(Condition::SystemShutdown)) {
        let _ = timeout(CLOSE, part(from, to, &last_words)).await;
    }
    poll_fn(|cx| list.poll_empty(server, cx)).await;
}

/// What a component sends.
struct Hearing<'r> {
    server: &'r Arc<Server>,
    host: &'r Arc<Host>,
    link: &'r Arc<Link>,
    attached: &'r Attached,
    list: InFlight,
    scanner: Scanner,
    /// Read and not scanned.
    unread: Vec<u8>,
}

impl Hearing<'_> {
    async fn run(&mut self, socket: &mut ReadHalf<Socket>) -> End {
        let mut buffer = vec![0; CHUNK];
        loop {
            match self.take() {
                Ok(()) => {}
                Err(end) => return self.settled(end).await,
            }
            let (server, list) = (self.server, &mut self.list);
            if !list.has_room() {
                poll_fn(|cx| match list.poll(server, cx) {
                    Poll::Pending if !list.has_room() => Poll::Pending,
                    _ => Poll::Ready(()),
                })
                .await;
                continue;
            }
            let moving = poll_fn(|cx| {
                let _ = list.poll(server, cx);
                Poll::<()>::Pending
            });
            let read = tokio::select! {
                read = socket.read(&mut buffer) => read,
                () = moving => continue,
            };
            match read {
                Ok(count) if count > 0 => self.unread.extend_from_slice(&buffer[..count]),
                Ok(_) | Err(_) => return End::Lost,
            }
            self.attached.hears(self.server.clock.steady_ms());
        }
    }

    /// Whoever ends a stream in order gets the answers to what was asked before.
    async fn settled(&mut self, end: End) -> End {
        if let End::Closed = end {
            poll_fn(|cx| self.list.poll_empty(self.server, cx)).await;
        }
        end
    }

    /// Takes what was read, as far as the list has room.
    fn take(&mut self) -> Result<(), End> {
        while self.list.has_room() {
            let mut rest = &self.unread[..];
            let item = self.scanner.next(&mut rest);
            let used = self.unread.len() - rest.len();
            self.unread.drain(..used);
            match item {
                Ok(Some(Item::Element(element))) => self.heard(element)?,
                Ok(Some(Item::Close)) => return Err(End::Closed),
                Ok(Some(Item::Open(_))) => return Err(Condition::BadFormat.into()),
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.condition().into()),
            }
        }
        Ok(())
    }

    fn heard(&mut self, element: Element) -> Result<(), End> {
        match Received::read(element, ns::COMPONENT) {
            Ok(read) => self.stanza(read),
            Err(Unreadable::Refused(refused)) => self.refused(*refused),
            Err(Unreadable::BadFrom) => Err(Condition::InvalidFrom.into()),
            Err(Unreadable::NotStanza(element)) => Err(match StreamError::read(&element) {
                Some(error) => {
                    let component = self.host.name.as_str();
                    tracing::info!(
                        component,
                        why = error.condition.name(),
                        "the component ends its stream with an error"
                    );
                    End::Closed
                }
                None => Condition::UnsupportedStanzaType.into(),
            }),
        }
    }

    /// Whom a stanza is from: any address of the component's domains, and the component itself where it does not say.
    fn sender(&self, claimed: Option<&Jid>) -> Result<Jid, End> {
        let Some(from) = claimed else { return Ok(self.host.name.clone()) };
        let hosts = self.server.hosts.load();
        if hosts.component(from.domain()).is_some_and(|host| host.name == self.host.name) {
            return Ok(from.clone());
        }
        tracing::warn!(
            component = self.host.name.as_str(),
            from = from.domain(),
            "a component writes for a domain that is not its own"
        );
        Err(Condition::InvalidFrom.into())
    }

    fn stanza(&mut self, read: Received) -> Result<(), End> {
        let from = self.sender(read.from.as_ref())?;
        let stanza = read.stamp(from);
        if let Some(number) = proof(&stanza) {
            self.attached.answered(number);
            return Ok(());
        }
        if stanza.to.is_none() {
            return self.say(stanza.error(&StanzaCondition::BadRequest.into()));
        }
        self.attached.note_sent(&stanza);
        // The rules of this moment.
        let hosts = self.server.hosts.load();
        let host = hosts.component(self.host.name.as_str()).unwrap_or(self.host);
        metronome_route::from_component(self.server, host, self.link, stanza, &mut self.list);
        Ok(())
    }

    /// A stanza that breaks the rules for stanzas goes back.
    fn refused(&mut self, refused: Refused) -> Result<(), End> {
        let from = self.sender(refused.from.as_ref())?;
        self.say(refused.into_reply(self.host.name.clone(), from))
    }

    /// One that makes mistakes and does not read what it hears about them is not worth keeping.
    fn say(&mut self, stanza: Option<Stanza>) -> Result<(), End> {
        let Some(stanza) = stanza else { return Ok(()) };
        match say(self.server, self.host, self.attached, stanza) {
            Given::Queued => Ok(()),
            Given::Full => Err(Condition::ResourceConstraint.into()),
        }
    }
}

/// What is written to a component.
struct Speaking<'r> {
    server: &'r Server,
    host: &'r Host,
    attached: &'r Attached,
    /// Taken from the queue.
    out: Vec<u8>,
    /// So many bytes of it are written.
    written: usize,
}

impl Speaking<'_> {
    async fn run(&mut self, socket: &mut WriteHalf<Socket>) -> End {
        loop {
            let mut asks = None;
            match poll_fn(|cx| self.attached.poll_drain(cx, &mut self.out, CHUNK)).await {
                Drained::Stanzas(_) => {}
                // So it is known to have what was written before: the protocol has nothing else that would tell.
                Drained::Asks(number) => {
                    asks = Some(number);
                    ask(self.server, self.host, PROOF, number).write(&mut self.out);
                }
                Drained::Ends(condition) => return condition.into(),
            }
            while self.written < self.out.len() {
                match timeout(PATIENCE, socket.write(&self.out[self.written..])).await {
                    Ok(Ok(count)) if count > 0 => self.written += count,
                    Ok(_) => return End::Lost,
                    Err(_) => return Condition::ConnectionTimeout.into(),
                }
            }
            (self.out, self.written) = (Vec::new(), 0);
            match timeout(PATIENCE, socket.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return End::Lost,
                Err(_) => return Condition::ConnectionTimeout.into(),
            }
            if let Some(number) = asks {
                self.attached.asked(number, self.server.clock.steady_ms());
            }
        }
    }

    /// What is still to be written: no stanza is left half said.
    fn end(self, end: &End) -> Vec<u8> {
        let mut last_words = self.out;
        last_words.drain(..self.written);
        match end {
            End::Error(condition) => StreamError::new(*condition).write(&mut last_words),
            End::Closed => self.attached.take_answers(&mut last_words),
            End::Lost => {}
        }
        last_words.extend_from_slice(header::CLOSE.as_bytes());
        last_words
    }
}

/// Ready once a component that was asked whether it is there has said nothing at all.
async fn watch(server: &Server, host: &Host, attached: &Attached) -> End {
    let idle = host.values.duration(&IDLE);
    let mut pings: u64 = 0;
    loop {
        let silent = || server.clock.steady_ms().saturating_sub(attached.heard_ms());
        let silence = Duration::from_millis(silent());
        if silence < idle {
            sleep(idle - silence).await;
            continue;
        }
        pings += 1;
        // With a full queue it is not idle; but then it does not read either.
        let _ = say(server, host, attached, ask(server, host, ALIVE, pings));
        sleep(PATIENCE).await;
        if Duration::from_millis(silent()) >= idle + PATIENCE {
            return Condition::ConnectionTimeout.into();
        }
    }
}

/// The server stops: the stream ends as soon as what was written is proved, so that the next process does not send it again. Ready when that
/// has taken too long.
async fn parting(server: &Server, attached: &Attached) {
    server.control.stopped().await;
    attached.part();
    sleep(PROOFS).await;
}

/// Queues what the server itself says to the component.
fn say(server: &Server, host: &Host, attached: &Attached, stanza: Stanza) -> Given {
    attached.push(Arc::new(stanza), server.clock.steady_ms(), host.values.bytes(&QUEUE) as usize)
}

/// What was written before the ping that this answers has arrived, whatever is said to it.
fn proof(stanza: &Stanza) -> Option<u64> {
    let is_answer = matches!(stanza.kind, Kind::Iq(IqType::Result | IqType::Error));
    stanza.id.as_deref().filter(|_| is_answer)?.strip_prefix(PROOF)?.parse().ok()
}

/// The server's ping (XEP-0199), whose id begins as it is used. Whatever is said to it is a sign of life.
fn ask(server: &Server, host: &Host, used: &str, number: u64) -> Stanza {
    let from = server.hosts.load().first().name.clone();
    let stanza = Stanza::new(Kind::Iq(IqType::Get), from).with_to(host.name.clone());
    stanza.with_id(&format!("{used}{number}")).with_content(Content::from_tree(&ping::request()))
}

async fn say_goodbye(to: &mut WriteHalf<Socket>, last_words: &[u8]) -> io::Result<()> {
    to.write_all(last_words).await?;
    to.flush().await?;
    to.shutdown().await
}

/// Says the last words, and reads a little more before the connection is closed: closing with unread bytes would destroy them.
async fn part(mut from: ReadHalf<Socket>, mut to: WriteHalf<Socket>, last_words: &[u8]) {
    if say_goodbye(&mut to, last_words).await.is_err() {
        return;
    }
    const BYTES_MAX: usize = 64 * 1024;
    let (mut buffer, mut read) = (vec![0; 4096], 0);
    while read < BYTES_MAX {
        match from.read(&mut buffer).await {
            Ok(count) if count > 0 => read += count,
            _ => return,
        }
    }
}
