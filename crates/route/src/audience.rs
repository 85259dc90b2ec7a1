//! Which sessions of an account get a message now (RFC 6121 section 8.5), with the reason for the log.

use metronome_host::server::Server;
use metronome_host::sessions::Devices;
use metronome_model::AccountId;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::{Kind, Stanza};

/// Who gets it.
#[derive(Debug)]
pub(crate) struct Audience {
    /// The sessions; empty for nobody.
    pub(crate) sessions: Devices,
    /// Whether it goes to the one session that its full JID names.
    pub(crate) direct: bool,
    /// The rule that decided.
    pub(crate) why: &'static str,
}

impl Audience {
    fn nobody(why: &'static str) -> Audience {
        Audience { sessions: Devices::new(), direct: false, why }
    }
}

/// Chooses the sessions of `account` that get this message: one look at the table, then no lock is held.
pub(crate) fn choose(server: &Server, account: AccountId, stanza: &Stanza) -> Audience {
    let Kind::Message(kind) = stanza.kind else { return Audience::nobody("not a message") };
    let mut sessions = server.sessions.of(account);
    // One that is being closed takes nothing any more, and must not stand in another's way.
    sessions.retain(|session| !session.is_closing());
    if let Some(to) = stanza.to.as_ref().filter(|to| to.is_full()) {
        if let Some(at) = sessions.iter().position(|session| session.jid == *to) {
            let named = sessions.swap_remove(at);
            return Audience { sessions: Devices::from_iter([named]), direct: true, why: "its full JID is connected" };
        }
        if !matches!(kind, MessageType::Chat | MessageType::Normal) {
            return Audience::nobody("its full JID is not connected");
        }
    }
    match kind {
        MessageType::Chat | MessageType::Normal => {
            let highest =
                sessions.iter().filter_map(|session| session.priority()).max().filter(|&highest| highest >= 0);
            sessions.retain(|session| highest.is_some() && session.priority() == highest);
            Audience { sessions, direct: false, why: "the available sessions of the highest priority" }
        }
        MessageType::Headline => {
            sessions.retain(|session| session.priority().is_some_and(|priority| priority >= 0));
            Audience { sessions, direct: false, why: "all available sessions" }
        }
        MessageType::Groupchat | MessageType::Error => Audience::nobody("only a connected full JID gets these"),
    }
}
