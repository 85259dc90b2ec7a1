//! The recipient of a pair: it stays until it is cut, or leaves for a while, and collects what is its after the last kill.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{sleep, timeout};

use super::{Pair, Phase, lock};
use crate::client::{self, Client};
use crate::connect::Stream;
use crate::frames::between;
use crate::ledger::{Ending, Ledger, Owner};
use crate::managed::{Managed, Sent};

/// How long a recipient stays that will close gracefully, and how long it stays away then.
const STAY_MS: Range<u64> = 100..1500;
const AWAY_MS: Range<u64> = 0..500;
/// A recipient to whom nothing came for so long has got everything.
const QUIET_SECONDS: u64 = 3;

/// What a recipient knows whatever its connection.
#[derive(Default)]
struct Known {
    /// The last message by its id in the archive.
    latest: Option<String>,
    /// So many streams could not be resumed when the archive was read.
    failed: u64,
}

impl Pair {
    /// Receives until nothing comes any more after the last kill.
    pub(super) async fn receive(mut self) -> Result<()> {
        let (mut managed, mut known) = (self.manners[1].begin(), Known::default());
        while self.is(Phase::Kills) || self.is(Phase::Finish) {
            // One in three leaves by itself, so that graceful closes and offline messages happen too.
            let leaves = self.random.u32(0..3) == 0;
            let stay = Duration::from_millis(self.random.u64(STAY_MS));
            self.stay(leaves.then_some(stay), managed.as_mut(), &mut known).await?;
            if leaves {
                sleep(Duration::from_millis(self.random.u64(AWAY_MS))).await;
            }
        }
        managed.into_iter().for_each(|managed| lock(&self.ledger).streams(managed));
        // What was never seen comes now; on the second login nothing may come.
        for _ in 0..2 {
            if self.collect().await? == Ending::Cut {
                bail!("the server cut a connection that nobody killed");
            }
        }
        let mut client = self.enter(self.sender + 1, None).await?;
        let archive = self.archive(&mut client).await?;
        lock(&self.ledger).archived(Owner::Recipient, archive);
        client.close(|_| {}).await.map(drop)
    }

    /// One connection of the recipient, until it is cut, or is closed after `stay` or at the end of the run.
    async fn stay(&mut self, stay: Option<Duration>, managed: Option<&mut Managed>, known: &mut Known) -> Result<()> {
        let mut recipient = self.arrive(managed, known).await?;
        let leave = sleep(stay.unwrap_or(Duration::MAX / 4));
        tokio::pin!(leave);
        let mut outcome = recipient.begin(self).await;
        while outcome.is_ok() && !self.is(Phase::Collect) {
            tokio::select! {
                read = recipient.client.wait() => outcome = match read {
                    Ok(()) => recipient.take().await,
                    cut => cut,
                },
                () = &mut leave => break,
                changed = self.phase.changed() => outcome = changed.map_err(Into::into),
            }
        }
        if outcome.is_err() {
            recipient.end(Ending::Cut);
            return Ok(());
        }
        recipient.close().await;
        Ok(())
    }

    /// A last connection: everything until nothing comes any more.
    async fn collect(&self) -> Result<Ending> {
        let mut known = Known::default();
        let mut recipient = self.arrive(None, &mut known).await?;
        recipient.begin(self).await?;
        while let Ok(read) = timeout(Duration::from_secs(QUIET_SECONDS), recipient.client.wait()).await {
            read?;
            recipient.take().await?;
        }
        Ok(recipient.close().await)
    }

    async fn arrive<'a>(&self, managed: Option<&'a mut Managed>, known: &'a mut Known) -> Result<Recipient<'a>> {
        let kills_before = self.kills.load(Ordering::SeqCst);
        let resumed_before = managed.as_ref().map_or(0, |managed| managed.resumed);
        let mut client = self.enter(self.sender + 1, managed).await?;
        let is_resumed = client.managed().is_some_and(|managed| managed.resumed > resumed_before);
        let connection = lock(&self.ledger).connected(kills_before);
        let (ledger, kills) = (self.ledger.clone(), self.kills.clone());
        Ok(Recipient { client, known, is_resumed, sender: self.sender, ledger, connection, kills, kills_before })
    }
}

