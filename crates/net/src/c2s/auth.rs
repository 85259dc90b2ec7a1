//! Logging in on a client's stream: what is offered, and how often somebody may try. An attempt is in `attempt`, what becomes of it where
//! XEP-0388 is spoken in `sasl2`; the one place where a proof becomes an account is `host::authn`.

use std::sync::Arc;

use metronome_features::register::newcomer::Newcomer;
use metronome_host::authn::Authn;
use metronome_host::feature::StreamState;
use metronome_host::hosts::{Host, PLAIN_WITHOUT_TLS};
use metronome_proto::payload::sasl::{self, Answer, Request};
use metronome_proto::payload::sasl2;
use metronome_proto::stream::error::{Condition, StreamError};
use metronome_proto::stream::features::Features;
use metronome_proto::xml::Element;
use metronome_sasl::{ClientCertificate, Offer, encode};

use super::attempt::{Asked, Failed, Profile, Proved, Proves, condition, known};
use super::negotiate::{self, Authenticated, End, OpenedTo, Secured, open};
use super::register;
use super::sasl2::{self as second, Welcome};
use crate::stream::Fault;
use crate::tls;

/// Attempts that may fail; the next failure closes the stream.
const FAILURES_MAX: u32 = 3;

/// Adds what is offered to the stream features: the mechanisms, and the channel bindings (XEP-0440).
pub(super) fn announce(offer: &Offer, features: &mut Features) {
    if offer.is_empty() {
        return;
    }
    features.push(sasl::feature(offer.names().map(|name| name.as_str())));
    if offer.bindings().next().is_some() {
        features.push(sasl::channel_bindings(offer.bindings().map(|binding| binding.as_str())));
    }
}

impl Secured {
    /// Lets the client prove who it is. A stream that cannot is ended with its fault.
    pub(super) async fn authenticate(mut self) -> Result<Authenticated, End> {
        let to = match self.begun.take() {
            Some((to, first)) => Ok((to, Some(first))),
            None => self.open().await.map(|to| (to, None)),
        };
        let (to, first) = match to {
            Ok(to) => to,
            Err(fault) => return Err(End { stream: self.stream, fault, host: self.fixed }),
        };
        match self.attempts(&to, first).await {
            Ok((authn, welcome)) => {
                let authn = self.note_certificate(authn);
                self.context.server.counters.logins.add();
                tracing::info!(host = to.host.name.as_str(), jid = authn.jid().as_str(), peer = %self.context.address,
                    mechanism = authn.mechanism(), "logged in");
                let stream = if welcome.is_some() { self.stream } else { self.stream.restarted() };
                Ok(Authenticated { context: self.context, stream, host: to.host, authn, lang: to.lang, welcome })
            }
            Err(fault) => Err(End { stream: self.stream, fault, host: Some(to.host) }),
        }
    }

    async fn open(&mut self) -> Result<OpenedTo, Fault> {
        let to = open(&self.context, &mut self.stream, self.fixed.as_ref()).await?;
        // STARTTLS is the way out for others; here whoever wants to log in comes again, encrypted.
        if !self.facts.encrypted && to.host.values.flag(&tls::REQUIRE) {
            let error = StreamError::new(Condition::PolicyViolation);
            return Err(Fault::Error(error.with_text("this connection is not encrypted")));
        }
        // What one host trusts a certificate to prove, it does not prove to another.
        if to.host.name != self.shown_by {
            self.certified.clear();
            self.facts.certificate = ClientCertificate::Absent;
        }
        self.certify(&to.host).await;
        let mut out = Vec::new();
        self.stream.write_header(&mut out, &self.context.server.rng, Some(&to.host));
        out.extend_from_slice(to.host.features.offered(&self.facts, || self.offered(&to.host)));
        self.stream.send(&out).await?;
        Ok(to)
    }

    /// The features of this stream and all of its kind.
    fn offered(&self, host: &Host) -> Box<[u8]> {
        let mut features = Features::new();
        let offer = self.offer(host);
        announce(&offer, &mut features);
        if let Some(feature) = second::feature(host, &offer).filter(|_| self.facts.encrypted) {
            features.push(feature);
        }
        let mut out = Vec::new();
        let is_private = self.facts.encrypted || host.values.flag(&PLAIN_WITHOUT_TLS);
        let others = match is_private {
            true => negotiate::announced(&self.context, host, StreamState::Secured),
            // The rest sends passwords.
            false => &[],
        };
        features.write_before(others, &mut out);
        out.into_boxed_slice()
    }

    fn offer(&self, host: &Host) -> Offer {
        Offer::new(&host.sasl, self.facts.clone())
    }

    /// Until somebody has proved who they are, or has failed too often. A welcome is for who has logged in by XEP-0388.
    async fn attempts(
        &mut self,
        to: &OpenedTo,
        mut first: Option<Element>,
    ) -> Result<(Authn, Option<Box<Welcome>>), Fault> {
        let offer = self.offer(&to.host);
        let mut newcomer = Newcomer::new(self.context.address);
        let mut failures = 0;
        while failures <= FAILURES_MAX {
            let element = match first.take() {
                Some(element) => element,
                None => self.stream.element().await?,
            };
            if register::is_request(&element) {
                self.register(&to.host, &mut newcomer, element).await?;
                continue;
            }
            let (mechanism, outcome) = match (Request::read(&element), sasl2::Request::read(&element)) {
                (Some(Request::Auth { mechanism, data }), _) => {
                    let outcome = self.first_profile(&to.host, &offer, &mechanism, data.as_deref()).await?;
                    (mechanism, outcome.map(|proved| (proved.authn, None)))
                }
                // It is offered inside of TLS only.
                (_, Some(sasl2::Request::Authenticate(asked))) if self.facts.encrypted => {
                    let outcome = self.second_profile(to, &offer, &asked, element).await?;
                    (asked.mechanism, outcome.map(|(authn, welcome)| (authn, Some(welcome))))
                }
                _ => return Err(Condition::NotAuthorized.into()),
            };
            match outcome {
                Ok(proved) => return Ok(proved),
                Err(Failed { why, jid, .. }) => {
                    failures += 1;
                    self.context.server.counters.login_failures.add();
                    tracing::info!(host = to.host.name.as_str(), jid, peer = %self.context.address,
                        mechanism = known(&offer, &mechanism), why, "a login failed");
                }
            }
        }
        Err(Fault::Error(StreamError::new(Condition::PolicyViolation).with_text("too many attempts to log in")))
    }

    /// An attempt in the profile of RFC 6120, answered.
    async fn first_profile(
        &mut self,
        host: &Arc<Host>,
        offer: &Offer,
        mechanism: &str,
        data: Option<&str>,
    ) -> Result<Result<Proved, Failed>, Fault> {
        let first = data.map(|data| Profile::First.decoded(data)).transpose();
        let asked = Asked { mechanism, first, client: None, proves: Proves::Password };
        let outcome = self.attempt(host, offer, Profile::First, asked).await?;
        let answer = match &outcome {
            Ok(proved) => Answer::Success(proved.data.as_deref().map(encode)),
            Err(failed) => Answer::Failure { condition: condition(failed.failure), text: None },
        };
        self.say(&answer.tree()).await?;
        Ok(outcome)
    }
}
