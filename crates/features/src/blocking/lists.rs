//! The one model behind both doors: an account's lists are read and changed under its lock, kept within bounds, and its sessions are
//! told of what has changed by whichever door.

use std::sync::Arc;

use metronome_host::blocking::Blocking;
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{AccountId, Op};
use metronome_proto::jid::Jid;
use metronome_proto::payload::{blocking, privacy};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::{IqType, Kind, Name, Stanza};
use metronome_proto::xml::{Content, Tree};
use smallvec::SmallVec;

use super::RULES;

/// Most lists of one account.
const LISTS_MAX: usize = 64;

/// Most bytes of an account's lists as they are stored.
const BYTES_MAX: usize = 512 * 1024;

/// Takes the lock of the sender's account, and those of `also`, and reads its lists.
pub(crate) async fn hold(
    server: &Arc<Server>,
    env: &mut Envelope,
    also: &[AccountId],
) -> Result<Arc<Blocking>, Refuse> {
    let owner = env.sender.session()?.account;
    let mut owners: SmallVec<[AccountId; 2]> = SmallVec::from_slice(also);
    owners.push(owner);
    env.locked = Some(server.owners.lock(&owners).await);
    // Whoever changed them before has changed what is known of the account before giving the lock away.
    let facts = server.facts.of(&*server.store, &env.sender.session()?.jid).await?;
    let facts = facts.filter(|facts| facts.account.id == owner).ok_or(Condition::ServiceUnavailable)?;
    Ok(facts.blocking.clone())
}

/// Puts a change into the record, with what follows from it and the answer. What makes less is always taken.
pub(crate) fn put(env: &mut Envelope, before: &Blocking, after: Arc<Blocking>) -> Result<(), Refuse> {
    let counts = |blocking: &Blocking| [blocking.rules_count(), blocking.lists().len(), blocking.stored_bytes()];
    let most = [env.host.values.count(&RULES) as usize, LISTS_MAX, BYTES_MAX];
    for ((now, then), most) in counts(&after).into_iter().zip(counts(before)).zip(most) {
        if now > most && now > then {
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("there is no room for more rules").into());
        }
    }
    let owner = env.sender.session()?.account;
    let documents = after.documents_since(before);
    if !documents.is_empty() {
        let changes = documents.into_iter().map(|document| Op::SetDocument { owner, document: Box::new(document) });
        changes.for_each(|op| env.record.push(op));
        let blocking = if after.is_empty() { Blocking::none() } else { after };
        env.effects.push(Effect::Blocking { owner, jid: env.sender.session()?.jid.bare(), blocking });
    }
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// Tells the sessions that have asked for the blocklist which addresses were blocked or unblocked; none of them is all.
pub(crate) fn push_blocklist(server: &Server, env: &mut Envelope, verb: &'static str, jids: &[Jid]) {
    push(server, env, verb, &blocking::tree(verb, jids), Session::wants_blocklist);
}

/// What a change by the other door means for the blocklist (XEP-0191 section 5).
pub(crate) fn push_difference(server: &Server, env: &mut Envelope, before: &Blocking, after: &Blocking) {
    let missing = |from: &Blocking, of: &Blocking| -> Vec<Jid> {
        let known: std::collections::HashSet<&Jid> = from.blocked().collect();
        of.blocked().filter(|jid| !known.contains(jid)).cloned().collect()
    };
    for (verb, jids) in [("unblock", missing(after, before)), ("block", missing(before, after))] {
        if !jids.is_empty() {
            push_blocklist(server, env, verb, &jids);
        }
    }
}

/// Tells sessions that a list has changed (XEP-0016 section 2.2, rule 10); what it says now, they ask.
pub(crate) fn push_list(server: &Server, env: &mut Envelope, name: &str, tells: impl Fn(&Session) -> bool) {
    push(server, env, "list", &privacy::query([privacy::list(name, [])]), tells);
}

/// Never dropped, as a push of the roster: a session that does not read it is closed and asks again.
fn push(server: &Server, env: &mut Envelope, about: &str, tree: &Tree, tells: impl Fn(&Session) -> bool) {
    let content = Content::from_tree(tree);
    let Some(owner) = env.sender.as_session().map(|session| session.account) else { return };
    for session in server.sessions.of(owner).iter().filter(|session| tells(session)) {
        let stanza = Stanza::new(Kind::Iq(IqType::Set), session.jid.bare())
            .with_to(session.jid.clone())
            .with_id(&format!("{about}-{}", server.rng.token()))
            .with_content(content.clone());
        env.effects.push(Effect::Write(session.clone(), Name::Iq, Frame::whole(stanza.to_vec())));
    }
}
