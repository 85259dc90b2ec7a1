//! What is committed is delivered by a fixed set of workers, one per core; an owner always has the same worker, so
//! delivery order is commit order for each owner. A worker never awaits while it runs a record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use metronome_host::effect::{Effect, Effects};
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::server::{Load, Server};
use metronome_host::tickets::Ticket;
use metronome_model::{AccountId, Outcome};
use metronome_store::{Committed, Permit};
use tokio::sync::oneshot;

use crate::copies::Sent;
use crate::deliver;
use crate::queue::Queue;

/// Records that a worker runs before it lets other tasks of its thread go on.
const TURN: usize = 128;

/// The workers' queues. They hold only what the writer's permits allow, 32 MiB in all.
#[derive(Clone)]
pub struct Workers {
    queues: Arc<[Queue<Work>]>,
}

/// One owner's part of a record to deliver. Dropping the last part returns the record's permit and settles its stanza.
struct Work {
    load: What,
    _held: Held,
}

/// What is delivered.
enum What {
    Stanza(Box<Envelope>, Outcome),
    Sent(Sent),
    Command(Effects, oneshot::Sender<Outcome>, Outcome),
}

/// What is given back once a record has been delivered. Dropping it is its use.
#[allow(dead_code)]
enum Held {
    /// By its only part; the ticket is the envelope's.
    Alone(Permit),
    /// By the last of its parts.
    Shared(Arc<(Option<Ticket>, Permit)>),
}

impl Workers {
    /// As many queues as workers will run.
    pub fn new(count: usize) -> Workers {
        Workers { queues: (0..count.max(1)).map(|_| Queue::default()).collect() }
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.queues.len()
    }

    /// Takes a batch from the writer, in commit order; called on the writer's thread.
    pub fn committed(&self, batch: Vec<Committed<Load>>) {
        let mut shares: Vec<Vec<Work>> = self.queues.iter().map(|_| Vec::new()).collect();
        let worker_of = |owner: AccountId| owner.as_bytes()[14] as usize % self.queues.len();
        for Committed { load, outcome, permit } in batch {
            // Here and not by a worker: of two senders the order is that of the commits as well.
            crate::remotes::committed(effects_of(&load), &outcome);
            match load {
                Load::Stanza(mut env) => {
                    let held = match Sent::of(&env, &outcome) {
                        None => Held::Alone(permit),
                        Some(sent) => {
                            let held = Arc::new((env.ticket.take(), permit));
                            let worker = worker_of(sent.sender().account);
                            shares[worker].push(Work { load: What::Sent(sent), _held: Held::Shared(held.clone()) });
                            Held::Shared(held)
                        }
                    };
                    let worker = worker_of(owner_of(&env));
                    shares[worker].push(Work { load: What::Stanza(env, outcome), _held: held });
                }
                // Whoever asked may have given up; the change is made all the same.
                Load::Asked(effects, sender) if effects.is_empty() => drop(sender.send(outcome)),
                // What it changes is under its owners' locks, so any worker will do.
                Load::Asked(effects, sender) => {
                    let load = What::Command(effects, sender, outcome);
                    shares[0].push(Work { load, _held: Held::Alone(permit) });
                }
                Load::Quiet => {}
            }
        }
        for (queue, share) in self.queues.iter().zip(shares) {
            queue.push(share);
        }
    }

    /// Runs one worker for as long as the server lives.
    pub async fn run(self, server: Arc<Server>, index: usize) {
        let mut turn = Vec::with_capacity(TURN);
        loop {
            std::future::poll_fn(|cx| self.queues[index].poll_take(cx, &mut turn, TURN)).await;
            for work in turn.drain(..) {
                run(&server, work);
            }
            tokio::task::yield_now().await;
        }
    }
}

fn effects_of(load: &Load) -> &[Effect] {
    match load {
        Load::Stanza(env) => &env.effects,
        Load::Asked(effects, _) => effects,
        Load::Quiet => &[],
    }
}

/// Owns what concerns no account of ours.
const NOBODY: AccountId = AccountId::from_bytes([0; 16]);

/// The owner whose order a record keeps: the recipient, or the sender of what nobody received.
fn owner_of(env: &Envelope) -> AccountId {
    match env.destination {
        Destination::Account(Some(owner)) | Destination::Service(Some(owner)) => owner,
        _ => env.sender.as_session().map_or(NOBODY, |session| session.account),
    }
}

/// Runs one record. A panic ends this delivery only: the row is still in the store.
fn run(server: &Arc<Server>, work: Work) {
    let Work { load, _held } = work;
    match load {
        What::Stanza(mut env, outcome) => {
            if catch_unwind(AssertUnwindSafe(|| deliver::committed(server, &mut env, &outcome))).is_err() {
                server.counters.panics.add();
                tracing::error!(jid = env.stanza.from.as_str(), "a delivery panicked; the message is stored");
            }
        }
        What::Sent(sent) => {
            let jid = sent.sender().jid.clone();
            if catch_unwind(AssertUnwindSafe(|| sent.run(server))).is_err() {
                server.counters.panics.add();
                tracing::error!(jid = jid.as_str(), "copies of a sent message panicked; the message is stored");
            }
        }
        What::Command(effects, sender, outcome) => {
            let run = || match outcome.is_done() {
                true => deliver::changed(server, effects),
                false => deliver::rosters_in_doubt(server, &effects, &outcome),
            };
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                server.counters.panics.add();
                tracing::error!("what a command has changed is stored, but not everybody was told");
            }
            drop(sender.send(outcome));
        }
    }
}
