//! XEP-0257: Client Certificate Management for SASL EXTERNAL, by its own requests and by commands: certificates that people store with
//! their account and log in with, whoever signed them. What becomes of them is decided in [`change`]; the login is `net`'s.

pub mod change;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metronome_host::certificates::{Manages, Stored, from_text};
use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Offered, Role};
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::Account;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::sasl_cert::{self, Item};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::accounts;
use change::{Ends, Refused, append, refuse_readable, remove, stored};

/// Whether people may log in with certificates of their own.
pub const ALLOWED: Setting = Setting::new(
    "auth.own_certificates",
    Kind::Flag,
    "false",
    "Whether people may store certificates with their account and log in with them (SASL EXTERNAL), whoever signed them. Only one that \
     carries the account's address (xmppAddr) can be stored. `auth.mechanisms` must list EXTERNAL too. While it is off, and \
     `tls.client_ca` is empty, clients are not asked for a certificate.",
)
.for_new_streams()
.per_host();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "certificates",
    xeps: &[Xep::new(257, "0.3", "Client Certificate Management for SASL EXTERNAL")],
    disco: &[ns::SASL_CERT],
    disco_account: &[ns::SASL_CERT],
    is_on: |values| values.flag(&ALLOWED),
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::OwnAccount,
            ns: ns::SASL_CERT,
            name: "items",
            asks: Asks::Read,
            handle: |server, env| Box::pin(items(server, env)),
        },
        setter("append", |server, env| Box::pin(on_append(server, env))),
        setter("disable", |server, env| Box::pin(on_remove(server, env, Ends::Nothing))),
        setter("revoke", |server, env| Box::pin(on_remove(server, env, Ends::Sessions))),
    ],
    settings: &[ALLOWED],
    commands: &[
        Command {
            name: "certificate list",
            about: "Lists the certificates that an account can log in with.",
            role: Role::User,
            does: Does::Tells,
            fields: &[Field::own()],
            run: |server, given| Box::pin(list(server, given)),
        },
        Command {
            name: "certificate add",
            about: "Stores a certificate that an account can log in with.",
            role: Role::User,
            does: Does::Changes,
            fields: &[
                Field::own(),
                Field::required("name", FieldKind::Text, "A name for it, such as that of the device.").positional(),
                Field::required("certificate", FieldKind::Lines, "The certificate in PEM, without its key.").positional(),
                Field::optional("limited", FieldKind::Flag, "Who logs in with it can neither add nor remove certificates."),
            ],
            run: |server, given| Box::pin(add(server, given)),
        },
        Command {
            name: "certificate disable",
            about: "Removes a certificate; sessions that have logged in with it go on.",
            role: Role::User,
            does: Does::Changes,
            fields: &[Field::own(), WHICH],
            run: |server, given| Box::pin(take_away(server, given, Ends::Nothing)),
        },
        Command {
            name: "certificate revoke",
            about: "Removes a certificate and ends the sessions that have logged in with it.",
            role: Role::User,
            does: Does::Changes,
            fields: &[Field::own(), WHICH],
            run: |server, given| Box::pin(take_away(server, given, Ends::Sessions)),
        },
    ],
    ..Feature::NONE
};

const WHICH: Field = Field::required("name", FieldKind::Text, "The certificate's name.")
    .positional()
    .offering(|server, jid| Box::pin(names(server, jid)));

const fn setter(name: &'static str, handle: metronome_host::feature::Handle) -> IqHandler {
    IqHandler { kind: IqType::Set, at: At::OwnAccount, ns: ns::SASL_CERT, name, asks: Asks::Change, handle }
}

async fn items(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    refuse_readable(env.sender.session()?)?;
    let sessions = server.sessions.of(env.sender.session()?.account);
    let all = stored(server, env.sender.session()?.account).await?;
    let items: Vec<Item> =
        all.iter().map(|stored| Item { resources: resources(stored, &sessions), ..stored.item() }).collect();
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&sasl_cert::items(&items)))));
    Ok(())
}

