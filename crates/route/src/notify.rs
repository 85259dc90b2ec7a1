//! Hands out what a node tells to many (XEP-0060 section 7.1.2, XEP-0163 section 4.3): one written body, and a start of its own for each
//! recipient. Runs in a worker and waits for nothing; whoever is not there gets nothing, unless it is kept like messages of people.

use std::collections::HashSet;
use std::sync::Arc;

use metronome_features::blocking::check;
use metronome_host::activity::Passing;
use metronome_host::blocking::What;
use metronome_host::notify::{Notify, Says, Told, When};
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{Offered, Session};
use metronome_host::waves;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::presence::Show;
use metronome_proto::stanza::{Kind, Name, Stanza};
use metronome_proto::xml::{Content, Tree};
use metronome_store::stored;

use crate::waking::wake;
use crate::written::Written;
use crate::{made, presence, remotes};

/// Tells everybody.
pub(crate) fn run(server: &Arc<Server>, mut notify: Notify) {
    // One that is connected without having said so is nobody's business.
    notify.reply_to.take_if(|jid| server.sessions.at(jid).is_none_or(|session| !session.is_available()));
    if notify.kind == MessageType::Headline { tell(server, &notify) } else { keep(server, &notify) }
}

/// A headline: for whoever is there.
fn tell(server: &Arc<Server>, notify: &Notify) {
    let Notice { written, reply_to } = Notice::of(notify);
    // Who is told because of what its client asks for is not told a second time for a subscription (XEP-0163 section 4.3.1).
    let (mut told, may_meet) = (HashSet::new(), notify.audience.len_max() > 0);
    each_interested(server, notify, |who, sees| {
        let extra = if sees == SeesOwner::Yes { &*reply_to } else { &[] };
        match who {
            Client::Here(session) => {
                let frame = || written.to(&session.jid, extra);
                hand(server, session, &notify.from, || session.offer_passing(frame(), Passing::Event));
            }
            Client::Elsewhere(jid) => {
                remotes::tell(server, &notify.from, jid, Name::Message, || written.to(jid, extra))
            }
        }
        if may_meet {
            told.extend([who.jid().clone(), who.jid().bare()]);
        }
    });
    let mut wave = (notify.audience.len_max() >= waves::MANY).then(Vec::new);
    notify.audience.each(server, &mut |recipient| {
        if !told.contains(recipient.jid) && !is_denied(server, &notify.from, recipient.jid) {
            to_subscriber(server, notify, &written, recipient, wave.as_mut());
        }
    });
    if let Some(wave) = wave {
        wake(server, &server.waves, wave);
    }
}

/// What is kept for who is away goes the way of messages of people, one after another.
fn keep(server: &Arc<Server>, notify: &Notify) {
    let mut stanzas = Vec::new();
    let stanza = |to: &Jid, extra: &[u8]| {
        let content = Content::parse(&[extra, &notify.content[..]].concat()).ok()?;
        let stanza = Stanza::new(Kind::Message(notify.kind), notify.from.clone()).with_id(&notify.id);
        Some(stanza.with_to(to.clone()).with_content(content))
    };
    let mut told = HashSet::new();
    each_interested(server, notify, |who, _| {
        stanzas.extend(stanza(who.jid(), &[]));
        told.extend([who.jid().clone(), who.jid().bare()]);
    });
    notify.audience.each(server, &mut |recipient| {
        let jid = recipient.jid;
        let is_now = || server.sessions.named(jid.bare_str()).iter().any(|session| is_told(session, recipient.when));
        let is_due = recipient.when == When::Always || remotes::is_remote(server, jid) || is_now();
        if is_due && !told.contains(jid) && !is_denied(server, &notify.from, jid) {
            stanzas.extend(stanza(jid, recipient.extra));
        }
    });
    if !stanzas.is_empty() {
        tokio::spawn(made::send_all(server.clone(), stanzas));
    }
}

/// A notification as far as it is the same for many.
struct Notice {
    written: Written,
    /// What stands before the content for those who see the owner's presence.
    reply_to: Vec<u8>,
}

