//! What `config check` looks at beside the configuration itself: everything that the start looks at and that changes nothing.
//! Each domain is made as at the start, so what features, groups and certificates find there is found here too.

use std::path::Path;
use std::sync::Arc;

use metronome_host::hosts::Host;
use metronome_host::registry::Registry;
use metronome_model::HostOrigin;
use metronome_net::control;
use metronome_proto::jid::Jid;

use crate::config::{Configuration, Problem};
use crate::domains::{Certificates, Domains, When};
use crate::tables::DATA;
use crate::{logging, notes, unfit};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// What would stop the start.
    pub problems: Vec<Problem>,
    /// What would not, and somebody should know.
    pub notes: Vec<String>,
}

/// The problems of this machine with these values.
pub fn check(configuration: &Configuration) -> Found {
    let (hosts, mut problems) = domains(configuration);
    problems.extend(data_folder(configuration));
    problems.extend(control::check(configuration.values()).err().map(|why| unfit::control(configuration, &why)));
    problems.extend(logs(configuration));
    Found { problems, notes: notes::of(configuration, hosts.iter()) }
}

/// The domains that can be served, and why others cannot. What is wrong for several of them because of one line is told once.
fn domains(configuration: &Configuration) -> (Vec<Host>, Vec<Problem>) {
    let registry = Arc::new(Registry::new(metronome_features::ALL));
    let domains = Domains { configuration, registry: &registry, certificates: &Certificates::Files };
    let (mut hosts, mut problems) = (Vec::new(), Vec::<Problem>::new());
    for name in configuration.domains().iter().filter_map(|name| Jid::parse(name).ok()) {
        match domains.host(&name) {
            Ok(host) => hosts.push(host),
            Err(problem) if problems.iter().any(|other| other.to_string() == problem.to_string()) => {}
            Err(problem) => problems.push(problem),
        }
    }
    let names =
        configuration.domains().into_iter().chain(configuration.components().iter().cloned()).collect::<Vec<_>>();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), HostOrigin::Configuration)).collect();
    let own = hosts.iter().map(|host| (host, HostOrigin::Configuration));
    problems.extend(domains.conflict(&names, own, When::Reload));
    (hosts, problems)
}

fn data_folder(configuration: &Configuration) -> Option<Problem> {
    let Some(folder) = configuration.values().path(&DATA) else {
        return Some(configuration.problem_with(&DATA, "there is no folder for the data", DATA.example()));
    };
    let is_something_else = folder.exists() && !folder.is_dir();
    is_something_else.then(|| {
        configuration.problem_with(
            &DATA,
            format!("{} is not a folder", folder.display()),
            "name a folder, or a path that is free",
        )
    })
}

