//! The domain: UTS 46 to U-labels (RFC 7622 section 3.2), or an IP literal. Called by `Jid` and by the configuration.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};

use super::unicode::{ASCII_UPPER, NON_ASCII, scan};
use super::{JidError, Part, check_prepared, check_raw};

const FORBIDDEN: u8 = 0x80;
const HYPHEN: u8 = 4;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' => 0,
            b'-' => HYPHEN,
            b'A'..=b'Z' => ASCII_UPPER,
            0x80.. => NON_ASCII,
            _ => FORBIDDEN,
        };
        byte += 1;
    }
    classes
};

/// Prepares a domain: lower case, NFC, A-labels (`xn--`) to U-labels, one trailing dot dropped; IPv6 in brackets.
///
/// Fails on an empty label, on more than 1023 bytes, and on what UTS 46 forbids. ASCII is letters, digits, `-`, `_` and
/// `.`; the underscore and misplaced hyphens are allowed because such names exist. Applying it twice changes nothing more.
pub fn prepare_domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_raw(text, Part::Domain)?;
    if text.starts_with('[') {
        return ipv6(text);
    }
    let found = scan(&CLASSES, text);
    if found & FORBIDDEN != 0 {
        return Err(JidError::Forbidden(Part::Domain));
    }
    let mapped = if found & NON_ASCII != 0 || found & HYPHEN != 0 && has_a_label(text) {
        to_unicode(text)?
    } else if found & ASCII_UPPER != 0 {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    };
    let name = without_trailing_dot(mapped);
    check_prepared(&name, Part::Domain)?;
    if name.split('.').any(str::is_empty) {
        return Err(JidError::Empty(Part::Domain));
    }
    Ok(name)
}

fn has_a_label(text: &str) -> bool {
    text.as_bytes().windows(4).any(|bytes| bytes.eq_ignore_ascii_case(b"xn--"))
}

fn to_unicode(text: &str) -> Result<Cow<'_, str>, JidError> {
    let uts46 = |text: &str| {
        let (name, verdict) = Uts46::new().to_unicode(text.as_bytes(), AsciiDenyList::URL, Hyphens::Allow);
        verdict.map(|()| name.into_owned()).map_err(|_| JidError::Forbidden(Part::Domain))
    };
    let name = uts46(text)?;
    // Mapping may make ASCII of fullwidth letters, so the ASCII rules are checked again, and that nothing is left to map.
    if scan(&CLASSES, &name) & (FORBIDDEN | ASCII_UPPER) != 0 || uts46(&name)? != name {
        return Err(JidError::Forbidden(Part::Domain));
    }
    Ok(if name == text { Cow::Borrowed(text) } else { Cow::Owned(name) })
}

fn without_trailing_dot(name: Cow<'_, str>) -> Cow<'_, str> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_suffix('.').unwrap_or(name)),
        Cow::Owned(mut name) => {
            if name.ends_with('.') {
                name.pop();
            }
            Cow::Owned(name)
        }
    }
}

fn ipv6(text: &str) -> Result<Cow<'_, str>, JidError> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: Ipv6Addr = inner.and_then(|inner| inner.parse().ok()).ok_or(JidError::Forbidden(Part::Domain))?;
    let canonical = format!("[{address}]");
    Ok(if canonical == text { Cow::Borrowed(text) } else { Cow::Owned(canonical) })
}
