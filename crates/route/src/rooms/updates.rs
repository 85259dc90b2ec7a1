//! Changes of presence in a room cost as many stanzas as there are occupants. Somebody who changes all the time is shown every now and then,
//! as what it is then; nothing is refused, because clients take an error for having been removed.

use std::collections::HashMap;
use std::time::Duration;

use metronome_features::muc::input::Wish;
use metronome_features::muc::settings;
use metronome_host::options::Frequency;
use metronome_muc::{Entry, Input};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Join;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Stanza, StanzaError};

use super::task::Task;

/// So many sessions are remembered beside those that are there, so that whoever enters again has not begun anew.
const GONE_MAX: usize = 256;

/// Whose presence has changed lately, by session.
#[derive(Debug, Default)]
pub(super) struct Updates {
    spans: HashMap<Jid, Span>,
    /// How many of them put something off.
    waiting: usize,
}

#[derive(Debug)]
struct Span {
    /// When it is over; steady time in milliseconds.
    end_ms: u64,
    /// What was shown at once in it.
    shown: u32,
    /// What comes when it is over.
    newest: Option<Box<Stanza>>,
}

impl Updates {
    /// For how long nothing has to be shown; none if nothing waits.
    pub(super) fn wait(&self, now_ms: u64) -> Option<Duration> {
        if self.waiting == 0 {
            return None;
        }
        let waiting = self.spans.values().filter(|span| span.newest.is_some());
        waiting.map(|span| Duration::from_millis(span.end_ms.saturating_sub(now_ms))).min()
    }

    /// Counts a change; false if it is one too many in its span.
    fn count(&mut self, who: &Jid, limit: Frequency, now_ms: u64) -> bool {
        let length_ms = u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX);
        let begun = || Span { end_ms: now_ms.saturating_add(length_ms), shown: 0, newest: None };
        let span = self.spans.entry(who.clone()).or_insert_with(begun);
        // What is put off is shown at the end, and counts for what follows.
        if now_ms >= span.end_ms && span.newest.is_none() {
            *span = begun();
        }
        let is_early = span.shown < limit.times && span.newest.is_none();
        span.shown += u32::from(is_early);
        is_early
    }

    /// Keeps the newest of those that are too many.
    fn put_off(&mut self, who: &Jid, stanza: &Stanza) {
        if let Some(span) = self.spans.get_mut(who)
            && span.newest.replace(Box::new(stanza.clone())).is_none()
        {
            self.waiting += 1;
        }
    }

    /// What was put off is not news any more.
    pub(super) fn forget(&mut self, who: &Jid) {
        if self.spans.get_mut(who).is_some_and(|span| span.newest.take().is_some()) {
            self.waiting -= 1;
        }
    }

    /// What is to be shown now.
    fn due(&mut self, now_ms: u64) -> Vec<Stanza> {
        let mut due = Vec::new();
        if self.waiting > 0 {
            for span in self.spans.values_mut().filter(|span| span.end_ms <= now_ms) {
                due.extend(span.newest.take().map(|stanza| *stanza));
            }
            self.waiting -= due.len();
        }
        due
    }

    /// Forgets spans that are over, and of those who are gone all if they are too many.
    fn tidy(&mut self, is_there: impl Fn(&Jid) -> bool, sessions: usize, now_ms: u64) {
        if self.spans.len() < sessions + GONE_MAX {
            return;
        }
        self.spans.retain(|_, span| span.newest.is_some() || span.end_ms > now_ms);
        if self.spans.len() >= sessions + GONE_MAX {
            self.spans.retain(|who, span| span.newest.is_some() || is_there(who));
        }
    }
}

