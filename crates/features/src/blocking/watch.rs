//! The lists of accounts that are online: every session knows the one that counts for it, so that nobody asks the store or a table.

use std::sync::Arc;

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;

use crate::roster::load;

/// Makes a session that has just come into the table go by its account's lists, and by the one that it has chosen before, if it has.
///
/// Whoever changes them has them forgotten first and then tells the sessions in the table. So what is still known after it was handed
/// to the session either counts or is about to be replaced.
pub async fn watch(server: &Arc<Server>, session: &Session) -> Result<(), Refuse> {
    loop {
        let facts = server.facts.of(&*server.store, &session.jid).await?;
        let Some(facts) = facts.filter(|facts| facts.account.id == session.account) else { return Ok(()) };
        if facts.blocking.asks_roster() {
            load::contacts(server, session.account, &session.jid).await?;
        }
        let is_plain = facts.blocking.is_empty() && session.rules().is_none();
        if !is_plain {
            session.set_rules(facts.blocking.rules(session.active_list().as_deref()));
        }
        let still = server.facts.peek(session.jid.bare_str());
        if still.flatten().is_none_or(|now| Arc::ptr_eq(&now, &facts)) {
            return Ok(());
        }
    }
}
