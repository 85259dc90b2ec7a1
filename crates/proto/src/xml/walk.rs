//! One element, judged and indexed in one pass that can stop at any byte and go on when more have come.
//! XML 1.0 and Namespaces in XML 1.0 as RFC 6120 section 11 narrows them; the scanner feeds it. It keeps positions in
//! the element's bytes, never text, and its memory is bounded by the limits: under 8 KiB whatever comes.

mod lex;
mod namespaces;

use memchr::memmem;
use smallvec::SmallVec;

use super::chars;
use super::index::Index;
use super::limits::Limits;
use super::limits::XmlError::{self, BadFormat, Limit, NotWellFormed, Restricted};
use super::scope::{Namespace, Outer};
use lex::{Name, name, reference, skip_space};
use namespaces::Decl;

/// The state of a half-read element.
#[derive(Debug)]
pub(super) struct Walk {
    until: Until,
    state: State,
    /// Everything before this is judged.
    pos: usize,
    /// Where the text or the attribute value that is being read began.
    mark: usize,
    /// The start tag being read.
    tag: Name,
    tag_decls: usize,
    tag_attributes: u16,
    spaced: bool,
    quote: u8,
    attribute: Name,
    /// Names seen in this tag, to find a second one.
    names: SmallVec<[Name; 8]>,
    decls: SmallVec<[Decl; 8]>,
    stack: SmallVec<[Frame; 8]>,
    /// Declarations made on the outermost element.
    head_decls: usize,
    /// Bytes of namespaces that were compared to find an attribute given twice: work that a peer could multiply.
    compared: usize,
    /// What was found, for the scanner.
    pub(super) found: Found,
}

/// What a finished walk knows about its element.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) ns: Namespace,
    /// Whether the bytes mean the same anywhere in a stream: no prefix of the outermost element or of the stream is used.
    pub(super) is_plain: bool,
    pub(super) name_len: u16,
    /// Behind the start tag.
    pub(super) head_end: usize,
    /// Before the end tag; the end of the bytes if the element is written as one empty tag.
    pub(super) tail_start: usize,
    pub(super) index: Index,
}

/// Where a walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Behind the start tag: the stream header.
    StartTag,
    /// Behind the element.
    End,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Content,
    Markup,
    Tag,
    Equals,
    Quote,
    Value,
    CData,
    EndTag,
}

enum Step {
    On,
    More,
    End,
}

/// An element that is still open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    name_at: u32,
    name_len: u16,
    decls: u16,
    children: u32,
}

impl Walk {
    pub(super) fn new(until: Until) -> Walk {
        Walk {
            until,
            state: State::Markup,
            pos: 0,
            mark: 0,
            tag: Name::default(),
            tag_decls: 0,
            tag_attributes: 0,
            spaced: false,
            quote: 0,
            attribute: Name::default(),
            names: SmallVec::new(),
            decls: SmallVec::new(),
            stack: SmallVec::new(),
            head_decls: 0,
            compared: 0,
            found: Found {
                ns: Namespace::Static(""),
                is_plain: true,
                name_len: 0,
                head_end: 0,
                tail_start: 0,
                index: Index::default(),
            },
        }
    }

    /// Goes on in `buf`, which begins with the element's `<` and must hold what it held before, and perhaps more.
    /// Returns where the element ends, or `None` if that is not in sight. Characters are not judged here.
    pub(super) fn run(&mut self, buf: &[u8], outer: &Outer, limits: &Limits) -> Result<Option<usize>, XmlError> {
        loop {
            let step = match self.state {
                State::Content => self.content(buf)?,
                State::Markup => self.markup(buf, limits)?,
                State::Tag => self.tag(buf, outer, limits)?,
                State::Equals => self.equals(buf)?,
                State::Quote => self.quote(buf)?,
                State::Value => self.value(buf, limits)?,
                State::CData => self.cdata(buf),
                State::EndTag => self.end_tag(buf)?,
            };
            match step {
                Step::On => {}
                Step::More => return Ok(None),
                Step::End => return Ok(Some(self.pos)),
            }
        }
    }

    /// Whether only the start tag is wanted and it was an empty element's.
    pub(super) fn is_empty_element(&self) -> bool {
        self.stack.is_empty()
    }

    /// Bytes on the heap.
    pub(super) fn memory_usage(&self) -> usize {
        let names = if self.names.spilled() { self.names.capacity() * size_of::<Name>() } else { 0 };
        let decls = if self.decls.spilled() { self.decls.capacity() * size_of::<Decl>() } else { 0 };
        let stack = if self.stack.spilled() { self.stack.capacity() * size_of::<Frame>() } else { 0 };
        names + decls + stack + self.found.index.memory_usage()
    }

