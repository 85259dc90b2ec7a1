//! The scanner: bytes of a stream in, its header and its top-level elements out (RFC 6120 sections 4 and 11). Strict,
//! resumable at any byte, no I/O. Each element is scanned where it lies; only one that is not complete is copied, into a
//! buffer that is gone when it ends, so an idle connection holds none.

use bytes::Bytes;

use super::chars;
use super::element::Element;
use super::header::Header;
use super::isolate::isolate;
use super::limits::{Limits, XmlError};
use super::raw::{self, StartTag};
use super::scope::Outer;
use super::walk::{Until, Walk};
use crate::ns;

/// Bytes that the buffer of an unfinished element grows by at least; a quarter of what it holds if that is more, so that
/// it never outweighs what was received by much.
const GROWTH_BYTES_MIN: usize = 256;

/// Bytes of an XML declaration.
const DECLARATION_BYTES_MAX: usize = 256;

/// What a stream consists of.
// One is made per stanza and taken apart at once; a box would cost an allocation for nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The stream header.
    Open(Header),
    /// One top-level element.
    Element(Element),
    /// The end of the stream.
    Close,
}

/// Reads one stream; a stream restart takes a new one.
#[derive(Debug)]
pub struct Scanner {
    limits: Limits,
    phase: Phase,
    /// Declarations of the stream header.
    outer: Outer,
    /// The name of the stream's root as it was written; none if there is no root.
    root: Option<Box<str>>,
    /// The unfinished thing, from its `<`.
    pending: Vec<u8>,
    paused: Option<Box<Walk>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the stream header.
    Start,
    /// The same, behind the XML declaration.
    Declared,
    /// In the stream.
    Between,
    /// The stream header was an empty tag, so the stream ends where it begins.
    Ending,
    Closed,
    Failed,
}

/// What `<` turned out to begin.
enum Unit {
    Declaration,
    Close,
    Header,
    Element,
}

/// A complete thing at the front of the bytes.
enum Done {
    Declaration,
    Header { is_empty: bool },
    Element,
    Close,
}

impl Scanner {
    /// For a stream: expects its header first, with or without an XML declaration.
    pub fn new(limits: Limits) -> Scanner {
        Scanner { limits, phase: Phase::Start, outer: Outer::default(), root: None, pending: Vec::new(), paused: None }
    }

    /// For elements without a stream around them (stored stanzas, WebSocket frames); what declares no namespace is in
    /// `jabber:client`.
    pub fn elements(limits: Limits) -> Scanner {
        Scanner { phase: Phase::Between, outer: Outer::default_only(ns::CLIENT), ..Scanner::new(limits) }
    }

    /// Changes the limits, from the next byte on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Takes the next item from the front of `input`. `Ok(None)`: the input is used up and more is needed.
    ///
    /// After an error nothing more is ever yielded (`XmlError::Failed`).
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Item>, XmlError> {
        let result = self.advance(input);
        if result.is_err() {
            self.phase = Phase::Failed;
            self.pending = Vec::new();
            self.paused = None;
        }
        result
    }

    /// Bytes of an unfinished element that are held.
    pub fn buffered(&self) -> usize {
        self.pending.len()
    }

