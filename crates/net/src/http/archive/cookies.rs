//! The cookie of a login, and whether a form was sent from a page of this server: browsers say both, and other sites can forge neither.

use axum::http::{HeaderMap, HeaderValue, header};

use super::logins::LASTS_MS;
use super::{Encryption, PATH};

const NAME: &str = "archive";

/// What the cookie says; none if there is none.
pub(super) fn read(fields: &HeaderMap) -> Option<&str> {
    let all = fields.get_all(header::COOKIE).into_iter().filter_map(|field| field.to_str().ok());
    all.flat_map(|field| field.split(';')).find_map(|cookie| cookie.trim().strip_prefix(NAME)?.strip_prefix('='))
}

/// The field that sets it: for these pages and nobody's scripts, not for requests that other sites make, and over TLS alone if it came so.
pub(super) fn set(cookie: &str, encryption: Encryption) -> Option<HeaderValue> {
    written(cookie, LASTS_MS / 1000, encryption)
}

/// The field that takes it away.
pub(super) fn clear(encryption: Encryption) -> Option<HeaderValue> {
    written("", 0, encryption)
}

fn written(cookie: &str, lasts_s: u64, encryption: Encryption) -> Option<HeaderValue> {
    let secure = if encryption == Encryption::Tls { "; Secure" } else { "" };
    let field = format!("{NAME}={cookie}; Path={PATH}; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(field).ok()
}

/// Whether a form was sent from a page of this server, as far as the browser says.
pub(super) fn is_from_here(fields: &HeaderMap) -> bool {
    let text = |name: &str| fields.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    match (text("origin"), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let named = origin.split_once("://").map(|(_, named)| named);
            named.is_some_and(|named| name_of(named).eq_ignore_ascii_case(name_of(host)))
        }
        (Some(_), None) => false,
    }
}

/// Whether what is asked for is to be seen in a window of its own, as far as the browser says. Scripts and frames are refused, also those
/// of this site: the chat page has the same name, and what runs there has no business here.
pub(super) fn is_for_a_window(fields: &HeaderMap) -> bool {
    fields.get("sec-fetch-dest").is_none_or(|wanted| wanted == "document")
}

/// Without its port, which a proxy may have left out.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for (field, found) in [
            ("archive=abc", Some("abc")),
            ("x=1; archive=abc; y=2", Some("abc")),
            ("xarchive=abc", None),
            ("archives=abc", None),
            ("archive", None),
            ("archive=", Some("")),
        ] {
            assert_eq!(read(&fields(&[("cookie", field)])), found, "{field}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }

    #[test]
    fn it_is_nobody_elses_business() {
        let set = set("abc", Encryption::Tls).unwrap();
        let set = set.to_str().unwrap();
        assert_eq!(set, "archive=abc; Path=/archive/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure");
        assert!(!clear(Encryption::None).unwrap().to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn only_windows_see_these_pages() {
        assert!(is_for_a_window(&HeaderMap::new()), "an older browser says nothing");
        assert!(is_for_a_window(&fields(&[("sec-fetch-dest", "document")])));
        for other in ["empty", "iframe", "frame", "embed", "object", "script", "style", "image", "worker", ""] {
            assert!(!is_for_a_window(&fields(&[("sec-fetch-dest", other)])), "{other}");
        }
    }

    #[test]
    fn forms_of_other_sites_are_known() {
        for own in [
            &[("host", "a.example")][..],
            &[("host", "a.example:5281"), ("origin", "https://a.example:5281")],
            &[("host", "a.example"), ("origin", "https://A.example:5281")],
            &[("host", "[::1]:5281"), ("origin", "https://[::1]:5281")],
            &[("host", "a.example"), ("origin", "https://other.example"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(is_from_here(&fields(own)), "{own:?}");
        }
        for other in [
            &[("host", "a.example"), ("origin", "https://b.example")][..],
            &[("host", "a.example"), ("origin", "null")],
            &[("host", "a.example"), ("origin", "https://a.example.b.example")],
            &[("host", "a.example"), ("sec-fetch-site", "same-site")],
            &[("host", "a.example"), ("origin", "https://a.example"), ("sec-fetch-site", "cross-site")],
            &[("origin", "https://a.example")],
        ] {
            assert!(!is_from_here(&fields(other)), "{other:?}");
        }
    }
}
