//! What one member of a group hears of the others in a round, and what it must and must not hear. Called by `presence`.
//! Pure: it is given stanzas and says what is wrong with them. `docs/bench.md` says the rules.

use std::fmt;

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;

use crate::frames::{attribute, between};

/// The id of the request that follows a member's last words in a round.
pub(crate) const LAST_REQUEST: &str = "left";

/// One member's view of the present round. Members are told apart by their places in the group, from 0.
#[derive(Debug)]
pub(crate) struct Watcher {
    place: usize,
    round: u64,
    /// How often each member has come online in this round.
    came: Vec<u8>,
    /// How often each member has left in this round.
    left: Vec<u8>,
    /// Whether the request behind its own leaving was answered.
    is_out: bool,
    uncounted: Uncounted,
}

/// What a member waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Everybody else comes online.
    Arrivals,
    /// The first half leaves. Due to the second half only.
    Departures,
    /// The server has handled the member's own leaving.
    WayOut,
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Due::Arrivals => "the arrival",
            Due::Departures => "the departure",
            Due::WayOut => "the answer to its last request",
        })
    }
}

/// Presence that no server owes, or not for certain. Servers differ in it, so it counts for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Uncounted {
    /// A member's own presence, shown to itself.
    own: u64,
    /// Seen twice: as a broadcast, and as the answer to a probe that crossed it.
    again: u64,
    /// Leaving of those who leave at the same moment, and what is said of those who have not come yet.
    departures: u64,
}

impl Uncounted {
    /// The sum of what all members heard.
    pub(crate) fn sum(all: impl IntoIterator<Item = Uncounted>) -> Uncounted {
        all.into_iter().fold(Uncounted::default(), |sum, one| Uncounted {
            own: sum.own + one.own,
            again: sum.again + one.again,
            departures: sum.departures + one.departures,
        })
    }
}

/// Whether the member at `place` leaves with the first half of a group of `size`.
pub(crate) fn leaves_first(place: usize, size: usize) -> bool {
    place < size / 2
}

impl Watcher {
    /// The view of the member at `place` of `size`, before its first round.
    pub(crate) fn new(place: usize, size: usize) -> Watcher {
        Watcher {
            place,
            round: 0,
            came: vec![0; size],
            left: vec![0; size],
            is_out: false,
            uncounted: Uncounted::default(),
        }
    }

    /// Round `round` begins: nobody has come or left.
    pub(crate) fn begin(&mut self, round: u64) {
        self.round = round;
        self.came.fill(0);
        self.left.fill(0);
        self.is_out = false;
    }

    /// Whether all that is `due` has been heard.
    pub(crate) fn has_heard(&self, due: Due) -> bool {
        self.missing(due).next().is_none() && (due != Due::WayOut || self.is_out)
    }

    /// How many deliveries it is to have heard `due`.
    pub(crate) fn deliveries(&self, due: Due) -> u64 {
        self.owing(due).count() as u64
    }

    /// The places of those of whom something is due and not heard.
    pub(crate) fn missing(&self, due: Due) -> impl Iterator<Item = usize> {
        let heard = if due == Due::Arrivals { &self.came } else { &self.left };
        self.owing(due).filter(|place| heard[*place] == 0)
    }

    /// How many members the group has, this one included.
    pub(crate) fn size(&self) -> usize {
        self.came.len()
    }

    /// What it heard that does not count, in all rounds.
    pub(crate) fn uncounted(&self) -> Uncounted {
        self.uncounted
    }

    /// Takes note of a stanza; `place_of` tells which member an address belongs to. Fails if it should not have come.
    pub(crate) fn note(&mut self, stanza: &[u8], place_of: impl FnOnce(&str) -> Option<usize>) -> Result<()> {
        if stanza.starts_with(b"<iq") {
            self.is_out |= attribute(stanza, "id") == Some(LAST_REQUEST);
        }
        if !stanza.starts_with(b"<presence") {
            return Ok(());
        }
        let now = self.round;
        let text = || format!("in round {now}: {}", String::from_utf8_lossy(stanza));
        let place = attribute(stanza, "from")
            .and_then(place_of)
            .with_context(|| format!("presence of somebody who is no contact, {}", text()))?;
        let round = between(stanza, "<status>", b'<').and_then(|round| round.parse().ok());
        match attribute(stanza, "type") {
            _ if place == self.place => {
                self.uncounted.own += 1;
                Ok(())
            }
            None => self.note_arrival(place, round),
            Some("unavailable") => self.note_departure(place, round),
            Some(_) => Err(anyhow!("presence of a kind that nobody sent")),
        }
        .with_context(text)
    }

    fn note_arrival(&mut self, place: usize, round: Option<u64>) -> Result<()> {
        let is_of_round = round == Some(self.round);
        if is_of_round {
            self.came[place] = self.came[place].saturating_add(1);
        }
        if !is_of_round || self.came[place] == 2 {
            self.uncounted.again += 1;
        }
        ensure!(self.came[place] <= 2, "an arrival came three times");
        Ok(())
    }