    /// Bytes on the heap.
    pub fn memory_usage(&self) -> usize {
        let walk = self.paused.as_ref().map_or(0, |walk| size_of::<Walk>() + walk.memory_usage());
        self.pending.capacity() + walk + self.outer.memory_usage() + self.root.as_ref().map_or(0, |root| root.len())
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Item>, XmlError> {
        loop {
            if self.phase == Phase::Ending {
                self.phase = Phase::Closed;
                return Ok(Some(Item::Close));
            }
            let item = if self.pending.is_empty() {
                skip_space(input);
                let Some(&first) = input.first() else { return Ok(None) };
                self.check_first(first)?;
                self.scan_in_place(input)?
            } else {
                self.scan_pending(input)?
            };
            match item {
                Some(Some(item)) => return Ok(Some(item)),
                // Only the XML declaration is complete.
                Some(None) => {}
                None => return Ok(None),
            }
        }
    }

    /// What may stand outside of elements: white space (RFC 6120 section 4.6.1), and then only markup.
    ///
    /// COMPAT(some libraries end each element with a line feed): white space is allowed before the header too.
    fn check_first(&self, first: u8) -> Result<(), XmlError> {
        match self.phase {
            Phase::Failed => Err(XmlError::Failed),
            Phase::Closed => Err(XmlError::NotWellFormed("something behind the end of the stream")),
            _ if first == b'<' => Ok(()),
            // Half of the byte order mark of UTF-16.
            Phase::Start if matches!(first, 0xFE | 0xFF) => Err(XmlError::UnsupportedEncoding),
            Phase::Start | Phase::Declared => Err(XmlError::NotWellFormed("text before the stream")),
            Phase::Between | Phase::Ending => Err(XmlError::BadFormat("text between stanzas")),
        }
    }

    fn scan_in_place(&mut self, input: &mut &[u8]) -> Result<Option<Option<Item>>, XmlError> {
        let view = &input[..input.len().min(self.limits.stanza_bytes)];
        let mut walk = self.walk();
        if let Some((end, done)) = self.scan(&mut walk, view)? {
            *input = &input[end..];
            return self.item(done, walk, Held::Borrowed(&view[..end])).map(Some);
        }
        if view.len() < input.len() {
            return Err(XmlError::Limit("stanza bytes"));
        }
        self.pending.reserve_exact(view.len());
        self.pending.extend_from_slice(view);
        *input = &[];
        self.paused = Some(Box::new(walk));
        Ok(None)
    }

    fn scan_pending(&mut self, input: &mut &[u8]) -> Result<Option<Option<Item>>, XmlError> {
        let mut walk = self.paused.take().unwrap_or_else(|| Box::new(self.walk()));
        while !input.is_empty() {
            let room = self.limits.stanza_bytes.saturating_sub(self.pending.len());
            let step = GROWTH_BYTES_MIN.max(self.pending.len() / 4).min(room).min(input.len());
            if step == 0 {
                return Err(XmlError::Limit("stanza bytes"));
            }
            let before = self.pending.len();
            self.grow(step);
            self.pending.extend_from_slice(&input[..step]);
            let pending = std::mem::take(&mut self.pending);
            let scanned = self.scan(&mut walk, &pending)?;
            self.pending = pending;
            let Some((end, done)) = scanned else {
                *input = &input[step..];
                continue;
            };
            *input = &input[end - before..];
            let mut held = std::mem::take(&mut self.pending);
            held.truncate(end);
            return self.item(done, *walk, Held::Owned(held)).map(Some);
        }
        self.paused = Some(walk);
        Ok(None)
    }

    /// Makes room for `step` bytes, with at most a quarter more than will be used.
    fn grow(&mut self, step: usize) {
        if self.pending.capacity() - self.pending.len() < step {
            self.pending.reserve_exact(step.max(self.pending.len() / 4));
        }
    }

    fn walk(&self) -> Walk {
        Walk::new(if self.phase == Phase::Between { Until::End } else { Until::StartTag })
    }

    /// Goes on with what `view` begins with.
    fn scan(&self, walk: &mut Walk, view: &[u8]) -> Result<Option<(usize, Done)>, XmlError> {
        let Some(unit) = self.unit(view)? else { return Ok(None) };
        let found = match unit {
            Unit::Declaration => scan_declaration(view)?.map(|end| (end, Done::Declaration)),
            Unit::Close => self.scan_close(view)?.map(|end| (end, Done::Close)),
            Unit::Element => walk.run(view, &self.outer, &self.limits)?.map(|end| (end, Done::Element)),
            Unit::Header => {
                let end = walk.run(view, &Outer::default(), &self.limits)?;
                end.map(|end| (end, Done::Header { is_empty: walk.is_empty_element() }))
            }
        };
        Ok(found)
    }

    fn unit(&self, view: &[u8]) -> Result<Option<Unit>, XmlError> {
        let Some(second) = view.get(1) else { return Ok(None) };
        match (second, self.phase) {
            (b'?', Phase::Start) => Ok(Some(Unit::Declaration)),
            (b'/', Phase::Between) => Ok(Some(Unit::Close)),
            (_, Phase::Between) => Ok(Some(Unit::Element)),
            _ => Ok(Some(Unit::Header)),
        }
    }

    fn scan_close(&self, view: &[u8]) -> Result<Option<usize>, XmlError> {
        const WRONG: XmlError = XmlError::NotWellFormed("an end tag that does not match");
        let Some(root) = &self.root else { return Err(WRONG) };
        let found = &view[2..];
        let seen = found.len().min(root.len());
        if found[..seen] != root.as_bytes()[..seen] {
            return Err(WRONG);
        }
        let rest = &found[seen..];
        match rest.iter().position(|&byte| !chars::is_space(byte)) {
            Some(at) if rest[at] == b'>' => Ok(Some(2 + seen + at + 1)),
            Some(_) => Err(WRONG),
            None if view.len() > root.len() + DECLARATION_BYTES_MAX => Err(XmlError::Limit("end tag")),
            None => Ok(None),
        }
    }

    /// Judges the characters of what is complete and makes an item of it; the XML declaration is none.
    fn item(&mut self, done: Done, walk: Walk, held: Held<'_>) -> Result<Option<Item>, XmlError> {
        chars::check(held.bytes())?;
        match done {
            Done::Declaration => {
                check_declaration(raw::text(held.bytes()))?;
                self.phase = Phase::Declared;
                Ok(None)
            }
            Done::Close => {
                self.phase = Phase::Closed;
                Ok(Some(Item::Close))
            }
            Done::Header { is_empty } => self.open(walk, held.bytes(), is_empty).map(Some),
            Done::Element => self.element(walk, held).map(|element| Some(Item::Element(element))),
        }
    }

    fn open(&mut self, walk: Walk, bytes: &[u8], is_empty: bool) -> Result<Item, XmlError> {
        let tag = StartTag::read(bytes).ok_or(XmlError::NotWellFormed("stream header"))?;
        self.outer = Outer::of_tag(tag);
        self.root = Some(raw::text(tag.raw_name()).into());
        self.phase = if is_empty { Phase::Ending } else { Phase::Between };
        Ok(Item::Open(Header::read(tag, &walk.found.ns, &self.outer.default_ns())))
    }

    fn element(&self, walk: Walk, held: Held<'_>) -> Result<Element, XmlError> {
        if walk.found.is_plain {
            return Ok(Element::new(held.into_bytes(), walk.found));
        }
        let mut bytes = held.into_vec();
        isolate(&mut bytes, &walk.found, &self.outer)?;
        let mut walk = Walk::new(Until::End);
        match walk.run(&bytes, &Outer::default(), &Limits::STORED)? {
            Some(end) if end == bytes.len() && walk.found.is_plain => {
                bytes.shrink_to_fit();
                Ok(Element::new(Bytes::from(bytes), walk.found))
            }
            _ => Err(XmlError::NotWellFormed("an element that cannot stand alone")),
        }
    }
}

/// The bytes of something complete.
enum Held<'a> {
    Borrowed(&'a [u8]),
    Owned(Vec<u8>),
}

impl Held<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Held::Borrowed(bytes) => bytes,
            Held::Owned(bytes) => bytes,
        }
    }

    fn into_vec(self) -> Vec<u8> {
        match self {
            Held::Borrowed(bytes) => bytes.to_vec(),
            Held::Owned(bytes) => bytes,
        }
    }

    /// One allocation of exactly the element's size: nothing larger is kept alive by it.
    fn into_bytes(self) -> Bytes {
        match self {
            Held::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Held::Owned(mut bytes) => {
                bytes.shrink_to_fit();
                Bytes::from(bytes)
            }
        }
    }
}

