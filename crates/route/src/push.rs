//! Push notifications (XEP-0357): the services of an account are told of a stored message that the client which enabled them does not see.
//! Each service is told one thing at a time, by a task that ends when there is nothing left to tell.

use std::sync::Arc;

use metronome_features::push;
use metronome_features::push::decide::{self, Tells};
use metronome_host::facts::AccountFacts;
use metronome_host::server::Server;
use metronome_host::services::{Begun, News, Service, Target};
use metronome_host::session::Session;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::push::publish;
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::Content;

use crate::ask::{self, Answer};

/// Most bytes of a body that a service is told.
const BODY_BYTES_MAX: usize = 1024;

/// Tells the services of `owner` that a message was stored for it, but for those whose clients see what comes. Runs in the owner's
/// worker and waits for nothing.
pub(crate) fn of_stored<'a>(
    server: &Arc<Server>,
    stanza: &Stanza,
    owner: AccountId,
    services: impl Iterator<Item = &'a Service>,
) {
    let decision = decide::decide(stanza);
    tracing::trace!(why = decision.why, told = ?decision.tells, "services may be told of a stored message");
    let Some(to) = stanza.to.as_ref().filter(|_| decision.tells != Tells::Nothing) else { return };
    let news = news_of(stanza);
    let sessions = server.sessions.of(owner);
    let sees = |client: &str| sessions.iter().any(|it| it.jid.resource() == Some(client) && it.is_attentive());
    for service in services.filter(|service| !sees(&service.client)) {
        tell(server, owner, &to.bare(), service, news.clone());
    }
}

/// Most rows that are looked at after a connection was lost.
const LOST_ROWS_MAX: usize = 64;

/// A session has lost its connection: until now it looked as if its client saw what comes. If something has come that the client has not
/// proved to have, the service that it enabled is told.
pub fn lost(server: &Arc<Server>, session: &Session) {
    let Some(Some(facts)) = server.facts.peek(session.jid.bare_str()) else { return };
    let client = session.jid.resource().unwrap_or_default();
    let services: Vec<Service> = facts.services.iter().filter(|service| *service.client == *client).cloned().collect();
    if !services.is_empty() {
        tokio::spawn(tell_of_unseen(server.clone(), session.account, session.jid.clone(), services));
    }
}

async fn tell_of_unseen(server: Arc<Server>, owner: AccountId, jid: Jid, services: Vec<Service>) {
    // What was proved a moment ago is no news.
    server.settle_seen(owner).await;
    let Ok(rows) = server.store.unseen(owner, 0, LOST_ROWS_MAX).await else { return };
    let is_back = server.sessions.at(&jid).is_some_and(|session| session.is_attentive());
    let last = rows.iter().rev().find(|row| decide::decide(&row.stanza).tells != Tells::Nothing);
    if let (Some(row), false) = (last, is_back) {
        for service in &services {
            tell(&server, owner, &jid.bare(), service, news_of(&row.stanza));
        }
    }
}

fn news_of(stanza: &Stanza) -> News {
    let body = (decide::decide(stanza).tells == Tells::Words).then(|| body_of(stanza)).flatten();
    News { sender: Some(stanza.from.clone()), body }
}

fn body_of(stanza: &Stanza) -> Option<Box<str>> {
    let body = stanza.child(ns::CLIENT, "body")?.text().into_owned();
    let end = body.floor_char_boundary(BODY_BYTES_MAX);
    Some(body[..end].into())
}

fn tell(server: &Arc<Server>, owner: AccountId, jid: &Jid, service: &Service, news: News) {
    let target = (owner, service.what.jid.clone(), service.what.node.clone());
    match server.notices.begin(&target, news) {
        Begun::Yours => {
            let turn = Turn { server: server.clone(), target, jid: jid.clone() };
            tokio::spawn(turn.run());
        }
        Begun::Others => {}
        Begun::Full => server.counters.dropped.add(),
    }
}

/// The task that tells one service.
struct Turn {
    server: Arc<Server>,
    target: Target,
    jid: Jid,
}

/// However it ends, the service can be told again.
impl Drop for Turn {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.server.notices.give_up(&self.target);
        }
    }
}

impl Turn {
    async fn run(self) {
        while let Some(news) = self.server.notices.next(&self.target) {
            // As it is now: the service may have been disabled since, or have got other options.
            let facts = self.server.facts.of(&*self.server.store, &self.jid).await.ok().flatten();
            let facts = facts.filter(|facts| facts.account.id == self.target.0 && facts.is_active());
            let service = |facts: &AccountFacts| facts.services.get(&self.target.1, self.target.2.as_deref()).cloned();
            if let Some((facts, service)) = facts.and_then(|facts| Some((facts.clone(), service(&facts)?))) {
                self.tell(&facts, &service, news).await;
            }
        }
    }

    async fn tell(&self, facts: &AccountFacts, service: &Service, news: News) {
        let domain = self.jid.domain_jid();
        let Some(host) = self.server.hosts.load().get(domain.domain()).cloned() else { return };
        let Ok(summary) = push::summary(&self.server, &host, facts, news).await else { return };
        let payload = Content::from_tree(&publish(&service.what, &summary));
        let failed = match ask::set(&self.server, domain, service.what.jid.clone(), payload).await {
            Answer::Result(_) => return self.server.notices.succeeded(&self.target),
            Answer::Error(error) => {
                tracing::debug!(
                    service = service.what.jid.as_str(),
                    why = error.condition.name(),
                    "a push service refuses"
                );
                push::is_final(&error)
            }
            Answer::Nothing => false,
            Answer::Unasked => return self.server.counters.dropped.add(),
        };
        if failed || self.server.notices.failed(&self.target) >= push::FAILURES_MAX {
            self.server.notices.succeeded(&self.target);
            push::give_up(&self.server, self.target.0, &self.jid, &service.what).await;
        }
    }
}
