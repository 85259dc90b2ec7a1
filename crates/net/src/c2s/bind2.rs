//! XEP-0386 on a client's stream that has logged in by XEP-0388: a resource of the server's making, and what the client has asked for
//! along with it, in the answer to its login. A stream without such a request goes on with the binding of RFC 6120.

use std::sync::Arc;

use metronome_host::feature::StreamState;
use metronome_host::session::Session;
use metronome_host::sessions::{BindRules, Conflict};
use metronome_proto::jid::{Jid, prepare_resource};
use metronome_proto::ns;
use metronome_proto::payload::{bind2, sasl2};
use metronome_proto::stanza::error::StanzaError;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::features::Features;
use metronome_proto::xml::{Child, Tree};
use metronome_route::presence;
use metronome_sasl::resource_name;

use super::bind::Begun;
use super::guest;
use super::negotiate::{Authenticated, announce};
use super::sasl2::Welcome;
use super::stream::Fault;

/// The longest tag that is taken into a resource.
const TAG_BYTES_MAX: usize = 256;

impl Authenticated {
    /// Tells the client that it has logged in, with what it has asked for. Its stream is not opened anew, and what it has sent
    /// already is not lost.
    pub(super) async fn welcomed(&mut self, welcome: Welcome) -> Result<Begun, Fault> {
        self.stream.set_limits(self.host.limits);
        let Some(tag) = welcome.asked.child(ns::BIND2, "bind").map(|bind| bind2::tag(&bind)) else {
            let said = success(&welcome, self.authn.jid(), None);
            return self.requested(said).await;
        };
        let session = self.bind_inline(&welcome, &tag).await?;
        let bound = bind2::bound(self.ask(&welcome, &session));
        let mut said = success(&welcome, &session.jid, Some(bound));
        let mut features = Features::new();
        announce(&self.context, &self.host, StreamState::Authenticated, &mut features);
        features.write(&mut said);
        match self.stream.send(&said).await {
            Ok(()) => Ok(Begun::Session(session)),
            Err(fault) => {
                presence::gone(&self.context.server, &session);
                Err(fault)
            }
        }
    }

    async fn bind_inline(&self, welcome: &Welcome, tag: &str) -> Result<Arc<Session>, Fault> {
        let made = self.made(welcome);
        let jid = self.named(tag, &made).ok_or(Condition::InternalServerError)?;
        let rules = match self.authn.is_guest() {
            true => guest::rules(&self.host),
            // It is the client's own earlier session that has this name.
            false => BindRules { conflict: Conflict::KickOld, ..self.host.bind },
        };
        self.end_earlier(&jid, &made);
        let session = self.claim_as(jid, rules).await.map_err(|refusal| refused(&refusal))?;
        self.recheck(&session).await?;
        Ok(session)
    }

    /// The server's part of the resource, the same each time for the same client (section 3.2.1).
    fn made(&self, welcome: &Welcome) -> String {
        let server = &self.context.server;
        match (&welcome.client, self.authn.account()) {
            (Some(client), Some(account)) => resource_name(&server.fake_salt_secret, account.as_bytes(), client),
            _ => server.rng.token(),
        }
    }

    /// With the client's tag before it, if that can stand in a resource.
    fn named(&self, tag: &str, made: &str) -> Option<Jid> {
        let tag = prepare_resource(tag).ok().filter(|tag| tag.len() <= TAG_BYTES_MAX);
        let resource = tag.map_or_else(|| made.to_owned(), |tag| format!("{tag}/{made}"));
        self.authn.jid().with_resource(&resource).ok()
    }

    /// Ends sessions that the same client had under another tag.
    fn end_earlier(&self, jid: &Jid, made: &str) {
        let Some(account) = self.authn.account() else { return };
        for earlier in self.context.server.sessions.of(account) {
            let resource = earlier.jid.resource().unwrap_or_default();
            let is_of_client = resource.rsplit('/').next() == Some(made);
            if is_of_client && earlier.jid != *jid {
                self.replace(&earlier);
            }
        }
    }

    /// Gives the session what the client has asked for.
    fn ask(&self, welcome: &Welcome, session: &Arc<Session>) -> Vec<Tree> {
        let Some(bind) = welcome.asked.child(ns::BIND2, "bind") else { return Vec::new() };
        let ask = |child: Child<'_>| {
            let inline = self.host.registry.bind2().find(|inline| child.is(inline.ns, inline.name))?;
            (inline.ask)(&self.context.server, session, &child)
        };
        bind.children().filter_map(ask).collect()
    }
}

/// `<success/>` as it is written.
fn success(welcome: &Welcome, jid: &Jid, bound: Option<Tree>) -> Vec<u8> {
    let results = bound.into_iter().chain(welcome.token.clone()).collect();
    sasl2::success(welcome.data.as_deref(), jid.as_str(), results).to_vec(ns::CLIENT)
}

/// There is no answer for a resource that cannot be bound: the stream ends.
fn refused(refusal: &StanzaError) -> Fault {
    let error = StreamError::new(Condition::ResourceConstraint);
    Fault::Error(match refusal.text.as_deref() {
        Some(text) => error.with_text(text),
        None => error.with_text("the account has too many sessions"),
    })
}
