//! Pages as values: elements whose texts and attributes are escaped as they are put in. Markup cannot be put in as text, no attribute can run
//! anything, and a link is an [`Address`], so whatever people call themselves and say stays text.

use metronome_features::upload::encode_name;
use metronome_host::segments;
use metronome_proto::jid::Jid;
use metronome_proto::xml::write;

/// Elements without an end.
const VOID: &[&str] = &["br", "input", "link", "meta"];

/// Most bytes of an address that somebody wrote and that becomes a link.
const LINK_BYTES_MAX: usize = 2000;

/// An element with all that is in it.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<u8>,
    inside: Vec<u8>,
}

/// Where a link leads, or a form is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(String);

/// An empty element.
pub(super) fn el(name: &'static str) -> Element {
    Element { name, attributes: Vec::new(), inside: Vec::new() }
}

impl Element {
    /// Adds text.
    #[must_use]
    pub(super) fn text(mut self, text: impl AsRef<str>) -> Element {
        write::text(&mut self.inside, text.as_ref());
        self
    }

    /// Adds an element.
    #[must_use]
    pub(super) fn child(mut self, child: Element) -> Element {
        child.write(&mut self.inside);
        self
    }

    /// Adds several.
    #[must_use]
    pub(super) fn children(self, children: impl IntoIterator<Item = Element>) -> Element {
        children.into_iter().fold(self, Element::child)
    }

    /// An attribute that is the same for everybody.
    #[must_use]
    pub(super) fn fixed(self, name: &'static str, value: &'static str) -> Element {
        self.attribute(name, value)
    }

    /// Makes it a link.
    #[must_use]
    pub(super) fn href(self, to: &Address) -> Element {
        self.attribute("href", to.as_str())
    }

    /// A name by which an address finds it.
    #[must_use]
    pub(super) fn id(self, id: &str) -> Element {
        self.attribute("id", id)
    }

    /// What a field of a form begins with.
    #[must_use]
    pub(super) fn value(self, value: &str) -> Element {
        self.attribute("value", value)
    }

    /// The time that stands in it, for programs.
    #[must_use]
    pub(super) fn datetime(self, time: &str) -> Element {
        self.attribute("datetime", time)
    }

    fn attribute(mut self, name: &'static str, value: &str) -> Element {
        write::attribute(&mut self.attributes, name, value);
        self
    }

    /// The element as it is sent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'<');
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&self.attributes);
        out.push(b'>');
        if !VOID.contains(&self.name) {
            out.extend_from_slice(&self.inside);
            out.extend_from_slice(b"</");
            out.extend_from_slice(self.name.as_bytes());
            out.push(b'>');
        }
    }
}

impl Address {
    /// A path of this server.
    pub(super) fn of(path: &'static str) -> Address {
        Address(path.to_owned())
    }

    /// The folder of this name below it.
    #[must_use]
    pub(super) fn then(mut self, name: &str) -> Address {
        self.0.push_str(&segments::write(name));
        self.0.push('/');
        self
    }

    /// With a field behind it.
    #[must_use]
    pub(super) fn asking(mut self, field: &'static str, value: &str) -> Address {
        let before = if self.0.contains('?') { '&' } else { '?' };
        self.0.extend([before]);
        self.0.push_str(field);
        self.0.push('=');
        self.0.push_str(&encode_name(value));
        self
    }

    /// For a chat program: to enter this room.
    pub(super) fn of_room(room: &Jid) -> Address {
        let local = room.local().map(|local| format!("{}@", encode_name(local))).unwrap_or_default();
        Address(format!("xmpp:{local}{}?join", encode_name(room.domain())))
    }

    /// A page somewhere else that somebody has written of, if it is one.
    pub(super) fn elsewhere(text: &str) -> Option<Address> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let is_one = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[') && text.len() <= LINK_BYTES_MAX;
        let has_none_of = !text.contains(|c: char| c.is_control() || c.is_whitespace() || "<>\"`{}|\\^".contains(c));
        (is_one && has_none_of).then(|| Address(text.to_owned()))
    }

    /// As it is written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(element: &Element) -> String {
        let mut out = Vec::new();
        element.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_put_in_stays_text() {
        let trick = "</b><script>alert('x')</script>\" onload=\"alert(1)";
        let page = written(&el("b").id(trick).value(trick).text(trick).child(el("br")));
        assert_eq!(page.matches('<').count(), 3, "{page}");
        assert!(page.starts_with("<b id='&lt;/b&gt;&lt;script&gt;alert(&apos;x&apos;)"), "{page}");
        assert!(page.ends_with("&lt;/script&gt;\" onload=\"alert(1)<br></b>"), "{page}");
    }

    #[test]
    fn links_lead_where_they_may() {
        let address = Address::of("/logs/").then("a/../b?c#d'\"<").asking("after", "x&y=z").asking("n", "1");
        assert_eq!(address.as_str(), "/logs/a~2f..~2fb%3Fc%23d'%22%3C/?after=x%26y%3Dz&n=1");
        let link = written(&el("a").href(&address));
        assert!(link.contains("d&apos;%22"), "{link}");
        for no in
            ["javascript:alert(1)", "//x", "https://", "http:///x", "https://a\"b", "ftp://a", "https://a b", "data:x"]
        {
            assert_eq!(Address::elsewhere(no), None, "{no}");
        }
        assert!(Address::elsewhere("https://example.org/a?b=c&d#e").is_some());
        let room = Jid::parse("a&b@rooms.example.org").unwrap_or_else(|_| Jid::parse("ab@rooms.example.org").unwrap());
        assert!(Address::of_room(&room).as_str().ends_with("@rooms.example.org?join"));
    }
}
