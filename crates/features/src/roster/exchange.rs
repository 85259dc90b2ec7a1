//! Both sides of a subscription (RFC 6121 section 3): what a stanza does to the sender's row and to the recipient's, in one record,
//! and who is told what and in which order. Called by `route::presence`, by the roster's own changes and by the removal of accounts.
//! The caller holds the locks of both accounts.

use std::sync::Arc;

use metronome_host::contacts::Contacts;
use metronome_host::effect::{Effect, Effects, Push};
use metronome_host::hosts::Host;
use metronome_host::owners::Locked;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::way::Way;
use metronome_model::{AccountId, Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::Stanza;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::subscription::{Subscription, Verb};
use metronome_proto::xml::Content;
use smallvec::{SmallVec, smallvec};

use super::{CONTACTS, stanza};

/// Most requests of people who are not in the roster that wait for an answer.
pub const REQUESTS_MAX: u64 = 300;

/// Most bytes that are kept of what a request says.
const REQUEST_BYTES_MAX: usize = 1024;

/// Most bytes of a roster, as [`Contact::len_bytes`] counts them: one answer holds it.
const ROSTER_BYTES_MAX: usize = 512 * 1024;

/// Where the other side of a subscription is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// It is an account of ours.
    Account(AccountId),
    /// It would be an account of ours, but there is none with this name; or it is with another server, and there is no way to those.
    Absent,
    /// It is a domain that we serve.
    Host,
    /// It is with another server, or with a component.
    Remote,
}

impl Other {
    /// The accounts whose rows an exchange with it changes.
    pub fn accounts(self, mine: AccountId) -> SmallVec<[AccountId; 2]> {
        match self {
            Other::Account(theirs) => smallvec![mine, theirs],
            Other::Absent | Other::Host | Other::Remote => smallvec![mine],
        }
    }
}

/// Looks up where the other side is kept. A domain of ours that is switched off keeps what it has: what ends meanwhile ends there too.
pub async fn other(server: &Server, jid: &Jid) -> Result<Other, Refuse> {
    let hosts = server.hosts.load_full();
    if hosts.is_elsewhere(jid.domain()) {
        let leads_there = server.remotes.is_open() || hosts.component(jid.domain()).is_some();
        return Ok(if leads_there { Other::Remote } else { Other::Absent });
    }
    if jid.local().is_none() {
        return Ok(Other::Host);
    }
    let facts = server.facts.of(&*server.store, jid).await?;
    Ok(facts.map_or(Other::Absent, |facts| Other::Account(facts.account.id)))
}

/// Takes the locks of both sides. With them nobody removes either account, so where the other side is kept is looked up once more:
/// its name may have been given to somebody else while the locks were waited for.
pub async fn lock(server: &Server, account: AccountId, jid: &Jid) -> Result<(Other, Locked), Refuse> {
    loop {
        let wanted = other(server, jid).await?;
        let locked = server.owners.lock(&wanted.accounts(account)).await;
        if other(server, jid).await? == wanted {
            return Ok((wanted, locked));
        }
    }
}

/// One account's row about the other, as it was and as it will be.
#[derive(Debug)]
pub struct Side {
    /// Whose row.
    pub owner: AccountId,
    /// The owner's bare address.
    pub jid: Jid,
    /// The row as it is stored.
    pub before: Contact,
    /// The row as it will be.
    pub after: Contact,
    /// The roster's version with this change.
    version: u64,
}

impl Side {
    /// Reads the row of `owner` about `contact`.
    pub async fn read(server: &Server, owner: AccountId, jid: &Jid, contact: &Jid) -> Result<Side, Refuse> {
        let stored = server.store.contact(owner, contact.as_str()).await?;
        let version = match server.sessions.contacts(owner) {
            Some(contacts) => contacts.version,
            None => server.store.roster_version(owner).await?,
        };
        let before = stored.unwrap_or_else(|| Contact::unknown(contact.clone()));
        Ok(Side { owner, jid: jid.bare(), after: before.clone(), before, version: version.current + 1 })
    }

    /// A change that would make the owner's own roster too large is refused. The roster is in memory, since its owner asks.
    pub fn refuse_too_many(&self, host: &Host, contacts: &Contacts) -> Result<(), Refuse> {
        let (size, bytes) = contacts.stored();
        let is_new = (self.before.listed, self.after.listed) == (Listed::No, Listed::Yes);
        let more = self.after.len_bytes().saturating_sub(if is_new { 0 } else { self.before.len_bytes() });
        let is_full = (is_new && size.listed >= host.values.count(&CONTACTS)) || (more > 0 && bytes + more > ROSTER_BYTES_MAX);
        match is_full && self.after.listed == Listed::Yes {
            true => Err(StanzaError::new(Condition::ResourceConstraint).with_text("the roster is full").into()),
            false => Ok(()),
        }
    }

