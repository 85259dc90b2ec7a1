//! RFC 6121 section 2: the roster, with versions (section 2.6, once XEP-0237). What clients ask and change; subscriptions change it
//! through [`exchange`]. Stores the contacts; keeps in memory what presence needs of them while the account is online.

pub mod exchange;
pub mod load;
pub mod push;
mod view;

use std::sync::Arc;

use metronome_host::contacts::{Contacts, Fixed};
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, StreamFeature, StreamState, Xep};
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Contact, Listed, RosterVersion};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::roster::{self, Change};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind as StanzaKind, Name, Stanza};
use metronome_proto::subscription::{Subscription, Verb};
use metronome_proto::xml::{Content, Tree};

use exchange::{Exchange, Side};
use load::Loaded;
pub use load::may_see;

/// How many contacts an account may have.
pub const CONTACTS: Setting = Setting::new(
    "limits.roster",
    Kind::Count { min: 1, max: 10_000 },
    "2000",
    "Most contacts of one account.",
)
.per_host();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "roster",
    xeps: &[Xep::new(237, "1.3", "Roster Versioning")],
    disco: &[ns::ROSTER],
    stream: &[
        StreamFeature { when: StreamState::Authenticated, announce: |_, _| Some(Tree::new(ns::ROSTER_VERSIONS, "ver")) },
        StreamFeature { when: StreamState::Authenticated, announce: |_, _| Some(Tree::new(ns::PRE_APPROVAL, "sub")) },
    ],
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::OwnAccount,
            ns: ns::ROSTER,
            name: "query",
            asks: Asks::Read,
            handle: |server, env| Box::pin(get(server, env)),
        },
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::ROSTER,
            name: "query",
            asks: Asks::Change,
            handle: |server, env| Box::pin(set(server, env)),
        },
    ],
    settings: &[CONTACTS],
    ..Feature::NONE
};

/// Answers with the roster, or with what has changed since the version that the client has (sections 2.1.4 and 2.6.3).
async fn get(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let session = env.sender.session()?.clone();
    let wanted = env.stanza.content.iter().next().and_then(|query| roster::version(&query));
    // From here on changes are pushed. They wait for the lock, so every push comes behind the result that it changes.
    env.locked = Some(server.owners.lock(&[session.account]).await);
    let known = server.sessions.contacts(session.account);
    if let (Some(wanted), Some(contacts)) = (&wanted, &known)
        && *wanted == view::version(session.account, contacts.version.current, contacts.groups)
    {
        env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
        session.set_interested();
        return Ok(());
    }
    let Loaded { contacts, rows, groups } = load::read(server, session.account, &session.jid).await?;
    let since = wanted.as_deref().and_then(|wanted| view::since(wanted, session.account, contacts.groups));
    match since.and_then(|since| changed_since(since, contacts.version, &rows)) {
        Some(changed) => {
            env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
            for row in changed {
                let frame = push::item(server, &session, row, &groups, contacts.groups);
                env.effects.push(Effect::Write(session.clone(), Name::Iq, frame));
            }
        }
        None => {
            let version = view::version(session.account, contacts.version.current, contacts.groups);
            let query = view::all(&rows, &groups).into_iter().fold(roster::query(&version), Tree::child);
            env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&query))));
        }
    }
    session.set_interested();
    Ok(())
}

/// The rows that have changed since a version, in the order of their changes; none where that is not known (a row was removed, or the
/// version is from the future) or where it is so much that the whole roster is not more.
fn changed_since(since: u64, version: RosterVersion, rows: &[Contact]) -> Option<Vec<&Contact>> {
    const ROWS_MAX: usize = 128;
    const BYTES_MAX: usize = 64 * 1024;
    if since < version.removed || since > version.current {
        return None;
    }
    let changed = rows.iter().filter(|row| row.version > since && row.listed == Listed::Yes);
    let mut changed: Vec<&Contact> = changed.collect();
    changed.sort_unstable_by_key(|row| row.version);
    let bytes: usize = changed.iter().map(|row| row.len_bytes()).sum();
    (changed.len() <= ROWS_MAX && bytes <= BYTES_MAX).then_some(changed)
}

/// Changes one contact (sections 2.3 to 2.5).
async fn set(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let change = Change::read(&query)?;
    let (Change::Set { jid, .. } | Change::Remove { jid }) = &change;
    if jid.bare_str() == env.sender.session()?.jid.bare_str() {
        return Err(StanzaError::new(Condition::NotAllowed).with_text("you are not your own contact").into());
    }
    let contacts = load::contacts(server, env.sender.session()?.account, &env.sender.session()?.jid).await?;
    refuse_fixed(&contacts, jid)?;
    match change {
        Change::Set { jid, name, groups } => keep(server, env, &jid, name, groups).await?,
        Change::Remove { jid } => remove(server, env, &jid).await?,
    }
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// What a shared group gives, only the operator takes away.
pub fn refuse_fixed(contacts: &Contacts, jid: &Jid) -> Result<(), Refuse> {
    match contacts.get(jid.as_str()) {
        Some(known) if known.fixed != Fixed::No => {
            Err(StanzaError::new(Condition::Forbidden).with_text("this contact comes from a shared group").into())
        }
        _ => Ok(()),
    }
}

/// The same for a stanza that manages a subscription. Whether somebody whom everybody sees may see the account is the account's
/// own business.
pub fn refuse_fixed_direction(contacts: &Contacts, jid: &Jid, verb: Verb) -> Result<(), Refuse> {
    let one_way = contacts.get(jid.as_str()).is_some_and(|known| known.fixed == Fixed::ToGroup);
    match verb {
        Verb::Subscribed | Verb::Unsubscribed if one_way => Ok(()),
        _ => refuse_fixed(contacts, jid),
    }
}

async fn keep(
    server: &Arc<Server>,
    env: &mut Envelope,
    jid: &Jid,
    name: Option<Box<str>>,
    groups: Vec<Box<str>>,
) -> Result<(), Refuse> {
    let (account, me) = (env.sender.session()?.account, env.sender.session()?.jid.bare());
    env.locked = Some(server.owners.lock(&[account]).await);
    let mut side = Side::read(server, account, &me, jid).await?;
    side.after = Contact { name, groups, listed: Listed::Yes, ..side.after };
    side.refuse_too_many(&env.host, &server.sessions.contacts(account).unwrap_or_default())?;
    side.finish_set(&mut env.record, &mut env.effects);
    Ok(())
}

/// Removes a contact, which ends the subscriptions in both directions (section 2.5.2).
async fn remove(server: &Arc<Server>, env: &mut Envelope, jid: &Jid) -> Result<(), Refuse> {
    let (account, me) = (env.sender.session()?.account, env.sender.session()?.jid.bare());
    let (other, locked) = exchange::lock(server, account, jid).await?;
    env.locked = Some(locked);
    let mut exchange = Exchange::read(server, account, &me, jid, other).await?;
    if exchange.mine.before.listed == Listed::No {
        return Err(Condition::ItemNotFound.into());
    }
    exchange.end(&me);
    exchange.mine.after = Contact {
        name: None,
        groups: Vec::new(),
        listed: Listed::No,
        subscription: Subscription { approved: false, ..exchange.mine.after.subscription },
        ..exchange.mine.after
    };
    exchange.finish(&mut env.record, &mut env.effects);
    Ok(())
}

/// A stanza that manages a subscription, as the server itself makes it.
pub(crate) fn stanza(verb: Verb, from: &Jid, to: &Jid) -> Stanza {
    Stanza::new(StanzaKind::Presence(verb.presence()), from.bare()).with_to(to.bare())
}
