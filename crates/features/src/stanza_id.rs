//! XEP-0359: Unique and Stable Stanza IDs. Nobody may speak for us, and every stored message tells its archive id.
//! Called from `route::message` for every message; keeps nothing.

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::feature::{Feature, Xep};
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::xml::Child;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "stanza-id",
    xeps: &[Xep::new(359, "0.7.0", "Unique and Stable Stanza IDs")],
    disco_account: &[ns::STANZA_ID],
    ..Feature::NONE
};

/// Drops every `stanza-id` that claims to be given by a domain or account of ours (section 3, rule 2).
pub fn drop_claims(server: &Server, env: &mut Envelope) {
    if !env.stanza.has(ns::STANZA_ID, "stanza-id") {
        return;
    }
    let hosts = server.hosts.load();
    let is_ours = |child: &Child<'_>| match child.attr("by").map(|by| Jid::parse(&by)) {
        Some(Ok(by)) => !hosts.is_elsewhere(by.domain()),
        Some(Err(_)) | None => true,
    };
    let ours = |child: &Child<'_>| {
        child.ns() == ns::STANZA_ID
            && child.name() == "stanza-id"
            && is_ours(child)
    };
    let stanza = Arc::make_mut(&mut env.stanza);
    stanza.content = std::mem::take(&mut stanza.content).without(ours);
}
