//! The sender of a pair: batches of numbered messages, each followed by what proves that the server has taken them.

use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep_until};

use super::{Manner, Pair, Phase, lock};
use crate::client::Client;
use crate::frames::attribute;
use crate::ledger::{Ledger, Owner};
use crate::managed::{Managed, Sent};

/// Messages between two iqs, or two requests for an acknowledgement.
const BATCH: Range<u64> = 1..9;
/// Batches of a plain sender that are not answered yet.
const BATCHES_MAX: usize = 4;
/// Messages of a managed sender that are not acknowledged yet.
const OPEN_MAX: usize = 24;
/// Between two batches of one sender: keeps the store of a long run small.
const PAUSE_MS: Range<u64> = 0..40;

impl Pair {
    /// Sends until the last kill, and waits for what is open then.
    pub(super) async fn send(mut self) -> Result<()> {
        match self.manners[0] {
            Manner::Plain => self.send_plain().await?,
            Manner::Managed => self.send_managed().await?,
        }
        let mut client = self.enter(self.sender, None).await?;
        let archive = self.archive(&mut client).await?;
        lock(&self.ledger).archived(Owner::Sender, archive);
        client.close(|_| {}).await.map(drop)
    }

    async fn send_plain(&mut self) -> Result<()> {
        while self.is(Phase::Kills) {
            let client = self.enter(self.sender, None).await?;
            // An error here is a kill: what was not answered stays unknown.
            let _ = self.converse_plainly(client).await;
        }
        Ok(())
    }

    /// Sends batches, each followed by an iq, until the connection ends or all is answered after the last kill.
    async fn converse_plainly(&mut self, mut client: Client<'_>) -> Result<()> {
        let mut open: Vec<Range<u64>> = Vec::new();
        let mut next = Instant::now();
        while self.is(Phase::Kills) || !open.is_empty() {
            let may_send = self.is(Phase::Kills) && open.len() < BATCHES_MAX;
            tokio::select! {
                () = sleep_until(next), if may_send => {
                    let numbers = lock(&self.ledger).send(self.random.u64(BATCH));
                    open.push(numbers.clone());
                    let mut batch = self.batch(numbers.clone());
                    batch.push(self.ping(numbers.end));
                    client.send(batch).await?;
                    next = Instant::now() + Duration::from_millis(self.random.u64(PAUSE_MS));
                }
                read = client.wait() => {
                    read?;
                    client.take(|stanza| note_answer(stanza, &mut open, &self.ledger)).await?;
                }
                changed = self.phase.changed() => changed?,
            }
        }
        client.close(|_| {}).await.map(drop)
    }

    async fn send_managed(&mut self) -> Result<()> {
        let mut managed = Managed::default();
        while self.is(Phase::Kills) || managed.open() > 0 {
            let client = self.enter(self.sender, Some(&mut managed)).await?;
            // An error here is a kill: the stream is resumed after it.
            let _ = self.converse(client).await;
            self.confirm(managed.confirmed());
        }
        lock(&self.ledger).streams(managed);
        Ok(())
    }

    /// Sends batches and asks for acknowledgements, until the connection ends or all is acknowledged after the last kill.
    async fn converse(&mut self, mut client: Client<'_>) -> Result<()> {
        client.take(|stanza| note_refusal(stanza, &self.ledger)).await?;
        self.settle_doubts(&mut client).await?;
        let mut next = Instant::now();
        loop {
            let open = client.managed().map_or(0, |managed| managed.open());
            if !self.is(Phase::Kills) && open == 0 {
                return client.close(|_| {}).await.map(drop);
            }
            let may_send = self.is(Phase::Kills) && open < OPEN_MAX;
            tokio::select! {
                () = sleep_until(next), if may_send => {
                    let numbers = lock(&self.ledger).send(self.random.u64(BATCH));
                    client.send(self.batch(numbers)).await?;
                    next = Instant::now() + Duration::from_millis(self.random.u64(PAUSE_MS));
                }
                read = client.wait() => {
                    read?;
                    client.take(|stanza| note_refusal(stanza, &self.ledger)).await?;
                    let confirmed = client.managed().map(Managed::confirmed);
                    self.confirm(confirmed.unwrap_or_default());
                }
                changed = self.phase.changed() => changed?,
            }
        }
    }

