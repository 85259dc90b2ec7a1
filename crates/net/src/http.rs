//! The web server: HTTP/1.1 for browsers and for what speaks like them. A connection is admitted and bounded in `connection`, a request
//! is judged in `gate` (its path, its domain, who it comes from), and what may be asked for are the two tables in `routes`: one for everybody, and
//! one for those who watch the server, who have addresses of their own.

mod archive;
mod bosh;
mod chat;
mod connection;
mod cors;
mod days;
mod favicon;
mod feeds;
mod fields;
mod front;
mod gate;
mod health;
mod host_meta;
mod html;
mod known;
mod look;
mod metrics;
mod pages;
mod pieces;
mod proxies;
mod proxy_protocol;
mod room_logs;
mod routes;
mod status;
mod talk;
#[cfg(test)]
mod tests;
mod turns;
mod upload;
mod virtual_hosts;
mod watchers;
mod websocket;

use std::sync::Arc;

use axum::Router;
use metronome_host::options::Setting;
use metronome_host::server::Server;

use crate::admission::Admission;
use crate::bosh::Sessions;
use crate::c2s::resume::Doors;

pub(crate) use connection::{Caller, caller, serve, serve_caller};

/// The settings of the web server.
pub const SETTINGS: &[Setting] = &[
    virtual_hosts::ALIASES,
    virtual_hosts::DEFAULT,
    cors::ORIGINS,
    proxies::PROXIES,
    proxies::PRIVATE,
    proxy_protocol::SPOKEN,
    pages::TEXTS,
    host_meta::ADDRESSES,
    bosh::SCRIPTS,
    watchers::WATCHERS,
    archive::SHOWN,
    turns::PAGES,
];

/// What every connection of the web server works with.
pub(crate) struct Web {
    pub(crate) server: Arc<Server>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) doors: Arc<Doors>,
    /// The streams that come in requests.
    pub(crate) bosh: Arc<Sessions>,
    /// The program of the chat page, if it is there.
    chat: Option<chat::Files>,
    side: Side,
    /// Who has logged in with a browser.
    logins: archive::Logins,
    /// Turns at reading archives and nodes for pages.
    turns: turns::Turns,
    router: Router,
}

/// Whom an address of the web server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Everybody.
    Public,
    /// Those who watch the server.
    Watchers,
}

impl Web {
    /// With all routes, and the chat page if its files are there.
    pub(crate) fn new(server: &Arc<Server>, admission: &Arc<Admission>, doors: &Arc<Doors>) -> Arc<Web> {
        let (server, admission, doors) = (server.clone(), admission.clone(), doors.clone());
        let chat = chat::Files::look_up(&server.hosts.load().values);
        let (bosh, side, router) = (Arc::default(), Side::Public, routes::router(routes::ROUTES));
        let (logins, turns) = (archive::Logins::default(), turns::Turns::default());
        Arc::new(Web { server, admission, doors, bosh, chat, logins, turns, side, router })
    }

    /// The same server, with the routes for those who watch it and no others.
    pub(crate) fn for_watchers(&self) -> Arc<Web> {
        let (server, admission, doors) = (self.server.clone(), self.admission.clone(), self.doors.clone());
        let (bosh, side, router) = (self.bosh.clone(), Side::Watchers, routes::router(routes::WATCHED));
        let (logins, turns) = (archive::Logins::default(), turns::Turns::default());
        Arc::new(Web { server, admission, doors, bosh, chat: None, logins, turns, side, router })
    }
}