fn skip_space(input: &mut &[u8]) {
    let spaces = input.iter().take_while(|&&byte| chars::is_space(byte)).count();
    *input = &input[spaces..];
}

/// Finds the end of `<?xml ... ?>`; any other processing instruction is refused at once.
fn scan_declaration(view: &[u8]) -> Result<Option<usize>, XmlError> {
    const START: &[u8] = b"<?xml";
    let seen = view.len().min(START.len());
    if view[..seen] != START[..seen] || view.get(5).is_some_and(|&byte| !chars::is_space(byte)) {
        return Err(XmlError::Restricted("processing instruction"));
    }
    // From its sixth byte on, one at a time or all at once, so that the verdict does not depend on how it arrives.
    let most = &view[..view.len().min(DECLARATION_BYTES_MAX)];
    match memchr::memchr(b'>', most) {
        Some(at) => Ok(Some(at + 1)),
        None if view.len() >= DECLARATION_BYTES_MAX => Err(XmlError::NotWellFormed("XML declaration")),
        None => Ok(None),
    }
}

/// `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>`, the last two optional (XML 1.0 production 23).
fn check_declaration(text: &str) -> Result<(), XmlError> {
    const WRONG: XmlError = XmlError::NotWellFormed("XML declaration");
    let mut rest = text.strip_prefix("<?xml").and_then(|rest| rest.strip_suffix("?>")).ok_or(WRONG)?;
    let version = pseudo_attribute(&mut rest, "version").ok_or(WRONG)?;
    let encoding = pseudo_attribute(&mut rest, "encoding");
    let standalone = pseudo_attribute(&mut rest, "standalone");
    if version != "1.0"
        || !rest.trim_matches(SPACE).is_empty()
        || standalone.is_some_and(|is| is != "yes" && is != "no")
    {
        return Err(WRONG);
    }
    match encoding {
        Some(name) if !name.eq_ignore_ascii_case("utf-8") => Err(XmlError::UnsupportedEncoding),
        _ => Ok(()),
    }
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Takes ` name = 'value'` from the front of `rest`, if it is there.
fn pseudo_attribute<'a>(rest: &mut &'a str, name: &str) -> Option<&'a str> {
    let spaced = rest.strip_prefix(SPACE)?.trim_start_matches(SPACE);
    let equals = spaced.strip_prefix(name)?.trim_start_matches(SPACE);
    let quoted = equals.strip_prefix('=')?.trim_start_matches(SPACE);
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let (value, after) = quoted[1..].split_once(quote)?;
    *rest = after;
    Some(value)
}
