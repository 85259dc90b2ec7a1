//! What the server counts since its start: plain numbers, read by `metronomectl status` and by the metrics of the web server.

use std::sync::atomic::{AtomicU64, Ordering};

use metronome_proto::stanza::Name;

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stanzas by kind.
#[derive(Debug, Default)]
pub struct Stanzas([Counter; 3]);

impl Stanzas {
    /// The kinds, in the order in which they are told.
    pub const KINDS: [Name; 3] = [Name::Message, Name::Presence, Name::Iq];

    /// Adds one of this kind.
    pub fn add(&self, kind: Name) {
        self.of(kind).add();
    }

    /// How many of this kind there were.
    pub fn get(&self, kind: Name) -> u64 {
        self.of(kind).get()
    }

    /// How many of all kinds there were.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }

    fn of(&self, kind: Name) -> &Counter {
        match kind {
            Name::Message => &self.0[0],
            Name::Presence => &self.0[1],
            Name::Iq => &self.0[2],
        }
    }
}

/// Answers of the web server by the first digit of their status.
#[derive(Debug, Default)]
pub struct WebAnswers([Counter; 5]);

impl WebAnswers {
    /// What each is called, in order.
    pub const CLASSES: [&'static str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    /// Adds one with this status; a status that is none counts as the failure that it is.
    pub fn add(&self, status: u16) {
        let class = usize::from(status / 100).checked_sub(1).and_then(|class| self.0.get(class));
        class.unwrap_or(&self.0[4]).add();
    }

    /// How many of each class there were, in the order of [`WebAnswers::CLASSES`].
    pub fn get(&self) -> [u64; 5] {
        self.0.each_ref().map(Counter::get)
    }
}

/// Everything that is counted since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Stanzas read from clients.
    pub from_clients: Stanzas,
    /// Stanzas read from other servers.
    pub from_servers: Stanzas,
    /// Stanzas read from components.
    pub from_components: Stanzas,
    /// Stanzas handed to sessions, each copy for itself; of requests also the answers of the server.
    pub delivered: Stanzas,
    /// Stanzas queued for other servers.
    pub to_servers: Stanzas,
    /// Stanzas queued for components.
    pub to_components: Stanzas,
    /// Stanzas refused with an error to their sender.
    pub bounced: Counter,
    /// Errors, presence and chat states that found a full outbox or no audience.
    pub dropped: Counter,
    /// Logins that succeeded.
    pub logins: Counter,
    /// Failed attempts to log in.
    pub login_failures: Counter,
    /// Panics that were caught: each closed one stream or ended one delivery, and each is a defect.
    pub panics: Counter,
    /// Requests that the web server has answered.
    pub web_answers: WebAnswers,
}

impl Counters {
    /// Stanzas read from anybody.
    pub fn stanzas_in(&self) -> u64 {
        self.from_clients.sum() + self.from_servers.sum() + self.from_components.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_are_counted_by_kind() {
        let stanzas = Stanzas::default();
        for kind in [Name::Iq, Name::Message, Name::Iq] {
            stanzas.add(kind);
        }
        assert_eq!(Stanzas::KINDS.map(|kind| stanzas.get(kind)), [1, 0, 2]);
        assert_eq!(stanzas.sum(), 3);
    }

    #[test]
    fn an_answer_is_counted_by_the_first_digit_of_its_status() {
        let answers = WebAnswers::default();
        for status in [101, 200, 204, 404, 599, 0, 700] {
            answers.add(status);
        }
        assert_eq!(answers.get(), [1, 2, 0, 1, 3]);
    }
}
