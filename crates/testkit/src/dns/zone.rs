//! What the name server knows, how it behaves, and what it was asked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::message::{A, AAAA, CNAME, Question, SRV};

/// How a name server treats questions about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It says what is in the zone.
    Honest,
    /// The same, after a while.
    Late(Duration),
    /// It says nothing at all.
    Silent,
    /// It says that something is broken (SERVFAIL), as resolvers do about forged zones too.
    Broken,
    /// It says that it does not want to (REFUSED).
    Refusing,
    /// It answers something that is no message.
    Garbage,
    /// It answers with something wrong, under another id than the question's: somebody is guessing.
    OtherId,
    /// It answers with something wrong, about another name than the one in the question.
    OtherName,
}

/// What a record says.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Address(IpAddr),
    Alias(String),
    Service(u16, u16, u16, String),
}

impl Data {
    pub(super) fn kind(&self) -> u16 {
        match self {
            Data::Address(IpAddr::V4(_)) => A,
            Data::Address(IpAddr::V6(_)) => AAAA,
            Data::Alias(_) => CNAME,
            Data::Service(..) => SRV,
        }
    }
}

/// What is answered.
pub(super) struct Reply {
    /// RFC 1035 section 4.1.1: 0 all is well, 2 broken, 3 there is no such name, 5 refused.
    pub(super) code: u16,
    pub(super) records: Vec<(String, Data)>,
    pub(super) ttl_s: u32,
}

pub(super) struct Zone {
    records: Vec<(String, Data)>,
    manners: HashMap<String, Manner>,
    asked: HashMap<(String, u16), usize>,
    pub(super) ttl_s: u32,
}

impl Default for Zone {
    fn default() -> Zone {
        Zone { records: Vec::new(), manners: HashMap::new(), asked: HashMap::new(), ttl_s: 300 }
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl Zone {
    pub(super) fn service(&mut self, name: &str, (priority, weight, port, target): (u16, u16, u16, &str)) {
        self.records.push((key(name), Data::Service(priority, weight, port, key(target))));
    }

    pub(super) fn address(&mut self, name: &str, address: IpAddr) {
        self.records.push((key(name), Data::Address(address)));
    }

    pub(super) fn alias(&mut self, name: &str, target: &str) {
        self.records.push((key(name), Data::Alias(key(target))));
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.records.retain(|(owner, _)| *owner != key(name));
    }

    pub(super) fn manner(&mut self, name: &str, manner: Manner) {
        self.manners.insert(key(name), manner);
    }

    /// Counts a question, and says how it is treated.
    pub(super) fn count(&mut self, question: &Question) -> Manner {
        *self.asked.entry((question.name(), question.kind)).or_default() += 1;
        self.manners.get(&question.name()).copied().unwrap_or(Manner::Honest)
    }

    pub(super) fn asked(&self, name: &str, kind: &str) -> usize {
        let kind = match kind {
            "A" => A,
            "AAAA" => AAAA,
            "CNAME" => CNAME,
            "SRV" => SRV,
            _ => panic!("{kind} is never asked for"),
        };
        self.asked.get(&(key(name), kind)).copied().unwrap_or(0)
    }

    pub(super) fn asked_in_all(&self) -> usize {
        self.asked.values().sum()
    }

    /// What is known: aliases with what they lead to, a loop of them once.
    pub(super) fn reply(&self, question: &Question) -> Reply {
        let mut records: Vec<(String, Data)> = Vec::new();
        let mut name = question.name();
        loop {
            let of_name = || self.records.iter().filter(|(owner, _)| *owner == name);
            let found = of_name().filter(|(_, data)| data.kind() == question.kind).cloned();
            let before = records.len();
            records.extend(found);
            let alias = of_name().find(|(_, data)| matches!(data, Data::Alias(_))).cloned();
            let Some((owner, Data::Alias(target))) = alias.filter(|_| records.len() == before) else { break };
            if records.iter().any(|(known, _)| *known == owner) {
                break;
            }
            records.push((owner, Data::Alias(target.clone())));
            name = target;
        }
        let exists = !records.is_empty() || self.has(&name);
        Reply { code: if exists { 0 } else { 3 }, records, ttl_s: self.ttl_s }
    }

    /// Whether there is something at the name or below.
    fn has(&self, name: &str) -> bool {
        let below = format!(".{name}");
        self.records.iter().any(|(owner, _)| owner == name || owner.ends_with(&below))
    }
}