    fn content(&mut self, buf: &[u8]) -> Result<Step, XmlError> {
        loop {
            let rest = &buf[self.pos..];
            let at = match rest.first() {
                Some(b'<') => self.pos,
                _ => match chars::find_any(*b"<&>", rest) {
                    Some(at) => self.pos + at,
                    None => {
                        self.pos = buf.len();
                        return Ok(Step::More);
                    }
                },
            };
            self.pos = at;
            match buf[at] {
                b'<' => {
                    self.state = State::Markup;
                    return Ok(Step::On);
                }
                b'&' => match reference(&buf[at..])? {
                    Some(len) => {
                        self.pos += len;
                        self.mark = self.pos;
                    }
                    None => return Ok(Step::More),
                },
                _ if buf[self.mark..at].ends_with(b"]]") => return Err(NotWellFormed("]]> in text")),
                _ => self.pos += 1,
            }
        }
    }

    fn markup(&mut self, buf: &[u8], limits: &Limits) -> Result<Step, XmlError> {
        const CDATA: &[u8] = b"<![CDATA[";
        let rest = &buf[self.pos..];
        match rest.get(1) {
            None => Ok(Step::More),
            Some(b'/') => self.end_name(buf),
            Some(b'?') => Err(Restricted("processing instruction")),
            Some(b'!') if self.stack.is_empty() => match rest.get(2) {
                None => Ok(Step::More),
                Some(b'[') => Err(BadFormat("text between stanzas")),
                Some(_) => Err(Restricted("comment or DTD")),
            },
            Some(b'!') => {
                let seen = rest.len().min(CDATA.len());
                if rest[..seen] != CDATA[..seen] {
                    return Err(Restricted("comment or DTD"));
                }
                if seen < CDATA.len() {
                    return Ok(Step::More);
                }
                self.pos += CDATA.len();
                self.state = State::CData;
                Ok(Step::On)
            }
            Some(_) => {
                let Some(name) = name(buf, self.pos + 1, limits)? else { return Ok(Step::More) };
                self.pos = name.start as usize + usize::from(name.len);
                self.tag = name;
                self.tag_decls = self.decls.len();
                self.tag_attributes = 0;
                self.names.clear();
                self.spaced = false;
                self.state = State::Tag;
                Ok(Step::On)
            }
        }
    }

    fn tag(&mut self, buf: &[u8], outer: &Outer, limits: &Limits) -> Result<Step, XmlError> {
        let at = skip_space(buf, self.pos);
        self.spaced |= at > self.pos;
        self.pos = at;
        match buf.get(at) {
            None => Ok(Step::More),
            Some(b'>') => {
                self.pos += 1;
                self.start_tag_done(buf, outer, limits, Shape::Open)
            }
            Some(b'/') => match buf.get(at + 1) {
                None => Ok(Step::More),
                Some(b'>') => {
                    self.pos += 2;
                    self.start_tag_done(buf, outer, limits, Shape::Empty)
                }
                Some(_) => Err(NotWellFormed("/ in a tag")),
            },
            Some(_) if !self.spaced => Err(NotWellFormed("no white space before an attribute")),
            Some(_) => {
                let Some(name) = name(buf, at, limits)? else { return Ok(Step::More) };
                self.pos = at + usize::from(name.len);
                self.attribute = name;
                self.state = State::Equals;
                // The usual spelling in one go: `name='`.
                if let Some([b'=', quote @ (b'\'' | b'"')]) = buf.get(self.pos..self.pos + 2) {
                    self.begin_value(*quote, 2);
                    return self.value(buf, limits);
                }
                Ok(Step::On)
            }
        }
    }

    fn equals(&mut self, buf: &[u8]) -> Result<Step, XmlError> {
        self.pos = skip_space(buf, self.pos);
        match buf.get(self.pos) {
            None => Ok(Step::More),
            Some(b'=') => {
                self.pos += 1;
                self.state = State::Quote;
                Ok(Step::On)
            }
            Some(_) => Err(NotWellFormed("an attribute without a value")),
        }
    }

    fn quote(&mut self, buf: &[u8]) -> Result<Step, XmlError> {
        self.pos = skip_space(buf, self.pos);
        match buf.get(self.pos) {
            None => Ok(Step::More),
            Some(&quote @ (b'\'' | b'"')) => {
                self.begin_value(quote, 1);
                Ok(Step::On)
            }
            Some(_) => Err(NotWellFormed("an attribute without quotes")),
        }
    }

    fn begin_value(&mut self, quote: u8, len: usize) {
        self.pos += len;
        self.mark = self.pos;
        self.quote = quote;
        self.state = State::Value;
    }