    fn note_departure(&mut self, place: usize, round: Option<u64>) -> Result<()> {
        let size = self.size();
        // Without a round it is the server's own answer about somebody who is not there.
        if leaves_first(place, size) == leaves_first(self.place, size) || round.is_none() {
            self.uncounted.departures += 1;
            return Ok(());
        }
        ensure!(leaves_first(place, size), "a departure came to one who had left before");
        self.left[place] = self.left[place].saturating_add(1);
        ensure!(self.left[place] == 1 && round == Some(self.round), "a departure came twice");
        Ok(())
    }

    /// The places of those of whom it is to hear something.
    fn owing(&self, due: Due) -> impl Iterator<Item = usize> {
        let (own, size) = (self.place, self.size());
        (0..size).filter(move |place| match due {
            Due::Arrivals => *place != own,
            Due::Departures => leaves_first(*place, size) && !leaves_first(own, size),
            Due::WayOut => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 4;

    /// Notes a presence of the member at `place`, made in `round`.
    fn note(watcher: &mut Watcher, place: usize, kind: &str, round: u64) -> Result<()> {
        let stanza = format!("<presence from='{place}'{kind}><status>{round}</status></presence>");
        watcher.note(stanza.as_bytes(), |from| from.parse().ok())
    }

    fn in_round_7(place: usize) -> Watcher {
        let mut watcher = Watcher::new(place, SIZE);
        watcher.begin(7);
        watcher
    }

    const HERE: &str = "";
    const GONE: &str = " type='unavailable'";

    #[test]
    fn everybody_else_is_to_come_once() {
        let mut watcher = in_round_7(1);
        assert_eq!(watcher.deliveries(Due::Arrivals), 3);
        for place in [0, 1, 2] {
            note(&mut watcher, place, HERE, 7).unwrap();
            assert!(!watcher.has_heard(Due::Arrivals));
        }
        assert_eq!(watcher.missing(Due::Arrivals).collect::<Vec<_>>(), [3]);
        note(&mut watcher, 3, HERE, 7).unwrap();
        assert!(watcher.has_heard(Due::Arrivals));
        assert_eq!(watcher.uncounted(), Uncounted { own: 1, ..Uncounted::default() });
    }

    #[test]
    fn an_arrival_may_cross_a_probe_but_not_come_three_times() {
        let mut watcher = in_round_7(1);
        note(&mut watcher, 2, HERE, 7).unwrap();
        note(&mut watcher, 2, HERE, 7).unwrap();
        assert_eq!(watcher.uncounted().again, 1);
        assert!(note(&mut watcher, 2, HERE, 7).is_err());
    }

    #[test]
    fn an_arrival_of_an_earlier_round_is_none() {
        let mut watcher = in_round_7(1);
        note(&mut watcher, 2, HERE, 6).unwrap();
        assert_eq!(watcher.missing(Due::Arrivals).count(), 3);
    }

    #[test]
    fn the_second_half_hears_each_of_the_first_half_leave_once() {
        let mut watcher = in_round_7(3);
        assert_eq!(watcher.deliveries(Due::Departures), 2);
        note(&mut watcher, 0, GONE, 7).unwrap();
        assert_eq!(watcher.missing(Due::Departures).collect::<Vec<_>>(), [1]);
        // The other of the same half, and one who has not come yet.
        note(&mut watcher, 2, GONE, 7).unwrap();
        watcher.note(b"<presence from='1' type='unavailable'/>", |_| Some(1)).unwrap();
        assert_eq!(watcher.uncounted().departures, 2);
        note(&mut watcher, 1, GONE, 7).unwrap();
        assert!(watcher.has_heard(Due::Departures));
        assert!(note(&mut watcher, 1, GONE, 7).is_err(), "twice");
        watcher.begin(8);
        assert!(note(&mut watcher, 1, GONE, 7).is_err(), "again in the next round");
    }

    #[test]
    fn the_first_half_hears_nothing_of_the_second_leave() {
        let mut watcher = in_round_7(0);
        assert!(watcher.has_heard(Due::Departures), "nothing is due");
        note(&mut watcher, 1, GONE, 7).unwrap();
        assert!(note(&mut watcher, 2, GONE, 7).is_err());
        watcher.begin(8);
        assert!(note(&mut watcher, 2, GONE, 7).is_err(), "late");
    }

    #[test]
    fn strangers_and_requests_are_faults() {
        let mut watcher = in_round_7(0);
        assert!(watcher.note(b"<presence from='x'/>", |_| None).is_err());
        assert!(watcher.note(b"<presence/>", |_| None).is_err());
        assert!(note(&mut watcher, 1, " type='subscribe'", 7).is_err());
        assert!(note(&mut watcher, 1, " type='error'", 7).is_err());
    }

    #[test]
    fn a_member_is_out_when_its_last_request_is_answered() {
        let mut watcher = in_round_7(2);
        watcher.note(b"<iq type='result' id='other'/>", |_| None).unwrap();
        assert!(!watcher.has_heard(Due::WayOut));
        watcher.note(b"<iq type='error' id='left'/>", |_| None).unwrap();
        assert!(watcher.has_heard(Due::WayOut));
        watcher.begin(8);
        assert!(!watcher.has_heard(Due::WayOut));
    }
}
