//! Reading XML that the scanner has already accepted: tokens, attributes, and text without its escapes.
//! Used by everything that looks into an element on demand. It copies nothing, judges nothing, and never panics:
//! given bytes that no scanner has seen it ends early.

use std::borrow::Cow;

use memchr::{memchr, memchr3, memmem};

use super::chars::is_space;

/// Accepted bytes as text; these are whole characters because markup is ASCII.
pub(crate) fn text(bytes: &[u8]) -> &str {
    simdutf8::basic::from_utf8(bytes).unwrap_or_default()
}

/// One piece of markup or text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token<'a> {
    /// A start tag, or an empty element's only tag.
    Open(StartTag<'a>),
    /// An end tag.
    Close,
    /// Text as written, references and all.
    Text(&'a [u8]),
    /// The inside of a CDATA section.
    CData(&'a [u8]),
}

/// A start tag as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartTag<'a> {
    name: &'a [u8],
    attributes: &'a [u8],
    /// Whether it ends in `/>`.
    pub(crate) empty: bool,
    /// Bytes from `<` to `>`.
    pub(crate) len: usize,
}

impl<'a> StartTag<'a> {
    /// Reads the tag that `bytes` begin with.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<StartTag<'a>> {
        StartTag::of(&bytes[..tag_len(bytes)?])
    }

    /// Takes `bytes` as one tag, from `<` to `>`.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<StartTag<'a>> {
        let len = bytes.len();
        let inside = bytes.get(1..len.checked_sub(1)?)?;
        let (inside, empty) = match inside.strip_suffix(b"/") {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let name_len = inside.iter().position(|&byte| is_space(byte)).unwrap_or(inside.len());
        Some(StartTag { name: &inside[..name_len], attributes: &inside[name_len..], empty, len })
    }

    /// The name as written.
    pub(crate) fn raw_name(self) -> &'a [u8] {
        self.name
    }

    /// The prefix, empty if there is none.
    pub(crate) fn prefix(self) -> &'a str {
        text(split_name(self.name).0)
    }

    /// The name without its prefix.
    pub(crate) fn local(self) -> &'a str {
        text(split_name(self.name).1)
    }

    /// Every attribute with its value as written, namespace declarations included.
    pub(crate) fn attributes(self) -> Attributes<'a> {
        Attributes { rest: self.attributes }
    }

    /// The namespace declarations: prefix (empty for the default) and value as written.
    pub(crate) fn declarations(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.attributes().filter_map(|attribute| match (attribute.prefix, attribute.local) {
            (b"", b"xmlns") => Some(("", attribute.value)),
            (b"xmlns", prefix) => Some((text(prefix), attribute.value)),
            _ => None,
        })
    }

    /// The value of an attribute by prefix (usually empty) and name.
    pub(crate) fn attribute(self, prefix: &str, local: &str) -> Option<Cow<'a, str>> {
        let wanted =
            |attribute: &Attribute<'_>| attribute.local == local.as_bytes() && attribute.prefix == prefix.as_bytes();
        self.attributes().find(wanted).map(|attribute| attribute_value(attribute.value))
    }
}

/// The value of an attribute of the first element that has a prefix, by the namespace of that and its name. Elements that stand alone have
/// no such attributes any more, so this looks at bytes as they came; whether they are XML is for the scanner to say.
pub fn attribute_in(bytes: &[u8], ns: &str, name: &str) -> Option<String> {
    let tag = StartTag::read(bytes)?;
    let mut prefixes = tag.declarations().filter(|(prefix, uri)| !prefix.is_empty() && attribute_value(uri) == ns);
    prefixes.find_map(|(prefix, _)| tag.attribute(prefix, name)).map(Cow::into_owned)
}

/// An attribute as written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) local: &'a [u8],
    /// The value between its quotes, references and all.
    pub(crate) value: &'a [u8],
    /// From the name to the closing quote.
    pub(crate) whole: &'a [u8],
}

/// Iterates over the attributes of one start tag.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let start = self.rest.iter().position(|&byte| !is_space(byte))?;
        let bytes = &self.rest[start..];
        let name_len = bytes.iter().position(|&byte| byte == b'=' || is_space(byte))?;
        let quote_at = name_len + bytes[name_len..].iter().position(|&byte| byte == b'"' || byte == b'\'')?;
        let value = &bytes[quote_at + 1..];
        let value_len = memchr(bytes[quote_at], value)?;
        let end = quote_at + 1 + value_len + 1;
        self.rest = &bytes[end..];
        let (prefix, local) = split_name(&bytes[..name_len]);
        Some(Attribute { prefix, local, value: &value[..value_len], whole: &bytes[..end] })
    }
}

