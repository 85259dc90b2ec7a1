//! Namespaces while an element is walked: declarations, what prefixes stand for, and whether a child stands alone
//! (Namespaces in XML 1.0).

use std::borrow::Cow;

use smallvec::SmallVec;

use super::super::index::{Entry, EntryNs, INDEXED_MAX};
use super::super::limits::XmlError::{self, Limit, NotWellFormed};
use super::super::limits::{Limits, NAMESPACE_TO_NAME};
use super::super::raw;
use super::super::scope::{Namespace, Outer};
use super::Walk;
use super::lex::Name;
use crate::ns;

/// A namespace declaration; prefix and value are positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decl {
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

/// What a prefix stands for.
#[derive(Clone, Copy, Debug)]
enum Resolved {
    Nothing,
    Xml,
    Decl(usize),
    Outer(usize),
}

impl Walk {
    pub(super) fn declare(&mut self, buf: &[u8], limits: &Limits) -> Result<(), XmlError> {
        let prefix = if self.attribute.colon == 0 { &[] } else { self.attribute.local(buf) };
        let raw = &buf[self.mark..self.pos];
        let decl = Decl {
            prefix_at: self.attribute.start + u32::from(self.attribute.local_at()),
            prefix_len: prefix.len() as u16,
            is_odd: raw.iter().any(|byte| matches!(byte, b'&' | b'\t' | b'\n' | b'\r')),
            uri_at: self.mark as u32,
            uri_len: raw.len() as u32,
        };
        if raw.len() > NAMESPACE_TO_NAME * usize::from(limits.name_bytes) {
            return Err(Limit("namespace name"));
        }
        check_declaration(prefix, &decl.uri(buf))?;
        let here = self.decls.len() - self.tag_decls;
        if here >= usize::from(limits.namespaces) || self.decls.len() >= 4 * usize::from(limits.namespaces) {
            return Err(Limit("namespace declarations"));
        }
        self.decls.push(decl);
        Ok(())
    }

    pub(super) fn resolve_element(&mut self, buf: &[u8], outer: &Outer) -> Result<(), XmlError> {
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
    pub(super) fn resolve_attributes(&mut self, buf: &[u8], outer: &Outer, limits: &Limits) -> Result<(), XmlError> {
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
            for (other, ns) in &seen {
                if other.local(buf) != name.local(buf) {
                    continue;
                }
                let (known, new) = (self.uri(*ns, buf, outer), self.uri(resolved, buf, outer));
                if known == new {
                    return Err(NotWellFormed("an attribute given twice"));
                }
                self.compared += known.len() + new.len();
            }
            if self.compared > limits.stanza_bytes {
                return Err(Limit("attributes of one name"));
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
