//! Room at a component for a stanza that is on its way into the store: taken when it is admitted, filled on the writer's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metronome_proto::stanza::Stanza;

use super::component::{Component, hash_of};
use super::waiting::{Waiting, What, bytes_of};

/// Room for a stanza that is being stored. Dropped without [`Place::fill`], it is given back.
#[derive(Debug)]
pub struct Place {
    component: Arc<Component>,
    sender: u64,
    payer: u64,
    bytes: usize,
    at_ms: u64,
    is_filled: AtomicBool,
}

impl Component {
    /// Takes room for a stanza that is about to be stored, whether there is some or not; `now_ms` is steady time.
    pub fn place(self: &Arc<Self>, stanza: &Stanza, payer: u64, now_ms: u64) -> Place {
        let bytes = bytes_of(stanza);
        self.state.lock().room.take(payer, bytes);
        let sender = hash_of(stanza.from.bare_str());
        let is_filled = AtomicBool::new(false);
        Place { component: self.clone(), sender, payer, bytes, at_ms: now_ms, is_filled }
    }
}

impl Place {
    /// The stanza is stored under this number: it waits from now on. Called once, in the order of the numbers.
    pub fn fill(&self, row: u64, stanza: &Arc<Stanza>) {
        if self.is_filled.swap(true, Ordering::Relaxed) {
            return;
        }
        let Place { at_ms, sender, payer, .. } = *self;
        let waker = {
            let mut state = self.component.state.lock();
            state.kept.add(row, stanza);
            state.place(Waiting { at_ms, sender, payer, what: What::Stored(row, stanza.clone()) })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !*self.is_filled.get_mut() {
            self.component.state.lock().room.give_back(self.payer, self.bytes);
        }
    }
}
