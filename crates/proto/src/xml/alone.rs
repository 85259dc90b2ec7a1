//! The bytes of an element inside another, made to stand alone: what is declared around it and used in it is declared on it.
//! Used for what is kept or passed on as it was sent, such as the payload of an item; nothing else in the bytes changes.

use std::borrow::Cow;

use memchr::memmem;

use super::child::Child;
use super::raw::{Token, Tokens};
use super::write;

/// Most bytes of declarations that one element may bring along; they may stand once around many elements.
const ADDED_MAX: usize = 4096;

/// More is declared around an element than it may bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more declarations around an element than it may bring along")]
pub struct TooMuchAround;

impl<'a> Child<'a> {
    /// Its bytes with every declaration that they need. Almost always they have them all, and nothing is copied.
    pub fn alone(&self) -> Result<Cow<'a, [u8]>, TooMuchAround> {
        let tag = self.tag();
        let declares = |wanted: &str| tag.declarations().any(|(prefix, _)| prefix == wanted);
        let mut more = Vec::new();
        if !declares("") && (tag.prefix().is_empty() || self.has_plain_names()) {
            write::attribute(&mut more, "xmlns", self.scope().namespace(""));
        }
        for (prefix, name) in self.scope().prefixes() {
            if more.len() > ADDED_MAX {
                break;
            }
            if !declares(prefix) && memmem::find(self.bytes(), format!("{prefix}:").as_bytes()).is_some() {
                write::attribute(&mut more, &format!("xmlns:{prefix}"), name);
            }
        }
        match more.len() {
            0 => Ok(Cow::Borrowed(self.bytes())),
            1..=ADDED_MAX => {
                let (name, rest) = self.bytes().split_at(1 + tag.raw_name().len());
                Ok(Cow::Owned([name, &more, rest].concat()))
            }
            _ => Err(TooMuchAround),
        }
    }

    /// Whether an element inside it has no prefix, so that a default namespace around it may matter.
    fn has_plain_names(&self) -> bool {
        let mut tokens = Tokens::new(self.bytes(), self.content_start());
        tokens.any(|token| matches!(token, Token::Open(tag) if tag.prefix().is_empty()))
    }
}
