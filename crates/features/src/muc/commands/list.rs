//! The rooms that there are, from the store, page by page: no room is put to work for it.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Failed};
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_model::Visibility;
use metronome_muc::config::{Config, NAME, PERSISTENT};
use metronome_proto::jid::Jid;
use metronome_proto::payload::delay::format_time;
use metronome_store::rooms::{ListedRoom, RoomsListed};

use super::unreadable;
use crate::muc;

/// Most rooms in one answer.
const LISTED_MAX: usize = 10_000;
const PAGE: usize = 500;

pub(super) async fn run(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let services = services(server, given.domain_if_given("host").as_ref())?;
    if given.flag("destroyed") { destroyed(server, &services).await } else { present(server, &services).await }
}

/// Those of one domain, or all.
fn services(server: &Server, wanted: Option<&Jid>) -> Result<Vec<Arc<Host>>, Failed> {
    let mut found = muc::services(server);
    let Some(wanted) = wanted else { return Ok(found) };
    found.retain(|host| host.name == *wanted || host.beside.as_ref().is_some_and(|beside| beside.domain == *wanted));
    if found.is_empty() { Err(Failed::problem(format!("{wanted} has no rooms"))) } else { Ok(found) }
}

async fn present(server: &Server, services: &[Arc<Host>]) -> Result<Answer, Failed> {
    let mut rows = Vec::new();
    for service in services {
        let mut after: Option<Box<str>> = None;
        while rows.len() < LISTED_MAX {
            let domain = service.name.as_str();
            let page = server.store.rooms(domain, RoomsListed::All, after.as_deref(), PAGE).await.map_err(unreadable)?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            rows.extend(page.iter().map(|room| row(server, domain, room)));
        }
    }
    Ok(Answer::Table { columns: &["room", "name", "public", "stays", "in_use", "created", "used"], rows })
}

fn row(server: &Server, domain: &str, room: &ListedRoom) -> Vec<Cell> {
    let config = Config::decode(&room.row.config);
    let name = config.text(&NAME);
    let address = Jid::from_parts(Some(&room.name), domain, None);
    let is_in_use = address.is_ok_and(|address| server.rooms.is_in_use(&address));
    let time = |at_ms: u64| Cell::text(format_time(i64::try_from(at_ms).unwrap_or(i64::MAX)));
    vec![
        Cell::text(format!("{}@{domain}", room.name)),
        if name.is_empty() { Cell::None } else { Cell::text(name) },
        Cell::Flag(room.row.visibility == Visibility::Listed),
        Cell::Flag(config.is_on(&PERSISTENT)),
        Cell::Flag(is_in_use),
        time(room.row.created_ms),
        time(room.row.used_ms),
    ]
}

async fn destroyed(server: &Server, services: &[Arc<Host>]) -> Result<Answer, Failed> {
    let mut rows = Vec::new();
    for service in services {
        let mut after: Option<Box<str>> = None;
        while rows.len() < LISTED_MAX {
            let domain = service.name.as_str();
            let page = server.store.redirects(domain, after.as_deref(), PAGE).await.map_err(unreadable)?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            rows.extend(page.iter().map(|redirect| {
                vec![
                    Cell::text(format!("{}@{domain}", redirect.name)),
                    redirect.to.as_ref().map_or(Cell::None, |to| Cell::text(to.as_str())),
                    redirect.reason.as_deref().map_or(Cell::None, Cell::text),
                    Cell::text(format_time(i64::try_from(redirect.at_ms).unwrap_or(i64::MAX))),
                ]
            }));
        }
    }
    Ok(Answer::Table { columns: &["room", "successor", "reason", "destroyed"], rows })
}
