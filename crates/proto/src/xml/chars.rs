//! Characters: which ones XML 1.0 (section 2.2) and names (section 2.3) allow, and the check of a whole stanza at once.
//! Called by the scanner; pure functions over bytes, written so that the compiler can vectorise the long ones.

use super::limits::XmlError;

/// Classes of a byte inside a name; bits, so that a name's classes can be folded together.
pub(super) const START: u8 = 1;
/// Digits, `-` and `.`: allowed in a name, but not first.
pub(super) const INNER: u8 = 2;
/// The colon, which Namespaces in XML reserves.
pub(super) const COLON: u8 = 4;
/// Part of a character beyond ASCII, to be judged once the name is whole.
pub(super) const WIDE: u8 = 8;

/// The class of each byte in a name; 0 ends the name.
pub(super) static NAME: [u8; 256] = name_classes();

const fn name_classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => START,
            b'0'..=b'9' | b'-' | b'.' => INNER,
            b':' => COLON,
            0x80..=0xff => WIDE,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Whether XML counts `byte` as white space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\t' | b'\r')
}

/// Whether `c` may begin a name (production 4, without the colon).
fn may_start_name(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// Whether `c` may stand in a name (production 4a, without the colon).
fn may_continue_name(c: char) -> bool {
    may_start_name(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Judges one part of a qualified name that has characters beyond ASCII.
pub(super) fn is_name_part(part: &[u8]) -> bool {
    let Ok(part) = std::str::from_utf8(part) else { return false };
    let mut chars = part.chars();
    chars.next().is_some_and(may_start_name) && chars.all(may_continue_name)
}

/// Whether a character reference may stand for this code point (production 2).
pub(super) fn is_char(code: u32) -> bool {
    matches!(code, 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x10000..=0x10FFFF)
}

/// Judges every character of a finished element: UTF-8, no control characters, no U+FFFE or U+FFFF.
///
/// Nothing is handed out before this has passed (RFC 6120 section 11.6).
pub(super) fn check(bytes: &[u8]) -> Result<(), XmlError> {
    if has_control(bytes) {
        return Err(XmlError::NotWellFormed("control character"));
    }
    if bytes.is_ascii() {
        return Ok(());
    }
    simdutf8::basic::from_utf8(bytes).map_err(|_| XmlError::NotWellFormed("not UTF-8"))?;
    // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
    if memchr::memmem::find_iter(bytes, b"\xEF\xBF").any(|at| matches!(bytes.get(at + 2), Some(0xBE | 0xBF))) {
        return Err(XmlError::NotWellFormed("U+FFFE or U+FFFF"));
    }
    Ok(())
}

/// A fold without branches: the compiler turns it into vector instructions.
fn has_control(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    let fold = |chunk: &[u8]| chunk.iter().fold(0u8, |found, &byte| found | u8::from(is_control(byte)));
    chunks.iter().any(|chunk| fold(chunk) != 0) || fold(rest) != 0
}

/// Bytes that [`find_any`] looks at itself before it calls the vectorised search, whose set-up costs more than most
/// values are long.
const NEAR_BYTES: usize = 32;

/// Where the first of three bytes is.
#[inline]
pub(super) fn find_any(needles: [u8; 3], bytes: &[u8]) -> Option<usize> {
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().take(NEAR_BYTES / 8).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = needles.iter().fold(0, |found, &needle| found | zero_bytes(word ^ (LOW_BITS * u64::from(needle))));
        if found != 0 {
            return Some(at * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let from = NEAR_BYTES.min(words.len() * 8);
    memchr::memchr3(needles[0], needles[1], needles[2], &bytes[from..]).map(|at| from + at)
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// The top bit of each byte that is zero. A byte above a zero one may be marked wrongly, so only the lowest mark counts.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & (LOW_BITS << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_found_at_every_position() {
        for len in [1, 63, 64, 65, 200] {
            for at in 0..len {
                let mut bytes = vec![b'a'; len];
                assert_eq!(check(&bytes), Ok(()));
                bytes[at] = 0x0b;
                assert_eq!(check(&bytes), Err(XmlError::NotWellFormed("control character")));
            }
        }
    }

    #[test]
    fn the_first_of_three_bytes_is_found_at_every_position() {
        for len in 0..80 {
            assert_eq!(find_any(*b"<&'", &vec![0xE9; len]), None);
            for (at, needle) in (0..len).zip(b"<&'".iter().cycle()) {
                let mut bytes = vec![b'%'; len];
                bytes[at] = *needle;
                bytes[at + 1..].fill(b'=');
                bytes[len - 1] = *needle;
                assert_eq!(find_any(*b"<&'", &bytes), Some(at));
            }
        }
    }

    #[test]
    fn white_space_and_delete_are_allowed_but_noncharacters_are_not() {
        assert_eq!(check("\t\r\n \u{7f}\u{85}\u{FFFD}\u{1FFFF}".as_bytes()), Ok(()));
        assert!(check("a\u{FFFE}".as_bytes()).is_err());
        assert!(check("a\u{FFFF}".as_bytes()).is_err());
    }

    #[test]
    fn surrogates_and_overlong_forms_are_not_utf8() {
        for bad in [&b"\xED\xA0\x80"[..], b"\xC0\x80", b"\xE0\x80\xAF", b"\xF5\x80\x80\x80", b"\xC3"] {
            assert_eq!(check(bad), Err(XmlError::NotWellFormed("not UTF-8")));
        }
    }
}
