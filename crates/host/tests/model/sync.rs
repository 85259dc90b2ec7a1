//! Locks with parking_lot's signatures at which shuttle switches threads. Outside of a model, where the unit tests
//! of the included files run, they are ordinary locks.

use std::ops::{Deref, DerefMut};

#[derive(Default)]
pub struct Mutex<T> {
    turn: shuttle::sync::Mutex<()>,
    value: parking_lot::Mutex<T>,
}

pub struct MutexGuard<'a, T> {
    // Dropped first: whoever gets the turn finds the value free.
    value: parking_lot::MutexGuard<'a, T>,
    _turn: Option<shuttle::sync::MutexGuard<'a, ()>>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Mutex<T> {
        Mutex { turn: shuttle::sync::Mutex::new(()), value: parking_lot::Mutex::new(value) }
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        let in_model = shuttle::current::try_get_current_task().is_some();
        let turn = in_model.then(|| self.turn.lock().unwrap());
        MutexGuard { value: self.value.lock(), _turn: turn }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
