//! What the server tells of itself and of its accounts, and what it keeps for them: discovery, contact addresses, last activity,
//! private data, visiting cards, shared groups and the small services beside them.
#![allow(clippy::unwrap_used)]

mod caps;
mod disco;
mod groups;
mod last;
mod private;
mod services;
mod vcard;

use metronome_testkit::{Client, Seen, Server, ask, condition, online};

/// A guest, on a server that lets them in.
fn guest(server: &Server) -> Client {
    let mut guest = Client::direct_tls(server);
    guest.open();
    guest.auth("ANONYMOUS", b"");
    guest.expect("<success");
    guest.open();
    guest.bind("");
    guest
}

/// An error without its sender, for comparing answers of different accounts.
#[track_caller]
fn without_sender(answer: &Seen) -> String {
    let from = answer.attribute("from").unwrap();
    answer.replace(&from, "SENDER")
}

/// `viewer` may see the presence of `owner` from now on. Both are available; what comes meanwhile is passed over.
#[track_caller]
fn subscribe(viewer: &mut Client, owner: &mut Client) {
    viewer.send(&format!("<presence to='{}' type='subscribe'/>", owner.bare().to_owned()));
    owner.wait_for("<presence type='subscribe'");
    owner.send(&format!("<presence to='{}' type='subscribed'/>", viewer.bare().to_owned()));
    viewer.wait_for("<presence type='subscribed'");
    // What the viewer is told at last.
    viewer.wait_for(&format!("<presence from='{}'", owner.jid()));
    viewer.so_far();
    owner.so_far();
}
