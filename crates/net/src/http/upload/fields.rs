//! The header fields of a file. What somebody has uploaded is shown in a browser only if it is a picture, sound or film; everything else is
//! saved, what could be a page or a program comes without saying so, and nothing of it may do anything in the name of this site.

use axum::http::{HeaderMap, HeaderValue, header};
use metronome_features::upload::encode_name;
use metronome_store::uploads::About;

/// Pictures that are nothing but pictures.
const PICTURES: &[&str] = &["apng", "avif", "bmp", "gif", "heic", "heif", "jpeg", "jxl", "png", "webp", "x-icon"];

/// Types in which a browser would run something, whatever else they are, or which another page could take for its style.
const ACTIVE: &[&str] =
    &["html", "xml", "xsl", "script", "css", "xhtml", "svg", "flash", "mhtml", "multipart", "message/", "x-mixed"];

/// For how long a browser may keep a file, which never changes, in seconds; less if it goes before.
const KEPT_S_MAX: u64 = 86_400;

/// No scripts, no forms, no frames, no origin of its own.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// All but those of its length, for a file that is there for so many milliseconds yet; none if it stays.
pub(super) fn of(about: &About, left_ms: Option<u64>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(kind) = shown_as(&about.media_type).and_then(|kind| HeaderValue::try_from(kind).ok()) {
        fields.insert(header::CONTENT_TYPE, kind);
    }
    fields.insert(header::CONTENT_DISPOSITION, disposition(about));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    fields.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    let kept_s = left_ms.map_or(KEPT_S_MAX, |left_ms| KEPT_S_MAX.min(left_ms / 1000));
    if let Ok(kept) = HeaderValue::try_from(format!("private, max-age={kept_s}, immutable")) {
        fields.insert(header::CACHE_CONTROL, kept);
    }
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(tag) = HeaderValue::try_from(tag(about)) {
        fields.insert(header::ETAG, tag);
    }
    fields
}

/// A file has one content for ever.
pub(super) fn tag(about: &About) -> String {
    format!("\"{}\"", about.entry.id)
}

/// The type that a browser is told; none for what it had better not know.
fn shown_as(media_type: &str) -> Option<String> {
    match media_type {
        "text/plain" => Some("text/plain; charset=utf-8".to_owned()),
        "" => None,
        active if ACTIVE.iter().any(|word| active.contains(word)) => None,
        other => Some(other.to_owned()),
    }
}

/// Whether a browser shows it where it is.
fn is_shown(media_type: &str) -> bool {
    match media_type.split_once('/') {
        _ if shown_as(media_type).is_none() => false,
        Some(("image", kind)) => PICTURES.contains(&kind),
        Some(("audio" | "video", _)) => true,
        _ => false,
    }
}

/// What becomes of it, and its name: in ASCII for old programs, and as it is (RFC 6266, RFC 8187).
fn disposition(about: &About) -> HeaderValue {
    let verb = if is_shown(&about.media_type) { "inline" } else { "attachment" };
    let plain = |c: char| if c.is_ascii_alphanumeric() || " ._-()+,=@".contains(c) { c } else { '_' };
    let plain: String = about.name.chars().map(plain).collect();
    let text = format!("{verb}; filename=\"{plain}\"; filename*=UTF-8''{}", encode_name(&about.name));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use metronome_model::AccountId;
    use metronome_proto::payload::http_upload::Purpose;
    use metronome_store::uploads::{Entry, UploadId};

    use super::*;

    fn about(media_type: &str, name: &str) -> About {
        let entry = Entry { id: UploadId([1; 16]), purpose: Purpose::Message, size: 1, created_ms: 0 };
        About { owner: AccountId::ordinary([1; 16]), entry, media_type: media_type.into(), name: name.into() }
    }

    fn fields(media_type: &str, name: &str) -> HeaderMap {
        of(&about(media_type, name), None)
    }

    fn field(media_type: &str, name: header::HeaderName) -> String {
        fields(media_type, "a file")[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn pictures_sound_and_films_are_shown_and_all_else_is_saved() {
        for shown in ["image/png", "image/jpeg", "image/webp", "audio/ogg", "video/mp4"] {
            assert!(field(shown, header::CONTENT_DISPOSITION).starts_with("inline; "), "{shown}");
            assert_eq!(field(shown, header::CONTENT_TYPE), shown);
        }
        for saved in ["text/plain", "application/pdf", "application/zip", "image/x-unheard-of", "model/obj", ""] {
            assert!(field(saved, header::CONTENT_DISPOSITION).starts_with("attachment; "), "{saved}");
        }
    }

    #[test]
    fn what_a_browser_would_run_is_only_bytes() {
        for active in [
            "text/html",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/xml",
            "application/xml",
            "application/rss+xml",
            "text/javascript",
            "application/ecmascript",
            "text/css",
            "text/xsl",
            "application/x-shockwave-flash",
            "multipart/x-mixed-replace",
            "message/rfc822",
            "video/x-html",
        ] {
            assert_eq!(field(active, header::CONTENT_TYPE), "application/octet-stream", "{active}");
            assert!(field(active, header::CONTENT_DISPOSITION).starts_with("attachment; "), "{active}");
        }
    }

    #[test]
    fn no_browser_keeps_a_file_for_longer_than_it_is_there() {
        for (left_ms, kept) in
            [(None, 86_400), (Some(86_400_000_000), 86_400), (Some(86_399_999), 86_399), (Some(2_500), 2), (Some(1), 0)]
        {
            let fields = of(&about("image/png", "a.png"), left_ms);
            assert_eq!(fields[header::CACHE_CONTROL], format!("private, max-age={kept}, immutable"), "{left_ms:?}");
        }
    }

    #[test]
    fn all_fields_that_keep_a_file_in_its_place() {
        let mut all: Vec<String> = Vec::new();
        for (name, value) in &fields("image/png", "très \"cool\".png") {
            all.push(format!("{name}: {}", value.to_str().unwrap()));
        }
        all.sort_unstable();
        assert_eq!(
            all,
            [
                "accept-ranges: bytes",
                "cache-control: private, max-age=86400, immutable",
                "content-disposition: inline; filename=\"tr_s _cool_.png\"; filename*=UTF-8''tr%C3%A8s%20%22cool%22.png",
                "content-security-policy: default-src 'none'; frame-ancestors 'none'; sandbox",
                "content-type: image/png",
                "cross-origin-resource-policy: cross-origin",
                "etag: \"01010101010101010101010101010101\"",
                "x-content-type-options: nosniff",
            ]
        );
    }
}
