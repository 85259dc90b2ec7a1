//! Requests for an account before the login (XEP-0077): what the stream must do for them. They are decided in `features::register`.

use std::sync::Arc;
use std::time::Duration;

use metronome_features::register::newcomer::{Answer, Channel, Newcomer, Refusal};
use metronome_host::hosts::{self, Host};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::{IqType, Kind, Received, Stanza, Unreadable};
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::{Content, Element};

use super::negotiate::Secured;
use crate::stream::Fault;

/// For how long somebody may think about a name and a password.
const FILLING_IN: Duration = Duration::from_secs(300);
/// From the new account to the bound resource.
const LOGGING_IN: Duration = Duration::from_secs(30);

/// Whether this asks for an account.
pub(super) fn is_request(element: &Element) -> bool {
    element.is(ns::CLIENT, "iq") && element.child(ns::REGISTER, "query").is_some()
}

impl Secured {
    /// Answers a request for an account.
    pub(super) async fn register(
        &mut self,
        host: &Arc<Host>,
        newcomer: &mut Newcomer,
        element: Element,
    ) -> Result<(), Fault> {
        let request = match Received::read(element, ns::CLIENT) {
            Ok(request) => request,
            Err(Unreadable::Refused(refused)) => {
                let reply = refused.into_reply(host.name.clone(), host.name.clone());
                return self.stream.send(&to_nobody(reply.ok_or(Condition::NotAuthorized)?, host).to_vec()).await;
            }
            Err(Unreadable::NotStanza(_) | Unreadable::BadFrom) => return Err(Condition::NotAuthorized.into()),
        };
        // What the administrator says now counts, and not what was said when the stream was opened.
        let host = &self.context.server.hosts.load().get(host.name.as_str()).cloned().ok_or(Condition::HostGone)?;
        let to_host = request.to.as_ref().is_none_or(|to| *to == host.name);
        // Nothing else is done for somebody who has not logged in, and answers were not asked for.
        if !to_host || !matches!(request.kind, Kind::Iq(IqType::Get | IqType::Set)) {
            return Err(Condition::NotAuthorized.into());
        }
        let channel = match self.facts.encrypted || host.values.flag(&hosts::PLAIN_WITHOUT_TLS) {
            true => Channel::Private,
            false => Channel::Readable,
        };
        let answer = newcomer.answer(&self.context.server, host, channel, &request).await;
        match answer {
            Ok(Answer::ToFillIn(_)) => self.stream.allow(FILLING_IN),
            Ok(Answer::Made) => self.stream.allow(LOGGING_IN),
            Err(_) => {}
        }
        self.stream.send(&reply(host, &request, answer).to_vec()).await
    }
}

/// The answer to somebody who has no address yet. What was sent does not go back: there may be a password in it.
fn reply(host: &Host, request: &Received, answer: Result<Answer, Refusal>) -> Stanza {
    let (kind, content) = match answer {
        Ok(Answer::ToFillIn(query)) => (IqType::Result, Content::from_tree(&query)),
        Ok(Answer::Made) => (IqType::Result, Content::empty()),
        Err(error) => (IqType::Error, Content::from_tree(&error.tree())),
    };
    let mut reply = Stanza::new(Kind::Iq(kind), host.name.clone()).with_content(content);
    reply.id.clone_from(&request.id);
    reply
}

fn to_nobody(reply: Stanza, host: &Host) -> Stanza {
    let from: Jid = host.name.clone();
    Stanza { from, to: None, ..reply }
}
