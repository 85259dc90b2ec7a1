//! Accounts as an administrator manages them: added, listed, given another password or role, disabled, deleted.
//! Every change is a record; its commit is followed by forgetting cached facts and, where it must, by ending sessions.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Command, Failed, Field, FieldKind, Role};
use metronome_host::feature::Feature;
use metronome_host::hosts::{self, Host};
use metronome_host::server::Server;
use metronome_model::{Account, AccountId, AccountState, KeyHash, Op, Outcome, Record, StoredKeys};
use metronome_proto::jid::Jid;
use metronome_proto::stream::error::Condition;
use metronome_sasl::{Hash, Password, SALT_BYTES, derive, random_bytes};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "accounts",
    commands: &[
        Command {
            name: "user add",
            about: "Adds an account.",
            role: Role::Admin,
            fields: &[WHO, PASSWORD, Field::optional("admin", FieldKind::Flag, "May administer its host.")],
            run: |server, given| Box::pin(add(server, given)),
        },
        Command {
            name: "user list",
            about: "Lists the accounts of a host, or of all hosts.",
            role: Role::Admin,
            fields: &[Field::optional("host", FieldKind::Text, "The host; all of them if it is left out.").positional()],
            run: |server, given| Box::pin(list(server, given)),
        },
        Command {
            name: "user passwd",
            about: "Gives an account another password and disconnects it.",
            role: Role::Admin,
            fields: &[WHO, PASSWORD],
            run: |server, given| Box::pin(passwd(server, given)),
        },
        Command {
            name: "user delete",
            about: "Deletes an account and everything that is stored for it.",
            role: Role::Admin,
            fields: &[WHO],
            run: |server, given| Box::pin(delete(server, given)),
        },
        Command {
            name: "user disable",
            about: "Keeps an account from logging in and from being written to, and disconnects it.",
            role: Role::Admin,
            fields: &[WHO],
            run: |server, given| Box::pin(set_state(server, given, AccountState::Disabled)),
        },
        Command {
            name: "user enable",
            about: "Lets a disabled account log in again.",
            role: Role::Admin,
            fields: &[WHO],
            run: |server, given| Box::pin(set_state(server, given, AccountState::Active)),
        },
        Command {
            name: "user role",
            about: "Makes an account an administrator of its host, or a user again.",
            role: Role::Admin,
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

/// Adds an account; also how the development mode makes its demo accounts.
pub async fn create(server: &Arc<Server>, jid: &Jid, password: &str, role: metronome_model::Role) -> Result<(), Failed> {
    let host = host_of(server, jid)?;
    let Some(name) = jid.local().filter(|_| jid.is_bare()) else {
        return Err(Failed::usage(format!("{jid} is not the address of an account, such as name@{}", host.name)));
    };
    let keys = keys_of(&host, password).await?;
    let account = Box::new(Account {
        id: AccountId::from_bytes(server.rng.bytes16()),
        host: host.name.as_str().into(),
        name: name.into(),
        role,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: server.clock.unix_ms(),
    });
    let outcome = server.commit(Record::of(Op::AddAccount { account, keys })).await;
    server.facts.forget(jid.bare_str());
    match outcome {
        Outcome::Conflict => Err(Failed::problem(format!("{jid} exists already"))),
        other => done(&other),
    }
}

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    const PAGE: usize = 500;
    let hosts = server.hosts.load_full();
    let wanted = given.text_if_given("host");
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
        metronome_model::Role::User => "user",
        metronome_model::Role::Admin => "admin",
    };
    let state = match account.state {
        AccountState::Active => "active",
        AccountState::Disabled => "disabled",
    };
    let sessions = server.sessions.of(account.id).len() as u64;
    vec![Cell::text(format!("{}@{}", account.name, account.host)), Cell::text(role), Cell::text(state), Cell::Count(sessions)]
}

async fn passwd(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (host, account) = find(server, &jid).await?;
    let keys = keys_of(&host, given.text("password")).await?;
    change(server, &jid, Op::SetKeys { id: account.id, keys }).await?;
    disconnect(server, account.id, Condition::Reset, "the password was changed");
    Ok(Answer::text(format!("the password of {jid} was changed")))
}

