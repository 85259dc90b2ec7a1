//! `--batch`: a command on each line of standard input, over one connection or several.
//! A line is the words of a command, then its positional arguments, `name=value` for the others, and the names of flags:
//! `user add alice@example.org password=secret admin`. Values with spaces are given in a line of JSON, as on the socket.

use std::io::BufRead;
use std::sync::Mutex;

use metronome_host::command::{Arguments, Command, Failed, FieldKind, Tables, find};
use metronome_net::control::{LINE_BYTES_MAX, Reply, Request};
use serde_json::{Map, Value};

use super::cli::Options;
use super::client::Client;
use super::{Outside, show};

const JSON_HINT: &str =
    r#"write it like {"command":"user add","arguments":{"jid":"alice@example.org","password":"secret"}}"#;

/// Runs every line and gives the largest exit code. A line that fails does not stop the rest; a server that does not answer does.
pub(super) fn run(
    tables: Tables,
    options: &Options,
    jobs: u64,
    input: impl BufRead + Send,
    outside: &mut Outside<'_>,
) -> u8 {
    let lines = Mutex::new(Lines { input, number: 0 });
    let (sender, replies) = std::sync::mpsc::sync_channel(256);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            let (lines, sender) = (&lines, sender.clone());
            scope.spawn(move || {
                work(tables, options, lines, &|number, reply| sender.send((number, reply)).is_ok());
            });
        }
        drop(sender);
        let (mut exit, mut unreachable) = (0, false);
        for (number, mut reply) in replies {
            // Each connection fails for the same reason; once is enough.
            if number == 0 && std::mem::replace(&mut unreachable, true) {
                continue;
            }
            if reply.exit != 0 && number > 0 {
                reply.text = format!("line {number}: {}", reply.text);
            }
            exit = exit.max(show(&reply, options, outside));
        }
        exit
    })
}

/// One connection's share of the lines, until there are none or the server does not answer. Line 0 is no line.
fn work(tables: Tables, options: &Options, lines: &Mutex<Lines<impl BufRead>>, tell: &dyn Fn(usize, Reply) -> bool) {
    let failed = |failed: Failed| Reply::from(Err(failed));
    let mut client = match Client::connect(&options.socket) {
        Ok(client) => client,
        Err(why) => {
            tell(0, failed(why));
            return;
        }
    };
    loop {
        let next = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
        let (number, result) = match next {
            None => return,
            Some((number, Ok(line))) => (number, read_line(tables, &line).and_then(|request| client.ask(&request))),
            Some((number, Err(why))) => (number, Err(why)),
        };
        let reply = result.unwrap_or_else(failed);
        let lost = reply.exit == 3;
        if !tell(number, reply) || lost {
            return;
        }
    }
}

/// The lines of a batch with their numbers, without empty lines and comments.
struct Lines<I> {
    input: I,
    number: usize,
}

impl<I: BufRead> Lines<I> {
    fn next(&mut self) -> Option<(usize, Result<String, Failed>)> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            // One byte more than the bound is enough to know that a line is too long; its rest is the next "line", and wrong too.
            let read = std::io::Read::take(&mut self.input, LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
            match read {
                Ok(0) => return None,
                Err(why) => {
                    return Some((self.number, Err(Failed::unreachable(format!("cannot read standard input: {why}")))));
                }
                Ok(_) => {}
            }
            let line = String::from_utf8(line).map_err(|_| Failed::usage("the line is not UTF-8"));
            match line {
                Ok(line) if line.trim().is_empty() || line.trim_start().starts_with('#') => {}
                Ok(line) => return Some((self.number, Ok(line.trim().to_owned()))),
                Err(why) => return Some((self.number, Err(why))),
            }
        }
    }
}

/// Reads one line as a request, checked as far as the tables know it.
pub(super) fn read_line(tables: Tables, line: &str) -> Result<Request, Failed> {
    if line.starts_with('{') {
        return Request::from_line(line.as_bytes()).map_err(|why| Failed::usage(why).with_hint(JSON_HINT));
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let (command, rest) =
        command(tables, &words).ok_or_else(|| Failed::usage(format!("there is no verb `{}`", words[0])))?;
    let arguments = arguments(command, rest)?;
    Arguments::check(command.fields, arguments.clone())?;
    Ok(Request { command: command.name.to_owned(), arguments })
}

/// The command that the first words name, and the words behind them.
fn command<'w>(tables: Tables, words: &'w [&'w str]) -> Option<(&'static Command, &'w [&'w str])> {
    let longest = words.len().min(3);
    (1..=longest).rev().find_map(|count| Some((find(tables, &words[..count].join(" "))?, &words[count..])))
}

fn arguments(command: &Command, words: &[&str]) -> Result<Map<String, Value>, Failed> {
    let mut positional = command.fields.iter().filter(|field| field.positional);
    let mut arguments = Map::new();
    for word in words {
        let word = word.strip_prefix("--").unwrap_or(word);
        let named = word.split_once('=').filter(|(name, _)| command.fields.iter().any(|field| field.name == *name));
        let flag = command.fields.iter().find(|field| field.kind == FieldKind::Flag && field.name == word);
        let (name, value) = match (named, flag) {
            (Some((name, value)), _) => (name, Value::from(value)),
            (None, Some(flag)) => (flag.name, Value::Bool(true)),
            (None, None) => match positional.next() {
                Some(field) => (field.name, Value::from(word)),
                None => return Err(Failed::usage(format!("`{}` takes fewer arguments", command.name))),
            },
        };
        if arguments.insert(name.to_owned(), value).is_some() {
            return Err(Failed::usage(format!("`{name}` is given twice")));
        }
    }
    Ok(arguments)
}
