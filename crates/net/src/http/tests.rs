//! The table of routes as a whole.

use super::routes::{Needs, ROUTES, Shared, Verb, WATCHED, router};

#[test]
fn the_router_takes_every_route() {
    let _ = (router(ROUTES), router(WATCHED));
}

/// Whoever adds a route that answers under any name, or that pages of all sites may read, says so here.
#[test]
fn what_is_open_to_everybody_is_known() {
    let all = || ROUTES.iter().copied().flatten();
    let under_any_name: Vec<_> = all().filter(|route| route.needs == Needs::Nothing).map(|route| route.path).collect();
    assert_eq!(
        under_any_name,
        ["/healthz", "/favicon.ico", "/assets/favicon.png", "/upload/{id}/{name}", "/assets/pages.css"]
    );
    let shared: Vec<_> = all().filter(|route| route.shared == Shared::Everybody).map(|route| route.path).collect();
    assert_eq!(
        shared,
        [
            "/.well-known/host-meta",
            "/.well-known/host-meta.json",
            "/upload/{id}/{name}",
            "/feeds/{node}",
            "/blogs/{name}"
        ]
    );
    for route in all() {
        assert!(route.path.starts_with('/') && !route.verbs.is_empty(), "{route:?}");
    }
}

/// What tells of the inside of the server is at addresses of its own only, and for those who may watch it.
#[test]
fn what_is_for_watchers_is_nowhere_else() {
    let is_watched = |route: &&super::routes::Route| route.needs == Needs::Watcher;
    assert!(!ROUTES.iter().copied().flatten().any(|route| is_watched(&route)));
    let others: Vec<_> = WATCHED.iter().copied().flatten().filter(|route| !is_watched(route)).collect();
    assert_eq!(others.iter().map(|route| route.path).collect::<Vec<_>>(), ["/healthz"]);
    assert!(WATCHED.iter().copied().flatten().all(|route| route.shared == Shared::Never));
}

/// Cookies count for one kind of page; whoever adds another says so here.
#[test]
fn what_is_answered_by_a_cookie_is_shared_with_nobody() {
    let all = || ROUTES.iter().copied().flatten();
    for route in all().filter(|route| route.path.starts_with("/archive")) {
        assert!(route.shared == Shared::Never && route.needs == Needs::Domain, "{route:?}");
    }
    let written: Vec<_> = all().filter(|route| route.verbs.contains(&Verb::Post)).map(|route| route.path).collect();
    assert_eq!(written, ["/http-bind", "/archive/login", "/archive/logout"]);
}
