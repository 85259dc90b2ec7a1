//! What of a room everybody may read, also outside of it and without being anybody: what was said while it was open to all and its owners let
//! it be recorded in public, as all who enter are told (status 170, section 7.2.12). What was said before stays among those who may enter.

use crate::config::{ARCHIVING, Config, LOGGED_SINCE, LOGGING, MEMBERS_ONLY, PASSWORD_PROTECTED, PUBLIC};

/// Since when everything is public that is said in a room with this configuration, in Unix milliseconds (0 for one that was never otherwise);
/// none if it is not.
pub fn public_since(config: &Config) -> Option<u64> {
    is_public(config).then(|| config.number(&LOGGED_SINCE))
}

fn is_public(config: &Config) -> bool {
    let is_open = config.is_on(&PUBLIC) && !config.is_on(&MEMBERS_ONLY) && !config.is_on(&PASSWORD_PROTECTED);
    is_open && config.is_on(&LOGGING) && config.is_on(&ARCHIVING)
}

/// A configuration that follows another, with what it remembers of since when.
pub(crate) fn dated(before: &Config, after: Config, now_ms: u64) -> Config {
    match (is_public(before), is_public(&after)) {
        (true, true) => after,
        // What was said in the same millisecond may have been said before.
        (false, true) => after.with(&LOGGED_SINCE, &now_ms.saturating_add(1).to_string()),
        (_, false) => after.with(&LOGGED_SINCE, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_000;

    fn after(before: &Config, field: &crate::config::Field, value: &str, at_ms: u64) -> Config {
        dated(before, before.clone().with(field, value), at_ms)
    }

    #[test]
    fn only_what_is_said_after_everybody_was_told_is_public() {
        let quiet = Config::default();
        assert_eq!(public_since(&quiet), None);
        let logged = after(&quiet, &LOGGING, "1", NOW_MS);
        assert_eq!(public_since(&logged), Some(NOW_MS + 1));
        let other = after(&logged, &crate::config::NAME, "Coven", NOW_MS + 1);
        assert_eq!(public_since(&other), Some(NOW_MS + 1), "a change of something else changes nothing");
        let not = after(&other, &LOGGING, "0", NOW_MS + 2);
        assert_eq!(public_since(&not), None);
        assert_eq!(public_since(&after(&not, &LOGGING, "1", NOW_MS + 3)), Some(NOW_MS + 4));
    }

    #[test]
    fn a_room_that_is_not_open_to_all_is_not_public_and_neither_is_what_was_said_in_it() {
        let logged = after(&Config::default(), &LOGGING, "1", NOW_MS);
        for (field, value, back) in
            [(&MEMBERS_ONLY, "1", "0"), (&PASSWORD_PROTECTED, "1", "0"), (&PUBLIC, "0", "1"), (&ARCHIVING, "0", "1")]
        {
            let closed = after(&logged, field, value, NOW_MS + 1);
            assert_eq!(public_since(&closed), None, "{}", field.var);
            assert_eq!(public_since(&after(&closed, field, back, NOW_MS + 2)), Some(NOW_MS + 3), "{}", field.var);
        }
    }

    #[test]
    fn a_room_that_began_so_is_public_from_its_beginning() {
        assert_eq!(public_since(&Config::default().with(&LOGGING, "1")), Some(0));
    }
}
