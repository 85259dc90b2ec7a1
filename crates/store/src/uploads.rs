//! Files that accounts have uploaded (XEP-0363), in a folder of their own: one file each, named by a random id, with what is known of it at
//! its head. What is not whole has another place and is removed when the folder is opened again. Every call waits for the disk: make it
//! where a thread may.
//!
//! ```text
//! files/3f/3f9c...    the head, then the bytes
//! new/3f9c...         what is being written; renamed once all of it is on the disk
//! of/AC01.../3f9c...-message-4711-1700000000000    an empty entry for each file of an account, with what is asked of many at once
//! ```

mod entry;
mod head;
mod writing;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metronome_model::AccountId;
use parking_lot::Mutex;

pub use entry::{Entry, UploadId};
pub use head::{About, HEAD_BYTES};
pub use writing::Writing;

/// Files and how much they hold together, their heads aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Usage {
    /// That of some files together.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Usage {
        let add =
            |sum: Usage, entry: &Entry| Usage { files: sum.files + 1, bytes: sum.bytes.saturating_add(entry.size) };
        entries.into_iter().fold(Usage::default(), add)
    }
}

/// The folder.
#[derive(Debug)]
pub struct Uploads {
    root: PathBuf,
    total: Arc<Total>,
}

/// What all accounts have together: every file that has an entry.
#[derive(Debug, Default)]
struct Total {
    files: AtomicU64,
    bytes: AtomicU64,
    /// A file gets its place, or goes with its entry: one after the other, so that none stays that nobody can find.
    turn: Mutex<()>,
}

impl Total {
    fn add(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn subtract(&self, bytes: u64) {
        self.files.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Removes the entry of a file; false where it has gone.
    fn unlist(&self, entry: &Path, bytes: u64) -> io::Result<bool> {
        let was_there = remove_if_there(entry)?;
        if was_there {
            self.subtract(bytes);
        }
        Ok(was_there)
    }
}

impl Uploads {
    /// Opens the folder, makes it if it is not there, removes what was never finished, and counts what is in it. One look at each file.
    pub fn open(root: &Path) -> io::Result<Uploads> {
        let uploads = Uploads { root: root.to_owned(), total: Arc::default() };
        for folder in [uploads.files(), uploads.unfinished(), uploads.accounts()] {
            make(&folder)?;
        }
        for left in fs::read_dir(uploads.unfinished())? {
            fs::remove_file(left?.path())?;
        }
        for owner in uploads.owners()? {
            for entry in uploads.entries(owner)? {
                uploads.total.add(entry.size);
                if !uploads.file(entry.id).exists() {
                    uploads.remove(owner, &entry)?;
                }
            }
        }
        Ok(uploads)
    }

    /// Begins a file; nobody sees it before [`Writing::finish`]. Fails where there is one of that id.
    pub fn begin(&self, about: &About) -> io::Result<Writing> {
        let place = writing::Places {
            new: self.unfinished().join(about.entry.id.to_string()),
            file: self.file(about.entry.id),
            entry: self.account(about.owner).join(about.entry.to_string()),
        };
        if place.file.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Writing::begin(place, about, self.total.clone())
    }

    /// A file as it is: what is known of it, and the file itself, whose bytes begin behind [`HEAD_BYTES`]. None where there is none.
    pub fn read(&self, id: UploadId) -> io::Result<Option<(About, File)>> {
        let mut file = match File::open(self.file(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let about = About::read(id, &mut file)?;
        Ok(Some((about, file)))
    }

    /// All files of an account, in no order, as far as their entries tell.
    pub fn entries(&self, owner: AccountId) -> io::Result<Vec<Entry>> {
        let folder = match fs::read_dir(self.account(owner)) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries = Vec::new();
        for found in folder {
            entries.extend(found?.file_name().to_str().and_then(Entry::parse));
        }
        Ok(entries)
    }

    /// Removes one file of an account; false where it has none of that id. It is gone before its entry is, so that nothing is served that
    /// is not listed.
    pub fn remove(&self, owner: AccountId, entry: &Entry) -> io::Result<bool> {
        let _turn = self.total.turn.lock();
        remove_if_there(&self.file(entry.id))?;
        self.total.unlist(&self.account(owner).join(entry.to_string()), entry.size)
    }

    /// Removes all files of an account.
    pub fn forget(&self, owner: AccountId) -> io::Result<Usage> {
        let entries = self.entries(owner)?;
        for entry in &entries {
            self.remove(owner, entry)?;
        }
        // Whoever finishes a file at this very moment makes it again, and finds its account gone.
        let _ = fs::remove_dir(self.account(owner));
        Ok(Usage::of(&entries))
    }

    /// Accounts that have files, or had some.
    pub fn owners(&self) -> io::Result<Vec<AccountId>> {
        let mut owners = Vec::new();
        for found in fs::read_dir(self.accounts())? {
            let name = found?.file_name();
            owners.extend(name.to_str().and_then(entry::from_hex).map(AccountId::from_bytes));
        }
        Ok(owners)
    }

    /// What all accounts have together.
    pub fn total(&self) -> Usage {
        Usage { files: self.total.files.load(Ordering::Relaxed), bytes: self.total.bytes.load(Ordering::Relaxed) }
    }

    /// Bytes that the file system still has for this server.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.root)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("new")
    }

    fn accounts(&self) -> PathBuf {
        self.root.join("of")
    }

    fn file(&self, id: UploadId) -> PathBuf {
        let name = id.to_string();
        self.files().join(&name[..2]).join(name)
    }

    fn account(&self, owner: AccountId) -> PathBuf {
        self.accounts().join(entry::to_hex(owner.as_bytes()))
    }
}

/// Makes a folder that nobody else may look into, unless it is there; durable when this returns.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    folder.parent().map_or(Ok(()), sync)
}

/// Makes what was renamed into a folder or made in it durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
