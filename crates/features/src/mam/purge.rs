//! Metronome's own extension: an account removes messages from its archive, one by its id, those with somebody, those of a time, or all.

use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::payload::mam::Purge;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_store::archive::{Filter, Found, Search};

use super::removal::{self, Unread};
use super::{PURGE, query};

/// Answers `<purge/>`. What is removed is gone before the answer comes.
pub(super) async fn answer(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    if !env.host.values.flag(&PURGE) {
        return Err(Condition::NotAllowed.into());
    }
    let payload = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let purge = Purge::read(&payload)?;
    let owner = env.sender.session()?.account;
    // Bounded by what is there now: what comes meanwhile was not meant.
    let Some((_, last)) = server.store.ends(owner).await? else { return finish(env, &purge) };
    let mut filter = query::times(purge.start_ms, purge.end_ms);
    (filter.below, filter.with) = (last.id + 1, purge.jid.clone());
    if let Some(text) = &purge.id {
        let id = query::id(text).ok_or(Condition::ItemNotFound)?;
        let known = Search { known: vec![id], rows_max: 0, ..Search::default() };
        if matches!(server.store.search(owner, known).await?, Found::Unknown) {
            return Err(Condition::ItemNotFound.into());
        }
        filter = Filter { only: Some(vec![id]), ..Filter::default() };
    }
    let removed = match purge.takes_the_oldest() {
        true => removal::remove(server, owner, filter, Unread::Go).await,
        false => removal::blank(server, owner, filter).await,
    };
    let count = removed.map_err(StanzaError::from)?;
    tracing::info!(jid = env.sender.session()?.jid.as_str(), count, "messages were removed from an archive by its owner");
    finish(env, &Purge::default())
}

fn finish(env: &mut Envelope, purge: &Purge) -> Result<(), Refuse> {
    if purge.id.is_some() {
        return Err(Condition::ItemNotFound.into());
    }
    super::done(env);
    Ok(())
}
