//! The way to a remote domain: its targets in order, the addresses of each priority raced against one another so that a broken
//! network costs a quarter of a second and not a minute (XEP-0495, RFC 8305). Called by outgoing streams and by checks; what did
//! not work is noted by target, for the log and for administrators.

mod race;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use metronome_host::options::{Kind, Setting, Values};
use metronome_host::rng::Rng;
use metronome_host::routes::route;
use metronome_proto::stanza::error::Condition;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::reach::Special;
use super::resolve::{Group, NoTarget, Target, targets};
use crate::dns::{NoAnswer, Resolver};
use race::{Race, Within};

/// How long one address is tried.
pub const CONNECT_TIMEOUT: Setting = Setting::new(
    "federation.connect_timeout",
    Kind::Duration,
    "\"10 s\"",
    "For how long a connection to one address of another server is tried. Meanwhile its other addresses are tried as well.",
)
.within(100, 120_000);

/// All targets of a domain together are tried for so many times as long as one address ...
const PATIENCE: u32 = 6;
/// ... and for as long as names may take to be looked up.
const LOOKING: Duration = Duration::from_secs(15);
/// Most failures that are noted of one domain; further ones are like them.
const FAILURES_MAX: usize = 32;

/// A connection to one of a domain's servers, in which nothing has been said.
#[derive(Debug)]
pub struct Dialed {
    /// The connection.
    pub socket: TcpStream,
    /// Where it leads, and whether it begins with TLS.
    pub target: Target,
    /// The address that answered.
    pub address: SocketAddr,
}

/// Something that was tried and did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub target: Target,
    /// The address, where it came so far.
    pub address: Option<IpAddr>,
    /// Why not.
    pub reason: Reason,
}

/// Why one target or address could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its host has no address that could be found.
    NoAddress(NoAnswer),
    /// The address is none of the public internet, or this machine's, and no option names it.
    Special(Special),
    /// The operating system says so.
    Refused(io::ErrorKind),
    /// It did not answer in time.
    Silence,
    /// It answered, and what came then did not work: TLS, or the stream.
    Stream(Box<str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoAddress(why) => why.fmt(f),
            Reason::Special(Special(kind)) => {
                write!(f, "the address is {kind}, and federation.allow_addresses does not name it")
            }
            Reason::Refused(kind) => write!(f, "{kind}"),
            Reason::Silence => f.write_str("no answer in time"),
            Reason::Stream(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} ({address}): {}", self.target, self.reason),
            None => write!(f, "{}: {}", self.target, self.reason),
        }
    }
}

/// Why no server of a domain could be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// It has none.
    NoTarget(NoTarget),
    /// None of these worked; the first failures, in the order in which they came. Without any, time was over before the first.
    Failed(Vec<Failure>),
}

