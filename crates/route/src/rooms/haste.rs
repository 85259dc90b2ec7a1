//! How fast people write in a room and enter rooms. What is too fast is refused before anything is decided, and who does not stop is removed.

use metronome_features::muc::input::Wish;
use metronome_features::muc::pace::{Pace, Paced};
use metronome_features::muc::settings;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_muc::{Input, Room, Standing};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};

use super::carry_out::Concerns;
use super::task::Task;

impl Task {
    /// Refuses what comes too fast.
    pub(super) async fn refuse_haste(&mut self, env: &Envelope, wish: &Wish) -> Result<(), Refuse> {
        let from = &env.stanza.from;
        match wish {
            Wish::Enter(..) => self.refuse_entry(from),
            Wish::Say(_) | Wish::Tell(_) | Wish::Invite(_) | Wish::Voice(_) => self.refuse_message(from).await,
            _ => Ok(()),
        }
    }

    /// Rooms are large or many, and each entry costs as many stanzas as there are occupants.
    fn refuse_entry(&self, from: &Jid) -> Result<(), Refuse> {
        let (limit, now_ms) = (settings::entries(&self.host.values), self.server.clock.steady_ms());
        if self.server.throttles.rooms_entered.take(from.bare_str().into(), limit, now_ms) {
            return Ok(());
        }
        let error = StanzaError::new(Condition::PolicyViolation).with_type(ErrorType::Wait);
        Err(error.with_text("Too many rooms are entered at once").into())
    }

    async fn refuse_message(&mut self, from: &Jid) -> Result<(), Refuse> {
        let Some(room) = self.room.as_ref().filter(|room| is_paced(room, from)) else { return Ok(()) };
        let rule = self.pace_rule.in_room(room.config());
        match self.pace.note(from, &rule, self.server.clock.steady_ms()) {
            Paced::Fine => return Ok(()),
            Paced::Refused => {}
            Paced::Expelled => self.expel(from).await,
        }
        Err(Pace::error(&rule).into())
    }

    async fn expel(&mut self, session: &Jid) {
        self.flush().await;
        let Some(room) = &self.room else { return };
        let input = Input::Expel(session, "Too many messages");
        if let Ok(decision) = metronome_muc::decide(room, &self.facts(session, Standing::Ordinary), &input) {
            self.carry_out(None, decision, Concerns::One(session)).await;
        }
    }
}

/// Whoever keeps order is not held up by it. What those send who are not there is refused anyway.
fn is_paced(room: &Room, from: &Jid) -> bool {
    let is_plain = room.occupant_of(from).is_some_and(|occupant| occupant.role < Role::Moderator);
    is_plain && room.affiliation(from) < Affiliation::Admin
}
