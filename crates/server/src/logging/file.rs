//! A log file that can be opened again while others write to it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The file that is written to now. Each line is one append, so lines of several threads do not mix.
pub(super) struct LogFile {
    path: PathBuf,
    current: ArcSwap<File>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), current: ArcSwap::from_pointee(append_to(path)?) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the path again; keeps the old file if that fails.
    pub(super) fn reopen(&self) -> io::Result<()> {
        self.current.store(Arc::new(append_to(&self.path)?));
        Ok(())
    }
}

/// Readable by the group too, so that an administrator need not be root to read logs.
fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// What `tracing` writes lines through; it gives each line in one call.
impl Write for &LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&**self.current.load()).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&**self.current.load()).flush()
    }
}
