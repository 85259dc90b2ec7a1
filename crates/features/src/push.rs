//! XEP-0357: Push Notifications: clients name services that are told when something has come and they are not looking. Which messages are
//! worth it is said in `decide`; `route::push` tells the services. Kept as one document of the account, which facts know.

pub mod decide;

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::facts::AccountFacts;
use metronome_host::feature::{Asks, At, Feature, Handle, IqHandler, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::services::{News, Service, Services};
use metronome_host::switches::{Position, Switch, Switches};
use metronome_model::{AccountId, Drawer, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::push::{Disable, Enable, Summary};
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

/// Most services of one account.
pub const SERVICES: Setting = Setting::new(
    "limits.push.services",
    Kind::Count { min: 1, max: 100 },
    "10",
    "Most nodes of push services that one account may have enabled at once; one more is refused.",
)
.per_host();

/// What services are told of a message.
pub const CONTENT: Setting = Setting::new(
    "push.content",
    Kind::Choice(&["none", "sender", "all"]),
    "\"none\"",
    "What push services, which belong to others, are told of the last message beside how many there are: nothing, who sent it, or \
     also what it says. Accounts may ask that less is told of theirs, not more.",
)
.per_host();

/// The settings of push notifications.
pub const SETTINGS: &[Setting] = &[SERVICES, CONTENT];

/// After so many failures in a row that may pass by themselves, a service is disabled.
pub const FAILURES_MAX: u32 = 20;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "push",
    xeps: &[Xep::new(357, "0.4.1", "Push Notifications")],
    disco_account: &[ns::PUSH],
    iq: &[
        switch("enable", |server, env| Box::pin(enable(server, env))),
        switch("disable", |server, env| Box::pin(disable(server, env))),
    ],
    settings: SETTINGS,
    ..Feature::NONE
};

const fn switch(name: &'static str, handle: Handle) -> IqHandler {
    IqHandler { kind: IqType::Set, at: At::OwnAccount, ns: ns::PUSH, name, asks: Asks::Change, handle }
}

/// Section 5. A service and node that is enabled already gets the new options.
async fn enable(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let what = Enable::read(&env.stanza.content.iter().next().ok_or(Condition::BadRequest)?)?;
    if env.sender.session()?.is_guest() {
        return Err(StanzaError::new(Condition::NotAllowed).with_text("guests are not called back").into());
    }
    let client = env.sender.session()?.jid.resource().unwrap_or_default().into();
    let services_max = env.host.values.count(&SERVICES) as usize;
    change(server, env, |services| {
        let after = services.with(Service { what, client });
        match after.len() > services_max && after.len() > services.len() {
            true => Err(StanzaError::new(Condition::ResourceConstraint).with_text("too many services are enabled").into()),
            false => Ok(after),
        }
    })
    .await
}

/// Section 6. One that is not enabled is none already.
async fn disable(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let Disable { jid, node } = Disable::read(&env.stanza.content.iter().next().ok_or(Condition::BadRequest)?)?;
    change(server, env, |services| match &node {
        Some(node) => Ok(services.without(&jid, Some(node))),
        None => Ok(services.without_all_of(&jid)),
    })
    .await
}

async fn change(
    server: &Arc<Server>,
    env: &mut Envelope,
    changed: impl FnOnce(&Services) -> Result<Services, Refuse>,
) -> Result<(), Refuse> {
    let owner = env.sender.session()?.account;
    env.locked = Some(server.owners.lock(&[owner]).await);
    let before = Services::from_documents(&server.store.documents(owner, &[Drawer::Push]).await?);
    let after = changed(&before)?;
    if after != *before {
        env.record.push(Op::SetDocument { owner, document: Box::new(after.document()) });
        env.effects.push(Effect::Forget(env.sender.session()?.jid.bare()));
    }
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// Disables a node because its service does not want what it is told (section 7.1).
pub async fn give_up(server: &Arc<Server>, owner: AccountId, jid: &Jid, service: &Enable) {
    let _locked = server.owners.lock(&[owner]).await;
    let documents = match server.store.documents(owner, &[Drawer::Push]).await {
        Ok(documents) => documents,
        Err(error) => return tracing::error!(%error, "the services of an account could not be read"),
    };
    let before = Services::from_documents(&documents);
    let node = service.node.as_deref();
    // One that was enabled again meanwhile, with other options, has its chance.
    if before.get(&service.jid, node).is_none_or(|now| now.what != *service) {
        return;
    }
    let document = Box::new(before.without(&service.jid, node).document());
    let record = Record::of(Op::SetDocument { owner, document });
    let outcome = server.commit_with(record, vec![Effect::Forget(jid.bare())]).await;
    tracing::info!(jid = jid.bare_str(), service = service.jid.as_str(), ?outcome, "a push service is disabled");
}

/// Whether an error of a service says that it will not change its mind. Others may pass.
pub fn is_final(error: &StanzaError) -> bool {
    let passes = matches!(
        error.condition,
        Condition::ServiceUnavailable
            | Condition::RecipientUnavailable
            | Condition::RemoteServerNotFound
            | Condition::RemoteServerTimeout
            | Condition::ResourceConstraint
            | Condition::InternalServerError
    );
    !passes && error.kind != ErrorType::Wait
}

/// What of the last message may be told at all; known before anything is read.
pub fn news_of(news: News, host: &Host, switches: Switches) -> News {
    let allowed = |switch| switches.get(switch) != Some(Position::Off);
    let (sender, body) = match host.values.text(&CONTENT) {
        "all" => (allowed(Switch::PushSender), allowed(Switch::PushBody) && allowed(Switch::PushSender)),
        "sender" => (allowed(Switch::PushSender), false),
        _ => (false, false),
    };
    News { sender: news.sender.filter(|_| sender), body: news.body.filter(|_| body) }
}

/// What a service is told of an account (section 7).
pub async fn summary(server: &Server, host: &Host, facts: &AccountFacts, news: News) -> Result<Summary, Refuse> {
    let owner = facts.account.id;
    let messages = server.store.unseen_count(owner).await?;
    let subscriptions = server.store.roster_size(owner).await?.waiting;
    let News { sender, body } = news_of(news, host, facts.switches);
    Ok(Summary {
        messages: Some(messages),
        subscriptions: Some(subscriptions).filter(|&count| count > 0),
        sender,
        body,
    })
}

#[cfg(test)]
mod tests {
    use metronome_host::options::Values;
    use metronome_host::registry::Registry;

    use super::*;

    #[test]
    fn services_are_told_what_both_the_host_and_the_owner_allow() {
        let told = |content: &str, documents: &[metronome_model::Document]| {
            let values = Values::defaults(&[metronome_host::hosts::SETTINGS, SETTINGS]).with("push.content", content);
            let host = Host::new(Jid::parse("localhost").unwrap(), values, Arc::new(Registry::new(&[])), None);
            let news = News { sender: Some(Jid::parse("a@b").unwrap()), body: Some("hi".into()) };
            let news = news_of(news, &host, Switches::from_documents(documents));
            (news.sender.is_some(), news.body.is_some())
        };
        let off = |switch: Switch| switch.document(Some(Position::Off));
        let on = |switch: Switch| switch.document(Some(Position::On));
        assert_eq!(told("\"none\"", &[on(Switch::PushSender), on(Switch::PushBody)]), (false, false));
        assert_eq!(told("\"sender\"", &[on(Switch::PushBody)]), (true, false));
        assert_eq!(told("\"sender\"", &[off(Switch::PushSender)]), (false, false));
        assert_eq!(told("\"all\"", &[]), (true, true));
        assert_eq!(told("\"all\"", &[off(Switch::PushBody)]), (true, false));
        assert_eq!(told("\"all\"", &[off(Switch::PushSender)]), (false, false), "words without a name tell too much");
    }

    #[test]
    fn what_may_pass_is_not_final() {
        for condition in [Condition::ItemNotFound, Condition::Forbidden, Condition::NotAuthorized, Condition::BadRequest] {
            assert!(is_final(&condition.into()), "{condition:?}");
            assert!(!is_final(&StanzaError::new(condition).with_type(ErrorType::Wait)), "{condition:?}");
        }
        for condition in [Condition::ServiceUnavailable, Condition::RemoteServerNotFound, Condition::ResourceConstraint] {
            assert!(!is_final(&condition.into()), "{condition:?}");
        }
    }
}
