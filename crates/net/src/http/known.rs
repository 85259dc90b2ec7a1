//! Whether whoever asks has it already.

use axum::http::{HeaderMap, header};

/// By the tags that a request names (RFC 9110 section 13.1.2).
pub(super) fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let is_it = |known: &str| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag;
    let given = asked.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    given.is_some_and(|known| known.split(',').any(|known| is_it(known.trim())))
}
