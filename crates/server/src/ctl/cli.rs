//! The command line, built from the command tables: a group for each first word, an argument for each field.
//! Passwords are no arguments: anybody on the machine can read the command line of a process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command as Clap, value_parser};
use metronome_host::command::{Command, Field, FieldKind, Tables, find};
use serde_json::{Map, Value};

use super::{STANDARD_SOCKET, Socket};
use crate::config::{ConfigFile, STANDARD_FILE};

/// Names from other servers' utilities, for the commands that do the same.
const ALIASES: &[(&str, &str)] = &[("adduser", "user add"), ("passwd", "user passwd"), ("deluser", "user delete")];
/// `register USER HOST`, as in ejabberd's utility.
const REGISTER: (&str, &str) = ("register", "user add");
/// Most connections of a batch.
const JOBS_MAX: u64 = 32;

/// What to do, and how to show it.
pub(super) struct Invocation {
    pub(super) options: Options,
    pub(super) task: Task,
}

/// What all verbs have in common.
pub(super) struct Options {
    pub(super) socket: Socket,
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) password: PasswordFrom,
}

/// Where passwords come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PasswordFrom {
    /// The terminal if there is one, standard input if not.
    Anywhere,
    /// Standard input.
    Stdin,
}

pub(super) enum Task {
    /// A command of the server; its password is not asked for yet.
    Call { command: &'static Command, arguments: Map<String, Value> },
    /// A command on each line of standard input.
    Batch { jobs: u64 },
    /// A verb that reads the configuration by itself.
    Config { verb: ConfigVerb, file: ConfigFile },
    /// A server is started, and waited for so long.
    Start { file: ConfigFile, timeout: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigVerb {
    Check,
    Show { detail: crate::config::Detail, origins: crate::config::Origins },
    Reference,
    Example,
}

/// Reads a command line. Help and the version are errors too, for clap.
pub(super) fn read(tables: Tables, arguments: Vec<OsString>) -> Result<Invocation, clap::Error> {
    let mut root = root(tables);
    let matches = root.try_get_matches_from_mut(arguments)?;
    let options = Options {
        socket: Socket(matches.get_one::<PathBuf>("socket").cloned().unwrap_or_default()),
        json: matches.get_flag("json"),
        quiet: matches.get_flag("quiet"),
        password: if matches.get_flag("password-stdin") { PasswordFrom::Stdin } else { PasswordFrom::Anywhere },
    };
    if matches.get_flag("batch") {
        let jobs = matches.get_one("jobs").copied().unwrap_or(1);
        return match matches.subcommand() {
            None => Ok(Invocation { options, task: Task::Batch { jobs } }),
            Some(_) => {
                Err(root.error(clap::error::ErrorKind::ArgumentConflict, "--batch reads its verbs from standard input"))
            }
        };
    }
    match matches.subcommand() {
        Some((name, matches)) => Ok(Invocation { options, task: task(tables, name, matches) }),
        None => Err(root.error(clap::error::ErrorKind::MissingSubcommand, "a verb is missing; --help lists them")),
    }
}

/// The whole command line.
pub(super) fn root(tables: Tables) -> Clap {
    let mut root = Clap::new("metronomectl")
        .about("Controls a Metronome server")
        .version(env!("CARGO_PKG_VERSION"))
        .arg_required_else_help(true)
        .args(global_arguments())
        .arg(Arg::new("batch").long("batch").action(ArgAction::SetTrue).help(
            "Read verbs from standard input, one on a line: user add alice@example.org password=secret; lines of JSON too",
        ))
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("N")
                .requires("batch")
                .value_parser(value_parser!(u64).range(1..=JOBS_MAX))
                .help("Run so many lines of a batch at once, in no order"),
        );
    let mut groups: Vec<&str> = Vec::new();
    for command in tables.iter().copied().flatten() {
        match command.name.split_once(' ') {
            None => root = root.subcommand(verb(command.name, command)),
            Some((group, _)) if groups.contains(&group) => {}
            Some((group, _)) => {
                groups.push(group);
                root = root.subcommand(self::group(group, tables));
            }
        }
    }
    for (alias, name) in ALIASES {
        if let Some(command) = find(tables, name) {
            root = root.subcommand(verb(alias, command).hide(true));
        }
    }
    if find(tables, REGISTER.1).is_some() {
        root = root.subcommand(register().hide(true));
    }
    root.subcommand(config()).subcommand(start())
}

fn global_arguments() -> [Arg; 4] {
    let flag = |name| Arg::new(name).long(name).action(ArgAction::SetTrue).global(true);
    [
        Arg::new("socket")
            .long("socket")
            .value_name("PATH")
            .env("METRONOME_SOCKET")
            .default_value(STANDARD_SOCKET)
            .value_parser(value_parser!(PathBuf))
            .global(true)
            .help("The server's control socket"),
        flag("json").help("Answer in JSON"),
        flag("quiet").short('q').help("Say nothing but errors"),
        flag("password-stdin").help("Read the password from the first line of standard input"),
    ]
}

/// The group `user` of `user add`, `user list` and so on; its verbs are its description.
fn group(name: &'static str, tables: Tables) -> Clap {
    let verbs = || {
        let commands = tables.iter().copied().flatten();
        commands.filter_map(move |command| Some((command.name.strip_prefix(name)?.strip_prefix(' ')?, command)))
    };
    let about = verbs().map(|(verb, _)| verb).collect::<Vec<_>>().join(", ");
    let group = Clap::new(name).about(about).subcommand_required(true).arg_required_else_help(true);
    group.subcommands(verbs().map(|(name, command)| verb(name, command)))
}

fn verb(name: &'static str, command: &Command) -> Clap {
    let fields = command.fields.iter().filter(|field| field.kind != FieldKind::Password);
    Clap::new(name).about(sentence(command.about)).args(fields.map(argument))
}

/// Help lines have no full stop, wherever else the text is shown with one.
fn sentence(text: &'static str) -> &'static str {
    text.strip_suffix('.').unwrap_or(text)
}

fn argument(field: &Field) -> Arg {
    let arg = Arg::new(field.name).help(sentence(field.about)).required(field.required);
    let arg = if field.positional { arg } else { arg.long(field.name) };
    match field.kind {
        FieldKind::Flag => arg.required(false).action(ArgAction::SetTrue),
        FieldKind::Count => arg.value_name("N").value_parser(value_parser!(u64)),
        FieldKind::Choice(words) => arg.value_parser(PossibleValuesParser::new(words.iter().copied())),
        FieldKind::Jid | FieldKind::Own => arg.value_name("JID"),
        FieldKind::Domain | FieldKind::Service => arg.value_name("DOMAIN"),
        FieldKind::Room => arg.value_name("ROOM"),
        FieldKind::Session => arg.value_name("JID[/RESOURCE]"),
        FieldKind::Text | FieldKind::Lines | FieldKind::Password => arg,
    }
}

fn register() -> Clap {
    let part = |name, help| Arg::new(name).required(true).help(help);
    Clap::new(REGISTER.0)
        .about("Add an account; the password is asked for")
        .args([part("user", "the name before the @"), part("host", "the domain")])
}

fn config_file() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help(format!("The configuration file [default: {STANDARD_FILE}]"))
}

fn named_file(matches: &ArgMatches) -> ConfigFile {
    match matches.get_one::<PathBuf>("config") {
        Some(path) => ConfigFile::Named(path.clone()),
        None => ConfigFile::IfThere(STANDARD_FILE.into()),
    }
}

fn start() -> Clap {
    let timeout = Arg::new("timeout").long("timeout").value_name("SECONDS").default_value("60");
    Clap::new("start").about("Start the server in the background and wait until it is ready").args([
        config_file(),
        timeout.value_parser(value_parser!(u64).range(1..=3600)).help("How long it may take to be ready"),
    ])
}

fn config() -> Clap {
    let flag = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let file = config_file().global(true);
    Clap::new("config")
        .about("check, show, example, reference: the configuration, read without the server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(file)
        .subcommands([
            Clap::new("check").about("Say what is wrong with the configuration"),
            Clap::new("show")
                .about("Show the values that are set, as TOML")
                .arg(flag("effective", "Show the defaults too"))
                .arg(flag("origin", "Show where each value comes from")),
            Clap::new("example").about("Print a file with every key and its default"),
            Clap::new("reference").about("Print the reference of all keys, as Markdown"),
        ])
}

fn task(tables: Tables, name: &str, matches: &ArgMatches) -> Task {
    if name == "config" {
        return config_task(matches);
    }
    if name == "start" {
        let seconds = matches.get_one("timeout").copied().unwrap_or(60);
        return Task::Start { file: named_file(matches), timeout: Duration::from_secs(seconds) };
    }
    if name == REGISTER.0 {
        let command = find(tables, REGISTER.1).expect("the verb is offered only with its command");
        let part = |name| matches.get_one::<String>(name).map_or("", String::as_str);
        let jid = Value::from(format!("{}@{}", part("user"), part("host")));
        return Task::Call { command, arguments: [("jid".to_owned(), jid)].into_iter().collect() };
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let (command, matches) = match (alias, matches.subcommand()) {
        (Some((_, full)), _) => (find(tables, full), matches),
        (None, Some((verb, matches))) => (find(tables, &format!("{name} {verb}")), matches),
        (None, None) => (find(tables, name), matches),
    };
    let command = command.expect("clap accepts only what was built from the tables");
    Task::Call { command, arguments: arguments(command, matches) }
}

fn arguments(command: &Command, matches: &ArgMatches) -> Map<String, Value> {
    let mut arguments = Map::new();
    for field in command.fields {
        let value = match field.kind {
            FieldKind::Password => None,
            FieldKind::Flag => matches.get_flag(field.name).then_some(Value::Bool(true)),
            FieldKind::Count => matches.get_one::<u64>(field.name).copied().map(Value::from),
            _ => matches.get_one::<String>(field.name).cloned().map(Value::from),
        };
        if let Some(value) = value {
            arguments.insert(field.name.to_owned(), value);
        }
    }
    arguments
}

fn config_task(matches: &ArgMatches) -> Task {
    use crate::config::{Detail, Origins};
    let (name, verb) = matches.subcommand().expect("clap requires a verb");
    let file = named_file(verb);
    let verb = match name {
        "check" => ConfigVerb::Check,
        "show" => ConfigVerb::Show {
            detail: if verb.get_flag("effective") { Detail::Effective } else { Detail::Given },
            origins: if verb.get_flag("origin") { Origins::Shown } else { Origins::Hidden },
        },
        "example" => ConfigVerb::Example,
        _ => ConfigVerb::Reference,
    };
    Task::Config { verb, file }
}
