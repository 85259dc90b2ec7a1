//! How fast somebody may write in a room: as its service lets everybody, or less where its owner says so in a field that stands here. What is
//! too fast is refused, and who does not stop is removed. A value that the task of a room keeps; bounded in number.

use std::collections::HashMap;
use std::time::Duration;

use metronome_host::options::Frequency;
use metronome_muc::config::{Config, Field, Shape, Shown};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};

/// So many accounts are remembered of one room; beyond it those whose span is over are forgotten, and if that does not help all of them.
const KEPT_MAX: usize = 4096;

/// What an owner says of it.
pub const PER_MINUTE: Field = Field {
    var: "x-muc#roomconfig_messages_per_minute",
    label: "Messages that one person may send in a minute",
    shape: Shape::Number(1_000_000),
    default: &[""],
    shown: Shown::Nowhere,
    refuse: None,
};

/// What is too fast.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// So many messages in a span that begins with the first.
    pub messages: Frequency,
    /// With one more refused message than this within the span somebody is removed; 0 for never.
    pub refused_max: u64,
}

impl Rule {
    /// The same in a room, whose owner may want less of it, and gets no more.
    #[must_use]
    pub fn in_room(self, config: &Config) -> Rule {
        let Some(times) = u32::try_from(config.number(&PER_MINUTE)).ok().filter(|times| *times > 0) else { return self };
        let own = Frequency { times, per: Duration::from_secs(60) };
        let in_same_time = |one: Frequency, other: Frequency| u128::from(one.times) * other.per.as_millis();
        let is_less = in_same_time(own, self.messages) < in_same_time(self.messages, own);
        if is_less { Rule { messages: own, ..self } } else { self }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paced {
    /// It is not too fast.
    Fine,
    /// It is; the sender hears so.
    Refused,
    /// It is once more: its sender is removed.
    Expelled,
}

/// Who has written how much lately, by bare address: other nicknames and sessions are the same person.
#[derive(Debug, Default)]
pub struct Pace {
    spans: HashMap<Jid, Span>,
}

#[derive(Debug)]
struct Span {
    since_ms: u64,
    messages: u32,
    refused: u64,
}

impl Pace {
    /// Counts a message of somebody whom the rule is for. `now_ms` is steady time.
    pub fn note(&mut self, who: &Jid, rule: &Rule, now_ms: u64) -> Paced {
        let span_ms = u64::try_from(rule.messages.per.as_millis()).unwrap_or(u64::MAX);
        let is_over = |span: &Span| now_ms.saturating_sub(span.since_ms) >= span_ms;
        let who = who.bare();
        if self.spans.len() >= KEPT_MAX && !self.spans.contains_key(&who) {
            self.spans.retain(|_, span| !is_over(span));
            if self.spans.len() >= KEPT_MAX {
                self.spans.clear();
            }
        }
        let begun = || Span { since_ms: now_ms, messages: 0, refused: 0 };
        let span = self.spans.entry(who).or_insert_with(begun);
        if is_over(span) {
            *span = begun();
        }
        if span.messages < rule.messages.times {
            span.messages += 1;
            return Paced::Fine;
        }
        span.refused += 1;
        if rule.refused_max > 0 && span.refused > rule.refused_max { Paced::Expelled } else { Paced::Refused }
    }

    /// What the sender of a refused message hears.
    pub fn error(rule: &Rule) -> StanzaError {
        let text = format!("Too fast: at most {} messages", rule.messages);
        StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait).with_text(text)
    }

    /// About how many bytes it takes in memory.
    pub fn memory_usage(&self) -> usize {
        self.spans.capacity() * size_of::<(Jid, Span)>()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RULE: Rule = Rule { messages: Frequency { times: 2, per: Duration::from_secs(60) }, refused_max: 2 };

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn a_burst_is_refused_and_then_its_sender_has_to_go() {
        let mut pace = Pace::default();
        let mut note = |who: &str, now_ms| pace.note(&jid(who), &RULE, now_ms);
        let all: Vec<_> = (0..5).map(|at| note(["a@b/phone", "a@b/desk"][at % 2], 1000)).collect();
        assert_eq!(all, [Paced::Fine, Paced::Fine, Paced::Refused, Paced::Refused, Paced::Expelled]);
        assert_eq!(note("c@b", 1000), Paced::Fine, "others do not notice");
        assert_eq!(note("a@b", 60_999), Paced::Expelled);
        assert_eq!(note("a@b", 61_000), Paced::Fine, "the next span");
    }

    #[test]
    fn an_owner_may_want_less_than_the_service_and_gets_no_more() {
        let in_room = |count: &str| RULE.in_room(&Config::default().with(&PER_MINUTE, count)).messages.times;
        assert_eq!(["", "1", "2", "3", "1000000"].map(in_room), [2, 1, 2, 2, 2]);
        let per_hour = Rule { messages: Frequency { times: 60, per: Duration::from_secs(3600) }, refused_max: 1 };
        let slower = per_hour.in_room(&Config::default().with(&PER_MINUTE, "2"));
        assert_eq!(slower.messages, per_hour.messages, "two in a minute are more than sixty in an hour");
    }

    #[test]
    fn nobody_has_to_go_where_that_is_switched_off() {
        let mut pace = Pace::default();
        let rule = Rule { refused_max: 0, ..RULE };
        let all: Vec<_> = (0..100).map(|_| pace.note(&jid("a@b"), &rule, 0)).collect();
        assert!(all[2..].iter().all(|paced| *paced == Paced::Refused));
    }

    #[test]
    fn its_memory_is_bounded_whoever_comes() {
        let mut pace = Pace::default();
        for number in 0..3 * KEPT_MAX {
            assert_eq!(pace.note(&jid(&format!("u{number}@b")), &RULE, 0), Paced::Fine);
        }
        assert!(pace.spans.len() <= KEPT_MAX);
    }
}
