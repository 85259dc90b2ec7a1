//! One element, judged and indexed in one pass that can stop at any byte and go on when more have come.
//! XML 1.0 and Namespaces in XML 1.0 as RFC 6120 section 11 narrows them; the scanner feeds it. It keeps positions in
//! the element's bytes, never text, and its memory is bounded by the limits: under 4 KiB whatever comes.

use std::borrow::Cow;

use memchr::memmem;
use smallvec::SmallVec;

use super::chars::{self, COLON, INNER, NAME, START, WIDE};
use super::index::{Entry, EntryNs, INDEXED_MAX, Index};
use super::limits::{Limits, XmlError};
use super::raw;
use super::scope::{Namespace, Outer};
use crate::ns;

use XmlError::{BadFormat, Limit, NotWellFormed, Restricted};

/// Digits of a character reference: more would only be leading zeros.
const REFERENCE_BYTES_MAX: usize = 16;

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

/// A name in the bytes; `colon` is counted from `start`, 0 if there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    start: u32,
    len: u16,
    colon: u16,
}

impl Name {
    fn all(self, buf: &[u8]) -> &[u8] {
        &buf[self.start as usize..self.start as usize + usize::from(self.len)]
    }

    fn prefix(self, buf: &[u8]) -> &[u8] {
        &self.all(buf)[..usize::from(self.colon)]
    }

    fn local_at(self) -> u16 {
        if self.colon == 0 { 0 } else { self.colon + 1 }
    }

    fn local(self, buf: &[u8]) -> &[u8] {
        &self.all(buf)[usize::from(self.local_at())..]
    }
}

/// A namespace declaration; prefix and value are positions.
#[derive(Clone, Copy, Debug)]
struct Decl {
    prefix_at: u32,
    prefix_len: u16,
    /// The value has references or white space to normalise.
    is_odd: bool,
    uri_at: u32,
    uri_len: u32,
}

impl Decl {
    fn prefix(self, buf: &[u8]) -> &[u8] {
        &buf[self.prefix_at as usize..self.prefix_at as usize + usize::from(self.prefix_len)]
    }

    fn uri(self, buf: &[u8]) -> Cow<'_, [u8]> {
        let raw = &buf[self.uri_at as usize..(self.uri_at + self.uri_len) as usize];
        if !self.is_odd {
            return Cow::Borrowed(raw);
        }
        match raw::attribute_value(raw) {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

/// An element that is still open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    name_at: u32,
    name_len: u16,
    decls: u16,
    children: u32,
}

/// What a prefix stands for.
#[derive(Clone, Copy, Debug)]
enum Resolved {
    Nothing,
    Xml,
    Decl(usize),
    Outer(usize),
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

