//! Names that people choose, as segments of the paths of web addresses: of a room, a node, somebody else. What a path cannot carry, or what
//! somebody on the way might read differently (`/`, `\`, `%`, a dot at the beginning), becomes `~` and two hexadecimal digits, so each name
//! has one address and each address one name.

use std::fmt::Write as _;

/// A name as a segment of a path, escaped as addresses are (RFC 3986).
pub fn write(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in marked(name).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text.push(char::from(byte)),
            byte if b"-._~!$&'()*+,;=:@".contains(&byte) => text.push(char::from(byte)),
            byte => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// The name in a segment whose escapes (`%20`) are undone already; none if it is not as [`write()`] writes it.
pub fn read(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut name = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'~' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8
            }
            byte => byte,
        });
    }
    let name = String::from_utf8(name).ok()?;
    (!name.is_empty() && marked(&name) == segment).then_some(name)
}

fn marked(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        match c {
            '/' | '\\' | '%' | '~' | '\0'..='\x1f' | '\x7f' => {
                let _ = write!(text, "~{:02x}", u32::from(c));
            }
            '.' if at == 0 => text.push_str("~2e"),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the router makes of a segment.
    fn unescaped(segment: &str) -> String {
        let (mut bytes, mut out) = (segment.bytes(), Vec::new());
        while let Some(byte) = bytes.next() {
            let digit = |byte: Option<u8>| char::from(byte.unwrap()).to_digit(16).unwrap() as u8;
            out.push(if byte == b'%' { digit(bytes.next()) * 16 + digit(bytes.next()) } else { byte });
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_name_comes_back_from_its_segment() {
        for name in [
            "coven",
            "..",
            ".",
            "a/b",
            "urn:xmpp:microblog:0",
            "my\\20room",
            "100%",
            "~x",
            "größe",
            "a b",
            "\t",
            "<b>",
            "a?b#c",
        ] {
            let segment = write(name);
            assert!(!segment.contains(['/', '\\', '?', '#', '<', ' ']) && !segment.starts_with('.'), "{segment}");
            assert_eq!(read(&unescaped(&segment)).as_deref(), Some(name), "{segment}");
        }
    }

    #[test]
    fn a_name_has_one_segment() {
        for other in ["", "~", "~2", "~zz", "~2F", "~61", ".a", "a%b", "~ff", "a~41"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