    fn value(&mut self, buf: &[u8], limits: &Limits) -> Result<Step, XmlError> {
        loop {
            let Some(at) = chars::find_any([self.quote, b'<', b'&'], &buf[self.pos..]) else {
                self.pos = buf.len();
                return Ok(Step::More);
            };
            self.pos += at;
            match buf[self.pos] {
                b'<' => return Err(NotWellFormed("< in an attribute")),
                b'&' => match reference(&buf[self.pos..])? {
                    Some(len) => self.pos += len,
                    None => return Ok(Step::More),
                },
                _ => break,
            }
        }
        self.attribute_done(buf, limits)?;
        self.pos += 1;
        self.spaced = false;
        self.state = State::Tag;
        Ok(Step::On)
    }

    fn cdata(&mut self, buf: &[u8]) -> Step {
        match memmem::find(&buf[self.pos..], b"]]>") {
            Some(at) => {
                self.pos += at + 3;
                self.mark = self.pos;
                self.state = State::Content;
                Step::On
            }
            None => {
                // The last two bytes may begin the end.
                self.pos = self.pos.max(buf.len().saturating_sub(2));
                Step::More
            }
        }
    }

    /// At `</`: the name must be that of the innermost open element.
    fn end_name(&mut self, buf: &[u8]) -> Result<Step, XmlError> {
        let Some(frame) = self.stack.last() else { return Err(NotWellFormed("an end tag without a start tag")) };
        let name = &buf[frame.name_at as usize..frame.name_at as usize + usize::from(frame.name_len)];
        let found = &buf[self.pos + 2..];
        let seen = found.len().min(name.len());
        if found[..seen] != name[..seen] {
            return Err(NotWellFormed("an end tag that does not match"));
        }
        if found.len() <= name.len() {
            return Ok(Step::More);
        }
        if self.stack.len() == 1 {
            self.found.tail_start = self.pos;
        }
        self.pos += 2 + name.len();
        self.state = State::EndTag;
        Ok(Step::On)
    }

    fn end_tag(&mut self, buf: &[u8]) -> Result<Step, XmlError> {
        self.pos = skip_space(buf, self.pos);
        match buf.get(self.pos) {
            None => return Ok(Step::More),
            Some(b'>') => self.pos += 1,
            Some(_) => return Err(NotWellFormed("an end tag that does not match")),
        }
        let frame = self.stack.pop().expect("an end tag is only read while an element is open");
        self.decls.truncate(usize::from(frame.decls));
        Ok(self.element_done())
    }

    /// An element of the depth that the stack now has is over.
    fn element_done(&mut self) -> Step {
        self.mark = self.pos;
        self.state = State::Content;
        match self.stack.len() {
            0 => return Step::End,
            1 if self.found.index.more_from == 0 => {
                if let Some(entry) = self.found.index.entries.last_mut() {
                    entry.end = self.pos as u32;
                }
            }
            _ => {}
        }
        Step::On
    }

    fn attribute_done(&mut self, buf: &[u8], limits: &Limits) -> Result<(), XmlError> {
        let name = self.attribute;
        let all = name.all(buf);
        // Length and first byte first: comparing whole names is a call.
        let may_be_same = |seen: &Name| seen.len == name.len && buf[seen.start as usize] == all[0];
        if self.names.iter().any(|seen| may_be_same(seen) && seen.all(buf) == all) {
            return Err(NotWellFormed("an attribute given twice"));
        }
        self.names.push(name);
        if all.starts_with(b"xmlns") && (all.len() == 5 || all[5] == b':') {
            return self.declare(buf, limits);
        }
        self.tag_attributes += 1;
        if self.tag_attributes > limits.attributes { Err(Limit("attributes")) } else { Ok(()) }
    }

    fn start_tag_done(&mut self, buf: &[u8], outer: &Outer, limits: &Limits, shape: Shape) -> Result<Step, XmlError> {
        if self.stack.len() >= usize::from(limits.depth) {
            return Err(Limit("depth"));
        }
        if let Some(parent) = self.stack.last_mut() {
            parent.children += 1;
            if parent.children > limits.children {
                return Err(Limit("children"));
            }
        }
        self.resolve_element(buf, outer)?;
        self.resolve_attributes(buf, outer, limits)?;
        if self.stack.is_empty() {
            self.found.head_end = self.pos;
            self.found.tail_start = self.pos;
        }
        let is_header = self.until == Until::StartTag;
        match shape {
            Shape::Empty if is_header => return Ok(Step::End),
            Shape::Empty => {
                self.decls.truncate(self.tag_decls);
                return Ok(self.element_done());
            }
            Shape::Open => {}
        }
        self.stack.push(Frame {
            name_at: self.tag.start,
            name_len: self.tag.len,
            decls: self.tag_decls as u16,
            children: 0,
        });
        self.mark = self.pos;
        self.state = State::Content;
        Ok(if is_header { Step::End } else { Step::On })
    }
}

/// How a start tag ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Open,
    Empty,
}
