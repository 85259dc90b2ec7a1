//! Commands: what an administrator may ask of the running server, as one table with several doors.
//! `metronomectl` (over the control socket), ad-hoc commands and the admin API all call [`call`]; their forms and `--help`
//! derive from the same declarations. Keeps nothing.

mod answer;
mod arguments;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use answer::{Answer, Cell};
pub use arguments::Arguments;

use crate::server::Server;

/// One verb, declared as a constant beside the code that runs it and listed in that part's table.
///
/// ```text
/// pub const COMMANDS: &[Command] = &[Command {
///     name: "user delete",
///     about: "Delete an account and everything it stored",
///     role: Role::Admin,
///     fields: &[Field::required("jid", FieldKind::Jid, "the account, such as alice@example.org").positional()],
///     run: |server, arguments| Box::pin(delete(server, arguments)),
/// }];
/// async fn delete(server: &Arc<Server>, arguments: Arguments) -> Result<Answer, Failed> { ... }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// One or more words, such as `user add`. Unique over all tables.
    pub name: &'static str,
    /// One line for `--help`, without a full stop.
    pub about: &'static str,
    /// Who may run it.
    pub role: Role,
    /// What it takes.
    pub fields: &'static [Field],
    /// Runs it; the arguments were checked against `fields`.
    pub run: Run,
}

/// The function behind a command.
pub type Run = for<'a> fn(&'a Arc<Server>, Arguments) -> BoxFuture<'a, Result<Answer, Failed>>;

/// All tables of the server, in the order in which help shows them.
pub type Tables = &'static [&'static [Command]];

/// Who is asking, and what a command needs; a later one may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Any account of the server.
    User,
    /// An account with the role admin.
    Admin,
    /// Whoever may use the control socket: root, or the user the server runs as.
    Operator,
}

/// One argument of a command.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in requests; `--name` on the command line unless it is positional.
    pub name: &'static str,
    /// What it may be.
    pub kind: FieldKind,
    /// Whether the command cannot do without.
    pub required: bool,
    /// Whether the command line takes it without its name, in the order of the table.
    pub positional: bool,
    /// One line for `--help`.
    pub about: &'static str,
}

impl Field {
    /// An argument the command cannot do without.
    pub const fn required(name: &'static str, kind: FieldKind, about: &'static str) -> Self {
        Self { name, kind, required: true, positional: false, about }
    }

    /// An argument that may be left out; a flag that is left out is off.
    pub const fn optional(name: &'static str, kind: FieldKind, about: &'static str) -> Self {
        Self { name, kind, required: false, positional: false, about }
    }

    /// The command line takes it without its name. Flags and passwords are never positional.
    pub const fn positional(mut self) -> Self {
        self.positional = true;
        self
    }
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text without control characters, at most 3071 bytes.
    Text,
    /// The address of an account, `local@domain`; read by [`Arguments::jid`].
    Jid,
    /// A domain, such as `example.org`; read by [`Arguments::domain`].
    Domain,
    /// The address of a session, `local@domain/resource`, or of an account for all its sessions; read by [`Arguments::jid`].
    Session,
    /// A secret: asked for on the terminal or read from standard input, never shown and never logged.
    Password,
    /// On or off.
    Flag,
    /// A whole number.
    Count,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// The exit code of the command line: 1 a problem was found, 2 wrong use, 3 the server cannot be reached.
    pub exit: u8,
    /// One sentence without a full stop.
    pub message: String,
    /// What to do about it; empty if nothing helps.
    pub hint: String,
}

impl Failed {
    /// The command was understood, and there is a problem (exit code 1).
    pub fn problem(message: impl Into<String>) -> Self {
        Self { exit: 1, message: message.into(), hint: String::new() }
    }

    /// The command was used wrongly (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, message: message.into(), hint: String::new() }
    }

    /// The server does not answer (exit code 3).
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { exit: 3, message: message.into(), hint: String::new() }
    }

    /// Says what to do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// The command of this name.
pub fn find(tables: Tables, name: &str) -> Option<&'static Command> {
    tables.iter().copied().flatten().find(|command| command.name == name)
}

/// Runs one command: finds it, checks who asks and what was given, and calls its function.
///
/// `given` are names and values as JSON; see [`Arguments::check`].
pub async fn call(
    server: &Arc<Server>,
    tables: Tables,
    role: Role,
    name: &str,
    given: serde_json::Map<String, serde_json::Value>,
) -> Result<Answer, Failed> {
    let command = find(tables, name).ok_or_else(|| Failed::usage(format!("there is no command `{name}`")))?;
    if role < command.role {
        return Err(Failed::problem(format!("`{name}` needs more rights")));
    }
    let arguments = Arguments::check(command.fields, given)?;
    (command.run)(server, arguments).await
}
