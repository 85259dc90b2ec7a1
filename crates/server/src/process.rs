//! What commands may ask of this process: to read its configuration again, to make a domain's snapshot, to log elsewhere.
//! A reload puts either all of a configuration into force or nothing. Asked for by SIGHUP and over the control socket.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_features::roster::load;
use metronome_host::command::Failed;
use metronome_host::components::Added;
use metronome_host::control::{self, Turn};
use metronome_host::groups;
use metronome_host::hosts::{Host, Hosts};
use metronome_host::options::{Reload, Setting};
use metronome_host::server::Server;
use metronome_model::{Outcome, Record};
use metronome_net::s2s::CA;
use metronome_net::s2s::authorities::{Authorities, Own, Trust};
use metronome_net::tls;
use metronome_proto::jid::Jid;
use parking_lot::Mutex;

use crate::config::{self, Change, Configuration, Inputs};
use crate::domains::{Certificates, Domains, When};
use crate::logging::Logging;
use crate::tables::settings;
use crate::unfit;

/// This process, with the configuration in force.
pub struct Process {
    inputs: Inputs,
    /// The one that this process was started with: what needs a restart holds as it says.
    first: Configuration,
    current: Mutex<Arc<Configuration>>,
    logging: Arc<Logging>,
    pub(crate) certificates: Certificates,
    /// Who vouches for those of other servers.
    pub(crate) authorities: Arc<Authorities>,
}

impl control::Process for Process {
    fn reload<'a>(&'a self, server: &'a Arc<Server>) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let turn = server.control.turn().await;
            let earlier = server.hosts.load_full();
            let read = self.read_again(server, &turn).await;
            drop(turn);
            match read {
                Ok(told) => {
                    // The notes below the first line have been logged as warnings.
                    tracing::info!("{}", told.lines().next().unwrap_or_default());
                    load::groups_changed(server, &earlier).await;
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

    fn component(&self, server: &Server, name: &Jid, secret: &str) -> Result<Host, Failed> {
        let configuration = self.current();
        let domains = self.domains(&configuration, server);
        domains
            .component(name, Some(secret))
            .map_err(|problem| Failed::problem(problem.message).with_hint(problem.hint))
    }

    fn reopen_logs(&self) -> Result<(), Failed> {
        self.logging.reopen().map_err(|error| Failed::problem(error.to_string()))
    }

    fn set_log_level(&self, level: &str) -> Result<String, Failed> {
        let told = self.logging.set_level_for_now(level);
        tracing::info!("{told}");
        Ok(told)
    }

    fn lost_log_lines(&self) -> u64 {
        self.logging.lost_lines()
    }
}

impl Process {
    /// With what configurations are read from, the first one, where logs go, and where our certificates come from and others' authorities.
    pub fn new(
        inputs: Inputs,
        first: Configuration,
        logging: Arc<Logging>,
        (certificates, authorities): (Certificates, Arc<Authorities>),
    ) -> Process {
        let current = Mutex::new(Arc::new(first.clone()));
        Process { inputs, first, current, logging, certificates, authorities }
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
        let mut changes = self.current.lock().changes(&newer);
        changes.retain(|change| change.reload != Reload::Restart);
        changes.extend(self.first.changes(&newer).into_iter().filter(|change| change.reload == Reload::Restart));
        let unreadable = |error| format!("the store cannot be read: {error}");
        let stored = server.store.hosts().await.map_err(unreadable)?;
        let added = Added::load(&*server.store).await.map_err(unreadable)?;
        let domains = self.domains(&newer, server);
        let hosts = domains.all(&stored, &added, When::Reload).map_err(|problem| problem.to_string())?;
        let levels = self.logging.judge(newer.values()).map_err(|why| unfit::logs(&newer, &why).to_string())?;
        let trust = Trust::read(newer.values()).map_err(|why| why.to_string())?;
        // Nothing can go wrong from here on.
        let has_other_authorities =
            self.authorities.put(trust) == Own::Others && !changes.iter().any(|change| change.key == CA.key);
        let mut again = with_other_content(&server.hosts.load(), &hosts);
        again.extend(has_other_authorities.then(|| CA.key.to_owned()));
        let mut told = told_of(&changes, &server.hosts.load(), &hosts, &again.join(", "));
        for note in domains.notes(&hosts) {
            tracing::warn!("{note}");
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

fn told_of(changes: &[Change], earlier: &Hosts, newer: &Hosts, again: &str) -> String {
    let names = |when: fn(Reload) -> bool| keys(changes.iter().filter(|change| when(change.reload)));
    let only_in = |these: &Hosts, others: &Hosts| {
        let names = these.iter().map(|host| host.name.as_str()).filter(|name| others.get(name).is_none());
        names.collect::<Vec<_>>().join(", ")
    };
    let parts = [
        ("reloaded: ", names(|when| when != Reload::Restart)),
        ("read again: ", again.to_owned()),
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

/// Changed keys, each once: those of the whole server, then those that only a domain has, with its name.
fn keys<'c>(changes: impl Iterator<Item = &'c Change>) -> String {
    let (wide, own): (Vec<_>, Vec<_>) = changes.partition(|change| change.host.is_empty());
    let own = own.iter().filter(|change| !wide.iter().any(|other| other.key == change.key));
    let own = own.map(|change| format!("{}: {}", change.host, change.key));
    wide.iter().map(|change| change.key.to_owned()).chain(own).collect::<Vec<_>>().join(", ")
}

/// Files that have another content, though the configuration names the same ones.
fn with_other_content(earlier: &Hosts, newer: &Hosts) -> Vec<String> {
    let mut parts = Vec::new();
    for host in newer.iter() {
        let Some(before) = earlier.get(host.name.as_str()) else { continue };
        let same = |settings: &[&Setting]| {
            settings.iter().all(|setting| host.values.get(setting) == before.values.get(setting))
        };
        if same(&[&groups::FILE, &groups::MEMBERS]) && host.groups.fingerprint() != before.groups.fingerprint() {
            parts.push(format!("the groups of {}", host.name));
        }
        if same(&[&tls::CERT, &tls::KEY]) && !have_same_certificate(host, before) {
            parts.push(format!("the certificate of {}", host.name));
        }
    }
    parts
}

/// Whether two snapshots show the same certificate, as far as its channel binding, its names and its end tell.
fn have_same_certificate(one: &Host, other: &Host) -> bool {
    match (&one.tls, &other.tls) {
        (Some(one), Some(other)) => {
            one.end_point == other.end_point && one.not_after_s == other.not_after_s && one.names.0 == other.names.0
        }
        (one, other) => one.is_none() && other.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_once_and_one_of_a_domain_with_its_name() {
        let change = |host: &str, key| Change { host: host.to_owned(), key, reload: Reload::AtOnce };
        let changes = [
            change("", "groups.file"),
            change("", "log.level"),
            change("a.example", "groups.file"),
            change("b.example", "groups.file"),
            change("b.example", "registration.open"),
        ];
        assert_eq!(keys(changes.iter()), "groups.file, log.level, b.example: registration.open");
    }
}
