//! Commands on their way from form to form (XEP-0050 section 3.3): what was said so far, kept for the session that is asked. Bounded per
//! session, in total and in time; never holds passwords, which are asked for last.

use std::collections::HashMap;

use metronome_proto::jid::Jid;
use serde_json::{Map, Value};

use super::Command;
use crate::sync::Mutex;

/// Most dialogs of one session; one more ends the oldest of them.
pub const SESSION_MAX: usize = 8;
/// Most dialogs of all sessions; one more is refused.
pub const TOTAL_MAX: usize = 10_000;
/// Most bytes of all of them; what would be more is refused.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long one waits for its next step, in milliseconds.
pub const LIFETIME_MS: u64 = 10 * 60 * 1000;

/// How often those that nobody goes on with are looked for, in milliseconds.
const SWEEP_MS: u64 = 60 * 1000;

/// A command that is being filled in.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// Its id; random.
    pub id: Box<str>,
    /// Who is asked: a host, or an account.
    pub at: Jid,
    /// The command.
    pub command: &'static Command,
    /// How many forms were filled in.
    pub stage: usize,
    /// What was said in them.
    pub given: Map<String, Value>,
}

impl Dialog {
    fn weight(&self) -> usize {
        let value = |value: &Value| match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(|value| value.as_str().map_or(0, str::len) + 64).sum(),
            _ => 0,
        };
        let given: usize = self.given.iter().map(|(name, given)| name.len() + value(given) + 128).sum();
        size_of::<Kept>() + self.id.len() + given
    }
}

/// There is no room for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// All dialogs of a server.
#[derive(Debug, Default)]
pub struct Dialogs {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the serial number of the session, the oldest first.
    of: HashMap<u64, Vec<Kept>>,
    count: usize,
    bytes: usize,
    swept_ms: u64,
}

#[derive(Debug)]
struct Kept {
    dialog: Dialog,
    until_ms: u64,
}

impl Dialogs {
    /// Keeps a dialog for the session with this serial number until it says more. `now_ms` is steady time.
    pub fn keep(&self, serial: u64, dialog: Dialog, now_ms: u64) -> Result<(), Full> {
        let mut state = self.state.lock();
        if now_ms.saturating_sub(state.swept_ms) >= SWEEP_MS {
            state.sweep(now_ms);
        }
        if state.of.get(&serial).is_some_and(|kept| kept.len() >= SESSION_MAX) {
            state.remove(serial, 0);
        }
        let weight = dialog.weight();
        if state.count >= TOTAL_MAX || state.bytes + weight > BYTES_MAX {
            return Err(Full);
        }
        state.count += 1;
        state.bytes += weight;
        state.of.entry(serial).or_default().push(Kept { dialog, until_ms: now_ms + LIFETIME_MS });
        Ok(())
    }

    /// Takes a dialog of this session out; none if it has no such one, or not any more. Others' are not looked at.
    pub fn take(&self, serial: u64, id: &str, now_ms: u64) -> Option<Dialog> {
        let mut state = self.state.lock();
        let index = state.of.get(&serial)?.iter().position(|kept| *kept.dialog.id == *id)?;
        let kept = state.remove(serial, index)?;
        (now_ms < kept.until_ms).then_some(kept.dialog)
    }

    /// Bytes held.
    pub fn memory_usage(&self) -> usize {
        self.state.lock().bytes
    }
}

impl State {
    fn remove(&mut self, serial: u64, index: usize) -> Option<Kept> {
        let kept = self.of.get_mut(&serial)?;
        let removed = kept.remove(index);
        if kept.is_empty() {
            self.of.remove(&serial);
        }
        self.count -= 1;
        self.bytes -= removed.dialog.weight();
        Some(removed)
    }

    fn sweep(&mut self, now_ms: u64) {
        self.swept_ms = now_ms;
        self.of.retain(|_, kept| {
            kept.retain(|kept| now_ms < kept.until_ms);
            !kept.is_empty()
        });
        let left = || self.of.values().flatten();
        (self.count, self.bytes) = (left().count(), left().map(|kept| kept.dialog.weight()).sum());
    }
}

#[cfg(test)]
mod tests {
    use crate::command::{Answer, Does, Role};

    use super::*;

    const COMMAND: &Command = &Command {
        name: "test",
        about: "A test.",
        role: Role::User,
        does: Does::Tells,
        fields: &[],
        run: |_, _| Box::pin(std::future::ready(Ok(Answer::text("")))),
    };

    fn dialog(id: &str, said: &str) -> Dialog {
        let given = [("a".to_owned(), Value::from(said))].into_iter().collect();
        Dialog { id: id.into(), at: Jid::parse("localhost").unwrap(), command: COMMAND, stage: 0, given }
    }

    #[test]
    fn a_dialog_is_found_by_its_own_session_and_once() {
        let dialogs = Dialogs::default();
        dialogs.keep(1, dialog("one", "x"), 0).unwrap();
        assert!(dialogs.take(2, "one", 0).is_none() && dialogs.take(1, "two", 0).is_none());
        assert!(dialogs.take(1, "one", 0).is_some() && dialogs.take(1, "one", 0).is_none());
        assert_eq!(dialogs.memory_usage(), 0);
    }

    #[test]
    fn a_dialog_ends_with_its_time() {
        let dialogs = Dialogs::default();
        dialogs.keep(1, dialog("one", "x"), 0).unwrap();
        dialogs.keep(1, dialog("two", "x"), 1).unwrap();
        assert!(dialogs.take(1, "one", LIFETIME_MS).is_none() && dialogs.take(1, "two", LIFETIME_MS).is_some());
        dialogs.keep(1, dialog("three", "x"), 2).unwrap();
        dialogs.keep(2, dialog("four", "x"), 2 * LIFETIME_MS).unwrap();
        assert_eq!(dialogs.state.lock().count, 1, "the others were swept away");
    }

    #[test]
    fn a_session_has_so_many_and_begins_another_in_place_of_its_oldest() {
        let dialogs = Dialogs::default();
        dialogs.keep(2, dialog("others", "x"), 0).unwrap();
        for number in 0..SESSION_MAX * 100 {
            dialogs.keep(1, dialog(&number.to_string(), "x"), 0).unwrap();
        }
        assert_eq!(dialogs.state.lock().count, SESSION_MAX + 1);
        assert!(dialogs.take(1, "0", 0).is_none() && dialogs.take(2, "others", 0).is_some());
        assert!(dialogs.take(1, &(SESSION_MAX * 100 - 1).to_string(), 0).is_some());
    }

    #[test]
    fn all_sessions_together_are_bounded_in_number_and_in_bytes() {
        let dialogs = Dialogs::default();
        let kept =
            (0..2 * TOTAL_MAX as u64).filter(|serial| dialogs.keep(*serial, dialog("a", "x"), 0).is_ok()).count();
        assert_eq!(kept, TOTAL_MAX);
        assert_eq!(dialogs.keep(0, dialog("b", "x"), 0), Err(Full));
        let dialogs = Dialogs::default();
        let large = "x".repeat(BYTES_MAX / 10);
        let kept = (0..20).filter(|serial| dialogs.keep(*serial, dialog("a", &large), 0).is_ok()).count();
        assert!(kept < 10 && dialogs.memory_usage() <= BYTES_MAX);
        assert!(
            dialogs.keep(20, dialog("b", &large), LIFETIME_MS).is_ok(),
            "there is room once the others have had their time"
        );
    }
}
