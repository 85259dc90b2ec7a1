//! One room: what it is, who is in it, and what people are to it.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Failed};
use metronome_host::rooms::Shown;
use metronome_host::server::Server;
use metronome_muc::config::{Field, Shape};
use metronome_proto::payload::muc::Affiliation;
use metronome_proto::payload::truth;

use super::{defaults, shown, unreadable};

pub(super) async fn show(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let address = given.jid("room");
    let room = shown(server, &address).await?;
    let archived = match room.id {
        Some(id) => Cell::Count(server.store.counts(id).await.map_err(unreadable)?.rows),
        None => Cell::None,
    };
    let with = |affiliation| room.affiliations.iter().filter(|(_, known)| *known == affiliation).count() as u64;
    let subject = room.subject.as_deref().filter(|subject| !subject.is_empty());
    let mut facts = vec![
        ("room", Cell::text(address.as_str())),
        ("occupants", Cell::Count(nicks(&room))),
        ("sessions", Cell::Count(room.occupants.len() as u64)),
        ("owners", Cell::Count(with(Affiliation::Owner))),
        ("admins", Cell::Count(with(Affiliation::Admin))),
        ("members", Cell::Count(with(Affiliation::Member))),
        ("outcasts", Cell::Count(with(Affiliation::Outcast))),
        ("archived_messages", archived),
        ("subject", subject.map_or(Cell::None, Cell::text)),
    ];
    facts.extend(defaults::table().fields().iter().map(|field| (defaults::short(field.var), value(&room, field))));
    Ok(Answer::Facts(facts))
}

/// Several sessions may share a nickname.
fn nicks(room: &Shown) -> u64 {
    let mut nicks: Vec<_> = room.occupants.iter().map(|occupant| &occupant.nick).collect();
    nicks.sort_unstable();
    nicks.dedup();
    nicks.len() as u64
}

/// A value of the configuration; that of a password is nobody's business.
fn value(room: &Shown, field: &Field) -> Cell {
    let values = room.config.get(field.var).map(|field| field.values.as_slice()).unwrap_or_default();
    let text = values.join(" ");
    match field.shape {
        Shape::Flag => Cell::Flag(truth(&text).unwrap_or(false)),
        _ if text.is_empty() => Cell::None,
        Shape::Secret(_) => Cell::text("(not shown)"),
        Shape::Number(_) => text.parse().map_or(Cell::None, Cell::Count),
        Shape::Line(_) | Shape::One(_) | Shape::Some(_) => Cell::text(text),
    }
}

/// What every room can be configured as.
pub(super) fn fields() -> Answer {
    let row = |field: &Field| {
        let values = match field.shape {
            Shape::Flag => "true false".to_owned(),
            Shape::Number(max) => format!("0 to {max}"),
            Shape::Line(_) | Shape::Secret(_) => "text".to_owned(),
            Shape::One(options) | Shape::Some(options) => options.iter().map(|(value, _)| *value).collect::<Vec<_>>().join(" "),
        };
        let default = match field.shape {
            Shape::Flag => Cell::Flag(field.default == ["1"]),
            _ if field.default.concat().is_empty() => Cell::None,
            _ => Cell::text(field.default.join(" ")),
        };
        vec![Cell::text(defaults::short(field.var)), Cell::text(values), default, Cell::text(field.label)]
    };
    let rows = defaults::table().fields().iter().map(row).collect();
    Answer::Table { columns: &["field", "values", "default", "about"], rows }
}

pub(super) async fn occupants(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let room = shown(server, &given.jid("room")).await?;
    let rows = room.occupants.iter().map(|occupant| {
        vec![Cell::text(&*occupant.nick), Cell::text(occupant.jid.as_str()), Cell::text(occupant.role.as_str())]
    });
    Ok(Answer::Table { columns: &["nick", "jid", "role"], rows: rows.collect() })
}

pub(super) async fn affiliations(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let room = shown(server, &given.jid("room")).await?;
    let mut known = room.affiliations;
    known.sort_by(|one, other| (other.1, one.0.as_str()).cmp(&(one.1, other.0.as_str())));
    let rows = known.iter().map(|(jid, affiliation)| vec![Cell::text(jid.as_str()), Cell::text(affiliation.as_str())]);
    Ok(Answer::Table { columns: &["who", "affiliation"], rows: rows.collect() })
}