    fn declare(&mut self, buf: &[u8], limits: &Limits) -> Result<(), XmlError> {
        let prefix = if self.attribute.colon == 0 { &[] } else { self.attribute.local(buf) };
        let raw = &buf[self.mark..self.pos];
        let decl = Decl {
            prefix_at: self.attribute.start + u32::from(self.attribute.local_at()),
            prefix_len: prefix.len() as u16,
            is_odd: raw.iter().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r')),
            uri_at: self.mark as u32,
            uri_len: raw.len() as u32,
        };
        check_declaration(prefix, &decl.uri(buf))?;
        let here = self.decls.len() - self.tag_decls;
        if here >= usize::from(limits.namespaces) || self.decls.len() >= 4 * usize::from(limits.namespaces) {
            return Err(Limit("namespace declarations"));
        }
        self.decls.push(decl);
        Ok(())
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
        self.resolve_attributes(buf, outer)?;
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

    fn resolve_element(&mut self, buf: &[u8], outer: &Outer) -> Result<(), XmlError> {
        let prefix = self.tag.prefix(buf);
        let resolved = match self.resolve(prefix, buf, outer) {
            Resolved::Nothing if !prefix.is_empty() => return Err(NotWellFormed("an undeclared prefix")),
            Resolved::Xml => return Err(NotWellFormed("an element with the prefix xml")),
            resolved => resolved,
        };
        match self.stack.len() {
            0 => {
                self.head_decls = self.decls.len();
                self.found.name_len = self.tag.len;
                self.found.is_plain = prefix.is_empty();
                self.found.ns = match resolved {
                    Resolved::Decl(at) => Namespace::of(raw::text(&self.decls[at].uri(buf))),
                    Resolved::Outer(at) => outer.get(at).clone(),
                    Resolved::Nothing | Resolved::Xml => Namespace::Static(""),
                };
            }
            depth => {
                self.note_use(prefix, resolved);
                if depth == 1 {
                    self.index_child(resolved, buf);
                }
            }
        }
        Ok(())
    }

    /// Notes that a prefix is used whose declaration is not part of the child that uses it.
    fn note_use(&mut self, prefix: &[u8], resolved: Resolved) {
        let is_outside = match resolved {
            Resolved::Decl(at) => at < self.head_decls,
            Resolved::Outer(_) => true,
            Resolved::Nothing | Resolved::Xml => false,
        };
        if is_outside && !prefix.is_empty() {
            self.found.is_plain = false;
        }
    }

    fn index_child(&mut self, resolved: Resolved, buf: &[u8]) {
        let start = self.tag.start - 1;
        let index = &mut self.found.index;
        if index.entries.len() >= INDEXED_MAX {
            if index.more_from == 0 {
                index.more_from = start;
            }
            return;
        }
        let ns = match resolved {
            Resolved::Decl(at) if at >= self.head_decls => {
                let decl = self.decls[at];
                match u16::try_from(decl.uri_len) {
                    Ok(len) if !decl.is_odd => EntryNs::At { at: decl.uri_at - start, len },
                    _ => index.odd_ns(raw::text(&decl.uri(buf))),
                }
            }
            _ => EntryNs::Inherited,
        };
        let name_at = 1 + self.tag.local_at();
        let name_len = self.tag.len - self.tag.local_at();
        index.entries.push(Entry { start, end: start, name_at, name_len, ns });
    }

    /// Prefixes of attributes must be declared, and two must not mean the same name (Namespaces in XML section 6.3).
    fn resolve_attributes(&mut self, buf: &[u8], outer: &Outer) -> Result<(), XmlError> {
        if self.names.iter().all(|name| name.colon == 0) {
            return Ok(());
        }
        let mut seen = SmallVec::<[(Name, Resolved); 8]>::new();
        for at in 0..self.names.len() {
            let name = self.names[at];
            let prefix = name.prefix(buf);
            if name.colon == 0 || prefix == b"xmlns" {
                continue;
            }
            let resolved = self.resolve(prefix, buf, outer);
            if let Resolved::Nothing = resolved {
                return Err(NotWellFormed("an undeclared prefix"));
            }
            let same = |(other, ns): &(Name, Resolved)| {
                other.local(buf) == name.local(buf) && self.uri(*ns, buf, outer) == self.uri(resolved, buf, outer)
            };
            if seen.iter().any(same) {
                return Err(NotWellFormed("an attribute given twice"));
            }
            seen.push((name, resolved));
            // The outermost element's own declarations are around its children, but not around itself.
            if !self.stack.is_empty() || matches!(resolved, Resolved::Outer(_)) {
                self.note_use(prefix, resolved);
            }
        }
        Ok(())
    }

    fn resolve(&self, prefix: &[u8], buf: &[u8], outer: &Outer) -> Resolved {
        if prefix.is_empty() {
            // The usual case, without looking at any bytes.
            return match self.decls.iter().rposition(|decl| decl.prefix_len == 0) {
                Some(at) => Resolved::Decl(at),
                None => outer.default_at().map_or(Resolved::Nothing, Resolved::Outer),
            };
        }
        if prefix == b"xml" {
            return Resolved::Xml;
        }
        if let Some(at) = self.decls.iter().rposition(|decl| decl.prefix(buf) == prefix) {
            return Resolved::Decl(at);
        }
        outer.find(prefix).map_or(Resolved::Nothing, Resolved::Outer)
    }

    fn uri<'a>(&self, resolved: Resolved, buf: &'a [u8], outer: &'a Outer) -> Cow<'a, [u8]> {
        match resolved {
            Resolved::Nothing => Cow::Borrowed(b""),
            Resolved::Xml => Cow::Borrowed(ns::XML.as_bytes()),
            Resolved::Decl(at) => self.decls[at].uri(buf),
            Resolved::Outer(at) => Cow::Borrowed(outer.get(at).as_str().as_bytes()),
        }
    }
}

/// How a start tag ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Open,
    Empty,
}

fn skip_space(buf: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < buf.len() && chars::is_space(buf[at]) {
        at += 1;
    }
    at
}

/// The qualified name at `start`, or `None` if its end is not in sight.
fn name(buf: &[u8], start: usize, limits: &Limits) -> Result<Option<Name>, XmlError> {
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
fn reference(rest: &[u8]) -> Result<Option<usize>, XmlError> {
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

/// The reserved prefixes and names (Namespaces in XML section 3), and no prefix without a name (section 5).
fn check_declaration(prefix: &[u8], uri: &[u8]) -> Result<(), XmlError> {
    let is_reserved = uri == ns::XMLNS.as_bytes() || (uri == ns::XML.as_bytes()) != (prefix == b"xml");
    if prefix == b"xmlns" || is_reserved {
        return Err(NotWellFormed("a reserved namespace"));
    }
    if uri.is_empty() && !prefix.is_empty() {
        return Err(NotWellFormed("a prefix without a namespace"));
    }
    Ok(())
}
