//! Passwords, prepared: SASLprep (RFC 4013) as SCRAM asks for, with two of its limits lifted: code points newer than
//! Unicode 3.2 are allowed (emoji), and directions of writing may mix, as a password is never shown.

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

use crate::secret::Secret;

/// The longest password, in bytes: bounds the work before a login.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A prepared password: two texts that a person takes for the same one derive the same keys. Wiped when dropped.
#[derive(Clone, Debug)]
pub struct Password(Secret<String>);

/// Why a text cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing is left after preparation.
    #[error("the password is empty")]
    Empty,
    /// Longer than [`PASSWORD_BYTES_MAX`].
    #[error("the password is longer than 1024 bytes")]
    TooLong,
    /// A control character or another code point that SASLprep forbids.
    #[error("the password has a character that is not allowed")]
    Forbidden,
}

impl Password {
    /// Prepares a password.
    pub fn new(text: &str) -> Result<Password, PasswordError> {
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::TooLong);
        }
        let prepared = Secret::new(if text.is_ascii() { text.to_owned() } else { map(text) });
        if prepared.expose().is_empty() {
            return Err(PasswordError::Empty);
        }
        if prepared.expose().chars().any(is_forbidden) {
            return Err(PasswordError::Forbidden);
        }
        Ok(Password(prepared))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

fn map(text: &str) -> String {
    let kept = text.chars().filter(|&c| !tables::commonly_mapped_to_nothing(c));
    let spaced = kept.map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c });
    // Sized for the whole, as growing would leave an unwiped copy behind.
    let mut prepared = String::with_capacity(text.len() * 12);
    prepared.extend(spaced.nfkc());
    prepared
}

/// The prohibited output of RFC 4013 section 2.3.
fn is_forbidden(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> Result<String, PasswordError> {
        Password::new(text).map(|password| password.0.expose().clone())
    }

    /// The examples of RFC 4013 section 3, but for the last: mixed directions are allowed here.
    #[test]
    fn rfc_4013_examples() {
        assert_eq!(prepared("I\u{AD}X").unwrap(), "IX");
        assert_eq!(prepared("user").unwrap(), "user");
        assert_eq!(prepared("USER").unwrap(), "USER");
        assert_eq!(prepared("\u{AA}").unwrap(), "a");
        assert_eq!(prepared("\u{2168}").unwrap(), "IX");
        assert_eq!(prepared("\u{7}"), Err(PasswordError::Forbidden));
    }

    #[test]
    fn spaces_and_emoji_are_allowed_and_nothing_is_not() {
        assert_eq!(prepared("correct horse").unwrap(), "correct horse");
        assert_eq!(prepared("a\u{A0}b").unwrap(), "a b");
        assert_eq!(prepared("\u{1F980}\u{1FAE8}").unwrap(), "\u{1F980}\u{1FAE8}");
        assert_eq!(prepared(""), Err(PasswordError::Empty));
        assert_eq!(prepared("\u{AD}"), Err(PasswordError::Empty));
        assert_eq!(prepared(&"x".repeat(1025)), Err(PasswordError::TooLong));
    }

    #[test]
    fn composed_and_decomposed_are_the_same_password() {
        assert_eq!(prepared("caf\u{E9}"), prepared("cafe\u{301}"));
    }
}
