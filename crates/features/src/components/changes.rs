//! Components that are added, removed and given other secrets while the server runs. What a command decides is stored before it counts, so it
//! survives a restart. Each verb holds `control::Turn` from its first look to its end, as those of `hosts` do.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Failed};
use metronome_host::components::Added;
use metronome_host::control::Turn;
use metronome_host::hosts::{Known, Standing};
use metronome_host::server::Server;
use metronome_model::HostOrigin;
use metronome_proto::jid::Jid;

use crate::hosts::{DOMAINS_MAX, committed, there_already, unreadable};

/// Longest secret that is taken, in bytes.
const SECRET_BYTES_MAX: usize = 1024;

pub(super) async fn add(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("domain");
    let turn = server.control.turn().await;
    let hosts = server.hosts.load_full();
    if let Some(known) = hosts.known(name.as_str()) {
        return Err(there_already(known));
    }
    if hosts.all().count() >= DOMAINS_MAX {
        return Err(Failed::problem(format!("this server has {DOMAINS_MAX} domains already")));
    }
    let told = serve(server, &turn, &name, &given).await?;
    tracing::info!(component = name.as_str(), "a component was added");
    Ok(Answer::text(format!("{name} is the domain of a component from now on{told}")))
}

pub(super) async fn secret(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("domain");
    let turn = server.control.turn().await;
    find(server, &name)?;
    let told = serve(server, &turn, &name, &given).await?;
    tracing::info!(component = name.as_str(), "a component has another secret");
    Ok(Answer::text(format!("{name} has another secret; streams that are open go on{told}")))
}

pub(super) async fn remove(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("domain");
    let turn = server.control.turn().await;
    find(server, &name)?;
    let mut added = Added::load(&*server.store).await.map_err(unreadable)?;
    added.remove(name.as_str());
    committed(&server.commit(added.record()).await)?;
    let without = server.hosts.load().without(name.as_str());
    server.serve(&turn, without);
    tracing::info!(component = name.as_str(), "a component was removed");
    Ok(Answer::text(format!("{name} was removed; what waits for it is returned")))
}

/// Stores the secret that was given, or a new one, and puts the component with it into force; says the new one.
async fn serve(server: &Arc<Server>, turn: &Turn<'_>, name: &Jid, given: &Arguments) -> Result<String, Failed> {
    let (secret, told) = match given.text_if_given("secret") {
        Some("") => return Err(Failed::usage("the secret is empty")),
        Some(secret) if secret.len() > SECRET_BYTES_MAX => {
            return Err(Failed::usage(format!("the secret is longer than {SECRET_BYTES_MAX} bytes")));
        }
        Some(secret) => (secret.to_owned(), String::new()),
        None => {
            let secret = server.rng.token();
            let told = format!("; its secret, which nothing shows again, is {secret}");
            (secret, told)
        }
    };
    let host = Arc::new(server.control.process()?.component(server, name, &secret)?);
    let mut added = Added::load(&*server.store).await.map_err(unreadable)?;
    added.set(name.as_str(), &secret);
    committed(&server.commit(added.record()).await)?;
    let known = Known { host, origin: HostOrigin::Command, standing: Standing::Component };
    let hosts = server.hosts.load().with(known);
    server.serve(turn, hosts);
    Ok(told)
}

/// A component that a command has added.
fn find(server: &Server, name: &Jid) -> Result<(), Failed> {
    match server.hosts.load().known(name.as_str()) {
        Some(known) if known.standing != Standing::Component => {
            Err(Failed::problem(format!("{name} is a domain of this server, and not of a component")))
        }
        Some(known) if known.origin == HostOrigin::Configuration => {
            Err(Failed::problem(format!("the configuration names {name}"))
                .with_hint("change it there; then metronomectl reload"))
        }
        Some(_) => Ok(()),
        None => Err(Failed::problem(format!("{name} is not the domain of a component"))
            .with_hint("metronomectl component list")),
    }
}
