//! Scenario `crash`: numbered messages while the server is killed with SIGKILL at random moments.
//! Senders and recipients come back as often as needed; `ledger` judges what they saw.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::args::Crash;
use crate::connect::{Door, Session, Stream};
use crate::frames::{attribute, between};
use crate::ledger::{Ending, Ledger, Verdict};
use crate::victim::{self, Victim};

/// When the server is killed after it came back.
const LIFE_MS: Range<u64> = 200..3000;
/// Messages between two iqs.
const BATCH: Range<u64> = 1..9;
/// Batches of one sender that are not answered yet.
const BATCHES_MAX: usize = 4;
/// Between two batches of one sender: keeps the store of a long run small.
const PAUSE_MS: Range<u64> = 0..40;
/// How long a recipient stays that will close gracefully, and how long it stays away then.
const STAY_MS: Range<u64> = 100..1500;
const AWAY_MS: Range<u64> = 0..500;
/// Between two tries of a login while the server is away.
const RETRY_MS: u64 = 20;
/// A login that fails so long has another reason than a kill.
const LOGIN_SECONDS_MAX: u64 = 60;
/// After the last kill: senders get their answers, recipients what is theirs.
const FINISH_SECONDS_MAX: u64 = 120;
/// A recipient to whom nothing came for so long has got everything.
const QUIET_SECONDS: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server is being killed.
    Kills,
    /// Senders wait for their answers and end.
    Finish,
    /// Recipients collect what is left.
    Collect,
}

/// What the two tasks of a pair share.
#[derive(Clone)]
struct Pair {
    door: Arc<Door>,
    sender: usize,
    ledger: Arc<Mutex<Ledger>>,
    phase: watch::Receiver<Phase>,
    /// Counted up just before each kill: what ends after that was cut, however clean it looks.
    kills: Arc<AtomicU32>,
    random: fastrand::Rng,
}

/// Runs the scenario and judges it.
pub(crate) async fn run(args: &Crash) -> Result<Verdict> {
    crate::raise_descriptor_limit(args.pairs * 2)?;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let door = Door::new(&args.target)?;
    let mut server = Victim::start(&args.server_command, args.target.address).await?;
    if let Some(command) = &args.prepare {
        victim::run(command).await?;
    }

    let kills = Arc::new(AtomicU32::new(0));
    let (phase, watched) = watch::channel(Phase::Kills);
    let (mut senders, mut recipients, mut ledgers) = (JoinSet::new(), JoinSet::new(), Vec::new());
    for number in 0..args.pairs {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let pair = Pair {
            door: door.clone(),
            sender: 1 + number * 2,
            ledger: ledger.clone(),
            phase: watched.clone(),
            kills: kills.clone(),
            random: random.fork(),
        };
        senders.spawn(pair.clone().send());
        recipients.spawn(pair.receive());
        ledgers.push(ledger);
    }
    for kill in 1..=args.kills {
        sleep(Duration::from_millis(random.u64(LIFE_MS))).await;
        check(&mut senders)?;
        check(&mut recipients)?;
        kills.fetch_add(1, Ordering::SeqCst);
        server.kill().await?;
        server = Victim::start(&args.server_command, args.target.address)
            .await
            .with_context(|| format!("after kill {kill}"))?;
    }
    phase.send_replace(Phase::Finish);
    all(senders).await.context("senders wait for answers")?;
    phase.send_replace(Phase::Collect);
    all(recipients).await.context("recipients collect what is theirs")?;
    server.stop().await?;

    let mut verdict = Verdict { kills: args.kills, ..Verdict::default() };
    ledgers.iter().for_each(|ledger| lock(ledger).judge(&mut verdict));
    verdict.examples.iter().for_each(|example| eprintln!("{example}"));
    eprintln!("{} repeated after a cut, {} refused", verdict.repeated, verdict.refused);
    Ok(verdict)
}

