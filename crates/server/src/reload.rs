//! Reload: the configuration is read again, and either all of it is put into force or nothing.
//! Asked for by SIGHUP and by `metronomectl reload`; the function is given to the server's `Control` at start.

use std::sync::Arc;

use metronome_host::options::Reload as When;
use metronome_host::server::{Reload, Server};
use parking_lot::Mutex;

use crate::assemble::hosts_of;
use crate::config::{self, Configuration, Inputs};
use crate::logging::Logging;
use crate::tables::SETTINGS;

/// Makes the function that reloads.
pub fn reloader(inputs: Inputs, first: Configuration, logging: Arc<Logging>) -> Reload {
    let current = Mutex::new(first);
    Box::new(move |server| {
        let mut current = current.lock();
        match reload(server, &inputs, &current, &logging) {
            Ok((newer, told)) => {
                *current = newer;
                tracing::info!("{told}");
                Ok(told)
            }
            Err(why) => {
                tracing::error!("the configuration was not reloaded; the server goes on with the one it has\n{why}");
                Err(format!("{why}\nThe server goes on with the configuration it has."))
            }
        }
    })
}

fn reload(
    server: &Arc<Server>,
    inputs: &Inputs,
    current: &Configuration,
    logging: &Logging,
) -> Result<(Configuration, String), String> {
    let newer = config::load(SETTINGS, inputs).map_err(|problems| problems.to_string())?;
    let changes = current.changes(&newer);
    let names = |when: fn(When) -> bool| {
        let keys: Vec<_> = changes.iter().filter(|change| when(change.reload)).map(|change| change.key).collect();
        keys.join(", ")
    };
    if current.domains() != newer.domains() {
        // Domains are a restart's business: which ones there are decides which data are served.
        return Err("the list of domains changed, which needs a restart; nothing was changed".to_owned());
    }
    let hosts = hosts_of(&newer, &server.registry).map_err(|error| error.to_string())?;
    server.hosts.store(Arc::new(hosts));
    logging.set_level(newer.values());
    let (now, later) = (names(|when| when != When::Restart), names(|when| when == When::Restart));
    let told = match (now.is_empty(), later.is_empty()) {
        (true, true) => "reloaded; nothing has changed".to_owned(),
        (false, true) => format!("reloaded: {now}"),
        (true, false) => format!("reloaded; these need a restart: {later}"),
        (false, false) => format!("reloaded: {now}; these need a restart: {later}"),
    };
    Ok((newer, told))
}
