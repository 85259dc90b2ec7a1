//! Rooms (XEP-0045): each is one task with an inbox (`host/rooms`), which decides, stores, applies and sends, in the order of what comes.
//! What may be decided is in the crate `muc`, and what stanzas mean in `features/muc`.

mod carry_out;
mod decide;
mod haste;
mod images;
mod load;
mod orphan;
mod questions;
mod relay;
mod roll;
mod send;
mod task;
mod updates;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use metronome_features::muc;
use metronome_host::feature::At;
use metronome_host::rooms::Item;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use tokio::sync::oneshot;

/// Names of rooms that are read at once.
const PAGE: usize = 100;

/// Starts the tasks of rooms, for as long as the server lives.
pub async fn run(server: Arc<Server>) {
    let Some(mut starts) = server.rooms.starts() else { return };
    while let Some(address) = starts.recv().await {
        tokio::spawn(live(server.clone(), address));
    }
}

/// One room, until it is idle. After a panic it is what is stored of it, and whoever was in it has to enter again.
async fn live(server: Arc<Server>, address: Jid) {
    while AssertUnwindSafe(task::run(&server, &address)).catch_unwind().await.is_err() {
        server.counters.panics.add();
        tracing::error!(room = address.as_str(), "a room panicked; who was in it has to enter again");
        if server.rooms.end(&address) {
            return;
        }
    }
}

/// Rooms in which somebody was when the last process ended are in use again. Called once, when the sessions of the last run are there.
pub async fn take_up(server: &Server) -> Result<(), StoreError> {
    let hosts = server.hosts.load_full();
    let services = hosts.iter().flat_map(|host| &host.services).filter(|host| host.at() == At::Service(muc::NAME));
    for service in services {
        let mut after = None;
        loop {
            let names = server.store.rooms_with_occupants(service.name.domain(), after.as_deref(), PAGE).await?;
            for name in &names {
                if let Ok(address) = Jid::from_parts(Some(name), service.name.domain(), None) {
                    let _ = server.rooms.push(&address, Item::Wake);
                }
            }
            match names.into_iter().last() {
                Some(name) => after = Some(name),
                None => break,
            }
        }
    }
    Ok(())
}

/// The server stops: whoever is in a room is saved, before streams end. Whoever may resume comes back to it, and hears from the next process
/// who did not. Returns when that is done.
pub async fn stop(server: &Server) {
    let mut waiting = Vec::new();
    for address in server.rooms.all() {
        let (done, wait) = oneshot::channel();
        server.rooms.tell(&address, Item::Stop(done));
        waiting.push(wait);
    }
    for wait in waiting {
        // Its being dropped is the answer.
        let _ = wait.await;
    }
}
