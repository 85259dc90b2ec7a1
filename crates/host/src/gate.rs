//! Which remote domains this server speaks with: the lists of the configuration, the rules of administrators, and bans for a time of
//! those who offend. Asked by streams between servers before they prove anything and whenever [`Gate::changes`] says so, and before
//! something is sent to a domain; what administrators and offences made is stored as one value of the server.

mod addresses;
mod rules;

use std::net::IpAddr;
use std::time::Duration;

use metronome_model::{Op, Outcome, Record};
use metronome_store::{Reads, StoreError};
use tokio::sync::{Mutex as Fair, watch};

use crate::clock::Clock;
use crate::hosts::Host;
use crate::options::{Frequency, Kind, Setting, Values};
use crate::server::Server;
use crate::sync::Mutex;
use crate::throttle::Throttle;
use addresses::Addresses;
use rules::Rules;

pub use rules::{RULES_MAX, Rule, Verdict};

/// Whether a domain federates at all.
pub const ENABLED: Setting = Setting::new(
    "federation.enabled",
    Kind::Flag,
    "true",
    "Whether people of this domain can speak with people of other servers.",
)
.per_host();

/// Whom nobody speaks with.
pub const BLOCK: Setting = Setting::new(
    "federation.block",
    Kind::Domains,
    "[]",
    "Domains of other servers with which nothing is exchanged, their sub-domains included. `metronomectl s2s block` does the same for a \
     time, and without a reload.",
)
.per_host();

/// Whom one may always speak with.
pub const ALLOW: Setting = Setting::new(
    "federation.allow",
    Kind::Domains,
    "[]",
    "Domains of other servers, their sub-domains included, that are never banned for offences, and the only ones that \
     `federation.only_allowed` leaves. Of a domain and its sub-domain in different lists the sub-domain's counts.",
)
.per_host();

/// Whether others than those are strangers to stay outside.
pub const ONLY_ALLOWED: Setting = Setting::new(
    "federation.only_allowed",
    Kind::Flag,
    "false",
    "Whether this domain speaks with nobody but the domains that are allowed.",
)
.per_host();

/// How many offences make a ban.
pub const BAN_AFTER: Setting = Setting::new(
    "federation.ban.after",
    Kind::Frequency,
    "\"50/d\"",
    "How many offences of one remote domain ban it: streams that break the rules, people it has no right to speak for, floods.",
);

/// How long it lasts.
pub const BAN_TIME: Setting = Setting::new(
    "federation.ban.time",
    Kind::Duration,
    "\"2 d\"",
    "For how long a domain is banned. Meanwhile the addresses from which it comes are turned away as well, unless other domains come \
     from there too.",
)
.within(60_000, 365 * 86_400_000);

/// How many requests of strangers reach people here.
pub const STRANGERS: Setting = Setting::new(
    "federation.limits.requests_from_strangers",
    Kind::Frequency,
    "\"5/h\"",
    "How many people here one remote account may ask to see their presence without knowing them. All accounts of one remote domain \
     together may do so twenty times as often. What is more is dropped.",
);

/// How many new domains an account reaches.
pub const NEW_DOMAINS: Setting = Setting::new(
    "federation.limits.new_domains",
    Kind::Frequency,
    "\"200/h\"",
    "To how many other servers with which nothing is being exchanged one account here may write. So nobody makes this server knock at \
     doors all over the world.",
)
.per_host();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[ENABLED, BLOCK, ALLOW, ONLY_ALLOWED, BAN_AFTER, BAN_TIME, STRANGERS, NEW_DOMAINS];

/// By how much a whole domain may do more of what one account may do so often.
const DOMAIN_FACTOR: u32 = 20;

/// The value of the store.
const META: &str = "federation-rules";

/// Why nothing is exchanged with a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The local domain does not federate.
    Disabled,
    /// The local domain speaks with others only.
    NotAllowed,
    /// The configuration or an administrator says so.
    Blocked,
    /// It has offended too often.
    Banned,
}

impl Closed {
    /// For the log and for administrators; a remote hears no more than that it is not allowed.
    pub fn as_str(self) -> &'static str {
        match self {
            Closed::Disabled => "the domain does not federate",
            Closed::NotAllowed => "the domain federates with allowed domains only",
            Closed::Blocked => "the remote domain is blocked",
            Closed::Banned => "the remote domain is banned for a time",
        }
    }
}

