//! How a component proves itself (XEP-0114 section 3): a header, an id, and a hash of the id and the secret. Whoever fails hears no more than
//! that it failed, and after several failures is turned away for a while.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use metronome_host::components::{Attached, SECRET, STREAMS};
use metronome_host::hosts::Host;
use metronome_host::links::{Link, LinkKind};
use metronome_proto::payload::component;
use metronome_proto::stream::error::Condition;
use metronome_proto::stream::header::{Opened, StreamKind};
use metronome_proto::xml::{Limits, Scanner};
use metronome_sasl::is_component_proof;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Context;
use crate::listen::Entry;
use crate::socket::Socket;
use crate::stream::{Fault, Stream};
use crate::tls::handshake;

/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A stream whose component has proved itself.
pub(super) struct Proved {
    pub(super) host: Arc<Host>,
    pub(super) attached: Attached,
    pub(super) link: Arc<Link>,
    pub(super) socket: Socket,
    pub(super) scanner: Scanner,
    /// Read beyond the handshake.
    pub(super) unread: Vec<u8>,
}

/// From the connection to a stream that belongs to a component; none if that did not come about.
pub(super) async fn negotiate(context: &Context, socket: TcpStream, entry: Entry) -> Option<Proved> {
    let socket = match entry {
        Entry::StartTls => Socket::Plain(socket),
        Entry::DirectTls => timeout(HANDSHAKE, encrypt(context, socket)).await.ok()??,
    };
    let (mut stream, mut named) = (Stream::component(socket), None);
    match prove(context, &mut stream, &mut named).await {
        Ok((host, attached, link)) => {
            let (socket, scanner, unread) = stream.into_parts();
            Some(Proved { host, attached, link, socket, scanner, unread })
        }
        Err(fault) => {
            let component = named.as_ref().map(|host| host.name.as_str());
            tracing::info!(peer = %context.address, component, ?fault, "a component's stream ends before anything is proved");
            stream.end(fault, &context.server.rng, named.as_ref()).await;
            None
        }
    }
}

/// TLS from the first byte.
async fn encrypt(context: &Context, socket: TcpStream) -> Option<Socket> {
    let encrypted = handshake::of_client(&context.server, &context.admission, socket).await?;
    Some(Socket::Tls(Box::new(encrypted.socket.into())))
}

/// Reads the header and the proof; `named` is the component that was asked for, once there is one.
async fn prove(
    context: &Context,
    stream: &mut Stream,
    named: &mut Option<Arc<Host>>,
) -> Result<(Arc<Host>, Attached, Arc<Link>), Fault> {
    let server = &context.server;
    let opened = Opened::judge(&stream.header().await?, StreamKind::Component)?;
    let to = opened.to.ok_or(Condition::ImproperAddressing)?;
    let hosts = server.hosts.load_full();
    let host = hosts.component(to.as_str()).filter(|host| host.name == to).ok_or(Condition::HostUnknown)?;
    *named = Some(host.clone());
    let mut out = Vec::new();
    let id = stream.write_header(&mut out, &server.rng, Some(host));
    stream.send(&out).await?;
    let proof = component::handshake(&stream.element().await?).ok_or(Condition::NotAuthorized)?;
    judge(context, host, &id, &proof)?;
    let link = Link::new(server.remotes.next_link(), LinkKind::Component, host.name.as_str(), context.address);
    let (streams_max, now_ms) = (host.values.count(&STREAMS) as usize, server.clock.steady_ms());
    let attached = server.components.of(&host.name).attach(link.id, link.address, streams_max, now_ms);
    let attached = attached.map_err(|_| Condition::Conflict)?;
    stream.set_limits(Limits::SERVER);
    stream.send(component::PROVED.as_bytes()).await?;
    Ok((host.clone(), attached, link))
}

/// Whether the proof is right. An address that was wrong too often is told the same, and nothing is looked at.
fn judge(context: &Context, host: &Host, id: &str, proof: &str) -> Result<(), Condition> {
    let mut hasher = DefaultHasher::new();
    ("component", host.name.as_str()).hash(&mut hasher);
    let (account, admission) = (hasher.finish(), &context.admission);
    if !admission.may_try(context.address, account, &host.values) {
        return Err(Condition::NotAuthorized);
    }
    if is_component_proof(id, host.values.text(&SECRET), proof) {
        return Ok(());
    }
    admission.failed(context.address, account, &host.values);
    Err(Condition::NotAuthorized)
}
