//! XEP-0045: Multi-User Chat, and the documents that add to its elements (XEP-0249, XEP-0307, XEP-0317, XEP-0421, XEP-0425, XEP-0463,
//! XEP-0500): what occupants, moderators, administrators and owners ask for, and what they are told. The form with the configuration of
//! a room stays a form here; the crate `muc` knows what its fields mean.

mod admin;
mod conference;
pub mod hats;
mod join;
mod moderate;
mod occupant;
mod owner;
mod registration;
pub mod status;
#[cfg(test)]
mod tests;
pub mod unique;
mod user;
mod versions;
mod voice;

pub use admin::{AdminRequest, Item, Listing, list_tree};
pub use conference::Conference;
pub use hats::Hat;
pub use join::{History, Join};
pub use moderate::{Moderate, Moderation, ModerationForm};
pub use occupant::{OCCUPANT_ID_BYTES_MAX, occupant_id, occupant_id_tree, without_occupant_ids};
pub use owner::{OwnerRequest, configuration_tree};
pub use registration::{Registration, RegistrationDecision, RegistrationRequest};
pub use user::{Actor, Continue, Decline, Destroy, Invite, UserItem, UserX};
pub use versions::Mav;
pub use voice::{VoiceDecision, VoiceForm};

use super::Malformed;
use crate::jid::{Jid, prepare_resource};
use crate::xml::{Child, Tree};

/// The field of the configuration with the seconds between two messages of an occupant (XEP-0500).
pub const SLOW_MODE_CONFIG: &str = "muc#roomconfig_slow_mode_duration";

/// The same among what everybody may know of a room (XEP-0500).
pub const SLOW_MODE_INFO: &str = "muc#roominfo_slow_mode_duration";

/// Most bytes of a reason: rooms store those of affiliations and send them to every occupant.
pub const REASON_BYTES_MAX: usize = 4096;

/// Most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1023;

/// Most bytes of the id of a message or of a conversation, and of a version of the affiliations.
pub const ID_BYTES_MAX: usize = 1023;

/// Most items that one request names, and one list shows.
pub const ITEMS_MAX: usize = 1000;

/// Most people that one message invites.
pub const INVITES_MAX: usize = 100;

/// What somebody is to a room for as long as the room is there, section 5.2; who may do more is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Affiliation {
    /// May not enter.
    Outcast,
    /// Nothing in particular.
    #[default]
    None,
    /// May enter where only members may.
    Member,
    /// May change who is what, but for owners and administrators.
    Admin,
    /// May do everything, also end the room.
    Owner,
}

impl Affiliation {
    /// All of them.
    pub const ALL: [Affiliation; 5] =
        [Affiliation::Outcast, Affiliation::None, Affiliation::Member, Affiliation::Admin, Affiliation::Owner];

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Affiliation::Outcast => "outcast",
            Affiliation::None => "none",
            Affiliation::Member => "member",
            Affiliation::Admin => "admin",
            Affiliation::Owner => "owner",
        }
    }

    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<Affiliation> {
        Affiliation::ALL.into_iter().find(|affiliation| affiliation.as_str() == attr)
    }
}

/// What an occupant is in a room for as long as it is there, section 5.1; who may do more is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Is not in the room.
    #[default]
    None,
    /// May listen.
    Visitor,
    /// May speak to all.
    Participant,
    /// May remove others, and give and take voice.
    Moderator,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::None, Role::Visitor, Role::Participant, Role::Moderator];

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::None => "none",
            Role::Visitor => "visitor",
            Role::Participant => "participant",
            Role::Moderator => "moderator",
        }
    }

    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == attr)
    }
}

/// The text of a child; none is none, and so is an empty one.
fn text(element: &Child<'_>, ns: &str, name: &str, bytes_max: usize) -> Result<Option<Box<str>>, Malformed> {
    let Some(child) = element.child(ns, name) else { return Ok(None) };
    bounded(&child.text(), bytes_max)
}

/// A text as long as it may be; an empty one is none.
fn bounded(text: &str, bytes_max: usize) -> Result<Option<Box<str>>, Malformed> {
    if text.len() > bytes_max {
        return Err(Malformed("a text that is too long"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(Box::from))
}

/// An attribute as long as it may be; an empty one is none.
fn bounded_attr(element: &Child<'_>, attr: &str, bytes_max: usize) -> Result<Option<Box<str>>, Malformed> {
    element.attr(attr).map_or(Ok(None), |text| bounded(&text, bytes_max))
}

/// An address in an attribute; an empty one is none.
fn jid_attr(element: &Child<'_>, attr: &str) -> Result<Option<Jid>, Malformed> {
    let jid = element.attr(attr).filter(|jid| !jid.is_empty());
    jid.map(|jid| Jid::parse(&jid).map_err(|_| Malformed("an address that is none"))).transpose()
}

/// A nickname as the resource of an address has it (section 4.2 and RFC 7622); an empty one is none.
fn nick_of(text: &str) -> Result<Option<Box<str>>, Malformed> {
    if text.is_empty() {
        return Ok(None);
    }
    match prepare_resource(text) {
        Ok(nick) => Ok(Some(nick.into())),
        Err(_) => Err(Malformed("a nickname that cannot be one")),
    }
}

fn nick_attr(element: &Child<'_>) -> Result<Option<Box<str>>, Malformed> {
    element.attr("nick").map_or(Ok(None), |nick| nick_of(&nick))
}

/// An affiliation or a role in an attribute.
fn word_attr<T>(element: &Child<'_>, attr: &str, of: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Malformed> {
    let word = element.attr(attr);
    word.map(|word| of(&word).ok_or(Malformed("an affiliation or a role that there is not"))).transpose()
}

/// A child with text, if there is any.
fn text_tree(ns: &str, name: &str, text: Option<&str>) -> Option<Tree> {
    text.map(|text| Tree::new(ns, name).text(text))
}
