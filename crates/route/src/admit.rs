//! Admit: gathers facts, then judges. What comes out is either a stanza with its record and effects, or a refusal
//! that has already become its answer; nothing that anyone can see has happened yet.

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::server::Server;
use metronome_proto::stanza::Kind;

use crate::{finish, iq, message, presence};

/// Admits a stanza of one of our clients.
pub(crate) async fn from_client(server: Arc<Server>, mut env: Box<Envelope>) -> Box<Envelope> {
    let verdict = match env.stanza.kind {
        Kind::Message(_) => message::admit(&server, &mut env).await,
        Kind::Presence(_) => presence::admit(&server, &mut env),
        Kind::Iq(_) => iq::admit(&server, &mut env).await,
    };
    if let Err(refuse) = verdict {
        finish::refuse(&server, &mut env, refuse);
    }
    env
}