/// What becomes of a stranger's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// It is heard.
    Heard,
    /// Its account has asked too often.
    TooManyOfAccount,
    /// The accounts of its domain have, all together.
    TooManyOfDomain,
}

/// The lists, and what offends them.
#[derive(Debug, Default)]
pub struct Gate {
    rules: Mutex<Rules>,
    /// Grows with every change of the rules.
    changes: watch::Sender<u64>,
    /// The change that was stored last.
    saved: Fair<u64>,
    offences: Throttle<Box<str>>,
    requests_of_accounts: Throttle<Box<str>>,
    requests_of_domains: Throttle<Box<str>>,
    domains_met: Throttle<Box<str>>,
    addresses: Mutex<Addresses>,
}

impl Gate {
    /// Whether a domain of ours may exchange something with this prepared remote domain; `now_ms` is Unix time.
    pub fn judge(&self, host: &Host, remote: &str, now_ms: u64) -> Result<(), Closed> {
        if !host.values.flag(&ENABLED) {
            return Err(Closed::Disabled);
        }
        match self.verdict(&host.values, remote, now_ms) {
            Some(Verdict::Allowed) => Ok(()),
            Some(Verdict::Blocked) => Err(Closed::Blocked),
            Some(Verdict::Banned) => Err(Closed::Banned),
            None if host.values.flag(&ONLY_ALLOWED) => Err(Closed::NotAllowed),
            None => Ok(()),
        }
    }

    /// What counts of a domain: the rule or list that names it, or else the nearest domain above it. A rule precedes a list, and an
    /// allowance a block.
    fn verdict(&self, values: &Values, remote: &str, now_ms: u64) -> Option<Verdict> {
        // Asked for each stanza that goes out: the lists are looked up once, and mostly there is nothing in them.
        let (allowed, blocked) = (values.list(&ALLOW), values.list(&BLOCK));
        let rules = self.rules.lock();
        if rules.is_empty() && allowed.is_empty() && blocked.is_empty() {
            return None;
        }
        let listed = |list: &[String], domain: &str| list.iter().any(|listed| listed == domain);
        above(remote).find_map(|domain| match rules.get(domain, now_ms) {
            Some(rule) => Some(rule.verdict),
            None if listed(allowed, domain) => Some(Verdict::Allowed),
            None if listed(blocked, domain) => Some(Verdict::Blocked),
            None => None,
        })
    }

    /// Notes an offence of a remote domain; true if it is banned with it. Who is allowed is never banned.
    pub fn offend(&self, clock: &Clock, host: &Host, remote: &str, why: &str) -> bool {
        let now_ms = clock.unix_ms();
        if self.verdict(&host.values, remote, now_ms).is_some() {
            return false;
        }
        let after = host.values.frequency(&BAN_AFTER);
        // The last of them is the one that bans.
        let before = Frequency { times: after.times.saturating_sub(1), ..after };
        if self.offences.take(remote.into(), before, clock.steady_ms()) {
            tracing::debug!(host = host.name.as_str(), remote, why, "a remote domain offends");
            return false;
        }
        let until_ms = now_ms.saturating_add(host.values.duration(&BAN_TIME).as_millis() as u64);
        let rule = Rule { verdict: Verdict::Banned, since_ms: now_ms, until_ms: Some(until_ms), why: why.into() };
        self.rules.lock().ban(remote, rule, now_ms);
        self.touch();
        tracing::warn!(host = host.name.as_str(), remote, why, "a remote domain is banned");
        true
    }

    /// Sets the rule of a domain; false if there are too many.
    #[must_use = "what is not set must be said"]
    pub fn set(&self, domain: &str, rule: Rule) -> bool {
        let now_ms = rule.since_ms;
        let is_set = self.rules.lock().set(domain, rule, now_ms);
        if is_set {
            self.addresses.lock().forgive(domain);
            self.touch();
        }
        is_set
    }

    /// Removes the rule of a domain, and gives it; its offences stay counted.
    pub fn remove(&self, domain: &str) -> Option<Rule> {
        let removed = self.rules.lock().remove(domain);
        if removed.is_some() {
            self.addresses.lock().forgive(domain);
            self.touch();
        }
        removed
    }