/// Fails as soon as a task has failed.
fn check(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    tasks.try_join_next().map_or(Ok(()), |ended| ended?)
}

async fn all(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    let joined = async {
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(FINISH_SECONDS_MAX), joined).await.context("not done in time")?
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pair {
    fn is(&self, phase: Phase) -> bool {
        *self.phase.borrow() == phase
    }

    /// Logs account `number` in, again and again while the server is away.
    async fn login(&self, number: usize) -> Result<Session> {
        let end = Instant::now() + Duration::from_secs(LOGIN_SECONDS_MAX);
        loop {
            match self.door.login(number).await {
                Err(error) if Instant::now() > end => return Err(error),
                Err(_) => sleep(Duration::from_millis(RETRY_MS)).await,
                session => return session,
            }
        }
    }

    async fn send(mut self) -> Result<()> {
        while self.is(Phase::Kills) {
            let session = self.login(self.sender).await?;
            // An error here is a kill: what was not answered stays unknown.
            let _ = self.converse(session).await;
        }
        Ok(())
    }

    /// Sends batches, each followed by an iq, until the connection ends or all is answered after the last kill.
    async fn converse(&mut self, mut session: Session) -> Result<()> {
        let mut open: Vec<Range<u64>> = Vec::new();
        let mut next = Instant::now();
        while self.is(Phase::Kills) || !open.is_empty() {
            let may_send = self.is(Phase::Kills) && open.len() < BATCHES_MAX;
            tokio::select! {
                () = sleep_until(next), if may_send => {
                    let numbers = lock(&self.ledger).send(self.random.u64(BATCH));
                    open.push(numbers.clone());
                    session.write(self.batch(numbers).as_bytes()).await?;
                    next = Instant::now() + Duration::from_millis(self.random.u64(PAUSE_MS));
                }
                read = session.read() => {
                    read?;
                    let stream = session.stanzas(|stanza| note_answer(stanza, &mut open, &self.ledger));
                    anyhow::ensure!(stream == Stream::Open, "closed");
                    session.answer().await?;
                }
                changed = self.phase.changed() => changed?,
            }
        }
        session.close(|_| {}).await.map(drop)
    }

    fn batch(&self, numbers: Range<u64>) -> String {
        use std::fmt::Write;
        let (sender, to) = (self.sender, self.door.account(self.sender + 1));
        let mut text = String::new();
        for number in numbers.clone() {
            let _ = write!(
                text,
                "<message type='chat' to='{to}' id='m{number}'><body>{number} from {sender}</body></message>"
            );
        }
        let last = numbers.end;
        text + &format!("<iq type='get' to='{to}' id='q{last}'><ping xmlns='urn:xmpp:ping'/></iq>")
    }

    async fn receive(mut self) -> Result<()> {
        while self.is(Phase::Kills) || self.is(Phase::Finish) {
            // One in three leaves by itself, so that graceful closes and offline messages happen too.
            let leaves = self.random.u32(0..3) == 0;
            let stay = Duration::from_millis(self.random.u64(STAY_MS));
            self.stay(leaves.then_some(stay)).await?;
            if leaves {
                sleep(Duration::from_millis(self.random.u64(AWAY_MS))).await;
            }
        }
        // What was never seen comes now; on the second login nothing may come.
        for _ in 0..2 {
            if self.collect().await? == Ending::Cut {
                bail!("the server cut a connection that nobody killed");
            }
        }
        Ok(())
    }

    /// One connection of the recipient, until it is cut, or is closed after `stay` or at the end of the run.
    async fn stay(&mut self, stay: Option<Duration>) -> Result<()> {
        let mut recipient = self.enter().await?;
        let leave = sleep(stay.unwrap_or(Duration::MAX / 4));
        tokio::pin!(leave);
        while !self.is(Phase::Collect) {
            let outcome = tokio::select! {
                read = recipient.read() => read,
                () = &mut leave => break,
                changed = self.phase.changed() => changed.map_err(Into::into),
            };
            if outcome.is_err() {
                recipient.end(Ending::Cut);
                return Ok(());
            }
        }
        recipient.close().await;
        Ok(())
    }

    /// A last connection: everything until nothing comes any more.
    async fn collect(&self) -> Result<Ending> {
        let mut recipient = self.enter().await?;
        while let Ok(read) = timeout(Duration::from_secs(QUIET_SECONDS), recipient.read()).await {
            read?;
        }
        Ok(recipient.close().await)
    }

    async fn enter(&self) -> Result<Recipient> {
        let kills_before = self.kills.load(Ordering::SeqCst);
        let session = self.login(self.sender + 1).await?;
        let connection = lock(&self.ledger).connected();
        let (ledger, kills) = (self.ledger.clone(), self.kills.clone());
        let mut recipient = Recipient { session, sender: self.sender, ledger, connection, kills, kills_before };
        // If this fails, so does the first read.
        let _ = recipient.session.write(b"<presence/>").await;
        Ok(recipient)
    }
}

/// One connection of a recipient, which notes everything that arrives on it.
struct Recipient {
    session: Session,
    sender: usize,
    ledger: Arc<Mutex<Ledger>>,
    connection: usize,
    kills: Arc<AtomicU32>,
    kills_before: u32,
}

impl Recipient {
    async fn read(&mut self) -> Result<()> {
        self.session.read().await?;
        let stream = self.session.stanzas(|stanza| note_arrival(stanza, self.sender, &self.ledger, self.connection));
        if stream == Stream::Closed {
            bail!("the server closed the stream");
        }
        self.session.answer().await
    }

    /// Closes gracefully, as far as the server still lives.
    async fn close(mut self) -> Ending {
        let closed =
            self.session.close(|stanza| note_arrival(stanza, self.sender, &self.ledger, self.connection)).await;
        let alive = self.kills.load(Ordering::SeqCst) == self.kills_before;
        let ending = if alive && matches!(closed, Ok(Stream::Closed)) { Ending::Clean } else { Ending::Cut };
        self.end(ending);
        ending
    }

    fn end(&self, ending: Ending) {
        lock(&self.ledger).ended(self.connection, ending);
    }
}

fn note_arrival(stanza: &[u8], sender: usize, ledger: &Mutex<Ledger>, connection: usize) {
    if !stanza.starts_with(b"<message") {
        return;
    }
    let Some(body) = between(stanza, "<body>", b'<') else { return };
    let number = body.strip_suffix(&format!(" from {sender}")).and_then(|number| number.parse().ok());
    // A body that is not ours counts as a message that nobody sent.
    lock(ledger).arrived(number.unwrap_or(u64::MAX), connection);
}

/// Notes what the sender hears: an answered iq, or a message that came back.
fn note_answer(stanza: &[u8], open: &mut Vec<Range<u64>>, ledger: &Mutex<Ledger>) {
    let (Some(kind), Some(id)) = (attribute(stanza, "type"), attribute(stanza, "id")) else { return };
    if stanza.starts_with(b"<message") && kind == "error" {
        id.strip_prefix('m').and_then(|number| number.parse().ok()).into_iter().for_each(|n| lock(ledger).refused(n));
    }
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

    #[test]
    fn arrivals_are_known_by_number_and_sender() {
        let ledger = Mutex::new(Ledger::default());
        lock(&ledger).send(1);
        let connection = lock(&ledger).connected();
        note_arrival(b"<message type='chat'><body>0 from 3</body></message>", 3, &ledger, connection);
        note_arrival(b"<presence><body>0 from 3</body></presence>", 3, &ledger, connection);
        assert_eq!(judged(&ledger), [1, 1, 0, 0]);
        note_arrival(b"<message><body>0 from 4</body></message>", 3, &ledger, connection);
        assert_eq!(judged(&ledger), [1, 1, 1, 0]);
    }
}
