//! Admit: gathers facts, then judges. What comes out is either a stanza with its record and effects, or a refusal
//! that has already become its answer; nothing that anyone can see has happened yet.

use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_host::envelope::{Destination, Envelope, Sender};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::stanza::Kind;
use metronome_proto::stanza::error::{Condition, StanzaError};

use crate::{finish, iq, message, presence};

/// Admits a stanza, wherever it has come in.
pub(crate) async fn admit(server: Arc<Server>, mut env: Box<Envelope>) -> Box<Envelope> {
    let may_send = match env.sender.clone() {
        // XEP-0016 section 2.2, rule 4: lists are asked before anything else.
        Sender::Session(session) => {
            refuse_locked(&server, &session, &mut env).and_then(|()| check::refuse_sent(&server, &session, &env))
        }
        // Its stream has seen to it that it may say what it is from.
        Sender::Link(_) => Ok(()),
    };
    let verdict = match (may_send, env.stanza.kind) {
        (Err(refuse), _) => Err(refuse),
        (Ok(()), Kind::Message(_)) => message::admit(&server, &mut env).await,
        (Ok(()), Kind::Presence(_)) => presence::admit(&server, &mut env).await,
        (Ok(()), Kind::Iq(_)) => iq::admit(&server, &mut env).await,
    };
    if let Err(refuse) = verdict {
        finish::refuse(&server, &mut env, refuse);
    }
    env
}

/// A locked account speaks to its host and to itself only, until it is confirmed.
fn refuse_locked(server: &Server, session: &Session, env: &mut Envelope) -> Result<(), Refuse> {
    if !session.is_locked() {
        return Ok(());
    }
    crate::destination::resolve(server, env);
    match (env.destination, &env.stanza.to) {
        (Destination::OwnAccount, _) => Ok(()),
        (Destination::Host, Some(to)) if to.domain() == session.jid.domain() => Ok(()),
        _ => Err(StanzaError::new(Condition::Forbidden).with_text("this account waits for its confirmation").into()),
    }
}
