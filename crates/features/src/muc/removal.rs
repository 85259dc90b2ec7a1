//! The rooms of a domain that is removed: who is in them is told, and then nothing of them is kept. The next domain of its name begins
//! with none.

use std::sync::Arc;

use metronome_host::command::Failed;
use metronome_host::effect::Effect;
use metronome_host::rooms::Question;
use metronome_host::server::Server;
use metronome_model::{Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Destroy;
use metronome_store::rooms::RoomsListed;

use crate::hosts::{committed, unreadable};

/// Rooms forgotten together.
const PAGE: usize = 100;

/// Ends the rooms of these services that somebody is in, as long as the services are there to tell them.
pub(crate) async fn end_those_in_use(server: &Arc<Server>, services: &[Jid]) {
    let is_of_them = |room: &Jid| services.iter().any(|service| service.domain() == room.domain());
    for room in server.rooms.all().into_iter().filter(is_of_them) {
        let request = Destroy { reason: Some("This service ends".into()), ..Destroy::default() };
        // One that is gone already need not end.
        let _ = server.rooms.ask(&room, Question::Destroy(request)).await;
    }
}

/// Forgets what is stored of the rooms of a service that is there no more.
pub(crate) async fn forget_all(server: &Arc<Server>, service: &Jid) -> Result<(), Failed> {
    let domain = service.as_str();
    loop {
        // Always the first page: what was forgotten is not in it any more.
        let page = server.store.rooms(domain, RoomsListed::All, None, PAGE).await.map_err(unreadable)?;
        if page.is_empty() {
            break;
        }
        let (mut record, mut effects) = (Record::default(), Vec::new());
        for room in &page {
            record.push(Op::ForgetAccount { id: room.id });
            effects.extend(Jid::from_parts(Some(&room.name), domain, None).ok().map(Effect::Forget));
        }
        committed(&server.commit_with(record, effects).await)?;
    }
    committed(&server.commit(Record::of(Op::ForgetRedirect { host: domain.into(), name: None })).await)
}
