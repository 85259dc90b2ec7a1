//! Messages that the server itself makes for people, and that are kept for who is away like those of other people: they take the steps of
//! a message from elsewhere.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use metronome_host::envelope::{Envelope, Sender};
use metronome_host::links::{Link, LinkKind};
use metronome_host::server::{Load, Server};
use metronome_proto::stanza::Stanza;

use crate::{deliver, message, remotes};

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
    let Some(host) = server.hosts.load().get(to.domain()).cloned() else { return };
    let link = Link::new(0, LinkKind::Server, stanza.from.domain(), IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let mut env = Envelope::new(host, Sender::Link(link), stanza, None);
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