impl Notice {
    fn of(notify: &Notify) -> Notice {
        let stanza = Stanza::new(Kind::Message(notify.kind), notify.from.clone()).with_id(&notify.id);
        let reply_to = notify.reply_to.as_ref().map(reply_to).unwrap_or_default();
        Notice { written: Written::new(&stanza, &[&notify.content]), reply_to }
    }
}

/// XEP-0163 section 4.3.1: which of the owner's clients has published (XEP-0033).
fn reply_to(jid: &Jid) -> Vec<u8> {
    let address = Tree::new(ns::ADDRESS, "address").attr("type", "replyto").attr("jid", jid.as_str());
    Tree::new(ns::ADDRESS, "addresses").child(address).to_vec(ns::CLIENT)
}

/// What was published before a client came, for this client alone.
pub(crate) fn last(server: &Server, from: &Jid, content: &[u8], to: &Client<'_>) {
    let stanza = Stanza::new(Kind::Message(MessageType::Headline), from.clone()).with_id(&server.rng.token());
    let frame = |to: &Jid| {
        let mut written = Vec::with_capacity(content.len() + 256);
        stanza.write_head(&mut written, Some(to), None);
        written.extend_from_slice(content);
        written.extend_from_slice(stanza.tail().as_bytes());
        Frame::whole(written)
    };
    match to {
        _ if is_denied(server, from, to.jid()) => {}
        Client::Here(session) => {
            hand(server, session, from, || session.offer_passing(frame(&session.jid), Passing::Event))
        }
        Client::Elsewhere(jid) => remotes::tell(server, from, jid, Name::Message, || frame(jid)),
    }
}

/// A client that asks for a node in its capabilities.
pub(crate) enum Client<'a> {
    /// One of a session.
    Here(&'a Session),
    /// One on another server, which the owner of the node has seen.
    Elsewhere(&'a Jid),
}

/// Whether somebody sees the presence of the owner of a node, and so may know which of its clients has published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeesOwner {
    Yes,
    No,
}

impl Client<'_> {
    pub(crate) fn jid(&self) -> &Jid {
        match self {
            Client::Here(session) => &session.jid,
            Client::Elsewhere(jid) => jid,
        }
    }
}

