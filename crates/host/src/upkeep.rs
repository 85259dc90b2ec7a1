//! Nodes of publish-subscribe for which something happens without a request: when it is time, or when somebody goes offline. What is in
//! here is found again by going through all nodes, so it is bounded and forgets what has no place.

use std::collections::{BTreeSet, HashMap, HashSet};

use metronome_model::AccountId;
use metronome_proto::jid::Jid;

pub use crate::nodes::Named;
use crate::sync::Mutex;

/// Most nodes of which it is kept for what they wait.
const NODES_MAX: usize = 100_000;

/// Most people of one node whose going is waited for.
const PEOPLE_MAX: usize = 1000;

/// Most people whose going has not been looked at yet.
const LEFT_MAX: usize = 100_000;

/// What a node waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// When something is over or due: Unix time in milliseconds.
    pub at_ms: Option<u64>,
    /// Bare addresses; something happens when one of them is not available any more.
    pub people: Vec<Jid>,
}

/// The nodes that wait.
#[derive(Debug, Default)]
pub struct Upkeep {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<Named, Waits>,
    times: BTreeSet<(u64, Named)>,
    people: HashMap<Jid, HashSet<Named>>,
    left: Vec<Jid>,
}

impl Upkeep {
    /// Notes what a node waits for, in the place of what it has waited for so far.
    pub fn note(&self, owner: AccountId, name: &str, mut waits: Waits) {
        waits.people.truncate(PEOPLE_MAX);
        let mut state = self.state.lock();
        let named = (owner, Box::from(name));
        state.forget(&named);
        if waits != Waits::default() && state.nodes.len() < NODES_MAX {
            state.add(named, waits);
        }
    }

    /// Takes out the nodes that something is over or due for by now; they wait for it no longer.
    pub fn due(&self, now_ms: u64) -> Vec<Named> {
        let mut state = self.state.lock();
        let mut due = Vec::new();
        while let Some((at_ms, _)) = state.times.first()
            && *at_ms <= now_ms
            && let Some((_, named)) = state.times.pop_first()
        {
            if let Some(waits) = state.nodes.get_mut(&named) {
                waits.at_ms = None;
            }
            due.push(named);
        }
        due
    }

    /// Somebody has become unavailable: full for one resource, bare once none is left. Costs little where nobody waits for it.
    pub fn left(&self, who: &Jid) {
        let mut state = self.state.lock();
        if state.people.contains_key(who.bare_str()) && state.left.len() < LEFT_MAX {
            state.left.push(who.clone());
        }
    }

    /// Takes out who has become unavailable since the last time, each with the nodes that wait for that.
    pub fn take_left(&self) -> Vec<(Jid, Vec<Named>)> {
        let mut state = self.state.lock();
        let left = std::mem::take(&mut state.left);
        let nodes = |who: &Jid| state.people.get(who.bare_str()).into_iter().flatten().cloned().collect();
        left.iter().map(|who| (who.clone(), nodes(who))).collect()
    }
}

impl State {
    fn add(&mut self, named: Named, waits: Waits) {
        self.times.extend(waits.at_ms.map(|at_ms| (at_ms, named.clone())));
        for who in &waits.people {
            self.people.entry(who.clone()).or_default().insert(named.clone());
        }
        self.nodes.insert(named, waits);
    }

    fn forget(&mut self, named: &Named) {
        let Some(waits) = self.nodes.remove(named) else { return };
        if let Some(at_ms) = waits.at_ms {
            self.times.remove(&(at_ms, named.clone()));
        }
        for who in &waits.people {
            if let Some(nodes) = self.people.get_mut(who) {
                nodes.remove(named);
                if nodes.is_empty() {
                    self.people.remove(who);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(byte: u8) -> AccountId {
        AccountId::from_bytes([byte; 16])
    }

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn waits(at_ms: Option<u64>, people: &[&str]) -> Waits {
        Waits { at_ms, people: people.iter().map(|who| jid(who)).collect() }
    }

    #[test]
    fn what_is_due_is_given_once_and_in_order() {
        let upkeep = Upkeep::default();
        upkeep.note(owner(1), "late", waits(Some(30), &[]));
        upkeep.note(owner(1), "soon", waits(Some(10), &[]));
        upkeep.note(owner(2), "soon", waits(Some(20), &[]));
        assert_eq!(upkeep.due(9), []);
        assert_eq!(upkeep.due(20), [(owner(1), "soon".into()), (owner(2), "soon".into())]);
        assert_eq!(upkeep.due(20), []);
        upkeep.note(owner(1), "late", waits(Some(40), &[]));
        assert_eq!(upkeep.due(30), [], "it waits for something else now");
        upkeep.note(owner(1), "late", Waits::default());
        assert_eq!(upkeep.due(50), []);
        assert!(upkeep.state.lock().nodes.keys().all(|(_, name)| &**name == "soon"));
    }

    #[test]
    fn only_those_who_are_waited_for_are_looked_at_when_they_go() {
        let upkeep = Upkeep::default();
        upkeep.note(owner(1), "a", waits(None, &["romeo@x", "nurse@x"]));
        upkeep.note(owner(1), "b", waits(Some(5), &["romeo@x"]));
        for who in ["romeo@x/garden", "king@x/throne", "romeo@x"] {
            upkeep.left(&jid(who));
        }
        let left = upkeep.take_left();
        let who: Vec<_> = left.iter().map(|(who, nodes)| (who.as_str(), nodes.len())).collect();
        assert_eq!(who, [("romeo@x/garden", 2), ("romeo@x", 2)]);
        assert!(upkeep.take_left().is_empty());
        upkeep.note(owner(1), "a", Waits::default());
        upkeep.note(owner(1), "b", waits(None, &[]));
        upkeep.left(&jid("romeo@x"));
        assert!(upkeep.take_left().is_empty());
        let state = upkeep.state.lock();
        assert!(state.nodes.is_empty() && state.people.is_empty() && state.times.is_empty());
    }

    #[test]
    fn it_holds_only_so_much() {
        let upkeep = Upkeep::default();
        for number in 0..NODES_MAX + 10 {
            upkeep.note(owner(1), &number.to_string(), waits(Some(1), &[]));
        }
        assert_eq!(upkeep.due(1).len(), NODES_MAX);
        let many: Vec<_> = (0..PEOPLE_MAX + 10).map(|number| jid(&format!("p{number}@x"))).collect();
        upkeep.note(owner(1), "0", Waits { at_ms: None, people: many });
        assert_eq!(upkeep.state.lock().people.len(), PEOPLE_MAX);
    }
}
