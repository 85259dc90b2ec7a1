//! Which passwords people may choose: for new accounts and for changes by the account itself. Administrators may give any password that
//! can be one.

use metronome_host::options::{Kind, Setting, Values};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_sasl::{Password, PasswordError};

/// How short a password may be.
pub const LENGTH_MIN: Setting = Setting::new(
    "registration.password.min",
    Kind::Count { min: 1, max: 128 },
    "8",
    "Fewest characters of a password that somebody chooses in-band.",
)
.per_host();

/// How long it may be.
pub const LENGTH_MAX: Setting = Setting::new(
    "registration.password.max",
    Kind::Count { min: 8, max: 1024 },
    "128",
    "Most characters of a password that somebody chooses in-band.",
)
.per_host();

/// What else it must have.
pub const RULE: Setting = Setting::new(
    "registration.password.rule",
    Kind::Choice(&["mixed", "length"]),
    "\"mixed\"",
    "What a password that somebody chooses in-band must have: `mixed` wants an upper-case letter, and a digit or a punctuation mark; \
     with `length` only its length counts.",
)
.per_host();

/// Why somebody may not choose a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Fewer characters than this.
    #[error("the password must have at least {0} characters")]
    Short(u64),
    /// More characters than this.
    #[error("the password must have at most {0} characters")]
    Long(u64),
    /// One kind of characters only.
    #[error("the password must have an upper-case letter, and a digit or a punctuation mark")]
    Plain,
    /// It cannot be a password at all.
    #[error(transparent)]
    Unfit(#[from] PasswordError),
}

/// The password, if somebody may choose it.
pub fn judge(values: &Values, text: &str) -> Result<Password, Weak> {
    let password = Password::new(text)?;
    let (min, max) = (values.count(&LENGTH_MIN), values.count(&LENGTH_MAX));
    let length = text.chars().count() as u64;
    if length < min {
        return Err(Weak::Short(min));
    }
    if length > max {
        return Err(Weak::Long(max));
    }
    if is_mixed(values) && !(text.chars().any(char::is_uppercase) && text.chars().any(is_digit_or_mark)) {
        return Err(Weak::Plain);
    }
    Ok(password)
}

fn is_mixed(values: &Values) -> bool {
    values.text(&RULE) == "mixed"
}

fn is_digit_or_mark(c: char) -> bool {
    c.is_numeric() || !(c.is_alphanumeric() || c.is_whitespace())
}

/// What people are told before they choose one.
pub fn instructions(values: &Values) -> String {
    let length = format!("A password has {} to {} characters", values.count(&LENGTH_MIN), values.count(&LENGTH_MAX));
    match is_mixed(values) {
        true => format!("{length}, among them an upper-case letter, and a digit or a punctuation mark."),
        false => format!("{length}."),
    }
}

impl From<&Weak> for StanzaError {
    fn from(weak: &Weak) -> StanzaError {
        StanzaError::new(Condition::NotAcceptable).with_text(weak.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values::defaults(&[crate::register::FEATURE.settings])
    }

    #[test]
    fn a_password_has_an_upper_case_letter_and_a_digit_or_a_punctuation_mark() {
        for good in ["Passw0rd", "Password!", "Correct-horse", "Ünïcode1", "pässWörter٣", "Étoile étoile ✨"] {
            assert!(judge(&values(), good).is_ok(), "{good}");
        }
        for plain in ["password", "passw0rd", "Password", "PASSWORD", "Correct Horse", "12345678"] {
            assert_eq!(judge(&values(), plain).err(), Some(Weak::Plain), "{plain}");
        }
    }

    #[test]
    fn a_password_has_bounds_counted_in_characters() {
        let values = values().with("registration.password.max", "30");
        assert_eq!(judge(&values, "Ünï1").err(), Some(Weak::Short(8)));
        assert!(judge(&values, &format!("Ü1{}", "ï".repeat(28))).is_ok());
        assert_eq!(judge(&values, &format!("Ü1{}", "ï".repeat(29))).err(), Some(Weak::Long(30)));
    }

    #[test]
    fn where_length_counts_nothing_else_does() {
        let values = values().with("registration.password.rule", "\"length\"");
        assert!(judge(&values, "correct horse battery staple").is_ok());
        assert_eq!(judge(&values, "Passw0r").err(), Some(Weak::Short(8)));
        assert!(instructions(&values).ends_with("8 to 128 characters."));
    }

    #[test]
    fn what_cannot_be_a_password_is_none() {
        assert_eq!(judge(&values(), "").err(), Some(Weak::Unfit(PasswordError::Empty)));
        assert_eq!(judge(&values(), "Passw0rd\u{7}").err(), Some(Weak::Unfit(PasswordError::Forbidden)));
        assert_eq!(judge(&values(), &"P1".repeat(513)).err(), Some(Weak::Unfit(PasswordError::TooLong)));
    }
}
