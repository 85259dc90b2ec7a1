//! What commands may ask of this process: to read its configuration again, to make a domain's snapshot, to log elsewhere.
//! A reload puts either all of a configuration into force or nothing. Asked for by SIGHUP and over the control socket.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_features::roster::load;
use metronome_host::command::Failed;
use metronome_host::control::{self, Turn};
use metronome_host::hosts::{Host, Hosts};
use metronome_host::options::Reload;
use metronome_host::server::Server;
use metronome_model::{Outcome, Record};
use metronome_proto::jid::Jid;
use parking_lot::Mutex;

use crate::config::{self, Change, Configuration, Inputs};
use crate::domains::{Certificates, Domains, When};
use crate::logging::Logging;
use crate::tables::settings;

/// This process, with the configuration in force.
pub struct Process {
    inputs: Inputs,
    current: Mutex<Arc<Configuration>>,
    logging: Arc<Logging>,
    pub(crate) certificates: Certificates,
}

impl control::Process for Process {
    fn reload<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let turn = server.control.turn().await;
            let read = self.read_again(server, &turn).await;
            drop(turn);
            match read {
                Ok(told) => {
                    tracing::info!("{told}");
                    load::groups_changed(server).await;
                    Ok(told)
                }
                Err(why) => {
                    tracing::error!(
                        "the configuration was not reloaded; the server goes on with the one it has\n{why}"
                    );
                    Err(format!("{why}\nThe server goes on with the configuration it has."))
                }
            }
        })
    }

    fn host(&self, server: &Server, name: &Jid) -> Result<Host, Failed> {
        let configuration = self.current();
        let domains = self.domains(&configuration, server);
        domains.host(name).map_err(|problem| Failed::problem(problem.message).with_hint(problem.hint))
    }

    fn reopen_logs(&self) -> Result<(), Failed> {
        self.logging.reopen().map_err(|error| Failed::problem(error.to_string()))
    }

    fn set_log_level(&self, level: &str) -> Result<String, Failed> {
        let told = self.logging.set_level_for_now(level);
        tracing::info!("{told}");
        Ok(told)
    }
}

impl Process {
    /// With what configurations are read from, the first one, and where logs go and certificates come from.
    pub fn new(inputs: Inputs, first: Configuration, logging: Arc<Logging>, certificates: Certificates) -> Process {
        Process { inputs, current: Mutex::new(Arc::new(first)), logging, certificates }
    }

    /// The configuration that is in force.
    pub fn current(&self) -> Arc<Configuration> {
        self.current.lock().clone()
    }

    fn domains<'c>(&'c self, configuration: &'c Configuration, server: &'c Server) -> Domains<'c> {
        Domains { configuration, registry: &server.registry, certificates: &self.certificates }
    }

    async fn read_again(&self, server: &Arc<Server>, turn: &Turn<'_>) -> Result<String, String> {
        let newer = config::load(settings(), &self.inputs).map_err(|problems| problems.to_string())?;
        let changes = self.current.lock().changes(&newer);
        let stored = server.store.hosts().await.map_err(|error| format!("the store cannot be read: {error}"))?;
        let domains = self.domains(&newer, server);
        let hosts = domains.all(&stored, When::Reload).map_err(|problem| problem.to_string())?;
        let levels = self.logging.judge(newer.values()).map_err(|error| error.to_string())?;
        // Nothing can go wrong from here on.
        let mut told = told_of(&changes, &server.hosts.load(), &hosts);
        for note in domains.notes(&hosts) {
            told.push_str(&format!("\nnote: {note}"));
        }
        take_over(server, &domains, &stored).await;
        server.serve(turn, hosts);
        self.logging.set_levels(levels);
        *self.current.lock() = Arc::new(newer);
        Ok(told)
    }
}

/// The store forgets what the configuration says by itself now. Should that fail, it means the same as before.
pub(crate) async fn take_over(server: &Server, domains: &Domains<'_>, stored: &[metronome_model::StoredHost]) {
    for op in domains.taken_over(stored) {
        let outcome = server.commit(Record::of(op)).await;
        if !matches!(outcome, Outcome::Done { .. }) {
            tracing::warn!(?outcome, "what the store knows of a domain could not be changed");
        }
    }
}

fn told_of(changes: &[Change], earlier: &Hosts, newer: &Hosts) -> String {
    let names = |when: fn(Reload) -> bool| {
        let mut keys: Vec<_> = changes.iter().filter(|change| when(change.reload)).map(|change| change.key).collect();
        keys.dedup();
        keys.join(", ")
    };
    let only_in = |these: &Hosts, others: &Hosts| {
        let names = these.iter().map(|host| host.name.as_str()).filter(|name| others.get(name).is_none());
        names.collect::<Vec<_>>().join(", ")
    };
    let parts = [
        ("reloaded: ", names(|when| when != Reload::Restart)),
        ("served from now on: ", only_in(newer, earlier)),
        ("not served any more: ", only_in(earlier, newer)),
        ("these need a restart: ", names(|when| when == Reload::Restart)),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(_, what)| !what.is_empty()).map(|(how, what)| format!("{how}{what}")).collect();
    match (parts.is_empty(), parts.first().is_some_and(|first| first.starts_with("reloaded"))) {
        (true, _) => "reloaded; nothing has changed".to_owned(),
        (false, true) => parts.join("; "),
        (false, false) => format!("reloaded; {}", parts.join("; ")),
    }
}
