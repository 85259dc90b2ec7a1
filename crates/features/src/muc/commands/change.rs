//! Rooms that are made and changed.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Failed, is_operator};
use metronome_host::effect::Effect;
use metronome_host::rooms::Question;
use metronome_host::server::Server;
use metronome_host::switches::{Position, Switch};
use metronome_model::{Op, Outcome, Record, Role};
use metronome_muc::config::PERSISTENT;
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::Field as FormField;
use metronome_proto::payload::muc::{AdminRequest, Affiliation, Item};
use metronome_proto::stanza::error::Condition;

use super::{ask, defaults, form, refused, service};
use crate::accounts;

pub(super) async fn create(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let room = given.jid("room");
    service(server, &room)?;
    let owner = Jid::parse(given.text("owner")).ok().filter(|jid| jid.is_bare() && !jid.is_domain());
    let owner = owner.ok_or_else(|| Failed::usage("`owner` must be an address like alice@example.org"))?;
    let lines = given.text_if_given("config").unwrap_or_default();
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    let pairs = lines.map(|line| match line.split_once('=') {
        Some((name, value)) => Ok((name.trim(), value.trim())),
        None => Err(Failed::usage(format!("`config`: `{line}` is not of the form `field = value`"))),
    });
    let mut form = form(pairs.collect::<Result<Vec<_>, _>>()?)?;
    if form.get(PERSISTENT.var).is_none() {
        form = form.field(FormField::untyped(PERSISTENT.var).value("1"));
    }
    match server.rooms.ask(&room, Question::Create { owner: owner.clone(), form: Some(form) }).await {
        Ok(_) => Ok(Answer::text(format!("{room} was made, and {owner} owns it"))),
        Err(error) if error.condition == Condition::Conflict => Err(Failed::problem(format!("{room} is there already"))),
        Err(error) => Err(refused(&room, &error)),
    }
}

pub(super) async fn set(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let room = given.jid("room");
    let form = form([(given.text("field"), given.text_if_given("value").unwrap_or_default())])?;
    ask(server, &room, Question::Configure(form)).await?;
    let field = defaults::field(given.text("field")).map_or("", |field| defaults::short(field.var));
    Ok(Answer::text(format!("{field} of {room} was changed")))
}

pub(super) async fn affiliation(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let (room, who) = (given.jid("room"), given.text("who"));
    let who = Jid::parse(who).ok().filter(Jid::is_bare);
    let who = who.ok_or_else(|| Failed::usage("`who` must be a bare address like alice@example.org, or a domain"))?;
    let affiliation = Affiliation::of(given.text("affiliation")).unwrap_or_default();
    let reason = given.text_if_given("reason").map(Box::from);
    let item = Item { affiliation: Some(affiliation), role: None, jid: Some(who.clone()), nick: None, reason };
    ask(server, &room, Question::Admin(AdminRequest::Set(vec![item]))).await?;
    Ok(Answer::text(match affiliation {
        Affiliation::None => format!("{who} is nothing in particular to {room}"),
        affiliation => format!("{who} is {} of {room}", affiliation.as_str()),
    }))
}

/// The switch may be set for any account, and means something only for those of administrators.
pub(super) async fn superuser(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = accounts::find(server, &jid).await?;
    let is_admin = account.role == Role::Admin || is_operator(&server.hosts.load().values, &jid);
    if !is_admin {
        return Err(Failed::problem(format!("{} is no administrator", jid.bare()))
            .with_hint(format!("metronomectl user role {} admin", jid.bare())));
    }
    let _locked = server.owners.lock(&[account.id]).await;
    let position = (given.text("state") == "on").then_some(Position::On);
    let document = Box::new(Switch::OwnsRooms.document(position));
    let record = Record::of(Op::SetDocument { owner: account.id, document });
    match server.commit_with(record, vec![Effect::Forget(jid.bare())]).await {
        Outcome::Done { .. } => {}
        _ => return Err(Failed::problem("it cannot be stored now")),
    }
    Ok(Answer::text(match position {
        Some(_) => format!("{} owns all rooms of {} until this is switched off", jid.bare(), jid.domain()),
        None => format!("{} is in rooms what they say", jid.bare()),
    }))
}
