//! The addresses of targets of one priority, raced (XEP-0495 section 4, RFC 8305): names are looked up all at once, an attempt
//! begins a quarter of a second after the one before or as soon as that has failed, and the first that connects wins.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use metronome_host::options::Values;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::super::reach::{Special, refuse_own, refuse_special};
use super::super::resolve::{Group, Place, Target};
use super::{CONNECT_TIMEOUT, Dialed, Failure, Reason};
use crate::dns::{self, NoAnswer, Resolver};

/// The next attempt waits so long for the one before (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The first attempt waits so long for a better address (RFC 8305 section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// Most attempts at the addresses of one priority.
const ATTEMPTS_MAX: usize = 32;

/// Both kinds of addresses; the first is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V6,
    V4,
}

/// Where addresses may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// On the public internet and not on this machine, or where the configuration allows: strangers have written the records.
    Internet,
    /// On the public internet, this machine included: the domain is our own.
    Home,
    /// Anywhere: an administrator has written the place.
    Anywhere,
}

type Looked = (usize, Family, Result<Arc<[IpAddr]>, NoAnswer>);
type Tried = (usize, IpAddr, Result<TcpStream, Reason>);

/// One race.
pub(super) struct Race {
    values: Values,
    within: Within,
    runners: Vec<Runner>,
    looking: FuturesUnordered<BoxFuture<'static, Looked>>,
    trying: FuturesUnordered<BoxFuture<'static, Tried>>,
    /// What is being tried, by runner and address.
    under_way: Vec<(usize, IpAddr)>,
    /// Of which family the next one should be.
    turn: Family,
    attempts: usize,
    next_at: Instant,
    /// What went wrong since the last look.
    pub(super) failures: Vec<Failure>,
}

/// One target and what is known of its addresses.
struct Runner {
    target: Target,
    v6: Lane,
    v4: Lane,
}

/// The addresses of one family.
enum Lane {
    Asked,
    /// Those that were not tried, the last first.
    Known(Vec<IpAddr>),
    Nothing(NoAnswer),
}

impl Lane {
    fn pop(&mut self) -> Option<IpAddr> {
        match self {
            Lane::Known(addresses) => addresses.pop(),
            _ => None,
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self, Lane::Known(addresses) if !addresses.is_empty())
    }
}

impl Runner {
    fn lane(&mut self, family: Family) -> &mut Lane {
        match family {
            Family::V6 => &mut self.v6,
            Family::V4 => &mut self.v4,
        }
    }

    /// Whether its best address is known, or that it has none.
    fn is_settled(&self) -> bool {
        match self.v6 {
            Lane::Asked => false,
            Lane::Known(_) => true,
            Lane::Nothing(_) => !matches!(self.v4, Lane::Asked),
        }
    }

    /// Why it has no address at all, if that is so: rather than that there is none, that nobody could say.
    fn has_no_address(&self) -> Option<NoAnswer> {
        match (&self.v6, &self.v4) {
            (Lane::Nothing(NoAnswer::Nothing), Lane::Nothing(why)) | (Lane::Nothing(why), Lane::Nothing(_)) => {
                Some(why.clone())
            }
            _ => None,
        }
    }
}

impl Race {
    /// Begins to look up the addresses of these targets.
    pub(super) fn new(group: Group, within: Within, resolver: &Arc<Resolver>, values: &Values) -> Race {
        let looking = FuturesUnordered::new();
        let mut runners = Vec::new();
        for (at, target) in group.into_iter().enumerate() {
            let (mut v6, mut v4) = (Lane::Asked, Lane::Asked);
            match &target.host {
                Place::Host(host) => {
                    looking.push(look_up(resolver, host, at, Family::V6));
                    looking.push(look_up(resolver, host, at, Family::V4));
                }
                Place::Address(address) => {
                    let known = Lane::Known(vec![*address]);
                    let nothing = Lane::Nothing(NoAnswer::Nothing);
                    (v6, v4) = if address.is_ipv6() { (known, nothing) } else { (nothing, known) };
                }
            }
            runners.push(Runner { target, v6, v4 });
        }
        Race {
            values: values.clone(),
            within,
            runners,
            looking,
            trying: FuturesUnordered::new(),
            under_way: Vec::new(),
            turn: Family::V6,
            attempts: 0,
            next_at: Instant::now(),
            failures: Vec::new(),
        }
    }

    /// The next that connects; none once every address was tried. What else was being tried will be tried again.
    pub(super) async fn next(&mut self) -> Option<Dialed> {
        self.next_at = Instant::now();
        loop {
            let ready_at = self.ready_at();
            if ready_at.is_some_and(|at| at <= Instant::now()) {
                self.try_next();
                continue;
            }
            if ready_at.is_none() && self.looking.is_empty() && self.trying.is_empty() {
                return None;
            }
            tokio::select! {
                Some(looked) = self.looking.next() => self.note_looked(looked),
                Some(tried) = self.trying.next() => {
                    if let Some(dialed) = self.note_tried(tried) {
                        return Some(dialed);
                    }
                }
                () = sleep_until(ready_at) => {}
            }
        }
    }

