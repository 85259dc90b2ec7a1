//! CPU time and resident memory of a server: its processes and all their descendants, read from `/proc`.
//! Called by the scenarios before and after what they measure; keeps only the process ids.

use std::collections::{HashMap, HashSet};
use std::fs;

use anyhow::{Context, Result, ensure};

/// What the server's processes have used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// User plus system time, reaped children included.
    pub(crate) cpu_seconds: f64,
    /// Sum of the resident sets.
    pub(crate) rss_bytes: u64,
}

/// The root processes of one server.
#[derive(Clone, Debug)]
pub(crate) struct Server(Vec<u32>);

impl Server {
    /// Measures `pids` and everything below them.
    pub(crate) fn new(pids: Vec<u32>) -> Server {
        Server(pids)
    }

    /// Reads the present usage. Fails when one of the root processes is gone or nothing was given to measure.
    pub(crate) fn usage(&self) -> Result<Usage> {
        ensure!(!self.0.is_empty(), "no server process was given (--server-pid)");
        let all = processes()?;
        for pid in &self.0 {
            ensure!(all.contains_key(pid), "server process {pid} does not exist");
        }
        let tree = with_descendants(&self.0, &all);
        let ticks: u64 = tree.iter().filter_map(|pid| all.get(pid)).map(|process| process.ticks).sum();
        Ok(Usage {
            cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
            rss_bytes: tree.iter().map(|pid| resident_bytes(*pid)).sum(),
        })
    }
}

#[derive(Debug, PartialEq)]
struct Process {
    parent: u32,
    ticks: u64,
}

fn processes() -> Result<HashMap<u32, Process>> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").context("/proc is needed to measure a server")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the listing and the read.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some(process) = parse_stat(&stat) {
            all.insert(pid, process);
        }
    }
    Ok(all)
}

/// Parent and ticks (utime, stime, cutime, cstime) of a `/proc/PID/stat` line, see proc(5).
fn parse_stat(stat: &str) -> Option<Process> {
    // The name is in parentheses and may itself contain spaces and parentheses.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    Some(Process { parent: fields.get(1)?.parse().ok()?, ticks })
}

fn with_descendants(roots: &[u32], all: &HashMap<u32, Process>) -> HashSet<u32> {
    let mut tree: HashSet<u32> = roots.iter().copied().collect();
    loop {
        let before = tree.len();
        tree.extend(
            all.iter().filter(|(_, process)| tree.contains(&process.parent)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
        );
        if tree.len() == before {
            return tree;
        }
    }
}

fn resident_bytes(pid: u32) -> u64 {
    fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok().and_then(|text| parse_rollup(&text)).unwrap_or(0)
}

fn parse_rollup(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_a_name_with_spaces_and_parentheses() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 12345 1000 200";
        assert_eq!(parse_stat(line), Some(Process { parent: 7, ticks: 127 }));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn descendants_are_found_over_several_generations() {
        let all = [(1, 0), (10, 1), (11, 10), (12, 11), (20, 1)]
            .map(|(pid, parent)| (pid, Process { parent, ticks: 1 }))
            .into_iter()
            .collect();
        assert_eq!(with_descendants(&[10], &all), HashSet::from([10, 11, 12]));
    }

    #[test]
    fn the_resident_set_is_read_in_bytes() {
        assert_eq!(parse_rollup("55a0-7ffd ---p [rollup]\nRss:    1234 kB\nPss: 1 kB\n"), Some(1234 * 1024));
    }

    #[test]
    fn this_process_can_be_measured() {
        let usage = Server::new(vec![std::process::id()]).usage().unwrap();
        assert!(usage.rss_bytes > 0);
        assert!(Server::new(vec![]).usage().is_err());
    }
}
