//! In and out: the form for name and password, what becomes of it, and who is logged in now.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metronome_host::hosts::Host;
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use super::logins::Login;
use super::{Asked, FORM_BYTES_MAX, PATH, cookies};
use crate::c2s;
use crate::http::fields::field;
use crate::http::html::{Address, Element, el};
use crate::http::look::{Kept, moved, page};

/// For how long a form may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever is logged in; the account is as it was when that began, or nobody is.
pub(super) async fn login(asked: &Asked) -> Result<Option<Login>, StoreError> {
    let (server, logins) = (&asked.web.server, &asked.web.logins);
    let Some(cookie) = cookies::read(&asked.fields) else { return Ok(None) };
    let login = logins.find(cookie, server.clock.steady_ms());
    // The cookie of one domain is nothing to another.
    let login = login.filter(|login| login.authn.jid().domain() == asked.host.name.domain());
    let Some(login) = login else { return Ok(None) };
    let account = match login.authn.account() {
        Some(id) => server.store.account_by_id(id).await?,
        None => None,
    };
    if !login.authn.still_counts(account.as_ref()) {
        logins.end(cookie);
        return Ok(None);
    }
    Ok(Some(login))
}

/// The page with the form for name and password, and why it is shown again.
pub(super) fn form(why: Option<&str>) -> Response {
    let labelled = |id: &'static str, words: &str, field: Element| {
        [
            el("label").fixed("for", id).text(words),
            field.fixed("id", id).fixed("name", id).fixed("required", "required"),
        ]
    };
    let name =
        el("input").fixed("autocomplete", "username").fixed("autocapitalize", "none").fixed("spellcheck", "false");
    let password = el("input").fixed("type", "password").fixed("autocomplete", "current-password");
    let form = el("form").fixed("method", "post").fixed("action", "/archive/login");
    let form = form.children(labelled("name", "Name", name)).children(labelled("password", "Password", password));
    let form = form.child(el("p").child(el("button").text("Log in")));
    let title = el("h1").text("Your archive");
    let why = why.map(|why| el("p").fixed("role", "alert").text(why));
    page("Your archive", Kept::Never, [title].into_iter().chain(why).chain([form]))
}

/// The form that ends a login.
pub(super) fn exit(login: &Login) -> Element {
    let token = el("input").fixed("type", "hidden").fixed("name", "token").value(&login.token);
    el("form")
        .fixed("method", "post")
        .fixed("action", "/archive/logout")
        .child(token)
        .child(el("button").text("Log out"))
}

/// Somebody wants in.
pub(super) async fn log_in(asked: &Asked, body: Body) -> Result<Response, StoreError> {
    if !cookies::is_from_here(&asked.fields) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    // Failures are counted by accounts, of which there are many to guess at, and each guess takes its time.
    if let Err(refused) = asked.web.turns.count(&asked.web.server, asked.address) {
        return Ok(refused.into_response());
    }
    let sent = sent(body).await;
    let given = sent.as_ref().and_then(|form| Some((field(form, "name")?, field(form, "password")?)));
    let Some((name, password)) = given else { return Ok(StatusCode::BAD_REQUEST.into_response()) };
    let web = &asked.web;
    let context = c2s::Context {
        server: web.server.clone(),
        admission: web.admission.clone(),
        doors: web.doors.clone(),
        address: asked.address,
        port: asked.port,
    };
    let authn = match username(&asked.host, &name) {
        Some(username) => c2s::by_password(&context, &asked.host, &username, &password).await,
        None => None,
    };
    let Some(authn) = authn else {
        let why = "The name or the password is not right, or there were too many attempts. Please wait a little then.";
        let mut again = form(Some(why));
        *again.status_mut() = StatusCode::FORBIDDEN;
        return Ok(again);
    };
    if let Some(before) = cookies::read(&asked.fields) {
        web.logins.end(before);
    }
    Ok(match web.logins.begin(authn, web.server.clock.steady_ms()) {
        Some(cookie) => back(cookies::set(&cookie, asked.encryption)),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    })
}

/// Somebody wants out. Who does not know what their own pages say is somebody else.
pub(super) async fn log_out(asked: &Asked, body: Body) -> Result<Response, StoreError> {
    let login = login(asked).await?.filter(|_| cookies::is_from_here(&asked.fields));
    let Some(login) = login else { return Ok(moved(StatusCode::SEE_OTHER, &Address::of(PATH))) };
    let token = sent(body).await.and_then(|form| field(&form, "token")).unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(login.token.as_bytes())) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    if let Some(cookie) = cookies::read(&asked.fields) {
        asked.web.logins.end(cookie);
    }
    Ok(back(cookies::clear(asked.encryption)))
}

/// To the first page, with this cookie from now on.
fn back(cookie: Option<HeaderValue>) -> Response {
    let mut response = moved(StatusCode::SEE_OTHER, &Address::of(PATH));
    let fields = response.headers_mut();
    fields.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn sent(body: Body) -> Option<Vec<u8>> {
    let read = timeout(PATIENCE, axum::body::to_bytes(body, FORM_BYTES_MAX as usize)).await;
    read.ok()?.ok().map(|bytes| bytes.to_vec())
}

/// People write their names, or their whole addresses.
fn username(host: &Host, name: &str) -> Option<String> {
    let name = name.trim();
    if !name.contains('@') {
        return Some(name.to_owned());
    }
    let jid = Jid::parse(name).ok().filter(|jid| jid.is_bare() && jid.domain() == host.name.domain())?;
    jid.local().map(str::to_owned)
}
