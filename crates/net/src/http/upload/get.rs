//! Fetching a file: for whoever knows its address, as long as it and its account are there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use metronome_features::upload::upkeep;
use metronome_host::server::Server;
use metronome_store::uploads::{About, HEAD_BYTES, UploadId};

use super::range::Part;
use super::{broken, fields};

/// Bytes that are read at once, and all that a download has in memory beside what its socket has.
const CHUNK_BYTES: u64 = 64 * 1024;

pub(super) async fn answer(
    server: &Arc<Server>,
    id: UploadId,
    name: &str,
    asked: &Parts,
) -> Result<Response, StatusCode> {
    let (about, file) = upkeep::open(server, id).await.map_err(broken)?.ok_or(StatusCode::NOT_FOUND)?;
    // Under another name it would say something that its owner has not said.
    if *about.name != *name {
        return Err(StatusCode::NOT_FOUND);
    }
    let (method, asked) = (&asked.method, &asked.headers);
    let mut given = fields::of(&about);
    if is_known(asked, &about) {
        given.remove(header::CONTENT_TYPE);
        given.remove(header::CONTENT_DISPOSITION);
        return Ok((StatusCode::NOT_MODIFIED, given).into_response());
    }
    let size = about.entry.size;
    let part = part(asked, &about);
    given.insert(header::CONTENT_LENGTH, HeaderValue::from(part.len(size)));
    let status = match part {
        Part::Whole => StatusCode::OK,
        Part::Range(first, last) => {
            given.insert(header::CONTENT_RANGE, range_field(&format!("bytes {first}-{last}/{size}")));
            StatusCode::PARTIAL_CONTENT
        }
        Part::Outside => {
            let range = [(header::CONTENT_RANGE, range_field(&format!("bytes */{size}")))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
    };
    let body = if *method == Method::HEAD { Body::empty() } else { body(file, part, size) };
    Ok((status, given, body).into_response())
}

/// Whether whoever asks has it already (RFC 9110 section 13.1.2).
fn is_known(asked: &HeaderMap, about: &About) -> bool {
    let tag = fields::tag(about);
    let is_it = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    let given = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    given.is_some_and(|known| known.split(',').any(|known| is_it(known.trim())))
}

/// A range of something else is not wanted (section 13.1.5).
fn part(asked: &HeaderMap, about: &About) -> Part {
    let is_of_this = asked.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == fields::tag(about).as_bytes());
    let range = asked.get(header::RANGE).filter(|_| is_of_this).and_then(|range| range.to_str().ok());
    range.map_or(Part::Whole, |range| Part::asked(range, about.entry.size))
}

fn range_field(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("bytes */*"))
}

/// What is left to send.
struct Rest {
    file: File,
    /// Where it goes on; none where it goes on from where it is.
    from: Option<u64>,
    bytes: u64,
}

/// Reads a piece whenever the last one is on its way.
fn body(file: File, part: Part, size: u64) -> Body {
    let first = if let Part::Range(first, _) = part { first } else { 0 };
    let rest = Rest { file, from: Some(HEAD_BYTES + first), bytes: part.len(size) };
    Body::from_stream(stream::try_unfold(rest, |rest| async move {
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
        let mut bytes = vec![0; self.bytes.min(CHUNK_BYTES) as usize];
        self.file.read_exact(&mut bytes)?;
        self.bytes -= bytes.len() as u64;
        Ok((bytes.into(), self))
    }
}
