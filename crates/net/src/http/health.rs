//! Whether this server works, for whoever watches it: a load balancer, or the tool that starts it again. Tells nothing else.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use metronome_host::server::Server;
use tokio::time::timeout;

use super::routes::{Needs, Route, Shared, Verb, Visit};

pub(super) const ROUTES: &[Route] = &[Route {
    path: "/healthz",
    verbs: &[Verb::Get],
    needs: Needs::Nothing,
    shared: Shared::Never,
    body_bytes_max: 0,
    handler: answer,
}];

/// A store that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

fn answer(visit: Visit) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let (status, word) = match is_well(&visit.web.server).await {
            Ok(()) => (StatusCode::OK, "ok\n"),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        (status, [(header::CACHE_CONTROL, "no-store")], word).into_response()
    })
}

async fn is_well(server: &Server) -> Result<(), &'static str> {
    if server.control.is_stopping() {
        return Err("stopping\n");
    }
    match timeout(PATIENCE, server.store.hosts()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err("the store cannot be read\n"),
        Err(_) => Err("the store does not answer\n"),
    }
}