impl Task {
    /// Whether a change of presence waits. What an occupant that enters anew or leaves has put off is forgotten.
    pub(super) fn puts_off(&mut self, stanza: &Stanza, wish: &Wish) -> Result<bool, StanzaError> {
        let nick = match wish {
            Wish::Update(nick) => nick,
            Wish::Enter(..) | Wish::Leave => {
                self.updates.forget(&stanza.from);
                return Ok(false);
            }
            _ => return Ok(false),
        };
        let Some(room) = &self.room else { return Ok(false) };
        let Some(occupant) = room.occupant_of(&stanza.from) else { return Ok(false) };
        let now_ms = self.server.clock.steady_ms();
        self.updates.tidy(|who| room.occupant_of(who).is_some(), room.sessions().len(), now_ms);
        if self.updates.count(&stanza.from, settings::updates(&self.host.values), now_ms) {
            return Ok(false);
        }
        if *occupant.nick != **nick {
            let error = StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait);
            return Err(error.with_text("Too many changes at once"));
        }
        // What is too large is refused as it always is.
        let is_fit = stanza.content.len_bytes() <= self.limits.presence_bytes_max;
        if is_fit {
            self.updates.put_off(&stanza.from, stanza);
        }
        Ok(is_fit)
    }

    /// Shows what has waited long enough, of those who still have the name that it was for.
    pub(super) async fn show_put_off(&mut self) {
        let now_ms = self.server.clock.steady_ms();
        for stanza in self.updates.due(now_ms) {
            let nick = stanza.to.as_ref().and_then(|to| to.resource()).unwrap_or_default();
            self.updates.count(&stanza.from, settings::updates(&self.host.values), now_ms);
            let Some(room) = &self.room else { return };
            if room.occupant_of(&stanza.from).is_some_and(|occupant| *occupant.nick == *nick) {
                let (join, id) = (Join::default(), stanza.id.as_deref());
                let entry = Entry { nick, presence: &stanza.content, id, join: &join, past: &[] };
                self.happen(&stanza.from, &Input::Update(entry)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use metronome_proto::stanza::{Kind, PresenceType};

    use super::*;

    const LIMIT: Frequency = Frequency { times: 2, per: Duration::from_secs(60) };

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn presence(id: &str) -> Stanza {
        Stanza { id: Some(id.into()), ..Stanza::new(Kind::Presence(PresenceType::Available), jid("a@b/c")) }
    }

    fn ids(due: Vec<Stanza>) -> Vec<String> {
        due.into_iter().filter_map(|stanza| stanza.id).map(|id| id.to_string()).collect()
    }

    #[test]
    fn of_many_changes_the_first_are_shown_at_once_and_the_last_when_the_span_is_over() {
        let (mut updates, who) = (Updates::default(), jid("a@b/c"));
        let change = |updates: &mut Updates, id: &str, now_ms| {
            let is_now = updates.count(&who, LIMIT, now_ms);
            if !is_now {
                updates.put_off(&who, &presence(id));
            }
            is_now
        };
        assert_eq!(["1", "2", "3", "4"].map(|id| change(&mut updates, id, 0)), [true, true, false, false]);
        assert_eq!(updates.wait(1000), Some(Duration::from_secs(59)));
        assert!(updates.due(59_999).is_empty());
        assert!(!change(&mut updates, "5", 60_000), "nothing overtakes what waits");
        assert_eq!(ids(updates.due(60_000)), ["5"]);
        assert_eq!((updates.wait(60_000), updates.waiting), (None, 0));
        assert!(change(&mut updates, "6", 60_001), "the next span");
    }

    #[test]
    fn what_is_forgotten_does_not_come() {
        let (mut updates, who) = (Updates::default(), jid("a@b/c"));
        assert_eq!([0; 3].map(|now_ms| updates.count(&who, LIMIT, now_ms)), [true, true, false]);
        updates.put_off(&who, &presence("1"));
        updates.forget(&who);
        updates.forget(&who);
        assert_eq!((updates.due(u64::MAX).len(), updates.waiting), (0, 0));
        assert!(!updates.count(&who, LIMIT, 1), "who enters again has not begun anew");
    }

    #[test]
    fn its_memory_is_bounded_whoever_comes_and_goes() {
        let mut updates = Updates::default();
        for number in 0..10 * GONE_MAX {
            updates.tidy(|_| false, 0, 0);
            updates.count(&jid(&format!("u{number}@b/c")), LIMIT, 0);
        }
        assert!(updates.spans.len() <= GONE_MAX + 1);
    }
}
