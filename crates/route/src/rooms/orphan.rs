//! A room whose last owner's account is gone: nobody could change it any more, so it ends where its service wants that.

use metronome_features::muc::settings;
use metronome_features::muc::upkeep::ORPHANED;
use metronome_muc::{Input, Standing};
use metronome_proto::payload::muc::{Affiliation, Destroy};

use super::carry_out::Concerns;
use super::task::Task;

impl Task {
    /// Ends the room if nobody owns it.
    pub(super) async fn end_if_orphaned(&mut self) {
        let Some(room) = self.room.as_ref().filter(|_| settings::ends_orphans(&self.host.values)) else { return };
        if self.stored.is_none() || room.affiliations().any(|(_, row)| row.affiliation == Affiliation::Owner) {
            return;
        }
        let request = Destroy { reason: Some(ORPHANED.into()), ..Destroy::default() };
        let by = self.address.domain_jid();
        let facts = self.facts(&by, Standing::Superuser);
        if let Ok(decision) = metronome_muc::decide(room, &facts, &Input::Destroy(&request)) {
            self.carry_out(None, decision, Concerns::All).await;
        }
    }
}
