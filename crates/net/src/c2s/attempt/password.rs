//! Logging in by name and password outside of any stream: what pages of the web server ask for. It is an attempt with PLAIN like others, with
//! the same accounts, budgets and lines in the log.

use std::sync::Arc;

use metronome_host::authn::Authn;
use metronome_host::hosts::Host;
use metronome_sasl::{Failure, Input, Offer, Opening, PlainRule, Rules, Step, StreamFacts, token};

use super::{Attempt, Failed, NAMES, Profile, Proved, note_failure};
use crate::c2s::Context;

const MECHANISM: &str = "PLAIN";

/// The account of this name, if this is its password; who fails learns nothing else, whatever was the reason.
///
/// `context.address` is who is charged for a failure. Whether others can read what is sent is for the caller to see to.
pub(crate) async fn by_password(context: &Context, host: &Arc<Host>, username: &str, password: &str) -> Option<Authn> {
    let (counters, domain, peer) = (&context.server.counters, host.name.as_str(), context.address);
    match prove(context, host, username, password).await {
        Ok(Proved { authn, .. }) => {
            counters.logins.add();
            tracing::info!(host = domain, jid = authn.jid().as_str(), %peer, mechanism = MECHANISM, "logged in on a page");
            Some(authn)
        }
        Err(Failed { why, jid, .. }) => {
            counters.login_failures.add();
            tracing::info!(host = domain, jid, %peer, mechanism = MECHANISM, why, "a login on a page failed");
            None
        }
    }
}

async fn prove(context: &Context, host: &Arc<Host>, username: &str, password: &str) -> Result<Proved, Failed> {
    let rules = Rules { plain: PlainRule::Always, scram: Vec::new(), external: false, anonymous: false, tokens: false };
    let opening = Opening { host: host.name.as_str(), nonce: token(), names: NAMES };
    let exchange = Offer::new(&rules, StreamFacts::default()).begin(MECHANISM, opening)?;
    let mut attempt = Attempt::new(host, Profile::First, exchange);
    let outcome = attempt.by_message(context, format!("\0{username}\0{password}").as_bytes()).await;
    if let Err(failure) = &outcome {
        note_failure(context, host, attempt.account, *failure);
    }
    outcome.map_err(|failure| attempt.failed(failure))
}

impl Attempt {
    /// An exchange that is one message.
    async fn by_message(&mut self, context: &Context, message: &[u8]) -> Result<Proved, Failure> {
        let mut step = self.exchange.step(Input::Client(message));
        loop {
            step = match step {
                Step::Need(need) => {
                    let input = self.answer(context, need).await?;
                    self.exchange.step(input)
                }
                Step::Challenge(_) => return Err(Failure::MalformedRequest),
                Step::Fail(failure) => return Err(failure),
                Step::Done(success) => return self.done(context, success).await,
            };
        }
    }
}