/// One connection of a recipient, which notes everything that arrives on it.
struct Recipient<'a> {
    client: Client<'a>,
    known: &'a mut Known,
    is_resumed: bool,
    sender: usize,
    ledger: Arc<Mutex<Ledger>>,
    connection: usize,
    kills: Arc<AtomicU32>,
    kills_before: u32,
}

impl Recipient<'_> {
    /// Becomes available, unless it still is, and reads the archive if a stream could not be resumed.
    async fn begin(&mut self, pair: &Pair) -> Result<()> {
        // First of all: a stream that is cut before it is resumed with what was sent on it.
        if !self.is_resumed {
            self.client.send(vec![Sent { stanza: "<presence/>".to_owned(), number: None }]).await?;
        }
        // What came right behind the answer to the last request.
        self.take().await?;
        let failed = self.client.managed().map_or(0, |managed| managed.failed);
        if failed > self.known.failed {
            self.sync(pair).await?;
            self.known.failed = failed;
        }
        Ok(())
    }

    async fn sync(&mut self, pair: &Pair) -> Result<()> {
        let after = self.known.latest.clone();
        let (known, sender, ledger, connection) = (&mut *self.known, self.sender, &self.ledger, self.connection);
        let see = |stanza: &[u8]| note_arrival(stanza, sender, ledger, connection, known);
        let found = self.client.archive(after, see).await?;
        let mut ledger = lock(&self.ledger);
        for archived in &found {
            ledger.synced(pair.number(&archived.body).unwrap_or(u64::MAX));
        }
        if let Some(last) = found.into_iter().next_back() {
            self.known.latest = Some(last.id);
        }
        Ok(())
    }

    async fn take(&mut self) -> Result<()> {
        let (known, sender, ledger, connection) = (&mut *self.known, self.sender, &self.ledger, self.connection);
        self.client.take(|stanza| note_arrival(stanza, sender, ledger, connection, known)).await
    }

    /// Closes gracefully, as far as the server still lives.
    async fn close(self) -> Ending {
        let (known, sender, ledger, connection) = (self.known, self.sender, &self.ledger, self.connection);
        let closed = self.client.close(|stanza| note_arrival(stanza, sender, ledger, connection, known)).await;
        let alive = self.kills.load(Ordering::SeqCst) == self.kills_before;
        let ending = if alive && matches!(closed, Ok(Stream::Closed)) { Ending::Clean } else { Ending::Cut };
        lock(ledger).ended(connection, ending);
        ending
    }

    fn end(&self, ending: Ending) {
        lock(&self.ledger).ended(self.connection, ending);
    }
}

fn note_arrival(stanza: &[u8], sender: usize, ledger: &Mutex<Ledger>, connection: usize, known: &mut Known) {
    // An answer of the archive to a request of an earlier connection is no arrival.
    if !stanza.starts_with(b"<message") || client::result(stanza).is_some() {
        return;
    }
    let Some(body) = between(stanza, "<body>", b'<') else { return };
    if let Some(id) = client::stanza_id(stanza) {
        known.latest = Some(id.to_owned());
    }
    let number = body.strip_suffix(&format!(" from {sender}")).and_then(|number| number.parse().ok());
    // A body that is not ours counts as a message that nobody sent.
    lock(ledger).arrived(number.unwrap_or(u64::MAX), connection);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Verdict;

    #[test]
    fn arrivals_are_known_by_number_and_sender() {
        let (ledger, mut known) = (Mutex::new(Ledger::default()), Known::default());
        let judged = || {
            let mut verdict = Verdict::default();
            lock(&ledger).judge(&mut verdict);
            [verdict.acked, verdict.received, verdict.duplicated, verdict.lost]
        };
        lock(&ledger).send(1);
        let connection = lock(&ledger).connected(0);
        let mut note = |stanza: &str| note_arrival(stanza.as_bytes(), 3, &ledger, connection, &mut known);
        note("<message type='chat'><body>0 from 3</body><stanza-id xmlns='urn:xmpp:sid:0' id='5'/></message>");
        note("<presence><body>0 from 3</body></presence>");
        note("<message><result xmlns='urn:xmpp:mam:2' id='5'><body>0 from 3</body></result></message>");
        assert_eq!(judged(), [1, 1, 0, 0]);
        note("<message><body>0 from 4</body></message>");
        assert_eq!(judged(), [1, 1, 1, 0]);
        assert_eq!(known.latest.as_deref(), Some("5"));
    }
}
