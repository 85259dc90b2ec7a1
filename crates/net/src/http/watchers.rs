//! What is for those who watch this server: an address of its own (`listen.metrics`), and networks from which it is answered. A proxy's word
//! about who asks counts here too, so one that leads strangers here by mistake shows them nothing.

use std::net::IpAddr;

use metronome_host::network::any_contains;
use metronome_host::options::{Kind, Setting, Values};

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
