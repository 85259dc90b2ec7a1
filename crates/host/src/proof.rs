//! Proof of receipt for streams without stream management: the answer to a server ping proves everything written before it.
//! Lives in a session's state; what is proved is cleared from the archive's unseen rows, lazily and in batches.

/// Most separate ranges of archive ids that one session keeps unproved; beyond that neighbours are not tracked one by one.
pub const RANGES_MAX: usize = 256;

/// Archive ids as sorted, disjoint, inclusive ranges.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds one id; ids mostly come in growing order, which is the cheap case.
    pub fn add(&mut self, id: u64) {
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == id => *last = id,
            Some((_, last)) if *last >= id => self.insert(id),
            _ => self.0.push((id, id)),
        }
    }

    fn insert(&mut self, id: u64) {
        let at = self.0.partition_point(|&(_, last)| last < id);
        if self.0.get(at).is_some_and(|&(first, _)| first <= id) {
            return;
        }
        self.0.insert(at, (id, id));
    }

    /// Whether `id` is in one of the ranges.
    pub fn contains(&self, id: u64) -> bool {
        let at = self.0.partition_point(|&(_, last)| last < id);
        self.0.get(at).is_some_and(|&(first, _)| first <= id)
    }

    /// Moves everything out.
    pub fn take(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.0)
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What one session has been given and has not yet proved to have. Small while that is nothing, as it is most of the time.
#[derive(Debug, Default)]
pub struct Proof {
    wanted: Option<Box<Wanted>>,
    pings: u64,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Written or queued since the last ping.
    open: Ranges,
    /// Covered by the ping that is on its way.
    asked: Ranges,
    /// The ping on its way: its number and the steady time at which it was queued.
    ping: Option<(u64, u64)>,
}

impl Proof {
    /// Notes that a stored message was queued for this session.
    pub fn given(&mut self, id: u64) {
        self.wanted.get_or_insert_default().open.add(id);
    }

    /// Whether this session was given the message and has not proved it yet.
    pub fn holds(&self, id: u64) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.open.contains(id) || wanted.asked.contains(id))
    }

    /// Whether so much is unproved that no more is handed out before an answer comes.
    pub fn is_full(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.open.len() >= RANGES_MAX)
    }

    /// Whether something waits for proof and no ping is on its way.
    pub fn wants_ping(&self) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.ping.is_none() && !wanted.open.is_empty())
    }

    /// The number of the next ping.
    pub fn next_ping(&self) -> u64 {
        self.pings + 1
    }

    /// Starts the next ping, which covers everything given so far; answers its number.
    pub fn ask(&mut self, now_ms: u64) -> u64 {
        self.pings += 1;
        let wanted = self.wanted.get_or_insert_default();
        wanted.ping = Some((self.pings, now_ms));
        wanted.asked = std::mem::take(&mut wanted.open);
        self.pings
    }

    /// The steady time of the unanswered ping.
    pub fn asked_since_ms(&self) -> Option<u64> {
        self.wanted.as_ref()?.ping.map(|(_, since_ms)| since_ms)
    }

    /// The answer to ping `number`: what it proves, none if no such ping is on its way.
    pub fn answered(&mut self, number: u64) -> Option<Vec<(u64, u64)>> {
        let wanted = self.wanted.as_mut()?;
        if wanted.ping.is_none_or(|(expected, _)| expected != number) {
            return None;
        }
        wanted.ping = None;
        let proved = wanted.asked.take();
        if wanted.open.is_empty() {
            self.wanted = None;
        }
        Some(proved)
    }

    /// A graceful close proves everything.
    pub fn closed(&mut self) -> Vec<(u64, u64)> {
        let Some(mut wanted) = self.wanted.take() else { return Vec::new() };
        let mut all = wanted.asked.take();
        all.append(&mut wanted.open.take());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_proves_what_was_given_before_its_ping_only() {
        let mut proof = Proof::default();
        for id in [3, 4, 5, 9] {
            proof.given(id);
        }
        let ping = proof.ask(0);
        proof.given(10);
        assert!(proof.holds(4) && proof.holds(10));
        assert_eq!(proof.answered(ping + 1), None);
        assert_eq!(proof.answered(ping), Some(vec![(3, 5), (9, 9)]));
        assert_eq!(proof.answered(ping), None);
        assert!(proof.holds(10) && !proof.holds(4));
        assert!(proof.wants_ping());
    }

    #[test]
    fn a_graceful_close_proves_everything_given() {
        let mut proof = Proof::default();
        proof.given(1);
        proof.ask(0);
        proof.given(2);
        assert_eq!(proof.closed(), [(1, 1), (2, 2)]);
    }

    #[test]
    fn ids_out_of_order_stay_sorted_and_unique() {
        let mut ranges = Ranges::default();
        for id in [5, 6, 2, 5, 2] {
            ranges.add(id);
        }
        assert_eq!(ranges.clone().take(), [(2, 2), (5, 6)]);
        assert!(ranges.contains(2) && ranges.contains(6) && !ranges.contains(3));
    }
}
