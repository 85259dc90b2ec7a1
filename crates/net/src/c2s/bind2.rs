//! XEP-0386 on a client's stream that has logged in by XEP-0388: a resource of the server's making, and what the client has asked for
//! along with it, in the answer to its login. A stream without such a request goes on with the binding of RFC 6120.

use std::sync::Arc;

use metronome_features::mam;
use metronome_host::feature::StreamState;
use metronome_host::session::Session;
use metronome_host::sessions::{BindRules, Conflict};
use metronome_proto::jid::{Jid, prepare_resource};
use metronome_proto::ns;
use metronome_proto::payload::sm::{self, Resumable, Said};
use metronome_proto::payload::{Malformed, bind2, sasl2};
use metronome_proto::stanza::error::{Condition as Refusal, StanzaError};
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::features::Features;
use metronome_proto::xml::Tree;
use metronome_route::presence;
use metronome_sasl::resource_name;

use super::bind::{Begun, Told};
use super::guest;
use super::negotiate::{Authenticated, Begins, announced};
use super::resume::Door;
use super::sasl2::Welcome;
use crate::stream::Fault;

/// The longest tag that is taken into a resource.
const TAG_BYTES_MAX: usize = 256;
/// What a success ends with.
const SUCCESS_END: &[u8] = b"</success>";

impl Authenticated {
    /// Tells the client that it has logged in, with what it has asked for. Its stream is not opened anew, and what it has sent
    /// already is not lost.
    pub(super) async fn welcomed(&mut self, mut welcome: Welcome) -> Result<Begun, Fault> {
        self.stream.set_limits(self.host.limits);
        let mut results = Vec::new();
        // XEP-0386 section 3.2: this comes first, and whoever is resumed has a resource.
        match asks_to_resume(&welcome) {
            Some(Ok((previd, h))) => match self.door(&previd).await? {
                Some(door) => return Ok(resumed(&welcome, door, previd, h)),
                None => results.push(self.context.doors.failed(&previd, self.authn.jid().as_str())),
            },
            Some(Err(_)) => results.push(sm::failed(Refusal::BadRequest, None)),
            None => {}
        }
        let Some(tag) = welcome.asked.child(ns::BIND2, "bind").map(|bind| bind2::tag(&bind)) else {
            results.extend(welcome.token.take());
            let said = success(&welcome, self.authn.jid(), results);
            return self.requested(said).await;
        };
        let session = self.bind_inline(&welcome, &tag).await?;
        let (answers, enable) = self.ask(&welcome, &session);
        let mut bound: Vec<Tree> = self.position(&session).await.into_iter().chain(answers).collect();
        let (context, host) = (self.context.clone(), self.host.clone());
        let begun = enable.is_some();
        let jid = session.jid.clone();
        let mut says = move |enabled: Option<Tree>| {
            bound.extend(enabled);
            results.push(bind2::bound(std::mem::take(&mut bound)));
            results.extend(welcome.token.take());
            let mut said = success(&welcome, &jid, std::mem::take(&mut results));
            let others = announced(&context, &host, StreamState::Authenticated).iter();
            // Where it has begun, a client that saw it here would ask for it once more.
            let others = others.filter(|other| !(begun && other.is(ns::STREAM_MANAGEMENT, "sm")));
            Features::new().write_before(others, &mut said);
            said
        };
        if let Some((resumable, max_s)) = enable {
            // The session itself says so, once it counts.
            let begins = Begins { resumable, max_s, says: Box::new(move |enabled| says(Some(enabled))) };
            return Ok(Begun::Session(session, Some(begins)));
        }
        match self.stream.send(&says(None)).await {
            Ok(()) => Ok(Begun::Session(session, None)),
            Err(fault) => {
                presence::gone(&self.context.server, &session);
                Err(fault)
            }
        }
    }

    /// Where the archive stands. What is in it the client reads there: it is not sent to it as well.
    async fn position(&self, session: &Session) -> Option<Tree> {
        match mam::position(&self.context.server, session.account).await {
            Ok((metadata, last_id)) => {
                session.reads_archive_to(last_id);
                Some(metadata)
            }
            Err(error) => {
                tracing::error!(%error, "an archive could not be read");
                None
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

    /// Gives the session what the client has asked for: what is answered, and stream management if it is to begin.
    fn ask(&self, welcome: &Welcome, session: &Arc<Session>) -> (Vec<Tree>, Option<(Resumable, Option<u32>)>) {
        let (mut answers, mut enable) = (Vec::new(), None);
        let Some(bind) = welcome.asked.child(ns::BIND2, "bind") else { return (answers, enable) };
        for child in bind.children() {
            match Said::read_inline(&child) {
                Some(Ok(Said::Enable { resumable, max_s })) => enable = Some((resumable, max_s)),
                Some(_) => answers.push(sm::failed(Refusal::BadRequest, None)),
                None => {
                    let inline = self.host.registry.bind2().find(|inline| child.is(inline.ns, inline.name));
                    answers.extend(inline.and_then(|inline| (inline.ask)(&self.context.server, session, &child)));
                }
            }
        }
        (answers, enable)
    }
}

/// The stream that the client would like to take up again (XEP-0198 section 11.2).
fn asks_to_resume(welcome: &Welcome) -> Option<Result<(Box<str>, u32), Malformed>> {
    match Said::read_inline(&welcome.asked.child(ns::STREAM_MANAGEMENT, "resume")?)? {
        Ok(Said::Resume { previd, h }) => Some(Ok((previd, h))),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    }
}

/// The task of that stream tells the client. No features follow.
fn resumed(welcome: &Welcome, door: Arc<Door>, previd: Box<str>, h: u32) -> Begun {
    let token = welcome.token.clone().into_iter().collect();
    let mut before = success(welcome, &door.session.jid, token);
    before.truncate(before.len() - SUCCESS_END.len());
    let answer = |resumed: Tree| {
        let mut end = resumed.to_vec("");
        end.extend_from_slice(SUCCESS_END);
        end
    };
    Begun::Resumed { door, previd, h, told: Told { before, answer } }
}

/// `<success/>` as it is written, with what came of what was asked for.
fn success(welcome: &Welcome, jid: &Jid, results: Vec<Tree>) -> Vec<u8> {
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
