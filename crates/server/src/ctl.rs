//! The control utility `metronomectl`: its verbs are the server's command tables, asked over the control socket.
//! `config` reads the files itself and needs no server, and `start` makes one. Exit codes: 0 done, 1 a problem was found, 2 wrong use, 3 the server
//! cannot be reached.

mod batch;
mod cli;
mod client;
mod local;
mod machine;
mod passwords;
mod start;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use metronome_host::command::{self, Failed};
use metronome_net::control::Reply;
use serde_json::json;

use crate::config::{self, Configuration};
use cli::{Invocation, Options, Task};
use client::Client;
use passwords::{Passwords, Terminal};

pub use machine::{Found, check as check_machine};

/// Where the socket is unless `--socket` or `METRONOME_SOCKET` says otherwise.
pub const STANDARD_SOCKET: &str = "/run/metronome/control.sock";

/// What the server is made of, as far as this program has to know.
#[derive(Clone, Copy)]
pub struct Parts {
    /// The commands the server answers.
    pub commands: command::Tables,
    /// The settings the server reads.
    pub settings: config::Tables,
    /// Checks that values fit each other and this machine, without changing anything.
    pub check: fn(&Configuration) -> Found,
}

/// Runs the command line of this process.
pub fn main(parts: &Parts) -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let (mut out, mut errors, mut passwords) = (io::stdout().lock(), io::stderr().lock(), Terminal);
    let mut outside = Outside { out: &mut out, errors: &mut errors, passwords: &mut passwords };
    ExitCode::from(run(parts, arguments, &mut outside))
}

/// The world around a run; tests have their own.
struct Outside<'o> {
    out: &'o mut dyn Write,
    errors: &'o mut dyn Write,
    passwords: &'o mut dyn Passwords,
}

fn run(parts: &Parts, arguments: Vec<std::ffi::OsString>, outside: &mut Outside<'_>) -> u8 {
    let Invocation { options, task } = match cli::read(parts.commands, arguments) {
        Ok(invocation) => invocation,
        Err(error) => return show_usage(&error, outside),
    };
    let result = match task {
        Task::Call { command, arguments } => {
            passwords::complete(command, arguments, options.password, outside.passwords)
                .and_then(|request| Client::connect(&options.socket)?.ask(&request))
                .and_then(|reply| match (command.name, reply.exit) {
                    ("stop", 0) => start::wait_for_end(&options.socket).map(|()| reply),
                    _ => Ok(reply),
                })
        }
        Task::Batch { jobs } => {
            return batch::run(parts.commands, &options, jobs, io::BufReader::new(io::stdin()), outside);
        }
        Task::Config { verb, file } => local::run(parts, verb, file, &options),
        Task::Start { file, timeout } => start::run(parts, &file, timeout),
    };
    show(&result.unwrap_or_else(|failed| Reply::from(Err(failed))), &options, outside)
}

/// Shows a reply and gives its exit code. Output that cannot be written (a closed pipe) changes nothing.
fn show(reply: &Reply, options: &Options, outside: &mut Outside<'_>) -> u8 {
    let _ = match (options.json, reply.exit) {
        (true, _) if reply.is_answer() => writeln!(outside.out, "{}", reply.value),
        (true, _) => {
            let failure = json!({ "exit": reply.exit, "message": reply.text, "hint": reply.hint });
            // A check that found problems has them as a value.
            writeln!(outside.out, "{}", if reply.value.is_null() { &failure } else { &reply.value })
        }
        (false, 0) if options.quiet || reply.text.is_empty() => Ok(()),
        (false, _) if reply.is_answer() => writeln!(outside.out, "{}", reply.text),
        (false, _) => writeln!(outside.errors, "{}", failure_text(reply)),
    };
    reply.exit
}

/// A failure in the form of configuration errors: the message, and the hint below it.
fn failure_text(reply: &Reply) -> String {
    let message = if reply.text.starts_with("error") { reply.text.clone() } else { format!("error: {}", reply.text) };
    if reply.hint.is_empty() { message } else { format!("{message}\n  = {}", reply.hint) }
}

/// Help and the version are answers; anything else is wrong use.
fn show_usage(error: &clap::Error, outside: &mut Outside<'_>) -> u8 {
    let rendered = error.render();
    let (to, exit): (&mut dyn Write, u8) = if error.use_stderr() { (outside.errors, 2) } else { (outside.out, 0) };
    let _ = write!(to, "{rendered}");
    exit
}

/// The socket that a verb talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Socket(PathBuf);

impl Socket {
    /// The failure of not getting an answer from it.
    fn unreachable(&self, why: &io::Error) -> Failed {
        let message =
            |why: &str| Failed::unreachable(format!("the server does not answer on {}: {why}", self.0.display()));
        match why.kind() {
            io::ErrorKind::NotFound => message("there is no such socket")
                .with_hint("is it running? --socket or METRONOME_SOCKET names another"),
            io::ErrorKind::ConnectionRefused => message("nobody listens").with_hint("is it running?"),
            io::ErrorKind::PermissionDenied => {
                message("permission denied").with_hint("run this as root or as the user the server runs as")
            }
            _ => message(&why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
