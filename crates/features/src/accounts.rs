//! Accounts as an administrator manages them: added, listed, given another password or role, locked, disabled, deleted.
//! What becomes of an account is decided in [`change`] and [`removal`], for these commands and for the accounts' own clients alike.

pub mod change;
pub mod guests;
pub mod keys;
pub mod removal;

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::derivations::Patience;
use metronome_host::feature::Feature;
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_model::{Account, AccountState, StoredKeys};
use metronome_proto::jid::Jid;
use metronome_sasl::Password;

use change::{Ends, Held, Switch, Unchanged, hold};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "accounts",
    commands: &[
        Command {
            name: "user add",
            about: "Adds an account.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[WHO, PASSWORD, Field::optional("admin", FieldKind::Flag, "May administer its host.")],
            run: |server, given| Box::pin(add(server, given)),
        },
        Command {
            name: "user list",
            about: "Lists the accounts of a host, or of all hosts.",
            role: Role::Admin,
            does: Does::Tells,
            fields: &[Field::optional("host", FieldKind::Domain, "The host; all of them if it is left out.").positional()],
            run: |server, given| Box::pin(list(server, given)),
        },
        Command {
            name: "user passwd",
            about: "Gives an account another password and disconnects it.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[WHO, PASSWORD],
            run: |server, given| Box::pin(passwd(server, given)),
        },
        Command {
            name: "user delete",
            about: "Deletes an account and everything that is stored for it.",
            role: Role::Admin,
            does: Does::Ends,
            fields: &[WHO],
            run: |server, given| Box::pin(delete(server, given)),
        },
        Command {
            name: "user disable",
            about: "Keeps an account from logging in and from being written to, and disconnects it.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[WHO],
            run: |server, given| Box::pin(set_state(server, given, Switch::Disable)),
        },
        Command {
            name: "user enable",
            about: "Lets a disabled account log in again.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[WHO],
            run: |server, given| Box::pin(set_state(server, given, Switch::Enable)),
        },
        Command {
            name: "user lock",
            about: "Lets an account log in and speak to its host only, until it is unlocked.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[WHO],
            run: |server, given| Box::pin(set_state(server, given, Switch::Lock)),
        },
        Command {
            name: "user unlock",
            about: "Lets a locked account speak to everybody.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[WHO],
            run: |server, given| Box::pin(set_state(server, given, Switch::Unlock)),
        },
        Command {
            name: "user role",
            about: "Makes an account an administrator of its host, or a user again.",
            role: Role::Admin,
            does: Does::Changes,
            fields: &[
                WHO,
                Field::required("role", FieldKind::Choice(&["user", "admin"]), "The new role.").positional(),
            ],
            run: |server, given| Box::pin(set_role(server, given)),
        },
    ],
    ..Feature::NONE
};

const WHO: Field = Field::required("jid", FieldKind::Jid, "The account's address.").positional();
const PASSWORD: Field = Field::required("password", FieldKind::Password, "Its password.");

async fn add(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let role = if given.flag("admin") { metronome_model::Role::Admin } else { metronome_model::Role::User };
    create(server, &jid, given.text("password"), role).await?;
    Ok(Answer::text(format!("{jid} was added")))
}

/// Adds an account for an administrator; also how the development mode makes its demo accounts.
pub async fn create(
    server: &Arc<Server>,
    jid: &Jid,
    password: &str,
    role: metronome_model::Role,
) -> Result<(), Failed> {
    let host = host_of(server, jid)?;
    let Some(name) = jid.local().filter(|_| jid.is_bare()) else {
        return Err(Failed::usage(format!("{jid} is not the address of an account, such as name@{}", host.name)));
    };
    let keys = keys_of(server, &host, password).await?;
    change::create(server, &host, name, keys, role).await.map_err(|why| failed(jid, &why))
}

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    const PAGE: usize = 500;
    let hosts = server.hosts.load_full();
    let wanted = given.domain_if_given("host");
    let wanted = wanted.as_ref().map(Jid::as_str);
    if let Some(name) = wanted.filter(|name| hosts.get(name).is_none()) {
        return Err(Failed::problem(format!("{name} is not a domain of this server")));
    }
    let mut rows = Vec::new();
    for host in hosts.iter().filter(|host| wanted.is_none_or(|name| name == host.name.as_str())) {
        let mut after: Option<String> = None;
        loop {
            let page = server.store.list(host.name.as_str(), after.as_deref(), PAGE).await.map_err(unreadable)?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.to_string());
            rows.extend(page.iter().map(|account| row(server, account)));
        }
    }
    Ok(Answer::Table { columns: &["jid", "role", "state", "sessions"], rows })
}

fn row(server: &Server, account: &Account) -> Vec<Cell> {
    let role = match account.role {
        _ if account.id.is_guest() => "guest",
        metronome_model::Role::User => "user",
        metronome_model::Role::Admin => "admin",
    };
    let sessions = server.sessions.of(account.id).len() as u64;
    let jid = Cell::text(format!("{}@{}", account.name, account.host));
    vec![jid, Cell::text(role), Cell::text(change::name_of(account.state)), Cell::Count(sessions)]
}

