//! XEP-0077: In-Band Registration. What somebody with an account does with it: another password, or the end of it. Those without one
//! are answered by [`newcomer`], which `net` asks before the login. Stores accounts through [`crate::accounts::change`]; keeps what may
//! happen only so often in `Server::throttles`.

pub mod newcomer;
pub mod policy;

use std::sync::Arc;
use std::time::Duration;

use metronome_host::derivations::Patience;
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, StreamFeature, StreamState, Xep};
use metronome_host::hosts;
use metronome_host::options::{Frequency, Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::prepare_local;
use metronome_proto::ns;
use metronome_proto::payload::register::{self, Request, Submitted};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::accounts::change::{Ends, hold};
use crate::accounts::{keys, removal};

/// Whether anybody may make an account.
pub const OPEN: Setting = Setting::new(
    "registration.open",
    Kind::Flag,
    "false",
    "Whether anybody who connects may make an account. People with an account change their password and delete it in any case.",
)
.per_host();

/// How many accounts an address may make.
pub const PER_ADDRESS: Setting = Setting::new(
    "registration.per_address",
    Kind::Frequency,
    "\"5/h\"",
    "How many accounts may be made from one address (of IPv6: one /64). Names that are taken may be tried ten times as often.",
);

/// How many accounts all may make.
pub const TOTAL: Setting = Setting::new(
    "registration.total",
    Kind::Frequency,
    "\"20/min\"",
    "How many accounts may be made by all newcomers together.",
);

/// Who is not limited.
pub const ALLOW: Setting = Setting::new(
    "registration.allow",
    Kind::Networks,
    "[]",
    "Networks from which any number of accounts may be made, within `registration.total`.",
);

/// Whether others are turned away.
pub const ALLOWED_ONLY: Setting = Setting::new(
    "registration.allowed_only",
    Kind::Flag,
    "false",
    "Whether only those in the networks of `registration.allow` may make accounts.",
);

/// Who is turned away.
pub const DENY: Setting =
    Setting::new("registration.deny", Kind::Networks, "[]", "Networks from which nobody may make an account.");

/// Names that nobody gets.
pub const RESERVED: Setting = Setting::new(
    "registration.reserved",
    Kind::List,
    "[\"abuse\", \"admin\", \"administrator\", \"anonymous\", \"contact\", \"guest\", \"help\", \"hostmaster\", \"info\", \
     \"mailer-daemon\", \"metronome\", \"moderator\", \"no-reply\", \"noreply\", \"nobody\", \"operator\", \"owner\", \
     \"postmaster\", \"root\", \"security\", \"server\", \"service\", \"support\", \"system\", \"webmaster\", \"xmpp\"]",
    "Names that newcomers cannot have, because others would take them for somebody who speaks for the server. `metronomectl` can \
     give them to anybody.",
)
.per_host();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "register",
    xeps: &[Xep::new(77, "2.4", "In-Band Registration")],
    disco: &[ns::REGISTER],
    stream: &[StreamFeature {
        when: StreamState::Secured,
        announce: |_, host| host.values.flag(&OPEN).then(register::feature),
    }],
    iq: &[get_at(At::Host), get_at(At::OwnAccount), set_at(At::Host), set_at(At::OwnAccount)],
    settings: &[
        OPEN,
        PER_ADDRESS,
        TOTAL,
        ALLOW,
        ALLOWED_ONLY,
        DENY,
        RESERVED,
        policy::LENGTH_MIN,
        policy::LENGTH_MAX,
        policy::RULE,
    ],
    ..Feature::NONE
};

/// How often an account may change its password: each time costs keys.
const PASSWORDS: Frequency = Frequency { times: 5, per: Duration::from_secs(60) };

const fn get_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::REGISTER,
        name: "query",
        asks: Asks::Snapshot,
        handle: |_, env| Box::pin(std::future::ready(get(env))),
    }
}

const fn set_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Set,
        at,
        ns: ns::REGISTER,
        name: "query",
        asks: Asks::Change,
        handle: |server, env| Box::pin(set(server, env)),
    }
}

