//! Values that can be put into force and do not do what somebody hopes for: nobody can log in, a limit that another one hides, a
//! certificate for others. Told as notes by `config check`, at the start and by a reload; nothing is refused for them.

use metronome_features::register::policy::{LENGTH_MAX, LENGTH_MIN};
use metronome_features::register::{ALLOW, ALLOWED_ONLY, OPEN, RESERVED};
use metronome_features::vcard;
use metronome_host::components::SECRET;
use metronome_host::hosts::{Host, MECHANISMS, STANZA};
use metronome_host::options::Setting;
use metronome_net::{listen, tls};
use metronome_proto::jid::prepare_local;

use crate::config::{COMPONENTS, Configuration, Origin};
use crate::logging;

/// Everything there is to say, each note once, for the domains of the configuration and these snapshots of domains.
pub fn of<'h>(configuration: &Configuration, hosts: impl Iterator<Item = &'h Host>) -> Vec<String> {
    let mut notes = Notes { configuration, told: Vec::new() };
    notes.logs();
    for domain in configuration.domains() {
        notes.logins(&domain);
        notes.registration(&domain);
        notes.limits(&domain);
    }
    notes.components();
    for host in hosts.filter(|host| host.has_certificate_for_others()) {
        let name = host.name.as_str();
        notes.tell(name, &tls::CERT, &format!("the certificate is not for {name}, so clients will not trust it"));
    }
    notes.told
}

struct Notes<'c> {
    configuration: &'c Configuration,
    told: Vec<String>,
}

impl Notes<'_> {
    /// What holds for several domains because of one line is told once.
    fn tell(&mut self, domain: &str, setting: &Setting, what: &str) {
        let note = match self.configuration.origin(domain, setting) {
            Origin::Default => what.to_owned(),
            origin => format!("{origin}: {what}"),
        };
        if !self.told.contains(&note) {
            self.told.push(note);
        }
    }

    fn logs(&mut self) {
        for setting in logging::without_effect(self.configuration.values()) {
            let what = format!("`{}` changes nothing: `log.target` does not name that target", setting.key);
            self.tell("", setting, &what);
        }
    }

    fn logins(&mut self, domain: &str) {
        if self.configuration.for_host(domain).list(&MECHANISMS).is_empty() {
            self.tell(domain, &MECHANISMS, "`auth.mechanisms` is empty, so nobody can log in");
        }
    }

    fn registration(&mut self, domain: &str) {
        let values = self.configuration.for_host(domain);
        if values.count(&LENGTH_MIN) > values.count(&LENGTH_MAX) {
            let what = format!("`{}` is above `{}`, so nobody can choose a password", LENGTH_MIN.key, LENGTH_MAX.key);
            self.tell(domain, &LENGTH_MIN, &what);
        }
        if values.flag(&OPEN) && values.flag(&ALLOWED_ONLY) && values.networks(&ALLOW).is_empty() {
            let what = "`registration.allowed_only` without `registration.allow`, so nobody can make an account";
            self.tell(domain, &ALLOWED_ONLY, what);
        }
        for name in values.list(&RESERVED).iter().filter(|name| prepare_local(name).is_err()) {
            let what =
                format!("`registration.reserved`: `{name}` cannot be the name of an account, so it keeps nothing");
            self.tell(domain, &RESERVED, &what);
        }
    }

    /// Components that cannot connect.
    fn components(&mut self) {
        let (configuration, values) = (self.configuration, self.configuration.values());
        let listens = [&listen::COMPONENT, &listen::COMPONENT_TLS].iter().any(|at| !values.addresses(at).is_empty());
        if !configuration.components().is_empty() && !listens {
            self.tell("", &COMPONENTS, "`components` without `listen.component`, so none can connect");
        }
        for name in configuration.components() {
            if configuration.for_host(name).text(&SECRET).is_empty() {
                let what =
                    format!("the component {name} cannot connect: it has no `component.secret` in [host.\"{name}\"]");
                self.tell(name, &SECRET, &what);
            }
        }
    }

    fn limits(&mut self, domain: &str) {
        let values = self.configuration.for_host(domain);
        let is_given = self.configuration.origin(domain, &vcard::SIZE) != Origin::Default;
        if is_given && values.bytes(&vcard::SIZE) > values.bytes(&STANZA) {
            let what = "`limits.vcard` is above `limits.c2s.stanza`, and no card is larger than a stanza";
            self.tell(domain, &vcard::SIZE, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, tables};

    fn notes(text: &str) -> Vec<String> {
        let text = format!("domain = \"a.example\"\nextra = [\"b.example\"]\n{text}");
        of(&config::from_text(tables::settings(), &text), std::iter::empty())
    }

    #[test]
    fn values_that_leave_nothing_to_do_are_noted_once_with_their_line() {
        assert_eq!(notes(""), [""; 0]);
        for (text, note) in [
            ("auth.mechanisms = []", "`auth.mechanisms` is empty, so nobody can log in"),
            (
                "registration.password = { min = 20, max = 10 }",
                "`registration.password.min` is above `registration.password.max`, so nobody can choose a password",
            ),
            (
                "registration = { allowed_only = true, open = true }",
                "`registration.allowed_only` without `registration.allow`, so nobody can make an account",
            ),
            (
                "registration.reserved = [\"root\", \"A b\"]",
                "`registration.reserved`: `A b` cannot be the name of an account, so it keeps nothing",
            ),
            (
                "limits = { vcard = \"1 MiB\" }",
                "`limits.vcard` is above `limits.c2s.stanza`, and no card is larger than a stanza",
            ),
            ("log.file = \"/tmp/x\"", "`log.file` changes nothing: `log.target` does not name that target"),
            ("log.levels.file = \"warn\"", "`log.levels.file` changes nothing: `log.target` does not name that target"),
        ] {
            assert_eq!(notes(text), [format!("metronome.toml:3: {note}")]);
        }
    }

    #[test]
    fn what_has_an_effect_is_not_noted() {
        for text in [
            "registration.allowed_only = true",
            "limits.c2s.stanza = \"64 KiB\"",
            "[log]\ntarget = [\"auto\", \"file\"]\nfile = \"/tmp/x\"\nlevels = { file = \"warn\", journal = \"warn\" }",
        ] {
            assert_eq!(notes(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn components_that_cannot_connect_are_noted() {
        assert_eq!(
            notes("components = [\"gw.example\"]"),
            [
                "metronome.toml:3: `components` without `listen.component`, so none can connect",
                "the component gw.example cannot connect: it has no `component.secret` in [host.\"gw.example\"]",
            ]
        );
        let fine = "components = [\"gw.example\"]\nlisten.component_tls = [\"[::1]:5348\"]\ncomponent.secret = \"x\"";
        assert_eq!(notes(fine), [""; 0]);
    }

    #[test]
    fn a_domains_own_value_is_noted_at_its_own_line() {
        let found = notes("[host.\"b.example\".auth]\nmechanisms = []");
        assert_eq!(found, ["metronome.toml:4: `auth.mechanisms` is empty, so nobody can log in"]);
    }
}
