//! Cuts what a server sends into whole stanzas, by bytes (RFC 6120 section 4). Called by `connect`.
//! It trusts the server to be well-formed: a load generator checks counts, not XML. Keeps the unread tail only.

use memchr::{memchr, memchr3};

/// Room that is made for one read: a whole TLS record.
const READ_BYTES: usize = 16 * 1024;

/// One piece of a stream at its top level.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    /// The stream header.
    Header,
    /// A whole child of the stream.
    Stanza(&'a [u8]),
    /// `</stream:stream>`.
    Close,
}

/// Received bytes and how far they have been read.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Where the frame being read begins.
    start: usize,
    /// Everything before this has been scanned.
    at: usize,
    depth: u32,
}

impl Frames {
    /// For pieces without a stream around them: each element at the top is a stanza (RFC 7395 section 3.3.3).
    pub(crate) fn without_stream() -> Frames {
        Frames { depth: 1, ..Frames::default() }
    }

    /// Makes room for a read and returns the buffer to append to.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        self.bytes.reserve(READ_BYTES);
        &mut self.bytes
    }

    /// Gives unused memory back, for sessions that stay idle.
    pub(crate) fn shrink(&mut self) {
        self.space();
        self.bytes.shrink_to_fit();
    }

    /// The next whole frame, or `None` until more bytes were appended.
    pub(crate) fn next(&mut self) -> Option<Frame<'_>> {
        loop {
            let open = self.at + memchr(b'<', &self.bytes[self.at..])?;
            if self.depth <= 1 {
                self.start = open;
            }
            self.at = open;
            let end = open + tag_end(&self.bytes[open..])?;
            self.at = end;
            match (self.bytes[open + 1], self.bytes[end - 2]) {
                (b'?', _) => continue,
                (b'/', _) => self.depth = self.depth.saturating_sub(1),
                (_, b'/') => {}
                _ => {
                    self.depth += 1;
                    if self.depth == 1 {
                        self.start = end;
                        return Some(Frame::Header);
                    }
                    continue;
                }
            }
            if self.depth <= 1 {
                let begin = std::mem::replace(&mut self.start, end);
                return Some(if self.depth == 0 { Frame::Close } else { Frame::Stanza(&self.bytes[begin..end]) });
            }
        }
    }
}

/// The length of the tag that `bytes` begins with, `<` to `>`, or `None` while it is incomplete.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr3(b'>', b'\'', b'"', &bytes[at..])?;
        if bytes[at] == b'>' {
            return Some(at + 1);
        }
        at += 2 + memchr(bytes[at], &bytes[at + 1..])?;
    }
}

/// The raw value of attribute `name` in the start tag that `stanza` begins with.
pub(crate) fn attribute<'a>(stanza: &'a [u8], name: &str) -> Option<&'a str> {
    let mut rest = &stanza[..tag_end(stanza)?];
    loop {
        let equals = memchr(b'=', rest)?;
        let key = rest[..equals].rsplit(u8::is_ascii_whitespace).find(|part| !part.is_empty())?;
        let quote = equals + 1 + rest[equals + 1..].iter().position(|byte| matches!(byte, b'\'' | b'"'))?;
        let length = memchr(rest[quote], &rest[quote + 1..])?;
        let value = &rest[quote + 1..quote + 1 + length];
        if key == name.as_bytes() {
            return std::str::from_utf8(value).ok();
        }
        rest = &rest[quote + 2 + length..];
    }
}

/// The text between the first `open` and the following `close`, both given literally.
pub(crate) fn between<'a>(stanza: &'a [u8], open: &str, close: u8) -> Option<&'a str> {
    let begin = memchr::memmem::find(stanza, open.as_bytes())? + open.len();
    let length = memchr(close, &stanza[begin..])?;
    std::str::from_utf8(&stanza[begin..begin + length]).ok()
}

/// Whether `stanza` contains `text` literally.
pub(crate) fn contains(stanza: &[u8], text: &str) -> bool {
    memchr::memmem::find(stanza, text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' id=\"a>b\">\n \
        <stream:features><a><b/></a></stream:features> <presence from='x'/>\
        <message id='1'><body>1 > 0</body></message></stream:stream>";

    fn read_in_pieces(size: usize) -> Vec<String> {
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        for piece in STREAM.as_bytes().chunks(size) {
            frames.space().extend_from_slice(piece);
            while let Some(frame) = frames.next() {
                seen.push(match frame {
                    Frame::Header => "header".to_owned(),
                    Frame::Close => "close".to_owned(),
                    Frame::Stanza(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                });
            }
        }
        seen
    }

    #[test]
    fn a_stream_is_cut_into_the_same_stanzas_whatever_the_reads() {
        let whole = read_in_pieces(STREAM.len());
        assert_eq!(
            whole,
            [
                "header",
                "<stream:features><a><b/></a></stream:features>",
                "<presence from='x'/>",
                "<message id='1'><body>1 > 0</body></message>",
                "close"
            ]
        );
        for size in 1..STREAM.len() {
            assert_eq!(read_in_pieces(size), whole, "pieces of {size}");
        }
    }

    #[test]
    fn without_a_stream_each_element_is_a_stanza() {
        let mut frames = Frames::without_stream();
        frames.space().extend_from_slice(b"<open to='a'/><message><body>1</body></message><close/>");
        let mut seen = Vec::new();
        while let Some(frame) = frames.next() {
            let Frame::Stanza(stanza) = frame else { panic!("{frame:?}") };
            seen.push(String::from_utf8(stanza.to_vec()).unwrap());
        }
        assert_eq!(seen, ["<open to='a'/>", "<message><body>1</body></message>", "<close/>"]);
    }

    #[test]
    fn attributes_are_found_by_name_in_the_start_tag_only() {
        let stanza = b"<iq type='get' from = \"a@b/c=d\" id='7'><x to='no'/></iq>";
        assert_eq!(attribute(stanza, "type"), Some("get"));
        assert_eq!(attribute(stanza, "from"), Some("a@b/c=d"));
        assert_eq!(attribute(stanza, "id"), Some("7"));
        assert_eq!(attribute(stanza, "to"), None);
        assert_eq!(attribute(b"<r/>", "id"), None);
    }

    #[test]
    fn text_between_two_marks_is_found() {
        assert_eq!(between(b"<m><body>12 x</body></m>", "<body>", b' '), Some("12"));
        assert_eq!(between(b"<m/>", "<body>", b'<'), None);
    }
}
