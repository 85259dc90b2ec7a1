//! The domains of the server as snapshots: those of the configuration and those that commands have added, with what the store
//! says of each. Made at the start and at every reload, and one by one for commands (`metronome_features::hosts`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use metronome_host::components::{Added, SECRET};
use metronome_host::groups;
use metronome_host::hosts::{Host, Hosts, Known, Standing, Tls};
use metronome_host::options::{Setting, Unfit, Value, Values};
use metronome_host::registry::Registry;
use metronome_model::{HostOrigin, HostState, Op, StoredHost};
use metronome_net::tls::{self, TlsError};
use metronome_proto::jid::Jid;

use crate::config::{Configuration, Problem};
use crate::{dev, notes};

/// Where certificates come from.
#[derive(Debug, Clone)]
pub enum Certificates {
    /// The files that the configuration names.
    Files,
    /// Those, and for domains without any the development authority in this folder.
    Development(PathBuf),
}

/// What happens to a domain that cannot encrypt and must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// One of the configuration keeps the server from starting. One that was added is not served until its files are right:
    /// a server that does not start could not be told to remove it.
    Start,
    /// Any of them keeps the reload from happening.
    Reload,
}

/// What becomes of certificates that services have for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServiceFiles {
    /// They are read.
    Read,
    /// Nobody is shown them: the domain is not served.
    Passed,
}

/// Makes snapshots of domains by one configuration.
pub struct Domains<'c> {
    /// The configuration.
    pub configuration: &'c Configuration,
    /// What all of them answer.
    pub registry: &'c Arc<Registry>,
    /// Where their certificates come from.
    pub certificates: &'c Certificates,
}