async fn delete(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = find(server, &jid).await?;
    change(server, &jid, Op::ForgetAccount { id: account.id }).await?;
    disconnect(server, account.id, Condition::NotAuthorized, "the account was deleted");
    Ok(Answer::text(format!("{jid} was deleted")))
}

async fn set_state(server: &Arc<Server>, given: Arguments, state: AccountState) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = find(server, &jid).await?;
    change(server, &jid, Op::SetState { id: account.id, state }).await?;
    match state {
        AccountState::Disabled => {
            disconnect(server, account.id, Condition::NotAuthorized, "the account was disabled");
            Ok(Answer::text(format!("{jid} was disabled")))
        }
        AccountState::Active => Ok(Answer::text(format!("{jid} was enabled"))),
    }
}

async fn set_role(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = find(server, &jid).await?;
    let role = match given.text("role") {
        "admin" => metronome_model::Role::Admin,
        _ => metronome_model::Role::User,
    };
    change(server, &jid, Op::SetRole { id: account.id, role }).await?;
    Ok(Answer::text(format!("{jid} is now {}", given.text("role"))))
}

fn host_of(server: &Server, jid: &Jid) -> Result<Arc<Host>, Failed> {
    let host = server.hosts.load().get(jid.domain()).cloned();
    host.ok_or_else(|| Failed::problem(format!("{} is not a domain of this server", jid.domain())))
}

async fn find(server: &Server, jid: &Jid) -> Result<(Arc<Host>, Account), Failed> {
    let host = host_of(server, jid)?;
    let name = jid.local().unwrap_or_default();
    let account = server.store.account(host.name.as_str(), name).await.map_err(unreadable)?;
    let account = account.ok_or_else(|| Failed::problem(format!("{} does not exist", jid.bare())))?;
    Ok((host, account))
}

/// Commits a change and forgets what was known of the account.
async fn change(server: &Server, jid: &Jid, op: Op) -> Result<(), Failed> {
    let outcome = server.commit(Record::of(op)).await;
    server.facts.forget(jid.bare_str());
    match outcome {
        Outcome::Gone => Err(Failed::problem(format!("{} does not exist", jid.bare()))),
        other => done(&other),
    }
}

fn done(outcome: &Outcome) -> Result<(), Failed> {
    match outcome {
        Outcome::Done { .. } => Ok(()),
        Outcome::Unavailable(why) => Err(Failed::problem(format!("nothing was changed: {why}"))),
        other => Err(Failed::problem(format!("nothing was changed: {other:?}"))),
    }
}

fn unreadable(error: metronome_store::StoreError) -> Failed {
    Failed::problem(format!("the store cannot be read: {error}"))
}

fn disconnect(server: &Server, account: AccountId, condition: Condition, why: &'static str) {
    for session in server.sessions.of(account) {
        session.close(condition, Some(why));
    }
}

/// Keys for the usual SCRAM mechanisms and for every other that the host offers, derived beside the runtime's threads: it takes milliseconds.
async fn keys_of(host: &Host, password: &str) -> Result<Vec<StoredKeys>, Failed> {
    let password = Password::new(password).map_err(|error| Failed::usage(error.to_string()))?;
    let iterations = host.values.count(&hosts::ITERATIONS) as u32;
    let mut hashes = vec![KeyHash::Sha1, KeyHash::Sha256, KeyHash::Sha512];
    if host.sasl.scram.contains(&Hash::Sha384) {
        hashes.push(KeyHash::Sha384);
    }
    let derived = tokio::task::spawn_blocking(move || {
        hashes.into_iter().map(|hash| stored(hash, &password, iterations)).collect()
    });
    derived.await.map_err(|_| Failed::problem("the keys could not be derived"))
}

fn stored(hash: KeyHash, password: &Password, iterations: u32) -> StoredKeys {
    let salt = random_bytes::<SALT_BYTES>();
    let with = match hash {
        KeyHash::Sha1 => Hash::Sha1,
        KeyHash::Sha256 => Hash::Sha256,
        KeyHash::Sha384 => Hash::Sha384,
        KeyHash::Sha512 => Hash::Sha512,
    };
    let keys = derive(with, password, &salt, iterations);
    StoredKeys {
        hash,
        salt: keys.salt,
        iterations: keys.iterations,
        stored_key: keys.stored_key.expose()[..].into(),
        server_key: keys.server_key.expose()[..].into(),
    }
}
