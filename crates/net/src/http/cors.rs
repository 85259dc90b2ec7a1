//! Which pages of other sites may use this server from a browser (the CORS protocol of the Fetch standard). What a browser adds on its own,
//! such as cookies, counts for nothing but the pages of `archive`, which are shared with nobody, so there is nothing that another site's page
//! could do in its reader's name.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use metronome_host::options::{Kind, Setting, Values};

use super::routes::{Route, Shared};

/// The sites whose pages may.
pub(super) const ORIGINS: Setting = Setting::new(
    "web.origins",
    Kind::List,
    "[]",
    "Other sites whose pages may use this server, such as `\"https://chat.example.org\"`; `\"*\"` for all. Where some are listed, pages of \
     others cannot open a WebSocket either. What everybody may know (host-meta) is not restricted.",
)
.per_host();

/// Whether pages of this origin may.
pub(super) fn is_listed(values: &Values, origin: &HeaderValue) -> bool {
    let is_it = |listed: &String| listed == "*" || listed.trim_end_matches('/').as_bytes() == origin.as_bytes();
    values.list(&ORIGINS).iter().any(is_it)
}

/// Tells a browser what it must know before it shows the answer to a page of this origin.
pub(super) fn tell(response: &mut Response, route: &Route, values: &Values, origin: Option<&HeaderValue>) {
    let fields = response.headers_mut();
    let allowed = match (route.shared, origin) {
        (Shared::Never, _) => return,
        (Shared::Everybody, _) => HeaderValue::from_static("*"),
        (Shared::Listed, origin) => {
            fields.append(header::VARY, HeaderValue::from_static("origin"));
            match origin.filter(|origin| is_listed(values, origin)) {
                Some(origin) => origin.clone(),
                None => return,
            }
        }
    };
    fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if let Ok(verbs) = route.allowed().parse() {
        fields.insert(header::ACCESS_CONTROL_ALLOW_METHODS, verbs);
    }
    details(fields);
}

fn details(fields: &mut HeaderMap) {
    let named = HeaderValue::from_static("authorization, content-type");
    fields.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, named);
    fields.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
}
