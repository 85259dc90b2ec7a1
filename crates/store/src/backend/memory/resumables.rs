//! Streams that may be resumed, in memory: for tests, and for servers that keep nothing.

use std::collections::{BTreeMap, BTreeSet};

use metronome_model::{Handled, Noted, Resumable, StreamNumber};

use super::{MemoryBackend, MemoryStore};
use crate::resumables::{ResumableWrites, Resumables};
use crate::{Reading, StoreError};

/// Streams, and what is handled of each, by their numbers.
#[derive(Clone, Default)]
pub(super) struct Table {
    streams: BTreeMap<StreamNumber, Resumable>,
    handled: BTreeMap<StreamNumber, (u32, BTreeSet<u32>)>,
}

/// A change of the streams.
pub(super) enum Change {
    Set(Box<Resumable>),
    Note(StreamNumber, Box<Noted>),
    Handled(Handled),
    Forget(StreamNumber),
}

impl Table {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Set(stream) => drop(self.streams.insert(stream.number, (**stream).clone())),
            Change::Note(number, noted) => {
                if let Some(stream) = self.streams.get_mut(number) {
                    stream.noted = (**noted).clone();
                }
            }
            Change::Handled(Handled::UpTo(number, h)) => {
                let (handled, marks) = self.handled.entry(*number).or_default();
                *handled = *h;
                marks.retain(|mark| h.wrapping_sub(*mark) > u32::MAX / 2);
            }
            Change::Handled(Handled::Only(number, h)) => {
                self.handled.entry(*number).or_default().1.insert(*h);
            }
            Change::Forget(number) => {
                self.streams.remove(number);
                self.handled.remove(number);
            }
        }
    }
}

impl Resumables for MemoryStore {
    fn resumables(&self) -> Reading<Vec<Resumable>> {
        self.read(|tables| {
            let table = &tables.resumables;
            let there = table.streams.values().filter(|stream| tables.accounts.contains(stream.owner));
            let with_handled = |stream: &Resumable| {
                let (handled, marks) = table.handled.get(&stream.number).cloned().unwrap_or_default();
                Resumable { handled, marks: marks.into_iter().collect(), ..stream.clone() }
            };
            there.map(with_handled).collect()
        })
    }
}

impl ResumableWrites for MemoryBackend {
    fn set_resumable(&mut self, stream: &Resumable) -> Result<(), StoreError> {
        self.change(super::Change::Resumable(Change::Set(Box::new(stream.clone()))))
    }

    fn note_resumable(&mut self, number: StreamNumber, noted: &Noted) -> Result<(), StoreError> {
        self.change(super::Change::Resumable(Change::Note(number, Box::new(noted.clone()))))
    }

    fn set_handled(&mut self, handled: Handled) -> Result<(), StoreError> {
        self.change(super::Change::Resumable(Change::Handled(handled)))
    }

    fn forget_resumable(&mut self, number: StreamNumber) -> Result<(), StoreError> {
        self.change(super::Change::Resumable(Change::Forget(number)))
    }
}
