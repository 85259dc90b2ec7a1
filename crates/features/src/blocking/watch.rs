//! The lists of accounts that are online: every session knows the one that counts for it, so that nobody asks the store or a table.

use std::sync::Arc;

use metronome_host::blocking::Blocking;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;

use crate::roster::load;

/// Makes a session of an earlier process go by its account's lists, and by the one that it had chosen, which is known by its mark; false if
/// there is no such list: what it was to be kept from is not known.
pub async fn watch_again(server: &Arc<Server>, session: &Session, chosen: Option<u32>) -> Result<bool, Refuse> {
    watch(server, session).await?;
    let Some(mark) = chosen else { return Ok(true) };
    let facts = server.facts.of(&*server.store, &session.jid).await?;
    let rules = facts.and_then(|facts| facts.blocking.rules(Some(&facts.blocking.marked(mark)?.name)));
    let is_found = rules.is_some();
    session.set_rules(rules);
    Ok(is_found)
}

/// Makes a session that has just come into the table go by its account's lists, and by the one that it has chosen before, if it has.
///
/// Whoever changes them changes what is known of the account first and then tells the sessions in the table. So what is still known
/// after it was handed to the session either counts or is about to be replaced. If that cannot be told, the lock tells.
pub async fn watch(server: &Arc<Server>, session: &Session) -> Result<(), Refuse> {
    let facts = server.facts.of(&*server.store, &session.jid).await?;
    let Some(facts) = facts.filter(|facts| facts.account.id == session.account) else { return Ok(()) };
    if facts.blocking.asks_roster() {
        load::contacts(server, session.account, &session.jid).await?;
    }
    go_by(session, &facts.blocking);
    let still = server.facts.peek(session.jid.bare_str()).flatten();
    if still.is_some_and(|now| Arc::ptr_eq(&now, &facts)) {
        return Ok(());
    }
    let _locked = server.owners.lock(&[session.account]).await;
    let facts = server.facts.of(&*server.store, &session.jid).await?;
    let Some(facts) = facts.filter(|facts| facts.account.id == session.account) else { return Ok(()) };
    if facts.blocking.asks_roster() && server.sessions.contacts(session.account).is_none() {
        load::groups(server, session.account, &session.jid).await?;
    }
    go_by(session, &facts.blocking);
    Ok(())
}

fn go_by(session: &Session, blocking: &Blocking) {
    // Most have no lists, and never had any.
    if !blocking.is_empty() || session.has_rules() {
        session.set_rules(blocking.rules(session.active_list().as_deref()));
    }
}
