//! What the profiles of a JID's parts share: byte classes for the ASCII fast path, classes of code points, stability.

use stringprep::tables::commonly_mapped_to_nothing;
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// Byte class: must become lower case.
pub(super) const ASCII_UPPER: u8 = 1;
/// Byte class: part of a non-ASCII character, so the fast path does not apply.
pub(super) const NON_ASCII: u8 = 2;

pub(super) const ZWNJ: char = '\u{200C}';
pub(super) const ZWJ: char = '\u{200D}';

/// Preparation is done once it changes nothing; real text is stable after one round or two.
const ROUNDS_MAX: usize = 4;

/// The union of the classes of all bytes.
pub(super) fn scan(classes: &[u8; 256], text: &str) -> u8 {
    text.bytes().fold(0, |found, byte| found | classes[usize::from(byte)])
}

/// Applies `map` until it changes nothing; `None` where it refuses or does not settle. This makes preparation idempotent.
pub(super) fn until_stable(text: &str, map: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut current = map(text)?;
    for _ in 0..ROUNDS_MAX {
        let next = map(&current)?;
        if next == current {
            return Some(current);
        }
        current = next;
    }
    None
}

/// Invisible code points that are dropped: table B.1 of RFC 3454, and the variation selectors added since.
pub(super) fn is_dropped(c: char) -> bool {
    commonly_mapped_to_nothing(c) || matches!(c, '\u{180F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Code points that no part may have: controls, formats, private use, unassigned, separators, invisible letters.
pub(super) fn is_forbidden(c: char) -> bool {
    match c.general_category() {
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::Surrogate
        | GeneralCategory::PrivateUse
        | GeneralCategory::SpaceSeparator
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator => true,
        GeneralCategory::Unassigned => !is_reserved_pictograph(c),
        _ => matches!(
            c,
            // Fillers that are letters by category but draw nothing, and the replacement characters.
            '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}' | '\u{FFFC}' | '\u{FFFD}'
        ),
    }
}

/// Emoji, the signs that Unicode draws like one, and code points reserved for future ones. Digits and signs are not meant.
pub(super) fn is_pictograph(c: char) -> bool {
    !c.is_ascii() && (c.is_emoji_char() || is_reserved_pictograph(c))
}

/// Code points that Unicode keeps for pictographs, so that next year's emoji are not refused by today's tables.
fn is_reserved_pictograph(c: char) -> bool {
    matches!(c, '\u{1F000}'..='\u{1FAFF}' | '\u{1FC00}'..='\u{1FFFD}')
        && c.general_category() == GeneralCategory::Unassigned
}

/// The letters inside of a flag such as Scotland's.
pub(super) fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..='\u{E007F}')
}
