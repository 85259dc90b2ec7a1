//! What `config check` looks at beside the configuration itself: the files and folders that its values name.
//! It changes nothing; what it finds would also stop the server at its start.

use std::path::Path;

use metronome_net::tls;

use crate::config::{Configuration, Problem};
use crate::logging;
use crate::tables::DATA;

/// The problems of this machine with these values.
pub fn check(configuration: &Configuration) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        configuration.domains().iter().filter_map(|domain| certificate(configuration, domain)).collect();
    problems.extend(data_folder(configuration));
    problems.extend(log_file(configuration));
    problems
}

fn certificate(configuration: &Configuration, domain: &str) -> Option<Problem> {
    let values = configuration.for_host(domain);
    match tls::load(values) {
        Ok(None) if values.flag(&tls::REQUIRE) => Some(configuration.problem_with_host(
            domain,
            &tls::CERT,
            format!("{domain} has no certificate, and clients must encrypt"),
            "name its files: tls.files = { cert = \"...\", key = \"...\" }",
        )),
        Ok(_) => None,
        Err(why) => {
            let hint = "check the file, and that the user the server runs as may read it";
            Some(configuration.problem_with_host(domain, &tls::CERT, why.to_string(), hint))
        }
    }
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

fn log_file(configuration: &Configuration) -> Option<Problem> {
    let values = configuration.values();
    if let Err(why) = logging::check(values) {
        let (setting, hint) = match why {
            logging::LogError::NoFile => (&logging::TARGET, "write file = \"/var/log/metronome.log\" beside it"),
            _ => (&logging::LEVEL, ""),
        };
        return Some(configuration.problem_with(setting, why.to_string(), hint));
    }
    let file =
        values.path(&logging::FILE).filter(|_| values.list(&logging::TARGET).iter().any(|word| word == "file"))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    (!folder.is_dir()).then(|| {
        configuration.problem_with(
            &logging::FILE,
            format!("there is no folder {}", folder.display()),
            "make it, or name another file",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, dev, tables};

    fn found(text: &str) -> Vec<String> {
        check(&config::from_text(tables::settings(), text)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_certificate_that_can_be_loaded_is_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        let files = dev::ensure(folder.path(), &["localhost".to_owned()]).unwrap();
        let text = format!(
            "domain = \"localhost\"\n[server]\ndata = {:?}\n[tls]\nfiles = {{ cert = {:?}, key = {:?} }}\n",
            folder.path(),
            files.certificate,
            files.key
        );
        assert_eq!(found(&text), [""; 0]);
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
                       = name its files: tls.files = { cert = \"...\", key = \"...\" }";
        assert_eq!(found("domain = \"a.example\"\n"), [message]);
        assert_eq!(found("domain = \"a.example\"\n[tls]\nrequire_c2s = false\n"), [""; 0]);
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
    }
}
