//! What a file is called: the part that people see. It is shown and never a part of a path on the disk.

use std::fmt::Write as _;

/// Most bytes of a name; what is longer loses its middle.
const BYTES_MAX: usize = 200;

/// Bytes of its end that a long name keeps, so that one sees what it is.
const END_BYTES: usize = 32;

/// The last part of a path, without what cannot be seen or turns the writing direction; `file` if nothing is left.
pub(super) fn tidy(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = last.chars().filter(|c| !c.is_control() && !is_trick(*c));
    // A percent sign could be taken for an escape by somebody on the way.
    let name: String = name.map(|c| if c == '%' { '_' } else { c }).collect();
    let name = shorten(name.trim());
    if name.trim_matches('.').is_empty() { "file".to_owned() } else { name }
}

/// Marks of direction, separators of lines, and what has no width.
fn is_trick(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn shorten(name: &str) -> String {
    if name.len() <= BYTES_MAX {
        return name.to_owned();
    }
    let start = name.floor_char_boundary(BYTES_MAX - END_BYTES);
    let end = name.ceil_char_boundary(name.len() - END_BYTES);
    format!("{}{}", &name[..start], &name[end..])
}

/// The name as a segment of a path (RFC 3986 section 3.3): everything but unreserved characters is escaped.
pub fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            byte => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_hides_nothing() {
        for (given, kept) in [
            ("très cool.jpg", "très cool.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\boot.ini", "boot.ini"),
            ("a/", "file"),
            ("..", "file"),
            ("...", "file"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("a\u{0}\n\r\tb", "ab"),
            ("  ", "file"),
            ("100%2f.png", "100_2f.png"),
        ] {
            assert_eq!(tidy(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let tidied = tidy(&format!("{}.tar.gz", "ä".repeat(400)));
        assert!(tidied.len() <= BYTES_MAX && tidied.ends_with("ä.tar.gz"), "{tidied}");
    }

    #[test]
    fn a_name_is_escaped_for_a_path() {
        assert_eq!(encode("très cool.jpg"), "tr%C3%A8s%20cool.jpg");
        assert_eq!(encode("a?#&'<>.png"), "a%3F%23%26%27%3C%3E.png");
    }
}
