//! Occupants: a nickname in a room, with one or several sessions of the same account behind it (section 7.2.9), and the id by which
//! others know them whatever their nickname (XEP-0421).

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Role, occupant_id_tree};
use metronome_proto::xml::Content;
use sha2::{Digest, Sha256};

use crate::room::Room;

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq)]
pub struct Occupant {
    /// The nickname.
    pub nick: Box<str>,
    /// The address of the account, bare.
    pub jid: Jid,
    /// What they may do now.
    pub role: Role,
    /// At least one; the last is the one whose presence others see.
    pub sessions: Vec<Session>,
    /// XEP-0421: the same for the same account, and nothing can be learnt from it.
    pub id: Box<str>,
    /// Who sees their presence.
    pub audience: Audience,
    /// The nickname as an address.
    pub(crate) address: Jid,
    /// The element with the id, which goes with all that they say.
    pub(crate) mark: Content,
    /// The element with their hats (XEP-0317), if they wear any.
    pub(crate) hats: Content,
    /// What those are shown who may see real addresses, and the others.
    pub(crate) open: Content,
    pub(crate) veiled: Content,
}

/// One connection of an occupant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its full address.
    pub jid: Jid,
    /// The id of the account, if it is one of this server.
    pub account: Option<[u8; 16]>,
    /// The content of its last presence, without anything that only rooms may say.
    pub presence: Content,
    /// When it entered, Unix time in milliseconds.
    pub entered_ms: u64,
}

/// Who sees the presence of an occupant; it does itself in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// All who are in the room.
    Everybody,
    /// Moderators only.
    Moderators,
    /// Nobody: the room is too large.
    Nobody,
}

impl Audience {
    /// Whether others with this role are among them.
    pub fn has(self, role: Role) -> bool {
        match self {
            Audience::Everybody => role != Role::None,
            Audience::Moderators => role == Role::Moderator,
            Audience::Nobody => false,
        }
    }
}

impl Occupant {
    /// Somebody who comes with a session, which is none of its own yet.
    pub(crate) fn new(room: &Room, nick: &str, role: Role, session: &Session) -> Occupant {
        let jid = session.jid.bare();
        let id = occupant_id(&room.secret, &jid, session.account.as_ref());
        Occupant {
            nick: nick.into(),
            role,
            sessions: Vec::new(),
            audience: Audience::Everybody,
            address: room.occupant_jid(nick),
            mark: Content::from_tree(&occupant_id_tree(&id)),
            hats: crate::hats::worn(room, &jid),
            id,
            jid,
            open: Content::empty(),
            veiled: Content::empty(),
        }
    }

    /// The session whose presence is shown.
    pub(crate) fn shown(&self) -> &Session {
        self.sessions.last().expect("an occupant without a session is removed")
    }

    /// The addresses of its sessions.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Jid> {
        self.sessions.iter().map(|session| session.jid.clone())
    }
}

/// The id of an account in a room (XEP-0421 section 5): 64 characters. `secret` is the room's own, `jid` is taken as a bare address. Where
/// the account behind it is known it is part of the id, so that whoever has the address after it is deleted is not taken for it.
pub fn occupant_id(secret: &[u8; 32], jid: &Jid, account: Option<&[u8; 16]>) -> Box<str> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    mac.update(jid.bare_str().as_bytes());
    if let Some(account) = account {
        // No address has this character.
        mac.update(&[0]);
        mac.update(account);
    }
    hex(&mac.finalize().into_bytes()).into()
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_the_account_and_another_in_another_room() {
        let jid = |text| Jid::parse(text).unwrap();
        let (one, other) = ([1; 32], [2; 32]);
        let id = occupant_id(&one, &jid("hag66@shakespeare.lit/pda"), None);
        assert_eq!(id.len(), 64);
        assert_eq!(id, occupant_id(&one, &jid("hag66@shakespeare.lit"), None));
        assert_ne!(id, occupant_id(&other, &jid("hag66@shakespeare.lit"), None));
        assert_ne!(id, occupant_id(&one, &jid("crone1@shakespeare.lit"), None));
    }

    #[test]
    fn an_address_that_another_account_has_is_somebody_else() {
        let jid = Jid::parse("hag66@shakespeare.lit").unwrap();
        let id = |account: Option<&[u8; 16]>| occupant_id(&[1; 32], &jid, account);
        assert_eq!(id(Some(&[1; 16])), id(Some(&[1; 16])));
        assert_ne!(id(Some(&[1; 16])), id(Some(&[2; 16])));
        assert_ne!(id(Some(&[1; 16])), id(None));
    }
}
