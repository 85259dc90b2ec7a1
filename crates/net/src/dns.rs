//! Names: questions to the domain name system and their answers, kept for as long as they may be. Called by whatever connects to
//! other servers, and by `metronomectl check`. Names are absolute: the machine's search domains and its hosts file play no part.

mod cache;
mod servers;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use metronome_host::options::{Kind, Setting, Values};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use cache::Cache;
use servers::Servers;

/// Whom to ask.
pub const SERVER: Setting = Setting::new(
    "dns.server",
    Kind::Addresses,
    "[]",
    "Name servers to ask, such as `\"127.0.0.1:53\"`. Without any those of /etc/resolv.conf are asked, which is read again when it \
     changes.",
)
.at_restart();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[SERVER];

/// Most SRV records of one name that are looked at; of more, those that come first by priority.
const SERVICES_MAX: usize = 16;
/// Most addresses of one family of one name that are looked at.
const ADDRESSES_MAX: usize = 8;
/// Longest name without the dot at its end (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
/// Questions that may be on their way at the same time; others wait.
const ASKING_MAX: usize = 1024;
/// Nobody waits longer for an answer, its turn included. A try takes 3 seconds, and there are two.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer is kept at least so long, whatever it says itself, so that nobody makes us ask for each stanza ...
const KEPT_MIN: Duration = Duration::from_secs(10);
/// ... and at most so long, so that a server that moves is found.
const KEPT_MAX: Duration = Duration::from_secs(3600);
/// That there is nothing is believed for at most so long.
const NOTHING_KEPT_MAX: Duration = Duration::from_secs(300);
/// Where nobody has answered, nobody is asked again for so long.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Service {
    /// Lower ones come first.
    pub priority: u16,
    /// Of the same priority, how often this one comes first.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host in lower case, without a dot at its end; none where the domain says that it has no such service (`.`).
    pub target: Option<Box<str>>,
}

/// Why a question has no records for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is no such name, or nothing of this type.
    Nothing,
    /// Nobody could say, and why in a few words.
    Failed(Failure),
}

/// What is wrong with a question or with those who should answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No domain can have this name.
    Name,
    /// Nobody answered in time.
    Silence,
    /// The name servers say that they cannot find out, as they do about zones whose signatures are wrong.
    Broken,
    /// The name servers refuse to answer us.
    Refused,
    /// What came was no answer, or no name server could be asked.
    Other,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoAnswer::Nothing => "there is no such name",
            NoAnswer::Failed(Failure::Name) => "this cannot be the name of a domain",
            NoAnswer::Failed(Failure::Silence) => "the name servers do not answer",
            NoAnswer::Failed(Failure::Broken) => "the name servers cannot find out (SERVFAIL)",
            NoAnswer::Failed(Failure::Refused) => "the name servers refuse to answer",
            NoAnswer::Failed(Failure::Other) => "the name servers give no answer that can be used",
        })
    }
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wanted {
    Services,
    V4,
    V6,
}

/// What was found.
#[derive(Debug, Clone)]
enum Records {
    Services(Arc<[Service]>),
    Addresses(Arc<[IpAddr]>),
}

type Answer = Result<Records, NoAnswer>;

/// Asks, and remembers.
pub struct Resolver {
    servers: Mutex<Servers>,
    cache: Mutex<Cache>,
    asking: Semaphore,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("memory_usage", &self.memory_usage()).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Asks the servers of the configuration, or those of the machine. Inside of the runtime.
    pub fn new(values: &Values) -> Resolver {
        let servers = Servers::new(values.addresses(&SERVER));
        Resolver { servers: Mutex::new(servers), cache: Mutex::default(), asking: Semaphore::new(ASKING_MAX) }
    }

    /// The SRV records of a name such as `_xmpp-server._tcp.example.org`, in no order; 16 at most.
    pub async fn services(&self, name: &str) -> Result<Arc<[Service]>, NoAnswer> {
        match self.look_up(name, Wanted::Services).await? {
            Records::Services(services) => Ok(services),
            Records::Addresses(_) => Err(NoAnswer::Nothing),
        }
    }