/// Those whose clients ask for the node in their capabilities and may have it: the owner's own, those of contacts that see its presence, and
/// those on other servers that it has seen. What a domain tells is for everybody on it.
fn each_interested(server: &Server, notify: &Notify, mut tell: impl FnMut(Client<'_>, SeesOwner)) {
    let Some(node) = notify.audience.node() else { return };
    let may = |who: &Jid| notify.audience.may_read(server, who) && !is_denied(server, &notify.from, who);
    let sees = |who: &Jid| match check::denies_account_now(server, &notify.from, who, What::PresenceOut) {
        true => SeesOwner::No,
        false => SeesOwner::Yes,
    };
    let mut here = |session: &Session, sees: SeesOwner| {
        if session.wants_node(node) && !session.is_locked() && may(&session.jid) {
            tell(Client::Here(session), sees);
        }
    };
    if notify.from.local().is_none() {
        let all = server.sessions.all();
        let on_it = all.iter().filter(|session| session.jid.domain() == notify.from.domain());
        return on_it.for_each(|session| here(session, SeesOwner::No));
    }
    server.sessions.of(notify.owner).iter().for_each(|own| here(own, SeesOwner::Yes));
    let contacts = seeing(server, notify);
    for contact in &contacts {
        server.sessions.named(contact.as_str()).iter().for_each(|session| here(session, sees(contact)));
    }
    let elsewhere = server.remote_clients.wanting(notify.owner, node);
    if !elsewhere.is_empty() {
        let contacts: HashSet<&str> = contacts.iter().map(Jid::as_str).collect();
        let seeing = elsewhere.iter().filter(|client| contacts.contains(client.bare_str()) && may(client));
        seeing.for_each(|client| tell(Client::Elsewhere(client), sees(client)));
    }
}

/// The bare addresses of everybody else who sees the owner's presence.
fn seeing(server: &Server, notify: &Notify) -> Vec<Jid> {
    let mut contacts = Vec::new();
    match server.sessions.of(notify.owner).first() {
        Some(session) if server.sessions.contacts(notify.owner).is_some() => {
            presence::each_seeing(server, session, |contact| contacts.push(contact.clone()));
        }
        _ => contacts.extend_from_slice(notify.audience.contacts()),
    }
    contacts
}

/// Whether the owner has blocked somebody: then nothing is sent, whatever they may read.
fn is_denied(server: &Server, owner: &Jid, who: &Jid) -> bool {
    owner.local().is_some() && check::denies_account_now(server, owner, who, What::OtherOut)
}

/// Tells a subscriber: exactly the address that is subscribed (RFC 6121 sections 8.5.2.1.1 and 8.5.3). Sessions that get nothing but the
/// event join the `wave` if there is one, and are not woken here.
fn to_subscriber(
    server: &Server,
    notify: &Notify,
    written: &Written,
    told: &Told<'_>,
    mut wave: Option<&mut Vec<Arc<Session>>>,
) {
    let to = told.jid;
    if remotes::is_remote(server, to) {
        // What it shows is not known here; a headline reaches only who is available.
        return remotes::tell(server, &notify.from, to, Name::Message, || written.to(to, told.extra));
    }
    let mut frame = None;
    for session in server.sessions.named(to.bare_str()) {
        if is_for(&session, to) && is_told(&session, told.when) {
            hand(server, &session, &notify.from, || {
                let frame = frame.get_or_insert_with(|| written.to(to, told.extra)).clone();
                match (told.says, wave.as_deref_mut()) {
                    (Says::Nothing, Some(wave)) => {
                        wave.push(session.clone());
                        session.offer_passing_unwoken(frame, Passing::Event)
                    }
                    (Says::Nothing, None) => session.offer_passing(frame, Passing::Event),
                    _ => session.offer_volatile(frame),
                }
            });
        }
    }
}

/// What was published before a subscriber came, for this client alone, as its subscriptions say.
pub(crate) fn last_for_subscriber(server: &Server, notify: &Notify, session: &Session) {
    let Notice { written, .. } = Notice::of(notify);
    notify.audience.each(server, &mut |told| {
        let is_due = is_for(session, told.jid) && is_told(session, told.when);
        if is_due && !is_denied(server, &notify.from, told.jid) {
            hand(server, session, &notify.from, || {
                let frame = written.to(told.jid, told.extra);
                match told.says {
                    Says::Nothing => session.offer_passing(frame, Passing::Event),
                    _ => session.offer_volatile(frame),
                }
            });
        }
    });
}

/// The same for a client on another server.
pub(crate) fn last_for_visitor(server: &Server, notify: &Notify, client: &Jid) {
    let Notice { written, .. } = Notice::of(notify);
    notify.audience.each(server, &mut |told| {
        if !is_denied(server, &notify.from, told.jid) {
            remotes::tell(server, &notify.from, client, Name::Message, || written.to(client, told.extra));
        }
    });
}

/// A bare address stands for all clients that want messages.
fn is_for(session: &Session, to: &Jid) -> bool {
    if to.is_full() { session.jid == *to } else { session.priority().is_some_and(|it| it >= 0) }
}

fn is_told(session: &Session, when: When<'_>) -> bool {
    match when {
        When::Always => true,
        When::Available => session.is_available(),
        When::Shows(shows) => {
            let presence = session.presence_xml().as_deref().and_then(stored::read);
            presence.is_some_and(|presence| shows.contains(&Show::of(&presence.content)))
        }
    }
}

/// Hands it to one session, unless its list keeps it away. Nobody hears if there is no room.
fn hand(server: &Server, session: &Session, from: &Jid, offer: impl FnOnce() -> Offered) {
    if session.is_closing() || check::denies(server, session, from, What::Message) {
        return;
    }
    match offer() {
        Offered::Queued => server.counters.delivered.add(Name::Message),
        Offered::Deferred | Offered::Spared => {}
        Offered::Full | Offered::Gone => server.counters.dropped.add(),
    }
}
