//! Archives as an administrator manages them: how large one is, how long it keeps messages, and what is removed from it.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::server::Server;
use metronome_model::{Account, Op, Outcome, Record};
use metronome_proto::jid::Jid;
use metronome_proto::payload::delay::format_time;
use metronome_store::archive::Filter;

use super::removal::{self, Unread};
use super::retention::{self, Limits};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

const WHO: Field = Field::required("jid", FieldKind::Jid, "The account's address.").positional();

/// The commands.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "archive usage",
        about: "Tells how much is in an account's archive, and how long it stays there.",
        role: Role::Admin,
        does: Does::Tells,
        fields: &[WHO],
        run: |server, given| Box::pin(usage(server, given)),
    },
    Command {
        name: "archive keep",
        about: "Limits an account's archive; without limits, those of its domain hold again.",
        role: Role::Admin,
        does: Does::Changes,
        fields: &[
            WHO,
            Field::optional("days", FieldKind::Count, "How many days messages stay; 0 for ever."),
            Field::optional("messages", FieldKind::Count, "How many messages stay; 0 for any number."),
        ],
        run: |server, given| Box::pin(keep(server, given)),
    },
    Command {
        name: "archive purge",
        about: "Removes messages from an account's archive: all of them, or those older than some days.",
        role: Role::Admin,
        does: Does::Ends,
        fields: &[WHO, Field::optional("days", FieldKind::Count, "Only messages older than this many days.")],
        run: |server, given| Box::pin(purge(server, given)),
    },
    Command {
        name: "archive expire",
        about: "Removes what is too old or too much from all archives now, and not within the hour.",
        role: Role::Operator,
        does: Does::Changes,
        fields: &[],
        run: |server, _| Box::pin(expire(server)),
    },
];

async fn usage(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let account = find(server, &jid).await?;
    let counts = server.store.counts(account.id).await.map_err(unreadable)?;
    let ends = server.store.ends(account.id).await.map_err(unreadable)?;
    let own = Limits::of_account(server, account.id).await.map_err(unreadable)?;
    let host = server.hosts.load().answering(&account.host).cloned();
    let limits = own.or(host.map(|host| Limits::of_host(&host)));
    let limits = limits.unwrap_or(Limits { keep_ms: 0, messages: 0 });
    let time = |at_ms: Option<u64>| Cell::text(at_ms.map_or("none".to_owned(), |at_ms| format_time(at_ms as i64)));
    Ok(Answer::Facts(vec![
        ("messages", Cell::Count(counts.rows)),
        ("not_seen", Cell::Count(counts.unseen)),
        ("first", time(ends.map(|(first, _)| first.at_ms))),
        ("last", time(ends.map(|(_, last)| last.at_ms))),
        ("keeps_days", Cell::Count(limits.keep_ms / DAY_MS)),
        ("keeps_messages", Cell::Count(limits.messages)),
    ]))
}

async fn keep(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let account = find(server, &jid).await?;
    let limits = match (given.count("days"), given.count("messages")) {
        (None, None) => None,
        (days, messages) => Some(Limits {
            keep_ms: days.unwrap_or(0).saturating_mul(DAY_MS),
            messages: messages.unwrap_or(0),
        }),
    };
    let _locked = server.owners.lock(&[account.id]).await;
    let document = Box::new(Limits::document(limits));
    match server.commit(Record::of(Op::SetDocument { owner: account.id, document })).await {
        Outcome::Done { .. } => {}
        outcome => return Err(Failed::problem(format!("nothing was changed: {outcome:?}"))),
    }
    Ok(Answer::text(match limits {
        None => format!("the archive of {jid} keeps what its domain keeps"),
        Some(_) => format!("the archive of {jid} has limits of its own"),
    }))
}

async fn purge(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let account = find(server, &jid).await?;
    let before = given.count("days").map(|days| server.clock.unix_ms().saturating_sub(days.saturating_mul(DAY_MS)));
    let below = server.store.last_id(account.id).await.map_err(unreadable)? + 1;
    let filter = Filter { to_ms: before.unwrap_or(u64::MAX), below, ..Filter::default() };
    let removed = removal::remove(server, account.id, filter, Unread::Stay).await;
    let removed = removed.map_err(|stopped| Failed::problem(format!("it ended early: {stopped}")))?;
    Ok(Answer::text(format!("{removed} messages were removed from the archive of {jid}")))
}

async fn expire(server: &Arc<Server>) -> Result<Answer, Failed> {
    let removed = retention::round(server).await;
    let removed = removed.map_err(|stopped| Failed::problem(format!("it ended early: {stopped}")))?;
    Ok(Answer::text(format!("{removed} messages have left archives")))
}

async fn find(server: &Server, jid: &Jid) -> Result<Account, Failed> {
    let name = jid.local().unwrap_or_default();
    let account = server.store.account(jid.domain(), name).await.map_err(unreadable)?;
    account.ok_or_else(|| Failed::problem(format!("{} does not exist", jid.bare())))
}

fn unreadable(error: metronome_store::StoreError) -> Failed {
    Failed::problem(format!("the store cannot be read: {error}"))
}
