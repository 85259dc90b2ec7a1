//! The resource: OpaqueString (RFC 8265 section 4.2, as RFC 7622 section 3.4 asks), plus complete emoji sequences.
//! Case and compatibility characters stay: a room's nickname comes back as its owner typed it.

use std::borrow::Cow;

use stringprep::tables::non_ascii_space_character;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::unicode::{NON_ASCII, ZWJ, ZWNJ, is_dropped, is_forbidden, is_pictograph, is_tag, scan, until_stable};
use super::{JidError, Part, check_prepared, check_raw};

const FORBIDDEN: u8 = 0x80;
const EMOJI_STYLE: char = '\u{FE0F}';
const BLACK_FLAG: char = '\u{1F3F4}';
const CANCEL_TAG: char = '\u{E007F}';
/// The combining class of viramas, after which joiners choose a letter's shape (RFC 5892 appendix A).
const VIRAMA: u8 = 9;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0..=0x1F | 0x7F => FORBIDDEN,
            0x80.. => NON_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Prepares a resource: normalises to NFC, makes every space U+0020, drops invisible code points outside of sequences
/// where they have a meaning (emoji, after a virama).
///
/// Fails on an empty result, on more than 1023 bytes, on controls and on unassigned code points that are not reserved for
/// emoji. Applying it twice changes nothing more.
pub fn prepare_resource(text: &str) -> Result<Cow<'_, str>, JidError> {
    check_raw(text, Part::Resource)?;
    let found = scan(&CLASSES, text);
    if found & FORBIDDEN != 0 {
        return Err(JidError::Forbidden(Part::Resource));
    }
    if found == 0 {
        check_prepared(text, Part::Resource)?;
        return Ok(Cow::Borrowed(text));
    }
    let prepared = until_stable(text, map).ok_or(JidError::Forbidden(Part::Resource))?;
    check_prepared(&prepared, Part::Resource)?;
    let kept = |c| c == ZWJ || c == ZWNJ || is_tag(c);
    if prepared.chars().any(|c| is_forbidden(c) && c != ' ' && !kept(c)) {
        return Err(JidError::Forbidden(Part::Resource));
    }
    Ok(if prepared == text { Cow::Borrowed(text) } else { Cow::Owned(prepared) })
}

/// One round of mapping; `None` for tag characters outside of a flag.
fn map(text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    let mut last = None;
    let mut in_flag = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let keep = match c {
            EMOJI_STYLE => last.is_some_and(is_pictograph),
            ZWJ => joins(last, chars.peek().copied()),
            ZWNJ => last.is_some_and(is_virama),
            c if is_tag(c) => {
                if !(in_flag || last == Some(BLACK_FLAG)) {
                    return None;
                }
                in_flag = c != CANCEL_TAG;
                kept.push(c);
                last = Some(c);
                continue;
            }
            c => !is_dropped(c),
        };
        if in_flag {
            return None;
        }
        if keep {
            kept.push(if non_ascii_space_character(c) { ' ' } else { c });
            last = Some(c);
        }
    }
    (!in_flag).then(|| kept.nfc().collect())
}

/// Whether a zero width joiner between these two is part of an emoji, or of a letter's shape.
fn joins(last: Option<char>, next: Option<char>) -> bool {
    let after_emoji = last.is_some_and(|c| is_pictograph(c) || c == EMOJI_STYLE || c == CANCEL_TAG);
    after_emoji && next.is_some_and(is_pictograph) || last.is_some_and(is_virama)
}

fn is_virama(c: char) -> bool {
    canonical_combining_class(c) == VIRAMA
}
