//! Files as their owners see them, and administrators: which there are, how much they hold, and how they go.

use std::io;
use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Offered, Role};
use metronome_host::options::write_bytes;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::payload::delay::format_time;
use metronome_store::uploads::{About, UploadId, Usage};

use super::settings::ends_ms;
use super::upkeep::{self, values_of};
use super::on_disk;
use crate::accounts;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Most files or accounts in one list, the newest or the largest.
const LISTED_MAX: usize = 1000;

/// Most files that a form offers.
const OFFERED_MAX: usize = 100;

/// The commands.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "upload list",
        about: "Lists the files that an account has uploaded.",
        role: Role::User,
        does: Does::Tells,
        fields: &[Field::own()],
        run: |server, given| Box::pin(list(server, given)),
    },
    Command {
        name: "upload delete",
        about: "Deletes one file that an account has uploaded: its address leads nowhere from then on.",
        role: Role::User,
        does: Does::Ends,
        fields: &[
            Field::own(),
            Field::required("file", FieldKind::Text, "The file, as the list names it.")
                .positional()
                .offering(|server, jid| Box::pin(offered(server, jid))),
        ],
        run: |server, given| Box::pin(delete(server, given)),
    },
    Command {
        name: "upload purge",
        about: "Deletes all files that an account has uploaded, or those older than some days.",
        role: Role::User,
        does: Does::Ends,
        fields: &[Field::own(), Field::optional("days", FieldKind::Count, "Only files older than this many days.")],
        run: |server, given| Box::pin(purge(server, given)),
    },
    Command {
        name: "upload usage",
        about: "Tells how much the files of a domain's accounts hold, the largest first.",
        role: Role::Admin,
        does: Does::Tells,
        fields: &[Field::required("host", FieldKind::Domain, "The domain.").positional()],
        run: |server, given| Box::pin(usage(server, given)),
    },
    Command {
        name: "upload expire",
        about: "Removes files whose time is over now, and not within the hour.",
        role: Role::Operator,
        does: Does::Changes,
        fields: &[],
        run: |server, _| Box::pin(expire(server)),
    },
];

/// The files of an account, newest first.
async fn files(server: &Server, owner: AccountId, most: usize) -> Result<Vec<About>, Failed> {
    let read = on_disk(server, move |uploads| {
        let mut entries = uploads.entries(owner)?;
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.created_ms));
        let mut files = Vec::new();
        for entry in entries.iter().take(most) {
            files.extend(uploads.read(entry.id)?.map(|(about, _)| about));
        }
        Ok(files)
    });
    read.await.map_err(|error| unreadable(&error))
}

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let (_, account) = accounts::find(server, &given.jid("jid")).await?;
    let values = values_of(server, &account.host);
    let row = |about: &About| {
        let ends_ms = values.as_ref().and_then(|values| ends_ms(values, &about.entry));
        vec![
            Cell::text(about.entry.id.to_string()),
            Cell::text(&*about.name),
            Cell::text(&*about.media_type),
            Cell::Bytes(about.entry.size),
            Cell::text(about.entry.purpose.as_str()),
            Cell::text(format_time(about.entry.created_ms as i64)),
            ends_ms.map_or(Cell::None, |ends_ms| Cell::text(format_time(ends_ms as i64))),
        ]
    };
    let rows = files(server, account.id, LISTED_MAX).await?.iter().map(row).collect();
    Ok(Answer::Table { columns: &["file", "name", "type", "size", "purpose", "uploaded", "ends"], rows })
}

async fn offered(server: &Arc<Server>, jid: Jid) -> Result<Offered, Failed> {
    let (_, account) = accounts::find(server, &jid).await?;
    let choice = |about: About| {
        let label = format!("{}, {}", about.name, write_bytes(about.entry.size));
        (about.entry.id.to_string(), label)
    };
    let files = files(server, account.id, OFFERED_MAX).await?;
    Ok(Offered { choices: files.into_iter().map(choice).collect(), current: None })
}

async fn delete(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = accounts::find(server, &jid).await?;
    let file = given.text("file");
    let absent = || Failed::problem(format!("{} has no file `{file}`", jid.bare()));
    let id: UploadId = file.parse().map_err(|_| absent())?;
    let removed = upkeep::remove(server, account.id, move |entry| entry.id == id).await;
    match removed.map_err(|error| unreadable(&error))?.files {
        0 => Err(absent()),
        _ => Ok(Answer::text(format!("{id} is deleted"))),
    }
}

async fn purge(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = accounts::find(server, &jid).await?;
    let days = given.count("days").unwrap_or(0);
    let before_ms = server.clock.unix_ms().saturating_sub(days.saturating_mul(DAY_MS));
    let removed = upkeep::remove(server, account.id, move |entry| entry.created_ms <= before_ms).await;
    let Usage { files, bytes } = removed.map_err(|error| unreadable(&error))?;
    Ok(Answer::text(format!("{files} files of {} were deleted, {}", jid.bare(), write_bytes(bytes))))
}

async fn usage(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let domain = given.domain("host");
    let owners = on_disk(server, |uploads| {
        let owners = uploads.owners()?.into_iter();
        owners.map(|owner| Ok((owner, Usage::of(&uploads.entries(owner)?)))).collect::<io::Result<Vec<_>>>()
    });
    let mut owners = owners.await.map_err(|error| unreadable(&error))?;
    owners.sort_unstable_by_key(|(_, usage)| std::cmp::Reverse(usage.bytes));
    let mut rows = Vec::new();
    for (owner, usage) in owners.into_iter().filter(|(_, usage)| usage.files > 0) {
        let account = server.store.account_by_id(owner).await;
        let account = account.map_err(|error| Failed::problem(format!("the store cannot be read: {error}")))?;
        let Some(account) = account.filter(|account| *account.host == *domain.as_str()) else { continue };
        let jid = format!("{}@{}", account.name, account.host);
        rows.push(vec![Cell::text(jid), Cell::Count(usage.files), Cell::Bytes(usage.bytes)]);
        if rows.len() >= LISTED_MAX {
            break;
        }
    }
    Ok(Answer::Table { columns: &["jid", "files", "size"], rows })
}

async fn expire(server: &Arc<Server>) -> Result<Answer, Failed> {
    let removed = upkeep::round(server).await;
    let removed = removed.map_err(|stopped| Failed::problem(format!("it ended early: {stopped}")))?;
    Ok(Answer::text(format!("{} files were removed, {}", removed.files, write_bytes(removed.bytes))))
}

fn unreadable(error: &io::Error) -> Failed {
    match error.kind() {
        io::ErrorKind::NotFound => Failed::problem("this server keeps no files"),
        _ => Failed::problem(format!("the folder of uploads cannot be read: {error}")),
    }
}