    /// The IPv4 addresses of a host; 8 at most.
    pub async fn v4(&self, name: &str) -> Result<Arc<[IpAddr]>, NoAnswer> {
        self.addresses(name, Wanted::V4).await
    }

    /// The IPv6 addresses of a host; 8 at most.
    pub async fn v6(&self, name: &str) -> Result<Arc<[IpAddr]>, NoAnswer> {
        self.addresses(name, Wanted::V6).await
    }

    async fn addresses(&self, name: &str, wanted: Wanted) -> Result<Arc<[IpAddr]>, NoAnswer> {
        match self.look_up(name, wanted).await? {
            Records::Addresses(addresses) => Ok(addresses),
            Records::Services(_) => Err(NoAnswer::Nothing),
        }
    }

    /// Forgets every answer, for administrators who have just changed something.
    pub fn forget_all(&self) {
        *self.cache.lock() = Cache::default();
    }

    /// Bytes that are kept.
    pub fn memory_usage(&self) -> usize {
        self.cache.lock().memory_usage()
    }

    async fn look_up(&self, name: &str, wanted: Wanted) -> Answer {
        let name = absolute(name).ok_or(NoAnswer::Failed(Failure::Name))?;
        let key = (name.to_ascii().into_boxed_str(), wanted);
        if let Some(answer) = self.cache.lock().get(&key, Instant::now()) {
            return answer;
        }
        let asked = tokio::time::timeout(PATIENCE, async {
            let _turn = self.asking.acquire().await;
            let asker = self.servers.lock().asker();
            ask(&asker, name, wanted).await
        });
        let (answer, kept) = asked.await.unwrap_or((Err(NoAnswer::Failed(Failure::Silence)), FAILURE_KEPT));
        self.cache.lock().keep(key, answer.clone(), Instant::now() + kept);
        answer
    }
}

