//! Another server, or what there is of it without sockets: it carries the queue of `localhost`'s stanzas for its domain, and sends over a link.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use metronome_host::links::{Link, LinkKind};
use metronome_host::remotes::{Backlog, Carrier, Failure, FailureKind, Remote};
use metronome_host::server::Server;
use metronome_model::OutboxRow;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::Received;
use metronome_proto::xml::{Item, Limits, Scanner};
use metronome_route::inflight::InFlight;
use metronome_route::remotes;
use metronome_store::StoreError;

use super::{LIMIT, World};

type Page = BoxFuture<'static, Result<Vec<OutboxRow>, StoreError>>;

pub struct Far {
    pub server: Arc<Server>,
    pub carrier: Option<Carrier>,
    pub link: Arc<Link>,
    pub list: InFlight,
    /// Written and not yet looked at.
    pub text: String,
    scanner: Scanner,
    page: Option<(Backlog, Page)>,
}

impl World {
    /// From here on there are other servers, with what an earlier process has left for them.
    pub async fn federate(&self) {
        self.server.remotes.open();
        remotes::take_up(&self.server).await.unwrap();
    }

    /// The pair of `localhost` and another domain.
    pub fn remote(&self, domain: &str) -> Arc<Remote> {
        let jid = |text: &str| Jid::parse(text).unwrap();
        self.server.remotes.of(&jid("localhost"), &jid(domain)).unwrap()
    }

    /// A server with this domain, whose stream is there.
    pub fn far(&self, domain: &str) -> Far {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let link = Link::new(self.server.remotes.next_link(), LinkKind::Server, domain, address);
        let list = InFlight::of_link(link.tickets.clone());
        let mut scanner = Scanner::new(Limits::SERVER);
        let mut header: &[u8] =
            b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>";
        assert!(matches!(scanner.next(&mut header), Ok(Some(Item::Open(_)))));
        let carrier = self.remote(domain).carry();
        Far { server: self.server.clone(), carrier, link, list, text: String::new(), scanner, page: None }
    }

    /// The next try to reach a server fails.
    pub fn fail(&self, domain: &str, kind: FailureKind) {
        remotes::failed(&self.server, &self.remote(domain), Failure { kind, text: "the test says so" });
    }

    /// Whether a stream is wanted for some pair, and for which domain; whoever asks makes it.
    pub fn wanted(&self) -> Option<String> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match self.server.remotes.poll_wanted(&mut cx) {
            Poll::Ready(remote) => Some(remote.remote.to_string()),
            Poll::Pending => None,
        }
    }
}

impl Far {
    /// Sends one stanza, which must have both addresses.
    pub fn send(&mut self, xml: &str) {
        assert!(self.list.has_room(), "a full list is not read into");
        let mut rest = xml.as_bytes();
        let Ok(Some(Item::Element(element))) = self.scanner.next(&mut rest) else { panic!("{xml} is one stanza") };
        let read = Received::read(element, ns::SERVER).unwrap();
        metronome_route::from_remote(&self.server, &self.link, read, &mut self.list);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let _ = self.list.poll(&self.server, cx);
        let Some(carrier) = &self.carrier else { return false };
        let mut moved = false;
        if self.page.is_none()
            && let Some(read) = carrier.reads()
        {
            self.page = Some((read, Box::pin(remotes::page(self.server.clone(), carrier.remote().clone(), read))));
        }
        if let Some((read, page)) = &mut self.page
            && let Poll::Ready(rows) = page.as_mut().poll(cx)
        {
            carrier.fill(*read, rows.unwrap());
            self.page = None;
            moved = true;
        }
        let mut out = Vec::new();
        if carrier.poll_drain(cx, &mut out, 16 * 1024).is_ready() {
            self.text.push_str(std::str::from_utf8(&out).unwrap());
            moved = true;
        }
        moved
    }

    /// Everything that was written up to and including the first `end`.
    pub async fn until(&mut self, end: &str) -> String {
        let waited = poll_fn(|cx| {
            while self.poll(cx) {}
            if self.text.contains(end) { Poll::Ready(()) } else { Poll::Pending }
        });
        if tokio::time::timeout(LIMIT, waited).await.is_err() {
            panic!("{end} never came; at the end there was: {}", self.text);
        }
        let at = self.text.find(end).unwrap() + end.len();
        let rest = self.text.split_off(at);
        std::mem::replace(&mut self.text, rest)
    }

    /// Waits until everything sent is settled; answers all that was written so far.
    pub async fn settled(&mut self) -> String {
        let server = self.server.clone();
        let settled = poll_fn(|cx| {
            while self.poll(cx) {}
            ready!(self.list.poll_empty(&server, cx));
            while self.poll(cx) {}
            Poll::Ready(())
        });
        tokio::time::timeout(LIMIT, settled).await.expect("every stanza is settled");
        std::mem::take(&mut self.text)
    }

    /// Everything that was written to it has arrived.
    pub fn has_all(&self) {
        let carrier = self.carrier.as_ref().unwrap();
        carrier.arrived(carrier.written());
    }

    /// The stream is lost.
    pub fn lose(&mut self) {
        self.carrier = None;
        self.page = None;
    }
}
