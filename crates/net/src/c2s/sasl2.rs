//! XEP-0388 on a client's stream: what is offered, and a login with everything that can be asked for along with it. What needs an
//! authenticated stream, the resource, follows in `bind2`.

use metronome_features::fast::{self as tokens, Redeemed};
use metronome_host::authn::Authn;
use metronome_host::hosts::Host;
use metronome_proto::ns;
use metronome_proto::payload::bind2;
use metronome_proto::payload::fast;
use metronome_proto::payload::sasl2::{self, Authenticate, Client};
use metronome_proto::payload::sm;
use metronome_proto::xml::{Element, Tree};
use metronome_sasl::{Failure, MechanismName, Offer, encode_plain};

use super::attempt::{Asked, Failed, Profile, Proved, Proves, condition};
use super::negotiate::{OpenedTo, Secured};
use super::upgrade::{self, Upgraded};
use crate::stream::Fault;

/// What is said to a client that has logged in, once it is known what it gets.
pub(super) struct Welcome {
    /// What it has asked for.
    pub(super) asked: Element,
    /// The id of its installation.
    pub(super) client: Option<Box<str>>,
    /// The server's own proof, base64.
    pub(super) data: Option<String>,
    /// A token for the next time.
    pub(super) token: Option<Tree>,
}

/// The stream feature; none where there is no mechanism to log in with.
pub(super) fn feature(host: &Host, offer: &Offer) -> Option<Tree> {
    if offer.is_empty() {
        return None;
    }
    let mut vars: Vec<&str> = host.registry.bind2().map(|inline| inline.ns).collect();
    vars.push(ns::STREAM_MANAGEMENT);
    vars.dedup();
    let mut inline = vec![bind2::feature(vars), sm::feature()];
    if offer.token_names().next().is_some() {
        inline.push(fast::feature(offer.token_names().map(MechanismName::as_str)));
    }
    Some(sasl2::feature(offer.names().map(MechanismName::as_str), inline, upgrade::features(host)))
}

impl Secured {
    /// An attempt in the profile of XEP-0388. Who fails is told; who has proved who they are is welcomed later.
    pub(super) async fn second_profile(
        &mut self,
        to: &OpenedTo,
        offer: &Offer,
        asked: &Authenticate,
        element: Element,
    ) -> Result<Result<(Authn, Box<Welcome>), Failed>, Fault> {
        let outcome = self.judged(to, offer, asked, element).await?;
        if let Err(failed) = &outcome {
            self.say(&sasl2::failure(condition(failed.failure))).await?;
        }
        Ok(outcome)
    }

    async fn judged(
        &mut self,
        to: &OpenedTo,
        offer: &Offer,
        asked: &Authenticate,
        element: Element,
    ) -> Result<Result<(Authn, Box<Welcome>), Failed>, Fault> {
        let wishes = match fast::Asked::read(&element) {
            Ok(wishes) if asked.client != Client::Malformed => wishes,
            _ => return Ok(Err(Failure::MalformedRequest.into())),
        };
        let attempt = Asked {
            mechanism: &asked.mechanism,
            first: asked.data.as_deref().map(|data| Profile::Second.decoded(data)).transpose(),
            client: asked.client.id(),
            proves: if wishes.uses.is_some() { Proves::Token } else { Proves::Password },
        };
        let proved = match self.attempt(&to.host, offer, Profile::Second, attempt).await? {
            Ok(proved) => proved,
            Err(failed) => return Ok(Err(failed)),
        };
        let upgraded = match self.upgrade(&to.host, &element, &proved).await? {
            Ok(upgraded) => upgraded,
            Err(failure) => return Ok(Err(self.failed_later(to, &proved, failure))),
        };
        let token = match self.token(to, offer, &asked.client, &wishes, &proved).await {
            Ok(token) => token,
            Err(failure) => return Ok(Err(self.failed_later(to, &proved, failure))),
        };
        // With tasks it was said before the first of them.
        let data = proved.data.as_deref().filter(|_| upgraded == Upgraded::Nothing).map(encode_plain);
        let client = asked.client.id().map(Box::from);
        Ok(Ok((proved.authn, Box::new(Welcome { asked: element, client, data, token }))))
    }

    /// The proof was right, and something behind it was not.
    fn failed_later(&self, to: &OpenedTo, proved: &Proved, failure: Failure) -> Failed {
        self.note_failure(&to.host, proved.tried, failure);
        let jid = Some(proved.authn.jid().as_str().to_owned());
        Failed { failure, why: failure.as_str(), jid }
    }

    /// What the proof does not decide yet: whether its claim fits the stream (section 2.3), and whether a token is still good. Makes
    /// the next token.
    async fn token(
        &self,
        to: &OpenedTo,
        offer: &Offer,
        client: &Client,
        wishes: &fast::Asked,
        proved: &Proved,
    ) -> Result<Option<Tree>, Failure> {
        if proved.named && to.from.as_ref().is_some_and(|from| from.bare_str() != proved.authn.jid().as_str()) {
            return Err(Failure::InvalidAuthzid);
        }
        let Some(account) = &proved.account else { return Ok(None) };
        let wants = wishes.wants.as_deref();
        let wants = offer.token_names().find(|name| wants == Some(name.as_str()));
        let (server, Some(client)) = (&self.context.server, client.id()) else { return Ok(None) };
        match (wishes.uses, &proved.token, wants) {
            (Some(uses), Some((candidates, at)), wants) => {
                let redeemed = Redeemed { account, client, candidates, proved: *at, uses, wants };
                tokens::redeem(server, &to.host, redeemed).await
            }
            (None, None, Some(mechanism)) => tokens::give(server, &to.host, account, client, mechanism).await,
            (None, None, None) => Ok(None),
            // A token and no use of it, or the other way round.
            _ => Err(Failure::NotAuthorized),
        }
    }
}