    /// Whether so many wait for the owner's answer that one more request is not kept.
    pub async fn has_too_many_requests(&self, server: &Server) -> Result<bool, Refuse> {
        if self.before.subscription.pending_in || self.before.listed == Listed::Yes {
            return Ok(false);
        }
        let size = match server.sessions.contacts(self.owner) {
            Some(contacts) => contacts.stored().0,
            None => server.store.roster_size(self.owner).await?,
        };
        Ok(size.waiting >= REQUESTS_MAX)
    }

    /// Puts the change into a record and tells the owner's clients of it, if there is one.
    pub fn finish(mut self, record: &mut Record, effects: &mut Effects) {
        if !self.after.subscription.pending_in {
            self.after.request = None;
        }
        if self.after != self.before {
            let push = push_of(&self.before, &self.after);
            self.put(push, record, effects);
        }
    }

    /// As [`Side::finish`], but an item that its owner sets is pushed even if it is what it was: clients wait for it
    /// (section 2.3.2).
    pub fn finish_set(self, record: &mut Record, effects: &mut Effects) {
        self.put(Push::Item, record, effects);
    }

    fn put(self, push: Push, record: &mut Record, effects: &mut Effects) {
        let Side { owner, before, mut after, version, .. } = self;
        after.version = version;
        record.push(Op::SetContact { owner, contact: Box::new(after.clone()) });
        let is_admitted = admits(&before, &after);
        effects.push(Effect::Contact { owner, contact: Arc::new(after), push });
        if is_admitted {
            effects.push(Effect::Admitted { of: owner, before: Arc::new(before) });
        }
    }
}

/// A request as it is kept and handed on: with all that it says, or what people read, or nothing of it.
fn kept(request: &Stanza) -> Stanza {
    let mut content = request.content.clone();
    if content.len_bytes() > REQUEST_BYTES_MAX {
        content = content.without(|child| !(child.is(ns::CLIENT, "status") || child.is(ns::NICK, "nick")));
    }
    if content.len_bytes() > REQUEST_BYTES_MAX {
        content = Content::empty();
    }
    request.clone().with_content(content)
}

/// Whether a contact may see more from here on: by a subscription to presence, without which no group counts, or by another group.
fn admits(before: &Contact, after: &Contact) -> bool {
    let mut new = after.groups.iter().filter(|group| !before.groups.contains(group));
    after.subscription.from && (!before.subscription.from || new.next().is_some())
}

/// Whether clients see the change; a request that waits for them is told by its own stanza.
fn push_of(before: &Contact, after: &Contact) -> Push {
    let seen = |contact: &Contact| Subscription { pending_in: false, ..contact.subscription };
    match (before.listed, after.listed) {
        (Listed::Yes, Listed::No) => Push::Removal,
        (Listed::No, Listed::No) => Push::Nothing,
        (Listed::No, Listed::Yes) => Push::Item,
        (Listed::Yes, Listed::Yes) => {
            let same = seen(before) == seen(after) && before.name == after.name && before.groups == after.groups;
            if same { Push::Nothing } else { Push::Item }
        }
    }
}

/// The side of an account of ours that receives from another server.
#[derive(Debug)]
pub struct Incoming {
    /// The side.
    pub side: Side,
    /// The way back to the sender.
    pub way: Way,
}

impl Incoming {
    /// Puts what the stanza changes into a record, and what follows into its effects. It has the bare addresses of both.
    pub fn receive(self, verb: Verb, sent: &Stanza, record: &mut Record, effects: &mut Effects) {
        let Incoming { mut side, way } = self;
        let (of, before) = (side.owner, side.after.subscription);
        let received = before.receive(verb);
        side.after.subscription = received.after;
        let (me, contact) = (side.jid.clone(), side.after.jid.clone());
        let mut last = Effects::new();
        match (received.delivered, verb) {
            (true, Verb::Subscribe) => {
                let kept = kept(sent);
                side.after.request = Some(Arc::new(kept.clone()));
                last.push(Effect::ToAvailable(of, kept));
            }
            (true, _) => effects.push(Effect::ToInterested(of, sent.clone())),
            (false, _) => {}
        }
        if before.from && !received.after.from {
            last.push(Effect::HideFrom { of, from: contact.clone() });
        }
        if let Some(answer) = received.answer {
            let answer = stanza(answer, &me, &contact);
            match before == received.after {
                // It was told before: telling it again is worth no row.
                true => last.push(Effect::Reply(answer)),
                false => {
                    side.after.listed = Listed::Yes;
                    way.send(Arc::new(answer), record, effects);
                }
            }
            last.push(Effect::ShowTo { of, to: contact });
        }
        side.finish(record, effects);
        effects.append(&mut last);
    }
}

/// Two sides, and what follows from the stanzas that go between them.
#[derive(Debug)]
pub struct Exchange {
    /// The side that sends.
    pub mine: Side,
    /// The side that receives, where that is an account of ours.
    pub theirs: Option<Side>,
    /// Where the other side is kept.
    other: Other,
    /// The way to the other side, where that is elsewhere.
    way: Way,
    /// What goes to the other side, where that is on another server.
    outgoing: Vec<Stanza>,
    /// What happens before clients are told of the changed rows: section 3.1.6 wants the stanza to precede the push.
    first: Effects,
    /// What happens once clients know the rows.
    last: Effects,
}

