//! The group of people who may use the control socket beside root and the server's own user.
//! The socket's file belongs to it, so the system lets nobody else connect; who connects is asked for all the same.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

/// Largest `/etc/group` that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A group of this machine, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group(u32);

impl Group {
    /// The group of this name or number; none if there is no such group.
    pub(super) fn find(name: &str) -> io::Result<Option<Self>> {
        if let Ok(number) = name.parse() {
            return Ok(Some(Self(number)));
        }
        if fs::metadata("/etc/group")?.len() > FILE_BYTES_MAX {
            return Ok(None);
        }
        Ok(number_of(name, &fs::read_to_string("/etc/group")?).map(Self))
    }

    /// Gives a file or folder to the group.
    pub(super) fn own(self, path: &Path) -> io::Result<()> {
        chown(path, None, Some(self.0))
    }

    /// Whether a process that has connected belongs to it: by the group that it runs as, or by its further ones.
    pub(super) fn has(self, gid: u32, pid: Option<i32>) -> bool {
        let status = || fs::read_to_string(format!("/proc/{}/status", pid?)).ok();
        gid == self.0 || status().is_some_and(|status| further_groups(&status).any(|group| group == self.0))
    }
}

/// The number of a group in the form of `/etc/group`: `name:password:number:members`.
fn number_of(name: &str, file: &str) -> Option<u32> {
    let mut groups = file.lines().map(|line| line.split(':'));
    groups.find_map(|mut parts| (parts.next() == Some(name)).then(|| parts.nth(1)?.parse().ok()).flatten())
}

fn further_groups(status: &str) -> impl Iterator<Item = u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    line.split_whitespace().filter_map(|group| group.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let file = "root:x:0:\nadm:x:4:syslog,alice\nmetronome-admin:x:991:alice\nbroken\nhalf:x\nodd:x:many:\n";
        assert_eq!(number_of("metronome-admin", file), Some(991));
        assert_eq!(number_of("adm", file), Some(4));
        for absent in ["metronome", "", "x", "broken", "half", "odd", "alice"] {
            assert_eq!(number_of(absent, file), None, "{absent}");
        }
        assert_eq!(Group::find("991").unwrap(), Some(Group(991)));
    }

    #[test]
    fn a_process_belongs_to_its_own_group_and_to_its_further_ones() {
        let status = "Name:\tx\nUid:\t1000\t1000\nGid:\t1000\t1000\nGroups:\t4 24 991 \nNStgid:\t7\n";
        assert_eq!(further_groups(status).collect::<Vec<_>>(), [4, 24, 991]);
        assert_eq!(further_groups("Name:\tx\n").count(), 0);
        let own = rustix::process::getgid().as_raw();
        assert!(Group(own).has(own, None));
        assert!(!Group(u32::MAX - 1).has(own, Some(std::process::id().cast_signed())));
        assert!(!Group(u32::MAX - 1).has(own, None));
    }
}
