//! Child processes with a log file and a time limit. What runs over its limit is ended with all it started.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How often a running child is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How many last lines of a log are shown when something failed.
const TAIL_LINES: usize = 60;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Success,
    Failure,
    TimedOut,
}

/// What a child printed (both streams, in order) and how it ended.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) text: String,
    pub(super) end: End,
}

impl Output {
    pub(super) fn is_success(&self) -> bool {
        self.end == End::Success
    }

    /// The last lines, for a person who wants to know what failed.
    pub(super) fn tail(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        if self.end == End::TimedOut {
            tail.push_str("\n(ended: it took longer than its limit)");
        }
        tail
    }
}

/// One command to run.
pub(super) struct Run {
    command: Command,
    name: String,
}

impl Run {
    /// `program` with `arguments`, in `folder`, with nothing to read.
    pub(super) fn new(folder: &Path, program: &str, arguments: &[&str]) -> Self {
        let program = if program == "cargo" { cargo() } else { PathBuf::from(program) };
        let name = program.display().to_string();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).stdin(Stdio::null());
        Self { command, name }
    }

    /// Adds an environment variable.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it with both streams going to `log`; ends it after `limit`.
    pub(super) fn logged(mut self, log: &Path, limit: Duration) -> Result<Output> {
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let errors = file.try_clone().context("sharing the log")?;
        let child = self.command.stdout(file).stderr(errors).spawn();
        let end = wait(child.with_context(|| format!("starting {}", self.name))?, limit)?;
        let text = String::from_utf8_lossy(&fs::read(log).context("reading the log")?).into_owned();
        Ok(Output { text, end })
    }

    /// Runs it with its output going to `out` and its messages to the terminal; ends it after `limit`.
    pub(super) fn captured(mut self, out: &Path, limit: Duration) -> Result<Output> {
        let file = File::create(out).with_context(|| format!("creating {}", out.display()))?;
        let child = self.command.stdout(file).spawn();
        let end = wait(child.with_context(|| format!("starting {}", self.name))?, limit)?;
        let text = String::from_utf8_lossy(&fs::read(out).context("reading the output")?).into_owned();
        Ok(Output { text, end })
    }
}

/// The cargo that started us, so that the whole run uses one toolchain.
fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn wait(mut child: Child, limit: Duration) -> Result<End> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("waiting")? {
            return Ok(if status.success() { End::Success } else { End::Failure });
        }
        if started.elapsed() > limit {
            end_tree(child.id());
            child.wait().context("waiting")?;
            return Ok(End::TimedOut);
        }
        thread::sleep(POLL);
    }
}

/// Kills `pid` and everything that descends from it.
fn end_tree(pid: u32) {
    let mut family = vec![pid];
    let mut at = 0;
    while at < family.len() {
        family.extend(children_of(family[at]));
        at += 1;
    }
    let pids: Vec<String> = family.iter().map(u32::to_string).collect();
    // The shell's own `kill`: a small system has no other. A member that has ended meanwhile makes it complain.
    let script = ["-c", "kill -KILL \"$@\"", "kill"];
    let _ended = Command::new("sh").args(script).args(pids).stderr(Stdio::null()).status();
}

/// The processes whose parent is `pid`.
fn children_of(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent_of(*child) == Some(pid)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program stands in brackets and may hold anything; state and parent follow it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-process-{name}-{}.log", std::process::id()))
    }

    fn shell(name: &str, script: &str, limit: Duration) -> Output {
        let path = log(name);
        let output =
            Run::new(Path::new("/"), "sh", &["-c", script]).with("COLOUR", "blue").logged(&path, limit).unwrap();
        fs::remove_file(path).unwrap();
        output
    }

    #[test]
    fn both_streams_are_kept_in_order() {
        let output = shell("order", "echo $COLOUR; echo two >&2; exit 3", Duration::from_secs(60));
        assert_eq!((output.text.as_str(), output.end), ("blue\ntwo\n", End::Failure));
    }

    #[test]
    fn what_takes_too_long_is_ended_with_its_children() {
        let output = shell("late", "sleep 600 & echo $!; wait", Duration::from_millis(300));
        assert_eq!(output.end, End::TimedOut);
        let child: u32 = output.text.trim().parse().unwrap();
        while fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|state| !state.contains(") Z ")) {
            thread::sleep(POLL);
        }
    }

    #[test]
    fn own_parent_is_found() {
        assert_eq!(parent_of(std::process::id()), Some(std::os::unix::process::parent_id()));
    }
}
