//! The configuration: defaults, the file, `conf.d/*.toml`, the environment and the command line, in this order, as one value.
//! Every key is a [`Setting`] declared by the part that reads it, so nothing here knows what a key means. A mistake anywhere
//! gives [`Problems`] and no configuration at all: a reload with a bad file keeps the old one.

mod changes;
mod environment;
mod layers;
mod pages;
mod problem;
mod read;
mod show;
mod source;
mod suggest;
mod syntax;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metronome_host::options::{Kind, Setting, Values};

pub use changes::Change;
pub use pages::{example, reference};
pub use problem::{Code, Problem, Problems};
pub use show::{Detail, Origins};
pub use source::{Origin, Source};

/// The tables of all parts of the server, in the order in which `config show` and the reference list them.
pub type Tables = &'static [&'static [Setting]];

/// Where the file is unless the command line says otherwise.
pub const STANDARD_FILE: &str = "/etc/metronome/metronome.toml";

/// The main domain; the one setting without a default.
pub const DOMAIN: Setting = Setting::new("domain", Kind::Domain, "", "The domain this server is responsible for.");

/// More domains.
pub const EXTRA: Setting = Setting::new(
    "extra",
    Kind::Domains,
    "[]",
    "More domains this server is responsible for. A section `[host.\"example.net\"]` overrides settings for one of them, or for \
     one that `metronomectl host add` has added.",
);

/// External components.
pub const COMPONENTS: Setting = Setting::new(
    "components",
    Kind::Domains,
    "[]",
    "Domains of external components (XEP-0114), such as gateways: programs of their own that connect to `listen.component` and prove \
     themselves by `component.secret`, which stands in `[host.\"NAME\"]`.",
);

/// The settings that the configuration itself reads; the first table of [`Tables`].
pub const SETTINGS: &[Setting] = &[DOMAIN, EXTRA, COMPONENTS];

/// What a configuration is made from, weakest first; see [`load`].
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Other defaults than the declared ones, as dotted key and TOML literal: those of the development mode.
    pub presets: Vec<(&'static str, String)>,
    /// The file, and with it the folder `conf.d` beside it.
    pub file: ConfigFile,
    /// Names and values of the environment; those that do not begin with `METRONOME_` are ignored.
    pub environment: Vec<(String, String)>,
    /// Dotted keys and plain words from the command line.
    pub flags: Vec<(String, String)>,
}

impl Inputs {
    /// The file and the environment of this process.
    ///
    /// Variables that are not UTF-8 are left out: no setting has such a value.
    pub fn of_process(file: ConfigFile) -> Self {
        let environment = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self { file, environment: environment.collect(), ..Self::default() }
    }
}

/// Which file to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ConfigFile {
    /// None; the development mode and tests.
    #[default]
    None,
    /// This one if it exists, as in [`STANDARD_FILE`]: a container may be configured by its environment alone.
    IfThere(PathBuf),
    /// This one, which must exist.
    Named(PathBuf),
}

impl ConfigFile {
    /// The file itself, whether or not it exists.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::IfThere(path) | Self::Named(path) => Some(path),
        }
    }
}

/// Every setting's value, for the server and for each domain, and where it came from. Immutable.
#[derive(Debug, Clone)]
pub struct Configuration {
    tables: Tables,
    values: Values,
    /// The overrides of `[host."name"]`, already laid over `values`.
    hosts: BTreeMap<String, Values>,
    /// Where each given value came from; what is not in here has its default. The host is empty for server-wide values.
    origins: BTreeMap<(String, &'static str), Origin>,
    /// What was written at the origins, for messages about values that do not fit each other.
    places: BTreeMap<(String, &'static str), problem::Place>,
    strangers: Vec<Stranger>,
    files: Vec<PathBuf>,
}

/// A section `[host."name"]` for a domain that the configuration does not name: one that a command has added, one that is to be,
/// or a slip of the pen. Only the running server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The domain.
    pub domain: String,
    /// Where its section is, and what may be meant, in one sentence.
    pub note: String,
}

/// Reads everything and checks it: defaults < presets < file < `conf.d` < environment < flags.
///
/// Files are read with blocking calls. Problems are complete as far as one can tell: all unknown keys and all wrong values of
/// all files, but only the first syntax error of each.
pub fn load(tables: Tables, inputs: &Inputs) -> Result<Configuration, Problems> {
    layers::load(tables, inputs)
}

impl Configuration {
    /// The server-wide values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The values for one domain: its overrides over the server-wide ones.
    pub fn for_host(&self, domain: &str) -> &Values {
        self.hosts.get(domain).unwrap_or(&self.values)
    }

    /// The values for a service of `domain` at `name`: what is given for it itself, over those for the domain.
    pub fn for_service(&self, name: &str, domain: &str) -> Values {
        let Some(own) = self.hosts.get(name) else { return self.for_host(domain).clone() };
        let given = own.iter().filter(|(setting, _)| self.overrides(name, setting));
        self.for_host(domain).overlaid(given.filter_map(|(setting, value)| Some((setting, value?.clone()))))
    }

    /// All domains, the main one first.
    pub fn domains(&self) -> Vec<String> {
        let main = self.values.text(&DOMAIN).to_owned();
        std::iter::once(main).chain(self.values.list(&EXTRA).iter().cloned()).collect()
    }

    /// The domains of components.
    pub fn components(&self) -> &[String] {
        self.values.list(&COMPONENTS)
    }

    /// Sections for domains that the configuration does not name.
    pub fn strangers(&self) -> &[Stranger] {
        &self.strangers
    }

    /// Whether this domain has a value of its own for a setting.
    pub fn overrides(&self, domain: &str, setting: &Setting) -> bool {
        self.places.contains_key(&(domain.to_owned(), setting.key))
    }

    /// Where the value that holds for one domain came from; the domain is empty for the server-wide values.
    pub fn origin(&self, domain: &str, setting: &Setting) -> Origin {
        let given = |domain: &str| self.origins.get(&(domain.to_owned(), setting.key)).cloned();
        given(domain).or_else(|| given("")).unwrap_or(Origin::Default)
    }

    /// The files that were read, in their order.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// A problem with a server-wide value that was found after reading, shown where the value was written.
    ///
    /// For values that do not fit each other or the world: a certificate without its key, a folder that cannot be opened.
    pub fn problem_with(&self, setting: &Setting, message: impl Into<String>, hint: impl Into<String>) -> Problem {
        let place = self.places.get(&(String::new(), setting.key)).cloned();
        Problem { code: Code::Unfit, message: message.into(), hint: hint.into(), place }
    }

    /// The same for the value that holds for one domain.
    pub fn problem_with_host(
        &self,
        domain: &str,
        setting: &Setting,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        match self.places.get(&(domain.to_owned(), setting.key)) {
            Some(place) => {
                let place = Some(place.clone());
                Problem { code: Code::Unfit, message: message.into(), hint: hint.into(), place }
            }
            None => self.problem_with(setting, message, hint),
        }
    }
}

/// For tests of other parts: a configuration from one text, as if it were the file.
///
/// Panics with the rendered problems if the text is wrong.
pub fn from_text(tables: Tables, text: &str) -> Configuration {
    let source = Arc::new(Source::file(Path::new("metronome.toml"), text.to_owned()));
    layers::from_sources(tables, &[], vec![source], &[], &[]).unwrap_or_else(|problems| panic!("{problems}"))
}