    /// A stream could not be resumed: what the archive has was handled, and the rest is sent again.
    async fn settle_doubts(&self, client: &mut Client<'_>) -> Result<()> {
        let uncertain = client.managed().map(Managed::uncertain).unwrap_or_default();
        if uncertain.is_empty() {
            return Ok(());
        }
        let archive = match self.archive(client).await {
            Ok(archive) => archive,
            Err(error) => {
                client.managed().into_iter().for_each(|managed| managed.doubt(uncertain.clone()));
                return Err(error);
            }
        };
        let has = |sent: &Sent| sent.number.is_none_or(|number| archive.contains(&number));
        let (stored, missing): (Vec<Sent>, Vec<Sent>) = uncertain.into_iter().partition(has);
        self.confirm(stored.into_iter().filter_map(|sent| sent.number).collect());
        client.send(missing).await
    }

    fn confirm(&self, numbers: Vec<u64>) {
        let mut ledger = lock(&self.ledger);
        numbers.into_iter().for_each(|number| ledger.answered(number..number + 1));
    }

    fn batch(&self, numbers: Range<u64>) -> Vec<Sent> {
        let (sender, to) = (self.sender, self.door.account(self.sender + 1));
        let message = |number| Sent {
            stanza: format!(
                "<message type='chat' to='{to}' id='m{number}'><body>{number} from {sender}</body></message>"
            ),
            number: Some(number),
        };
        numbers.map(message).collect()
    }

    fn ping(&self, last: u64) -> Sent {
        let to = self.door.account(self.sender + 1);
        Sent {
            stanza: format!("<iq type='get' to='{to}' id='q{last}'><ping xmlns='urn:xmpp:ping'/></iq>"),
            number: None,
        }
    }
}

/// Notes a message that came back.
fn note_refusal(stanza: &[u8], ledger: &Mutex<Ledger>) {
    if !stanza.starts_with(b"<message") || attribute(stanza, "type") != Some("error") {
        return;
    }
    let number = attribute(stanza, "id").and_then(|id| id.strip_prefix('m')).and_then(|number| number.parse().ok());
    number.into_iter().for_each(|number| lock(ledger).refused(number));
}

/// Notes what a plain sender hears: an answered iq, or a message that came back.
fn note_answer(stanza: &[u8], open: &mut Vec<Range<u64>>, ledger: &Mutex<Ledger>) {
    note_refusal(stanza, ledger);
    let (Some(kind), Some(id)) = (attribute(stanza, "type"), attribute(stanza, "id")) else { return };
    if stanza.starts_with(b"<iq") && matches!(kind, "result" | "error") {
        let last = id.strip_prefix('q').and_then(|number| number.parse::<u64>().ok());
        if let Some(place) = open.iter().position(|numbers| Some(numbers.end) == last) {
            lock(ledger).answered(open.remove(place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Verdict;

    fn judged(ledger: &Mutex<Ledger>) -> [u64; 4] {
        let mut verdict = Verdict::default();
        lock(ledger).judge(&mut verdict);
        [verdict.acked, verdict.received, verdict.duplicated, verdict.lost]
    }

    #[test]
    fn an_answered_iq_acks_its_batch_only() {
        let ledger = Mutex::new(Ledger::default());
        let mut open = vec![lock(&ledger).send(2)];
        open.push(lock(&ledger).send(3));
        note_answer(b"<iq type='error' id='q5'><error/></iq>", &mut open, &ledger);
        assert_eq!((open.len(), open[0].clone()), (1, 0..2));
        assert_eq!(judged(&ledger), [3, 0, 0, 3]);
        note_answer(b"<iq type='get' id='q2'/>", &mut open, &ledger);
        assert_eq!(open.len(), 1, "a request is no answer");
    }

    #[test]
    fn a_message_that_came_back_is_not_lost() {
        let ledger = Mutex::new(Ledger::default());
        let mut open = vec![lock(&ledger).send(1)];
        note_answer(b"<message type='error' id='m0'><body>0 from 1</body></message>", &mut open, &ledger);
        note_answer(b"<iq type='result' id='q1'/>", &mut open, &ledger);
        assert_eq!(judged(&ledger), [0, 0, 0, 0]);
    }
}
