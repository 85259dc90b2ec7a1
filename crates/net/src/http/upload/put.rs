//! Uploading a file: with the slot that was given for it, once, as large and of the type that was said. It goes to the disk as it comes, and
//! who is too slow loses the slot.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body_util::BodyExt;
use metronome_features::upload::{essence, is_allowed, settings, upkeep};
use metronome_host::server::Server;
use metronome_host::uploads::Slot;
use metronome_store::uploads::{About, UploadId, Writing};
use tokio::time::{Instant, timeout_at};

use super::broken;

/// Between two pieces of a body.
const IDLE: Duration = Duration::from_secs(30);

/// Beside what its bytes may take.
const LEAST: Duration = Duration::from_secs(60);

/// Whoever sends more slowly than so many bytes in a second is given up.
const BYTES_PER_SECOND_MIN: u64 = 4096;

/// Bytes that are written at once, and about all that an upload has in memory.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) async fn answer(
    server: &Arc<Server>,
    id: UploadId,
    name: &str,
    request: Request,
) -> Result<Response, StatusCode> {
    let now_ms = server.clock.unix_ms();
    let proof = proof(request.headers()).ok_or(StatusCode::FORBIDDEN)?.to_owned();
    let slot = server.uploads.find(id, &proof, now_ms).ok_or(StatusCode::FORBIDDEN)?;
    if *slot.about.name != *name {
        return Err(StatusCode::FORBIDDEN);
    }
    judge_length(request.headers(), slot.about.entry.size)?;
    let about = with_type(server, slot, request.headers()).await?;
    let using = server.uploads.take(id, &proof, now_ms).ok_or(StatusCode::FORBIDDEN)?;
    let (owner, size) = (about.owner, about.entry.size);
    let written = write(server, about, request.into_body()).await;
    match &written {
        Ok(()) => tracing::debug!(file = %id, bytes = size, "a file was uploaded"),
        Err(status) => tracing::debug!(file = %id, %status, "an upload failed"),
    }
    drop(using);
    written?;
    // Its account may have ended meanwhile, and with it all of its files but this one.
    if server.store.account_by_id(owner).await.map_err(broken)?.is_none() {
        server.uploads.forget(owner);
        return Err(StatusCode::FORBIDDEN);
    }
    Ok(StatusCode::CREATED.into_response())
}

/// What proves that somebody has a slot.
fn proof(fields: &HeaderMap) -> Option<&str> {
    let mut given = fields.get_all(header::AUTHORIZATION).iter();
    let (scheme, proof) = given.next()?.to_str().ok()?.split_once(' ')?;
    (given.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(proof.trim())
}

/// The body must be as long as was said, and say so itself; it is neither a part of something nor packed.
fn judge_length(fields: &HeaderMap, size: u64) -> Result<(), StatusCode> {
    let length = fields.get(header::CONTENT_LENGTH).ok_or(StatusCode::LENGTH_REQUIRED)?;
    let length: u64 = length.to_str().ok().and_then(|length| length.parse().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    if fields.contains_key(header::CONTENT_RANGE) {
        return Err(StatusCode::BAD_REQUEST);
    }
    if fields.contains_key(header::CONTENT_ENCODING) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    match length {
        length if length > size => Err(StatusCode::PAYLOAD_TOO_LARGE),
        length if length < size => Err(StatusCode::BAD_REQUEST),
        _ => Ok(()),
    }
}

/// The file with its type: the one that was said, or the one that comes now if none was.
async fn with_type(server: &Server, slot: Slot, fields: &HeaderMap) -> Result<About, StatusCode> {
    let Slot { about, .. } = slot;
    let given = match fields.get(header::CONTENT_TYPE) {
        Some(given) => {
            let given = given.to_str().ok().and_then(essence).ok_or(StatusCode::UNSUPPORTED_MEDIA_TYPE)?;
            Some(given.into_owned())
        }
        None => None,
    };
    let account = server.store.account_by_id(about.owner).await.map_err(broken)?;
    let account = account.filter(|account| !account.state.is_disabled()).ok_or(StatusCode::FORBIDDEN)?;
    let values = upkeep::values_of(server, &account.host).ok_or(StatusCode::FORBIDDEN)?;
    let said = Some(&*about.media_type).filter(|said| !said.is_empty());
    let media_type = match (said, given) {
        (Some(said), Some(given)) if *said != given => return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (Some(said), _) => said.to_owned(),
        (None, given) => given.unwrap_or_else(|| "application/octet-stream".to_owned()),
    };
    if !is_allowed(&media_type, values.list(&settings::TYPES)) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(About { media_type: media_type.into(), ..about })
}

async fn write(server: &Server, about: About, mut body: Body) -> Result<(), StatusCode> {
    let folder = server.uploads.folder().ok_or(StatusCode::NOT_FOUND)?;
    let end = Instant::now() + LEAST + Duration::from_secs(about.entry.size / BYTES_PER_SECOND_MIN);
    let mut writing = on_disk(move || folder.begin(&about)).await?;
    let mut waiting = BytesMut::new();
    loop {
        let piece = timeout_at(end.min(Instant::now() + IDLE), body.frame()).await;
        let Some(frame) = piece.map_err(|_| StatusCode::REQUEST_TIMEOUT)? else { break };
        let Ok(bytes) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        if waiting.is_empty() && bytes.len() >= CHUNK_BYTES {
            writing = append(writing, bytes).await?;
            continue;
        }
        waiting.extend_from_slice(&bytes);
        if waiting.len() >= CHUNK_BYTES {
            writing = append(writing, std::mem::take(&mut waiting).freeze()).await?;
        }
    }
    let writing = append(writing, waiting.freeze()).await?;
    on_disk(move || writing.finish()).await
}

async fn append(mut writing: Writing, bytes: Bytes) -> Result<Writing, StatusCode> {
    on_disk(move || writing.write(&bytes).map(|()| writing)).await
}

/// Waits for the disk where a thread may, and says what has gone wrong.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StatusCode> {
    let done =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("the work was given up")));
    done.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        io::ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
        _ => broken(error),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn fields(given: &[(HeaderName, &'static str)]) -> HeaderMap {
        given.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_body_is_as_long_as_was_said() {
        let judge = |given: &[_]| judge_length(&fields(given), 10);
        assert_eq!(judge(&[(header::CONTENT_LENGTH, "10")]), Ok(()));
        assert_eq!(judge(&[]), Err(StatusCode::LENGTH_REQUIRED));
        assert_eq!(judge(&[(header::CONTENT_LENGTH, "11")]), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(judge(&[(header::CONTENT_LENGTH, "9")]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(judge(&[(header::CONTENT_LENGTH, "ten")]), Err(StatusCode::BAD_REQUEST));
        let of = (header::CONTENT_LENGTH, "10");
        assert_eq!(judge(&[of.clone(), (header::CONTENT_RANGE, "bytes 0-9/99")]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(judge(&[of, (header::CONTENT_ENCODING, "gzip")]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }

    #[test]
    fn there_is_one_proof_and_it_is_a_bearer_s() {
        assert_eq!(proof(&fields(&[(header::AUTHORIZATION, "Bearer abc")])), Some("abc"));
        assert_eq!(proof(&fields(&[(header::AUTHORIZATION, "bearer abc ")])), Some("abc"));
        for wrong in ["abc", "Basic abc", ""] {
            assert_eq!(proof(&fields(&[(header::AUTHORIZATION, wrong)])), None);
        }
        let mut twice = fields(&[(header::AUTHORIZATION, "Bearer abc")]);
        twice.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer def"));
        assert_eq!(proof(&twice), None);
    }
}
