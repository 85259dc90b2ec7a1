//! The layers of a configuration, laid over each other in their order, and the checks that need all of them.
//! Called by `load`; reads the files, and nothing else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metronome_host::options::{Setting, Value, Values};
use toml::de::DeValue;

use super::environment::{read_environment, read_flags};
use super::problem::{Code, Place, Problem, Problems};
use super::read::{Given, Reading, read};
use super::source::{Origin, Source};
use super::suggest::nearest;
use super::{COMPONENTS, ConfigFile, Configuration, DOMAIN, EXTRA, Inputs, Stranger, Tables};

/// Largest configuration file; more is a mistake, such as a device or a log.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn load(tables: Tables, inputs: &Inputs) -> Result<Configuration, Problems> {
    let (sources, mut problems) = open(&inputs.file);
    let absent = inputs.file.path().filter(|path| !sources.iter().any(|source| source.path() == Some(path)));
    match from_sources(tables, &inputs.presets, sources, &inputs.environment, &inputs.flags) {
        Ok(configuration) => Problems::from(problems).map_or(Ok(configuration), Err),
        Err(more) => {
            let explained = !problems.is_empty();
            let more = more.iter().filter(|problem| !(explained && problem.code == Code::Missing));
            problems.extend(more.map(|problem| match absent {
                Some(path) if problem.code == Code::Missing => without_file(path, problem),
                _ => problem.clone(),
            }));
            Err(Problems::from(problems).expect("there is a problem, here or in a file that explains the others"))
        }
    }
}

/// Somebody who has written no file at all: says where it would be.
fn without_file(path: &Path, problem: &Problem) -> Problem {
    let hint = format!(
        "there is no file {}: {} there, or name another with --config; metronome --dev needs none",
        path.display(),
        problem.hint
    );
    Problem { hint, ..problem.clone() }
}

