//! Passwords: asked for twice on the terminal, or read from standard input; never arguments, never variables.

use std::io::{self, IsTerminal};

use metronome_host::command::{Arguments, Command, Failed, FieldKind};
use metronome_net::control::Request;
use serde_json::{Map, Value};

use super::cli::PasswordFrom;

/// Longest line that is read as a password, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Where passwords can be asked for.
pub(super) trait Passwords {
    /// Whether a person can be asked.
    fn has_terminal(&self) -> bool;
    /// Asks on the terminal, without showing what is typed.
    fn ask(&mut self, prompt: &str) -> io::Result<String>;
    /// The first line of standard input, without its break.
    fn first_line(&mut self) -> io::Result<String>;
}

/// This process's terminal and standard input.
pub(super) struct Terminal;

impl Passwords for Terminal {
    fn has_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn ask(&mut self, prompt: &str) -> io::Result<String> {
        rpassword::prompt_password(prompt)
    }

    fn first_line(&mut self) -> io::Result<String> {
        use io::{BufRead, Read};
        let mut line = String::new();
        io::stdin().lock().take(PASSWORD_BYTES_MAX).read_line(&mut line)?;
        Ok(line.trim_end_matches(['\n', '\r']).to_owned())
    }
}

/// Checks what was given, asks for the password if the command needs one, and makes the request.
pub(super) fn complete(
    command: &Command,
    mut arguments: Map<String, Value>,
    from: PasswordFrom,
    passwords: &mut dyn Passwords,
) -> Result<Request, Failed> {
    let field = command.fields.iter().find(|field| field.kind == FieldKind::Password);
    let wanted = field.filter(|field| field.required || from == PasswordFrom::Stdin);
    // Nobody should type a password twice to learn that the address was wrong.
    let mut probe = arguments.clone();
    if let Some(field) = wanted {
        probe.insert(field.name.to_owned(), Value::from("probe"));
    }
    Arguments::check(command.fields, probe)?;
    if let Some(field) = wanted {
        let account = arguments.get("jid").and_then(Value::as_str).unwrap_or_default().to_owned();
        arguments.insert(field.name.to_owned(), Value::from(password(&account, from, passwords)?));
    }
    Ok(Request { command: command.name.to_owned(), arguments })
}

fn password(account: &str, from: PasswordFrom, passwords: &mut dyn Passwords) -> Result<String, Failed> {
    let unreadable = |why: io::Error| Failed::usage(format!("cannot read the password: {why}"));
    if from == PasswordFrom::Stdin || !passwords.has_terminal() {
        let password = passwords.first_line().map_err(unreadable)?;
        return match password.is_empty() {
            false => Ok(password),
            true => Err(Failed::usage("standard input has no password")
                .with_hint("run this on a terminal to be asked for it, or give it there: --password-stdin < file")),
        };
    }
    let first = passwords.ask(&format!("Password for {account}: ")).map_err(unreadable)?;
    if first.is_empty() {
        return Err(Failed::usage("the password is empty"));
    }
    let second = passwords.ask("Again: ").map_err(unreadable)?;
    if first == second { Ok(first) } else { Err(Failed::usage("the passwords differ")) }
}
