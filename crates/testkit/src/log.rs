//! What the server prints, line by line, kept by a thread until a test asks for it.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The lines of a process, standard output and standard error together. Grows with the process.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Lines>);

#[derive(Debug, Default)]
struct Lines {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    /// Reads a pipe until its end.
    pub(crate) fn keep(&self, pipe: impl Read + Send + 'static) {
        let kept = self.0.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                kept.lines.lock().push(String::from_utf8_lossy(&line).into_owned());
                kept.grown.notify_all();
            }
        });
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.lines.lock().join("\n")
    }

    /// The last lines.
    pub fn tail(&self, lines_max: usize) -> String {
        let lines = self.0.lines.lock();
        lines[lines.len().saturating_sub(lines_max)..].join("\n")
    }

    /// How many lines there are; a place to wait from.
    pub fn len(&self) -> usize {
        self.0.lines.lock().len()
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first line at or behind place `from` that contains `text`; waits for it for at most `wait`.
    pub fn wait_for(&self, from: usize, text: &str, wait: Duration) -> Option<String> {
        let deadline = Instant::now() + wait;
        let mut lines = self.0.lines.lock();
        loop {
            if let Some(line) = lines.iter().skip(from).find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            if self.0.grown.wait_until(&mut lines, deadline).timed_out() {
                return None;
            }
        }
    }
}
