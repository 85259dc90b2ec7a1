//! Learns what clients want to hear of (XEP-0163 section 4.2): looks at the capabilities in their presence (XEP-0115, XEP-0390) and asks one
//! of those that announce something unknown what is behind it. Never waits while a stanza is handled, and costs nothing where nothing is
//! announced.

use std::sync::Arc;

use metronome_features::caps::learn::{self, Verdict};
use metronome_features::pubsub::{last, missed};
use metronome_host::contacts::Known;
use metronome_host::interests::{Announcement, Asked, ClientKind, Met, Wants};
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
use crate::last_items;

/// A session has shown itself. One that says nothing of what it can do can still do what it could: it need not say so each time.
pub(crate) fn shown(server: &Arc<Server>, session: &Arc<Session>, presence: &Stanza) {
    let Some(announcement) = learn::announced(presence) else { return };
    if session.kind().is_some_and(|kind| is_settled(&kind, &announcement)) {
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

/// An account has seen the presence of somebody on another server. Only contacts count; of an account that is not online, only if it has nodes.
pub(crate) fn seen(server: &Arc<Server>, presence: &Stanza, to: &Jid) {
    let from = &presence.from;
    if presence.kind != Kind::Presence(PresenceType::Available) {
        if let Some(owner) = owner_of(server, to) {
            server.remote_clients.remove(owner, from);
        }
        return;
    }
    let Some(announcement) = learn::announced(presence).filter(|_| from.is_full()) else { return };
    let since_ms = missed::since_ms(&presence.content, server.clock.unix_ms());
    let Some(owner) = server.sessions.online(to.bare_str()) else {
        return seen_while_away(server, from, announcement, to, since_ms);
    };
    let contacts = server.sessions.contacts(owner);
    let is_contact = |known: &Known| known.is_shown() || known.sees();
    if contacts.is_some_and(|contacts| contacts.get(from.bare_str()).is_some_and(is_contact)) {
        seen_by(server, owner, from, announcement, to, since_ms);
    }
}

/// The account with this address, as far as that is in memory.
fn owner_of(server: &Server, jid: &Jid) -> Option<AccountId> {
    let known = || Some(server.facts.peek(jid.bare_str())??.account.id);
    server.sessions.online(jid.bare_str()).or_else(known)
}

/// Beside the stream, because it may have to be read. Where too many are looked for already, what comes is not looked at.
fn seen_while_away(server: &Arc<Server>, from: &Jid, announcement: Announcement, to: &Jid, since_ms: Option<u64>) {
    let Some(permit) = server.interests.permit() else { return server.counters.dropped.add() };
    let (server, from, to) = (server.clone(), from.clone(), to.bare());
    tokio::spawn(async move {
        let _permit = permit;
        match last::sees(&server, &to, &from).await {
            Ok(Some(owner)) => seen_by(&server, owner, &from, announcement, &to, since_ms),
            Ok(None) => {}
            Err(refuse) => tracing::debug!(jid = to.as_str(), ?refuse, "whom an account sees cannot be told"),
        }
    });
}

fn seen_by(
    server: &Arc<Server>,
    owner: AccountId,
    from: &Jid,
    announcement: Announcement,
    to: &Jid,
    since_ms: Option<u64>,
) {
    let known = server.remote_clients.get(owner, from);
    if known.as_ref().is_some_and(|known| is_settled(&known.kind, &announcement)) {
        return;
    }
    let met = meet(server, announcement, from, to.bare());
    let owed = match known {
        None => Owed::LastItems { since_ms },
        Some(RemoteClient { owed: Owed::Nothing, kind, .. }) => Owed::Beyond(kind),
        Some(known) => known.owed,
    };
    server.remote_clients.set(owner, RemoteClient { jid: from.clone(), kind: met.kind, owed });
    if met.is_known {
        tell_remote(server, owner, to, from);
    }
}

/// Whether what a client announces is what it has announced before, and it is known or being asked what that is.
fn is_settled(kind: &ClientKind, announcement: &Announcement) -> bool {
    *kind.name() == *announcement.name && !kind.is_given_up()
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
    } else if let Some(owner) = owner_of(server, &asked.by) {
        server.remote_clients.set_kind_alone(owner, &asked.client, kind.clone());
    }
    known(server, asked);
}

/// It is known what a client wants.
fn known(server: &Arc<Server>, asked: &Asked) {
    if let Some(session) = server.sessions.at(&asked.client) {
        tell_session(server, &session);
    } else if let Some(owner) = owner_of(server, &asked.by) {
        tell_remote(server, owner, &asked.by, &asked.client);
    }
}

/// A session that has just come is told what there is for it, once: of its own account, of the contacts that it sees, and of its domain
/// (XEP-0163 section 4.3.4). One that wants more than it did is told of that.
fn tell_session(server: &Arc<Server>, session: &Arc<Session>) {
    if let Some(wants) = session.take_owed_last_items() {
        tokio::spawn(last_items::for_session(server.clone(), session.clone(), wants));
    }
}

/// The same for a client on another server, of what the account has that sees it.
fn tell_remote(server: &Arc<Server>, owner: AccountId, to: &Jid, client: &Jid) {
    let Some(kind) = server.remote_clients.get(owner, client).map(|client| client.kind) else { return };
    let Some(wants) = wants_of(Some(&kind)) else { return };
    let (wants, since_ms) = match server.remote_clients.take_owed(owner, client) {
        Owed::LastItems { since_ms } => (wants, since_ms),
        Owed::Beyond(earlier) => (wants.beyond(earlier.wants()), None),
        Owed::Nothing => return,
    };
    tokio::spawn(last_items::for_remote(server.clone(), to.bare(), client.clone(), wants, since_ms));
}

/// Somebody sees an account from here on: its clients are told what there is of it.
pub(crate) fn begins_to_see(server: &Arc<Server>, of: AccountId, to: Viewer<'_>) {
    let Some(address) = server.sessions.of(of).first().map(|session| session.jid.bare()) else { return };
    match to {
        Viewer::Account(account) => {
            for session in server.sessions.of(account) {
                if let Some(wants) = wants_of(session.kind().as_deref()) {
                    tokio::spawn(last_items::of_one(server.clone(), address.clone(), session, wants));
                }
            }
        }
        Viewer::Remote(jid) => {
            for client in server.remote_clients.of(of, jid) {
                if let Some(wants) = wants_of(Some(&client.kind)) {
                    let (server, address) = (server.clone(), address.clone());
                    tokio::spawn(last_items::for_remote(server, address, client.jid.clone(), wants, None));
                }
            }
        }
    }
}

/// Who sees an account.
pub(crate) enum Viewer<'a> {
    /// Another account of ours.
    Account(AccountId),
    /// Somebody on another server.
    Remote(&'a Jid),
}

/// What such clients want; none if that is nothing, or not known.
fn wants_of(kind: Option<&ClientKind>) -> Option<Wants> {
    kind.and_then(ClientKind::wants).filter(|wants| !wants.is_empty()).cloned()
}
