//! Roster pushes (RFC 6121 section 2.1.6): what sessions that have asked for the roster are told of a change.

use metronome_host::contacts::Fixed;
use metronome_host::effect::Push;
use metronome_host::groups::GroupContact;
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{AccountId, Contact};
use metronome_proto::jid::Jid;
use metronome_proto::payload::roster;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::{Content, Tree};

use super::view;

/// Tells the sessions of `owner` that have asked for the roster of a row that has changed. Never dropped: a session that does not
/// read its pushes is closed and asks for the roster again.
pub fn tell(server: &Server, owner: AccountId, contact: &Contact, push: Push) {
    if push == Push::Nothing {
        return;
    }
    let contacts = server.sessions.contacts(owner);
    let fixed = contacts.as_ref().and_then(|contacts| contacts.get(contact.jid.as_str())).map(|known| known.fixed);
    let fingerprint = contacts.as_ref().map_or(0, |contacts| contacts.groups);
    for session in server.sessions.of(owner).iter().filter(|session| session.is_interested()) {
        let groups = match (fixed, server.hosts.load().get(session.jid.domain())) {
            (Some(Fixed::ByGroup | Fixed::ToGroup), Some(host)) => host.groups.contacts_of(session.jid.bare_str()),
            _ => Vec::new(),
        };
        let frame = match push {
            Push::Removal if groups.is_empty() => removal(server, session, contact, fingerprint),
            _ => item(server, session, contact, &groups, fingerprint),
        };
        session.answer(frame);
    }
}

/// The push of an item as it is now.
pub(super) fn item(
    server: &Server,
    session: &Session,
    contact: &Contact,
    groups: &[GroupContact],
    fingerprint: u64,
) -> Frame {
    write(server, session, contact, fingerprint, view::item(contact, member(groups, &contact.jid)))
}

/// Whether clients see another item than that of the groups that they were told of.
pub(super) fn is_changed(contact: &Contact, told: &[GroupContact], now: &GroupContact) -> bool {
    member(told, &contact.jid).is_none_or(|told| view::item(contact, Some(told)) != view::item(contact, Some(now)))
}

/// The members are in the order of their addresses.
fn member<'g>(groups: &'g [GroupContact], jid: &Jid) -> Option<&'g GroupContact> {
    groups.binary_search_by(|member| member.jid.cmp(jid)).ok().map(|at| &groups[at])
}

/// The push of an item that is gone.
pub(super) fn removal(server: &Server, session: &Session, contact: &Contact, fingerprint: u64) -> Frame {
    write(server, session, contact, fingerprint, roster::removal(&contact.jid))
}

fn write(server: &Server, session: &Session, contact: &Contact, fingerprint: u64, item: Tree) -> Frame {
    let version = view::version(session.account, contact.version, fingerprint);
    // No `from`-less stanza: it comes from the account itself, which is the only sender that a client may believe.
    let stanza = Stanza::new(Kind::Iq(IqType::Set), session.jid.bare())
        .with_to(session.jid.clone())
        .with_id(&format!("roster-{}", server.rng.token()))
        .with_content(Content::from_tree(&roster::query(&version).child(item)));
    Frame::whole(stanza.to_vec())
}
