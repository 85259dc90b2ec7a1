//! XEP-0363: HTTP File Upload, on a service of each domain. Here is who gets a slot for what, how long files stay, and what one can do with
//! them by commands; the files are in `store::uploads`, slots in `host::uploads`, and what comes and goes by HTTP in `net`.

mod commands;
mod media;
mod name;
mod room;
pub mod settings;
mod slot;
pub mod upkeep;

use std::sync::Arc;

use metronome_host::feature::{Askers, Asks, At, Feature, IqHandler, Service, Xep};
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_host::web;
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FormType};
use metronome_proto::payload::http_upload::Purpose;
use metronome_proto::stanza::iq::IqType;

pub use media::{essence, is_allowed};
pub use name::encode as encode_name;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "upload",
    xeps: &[Xep::new(363, "1.2.0", "HTTP File Upload")],
    service: Some(&SERVICE),
    iq: &[IqHandler {
        kind: IqType::Get,
        at: At::Service(NAME),
        ns: ns::UPLOAD,
        name: "request",
        asks: Asks::Read,
        handle: |server, env| Box::pin(slot::give(server, env)),
    }],
    settings: settings::SETTINGS,
    check: settings::check,
    commands: commands::COMMANDS,
    ..Feature::NONE
};

/// The short name of the service.
const NAME: &str = "upload";

/// The service that each domain has.
pub static SERVICE: Service = Service {
    name: NAME,
    identity: ("store", "file"),
    title: "HTTP File Upload",
    // What it can do depends on the web server: see `announced`.
    disco: &[],
    place: &settings::PLACE,
    // Files themselves are at the address of the domain's web side.
    askers: Askers::OwnAccounts,
};

/// The first part of the path of every file.
pub const PATH: &str = "/upload/";

/// Whether a host is a service of this kind that cannot be used, as there is no web server or nowhere to keep files.
pub(crate) fn is_idle(server: &Server, host: &Host) -> bool {
    host.at() == At::Service(NAME) && base(server, host).is_none()
}

/// What service discovery tells of the service beside what all have.
pub(crate) fn announced(server: &Server, host: &Host) -> Vec<&'static str> {
    if host.at() != At::Service(NAME) || is_idle(server, host) {
        return Vec::new();
    }
    let offered = [Purpose::Message, Purpose::Profile, Purpose::Ephemeral(0), Purpose::Permanent];
    let offered = offered.into_iter().filter(|purpose| settings::limits(&host.values, *purpose).quota > 0);
    std::iter::once(ns::UPLOAD).chain(offered.map(Purpose::feature)).collect()
}

/// The form that tells how large a file may be.
pub(crate) fn form(server: &Server, host: &Host) -> Option<DataForm> {
    if host.at() != At::Service(NAME) || is_idle(server, host) {
        return None;
    }
    let most = settings::limits(&host.values, Purpose::Message).size;
    let form = DataForm::new(FormType::Result).field(Field::hidden_form_type(ns::UPLOAD));
    Some(form.field(Field::untyped("max-file-size").value(most.to_string())))
}

/// What stands before the path of every file of a domain, given the service or the domain itself.
fn base(server: &Server, host: &Host) -> Option<String> {
    server.uploads.folder()?;
    let domain = match &host.beside {
        Some(beside) => server.hosts.load().get(beside.domain.as_str()).cloned()?,
        None => return web::base(server, host),
    };
    web::base(server, &domain)
}

/// Runs what waits for the disk where it may.
pub(crate) async fn on_disk<T: Send + 'static>(
    server: &Server,
    work: impl FnOnce(&metronome_store::uploads::Uploads) -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    let folder = server.uploads.folder().ok_or(std::io::ErrorKind::NotFound)?;
    let work = move || work(&folder);
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(std::io::Error::other("the work was given up")))
}

/// The service of a domain.
pub(crate) fn service_of(server: &Server, domain: &str) -> Option<Arc<Host>> {
    let hosts = server.hosts.load();
    hosts.get(domain)?.services.iter().find(|host| host.at() == At::Service(NAME)).cloned()
}
