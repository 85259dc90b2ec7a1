//! What the operating system says of this process, where it says it in `/proc` (Linux).

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// The figures; what cannot be read is none.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// What `/proc/self/stat` says.
    pub(super) stat: Option<Stat>,
    /// Open file descriptors.
    pub(super) open_fds: Option<u64>,
    /// How many there may be.
    pub(super) max_fds: Option<u64>,
}

/// See proc(5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stat {
    /// User and system time.
    pub(super) cpu_seconds: f64,
    pub(super) threads: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
}

impl Process {
    /// Reads files.
    pub(super) fn read() -> Process {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        // The one by which the folder is read is not counted.
        let open = fs::read_dir("/proc/self/fd").ok().map(|open| (open.count() as u64).saturating_sub(1));
        Process {
            stat: stat.and_then(|line| stat_of(&line, clock_ticks_per_second(), page_size() as u64)),
            open_fds: open,
            max_fds: getrlimit(Resource::Nofile).current,
        }
    }
}

fn stat_of(line: &str, ticks_per_second: u64, page_bytes: u64) -> Option<Stat> {
    // The name is in parentheses and may itself have spaces and parentheses.
    let fields: Vec<&str> = line.get(line.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    // Fields are numbered from 1 in the manual, and the first one here is the third.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) as f64 / ticks_per_second.max(1) as f64,
        threads: field(20)?,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)?.saturating_mul(page_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_process_is_read_past_a_name_with_spaces_and_parentheses() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 3 4 20 0 9 0 12345 1000 20 0";
        let stat = Stat { cpu_seconds: 2.0, threads: 9, virtual_bytes: 1000, resident_bytes: 20 * 4096 };
        assert_eq!(stat_of(line, 100, 4096), Some(stat));
        assert_eq!(stat_of("nonsense", 100, 4096), None);
    }

    #[test]
    fn this_process_is_read() {
        let process = Process::read();
        assert!(process.stat.is_some_and(|stat| stat.resident_bytes > 0));
        assert!(process.open_fds > Some(0));
    }
}
