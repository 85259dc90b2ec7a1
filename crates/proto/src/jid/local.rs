//! The local part: Nodeprep (RFC 6122 appendix A) over current Unicode tables.
//! Called by `Jid` and by whoever takes an account name from a person.

use std::borrow::Cow;

use stringprep::tables::{bidi_l, bidi_r_or_al, case_fold_for_nfkc, inappropriate_for_canonical_representation};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::unicode::{ASCII_UPPER, NON_ASCII, is_dropped, is_forbidden, scan, until_stable};
use super::{JidError, Part, check_prepared, check_raw};

const FORBIDDEN: u8 = 0x80;

/// What each byte of a local part asks for: nothing, lower case, refusal, or the slow path.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0..=0x20 | 0x7F | b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@' => FORBIDDEN,
            b'A'..=b'Z' => ASCII_UPPER,
            0x80.. => NON_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Prepares a local part: folds case, normalises to NFKC, drops what RFC 6122 maps to nothing.
///
/// Fails on an empty result, on more than 1023 bytes, on spaces, controls, `"&'/:<>@`, unassigned code points, and where
/// left-to-right and right-to-left letters are mixed. Applying it twice changes nothing more.
pub fn prepare_local(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_raw(text, Part::Local)?;
    let found = scan(&CLASSES, text);
    if found & NON_ASCII == 0 {
        check_prepared(text, Part::Local)?;
        return match found {
            0 => Ok(Cow::Borrowed(text)),
            ASCII_UPPER => Ok(Cow::Owned(text.to_ascii_lowercase())),
            _ => Err(JidError::Forbidden(Part::Local)),
        };
    }
    let prepared = until_stable(text, |text| Some(map(text))).ok_or(JidError::Forbidden(Part::Local))?;
    check_prepared(&prepared, Part::Local)?;
    let forbidden = |c| is_forbidden(c) || inappropriate_for_canonical_representation(c);
    if scan(&CLASSES, &prepared) & FORBIDDEN != 0 || prepared.chars().any(forbidden) || !is_one_direction(&prepared) {
        return Err(JidError::Forbidden(Part::Local));
    }
    Ok(if prepared == text { Cow::Borrowed(text) } else { Cow::Owned(prepared) })
}

/// One round of mapping: drop, fold, normalise. Folding knows Unicode 3.2 only, so newer scripts are put in lower case.
fn map(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + 8);
    for c in text.chars().filter(|&c| !is_dropped(c)) {
        let before = folded.len();
        folded.extend(case_fold_for_nfkc(c));
        if folded[before..].chars().eq([c]) {
            folded.truncate(before);
            folded.extend(c.to_lowercase());
        }
    }
    folded.nfkc().collect()
}

/// RFC 3454 section 6, except that digits and marks may end a right-to-left name as in RFC 5893.
fn is_one_direction(text: &str) -> bool {
    if !text.chars().any(bidi_r_or_al) {
        return true;
    }
    let ends_well = text.chars().rev().find(|&c| !is_combining_mark(c) && !c.is_numeric()).is_some_and(bidi_r_or_al);
    !text.chars().any(bidi_l) && text.chars().next().is_some_and(bidi_r_or_al) && ends_well
}
