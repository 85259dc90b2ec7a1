//! The smallest pieces: names and references, found and judged where they lie. Each is bounded, so one that is cut off is
//! simply read again when more has come.

use super::super::chars::{self, COLON, INNER, NAME, START, WIDE};
use super::super::limits::Limits;
use super::super::limits::XmlError::{self, Limit, NotWellFormed, Restricted};

/// Digits of a character reference: more would only be leading zeros.
const REFERENCE_BYTES_MAX: usize = 16;

/// A name in the bytes; `colon` is counted from `start`, 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Name {
    pub(super) start: u32,
    pub(super) len: u16,
    pub(super) colon: u16,
}

impl Name {
    pub(super) fn all(self, buf: &[u8]) -> &[u8] {
        &buf[self.start as usize..self.start as usize + usize::from(self.len)]
    }

    pub(super) fn prefix(self, buf: &[u8]) -> &[u8] {
        &self.all(buf)[..usize::from(self.colon)]
    }

    pub(super) fn local_at(self) -> u16 {
        if self.colon == 0 { 0 } else { self.colon + 1 }
    }

    pub(super) fn local(self, buf: &[u8]) -> &[u8] {
        &self.all(buf)[usize::from(self.local_at())..]
    }
}

#[inline]
pub(super) fn skip_space(buf: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < buf.len() && chars::is_space(buf[at]) {
        at += 1;
    }
    at
}

/// The qualified name at `start`, or `None` if its end is not in sight.
#[inline]
pub(super) fn name(buf: &[u8], start: usize, limits: &Limits) -> Result<Option<Name>, XmlError> {
    let most = usize::from(limits.name_bytes);
    // One byte more than is allowed tells a name that is too long from one that ends there.
    let window = &buf[start..buf.len().min(start + most + 1)];
    let mut classes = 0;
    let mut colon = 0;
    let mut end = None;
    for (at, &byte) in window.iter().enumerate() {
        let class = NAME[usize::from(byte)];
        if class == 0 {
            end = Some(at);
            break;
        }
        if class == COLON {
            if colon != 0 || at == 0 {
                return Err(NotWellFormed("a colon in a name"));
            }
            colon = at;
        }
        classes |= class;
    }
    let Some(len) = end else {
        return if window.len() > most { Err(Limit("name")) } else { Ok(None) };
    };
    let name = Name { start: start as u32, len: len as u16, colon: colon as u16 };
    let starts = |part: &[u8]| part.first().is_some_and(|&byte| NAME[usize::from(byte)] & (START | WIDE) != 0);
    if !starts(name.all(buf)) || !starts(name.local(buf)) {
        return Err(NotWellFormed("not a name"));
    }
    let judge = |part: &[u8]| part.is_ascii() || chars::is_name_part(part);
    if classes & WIDE != 0 && !(judge(name.prefix(buf)) && judge(name.local(buf))) {
        return Err(NotWellFormed("not a name"));
    }
    Ok(Some(name))
}

/// The length of the reference that `rest` begins with, or `None` if its end is not in sight.
#[inline]
pub(super) fn reference(rest: &[u8]) -> Result<Option<usize>, XmlError> {
    match rest.get(1) {
        None => return Ok(None),
        Some(b'#') => return character_reference(rest),
        Some(_) => {}
    }
    for (at, &byte) in rest.iter().enumerate().skip(1) {
        match NAME[usize::from(byte)] {
            START => {}
            INNER if at > 1 => {}
            _ if byte == b';' && at > 1 => {
                return match &rest[1..at] {
                    b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => Ok(Some(at + 1)),
                    _ => Err(Restricted("an entity")),
                };
            }
            _ => return Err(NotWellFormed("a bare &")),
        }
        if at > REFERENCE_BYTES_MAX {
            return Err(Restricted("an entity"));
        }
    }
    Ok(None)
}

fn character_reference(rest: &[u8]) -> Result<Option<usize>, XmlError> {
    let (radix, first) = match rest.get(2) {
        None => return Ok(None),
        Some(b'x') => (16, 3),
        Some(_) => (10, 2),
    };
    let mut code = 0u32;
    for (at, &byte) in rest.iter().enumerate().skip(first) {
        if byte == b';' && at > first {
            let known = chars::is_char(code);
            return if known { Ok(Some(at + 1)) } else { Err(NotWellFormed("a reference to no character")) };
        }
        let Some(digit) = char::from(byte).to_digit(radix) else {
            return Err(NotWellFormed("a malformed character reference"));
        };
        if at > REFERENCE_BYTES_MAX {
            return Err(Limit("character reference"));
        }
        code = code.saturating_mul(radix).saturating_add(digit);
    }
    Ok(None)
}