    /// The rules that hold, by domain.
    pub fn rules(&self, now_ms: u64) -> Vec<(Box<str>, Rule)> {
        self.rules.lock().all(now_ms)
    }

    /// Whether a remote account may ask somebody here for something without being known, which counts; `now_ms` is steady time.
    /// Where not, what it asks for is dropped. Its domain answers only for what its accounts do together: one of them must not get all
    /// others shut out.
    pub fn may_request(&self, values: &Values, bare: &str, domain: &str, now_ms: u64) -> Requests {
        let of_account = values.frequency(&STRANGERS);
        let of_domain = Frequency { times: of_account.times.saturating_mul(DOMAIN_FACTOR), ..of_account };
        if !self.requests_of_accounts.take(bare.into(), of_account, now_ms) {
            return Requests::TooManyOfAccount;
        }
        match self.requests_of_domains.take(domain.into(), of_domain, now_ms) {
            true => Requests::Heard,
            false => Requests::TooManyOfDomain,
        }
    }

    /// Whether an account of ours may write to one more domain with which nothing is being exchanged, which counts; `now_ms` is steady
    /// time.
    pub fn may_meet(&self, values: &Values, bare: &str, now_ms: u64) -> bool {
        self.domains_met.take(bare.into(), values.frequency(&NEW_DOMAINS), now_ms)
    }

    /// A closed domain has come from this address: it is turned away from now on, for as long as the domain's rule lasts, an hour at most
    /// where that has no end; nothing if others have come from there. `now_ms` is Unix time.
    pub fn turn_away(&self, address: IpAddr, remote: &str, now_ms: u64) {
        const UNTIL_ASKED_AGAIN: Duration = Duration::from_secs(3600);
        // What one host wants of whom says nothing about the others: only a rule for all of them closes an address.
        let rule = {
            let rules = self.rules.lock();
            above(remote).find_map(|domain| rules.get(domain, now_ms).cloned())
        };
        let Some(rule) = rule.filter(|rule| rule.verdict != Verdict::Allowed) else { return };
        let until_ms = rule.until_ms;
        let until_ms = until_ms.unwrap_or(now_ms + UNTIL_ASKED_AGAIN.as_millis() as u64);
        self.addresses.lock().turn_away(address, remote, until_ms, now_ms);
    }

    /// A domain that is not closed has proved itself from this address; `now_ms` is Unix time.
    pub fn welcome(&self, address: IpAddr, remote: &str, now_ms: u64) {
        self.addresses.lock().welcome(address, remote, now_ms);
    }

    /// Whether connections of other servers from this address are closed at once.
    pub fn is_turned_away(&self, address: IpAddr, now_ms: u64) -> bool {
        self.addresses.lock().is_turned_away(address, now_ms)
    }

    /// Tells of every change: streams judge themselves again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Makes every stream judge itself again, because something changed: a rule, or the configuration.
    pub fn touch(&self) {
        self.changes.send_modify(|change| *change += 1);
    }

    /// Reads what was stored; at the start, before anybody asks.
    pub async fn load(&self, store: &dyn Reads, now_ms: u64) -> Result<(), StoreError> {
        if let Some(stored) = store.meta(META).await? {
            *self.rules.lock() = Rules::read(&stored, now_ms);
        }
        Ok(())
    }

    /// Stores what has changed since the last time; nothing if nothing has.
    pub async fn save(&self, server: &Server) -> Outcome {
        let mut saved = self.saved.lock().await;
        let change = *self.changes.borrow();
        if *saved == change {
            return Outcome::Done { ids: Default::default() };
        }
        let value = self.rules.lock().write(server.clock.unix_ms());
        let outcome = server.commit(Record::of(Op::SetMeta { key: META, value })).await;
        if matches!(outcome, Outcome::Done { .. }) {
            *saved = change;
        }
        outcome
    }

    /// Bytes held.
    pub fn memory_usage(&self) -> usize {
        let throttles = [&self.offences, &self.requests_of_accounts, &self.requests_of_domains, &self.domains_met];
        let counted: usize = throttles.iter().map(|throttle| throttle.memory_usage()).sum();
        counted + self.rules.lock().memory_usage() + self.addresses.lock().memory_usage()
    }
}

/// A domain and those above it, the nearest first.
fn above(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, above)| above))
}

#[cfg(test)]
mod tests;
