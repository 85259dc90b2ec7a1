//! Fetching a file: for whoever knows its address, as long as it and its account are there.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metronome_features::upload::upkeep::{self, Open};
use metronome_host::server::Server;
use metronome_store::uploads::{About, HEAD_BYTES, UploadId};

use super::super::{known, pieces};
use super::range::Part;
use super::{broken, fields};

pub(super) async fn answer(
    server: &Arc<Server>,
    id: UploadId,
    name: &str,
    asked: &Parts,
) -> Result<Response, StatusCode> {
    let Open { about, file, left_ms } = upkeep::open(server, id).await.map_err(broken)?.ok_or(StatusCode::NOT_FOUND)?;
    // Under another name it would say something that its owner has not said.
    if *about.name != *name {
        return Err(StatusCode::NOT_FOUND);
    }
    let (method, asked) = (&asked.method, &asked.headers);
    let mut given = fields::of(&about, left_ms);
    if known::is_known(asked, &fields::tag(&about)) {
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
    let from = HEAD_BYTES + if let Part::Range(first, _) = part { first } else { 0 };
    let body = if *method == Method::HEAD { Body::empty() } else { pieces::body(file, Some(from), part.len(size)) };
    Ok((status, given, body).into_response())
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
