//! Elements of a client's stream as they are written where no stream is around them: in a message of a WebSocket, in an answer of BOSH.

use metronome_proto::ns;
use metronome_proto::xml::{Element, write};

/// Writes an element that says its namespace itself.
pub(crate) fn write(out: &mut Vec<u8>, element: &Element) {
    if element.ns() == ns::STREAMS {
        return write_of_stream(out, element);
    }
    for piece in pieces(element) {
        out.extend_from_slice(piece);
    }
}

/// An element that says its namespace itself, in pieces; not for those of the stream.
pub(crate) fn pieces(element: &Element) -> [&[u8]; 3] {
    match element.inherits_ns() {
        true => {
            let (name, rest) = element.bytes().split_at(1 + element.name().len());
            [name, b" xmlns='jabber:client'", rest]
        }
        false => [element.bytes(), b"", b""],
    }
}

/// Writes the features of the stream or its error, with the prefix that they have everywhere else.
///
/// COMPAT(clients that look for `stream:features` by that name): as in the examples of RFC 7395, though any prefix would do.
pub(crate) fn write_of_stream(out: &mut Vec<u8>, element: &Element) {
    let (bytes, name) = (element.bytes(), element.name());
    // We have written its start tag ourselves: it has no attributes but the declaration.
    let Some(end) = memchr::memchr(b'>', bytes) else { return };
    out.extend_from_slice(format!("<stream:{name}").as_bytes());
    write::attribute(out, "xmlns:stream", ns::STREAMS);
    if bytes[end - 1] == b'/' {
        return out.extend_from_slice(b"/>");
    }
    out.extend_from_slice(&bytes[end..bytes.len() - name.len() - "</>".len()]);
    out.extend_from_slice(format!("</stream:{name}>").as_bytes());
}
