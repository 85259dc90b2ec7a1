//! The hash in presence (XEP-0153), and how a server adds it (XEP-0398 section 4).

use crate::ns;
use crate::xml::{Child, Content, Tree};

/// What a presence says about the avatar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The client does not know yet.
    NotReady,
    /// There is none.
    Nothing,
    /// Its SHA-1 hash, in hexadecimal digits.
    Hash(Box<str>),
}

impl Update {
    /// What a presence says; nothing, if its client does not know of such avatars.
    pub fn of(presence: &Content) -> Option<Update> {
        presence.child(ns::VCARD_UPDATE, "x").map(|x| Update::read(&x))
    }

    fn read(x: &Child<'_>) -> Update {
        match x.child(ns::VCARD_UPDATE, "photo") {
            None => Update::NotReady,
            Some(photo) => match photo.text().trim() {
                "" => Update::Nothing,
                hash => Update::Hash(hash.into()),
            },
        }
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        let photo = Tree::new(ns::VCARD_UPDATE, "photo");
        let photo = match self {
            Update::NotReady => None,
            Update::Nothing => Some(photo),
            Update::Hash(hash) => Some(photo.text(hash)),
        };
        Tree::new(ns::VCARD_UPDATE, "x").children(photo)
    }
}

/// The available presence of an account with this avatar, if something has to be added to it or replaced in it: whoever says that there is
/// none keeps saying so. Without an avatar only what says nothing yet is replaced.
pub fn amended(presence: &Content, avatar: Option<&str>) -> Option<Content> {
    let said = Update::of(presence);
    let amended = match (avatar, &said) {
        (_, Some(Update::Nothing)) | (None, None | Some(Update::Hash(_))) => return None,
        (Some(hash), Some(Update::Hash(said))) if said.eq_ignore_ascii_case(hash) => return None,
        (None, Some(Update::NotReady)) => Update::Nothing,
        (Some(hash), _) => Update::Hash(hash.into()),
    };
    let rest = match said {
        Some(_) => presence.clone().without(|child| child.is(ns::VCARD_UPDATE, "x")),
        None => presence.clone(),
    };
    Some(rest.with(&amended.tree()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(x: &str, avatar: Option<&str>) -> Option<String> {
        let presence = Content::parse(format!("<show>away</show>{x}").as_bytes()).unwrap();
        let amended = amended(&presence, avatar)?;
        Some(String::from_utf8(amended.bytes().to_vec()).unwrap().replacen("<show>away</show>", "", 1))
    }

    const SUPPORTED: &str = "<x xmlns='vcard-temp:x:update'/>";
    const NONE: &str = "<x xmlns='vcard-temp:x:update'><photo/></x>";
    const OURS: &str = "<x xmlns='vcard-temp:x:update'><photo>01b87fcd</photo></x>";
    const OTHER: &str = "<x xmlns='vcard-temp:x:update'><photo>999</photo></x>";

    #[test]
    fn the_hash_is_added_unless_the_client_says_that_there_is_no_avatar() {
        let avatar = Some("01b87fcd");
        assert_eq!(of("", avatar).as_deref(), Some(OURS));
        assert_eq!(of(SUPPORTED, avatar).as_deref(), Some(OURS));
        assert_eq!(of(OTHER, avatar).as_deref(), Some(OURS));
        assert_eq!(of(NONE, avatar), None);
        assert_eq!(of(OURS, avatar), None);
        assert_eq!(of(&OURS.replace("01b87fcd", " 01B87FCD "), avatar), None);
    }

    #[test]
    fn without_an_avatar_nothing_is_added() {
        assert_eq!(of("", None), None);
        assert_eq!(of(OTHER, None), None);
        assert_eq!(of(NONE, None), None);
        assert_eq!(of(SUPPORTED, None).as_deref(), Some(NONE));
    }

    #[test]
    fn an_update_is_read_as_it_was_written() {
        for update in [Update::NotReady, Update::Nothing, Update::Hash("01b8".into())] {
            assert_eq!(Update::of(&Content::from_tree(&update.tree())), Some(update));
        }
        assert_eq!(Update::of(&Content::empty()), None);
    }
}
