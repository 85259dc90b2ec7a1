//! Learns what clients want to hear of (XEP-0163 section 4.2): looks at the capabilities in their presence (XEP-0115, XEP-0390) and asks one
//! of those that announce something unknown what is behind it. Never waits while a stanza is handled, and costs nothing where nothing is
//! announced.

use std::sync::Arc;

use metronome_features::caps::learn::{self, Verdict};
use metronome_host::contacts::Known;
use metronome_host::interests::{Announcement, Asked, ClientKind, Met};
use metronome_host::remote_clients::{Owed, RemoteClient};
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::{Content, Tree};
use metronome_store::stored;

use crate::ask::{self, Answer};

/// A session has shown itself. One that says nothing of what it can do can still do what it could: it need not say so each time.
pub(crate) fn shown(server: &Arc<Server>, session: &Arc<Session>, presence: &Stanza) {
    let Some(announcement) = learn::announced(presence) else { return };
    if session.kind().is_some_and(|kind| *kind.name() == *announcement.name) {
        return;
    }
    let met = meet(server, announcement, &session.jid, session.jid.domain_jid());
    session.set_kind(met.kind);
    if met.is_known {
        tell_session(server, session);
    }
}

/// A session that an earlier process had has its client again: of what it can do nothing is known here.
pub fn resumed(server: &Arc<Server>, session: &Arc<Session>) {
    if session.kind().is_none()
        && let Some(presence) = session.presence_xml().as_deref().and_then(stored::read)
    {
        shown(server, session, &presence);
    }
}

/// An account has seen the presence of somebody on another server. Only those whom it lets see its own count.
pub(crate) fn seen(server: &Arc<Server>, presence: &Stanza, to: &Jid) {
    let Some(owner) = server.sessions.online(to.bare_str()) else { return };
    let from = &presence.from;
    if presence.kind != Kind::Presence(PresenceType::Available) {
        return server.remote_clients.remove(owner, from);
    }
    let contacts = server.sessions.contacts(owner);
    let is_shown = contacts.is_some_and(|contacts| contacts.get(from.bare_str()).is_some_and(Known::is_shown));
    let Some(announcement) = learn::announced(presence).filter(|_| is_shown && from.is_full()) else { return };
    let known = server.remote_clients.get(owner, from);
    if known.as_ref().is_some_and(|known| *known.kind.name() == *announcement.name) {
        return;
    }
    let met = meet(server, announcement, from, to.bare());
    let owed = known.map_or(Owed::LastItems, |known| known.owed);
    server.remote_clients.set(owner, RemoteClient { jid: from.clone(), kind: met.kind, owed });
    if met.is_known {
        tell_remote(server, owner, from);
    }
}

/// What is known of a client that announces something.
struct Kinds {
    kind: Arc<ClientKind>,
    is_known: bool,
}

/// What kind of client it is; asks it if nobody knows.
fn meet(server: &Arc<Server>, announcement: Announcement, client: &Jid, by: Jid) -> Kinds {
    match server.interests.meet(&announcement, client, &by, server.clock.steady_ms()) {
        Met::Known(kind) => Kinds { kind, is_known: true },
        Met::Unknown(kind) => Kinds { kind, is_known: false },
        Met::Ask(kind) => {
            let question = Question { server: server.clone(), name: announcement.name };
            tokio::spawn(question.ask(Asked { client: client.clone(), by, node: announcement.node }));
            Kinds { kind, is_known: false }
        }
    }
}

/// The task that asks about one name until it is proved, or nobody is left who could.
struct Question {
    server: Arc<Server>,
    name: Box<str>,
}

/// However it ends, others can be asked about the name again.
impl Drop for Question {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.server.interests.give_up(&self.name);
        }
    }
}

impl Question {
    async fn ask(self, mut asked: Asked) {
        let server = &self.server;
        loop {
            let verdict = match ask::get(server, asked.by.clone(), asked.client.clone(), query(&asked.node)).await {
                Answer::Result(answer) => learn::judge(&self.name, &answer),
                Answer::Error(_) | Answer::Nothing | Answer::Unasked => Verdict::Nothing,
            };
            if let Verdict::Proved(wants) = verdict {
                let others = server.interests.learned(&self.name, wants, server.clock.steady_ms());
                others.iter().chain([&asked]).for_each(|asked| known(server, asked));
                return;
            }
            let (mut same, next) = server.interests.not_learned(&self.name, &asked.client);
            if let Verdict::Told(wants) = verdict {
                tracing::debug!(
                    jid = asked.client.as_str(),
                    name = &*self.name,
                    "a client tells something else than it announces"
                );
                let kind = ClientKind::alone(&self.name, wants);
                same.push(asked);
                same.iter().for_each(|asked| hold(server, asked, &kind));
            }
            match next {
                Some(next) => asked = next,
                None => return,
            }
        }
    }
}

fn query(node: &str) -> Content {
    Content::from_tree(&Tree::new(ns::DISCO_INFO, "query").attr("node", node))
}

/// What a client has told counts for itself alone.
fn hold(server: &Arc<Server>, asked: &Asked, kind: &Arc<ClientKind>) {
    if let Some(session) = server.sessions.at(&asked.client) {
        session.set_kind_alone(kind.clone());
    } else if let Some(owner) = server.sessions.online(asked.by.bare_str()) {
        server.remote_clients.set_kind_alone(owner, &asked.client, kind.clone());
    }
    known(server, asked);
}

/// It is known what a client wants.
fn known(server: &Arc<Server>, asked: &Asked) {
    if let Some(session) = server.sessions.at(&asked.client) {
        tell_session(server, &session);
    } else if let Some(owner) = server.sessions.online(asked.by.bare_str()) {
        tell_remote(server, owner, &asked.client);
    }
}

/// A session that has just come is told what there is for it, once.
fn tell_session(_server: &Arc<Server>, session: &Arc<Session>) {
    session.take_owed_last_items();
}

/// The same for a client on another server.
fn tell_remote(server: &Arc<Server>, owner: AccountId, client: &Jid) {
    server.remote_clients.take_owed(owner, client);
}
