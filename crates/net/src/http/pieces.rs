//! Files that are sent as they are read, a piece at a time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use axum::body::{Body, Bytes};
use futures_util::stream;

/// Bytes that are read at once, and all that a download has in memory beside what its socket has.
const PIECE_BYTES: u64 = 64 * 1024;

/// What is left to send.
struct Rest {
    file: File,
    /// Where it goes on; none where it goes on from where it is.
    from: Option<u64>,
    bytes: u64,
}

/// So many bytes of a file, from a place in it or from its beginning; a piece is read whenever the last one is on its way.
pub(super) fn body(file: File, from: Option<u64>, bytes: u64) -> Body {
    Body::from_stream(stream::try_unfold(Rest { file, from, bytes }, |rest| async move {
        if rest.bytes == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || rest.read()).await;
        read.unwrap_or_else(|_| Err(io::Error::other("the read was given up"))).map(Some)
    }))
}

impl Rest {
    fn read(mut self) -> io::Result<(Bytes, Rest)> {
        if let Some(from) = self.from.take() {
            self.file.seek(SeekFrom::Start(from))?;
        }
        let mut bytes = vec![0; self.bytes.min(PIECE_BYTES) as usize];
        self.file.read_exact(&mut bytes)?;
        self.bytes -= bytes.len() as u64;
        Ok((bytes.into(), self))
    }
}