async fn passwd(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (host, account) = find(server, &jid).await?;
    let keys = keys_of(server, &host, given.text("password")).await?;
    let held = held(server, &jid, &account).await?;
    held.set_password(keys, Ends::All).make(server).await.map_err(|why| failed(&jid, &why))?;
    Ok(Answer::text(format!("the password of {jid} was changed")))
}

async fn delete(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = find(server, &jid).await?;
    remove(server, &account).await?;
    Ok(Answer::text(format!("{jid} was deleted")))
}

/// Deletes an account and everything that is stored for it; also for each account of a domain that is removed.
pub async fn remove(server: &Arc<Server>, account: &Account) -> Result<(), Failed> {
    let name = (!account.is_of_domain()).then_some(&*account.name);
    let jid = Jid::from_parts(name, &account.host, None);
    let jid = jid.map_err(|why| Failed::problem(format!("{} has no address: {why}", account.name)))?;
    let removed = removal::remove(server, account.id, &jid).await.map_err(|why| failed(&jid, &why))?;
    removed.make(server).await.map_err(|why| failed(&jid, &why))
}

async fn set_state(server: &Arc<Server>, given: Arguments, switch: Switch) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = find(server, &jid).await?;
    let held = held(server, &jid, &account).await?;
    let (state, changed) = held.set_state(switch).map_err(|why| failed(&jid, &why))?;
    changed.make(server).await.map_err(|why| failed(&jid, &why))?;
    let done = match (switch, state) {
        (Switch::Lock, AccountState::LockedAndDisabled) => "was locked, and stays disabled",
        (Switch::Lock, _) => "was locked",
        (Switch::Unlock, AccountState::Disabled) => "was unlocked, and stays disabled",
        (Switch::Unlock, _) => "was unlocked",
        (Switch::Disable, _) => "was disabled",
        (Switch::Enable, AccountState::Locked) => "was enabled, and stays locked",
        (Switch::Enable, _) => "was enabled",
    };
    Ok(Answer::text(format!("{jid} {done}")))
}

async fn set_role(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = find(server, &jid).await?;
    let role = match given.text("role") {
        "admin" => metronome_model::Role::Admin,
        _ => metronome_model::Role::User,
    };
    let held = held(server, &jid, &account).await?;
    held.set_role(role).make(server).await.map_err(|why| failed(&jid, &why))?;
    Ok(Answer::text(format!("{jid} is now {}", given.text("role"))))
}

fn host_of(server: &Server, jid: &Jid) -> Result<Arc<Host>, Failed> {
    let host = server.hosts.load().get(jid.domain()).cloned();
    host.ok_or_else(|| Failed::problem(format!("{} is not a domain of this server", jid.domain())))
}

pub(crate) async fn find(server: &Server, jid: &Jid) -> Result<(Arc<Host>, Account), Failed> {
    let host = host_of(server, jid)?;
    let name = jid.local().unwrap_or_default();
    let account = server.store.account(host.name.as_str(), name).await.map_err(unreadable)?;
    let account = account.ok_or_else(|| failed(jid, &Unchanged::Gone))?;
    Ok((host, account))
}

async fn held(server: &Server, jid: &Jid, account: &Account) -> Result<Held, Failed> {
    if account.id.is_guest() {
        return Err(Failed::problem(format!("{} is a guest, who has no password and leaves nothing", jid.bare()))
            .with_hint(format!("metronomectl session kill {}", jid.bare())));
    }
    hold(server, account.id).await.map_err(|why| failed(jid, &why))
}

/// What an administrator is told.
fn failed(jid: &Jid, why: &Unchanged) -> Failed {
    let jid = jid.bare();
    match why {
        Unchanged::Taken => Failed::problem(format!("{jid} exists already")),
        Unchanged::Gone => Failed::problem(format!("{jid} does not exist")),
        Unchanged::Reserved => Failed::problem(format!("{jid} cannot be an account: {why}")),
        Unchanged::Is(AccountState::Locked) => {
            Failed::problem(format!("{jid} is locked")).with_hint(format!("metronomectl user unlock {jid}"))
        }
        other => Failed::problem(format!("nothing was changed: {other}")),
    }
}

fn unreadable(error: metronome_store::StoreError) -> Failed {
    Failed::problem(format!("the store cannot be read: {error}"))
}

async fn keys_of(server: &Server, host: &Host, password: &str) -> Result<Vec<StoredKeys>, Failed> {
    let password = Password::new(password).map_err(|error| Failed::usage(error.to_string()))?;
    let keys = keys::of_password(server, host, password, Patience::Waits).await;
    keys.map_err(|_| Failed::problem("the keys could not be derived"))
}