impl Exchange {
    /// Reads both sides.
    pub async fn read(
        server: &Server,
        account: AccountId,
        me: &Jid,
        contact: &Jid,
        other: Other,
    ) -> Result<Exchange, Refuse> {
        let mine = Side::read(server, account, me, contact).await?;
        let theirs = match other {
            Other::Account(theirs) if theirs != account => Some(Side::read(server, theirs, &contact.bare(), &mine.jid).await?),
            _ => None,
        };
        let (way, outgoing) = (Way::between(server, me, contact), Vec::new());
        Ok(Exchange { mine, theirs, other, way, outgoing, first: Effects::new(), last: Effects::new() })
    }

    /// My side sends a stanza, which has its bare address as `from` and theirs as `to`.
    pub fn send(&mut self, verb: Verb, stanza: &Stanza) {
        let before = self.mine.after.subscription;
        let sent = before.send(verb);
        self.mine.after.subscription = sent.after;
        // A contact that its owner asks or allows something becomes an item of the roster (sections 3.1.2, 3.1.5 and 3.4.2).
        if sent.after.pending_out || sent.after.to || sent.after.approved || (verb == Verb::Subscribed && sent.after.from) {
            self.mine.after.listed = Listed::Yes;
        }
        let theirs = self.theirs.as_ref().map(|theirs| theirs.owner);
        if let Some(theirs) = theirs.filter(|_| before.from && !sent.after.from) {
            self.first.push(Effect::Hide { of: self.mine.owner, to: theirs });
        }
        if sent.routed && self.other == Other::Remote {
            self.outgoing.push(stanza.clone());
        } else if sent.routed {
            self.receive(verb, stanza);
        }
        if self.other == Other::Remote {
            let (of, contact) = (self.mine.owner, self.mine.after.jid.clone());
            match (before.from, sent.after.from) {
                (true, false) => self.first.push(Effect::HideFrom { of, from: contact }),
                (false, true) => self.last.push(Effect::ShowTo { of, to: contact }),
                _ => {}
            }
        }
        let seen = self.theirs.as_ref().is_some_and(|theirs| theirs.after.subscription.to);
        if let Some(theirs) = theirs.filter(|_| !before.from && sent.after.from && seen) {
            self.last.push(Effect::Show { of: self.mine.owner, to: theirs });
        }
    }

    fn receive(&mut self, verb: Verb, sent: &Stanza) {
        let Some(theirs) = &mut self.theirs else { return };
        let before = theirs.after.subscription;
        let received = before.receive(verb);
        theirs.after.subscription = received.after;
        if received.delivered {
            if verb == Verb::Subscribe {
                let kept = kept(sent);
                theirs.after.request = Some(Arc::new(kept.clone()));
                self.last.push(Effect::ToAvailable(theirs.owner, kept));
            } else {
                self.first.push(Effect::ToInterested(theirs.owner, sent.clone()));
            }
        }
        if before.from && !received.after.from {
            self.last.push(Effect::Hide { of: theirs.owner, to: self.mine.owner });
        }
        if let Some(answer) = received.answer {
            self.answered(answer);
        }
    }

    /// Their side answers in its owner's name: it had allowed this before.
    fn answered(&mut self, verb: Verb) {
        let Some(theirs) = &mut self.theirs else { return };
        if theirs.after.subscription.from {
            theirs.after.listed = Listed::Yes;
        }
        let answered = self.mine.after.subscription.receive(verb);
        self.mine.after.subscription = answered.after;
        if answered.delivered {
            self.first.push(Effect::ToInterested(self.mine.owner, stanza(verb, &theirs.jid, &self.mine.jid)));
            self.last.push(Effect::Show { of: theirs.owner, to: self.mine.owner });
        }
    }

    /// My side ends what there is in both directions.
    pub fn end(&mut self, me: &Jid) {
        let to = self.mine.after.jid.clone();
        let Subscription { to: sees, pending_out, from, pending_in, .. } = self.mine.after.subscription;
        if sees || pending_out {
            self.send(Verb::Unsubscribe, &stanza(Verb::Unsubscribe, me, &to));
        }
        if from || pending_in {
            self.send(Verb::Unsubscribed, &stanza(Verb::Unsubscribed, me, &to));
        }
    }

    /// Puts both changes into a record, and what follows into its effects.
    pub fn finish(mut self, record: &mut Record, effects: &mut Effects) {
        effects.append(&mut self.first);
        for stanza in self.outgoing {
            self.way.send(Arc::new(stanza), record, effects);
        }
        self.mine.finish(record, effects);
        if let Some(theirs) = self.theirs {
            theirs.finish(record, effects);
        }
        effects.append(&mut self.last);
    }
}