/// The name as the domain name system knows it (RFC 5890): in ASCII, and absolute, so that nothing is ever appended to it.
fn absolute(name: &str) -> Option<Name> {
    let ascii = if name.is_ascii() { name.to_ascii_lowercase() } else { idna::domain_to_ascii(name).ok()? };
    let plain = ascii.strip_suffix('.').unwrap_or(&ascii);
    let is_label = |label: &str| (1..=63).contains(&label.len());
    if plain.len() > NAME_BYTES_MAX || !plain.split('.').all(is_label) {
        return None;
    }
    let mut name = Name::from_ascii(plain).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The answer, and for how long it may be kept.
async fn ask(asker: &TokioResolver, name: Name, wanted: Wanted) -> (Answer, Duration) {
    let kind = match wanted {
        Wanted::Services => RecordType::SRV,
        Wanted::V4 => RecordType::A,
        Wanted::V6 => RecordType::AAAA,
    };
    match asker.lookup(name, kind).await {
        Ok(found) => {
            let kept = found.valid_until().saturating_duration_since(Instant::now());
            let records = found.answers().iter().map(|record| &record.data);
            match read(records, wanted) {
                Some(records) => (Ok(records), kept.clamp(KEPT_MIN, KEPT_MAX)),
                None => (Err(NoAnswer::Nothing), kept.clamp(KEPT_MIN, NOTHING_KEPT_MAX)),
            }
        }
        Err(error) => refusal(&error),
    }
}

/// What was asked for; none if nothing of it is there. Aliases come along and lead to what stands beside them.
fn read<'a>(records: impl Iterator<Item = &'a RData>, wanted: Wanted) -> Option<Records> {
    if wanted == Wanted::Services {
        let mut services: Vec<Service> = records.filter_map(service).collect();
        // Who has more than we look at means the first of them to be the important ones.
        services.sort_by_key(|service| service.priority);
        services.truncate(SERVICES_MAX);
        return (!services.is_empty()).then(|| Records::Services(services.into()));
    }
    let addresses = records.filter_map(|data| match (data, wanted) {
        (RData::A(address), Wanted::V4) => Some(IpAddr::V4(address.0)),
        (RData::AAAA(address), Wanted::V6) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    let addresses: Arc<[IpAddr]> = addresses.take(ADDRESSES_MAX).collect();
    (!addresses.is_empty()).then_some(Records::Addresses(addresses))
}

fn service(data: &RData) -> Option<Service> {
    let RData::SRV(record) = data else { return None };
    let target = record.target.to_ascii().to_ascii_lowercase();
    let target = Some(target.trim_end_matches('.')).filter(|target| !target.is_empty()).map(Box::from);
    Some(Service { priority: record.priority, weight: record.weight, port: record.port, target })
}

/// What an error means, and for how long it is taken for granted.
fn refusal(error: &NetError) -> (Answer, Duration) {
    let failure = match error {
        NetError::Dns(DnsError::NoRecordsFound(nothing)) => match nothing.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => {
                let kept = nothing.negative_ttl.map_or(KEPT_MIN, |seconds| Duration::from_secs(seconds.into()));
                return (Err(NoAnswer::Nothing), kept.clamp(KEPT_MIN, NOTHING_KEPT_MAX));
            }
            code => of_code(code),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => of_code(*code),
        NetError::Timeout => Failure::Silence,
        _ => Failure::Other,
    };
    tracing::debug!(%error, "a name server gave no answer");
    (Err(NoAnswer::Failed(failure)), FAILURE_KEPT)
}

fn of_code(code: ResponseCode) -> Failure {
    match code {
        ResponseCode::ServFail => Failure::Broken,
        ResponseCode::Refused => Failure::Refused,
        _ => Failure::Other,
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};

    use super::*;

    #[test]
    fn names_are_asked_for_in_ascii_and_absolute() {
        let asked = |name: &str| absolute(name).map(|name| name.to_ascii());
        assert_eq!(asked("Example.ORG").as_deref(), Some("example.org."));
        assert_eq!(asked("example.org.").as_deref(), Some("example.org."));
        assert_eq!(asked("m\u{fc}ller.example").as_deref(), Some("xn--mller-kva.example."));
        assert_eq!(asked("_xmpp-server._tcp.example.org").as_deref(), Some("_xmpp-server._tcp.example.org."));
        for wrong in ["", ".", "a..b", &"a".repeat(64), &"abcdefg.".repeat(40)] {
            assert_eq!(asked(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn of_too_many_records_the_first_are_read() {
        let name = Name::from_ascii("a.example.").unwrap();
        let records: Vec<RData> = (0..500).rev().map(|at| RData::SRV(SRV::new(at, 0, 5269, name.clone()))).collect();
        let Some(Records::Services(services)) = read(records.iter(), Wanted::Services) else { panic!("services") };
        assert_eq!(services.len(), SERVICES_MAX);
        assert!(services.iter().all(|service| usize::from(service.priority) < SERVICES_MAX));
        let records: Vec<RData> = (0..=255).map(|at| RData::A(A::new(192, 0, 2, at))).collect();
        let Some(Records::Addresses(addresses)) = read(records.iter(), Wanted::V4) else { panic!("addresses") };
        assert_eq!(addresses.len(), ADDRESSES_MAX);
    }

    #[test]
    fn what_was_not_asked_for_is_not_read() {
        let records = [RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
        assert!(read(records.iter(), Wanted::V4).is_none());
        assert!(read(records.iter(), Wanted::Services).is_none());
        assert!(read(records.iter(), Wanted::V6).is_some());
    }

    #[test]
    fn a_dot_is_no_target() {
        let record = RData::SRV(SRV::new(0, 0, 0, Name::root()));
        assert_eq!(service(&record).unwrap().target, None);
        let record = RData::SRV(SRV::new(0, 0, 5269, Name::from_ascii("Host.Example.").unwrap()));
        assert_eq!(service(&record).unwrap().target.as_deref(), Some("host.example"));
    }
}