/// Builds a configuration from texts.
pub(super) fn from_sources(
    tables: Tables,
    presets: &[(&'static str, String)],
    files: Vec<Arc<Source>>,
    environment: &[(String, String)],
    flags: &[(String, String)],
) -> Result<Configuration, Problems> {
    let mut layers = Layers::new(tables, presets);
    for source in &files {
        layers.lay(read(tables, source));
    }
    layers.lay(read_environment(tables, environment));
    layers.lay(read_flags(tables, flags));
    layers.finish(files.iter().filter_map(|source| source.path()).map(Path::to_owned).collect())
}

/// The files that are there, in their order, and those that cannot be read.
fn open(file: &ConfigFile) -> (Vec<Arc<Source>>, Vec<Problem>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    let Some(path) = file.path() else { return (sources, problems) };
    let mut paths = vec![path.to_owned()];
    match parts(path) {
        Ok(parts) => paths.extend(parts),
        Err(problem) => problems.push(problem),
    }
    for (index, path) in paths.iter().enumerate() {
        match read_file(path) {
            Ok(text) => sources.push(Arc::new(Source::file(path, text))),
            Err(FileError::Missing) if index == 0 && matches!(file, ConfigFile::IfThere(_)) => {}
            Err(why) => problems.push(why.problem(path)),
        }
    }
    (sources, problems)
}

/// The files of `conf.d` beside the main file, in the order of their names. Hidden ones are left to editors.
fn parts(main: &Path) -> Result<Vec<PathBuf>, Problem> {
    let folder = main.parent().unwrap_or(Path::new("")).join("conf.d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(FileError::from(why).problem(&folder)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|why| FileError::from(why).problem(&folder))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Why a file could not be read.
enum FileError {
    Missing,
    Denied,
    Folder,
    TooLarge,
    NotUtf8 { line: usize },
    Other(io::Error),
}

impl From<io::Error> for FileError {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::IsADirectory => Self::Folder,
            _ => Self::Other(why),
        }
    }
}

impl FileError {
    fn problem(&self, path: &Path) -> Problem {
        let (why, hint) = match self {
            Self::Missing => (
                "there is no such file".to_owned(),
                "write one with the line domain = \"example.org\", or name another with --config".to_owned(),
            ),
            Self::Denied => (
                "permission denied".to_owned(),
                "let the user the server runs as read it, or run this as root".to_owned(),
            ),
            Self::Folder => ("it is a folder".to_owned(), "name the file itself".to_owned()),
            Self::TooLarge => ("it is larger than 1 MiB".to_owned(), String::new()),
            Self::NotUtf8 { line } => {
                (format!("line {line} is not UTF-8"), "save it as UTF-8 in your editor".to_owned())
            }
            Self::Other(why) => (why.to_string(), String::new()),
        };
        Problem::without_place(Code::Unreadable, format!("cannot read {}: {why}", path.display()), hint)
    }
}

fn read_file(path: &Path) -> Result<String, FileError> {
    use io::Read;
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|why| {
        let valid = &why.as_bytes()[..why.utf8_error().valid_up_to()];
        FileError::NotUtf8 { line: valid.iter().filter(|byte| **byte == b'\n').count() + 1 }
    })
}

/// Values on their way to a configuration; later ones replace earlier ones.
struct Layers {
    tables: Tables,
    defaults: Values,
    given: Vec<Given>,
    hosts: Vec<(String, Place)>,
    origins: BTreeMap<(String, &'static str), Origin>,
    strangers: Vec<Stranger>,
    problems: Vec<Problem>,
}

impl Layers {
    /// Panics if a preset is not a setting or does not fit it: presets are written in the program.
    fn new(tables: Tables, presets: &[(&'static str, String)]) -> Self {
        let mut defaults = Values::defaults(tables);
        let mut origins = BTreeMap::new();
        for (key, literal) in presets {
            let setting = defaults.setting(key).unwrap_or_else(|| panic!("the preset {key} is a registered setting"));
            let literal = DeValue::parse(literal).unwrap_or_else(|error| panic!("the preset {key} is TOML: {error}"));
            let value = Value::read(setting, &literal).unwrap_or_else(|wrong| panic!("{key}: {}", wrong.message));
            defaults = defaults.overlaid([(setting, value)]);
            origins.insert((String::new(), setting.key), Origin::Development);
        }
        let (given, hosts, strangers, problems) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { tables, defaults, given, hosts, origins, strangers, problems }
    }

    fn lay(&mut self, reading: Reading) {
        for given in &reading.given {
            let origin = given.place.source.origin(given.place.span.start);
            self.origins.insert((given.host.clone(), given.setting.key), origin);
        }
        self.given.extend(reading.given);
        self.hosts.extend(reading.hosts);
        self.problems.extend(reading.problems);
    }

    fn finish(mut self, files: Vec<PathBuf>) -> Result<Configuration, Problems> {
        let values = self.defaults.overlaid(self.given_for("").map(|given| (given.setting, given.value.clone())));
        self.require(&values);
        if values.get(&DOMAIN).is_some() {
            self.check_domains(&values);
        }
        if let Some(problems) = Problems::from(std::mem::take(&mut self.problems)) {
            return Err(problems);
        }
        let overrides =
            |host: &str| values.overlaid(self.given_for(host).map(|given| (given.setting, given.value.clone())));
        let hosts = self.hosts.iter().map(|(host, _)| (host.clone(), overrides(host))).collect();
        let places = self.given.into_iter().map(|given| ((given.host, given.setting.key), given.place)).collect();
        let (tables, origins, strangers) = (self.tables, self.origins, self.strangers);
        Ok(Configuration { tables, values, hosts, origins, places, strangers, files })
    }

    fn given_for(&self, host: &str) -> impl Iterator<Item = &Given> {
        self.given.iter().filter(move |given| given.host == host)
    }

    /// Every required setting has a value. A wrong value, and a file that could not be read, are problems of their own.
    fn require(&mut self, values: &Values) {
        if self.problems.iter().any(|problem| problem.code == Code::Syntax) {
            return;
        }
        let missing = |setting: &&Setting| values.get(setting).is_none();
        let named = |problem: &Problem, setting: &Setting| problem.message.starts_with(&format!("`{}`: ", setting.key));
        let settings = self.tables.iter().copied().flatten().filter(missing);
        let missing: Vec<_> = settings
            .filter(|setting| !self.problems.iter().any(|problem| named(problem, setting)))
            .map(|setting| {
                let message = format!("`{}` is missing: it has no default", setting.key);
                Problem::without_place(Code::Missing, message, setting.example())
            })
            .collect();
        self.problems.extend(missing);
    }

    /// No domain twice; and which overrides are for others than these.
    fn check_domains(&mut self, values: &Values) {
        let main = values.text(&DOMAIN);
        let (extra, components) = (values.list(&EXTRA), values.list(&COMPONENTS));
        if extra.iter().any(|domain| domain == main) {
            self.twice(&EXTRA, format!("`extra`: `{main}` is the `domain` already"));
        }
        for domain in components.iter().filter(|domain| *domain == main || extra.contains(*domain)) {
            self.twice(&COMPONENTS, format!("`components`: `{domain}` is a domain that this server serves itself"));
        }
        let named = || extra.iter().chain(components).map(String::as_str).chain([main]);
        for (host, place) in &self.hosts {
            if named().any(|domain| domain == host) || self.strangers.iter().any(|stranger| stranger.domain == *host) {
                continue;
            }
            let meant = match nearest(host, named()) {
                Some(domain) => format!("did you mean \"{domain}\"?"),
                None => format!("metronomectl host add {host} serves it"),
            };
            let origin = place.source.origin(place.span.start);
            let note = format!("{origin}: `{host}` is not a domain of the configuration; {meant}");
            self.strangers.push(Stranger { domain: host.clone(), note });
        }
    }

    /// A domain that is named in a list and stands elsewhere already.
    fn twice(&mut self, list: &Setting, message: String) {
        let place = self.given_for("").filter(|given| given.setting.key == list.key).last();
        let place = place.map(|given| given.place.clone());
        self.problems.push(Problem { code: Code::Unfit, message, hint: "remove it here".to_owned(), place });
    }
}
