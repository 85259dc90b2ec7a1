//! Media types (RFC 6838): what they are without their parameters, and whether one is among those that are allowed.

use std::borrow::Cow;

/// The type and subtype in lower case, without parameters; none if it is not a media type.
pub fn essence(text: &str) -> Option<Cow<'_, str>> {
    let text = text.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = text.split_once('/')?;
    // RFC 6838 section 4.2.
    let is_part = |part: &str| {
        part.len() <= 127
            && !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte))
    };
    if !is_part(kind) || !is_part(subtype) {
        return None;
    }
    Some(if text.bytes().any(|byte| byte.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() })
}

/// Whether a type without parameters is one of these; all are if there are none.
pub fn is_allowed(essence: &str, types: &[String]) -> bool {
    let fits = |pattern: &String| {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_suffix("/*") {
            Some(kind) => kind == "*" || essence.split_once('/').is_some_and(|(given, _)| given == kind),
            None => pattern == essence,
        }
    };
    types.is_empty() || types.iter().any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_taken_without_its_parameters() {
        assert_eq!(essence("image/PNG").as_deref(), Some("image/png"));
        assert_eq!(essence("text/plain; charset=utf-8").as_deref(), Some("text/plain"));
        for wrong in ["", "png", "/", "image/", "/png", "image/png\r\nX: y", "a b/c", "text/<html>", "a/b/c"] {
            assert_eq!(essence(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn types_are_allowed_one_by_one_or_by_kind() {
        let types = ["image/*", "Text/Plain"].map(str::to_owned);
        assert!(is_allowed("image/webp", &types) && is_allowed("text/plain", &types));
        for other in ["text/html", "imagex/png", "application/octet-stream"] {
            assert!(!is_allowed(other, &types), "{other}");
            assert!(is_allowed(other, &[]) && is_allowed(other, &["*/*".to_owned()]));
        }
    }
}
