//! XEP-0045: Multi-User Chat, on a service of each domain. What happens in a room is decided in the crate `muc`, and done by the room's task
//! (`route/rooms`); here is what surrounds it: where the service is, what it says of itself, what stanzas mean, and what becomes of records.

pub mod archive;
pub mod avatar;
pub mod bits;
mod commands;
pub mod defaults;
pub mod discovery;
pub mod hats;
pub mod input;
pub mod logs;
pub mod pace;
pub mod record;
pub mod redirects;
pub(crate) mod removal;
pub mod settings;
pub mod standing;
mod unique;
pub mod upkeep;

use std::sync::Arc;

use metronome_host::feature::{Askers, Asks, At, Feature, IqHandler, Service, Xep};
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::iq::IqType;

pub use settings::SETTINGS;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "muc",
    xeps: &[
        Xep::new(45, "1.35.5", "Multi-User Chat"),
        Xep::new(249, "1.2", "Direct MUC Invitations"),
        Xep::new(307, "0.1", "Unique Room Names for Multi-User Chat"),
        Xep::new(317, "0.3.1", "Hats"),
        Xep::new(410, "1.1.0", "MUC Self-Ping (Schrödinger's Chat)"),
        Xep::new(421, "1.0.1", "Occupant identifiers for semi-anonymous MUCs"),
        Xep::new(425, "0.3.0", "Moderated Message Retraction"),
        Xep::new(486, "0.1.0", "MUC Avatars"),
        Xep::new(231, "1.1", "Bits of Binary"),
        Xep::new(463, "0.2.0", "MUC Affiliations Versioning"),
        Xep::new(500, "0.1.1", "MUC Slow Mode"),
    ],
    service: Some(&SERVICE),
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::Service(NAME),
            ns: ns::DISCO_ITEMS,
            name: "query",
            asks: Asks::Read,
            handle: |server, env| Box::pin(discovery::items(server, env)),
        },
        archive::FORM,
        archive::QUERY,
        archive::METADATA,
        avatar::GET,
        IqHandler {
            kind: IqType::Get,
            at: At::Service(NAME),
            ns: ns::MUC_UNIQUE,
            name: "unique",
            asks: Asks::Read,
            handle: |server, env| Box::pin(unique::answer(server, env)),
        },
    ],
    settings: SETTINGS,
    check: defaults::check,
    commands: commands::COMMANDS,
    ..Feature::NONE
};

/// The short name of the service.
pub const NAME: &str = "rooms";

/// The service that each domain has.
pub static SERVICE: Service = Service {
    name: NAME,
    identity: ("conference", "text"),
    title: "Rooms",
    disco: &[ns::MUC, ns::MUC_STABLE_ID, ns::MUC_UNIQUE, ns::VCARD],
    place: &settings::PLACE,
    askers: Askers::Anybody,
};

/// Whether an address is that of a room, there or not, or of an occupant.
pub fn is_room(server: &Server, jid: &Jid) -> bool {
    jid.local().is_some() && server.hosts.load().service(jid.domain()).is_some_and(|host| host.at() == At::Service(NAME))
}

/// The services with rooms that are served; of two at one address the one that has it.
pub(crate) fn services(server: &Server) -> Vec<Arc<Host>> {
    let hosts = server.hosts.load();
    let is_served = |host: &&Arc<Host>| hosts.service(host.name.as_str()).is_some_and(|served| Arc::ptr_eq(served, host));
    let all = hosts.iter().flat_map(|host| &host.services).filter(|host| host.at() == At::Service(NAME));
    all.filter(is_served).cloned().collect()
}