/// The resources that have logged in with a certificate.
fn resources(stored: &Stored, sessions: &[Arc<Session>]) -> Vec<String> {
    let fingerprint = stored.certified().fingerprint;
    let with_it = sessions.iter().filter(|session| {
        session.certificate().is_some_and(|certified| certified.fingerprint.is(&fingerprint))
    });
    with_it.filter_map(|session| session.jid.resource().map(str::to_owned)).collect()
}

async fn on_append(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let item = Item::read(&env.stanza.content.iter().next().ok_or(Condition::BadRequest)?)?;
    let der = STANDARD.decode(&item.certificate).map_err(|_| Refused::NotACertificate)?;
    let manages = if item.manages_nothing { Manages::Nothing } else { Manages::Certificates };
    let certificate = Stored { name: item.name, der, manages };
    append(server, env.sender.session()?.account, &env.sender.session()?.jid, Some(env.sender.session()?), certificate).await?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

async fn on_remove(server: &Arc<Server>, env: &mut Envelope, ends: Ends) -> Result<(), Refuse> {
    let name = sasl_cert::name(&env.stanza.content.iter().next().ok_or(Condition::BadRequest)?)?;
    remove(server, env.sender.session()?.account, &env.sender.session()?.jid, Some(env.sender.session()?), &name, ends).await?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

async fn account(server: &Arc<Server>, given: &Arguments) -> Result<(Jid, Account), Failed> {
    let jid = given.jid("jid");
    let (_, account) = accounts::find(server, &jid).await?;
    Ok((jid, account))
}

fn asks(given: &Arguments) -> Option<&Session> {
    given.asker().session().map(|session| &**session)
}

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    if let Some(session) = asks(&given) {
        refuse_readable(session)?;
    }
    let (_, account) = account(server, &given).await?;
    let sessions = server.sessions.of(account.id);
    let now_ms = server.clock.unix_ms();
    let row = |stored: &Stored| {
        let left_s = change::leaf(stored).map_or(0, |leaf| leaf.not_after_s.saturating_sub_unsigned(now_ms / 1000));
        vec![
            Cell::text(&stored.name),
            Cell::text(stored.certified().fingerprint.text()),
            Cell::Span(Duration::from_secs(u64::try_from(left_s).unwrap_or(0))),
            Cell::Flag(stored.manages == Manages::Nothing),
            Cell::text(resources(stored, &sessions).join(" ")),
        ]
    };
    let all = stored(server, account.id).await?;
    Ok(Answer::Table {
        columns: &["name", "sha256", "valid_for", "limited", "sessions"],
        rows: all.iter().map(row).collect(),
    })
}

async fn add(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let (jid, account) = account(server, &given).await?;
    let manages = if given.flag("limited") { Manages::Nothing } else { Manages::Certificates };
    let der = from_text(given.text("certificate")).ok_or(Refused::NotACertificate)?;
    let certificate = Stored { name: given.text("name").to_owned(), der, manages };
    append(server, account.id, &jid, asks(&given), certificate).await?;
    Ok(Answer::text(format!("{jid} can log in with {}", given.text("name"))))
}

async fn take_away(server: &Arc<Server>, given: Arguments, ends: Ends) -> Result<Answer, Failed> {
    let (jid, account) = account(server, &given).await?;
    let name = given.text("name");
    let ended = remove(server, account.id, &jid, asks(&given), name, ends).await?;
    Ok(Answer::text(match (ends, ended) {
        (Ends::Nothing, _) | (Ends::Sessions, 0) => format!("nobody can log in with {name} any more"),
        (Ends::Sessions, 1) => format!("nobody can log in with {name} any more, and its session was ended"),
        (Ends::Sessions, count) => format!("nobody can log in with {name} any more, and its {count} sessions were ended"),
    }))
}

async fn names(server: &Arc<Server>, jid: Jid) -> Result<Offered, Failed> {
    let (_, account) = accounts::find(server, &jid).await?;
    let all = stored(server, account.id).await?;
    if all.is_empty() {
        return Err(Failed::problem("there are no certificates"));
    }
    Ok(Offered { choices: all.into_iter().map(|stored| (stored.name.clone(), stored.name)).collect(), current: None })
}
