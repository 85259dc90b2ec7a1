//! What is for those who watch this server: an address of its own (`listen.metrics`), and networks from which it is answered. A proxy's word
//! about who asks counts here too, so one that leads strangers here by mistake shows them nothing. Nor does a browser on this machine show them
//! to a page of another site, whose name was made to lead here.

use std::net::IpAddr;

use metronome_host::hosts::Hosts;
use metronome_host::network::any_contains;
use metronome_host::options::{Kind, Setting, Values};

use super::virtual_hosts;

/// Who may watch.
pub(super) const WATCHERS: Setting = Setting::new(
    "web.watchers",
    Kind::Networks,
    "[\"127.0.0.0/8\", \"::1\"]",
    "Networks from which the metrics and the status of the server may be read, at the addresses of `listen.metrics`. Nobody else is answered \
     there.",
);

/// Whether somebody at this address may.
pub(super) fn may_watch(values: &Values, address: IpAddr) -> bool {
    any_contains(values.networks(&WATCHERS), address)
}

/// Whether a request that has come from `peer` is for this machine by a name that it has. From this machine that counts, because a browser runs
/// here what others have written: their page comes by the name of their site, wherever the DNS says that it is.
pub(super) fn is_asked_for(hosts: &Hosts, peer: IpAddr, name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let is_address = || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    // Nobody else can have a name without a dot.
    let is_here = || !name.contains('.') || name.to_ascii_lowercase().ends_with(".localhost");
    let is_machines = || rustix::system::uname().nodename().to_bytes().eq_ignore_ascii_case(name.as_bytes());
    !peer.is_loopback() || is_address() || is_here() || is_machines() || virtual_hosts::named(hosts, name).is_some()
}