fn logs(configuration: &Configuration) -> Option<Problem> {
    let values = configuration.values();
    if let Err(why) = logging::check(values) {
        return Some(unfit::logs(configuration, &why));
    }
    let file =
        values.path(&logging::FILE).filter(|_| values.list(&logging::TARGET).iter().any(|word| word == "file"))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = |message, hint: &str| Some(configuration.problem_with(&logging::FILE, message, hint));
    if file.is_dir() {
        return problem(format!("{} is a folder", file.display()), "name a file in it");
    }
    if !folder.is_dir() {
        return problem(format!("there is no folder {}", folder.display()), "make it, or name another file");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, dev, tables};

    fn checked(text: &str) -> Found {
        check(&config::from_text(tables::settings(), text))
    }

    fn found(text: &str) -> Vec<String> {
        checked(text).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_certificate_that_can_be_loaded_is_no_problem_and_one_for_others_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let files = dev::ensure(folder.path(), &["localhost".to_owned()]).unwrap();
        let text = |domain: &str| {
            format!(
                "domain = {domain:?}\n[server]\ndata = {:?}\n[tls]\nfiles = {{ cert = {:?}, key = {:?} }}\n",
                folder.path(),
                files.certificate,
                files.key
            )
        };
        assert_eq!(found(&text("localhost")), [""; 0]);
        assert_eq!(checked(&text("localhost")).notes, [""; 0]);
        assert_eq!(found(&text("a.example")), [""; 0]);
        let note = "metronome.toml:5: the certificate is not for a.example, so clients will not trust it";
        assert_eq!(checked(&text("a.example")).notes, [note]);
    }

    #[test]
    fn a_certificate_file_that_is_not_there_is_shown_where_it_is_named() {
        let text =
            "domain = \"a.example\"\n[tls]\nfiles = { cert = \"/nonexistent/c.pem\", key = \"/nonexistent/k.pem\" }\n";
        let problem = &found(text)[0];
        assert!(problem.starts_with("error[E0016]: ") && problem.contains("/nonexistent/c.pem"), "{problem}");
        assert!(problem.contains("┌ metronome.toml:3:18\n 3│ files = "), "{problem}");
        assert!(problem.ends_with("check the file, and that the user the server runs as may read it"), "{problem}");
    }

    #[test]
    fn no_certificate_is_a_problem_unless_clients_need_not_encrypt() {
        let message = "error[E0016]: a.example has no certificate, and clients must encrypt\n  \
                       = name the files in tls.files = { cert = \"...\", key = \"...\" }";
        assert_eq!(found("domain = \"a.example\"\n"), [message]);
        assert_eq!(found("domain = \"a.example\"\n[tls]\nrequire_c2s = false\n"), [""; 0]);
        let half = &found("domain = \"a.example\"\ntls.files = { cert = \"/c.pem\" }\n")[0];
        assert!(half.starts_with("error[E0016]: a.example has a certificate and no key, and"), "{half}");
        assert!(half.contains("metronome.toml:2:22"), "{half}");
    }

    #[test]
    fn a_data_folder_that_is_a_file_is_a_problem() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("domain = \"a\"\ntls.require_c2s = false\n[server]\ndata = {:?}\n", file.path());
        assert!(found(&text)[0].starts_with(&format!("error[E0016]: {} is not a folder\n", file.path().display())));
    }

    #[test]
    fn a_log_file_must_be_named_and_have_a_folder() {
        let head = "domain = \"a\"\ntls.require_c2s = false\n[log]\ntarget = [\"file\"]\n";
        let message = "\
error[E0016]: logs go to a file, and log.file does not name one
  ┌ metronome.toml:4:10
 4│ target = [\"file\"]
  │          ^^^^^^^^ write file = \"/var/log/metronome.log\" beside it";
        assert_eq!(found(head), [message]);
        assert!(
            found(&format!("{head}file = \"/nonexistent/x.log\"\n"))[0].contains("there is no folder /nonexistent")
        );
        assert!(found(&format!("{head}file = \"/\"\n"))[0].contains("/ is a folder"));
    }

    #[test]
    fn what_would_stop_the_start_is_found_before_it_and_shown_where_it_is_written() {
        for (line, message) in [
            ("groups.file = \"/nonexistent\"", "/nonexistent: No such file"),
            ("groups.members = [\"Team alice\"]", "entry 1: `Team alice` names no group"),
            ("contact.abuse = [\"abuse@a.example\"]", "`abuse@a.example` is not a URI"),
            ("disco.items = [\"foo bar = x\"]", "foo bar"),
            ("control.group = \"no such group\"", "control.group: there is no such group"),
            ("log = { target = [\"syslog\"], syslog = \"/nonexistent\" }", "cannot reach syslog at /nonexistent: "),
            ("log.levels.file = \"loud\"", "log.levels.file: `loud` is neither a level"),
        ] {
            let text = format!("domain = \"a.example\"\nextra = [\"b.example\"]\ntls.require_c2s = false\n{line}\n");
            let problems = found(&text);
            assert_eq!(problems.len(), 1, "{problems:?}");
            let problem = &problems[0];
            assert!(problem.contains(message) && problem.contains("metronome.toml:4:"), "{problem}");
        }
    }
}
