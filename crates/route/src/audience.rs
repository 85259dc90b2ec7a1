//! Which sessions of an account get a message now (RFC 6121 section 8.5), with the reason for the log.

use metronome_features::blocking::check;
use metronome_host::blocking::What;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_host::sessions::Devices;
use metronome_model::AccountId;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};

/// Who gets it.
#[derive(Debug)]
pub(crate) struct Audience {
    /// The sessions; empty for nobody.
    pub(crate) sessions: Devices,
    /// Those of the other sessions that have asked for copies (XEP-0280); not the one that sent the message.
    pub(crate) others: Devices,
    /// Whether it goes to the one session that its full JID names.
    pub(crate) direct: bool,
    /// The rule that decided.
    pub(crate) why: &'static str,
}

impl Audience {
    fn nobody(why: &'static str) -> Audience {
        Audience { sessions: Devices::new(), others: Devices::new(), direct: false, why }
    }

    /// Of these sessions those that `gets` names, and of the rest those that get copies.
    fn of(mut all: Devices, stanza: &Stanza, why: &'static str, gets: impl Fn(&Session) -> bool) -> Audience {
        let mut others = Devices::new();
        all.retain(|session| {
            let is_chosen = gets(session);
            if !is_chosen && session.has_carbons() && session.jid != stanza.from {
                others.push(session.clone());
            }
            is_chosen
        });
        Audience { sessions: all, others, direct: false, why }
    }
}

/// Chooses the sessions of `account` that get this message: one look at the table, then no lock is held.
pub(crate) fn choose(server: &Server, account: AccountId, stanza: &Stanza) -> Audience {
    let Kind::Message(kind) = stanza.kind else { return Audience::nobody("not a message") };
    let mut sessions = server.sessions.of(account);
    // One that is being closed takes nothing any more, and must not stand in another's way.
    sessions.retain(|session| !session.is_closing());
    let named = stanza.to.as_ref().filter(|to| to.is_full());
    if named.is_some_and(|to| sessions.iter().any(|session| session.jid == *to && is_denied(server, session, stanza))) {
        return Audience::nobody("its full JID has blocked the sender");
    }
    // A block may have come since the message was admitted.
    sessions.retain(|session| !is_denied(server, session, stanza));
    if let Some(to) = named {
        if sessions.iter().any(|session| session.jid == *to) {
            let named = Audience::of(sessions, stanza, "its full JID is connected", |session| session.jid == *to);
            return Audience { direct: true, ..named };
        }
        if !matches!(kind, MessageType::Chat | MessageType::Normal) {
            return Audience::nobody("its full JID is not connected");
        }
    }
    match kind {
        MessageType::Chat | MessageType::Normal => {
            let highest =
                sessions.iter().filter_map(|session| session.priority()).max().filter(|&highest| highest >= 0);
            Audience::of(sessions, stanza, "the available sessions of the highest priority", |session| {
                highest.is_some() && session.priority() == highest
            })
        }
        MessageType::Headline => {
            let takes = |session: &Session| session.priority().is_some_and(|priority| priority >= 0);
            Audience::of(sessions, stanza, "all available sessions", takes)
        }
        MessageType::Groupchat | MessageType::Error => Audience::nobody("only a connected full JID gets these"),
    }
}

/// Whether the list that counts for a session keeps this message from it (XEP-0016 section 2.9).
pub(crate) fn is_denied(server: &Server, session: &Session, stanza: &Stanza) -> bool {
    check::denies(server, session, &stanza.from, What::Message)
}