    /// What has to be said of those that have not ended.
    pub(super) fn give_up(self) -> Vec<Failure> {
        let Race { runners, under_way, mut failures, .. } = self;
        let is_looked_for = |runner: &&Runner| {
            matches!(runner.v6, Lane::Asked) && !matches!(runner.v4, Lane::Known(_))
                || matches!(runner.v4, Lane::Asked) && !matches!(runner.v6, Lane::Known(_))
        };
        failures.extend(runners.iter().filter(is_looked_for).map(|runner| Failure {
            target: runner.target.clone(),
            address: None,
            reason: Reason::NoAddress(NoAnswer::Failed(dns::Failure::Silence)),
        }));
        let silent = under_way.iter().map(|(at, address)| Failure {
            target: runners[*at].target.clone(),
            address: Some(*address),
            reason: Reason::Silence,
        });
        failures.extend(silent);
        failures
    }

    /// When the next attempt may begin; none while there is nothing to try.
    fn ready_at(&self) -> Option<Instant> {
        let is_any_waiting = self.runners.iter().any(|runner| runner.v6.is_waiting() || runner.v4.is_waiting());
        (is_any_waiting && self.attempts < ATTEMPTS_MAX).then_some(self.next_at)
    }

    fn note_looked(&mut self, (at, family, found): Looked) {
        let is_first_known = self.attempts == 0 && self.ready_at().is_none();
        let runner = &mut self.runners[at];
        *runner.lane(family) = match found {
            Ok(addresses) => Lane::Known(addresses.iter().rev().copied().collect()),
            Err(why) => Lane::Nothing(why),
        };
        if let Some(why) = runner.has_no_address() {
            let target = runner.target.clone();
            self.failures.push(Failure { target, address: None, reason: Reason::NoAddress(why) });
        }
        if self.attempts > 0 {
            return;
        }
        let is_best_known = self.runners.iter().find(|runner| runner.has_no_address().is_none());
        if is_best_known.is_none_or(Runner::is_settled) {
            self.next_at = Instant::now();
        } else if is_first_known {
            self.next_at = Instant::now() + RESOLUTION_DELAY;
        }
    }

    fn note_tried(&mut self, (at, address, outcome): Tried) -> Option<Dialed> {
        self.under_way.retain(|attempt| *attempt != (at, address));
        let target = self.runners[at].target.clone();
        match outcome {
            Ok(socket) => {
                // The others have lost this time; should this one be of no use, it is their turn again.
                self.trying.clear();
                for (at, address) in std::mem::take(&mut self.under_way) {
                    self.attempts -= 1;
                    let family = if address.is_ipv6() { Family::V6 } else { Family::V4 };
                    if let Lane::Known(addresses) = self.runners[at].lane(family) {
                        addresses.push(address);
                    }
                }
                let address = SocketAddr::new(address, target.port);
                Some(Dialed { socket, target, address })
            }
            Err(reason) => {
                self.failures.push(Failure { target, address: Some(address), reason });
                self.next_at = Instant::now();
                None
            }
        }
    }

    fn judge(&self, address: IpAddr) -> Result<(), Special> {
        match self.within {
            Within::Anywhere => Ok(()),
            Within::Home => refuse_special(&self.values, address),
            Within::Internet => refuse_special(&self.values, address).and_then(|()| refuse_own(&self.values, address)),
        }
    }

    /// Begins with the best address that was not tried: the families take turns, within one the targets keep their order.
    fn try_next(&mut self) {
        let other = if self.turn == Family::V6 { Family::V4 } else { Family::V6 };
        let found = [self.turn, other].into_iter().find_map(|family| {
            let mut lanes = self.runners.iter_mut().enumerate();
            lanes.find_map(|(at, runner)| Some((at, family, runner.lane(family).pop()?)))
        });
        let Some((at, family, address)) = found else { return };
        let target = &self.runners[at].target;
        // Judged here and nowhere else, for the very address that is connected to.
        if let Err(special) = self.judge(address) {
            let target = target.clone();
            self.failures.push(Failure { target, address: Some(address), reason: Reason::Special(special) });
            return;
        }
        self.attempts += 1;
        self.turn = if family == Family::V6 { Family::V4 } else { Family::V6 };
        self.next_at = Instant::now() + ATTEMPT_DELAY;
        let (address_and_port, timeout) =
            (SocketAddr::new(address, target.port), self.values.duration(&CONNECT_TIMEOUT));
        self.under_way.push((at, address));
        self.trying.push(Box::pin(async move { (at, address, connect(address_and_port, timeout).await) }));
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn look_up(resolver: &Arc<Resolver>, host: &str, at: usize, family: Family) -> BoxFuture<'static, Looked> {
    let (resolver, host) = (resolver.clone(), host.to_owned());
    Box::pin(async move {
        let found = match family {
            Family::V6 => resolver.v6(&host).await,
            Family::V4 => resolver.v4(&host).await,
        };
        (at, family, found)
    })
}

async fn connect(address: SocketAddr, timeout: Duration) -> Result<TcpStream, Reason> {
    let connecting = async {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok::<_, io::Error>(stream)
    };
    match tokio::time::timeout(timeout, connecting).await {
        Ok(connected) => connected.map_err(|error| Reason::Refused(error.kind())),
        Err(_) => Err(Reason::Silence),
    }
}
