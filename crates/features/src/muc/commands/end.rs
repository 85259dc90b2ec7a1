//! Rooms that end, and what is removed of them.

use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Failed};
use metronome_host::rooms::Question;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Destroy;

use super::{ask, service, shown};
use crate::muc::{archive, upkeep};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Most announcements before the end of a room.
const ANNOUNCEMENTS_MAX: usize = 20;

/// All of them together take no longer.
const ANNOUNCED_MAX: Duration = Duration::from_secs(600);

pub(super) async fn purge(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let room = given.jid("room");
    let Some(owner) = shown(server, &room).await?.id else { return Ok(Answer::text("nothing of it is stored")) };
    let before = given.count("days").map(|days| server.clock.unix_ms().saturating_sub(days.saturating_mul(DAY_MS)));
    let removed = archive::purge(server, owner, before).await;
    let removed = removed.map_err(|stopped| Failed::problem(format!("it ended early: {stopped}")))?;
    Ok(Answer::text(format!("{removed} messages were removed from the archive of {room}")))
}

pub(super) async fn destroy(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let room = given.jid("room");
    service(server, &room)?;
    let alternate = match given.text_if_given("alternate") {
        None => None,
        Some(text) => {
            let jid = Jid::parse(text).ok().filter(|jid| jid.is_bare() && !jid.is_domain() && *jid != room);
            Some(jid.ok_or_else(|| Failed::usage("`alternate` must be the address of another room"))?)
        }
    };
    let script = script(given.text_if_given("announce").unwrap_or_default())?;
    let request = Destroy { jid: alternate, reason: given.text_if_given("reason").map(Box::from), ..Destroy::default() };
    if script.is_empty() {
        ask(server, &room, Question::Destroy(request)).await?;
        return Ok(Answer::text(format!("{room} was destroyed")));
    }
    shown(server, &room).await?;
    let seconds = script.iter().map(|(pause, _)| pause.as_secs()).sum::<u64>();
    // Whoever asked does not wait for it: what else they send would wait as well.
    tokio::spawn(play(server.clone(), room.clone(), script, request));
    Ok(Answer::text(format!("{room} is destroyed in {seconds} seconds")))
}

/// Says what is to be said, and ends the room. It goes on if the room ends by itself meanwhile, and finds nothing to do.
async fn play(server: Arc<Server>, room: Jid, script: Vec<(Duration, String)>, request: Destroy) {
    for (pause, text) in script {
        tokio::time::sleep(pause).await;
        if let Err(failed) = ask(&server, &room, Question::Announce(text.into())).await {
            tracing::info!(%room, why = failed.message, "a room that was to be destroyed does not announce it");
        }
    }
    match ask(&server, &room, Question::Destroy(request)).await {
        Ok(_) => tracing::info!(%room, "a room was destroyed as it had announced"),
        Err(failed) => tracing::warn!(%room, why = failed.message, "a room could not be destroyed"),
    }
}

/// What is said beforehand, and how long after the one before it.
fn script(lines: &str) -> Result<Vec<(Duration, String)>, Failed> {
    let lines: Vec<_> = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.len() > ANNOUNCEMENTS_MAX {
        return Err(Failed::usage(format!("`announce`: at most {ANNOUNCEMENTS_MAX} lines")));
    }
    let mut script = Vec::new();
    for line in lines {
        let read = line.split_once(' ').and_then(|(seconds, text)| Some((seconds.parse().ok()?, text.trim())));
        let Some((seconds, text)) = read.filter(|(_, text)| !text.is_empty()) else {
            return Err(Failed::usage(format!("`announce`: `{line}` is not of the form `seconds text`")));
        };
        script.push((Duration::from_secs(seconds), text.to_owned()));
    }
    let total = script.iter().try_fold(Duration::ZERO, |total, (pause, _)| total.checked_add(*pause));
    if total.is_none_or(|total| total > ANNOUNCED_MAX) {
        return Err(Failed::usage(format!("`announce`: at most {} seconds together", ANNOUNCED_MAX.as_secs())));
    }
    Ok(script)
}

pub(super) async fn expire(server: &Arc<Server>) -> Result<Answer, Failed> {
    match upkeep::round(server).await {
        Ok(0) => Ok(Answer::text("no room had to end")),
        Ok(1) => Ok(Answer::text("a room was destroyed")),
        Ok(count) => Ok(Answer::text(format!("{count} rooms were destroyed"))),
        Err(error) => Err(Failed::problem(format!("it ended early: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_lines_of_seconds_and_a_text() {
        let read = script("0 The end is near\n\n 30   Very near \n").unwrap();
        assert_eq!(read, [(Duration::ZERO, "The end is near".into()), (Duration::from_secs(30), "Very near".into())]);
        assert!(script("").unwrap().is_empty());
        for wrong in ["soon the end", "5", "5 ", "-1 x", "601 x", "300 x\n301 y", "18446744073709551615 x\n1 y"] {
            assert_eq!(script(wrong).unwrap_err().exit, 2, "{wrong}");
        }
        assert!(script(&"0 x\n".repeat(ANNOUNCEMENTS_MAX + 1)).is_err());
    }
}
