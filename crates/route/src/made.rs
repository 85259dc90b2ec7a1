//! Messages that the server itself makes for people, and that are kept for who is away like those of other people: they take the steps of
//! a message from elsewhere. Questions to people's accounts that it asks for others take the steps of a request.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use metronome_host::envelope::{Envelope, Sender};
use metronome_host::links::{Link, LinkKind};
use metronome_host::server::{Load, Server};
use metronome_proto::stanza::Stanza;

use crate::{admit, deliver, message, remotes};

/// Sends these messages, one after another. Nobody hears of one that cannot go.
pub(crate) async fn send_all(server: Arc<Server>, messages: Vec<Stanza>) {
    for message in messages {
        send(&server, message).await;
    }
}

async fn send(server: &Arc<Server>, stanza: Stanza) {
    let Some(to) = &stanza.to else { return };
    if remotes::is_remote(server, to) {
        return remotes::send(server, stanza);
    }
    let Some(mut env) = enveloped(server, stanza) else { return };
    if message::admit(server, &mut env).await.is_err() {
        return server.counters.dropped.add();
    }
    if env.record.is_empty() {
        return deliver::admitted(server, &mut env);
    }
    let permit = server.writer.permit(env.weight()).await;
    let record = std::mem::take(&mut env.record);
    server.writer.submit(permit, record, Load::Stanza(env));
}

/// Asks an account of ours something in the name of what the server has for others, such as an occupant of a room; the answer goes there.
pub(crate) async fn ask(server: Arc<Server>, request: Stanza) {
    let Some(env) = enveloped(&server, request) else { return };
    let mut env = admit::admit(server.clone(), env).await;
    if env.record.is_empty() {
        deliver::admitted(&server, &mut env);
    }
}

/// As if it had come from elsewhere; none if it is for nobody here.
fn enveloped(server: &Server, stanza: Stanza) -> Option<Box<Envelope>> {
    let host = server.hosts.load().get(stanza.to.as_ref()?.domain()).cloned()?;
    let link = Link::new(0, LinkKind::Server, stanza.from.domain(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    Some(Envelope::new(host, Sender::Link(link), stanza, None))
}
