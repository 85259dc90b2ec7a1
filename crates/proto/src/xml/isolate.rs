//! Makes an element stand alone that uses prefixes declared around its children, or has one itself: rare, but legal.
//! Declarations are added to the children that need them; the element gets a plain name. Only the scanner calls this.

use std::ops::Range;

use memchr::memmem;

use super::index::ChildBytes;
use super::limits::XmlError;
use super::raw::{self, StartTag};
use super::scope::Outer;
use super::walk::Found;
use super::write;

/// What may be added to one element, in bytes, each place counting `EDIT_COST` more: a declaration repeated in thousands
/// of children would otherwise turn a small stanza into a large one.
const ADDED_MAX: usize = 4096;
const EDIT_COST: usize = 32;

type Edit = (Range<usize>, Vec<u8>);

/// Rewrites `bytes`, a whole element of which `found` is known.
pub(super) fn isolate(bytes: &mut Vec<u8>, found: &Found, outer: &Outer) -> Result<(), XmlError> {
    let edits = edits(bytes, found, outer).ok_or(XmlError::NotWellFormed("an element that cannot stand alone"))?;
    let cost = |edit: &Edit| edit.1.len().saturating_sub(edit.0.len()) + EDIT_COST;
    let added = edits.iter().map(cost).sum::<usize>();
    if added > ADDED_MAX {
        return Err(XmlError::Limit("declarations around the children"));
    }
    bytes.reserve_exact(added);
    // From the end, so that the positions before stay right.
    for (range, with) in edits.into_iter().rev() {
        bytes.splice(range, with);
    }
    Ok(())
}

/// What to replace, in order of position.
fn edits(bytes: &[u8], found: &Found, outer: &Outer) -> Option<Vec<Edit>> {
    let tag = StartTag::read(bytes)?;
    let mut edits = vec![(0..found.head_end, plain_head(tag, found))];
    let inherited = tag.declarations().find(|(prefix, _)| prefix.is_empty());
    let default = match inherited {
        Some((_, raw)) => raw::attribute_value(raw).into_owned(),
        None => outer.default_ns().as_str().to_owned(),
    };
    let around = prefixes_around(tag, outer);
    let content = &bytes[..found.tail_start];
    let mut children = ChildBytes::new(&found.index, content);
    let mut added = 0;
    while let Some(child) = children.next() {
        let inner = StartTag::read(child)?;
        let mut more = Vec::new();
        let declares = |wanted: &str| inner.declarations().any(|(prefix, _)| prefix == wanted);
        if default != found.ns.as_str() && !declares("") {
            write::attribute(&mut more, "xmlns", &default);
        }
        for (prefix, name) in &around {
            if !declares(prefix) && memmem::find(child, format!("{prefix}:").as_bytes()).is_some() {
                write::attribute(&mut more, &format!("xmlns:{prefix}"), name);
            }
        }
        if !more.is_empty() {
            let at = children.offset_of(child) + 1 + inner.raw_name().len();
            added += more.len();
            edits.push((at..at, more));
        }
        if added > ADDED_MAX {
            break;
        }
    }
    if found.tail_start < bytes.len() {
        let tail = format!("</{}>", tag.local());
        edits.push((found.tail_start..bytes.len(), tail.into_bytes()));
    }
    Some(edits)
}

/// The start tag without prefix and declarations; attributes with a prefix other than `xml` go.
fn plain_head(tag: StartTag<'_>, found: &Found) -> Vec<u8> {
    let mut out = Vec::with_capacity(tag.len);
    out.push(b'<');
    out.extend_from_slice(tag.local().as_bytes());
    write::attribute(&mut out, "xmlns", found.ns.as_str());
    for attribute in tag.attributes() {
        let is_kept = match attribute.prefix {
            b"" => attribute.local != b"xmlns",
            prefix => prefix == b"xml",
        };
        if is_kept {
            out.push(b' ');
            out.extend_from_slice(attribute.whole);
        }
    }
    out.extend_from_slice(if tag.empty { b"/>" } else { b">" });
    out
}

/// Prefix and namespace of what is declared on the element and, behind that, on the stream.
fn prefixes_around(tag: StartTag<'_>, outer: &Outer) -> Vec<(String, String)> {
    let own = tag.declarations().map(|(prefix, raw)| (prefix.to_owned(), raw::attribute_value(raw).into_owned()));
    let mut around: Vec<_> = own.filter(|(prefix, _)| !prefix.is_empty()).collect();
    for (prefix, name) in outer.prefixes() {
        if !prefix.is_empty() && !around.iter().any(|(known, _)| known == prefix) {
            around.push((prefix.to_owned(), name.to_owned()));
        }
    }
    around.retain(|(prefix, _)| prefix != "xml");
    around
}
