//! The only escaper. Whatever this server writes that did not come through the scanner as it stands goes through here,
//! namespace names included, so that no text of a peer can end an attribute or begin an element.

/// Appends text content.
///
/// A carriage return is written as a reference, or the reader would turn it into a line feed.
pub fn text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |byte| match byte {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends the inside of an attribute value, for either kind of quote.
///
/// Tab, line feed and carriage return are written as references, or the reader would turn them into spaces.
pub fn attribute_value(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |byte| match byte {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&apos;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends ` name='value'`. `name` is ours and not escaped.
pub fn attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"='");
    attribute_value(out, value);
    out.push(b'\'');
}

/// Bytes that are never replaced and begin nothing that is.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut control = 0;
    while control < 0x20 {
        plain[control] = false;
        control += 1;
    }
    let mut special = b"<>&\"'\xEF".as_slice();
    while let [byte, rest @ ..] = special {
        plain[*byte as usize] = false;
        special = rest;
    }
    plain
};

/// Copies `text` in runs, replacing what `replacement` names.
///
/// Characters that XML cannot carry at all (a few controls, U+FFFE, U+FFFF) become U+FFFD: dropping them could join
/// what they kept apart.
fn escape(out: &mut Vec<u8>, text: &str, replacement: impl Fn(u8) -> Option<&'static str>) {
    let bytes = text.as_bytes();
    // Nearly every address, id and name: looked at once, with nothing to decide.
    if bytes.iter().all(|&byte| PLAIN[byte as usize]) {
        return out.extend_from_slice(bytes);
    }
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let (with, len) = match (replacement(byte), byte) {
            (Some(with), _) => (with, 1),
            (None, 0..=0x1f) if !matches!(byte, b'\t' | b'\n') => ("\u{FFFD}", 1),
            (None, 0xEF) if matches!(bytes[at..], [_, 0xBF, 0xBE | 0xBF, ..]) => ("\u{FFFD}", 3),
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(with.as_bytes());
        copied = at + len;
    }
    out.extend_from_slice(&bytes[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute_of(value: &str) -> String {
        let mut out = Vec::new();
        attribute(&mut out, "a", value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn attributes_keep_white_space_and_cannot_be_left() {
        assert_eq!(attribute_of("x\t\r\n'\"<>&"), " a='x&#9;&#13;&#10;&apos;&quot;&lt;&gt;&amp;'");
    }

    #[test]
    fn text_escapes_the_end_of_a_cdata_section() {
        let mut out = Vec::new();
        text(&mut out, "]]>\r\n<&'\"");
        assert_eq!(out, b"]]&gt;&#13;\n&lt;&amp;'\"");
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_replaced() {
        assert_eq!(attribute_of("a\0b\u{FFFE}\u{FFFF}\u{FFFD}"), " a='a\u{FFFD}b\u{FFFD}\u{FFFD}\u{FFFD}'");
    }
}
