//! A piece of the stream as a test sees it: raw text, with a way to ask for attributes, and the patterns of `expect`.

use std::fmt;
use std::ops::Deref;

use crate::split::tag_end;

/// An element, a stream header or the end of a stream, as it came over the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen(String);

impl Seen {
    /// A piece as it came.
    pub fn new(raw: String) -> Seen {
        Seen(raw)
    }

    /// The name as written, prefix included; `/stream:stream` for the end.
    pub fn name(&self) -> &str {
        name(&self.0)
    }

    /// An attribute of the outermost tag, unescaped.
    pub fn attribute(&self, name: &str) -> Option<String> {
        attributes(&self.0).into_iter().find(|(found, _)| *found == name).map(|(_, value)| unescape(value))
    }

    /// The text of the first element called `name` in it, unescaped; of `<name/>` it is empty.
    pub fn text_of(&self, name: &str) -> Option<String> {
        let mut rest = &self.0[..];
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            let end = tag_end(rest)?;
            if self::name(rest) == name {
                if rest[..end].ends_with("/>") {
                    return Some(String::new());
                }
                let length = rest[end..].find('<')?;
                return Some(unescape(&rest[end..end + length]));
            }
            rest = &rest[end..];
        }
        None
    }

    /// The attribute of the first element called `element` in it.
    pub fn attribute_of(&self, element: &str, attribute: &str) -> Option<String> {
        let mut rest = &self.0[..];
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            if name(rest) == element {
                return Seen(rest.to_owned()).attribute(attribute);
            }
            rest = &rest[tag_end(rest)?..];
        }
        None
    }

    /// What an error is made of: the names of the elements in its `<error/>`, the defined condition first.
    pub fn conditions(&self) -> Vec<String> {
        let Some(at) = self.0.find("<error") else { return Vec::new() };
        let tags = self.0[at..].split('<').skip(2).filter(|tag| !tag.starts_with('/'));
        tags.map(|tag| name(tag).to_owned()).collect()
    }

    /// Whether it fits a pattern: `<name a='x'` with any further text behind the tag. The name must be the same, the attributes
    /// must be there, in whatever order and among others, and the text behind the tag must occur somewhere in it.
    /// A pattern that does not begin with `<` must occur in it.
    pub fn fits(&self, pattern: &str) -> bool {
        let Some(tag) = pattern.strip_prefix('<') else { return self.0.contains(pattern) };
        if tag.starts_with('/') {
            return self.0 == pattern;
        }
        let end = tag_end(pattern).unwrap_or(pattern.len());
        let mine = attributes(&self.0);
        name(pattern) == self.name()
            && attributes(pattern).iter().all(|wanted| mine.contains(wanted))
            && self.0.contains(&pattern[end..])
    }
}

/// The name at the start of a tag.
fn name(tag: &str) -> &str {
    let rest = tag.trim_start_matches('<');
    let length =
        rest.char_indices().skip(1).find(|(_, c)| c.is_whitespace() || matches!(c, '>' | '/')).map(|(at, _)| at);
    &rest[..length.unwrap_or(rest.len())]
}

/// The attributes of the tag at the start, as written.
fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let end = tag_end(tag).unwrap_or(tag.len());
    let mut rest = tag[..end].trim_start_matches('<');
    rest = &rest[name(rest).len()..];
    let mut found = Vec::new();
    while let Some((name, behind)) = rest.split_once('=') {
        let Some(quote) = behind.chars().next().filter(|c| matches!(c, '\'' | '"')) else { break };
        let Some((value, behind)) = behind[1..].split_once(quote) else { break };
        found.push((name.trim(), value));
        rest = behind;
    }
    found
}

fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

impl Deref for Seen {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_by_name_attributes_and_text() {
        let seen = Seen::new("<message from='a@b/c' id=\"1\"><body>1 &lt; 2</body></message>".to_owned());
        for pattern in ["<message", "<message>", "<message id='1'", "<message id='1' from='a@b/c'><body>1 &lt;", "body"]
        {
            assert!(seen.fits(pattern), "{pattern}");
        }
        for pattern in ["<mess", "<message id='2'", "<message><body>2", "<iq", "</message>", "x"] {
            assert!(!seen.fits(pattern), "{pattern}");
        }
        assert_eq!(seen.text_of("body").as_deref(), Some("1 < 2"));
        assert_eq!(seen.attribute("id").as_deref(), Some("1"));
        assert_eq!(seen.attribute_of("body", "x"), None);
    }
}
