//! Makes every account of a group a contact of every other, with subscriptions in both directions (RFC 6121 section 3.1).
//! Called by `presence` before anything is measured; it speaks to every server in the same way and keeps nothing.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::timeout;

use crate::connect::{Door, Session, Stream};
use crate::crowd;
use crate::frames::{attribute, contains};

/// All subscriptions of a run take no longer than this, even when each is synced to a disk.
const SECONDS_MAX: u64 = 300;

/// Subscribes accounts 1 to `groups` x `size` to each other within their groups. What is subscribed already stays as it is.
pub(crate) async fn befriend(door: &Arc<Door>, groups: usize, size: usize) -> Result<()> {
    let sessions = crowd::come_online(door, groups * size).await?;
    // All are available and get pushes before the first asks, so that nobody misses anything.
    let circles = crowd::each(sessions.into_iter().zip(1..), |(session, number)| {
        Circle::look_up(door.clone(), session, number, size)
    })
    .await?;
    let sessions = crowd::each(circles, Circle::complete).await?;
    crowd::leave(sessions).await
}

/// The numbers of the accounts in the group of account `number`.
pub(crate) fn group_of(number: usize, size: usize) -> std::ops::Range<usize> {
    let first = (number - 1) / size * size + 1;
    first..first + size
}

/// One account on its way to know its whole group.
struct Circle {
    door: Arc<Door>,
    session: Session,
    number: usize,
    /// Those of its group to whom it is not subscribed in both directions yet.
    missing: BTreeSet<usize>,
}

impl Circle {
    async fn look_up(door: Arc<Door>, mut session: Session, number: usize, size: usize) -> Result<Circle> {
        let roster = session.roster().await?;
        let mut missing: BTreeSet<usize> = group_of(number, size).filter(|other| *other != number).collect();
        note_items(&roster, &door, &mut missing);
        Ok(Circle { door, session, number, missing })
    }

    /// Asks all that are missing and lets everybody in who asks, until the roster says that nobody is missing.
    async fn complete(mut self) -> Result<Session> {
        let done = timeout(Duration::from_secs(SECONDS_MAX), self.make_contacts()).await;
        let account = self.door.account(self.number);
        done.with_context(|| format!("{account} lacks {} contacts after {SECONDS_MAX} s", self.missing.len()))?
            .with_context(|| format!("contacts of {account}"))?;
        Ok(self.session)
    }

    async fn make_contacts(&mut self) -> Result<()> {
        let mut out = String::new();
        for other in &self.missing {
            write!(out, "<presence type='subscribe' to='{}'/>", self.door.account(*other))?;
        }
        self.session.write(out.as_bytes()).await?;
        while !self.missing.is_empty() {
            self.session.read().await?;
            out.clear();
            let stream = self.session.stanzas(|stanza| {
                if let Some(asker) = asker_of(stanza) {
                    // Writing to a string does not fail.
                    let _ = write!(out, "<presence type='subscribed' to='{asker}'/>");
                }
                if stanza.starts_with(b"<iq") && attribute(stanza, "type") == Some("set") {
                    note_items(stanza, &self.door, &mut self.missing);
                }
            });
            ensure!(stream == Stream::Open, "the server closed the stream");
            self.session.write(out.as_bytes()).await?;
            self.session.answer().await?;
        }
        Ok(())
    }
}

/// Who asks with this stanza to see the presence of its recipient.
fn asker_of(stanza: &[u8]) -> Option<&str> {
    let asks = stanza.starts_with(b"<presence") && attribute(stanza, "type") == Some("subscribe");
    attribute(stanza, "from").filter(|_| asks)
}

/// Takes from `missing` who is a contact in both directions according to the items in a roster or a push of one.
fn note_items(stanza: &[u8], door: &Door, missing: &mut BTreeSet<usize>) {
    if !contains(stanza, "jabber:iq:roster") {
        return;
    }
    for begin in memchr::memmem::find_iter(stanza, "<item ") {
        let item = &stanza[begin..];
        if attribute(item, "subscription") == Some("both")
            && let Some(number) = attribute(item, "jid").and_then(|jid| door.number_of(jid))
        {
            missing.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Command, Scenario};

    fn door() -> Arc<Door> {
        let Scenario::Presence(args) = Command::parse_from(["metronome-bench", "presence"]).scenario else {
            unreachable!()
        };
        Door::new(&args.target).unwrap()
    }

    #[test]
    fn groups_are_runs_of_numbers() {
        assert_eq!(group_of(1, 20), 1..21);
        assert_eq!(group_of(20, 20), 1..21);
        assert_eq!(group_of(21, 20), 21..41);
    }

    #[test]
    fn only_contacts_in_both_directions_are_no_longer_missing() {
        let (door, mut missing) = (door(), BTreeSet::from([2, 3, 4]));
        let push = b"<iq type='set' id='p'><query xmlns='jabber:iq:roster' ver='7'>\
            <item jid='u2@localhost' subscription='both'/><item subscription=\"to\" jid=\"u3@localhost\"/>\
            <item jid='u4@elsewhere' subscription='both'/></query></iq>";
        note_items(push, &door, &mut missing);
        assert_eq!(missing, BTreeSet::from([3, 4]));
    }

    #[test]
    fn accounts_of_the_run_are_known_by_their_addresses() {
        let door = door();
        assert_eq!(door.number_of("u12@localhost/phone@home"), Some(12));
        assert_eq!(door.number_of("u12@localhost"), Some(12));
        for stranger in ["u12@example.org", "v12@localhost", "u@localhost", "localhost", "u1x@localhost/r"] {
            assert_eq!(door.number_of(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn who_asks_is_let_in() {
        assert_eq!(asker_of(b"<presence type='subscribe' from='u2@localhost'/>"), Some("u2@localhost"));
        assert_eq!(asker_of(b"<presence type='subscribed' from='u2@localhost'/>"), None);
        assert_eq!(asker_of(b"<message type='subscribe' from='u2@localhost'/>"), None);
    }
}