impl Unreachable {
    /// What those are told who wanted to say something to the domain (RFC 6120 section 8.3.3). Nothing of the reasons, which are
    /// for administrators.
    pub fn condition(&self) -> Condition {
        let is_known =
            |failure: &Failure| !matches!(failure.reason, Reason::NoAddress(NoAnswer::Nothing) | Reason::Special(_));
        match self {
            Unreachable::Failed(failures) if failures.is_empty() || failures.iter().any(is_known) => {
                Condition::RemoteServerTimeout
            }
            _ => Condition::RemoteServerNotFound,
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreachable::NoTarget(why) => why.fmt(f),
            Unreachable::Failed(failures) if failures.is_empty() => f.write_str("no answer in time"),
            Unreachable::Failed(failures) => {
                for (at, failure) in failures.iter().enumerate() {
                    write!(f, "{}{failure}", if at == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

/// Connects to one of a domain's servers. Where what follows may fail too, [`Dialling`] goes on with the next.
pub async fn dial(resolver: &Arc<Resolver>, rng: &Rng, values: &Values, domain: &str) -> Result<Dialed, Unreachable> {
    Dialling::new(resolver.clone(), values.clone(), domain).next(rng).await
}

/// The attempts at one domain, which go on where the last one stopped.
pub struct Dialling {
    resolver: Arc<Resolver>,
    values: Values,
    domain: Box<str>,
    deadline: Option<Instant>,
    /// Those that are still to come, the last first; none before the domain's records were asked for.
    groups: Option<Vec<Group>>,
    within: Within,
    race: Option<Race>,
    failures: Vec<Failure>,
}

impl Dialling {
    /// Attempts at a prepared domain; nothing happens yet.
    pub fn new(resolver: Arc<Resolver>, values: Values, domain: &str) -> Dialling {
        Dialling::within(Within::Internet, resolver, values, domain)
    }

    /// The same at a domain of ours, to see whether others would get here.
    pub fn home(resolver: Arc<Resolver>, values: Values, domain: &str) -> Dialling {
        Dialling::within(Within::Home, resolver, values, domain)
    }

    fn within(within: Within, resolver: Arc<Resolver>, values: Values, domain: &str) -> Dialling {
        let domain = domain.into();
        Dialling { resolver, values, domain, deadline: None, groups: None, within, race: None, failures: Vec::new() }
    }

    /// The next connection, to an address that was not given before; fails when there is none left, or time is over.
    ///
    /// Giving up waiting loses what was being tried.
    pub async fn next(&mut self, rng: &Rng) -> Result<Dialed, Unreachable> {
        let patience = self.values.duration(&CONNECT_TIMEOUT) * PATIENCE + LOOKING;
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + patience);
        match tokio::time::timeout_at(deadline, self.go_on(rng)).await {
            Ok(dialed) => dialed,
            Err(_) => {
                self.groups = Some(Vec::new());
                let left = self.race.take().map(Race::give_up).unwrap_or_default();
                left.into_iter().for_each(|failure| self.note(failure));
                Err(Unreachable::Failed(self.failures.clone()))
            }
        }
    }

    /// Notes that a connection could not be used after all, with what went wrong in a few words.
    pub fn failed(&mut self, target: Target, address: SocketAddr, why: &str) {
        self.note(Failure { target, address: Some(address.ip()), reason: Reason::Stream(why.into()) });
    }

    /// Everything that did not work so far.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    fn note(&mut self, failure: Failure) {
        if self.failures.len() < FAILURES_MAX && !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    async fn go_on(&mut self, rng: &Rng) -> Result<Dialed, Unreachable> {
        if self.groups.is_none() {
            self.groups = Some(match route(&self.values, &self.domain) {
                Some(route) => {
                    self.within = Within::Anywhere;
                    vec![vec![route.into()]]
                }
                None => {
                    let found = targets(&self.resolver, rng, &self.domain).await;
                    let mut groups = found.map_err(Unreachable::NoTarget)?;
                    groups.reverse();
                    groups
                }
            });
        }
        loop {
            if self.race.is_none() {
                let Some(group) = self.groups.as_mut().and_then(Vec::pop) else {
                    return Err(Unreachable::Failed(self.failures.clone()));
                };
                self.race = Some(Race::new(group, self.within, &self.resolver, &self.values));
            }
            let Some(race) = &mut self.race else { continue };
            let won = race.next().await;
            let failed: Vec<Failure> = race.failures.drain(..).collect();
            failed.into_iter().for_each(|failure| self.note(failure));
            match won {
                Some(dialed) => return Ok(dialed),
                // Only when nobody of one priority is there it is the next one's turn.
                None => self.race = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resolve::Place;
    use super::*;
    use crate::dns;
    use crate::listen::Entry;

    fn failure(reason: Reason) -> Failure {
        let target = Target { host: Place::Host("a.example".into()), port: 5269, entry: Entry::StartTls };
        Failure { target, address: Some("192.0.2.1".parse().unwrap()), reason }
    }

    #[test]
    fn senders_hear_whether_there_is_such_a_server() {
        let special = failure(Reason::Special(Special("loopback")));
        let nothing = failure(Reason::NoAddress(NoAnswer::Nothing));
        let silent = failure(Reason::NoAddress(NoAnswer::Failed(dns::Failure::Silence)));
        for (unreachable, condition) in [
            (Unreachable::NoTarget(NoTarget::NoService), Condition::RemoteServerNotFound),
            (Unreachable::Failed(vec![nothing.clone()]), Condition::RemoteServerNotFound),
            // That an address was refused would tell about our network.
            (Unreachable::Failed(vec![special, nothing.clone()]), Condition::RemoteServerNotFound),
            (Unreachable::Failed(vec![silent]), Condition::RemoteServerTimeout),
            (Unreachable::Failed(vec![nothing, failure(Reason::Silence)]), Condition::RemoteServerTimeout),
        ] {
            assert_eq!(unreachable.condition(), condition, "{unreachable}");
        }
    }

    #[test]
    fn administrators_hear_what_was_tried() {
        let refused = failure(Reason::Refused(io::ErrorKind::ConnectionRefused));
        let special = failure(Reason::Special(Special("private")));
        let told = Unreachable::Failed(vec![refused, special]).to_string();
        let expected = "a.example:5269 (192.0.2.1): connection refused; a.example:5269 (192.0.2.1): the address is private, and \
                        federation.allow_addresses does not name it";
        assert_eq!(told, expected);
    }
}