impl Domains<'_> {
    /// All domains. Fails on a certificate or a group file that cannot be used; see [`When`].
    pub fn all(&self, stored: &[StoredHost], added_components: &Added, when: When) -> Result<Hosts, Problem> {
        let state: BTreeMap<&str, HostState> = stored.iter().map(|host| (&*host.name, host.state)).collect();
        let named = self.configuration.domains();
        let named_domains = named.clone();
        let added = stored.iter().filter(|host| host.origin == HostOrigin::Command);
        let components = self.configuration.components();
        let added = added.map(|host| host.name.to_string());
        let added = added.filter(|name| !named.contains(name) && !components.contains(name));
        let named = named.iter().map(|name| (name.clone(), HostOrigin::Configuration));
        let all = named.chain(added.map(|name| (name, HostOrigin::Command)));
        let known = all.map(|(name, origin)| {
            let state = state.get(&*name).copied().unwrap_or(HostState::Enabled);
            self.known(&name, origin, state, when)
        });
        let known = known.chain(components.iter().map(|name| self.configured_component(name)));
        let is_new = |(name, _): &(&str, &str)| {
            let of_configuration = named_domains.iter().chain(components).any(|known| known == name);
            !of_configuration && !stored.iter().any(|host| &*host.name == *name)
        };
        let added = added_components.iter().filter(is_new);
        let known = known.chain(added.map(|(name, secret)| self.added_component(name, secret, when)));
        let known: Vec<Known> = known.collect::<Result<_, _>>()?;
        let names: Vec<_> = known.iter().map(|known| (known.host.name.as_str(), known.origin)).collect();
        if let Some(problem) = self.conflict(&names, known.iter().map(|known| (&*known.host, known.origin)), when) {
            return Err(problem);
        }
        Ok(Hosts::of(self.configuration.values().clone(), known))
    }

    /// A service at an address that something else has. What a command has added does not keep the server from starting: it has the
    /// address, and there is no such service.
    pub fn conflict<'h>(
        &self,
        names: &[(&str, HostOrigin)],
        domains: impl Iterator<Item = (&'h Host, HostOrigin)>,
        when: When,
    ) -> Option<Problem> {
        let own = |(name, origin): &(&str, HostOrigin)| {
            ((*name).to_owned(), (format!("{name} is a domain of its own"), *origin))
        };
        let mut taken: BTreeMap<String, (String, HostOrigin)> = names.iter().map(own).collect();
        let services =
            domains.flat_map(|(domain, origin)| domain.services.iter().map(move |service| (service, origin)));
        for (service, origin) in services {
            let Some(beside) = &service.beside else { continue };
            let (name, domain, place) = (service.name.as_str(), beside.domain.as_str(), beside.service.place);
            let Some((by, by_origin)) = taken.get(name) else {
                taken.insert(name.to_owned(), (format!("{domain} has a service there"), origin));
                continue;
            };
            let what = format!("the {} service of {domain} cannot be at {name}: {by}", beside.service.name);
            if when == When::Start && [origin, *by_origin].contains(&HostOrigin::Command) {
                tracing::error!("{what}");
                continue;
            }
            let hint = format!("give it another label in `{}`, or \"\" for no such service", place.key);
            return Some(self.problem(domain, place, what, &hint));
        }
        None
    }

    fn configured_component(&self, name: &str) -> Result<Known, Problem> {
        let host = Arc::new(self.component(&self.name(name)?, None)?);
        Ok(Known { host, origin: HostOrigin::Configuration, standing: Standing::Component })
    }

    fn added_component(&self, name: &str, secret: &str, when: When) -> Result<Known, Problem> {
        let name = self.name(name)?;
        let host = match (self.component(&name, Some(secret)), when) {
            (Err(why), When::Start) => {
                tracing::error!(
                    component = name.as_str(),
                    why = why.message,
                    "a component has no certificate for others"
                );
                let values = with_secret(self.configuration.for_host(name.as_str()).clone(), secret);
                Host::new(name, values, self.registry.clone(), None)
            }
            (host, _) => host?,
        };
        Ok(Known { host: Arc::new(host), origin: HostOrigin::Command, standing: Standing::Component })
    }

    /// A domain that a component answers for, with its secret if that is not in the configuration. Its certificate is for other servers, so it
    /// may have none.
    pub fn component(&self, name: &Jid, secret: Option<&str>) -> Result<Host, Problem> {
        let values = self.values(name)?;
        let values = match secret {
            Some(secret) => with_secret(values, secret),
            None => values,
        };
        let tls = self.tls(name, &values)?;
        Ok(Host::new(name.clone(), values, self.registry.clone(), tls))
    }

    fn tls(&self, name: &Jid, values: &Values) -> Result<Option<Arc<Tls>>, Problem> {
        tls::load(values).map_err(|error| self.unusable(name, &error))
    }

    fn unusable(&self, name: &Jid, error: &TlsError) -> Problem {
        self.problem(name.as_str(), error.setting(), error.to_string(), error.hint())
    }

    fn known(&self, name: &str, origin: HostOrigin, state: HostState, when: When) -> Result<Known, Problem> {
        let name = self.name(name)?;
        let (host, standing) = match (self.host(&name), state, origin, when) {
            (Ok(host), HostState::Enabled, ..) => (host, Standing::Served),
            (Ok(host), HostState::Disabled, ..) => (host, Standing::Disabled),
            // Nobody is shown the certificate of a domain that is switched off.
            (Err(_), HostState::Disabled, ..) => (self.without_files(&name), Standing::Disabled),
            (Err(why), HostState::Enabled, HostOrigin::Command, When::Start) => {
                tracing::error!(host = name.as_str(), why = why.message, "a domain is not served");
                let values = self.configuration.for_host(name.as_str()).clone();
                match self.fit(&name, values, None, ServiceFiles::Passed) {
                    Ok(host) => (host, Standing::NoCertificate),
                    Err(_) => (self.without_files(&name), Standing::Unfit),
                }
            }
            (Err(why), ..) => return Err(why),
        };
        Ok(Known { host: Arc::new(host), origin, standing })
    }

    fn name(&self, name: &str) -> Result<Jid, Problem> {
        Jid::parse(name)
            .map_err(|why| self.problem(name, &crate::config::DOMAIN, format!("{name} is not a domain: {why}"), ""))
    }

    /// One domain, with its files as they are now.
    pub fn host(&self, name: &Jid) -> Result<Host, Problem> {
        let values = self.values(name)?;
        let tls = self.tls(name, &values)?;
        if tls.is_none() && values.flag(&tls::REQUIRE) {
            let (setting, lacks) = match (values.path(&tls::CERT), values.path(&tls::KEY)) {
                (Some(_), None) => (&tls::CERT, "a certificate and no key"),
                (None, Some(_)) => (&tls::KEY, "a key and no certificate"),
                _ => (&tls::CERT, "no certificate"),
            };
            let what = format!("{name} has {lacks}, and clients must encrypt");
            return Err(self.problem(name.as_str(), setting, what, &self.files_hint(name)));
        }
        self.fit(name, values, tls, ServiceFiles::Read)
    }

    /// The same with this certificate, and whatever else it needs.
    fn fit(&self, name: &Jid, values: Values, tls: Option<Arc<Tls>>, files: ServiceFiles) -> Result<Host, Problem> {
        let unfit = |unfit: Unfit| self.problem(name.as_str(), unfit.setting, unfit.message, unfit.hint);
        for feature in self.registry.features() {
            (feature.check)(&values).map_err(unfit)?;
        }
        let groups = groups::load(&values).map_err(unfit)?;
        let host = Host::new(name.clone(), values, self.registry.clone(), tls);
        let services = self.services(&host, files)?;
        Ok(Host { groups: Arc::new(groups), services, ..host })
    }

    /// The services of a domain, with certificates of their own or that of the domain.
    fn services(&self, host: &Host, files: ServiceFiles) -> Result<Vec<Arc<Host>>, Problem> {
        let mut services = Vec::new();
        for service in self.registry.services() {
            let address = service.address(&host.name, &host.values);
            let unfit = |unfit: Unfit| self.problem(host.name.as_str(), unfit.setting, unfit.message, unfit.hint);
            let Some(name) = address.map_err(unfit)? else { continue };
            let values = self.configuration.for_service(name.as_str(), host.name.as_str());
            let (values, tls) = match files {
                ServiceFiles::Read => {
                    let values = self.with_certificate(values, &name, host.name.as_str())?;
                    let tls = tls::load_for_service(&values, host).map_err(|error| self.unusable(&name, &error))?;
                    (values, tls)
                }
                ServiceFiles::Passed => (values, None),
            };
            services.push(Arc::new(Host::of_service(name, service, host, values, tls)));
        }
        Ok(services)
    }

    fn files_hint(&self, name: &Jid) -> String {
        if self.configuration.domains().first().is_some_and(|main| main == name.as_str()) {
            return "name the files in tls.files = { cert = \"...\", key = \"...\" }".to_owned();
        }
        format!(
            "name the files in the configuration: [host.\"{name}\".tls] files = {{ cert = \"...\", key = \"...\" }}"
        )
    }

    fn without_files(&self, name: &Jid) -> Host {
        let values = self.configuration.for_host(name.as_str()).clone();
        let host = Host::new(name.clone(), values, self.registry.clone(), None);
        let services = self.services(&host, ServiceFiles::Passed).unwrap_or_default();
        Host { services, ..host }
    }

    /// A domain's options; in the development mode with a certificate of its own if nobody has named one.
    fn values(&self, name: &Jid) -> Result<Values, Problem> {
        self.with_certificate(self.configuration.for_host(name.as_str()).clone(), name, "")
    }

    /// These options of a domain, or of a service of `domain`, with files for a certificate where the development mode makes them.
    fn with_certificate(&self, values: Values, name: &Jid, domain: &str) -> Result<Values, Problem> {
        let named = |domain| self.configuration.overrides(domain, &tls::CERT);
        match self.certificates {
            Certificates::Development(folder) if !["", name.as_str(), domain].into_iter().any(named) => {
                let files = dev::ensure_for(folder, name.as_str())
                    .map_err(|error| self.problem(name.as_str(), &tls::CERT, error.to_string(), ""))?;
                let path = |path: PathBuf| Value::Path(path.into());
                Ok(values.overlaid([(&tls::CERT, path(files.certificate)), (&tls::KEY, path(files.key))]))
            }
            _ => Ok(values),
        }
    }

    fn problem(&self, name: &str, setting: &Setting, message: String, hint: &str) -> Problem {
        self.configuration.problem_with_host(name, setting, message, hint)
    }

    /// What the store must forget: a domain that the configuration names is the configuration's, whoever added it before.
    pub fn taken_over(&self, stored: &[StoredHost]) -> Vec<Op> {
        let mut named = self.configuration.domains();
        named.extend_from_slice(self.configuration.components());
        let taken = stored
            .iter()
            .filter(|host| host.origin == HostOrigin::Command && named.iter().any(|name| **name == *host.name));
        let op = |host: &StoredHost| match host.state {
            HostState::Enabled => Op::ForgetHost { name: host.name.clone() },
            HostState::Disabled => {
                Op::SetHost { host: Box::new(StoredHost { origin: HostOrigin::Configuration, ..host.clone() }) }
            }
        };
        taken.map(op).collect()
    }

    /// What somebody should know: sections of the configuration that no domain reads, and see [`notes::of`].
    pub fn notes(&self, hosts: &Hosts) -> Vec<String> {
        let strangers = self.configuration.strangers().iter();
        let strangers = strangers.filter(|stranger| hosts.known(&stranger.domain).is_none());
        let mut told: Vec<String> = strangers.map(|stranger| stranger.note.clone()).collect();
        let own = hosts.all().filter(|known| known.standing != Standing::Component);
        told.extend(notes::of(self.configuration, own.map(|known| &*known.host)));
        told
    }
}

