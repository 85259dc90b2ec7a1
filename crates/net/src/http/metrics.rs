//! The metrics of the server, for Prometheus and whatever else reads OpenMetrics.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;

use super::Web;
use super::routes::{Needs, Route, Shared, Verb, Visit};
use crate::metrics::reading::Reading;
use crate::metrics::{self, Format};

pub(super) const ROUTES: &[Route] = &[Route {
    path: "/metrics",
    verbs: &[Verb::Get],
    needs: Needs::Watcher,
    shared: Shared::Never,
    body_bytes_max: 0,
    handler: answer,
}];

fn answer(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let fields = visit.request.headers().get_all(header::ACCEPT);
        let format = Format::of(&fields.iter().filter_map(|field| field.to_str().ok()).collect::<Vec<_>>().join(","));
        match read(visit.web, move |reading| metrics::write(reading, format)).await {
            Some(text) => {
                let fields = [(header::CONTENT_TYPE, format.media_type()), (header::CACHE_CONTROL, "no-store")];
                (fields, text).into_response()
            }
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    })
}

/// Looks at the server where a thread may wait, and makes something of it; none if that panicked.
pub(super) async fn read<T: Send + 'static>(
    web: Arc<Web>,
    make: impl FnOnce(&Reading) -> T + Send + 'static,
) -> Option<T> {
    let made = move || make(&Reading::take(&web.server, &web.admission));
    tokio::task::spawn_blocking(made).await.ok()
}
