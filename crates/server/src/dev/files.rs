//! Certificate and key as files: written whole or not at all, keys readable by their owner alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {why}", path.display())]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    #[source]
    why: io::Error,
}

/// The two files of a certificate.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate in PEM.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
}

impl Pair {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key }
    }

    /// Both texts; `None` if neither file is there. One alone is an error.
    pub(super) fn read(&self) -> Result<Option<(String, String)>, FileError> {
        match (read(&self.certificate)?, read(&self.key)?) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (found, _) => {
                let path = if found.is_some() { self.key.clone() } else { self.certificate.clone() };
                Err(FileError { verb: "read", path, why: io::ErrorKind::NotFound.into() })
            }
        }
    }

    /// Writes both. A crash between them leaves a key that does not fit, which the next start notices.
    pub(super) fn write(&self, certificate: &str, key: &str) -> Result<(), FileError> {
        write(&self.key, key, 0o600)?;
        write(&self.certificate, certificate, 0o644)
    }
}

/// Makes the folder if it is not there, for its owner alone.
pub(super) fn make_folder(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|why| FileError { verb: "make the folder", path: path.to_owned(), why })
}

fn read(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        // Not text, so not PEM: damaged, like any other wrong text.
        Err(why) if why.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
        Err(why) => Err(FileError { verb: "read", path: path.to_owned(), why }),
    }
}

/// Writes beside the file and renames, so that nobody reads half of it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let beside = path.with_extension("new");
    let written = (|| {
        // An older one may be left from a crash, with another mode.
        match fs::remove_file(&beside) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    written.map_err(|why| FileError { verb: "write", path: path.to_owned(), why })
}
