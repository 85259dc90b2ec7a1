//! The logs of rooms that everybody may read on web pages: of which rooms, since when, and where. The pages are in `net`; since when a room is
//! public is kept with its configuration, in the crate `muc`.

use std::sync::Arc;

use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use metronome_host::{segments, web};
use metronome_model::AccountId;
use metronome_muc::config::{Config, DESCRIPTION, NAME as TITLE};
use metronome_muc::logs::public_since;
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use metronome_store::rooms::RoomsListed;

use super::NAME;
use crate::reading::Reading;

/// Whether there are such pages.
pub const SHOWN: Setting = Setting::new(
    "rooms.logs",
    Kind::Flag,
    "true",
    "Whether web pages (`/logs/`) show to everybody what is said in rooms that are open to all, where the owners have chosen that \
     conversations are recorded in public (`muc#roomconfig_enablelogging`); who enters such a room is told. What was said before they chose \
     that is not shown.",
)
.per_host();

/// The first part of the path of these pages.
pub const PATH: &str = "/logs/";

/// Rooms that are looked at for one list.
const LOOKED_AT_MAX: usize = 2000;

/// Rooms of one read.
const READ_MAX: usize = 200;

/// A room whose log everybody may read.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its address.
    pub address: Jid,
    /// What people call it; its name if they call it nothing else.
    pub title: String,
    /// What it is about; may be empty.
    pub about: String,
    /// What may be read.
    pub reading: Reading,
}

/// Some rooms, and from where it goes on.
#[derive(Debug, Default)]
pub struct Listed {
    /// In the order of their names.
    pub rooms: Vec<Logged>,
    /// The name behind which the list goes on, if it may.
    pub next: Option<Box<str>>,
}

/// The service with the rooms of a domain, or the service itself; none where there is none, or no pages are shown.
pub fn service(server: &Server, host: &Arc<Host>) -> Option<Arc<Host>> {
    let hosts = server.hosts.load();
    hosts.service_of(host, NAME).filter(|service| service.values.flag(&SHOWN)).cloned()
}

/// Rooms of a service whose logs everybody may read, behind a name; at most so many.
pub async fn listed(server: &Server, service: &Host, after: Option<&str>, most: usize) -> Result<Listed, StoreError> {
    let (mut listed, mut after) = (Listed::default(), after.map(Box::from));
    let mut looked_at = 0;
    while looked_at < LOOKED_AT_MAX {
        let rooms = server.store.rooms(service.name.domain(), RoomsListed::Public, after.as_deref(), READ_MAX).await?;
        if rooms.is_empty() {
            return Ok(listed);
        }
        for room in rooms {
            looked_at += 1;
            if listed.rooms.len() >= most {
                listed.next = after;
                return Ok(listed);
            }
            after = Some(room.name.clone());
            listed.rooms.extend(logged(service, &room.name, room.id, &room.row.config));
        }
    }
    listed.next = after;
    Ok(listed)
}

/// The room of this name, if everybody may read its log. Of all others nobody learns whether they are there.
pub async fn open(server: &Server, service: &Host, name: &str) -> Result<Option<Logged>, StoreError> {
    // Only a prepared name is that of a room.
    let jid = Jid::from_parts(Some(name), service.name.domain(), None);
    if jid.map_or(true, |jid| jid.local() != Some(name)) {
        return Ok(None);
    }
    let stored = server.store.room(service.name.domain(), name).await?;
    Ok(stored.and_then(|room| logged(service, name, room.id, &room.row.config)))
}

/// Where the log of a room is, if everybody may read it and the web server can be reached.
pub fn address(server: &Server, service: &Host, name: &str, config: &Config) -> Option<String> {
    public_since(config).filter(|_| service.values.flag(&SHOWN))?;
    let domain = server.hosts.load().get(service.beside.as_ref()?.domain.as_str()).cloned()?;
    Some(format!("{}{PATH}{}/", web::base(server, &domain)?, segments::write(name)))
}

fn logged(service: &Host, name: &str, owner: AccountId, config: &[u8]) -> Option<Logged> {
    let config = Config::decode(config);
    let since_ms = public_since(&config)?;
    let title = Some(config.text(&TITLE)).filter(|title| !title.trim().is_empty()).unwrap_or(name).to_owned();
    Some(Logged {
        address: Jid::from_parts(Some(name), service.name.domain(), None).ok()?,
        title,
        about: config.text(&DESCRIPTION).to_owned(),
        reading: Reading { owner, with: None, since_ms },
    })
}