/// Tells somebody that there is an account already (section 3.1).
fn get(env: &mut Envelope) -> Result<(), Refuse> {
    refuse_strangers(env)?;
    refuse_guests(env)?;
    let name = env.sender.session()?.jid.local().unwrap_or_default();
    let query =
        register::registered(name, &format!("You have an account here. {}", policy::instructions(&env.host.values)));
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&query))));
    Ok(())
}

async fn set(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let request = env.stanza.content.iter().next().map(|query| Request::read(&query));
    // There is a password in it: whatever goes wrong from here on, it is not sent back (section 3.3).
    Arc::make_mut(&mut env.stanza).content = Content::empty();
    let request = request.ok_or(Condition::BadRequest)??;
    refuse_strangers(env)?;
    refuse_guests(env)?;
    match request {
        Request::Remove => remove(server, env).await,
        Request::Submit(submitted) => change_password(server, env, submitted).await,
    }
}

/// Accounts of one domain have none at another.
fn refuse_strangers(env: &Envelope) -> Result<(), Refuse> {
    let domain = env.sender.session()?.jid.domain();
    let elsewhere = env.stanza.to.as_ref().is_some_and(|to| to.domain() != domain);
    if elsewhere { Err(Condition::ServiceUnavailable.into()) } else { Ok(()) }
}

/// A guest has no password, and its account ends with its session anyway.
fn refuse_guests(env: &Envelope) -> Result<(), Refuse> {
    if env.sender.session()?.is_guest() {
        return Err(StanzaError::new(Condition::NotAllowed).with_text("you are a guest here").into());
    }
    Ok(())
}

/// What was read of a session before somebody ended it is still settled. But whoever was shut out by another password, or by being
/// disabled, must not undo that with a request that was on its way. Asked under the owner's lock, which whoever ends a session
/// holds as well.
fn refuse_ended(env: &Envelope) -> Result<(), Refuse> {
    if env.sender.session()?.is_closing() { Err(Condition::NotAuthorized.into()) } else { Ok(()) }
}

/// Section 3.3. The session that asks goes on; all others are asked to log in again.
async fn change_password(server: &Arc<Server>, env: &mut Envelope, submitted: Submitted) -> Result<(), Refuse> {
    let bad = |text: &str| Refuse::from(StanzaError::new(Condition::BadRequest).with_text(text));
    let Submitted { username: Some(username), password: Some(password) } = submitted else {
        return Err(bad("a user name and a password are needed"));
    };
    if prepare_local(&username).ok().as_deref() != env.sender.session()?.jid.local() {
        return Err(bad("this is not the name of your account"));
    }
    if env.sender.session()?.is_readable() && !env.host.values.flag(&hosts::PLAIN_WITHOUT_TLS) {
        return Err(StanzaError::new(Condition::NotAuthorized).with_text("encrypt the stream first").into());
    }
    // XEP-0257 section 5.2: whoever came with a certificate need not know the password that would be replaced.
    if env.sender.session()?.mechanism == "EXTERNAL" {
        return Err(StanzaError::new(Condition::NotAuthorized).with_text("log in with the password first").into());
    }
    let password = policy::judge(&env.host.values, &password).map_err(|weak| StanzaError::from(&weak))?;
    if !server.throttles.passwords_changed.take(env.sender.session()?.account, PASSWORDS, server.clock.steady_ms()) {
        return Err(StanzaError::new(Condition::ResourceConstraint)
            .with_text("too many changes, try again later")
            .into());
    }
    let keys = keys::of_password(server, &env.host, password, Patience::Refused).await;
    let keys = keys.map_err(crate::accounts::change::Unchanged::from)?;
    let held = hold(server, env.sender.session()?.account).await?;
    refuse_ended(env)?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    held.set_password(keys, Ends::AllBut(env.sender.session()?.clone())).hand_to(env);
    Ok(())
}

/// Section 3.2: the answer, then the end of every session.
async fn remove(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let removed = removal::remove(server, env.sender.session()?.account, &env.sender.session()?.jid.bare()).await?;
    refuse_ended(env)?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    removed.hand_to(env);
    tracing::info!(jid = env.sender.session()?.jid.bare_str(), "an account deletes itself");
    Ok(())
}