fn with_secret(values: Values, secret: &str) -> Values {
    values.overlaid([(&SECRET, Value::Text(secret.into()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, tables};

    fn stored(name: &str, origin: HostOrigin, state: HostState) -> StoredHost {
        StoredHost { name: name.into(), origin, state }
    }

    fn configuration(text: &str) -> Configuration {
        config::from_text(tables::settings(), &format!("domain = \"a.example\"\nextra = [\"b.example\"]\n{text}"))
    }

    fn all(text: &str, rows: &[StoredHost], when: When) -> Result<Vec<String>, String> {
        let (configuration, registry) = (configuration(text), Arc::new(Registry::new(metronome_features::ALL)));
        let domains =
            Domains { configuration: &configuration, registry: &registry, certificates: &Certificates::Files };
        let shown = |known: &Known| format!("{} {:?} {:?}", known.host.name, known.origin, known.standing);
        let hosts = domains.all(rows, &Added::default(), when).map_err(|problem| problem.message)?;
        assert_eq!(hosts.first().name.as_str(), "a.example");
        Ok(hosts.all().map(shown).collect())
    }

    const CLEAR: &str = "tls.require_c2s = false\n";

    #[test]
    fn the_configuration_and_the_store_make_the_list_together() {
        use HostOrigin::{Command, Configuration};
        use HostState::{Disabled, Enabled};
        let rows = [
            stored("a.example", Configuration, Disabled),
            stored("b.example", Command, Enabled),
            stored("c.example", Command, Enabled),
            stored("d.example", Command, Disabled),
            stored("e.example", Configuration, Disabled),
        ];
        let expected = [
            "a.example Configuration Disabled",
            "b.example Configuration Served",
            "c.example Command Served",
            "d.example Command Disabled",
        ];
        for when in [When::Start, When::Reload] {
            assert_eq!(all(CLEAR, &rows, when).unwrap(), expected);
        }
    }

    #[test]
    fn an_added_domain_without_a_certificate_does_not_keep_the_server_from_starting() {
        let rows = [stored("c.example", HostOrigin::Command, HostState::Enabled)];
        let text = format!("{CLEAR}[host.\"c.example\".tls]\nrequire_c2s = true\n");
        let started = all(&text, &rows, When::Start).unwrap();
        assert_eq!(started[2], "c.example Command NoCertificate");
        let refused = all(&text, &rows, When::Reload).unwrap_err();
        assert_eq!(refused, "c.example has no certificate, and clients must encrypt");
    }

    #[test]
    fn a_configured_domain_without_a_certificate_is_a_mistake_unless_it_is_switched_off() {
        for when in [When::Start, When::Reload] {
            let text = format!("{CLEAR}[host.\"b.example\".tls]\nrequire_c2s = true\n");
            assert_eq!(all(&text, &[], when).unwrap_err(), "b.example has no certificate, and clients must encrypt");
            let off = [stored("b.example", HostOrigin::Configuration, HostState::Disabled)];
            assert_eq!(all(&text, &off, when).unwrap()[1], "b.example Configuration Disabled");
        }
    }

    #[test]
    fn the_configuration_takes_over_what_it_names() {
        let (configuration, registry) = (configuration(CLEAR), Arc::new(Registry::new(metronome_features::ALL)));
        let domains =
            Domains { configuration: &configuration, registry: &registry, certificates: &Certificates::Files };
        let rows = [
            stored("a.example", HostOrigin::Command, HostState::Disabled),
            stored("b.example", HostOrigin::Command, HostState::Enabled),
            stored("c.example", HostOrigin::Command, HostState::Enabled),
        ];
        let ops = domains.taken_over(&rows);
        assert!(
            matches!(&ops[..], [Op::SetHost { host }, Op::ForgetHost { name }]
                if host.origin == HostOrigin::Configuration && &**name == "b.example"),
            "{ops:?}"
        );
    }
}
