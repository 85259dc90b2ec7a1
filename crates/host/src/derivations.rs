//! Key derivation beside the runtime's threads: PBKDF2 takes milliseconds of a core, on purpose, so only as many run at the
//! same time as there are cores. Asked by logins with PLAIN, by administrators and by people who want an account or another password.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Most derivations that people may have under way or waiting, all together; one more is refused.
///
/// Anybody can ask for them where registration is open. Logins and administrators wait for their turn instead.
const ASKED_MAX: usize = 8;

/// The turns of all derivations of a server.
#[derive(Debug)]
pub struct Derivations {
    turns: Arc<Semaphore>,
    asked: Arc<Semaphore>,
}

/// Too many derivations wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Whether somebody waits for a turn, however long that takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Waits behind all who came before: an administrator, or a login, whose attempts are counted elsewhere.
    Waits,
    /// Is refused if too many wait: whoever comes from outside.
    Refused,
}

impl Derivations {
    /// For a machine with this many cores.
    pub fn new(cores: usize) -> Derivations {
        Derivations { turns: Arc::new(Semaphore::new(cores.max(1))), asked: Arc::new(Semaphore::new(ASKED_MAX)) }
    }

    /// Runs `derive` on a thread of its own when it is its turn. [`Busy`] if too many wait, or if it panicked.
    ///
    /// The turn lasts until the thread is done, also if the caller gives up before: else a crowd that comes and goes would
    /// have more of them running than there are cores.
    pub async fn run<R: Send + 'static>(
        &self,
        patience: Patience,
        derive: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Busy> {
        let place = match patience {
            Patience::Waits => None,
            Patience::Refused => Some(self.asked.clone().try_acquire_owned().map_err(|_| Busy)?),
        };
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| Busy)?;
        let derived = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            derive()
        });
        derived.await.map_err(|_| Busy)
    }
}

impl Default for Derivations {
    fn default() -> Self {
        Derivations::new(1)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
    }

    #[test]
    fn whoever_comes_from_outside_is_refused_where_too_many_wait_and_others_wait() {
        let derivations = Arc::new(Derivations::new(1));
        run(async {
            let (open, gate) = mpsc::channel::<()>();
            let start = |patience, work: Box<dyn FnOnce() + Send>| {
                let derivations = derivations.clone();
                tokio::spawn(async move { derivations.run(patience, work).await })
            };
            let mut waiting = vec![start(Patience::Refused, Box::new(move || assert!(gate.recv().is_err())))];
            for _ in 1..ASKED_MAX {
                waiting.push(start(Patience::Refused, Box::new(|| ())));
            }
            while derivations.asked.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(derivations.run(Patience::Refused, || ()).await, Err(Busy));
            let login = start(Patience::Waits, Box::new(|| ()));
            drop(open);
            for task in waiting.into_iter().chain([login]) {
                assert_eq!(task.await.unwrap(), Ok(()));
            }
            assert_eq!(derivations.run(Patience::Refused, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_turn_lasts_until_its_thread_is_done() {
        let derivations = Derivations::new(1);
        run(async {
            let (open, gate) = mpsc::channel::<()>();
            let mut first = Box::pin(derivations.run(Patience::Refused, move || assert!(gate.recv().is_err())));
            std::future::poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            drop(first);
            assert_eq!(
                (derivations.turns.available_permits(), derivations.asked.available_permits()),
                (0, ASKED_MAX - 1)
            );
            drop(open);
            assert_eq!(derivations.run(Patience::Waits, || 7).await, Ok(7));
        });
    }
}
