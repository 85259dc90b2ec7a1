//! Commands: what an administrator may ask of the running server, as one table with several doors.
//! `metronomectl` (over the control socket), ad-hoc commands and the admin API all call [`run`]; their forms and `--help`
//! derive from the same declarations. Keeps nothing.

mod answer;
mod arguments;
mod asker;
pub mod dialogs;
mod findings;
mod scope;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_proto::jid::Jid;
use serde_json::{Map, Value};

pub use answer::{Answer, Cell};
pub use arguments::Arguments;
pub use asker::{Asker, OPERATORS, is_operator};
pub use findings::{Finding, Level};
pub use scope::narrow;

use crate::server::Server;

/// One verb, declared as a constant beside the code that runs it and listed in that part's table.
///
/// ```text
/// pub const COMMANDS: &[Command] = &[Command {
///     name: "user delete",
///     about: "Delete an account and everything it stored",
///     role: Role::Admin,
///     does: Does::Ends,
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
    /// What becomes of the server by it.
    pub does: Does,
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
    /// Any account, for itself.
    User,
    /// An account with the role admin, for what belongs to its own domain.
    Admin,
    /// Whoever may use the control socket: root, or the user the server runs as; and the accounts of [`OPERATORS`].
    Operator,
}

/// What becomes of the server when a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Nothing: it only tells.
    Tells,
    /// Something that can be changed back.
    Changes,
    /// Something ends for good, or for everybody: whoever asks people asks them once more.
    Ends,
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
    /// What can be chosen, where only the server knows; for doors that show forms.
    pub offers: Option<Offers>,
}

/// Finds out what can be chosen for a field, given the account that the command is about ([`FieldKind::Own`]); the other arguments are
/// not known yet.
pub type Offers = for<'a> fn(&'a Arc<Server>, Jid) -> BoxFuture<'a, Result<Offered, Failed>>;

/// What can be chosen for a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offered {
    /// The values, and their names for humans.
    pub choices: Vec<(String, String)>,
    /// The one that counts now.
    pub current: Option<String>,
}

impl Field {
    /// An argument the command cannot do without.
    pub const fn required(name: &'static str, kind: FieldKind, about: &'static str) -> Self {
        Self { name, kind, required: true, positional: false, about, offers: None }
    }

    /// An argument that may be left out; a flag that is left out is off.
    pub const fn optional(name: &'static str, kind: FieldKind, about: &'static str) -> Self {
        Self { name, kind, required: false, positional: false, about, offers: None }
    }

    /// The account that a command of users is about: the one that asks, unless somebody who may says another.
    pub const fn own() -> Self {
        Self::required("jid", FieldKind::Own, "The account's address.").positional()
    }

    /// Forms show what can be chosen.
    pub const fn offering(mut self, offers: Offers) -> Self {
        self.offers = Some(offers);
        self
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
    /// Lines of text, at most 16 KiB together.
    Lines,
    /// The address of an account, `local@domain`; read by [`Arguments::jid`].
    Jid,
    /// The same, of the account that a command of users is about: an account that asks for itself need not say it, and can say no
    /// other; see [`Field::own`].
    Own,
    /// A domain, such as `example.org`; read by [`Arguments::domain`].
    Domain,
    /// The address of a room, such as `coven@rooms.example.org`; an administrator may name those of services of its own domain. Read by
    /// [`Arguments::jid`].
    Room,
    /// The domain of a service, such as `rooms.example.org`, or the domain that has it; an administrator may name those of its own domain.
    /// Read by [`Arguments::domain`].
    Service,
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
    asker: &Asker,
    name: &str,
    given: Map<String, Value>,
) -> Result<Answer, Failed> {
    let command = find(tables, name).ok_or_else(|| Failed::usage(format!("there is no command `{name}`")))?;
    run(server, command, asker, given).await
}

/// The same with a command that was found. Notes in the log what was done to whom; the other arguments may be secret.
pub async fn run(
    server: &Arc<Server>,
    command: &'static Command,
    asker: &Asker,
    given: Map<String, Value>,
) -> Result<Answer, Failed> {
    let subject = |is_meant: fn(FieldKind) -> bool| {
        let field = command.fields.iter().find(|field| is_meant(field.kind))?;
        given.get(field.name)?.as_str().map(str::to_owned)
    };
    let jid = subject(|kind| matches!(kind, FieldKind::Jid | FieldKind::Session | FieldKind::Own | FieldKind::Room));
    let host = subject(|kind| matches!(kind, FieldKind::Domain | FieldKind::Service));
    let result = judged(server, command, asker, given).await;
    let exit = result.as_ref().map_or_else(|failed| failed.exit, |_| 0);
    tracing::info!(command = command.name, jid, host, exit, by = asker.name(), "command");
    result
}

async fn judged(
    server: &Arc<Server>,
    command: &'static Command,
    asker: &Asker,
    given: Map<String, Value>,
) -> Result<Answer, Failed> {
    if asker.role() < command.role {
        return Err(Failed::problem(format!("`{}` needs more rights", command.name)));
    }
    let given = scope::narrow(server, command, asker, given)?;
    let arguments = Arguments::check(command.fields, given)?.asked_by(asker.clone());
    (command.run)(server, arguments).await
}

#[cfg(test)]
mod tests;
