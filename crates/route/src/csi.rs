//! What clients say about whether anybody looks at them (XEP-0352), and what that means for what they are given.

use metronome_features::csi;
use metronome_host::activity::Passing;
use metronome_host::outbox::Frame;
use metronome_host::server::Server;
use metronome_host::session::{Offered, Session};
use metronome_proto::ns;
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::Element;

/// Takes what a client says with an element that is no stanza; false if it says something else. It counts at once, before whatever the
/// client sends behind it (section 5.1).
pub fn is_said(server: &Server, session: &Session, element: &Element) -> bool {
    let activity = Some(element.name()).filter(|_| element.ns() == ns::CSI);
    match activity.and_then(|name| csi::activity(server, session, name)) {
        Some(activity) => {
            session.set_activity(activity);
            true
        }
        None => false,
    }
}

/// What a message that is not stored is to people who do not look; none if it matters.
pub(crate) fn passing(stanza: &Stanza) -> Option<Passing> {
    csi::decide(stanza).passing
}

/// Offers a message that is not stored, or a copy of one. `passing` is what the message is.
pub(crate) fn offer(session: &Session, frame: Frame, stanza: &Stanza, passing: Option<Passing>) -> Offered {
    match passing_to(session, stanza, passing) {
        None => session.offer_volatile(frame),
        Some(passing) => session.offer_passing(frame, passing),
    }
}

/// The same without waking the session's task, which whoever calls it does a moment later.
pub(crate) fn offer_unwoken(session: &Session, frame: Frame, stanza: &Stanza, passing: Option<Passing>) -> Offered {
    match passing_to(session, stanza, passing) {
        None => session.offer_volatile_unwoken(frame),
        Some(passing) => session.offer_passing_unwoken(frame, passing),
    }
}

/// What the message is to this session: none if it matters.
fn passing_to(session: &Session, stanza: &Stanza, passing: Option<Passing>) -> Option<Passing> {
    passing.filter(|passing| *passing != Passing::Room || !is_mentioned(session, stanza))
}

/// Under which nickname a session is in a room, its own presence has said.
fn is_mentioned(session: &Session, stanza: &Stanza) -> bool {
    if session.is_active() {
        return false;
    }
    let own = session.directed_within(stanza.from.bare_str());
    csi::mentions(stanza, own.as_ref().and_then(|own| own.resource()))
}