/// Iterates over the tokens of accepted bytes.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(bytes: &'a [u8], pos: usize) -> Tokens<'a> {
        Tokens { bytes, pos }
    }

    /// Where the next token begins.
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// Goes on behind the element whose start tag was just read.
    pub(crate) fn skip_element(&mut self) {
        let mut depth = 1u32;
        while depth > 0 {
            match self.next() {
                Some(Token::Open(tag)) => depth += u32::from(!tag.empty),
                Some(Token::Close) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.bytes.get(self.pos..)?;
        let (token, len) = match *rest {
            [] => return None,
            [b'<', b'/', ..] => (Token::Close, memchr(b'>', rest)? + 1),
            [b'<', b'!', ..] => {
                let inside = rest.get(9..)?;
                let len = memmem::find(inside, b"]]>")?;
                (Token::CData(&inside[..len]), 9 + len + 3)
            }
            [b'<', ..] => {
                let tag = StartTag::read(rest)?;
                (Token::Open(tag), tag.len)
            }
            _ => {
                let len = memchr(b'<', rest).unwrap_or(rest.len());
                (Token::Text(&rest[..len]), len)
            }
        };
        self.pos += len;
        Some(token)
    }
}

/// The length of the tag that `bytes` begin with; a `>` in an attribute does not end it.
fn tag_len(bytes: &[u8]) -> Option<usize> {
    let mut pos = 1;
    loop {
        pos += memchr3(b'>', b'"', b'\'', bytes.get(pos..)?)?;
        let found = bytes[pos];
        pos += 1;
        if found == b'>' {
            return (pos > 2).then_some(pos);
        }
        pos += memchr(found, &bytes[pos..])? + 1;
    }
}

/// Prefix (empty if none) and local part.
pub(crate) fn split_name(name: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b':', name) {
        Some(colon) => (&name[..colon], &name[colon + 1..]),
        None => (b"", name),
    }
}

/// An attribute's value: references resolved, white space normalised (XML 1.0 section 3.3.3).
pub(crate) fn attribute_value(raw: &[u8]) -> Cow<'_, str> {
    if raw.iter().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r')) {
        Cow::Owned(resolve(raw, ' '))
    } else {
        Cow::Borrowed(text(raw))
    }
}

/// Text: references resolved, line ends normalised (XML 1.0 section 2.11).
pub(crate) fn text_value(raw: &[u8]) -> Cow<'_, str> {
    match memchr::memchr2(b'&', b'\r', raw) {
        Some(_) => Cow::Owned(resolve(raw, '\n')),
        None => Cow::Borrowed(text(raw)),
    }
}

/// The inside of a CDATA section: line ends normalised.
pub(crate) fn cdata_value(raw: &[u8]) -> Cow<'_, str> {
    match memchr(b'\r', raw) {
        Some(_) => Cow::Owned(text(raw).replace("\r\n", "\n").replace('\r', "\n")),
        None => Cow::Borrowed(text(raw)),
    }
}

/// Replaces references, and each literal line end by `line_end`; in attributes a tab is one too.
fn resolve(raw: &[u8], line_end: char) -> String {
    let raw = text(raw);
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\r', '\n', '\t']) {
        out.push_str(&rest[..at]);
        let special = &rest[at..];
        rest = match special.as_bytes() {
            [b'&', ..] => push_reference(special, &mut out),
            [b'\t', ..] => {
                out.push(if line_end == ' ' { ' ' } else { '\t' });
                &special[1..]
            }
            [b'\r', b'\n', ..] => {
                out.push(line_end);
                &special[2..]
            }
            _ => {
                out.push(line_end);
                &special[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// Resolves the reference that `from` begins with and returns what follows it.
fn push_reference<'a>(from: &'a str, out: &mut String) -> &'a str {
    let Some(end) = from.find(';') else { return "" };
    out.extend(referenced(&from[1..end]));
    &from[end + 1..]
}

/// The character that the inside of a reference stands for.
fn referenced(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_line_ends_are_resolved_once() {
        assert_eq!(text_value(b"a&amp;lt;&#65;&#x1F980;\r\nb\rc\td"), "a&lt;A\u{1F980}\nb\nc\td");
        assert_eq!(attribute_value(b"a\r\nb\tc&#10;d&quot;"), "a b c\nd\"");
        assert_eq!(cdata_value(b"&amp;\r\n"), "&amp;\n");
        assert!(matches!(text_value(b"plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn bytes_that_no_scanner_has_seen_end_early() {
        for bad in [&b"<"[..], b"<>", b"<a", b"<a b", b"<a b='", b"</", b"<![CDATA[", b"<!", b"<a b='x' c"] {
            assert_eq!(Tokens::new(bad, 0).count(), 0, "{bad:?}");
        }
    }

    #[test]
    fn a_tag_does_not_end_inside_an_attribute() {
        let tag = StartTag::read(b"<a b='x>y' c = \"/>\" />").unwrap();
        assert!(tag.empty);
        assert_eq!(tag.attribute("", "b").unwrap(), "x>y");
        assert_eq!(tag.attribute("", "c").unwrap(), "/>");
    }
}
