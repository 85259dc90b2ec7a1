//! The rules that administrators and offences have made, by domain; as they are stored, one JSON object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Most rules; bans make room for others, the one that ends first before the rest.
pub const RULES_MAX: usize = 10_000;
/// Of those, most bans.
const BANS_MAX: usize = 2_000;
/// Longest reason that is kept, in bytes.
const WHY_BYTES_MAX: usize = 200;

/// What is to be done about a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing stands in its way, not even offences.
    Allowed,
    /// Nothing is exchanged with it.
    Blocked,
    /// The same, because it has offended.
    Banned,
}

impl Verdict {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allowed => "allowed",
            Verdict::Blocked => "blocked",
            Verdict::Banned => "banned",
        }
    }

    fn read(text: &str) -> Option<Verdict> {
        [Verdict::Allowed, Verdict::Blocked, Verdict::Banned].into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// What was decided of a domain, and its sub-domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What is to be done.
    pub verdict: Verdict,
    /// Since when, Unix time in milliseconds.
    pub since_ms: u64,
    /// Until when; none for ever.
    pub until_ms: Option<u64>,
    /// Why, for administrators.
    pub why: Box<str>,
}

impl Rule {
    fn holds(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Rules(BTreeMap<Box<str>, Rule>);

impl Rules {
    pub(super) fn get(&self, domain: &str, now_ms: u64) -> Option<&Rule> {
        self.0.get(domain).filter(|rule| rule.holds(now_ms))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set(&mut self, domain: &str, mut rule: Rule, now_ms: u64) -> bool {
        if self.0.len() >= RULES_MAX && !self.0.contains_key(domain) {
            self.0.retain(|_, rule| rule.holds(now_ms));
            if self.0.len() >= RULES_MAX {
                return false;
            }
        }
        rule.why = shortened(&rule.why);
        self.0.insert(domain.into(), rule);
        true
    }

    /// Bans are many where many attack, and never keep an administrator from making rules.
    pub(super) fn ban(&mut self, domain: &str, rule: Rule, now_ms: u64) {
        self.0.retain(|_, rule| rule.holds(now_ms));
        let bans = || self.0.iter().filter(|(_, rule)| rule.verdict == Verdict::Banned);
        if bans().count() >= BANS_MAX || self.0.len() >= RULES_MAX {
            let first = bans().min_by_key(|(_, rule)| rule.until_ms).map(|(domain, _)| domain.clone());
            let Some(first) = first else { return };
            self.0.remove(&first);
        }
        self.0.insert(domain.into(), Rule { why: shortened(&rule.why), ..rule });
    }

    pub(super) fn remove(&mut self, domain: &str) -> Option<Rule> {
        self.0.remove(domain)
    }

    pub(super) fn all(&self, now_ms: u64) -> Vec<(Box<str>, Rule)> {
        let holding = self.0.iter().filter(|(_, rule)| rule.holds(now_ms));
        holding.map(|(domain, rule)| (domain.clone(), rule.clone())).collect()
    }

    pub(super) fn write(&self, now_ms: u64) -> Box<[u8]> {
        let mut object = Map::new();
        for (domain, rule) in self.all(now_ms) {
            let value = json!([rule.verdict.as_str(), rule.since_ms, rule.until_ms, rule.why]);
            object.insert(domain.into_string(), value);
        }
        Value::Object(object).to_string().into_bytes().into()
    }

    /// What cannot be read is no rule; our own writing can.
    pub(super) fn read(stored: &[u8], now_ms: u64) -> Rules {
        let object = serde_json::from_slice::<Map<String, Value>>(stored).unwrap_or_default();
        let rules = object.iter().filter_map(|(domain, value)| Some((domain.as_str().into(), read(value)?)));
        Rules(rules.filter(|(_, rule): &(Box<str>, Rule)| rule.holds(now_ms)).take(RULES_MAX).collect())
    }

    pub(super) fn memory_usage(&self) -> usize {
        let texts: usize = self.0.iter().map(|(domain, rule)| domain.len() + rule.why.len()).sum();
        texts + self.0.len() * size_of::<(Box<str>, Rule)>()
    }
}

fn read(value: &Value) -> Option<Rule> {
    Some(Rule {
        verdict: Verdict::read(value.get(0)?.as_str()?)?,
        since_ms: value.get(1)?.as_u64()?,
        until_ms: value.get(2)?.as_u64(),
        why: value.get(3)?.as_str()?.into(),
    })
}

fn shortened(why: &str) -> Box<str> {
    let mut end = why.len().min(WHY_BYTES_MAX);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    why[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verdict: Verdict, until_ms: Option<u64>) -> Rule {
        Rule { verdict, since_ms: 0, until_ms, why: "spam".into() }
    }

    #[test]
    fn what_is_stored_is_what_holds() {
        let mut rules = Rules::default();
        assert!(rules.set("a.example", rule(Verdict::Blocked, None), 0));
        assert!(rules.set("b.example", rule(Verdict::Allowed, Some(100)), 0));
        assert!(rules.set("c.example", rule(Verdict::Banned, Some(10)), 0));
        let read = Rules::read(&rules.write(50), 50);
        assert_eq!(read.all(50), rules.all(50));
        assert_eq!(read.all(50).len(), 2);
        assert!(Rules::read(b"nonsense", 0).all(0).is_empty());
        assert!(Rules::read(br#"{"a.example":["odd",0,null,""],"b.example":7}"#, 0).all(0).is_empty());
    }

    #[test]
    fn an_attack_leaves_room_for_rules() {
        let mut rules = Rules::default();
        for number in 0..BANS_MAX as u64 + 100 {
            rules.ban(&format!("bad{number}.example"), rule(Verdict::Banned, Some(1000 + number)), 0);
        }
        assert_eq!(rules.0.len(), BANS_MAX);
        assert!(rules.get("bad0.example", 0).is_none(), "the one that ended first has gone");
        for number in 0..RULES_MAX - BANS_MAX {
            assert!(rules.set(&format!("rule{number}.example"), rule(Verdict::Blocked, None), 0));
        }
        assert_eq!(rules.0.len(), RULES_MAX);
        assert!(!rules.set("one-more.example", rule(Verdict::Blocked, None), 0));
    }

    #[test]
    fn a_reason_is_kept_in_short() {
        let mut rules = Rules::default();
        let long = Rule { why: "\u{fc}".repeat(500).into(), ..rule(Verdict::Blocked, None) };
        assert!(rules.set("a.example", long, 0));
        assert_eq!(rules.get("a.example", 0).unwrap().why.len(), WHY_BYTES_MAX);
    }
}
