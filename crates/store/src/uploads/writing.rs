//! A file on its way to the disk: written under another name, made durable, then given its own in one step.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::head::About;
use super::{Total, make, sync};

/// Where a file is, and will be.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) new: PathBuf,
    pub(super) file: PathBuf,
    pub(super) entry: PathBuf,
}

/// A file that nobody sees yet. If it is dropped there was none.
#[derive(Debug)]
pub struct Writing {
    places: Places,
    file: File,
    size: u64,
    written: u64,
    total: Arc<Total>,
    is_whole: bool,
}

impl Writing {
    pub(super) fn begin(places: Places, about: &About, total: Arc<Total>) -> io::Result<Writing> {
        let head = about.write()?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&places.new)?;
        let mut writing = Writing { places, file, size: about.entry.size, written: 0, total, is_whole: false };
        writing.file.write_all(&head)?;
        Ok(writing)
    }

    /// Writes on. More than the size that was said is an error.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.size {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more bytes than were announced"));
        }
        self.file.write_all(bytes)
    }

    /// Shows the file to everybody: it is whole and durable when this returns. Less than the size that was said is an error.
    pub fn finish(mut self) -> io::Result<()> {
        if self.written != self.size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "fewer bytes than were announced"));
        }
        self.file.sync_all()?;
        let of_account = parent(&self.places.entry)?;
        make(of_account)?;
        make(parent(&self.places.file)?)?;
        // The entry first: what is served is always listed.
        self.total.add(self.size);
        let listed = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.places.entry);
        if let Err(error) = listed {
            self.total.subtract(self.size);
            return Err(error);
        }
        if let Err(error) = sync(of_account).and_then(|()| self.place()) {
            let _ = self.total.unlist(&self.places.entry, self.size);
            return Err(error);
        }
        sync(parent(&self.places.file)?)
    }

    /// Gives the file its place, unless its entry has been removed by now: then it was there, and has gone.
    fn place(&mut self) -> io::Result<()> {
        let total = self.total.clone();
        let _turn = total.turn.lock();
        if self.places.entry.exists() {
            fs::rename(&self.places.new, &self.places.file)?;
            self.is_whole = true;
        }
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.is_whole {
            // What stays is removed when the folder is opened again.
            let _ = fs::remove_file(&self.places.new);
        }
    }
}

fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
