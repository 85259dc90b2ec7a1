//! Guests (XEP-0175) on a client's stream: who they are, by the address they come from, and how many sessions they may have.

use std::net::IpAddr;

use metronome_host::hosts::Host;
use metronome_host::network::{any_contains, household};
use metronome_host::options::{Kind, Setting};
use metronome_host::server::Server;
use metronome_host::sessions::{BindRules, Conflict};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_sasl::{guest_name, random_guest_name};

/// How many guests may come from one address.
pub const SESSIONS: Setting = Setting::new(
    "guests.sessions",
    Kind::Count { min: 1, max: 1000 },
    "1",
    "How many sessions guests (ANONYMOUS) may have from one network address at the same time (of IPv6: one /64). They are one and the \
     same guest, so each sees what the others get.",
)
.for_new_streams()
.per_host();

/// From where each guest is another one.
pub const RANDOM: Setting = Setting::new(
    "guests.random",
    Kind::Networks,
    "[]",
    "Networks from which each guest gets a name of its own that is made up on the spot, and not the one that goes with its network \
     address. For networks of one's own, where many share an address.",
)
.for_new_streams()
.per_host();

/// The name of who comes from this address.
pub(super) fn from_address(server: &Server, host: &Host, address: IpAddr) -> String {
    if any_contains(host.values.networks(&RANDOM), address) {
        return random_guest_name(server.rng.bytes16());
    }
    let secret = &server.fake_salt_secret;
    match household(address) {
        IpAddr::V4(address) => guest_name(secret, host.name.as_str(), &address.octets()),
        IpAddr::V6(address) => guest_name(secret, host.name.as_str(), &address.octets()[..8]),
    }
}

/// What a guest may bind. People behind one address are one guest, so none of them may end the session of another.
pub(super) fn rules(host: &Host) -> BindRules {
    BindRules { sessions_max: host.values.count(&SESSIONS) as usize, conflict: Conflict::KickNew }
}

/// What the one too many is told.
pub(super) fn too_many() -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint)
        .with_text("somebody from your network address is a guest here already")
}
