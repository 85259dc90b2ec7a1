//! Scenario `crash`: numbered messages while the server is killed with SIGKILL at random moments.
//! Senders and recipients come back as often as needed, some of them with stream management; `ledger` judges what they saw.

mod receive;
mod send;

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::args::Crash;
use crate::client::Client;
use crate::connect::Door;
use crate::ledger::{Ledger, Verdict};
use crate::managed::Managed;
use crate::victim::{self, Victim};

/// When the server is killed after it came back.
const LIFE_MS: Range<u64> = 200..3000;
/// Between two tries of a login while the server is away.
const RETRY_MS: u64 = 20;
/// A login that fails so long has another reason than a kill.
const LOGIN_SECONDS_MAX: u64 = 60;
/// After the last kill: senders get their answers, recipients what is theirs.
const FINISH_SECONDS_MAX: u64 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server is being killed.
    Kills,
    /// Senders wait for their answers and end.
    Finish,
    /// Recipients collect what is left.
    Collect,
}

/// How a client keeps its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// They end with their connections.
    Plain,
    /// Stream management: acknowledgements, and resumption after each kill.
    Managed,
}

impl Manner {
    /// Those of the sender and the recipient of pair `number`: every combination occurs.
    fn of_pair(number: usize) -> [Manner; 2] {
        [[Manner::Managed; 2], [Manner::Plain; 2], [Manner::Managed, Manner::Plain], [Manner::Plain, Manner::Managed]]
            [number % 4]
    }

    fn begin(self) -> Option<Managed> {
        (self == Manner::Managed).then(Managed::default)
    }
}

/// What the two tasks of a pair share.
#[derive(Clone)]
struct Pair {
    door: Arc<Door>,
    sender: usize,
    ledger: Arc<Mutex<Ledger>>,
    phase: watch::Receiver<Phase>,
    /// Of sender and recipient.
    manners: [Manner; 2],
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
    let (mut senders, mut recipients, mut ledgers) = (JoinSet::new(), JoinSet::new(), Vec::<Arc<Mutex<Ledger>>>::new());
    for number in 0..args.pairs {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let pair = Pair {
            door: door.clone(),
            sender: 1 + number * 2,
            ledger: ledger.clone(),
            phase: watched.clone(),
            manners: Manner::of_pair(number),
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
        ledgers.iter().for_each(|ledger| lock(ledger).killed());
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
    // Of recipients without and with stream management.
    let mut again = [0, 0];
    for (number, ledger) in ledgers.iter().enumerate() {
        let (told, before) = (verdict.examples.len(), verdict.wire_duplicates);
        lock(ledger).judge(&mut verdict);
        again[usize::from(Manner::of_pair(number)[1] == Manner::Managed)] += verdict.wire_duplicates - before;
        let whose = format!("sender and recipient of pair {number} are {:?}: ", Manner::of_pair(number));
        verdict.examples[told..].iter_mut().for_each(|example| example.insert_str(0, &whose));
    }
    verdict.examples.iter().for_each(|example| eprintln!("{example}"));
    let [plain, managed] = again;
    eprintln!("came again after a cut: {plain} without stream management, {managed} with it");
    eprintln!("{} refused, {} violations", verdict.refused, verdict.violations);
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
    async fn enter<'a>(&self, number: usize, mut managed: Option<&'a mut Managed>) -> Result<Client<'a>> {
        let end = Instant::now() + Duration::from_secs(LOGIN_SECONDS_MAX);
        let session = loop {
            match Client::connect(&self.door, number, managed.as_deref_mut()).await {
                Err(error) if Instant::now() > end => return Err(error),
                Err(_) => sleep(Duration::from_millis(RETRY_MS)).await,
                session => break session?,
            }
        };
        Ok(Client::new(session, managed))
    }

    /// The number of a message of this pair by its body.
    fn number(&self, body: &str) -> Option<u64> {
        body.strip_suffix(&format!(" from {}", self.sender)).and_then(|number| number.parse().ok())
    }

    /// The whole archive of the account that `client` has logged in.
    async fn archive(&self, client: &mut Client<'_>) -> Result<Vec<u64>> {
        let found = client.archive(None, |_| {}).await?;
        // A body that is not ours counts as a message that nobody sent.
        Ok(found.iter().map(|archived| self.number(&archived.body).unwrap_or(u64::MAX)).collect())
    }
}
