//! XEP-0363: HTTP File Upload: the request for a slot, the slot, and why there is none.

use super::delay::{format_time, parse_time};
use super::{Malformed, digits};
use crate::ns;
use crate::xml::{Child, Tree};

/// Most bytes of a file's name in a request.
pub const NAME_BYTES_MAX: usize = 1023;

/// Most bytes of a media type (RFC 6838 section 4.2 allows 127 on either side of the slash).
pub const TYPE_BYTES_MAX: usize = 255;

/// Asks for a slot, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What its sender calls the file.
    pub name: String,
    /// Its size in bytes; at least one.
    pub size: u64,
    /// The media type that will come with it, as written; none if the client does not say.
    pub media_type: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a file is for, section 5, which decides how long it stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// It is sent in a message.
    #[default]
    Message,
    /// It is a picture of its owner or something like that.
    Profile,
    /// It must not be seen after this Unix time in milliseconds.
    Ephemeral(u64),
    /// It stays.
    Permanent,
}

impl Purpose {
    /// The name of the element.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Message => "message",
            Purpose::Profile => "profile",
            Purpose::Ephemeral(_) => "ephemeral",
            Purpose::Permanent => "permanent",
        }
    }

    /// The feature that announces it.
    pub fn feature(self) -> &'static str {
        match self {
            Purpose::Message => ns::UPLOAD_MESSAGE,
            Purpose::Profile => ns::UPLOAD_PROFILE,
            Purpose::Ephemeral(_) => ns::UPLOAD_EPHEMERAL,
            Purpose::Permanent => ns::UPLOAD_PERMANENT,
        }
    }

    /// The purpose that a request says; none if nobody has defined it.
    fn read(request: &Child<'_>) -> Result<Purpose, Malformed> {
        let mut said = request.children().filter(|child| child.ns() == ns::UPLOAD_PURPOSE);
        let Some(purpose) = said.next() else { return Ok(Purpose::Message) };
        if said.next().is_some() {
            return Err(Malformed("a file has one purpose"));
        }
        match purpose.name() {
            "message" => Ok(Purpose::Message),
            "profile" => Ok(Purpose::Profile),
            "permanent" => Ok(Purpose::Permanent),
            "ephemeral" => {
                let until = purpose.attr("expire-before").and_then(|until| parse_time(&until));
                let until = until.ok_or(Malformed("`expire-before` is not a time"))?;
                Ok(Purpose::Ephemeral(u64::try_from(until).unwrap_or(0)))
            }
            _ => Err(Malformed("nobody knows this purpose")),
        }
    }
}

impl Request {
    /// Reads `<request/>`.
    pub fn read(request: &Child<'_>) -> Result<Request, Malformed> {
        let name = request.attr("filename").filter(|name| !name.is_empty()).ok_or(Malformed("the file has no name"))?;
        if name.len() > NAME_BYTES_MAX {
            return Err(Malformed("the file's name is too long"));
        }
        let size = request.attr("size").and_then(|size| digits(&size)).filter(|size| *size > 0);
        let size = size.ok_or(Malformed("the file's size is not a number of bytes"))?;
        let media_type = request.attr("content-type").filter(|kind| !kind.is_empty());
        if media_type.as_ref().is_some_and(|kind| kind.len() > TYPE_BYTES_MAX) {
            return Err(Malformed("the content type is too long"));
        }
        let media_type = media_type.map(|kind| kind.into_owned());
        Ok(Request { name: name.into_owned(), size, media_type, purpose: Purpose::read(request)? })
    }
}

/// Where a file goes and where it is found then, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it is put.
    pub put: String,
    /// Headers that must come with it: names and values.
    pub headers: Vec<(&'static str, String)>,
    /// Where it is found.
    pub get: String,
}

impl Slot {
    /// The `<slot/>` of a result.
    pub fn tree(&self) -> Tree {
        let header = |(name, value): &(&str, String)| Tree::new(ns::UPLOAD, "header").attr("name", name).text(value);
        let put = Tree::new(ns::UPLOAD, "put").attr("url", &self.put).children(self.headers.iter().map(header));
        Tree::new(ns::UPLOAD, "slot").child(put).child(Tree::new(ns::UPLOAD, "get").attr("url", &self.get))
    }
}

/// Says in an error that a file may have so many bytes, section 6.
pub fn file_too_large(bytes_max: u64) -> Tree {
    let most = Tree::new(ns::UPLOAD, "max-file-size").text(bytes_max.to_string());
    Tree::new(ns::UPLOAD, "file-too-large").child(most)
}

/// Says in an error when it may be tried again, section 6: Unix time in milliseconds.
pub fn retry(at_ms: u64) -> Tree {
    Tree::new(ns::UPLOAD, "retry").attr("stamp", format_time(i64::try_from(at_ms).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(xml: &str) -> Result<Request, Malformed> {
        let content = Content::parse(xml.as_bytes()).unwrap();
        Request::read(&content.iter().next().unwrap())
    }

    fn with(purpose: &str) -> Result<Purpose, Malformed> {
        let xml = format!("<request xmlns='urn:xmpp:http:upload:0' filename='a.jpg' size='7'>{purpose}</request>");
        read(&xml).map(|request| request.purpose)
    }

    #[test]
    fn a_request_names_a_file_with_its_size() {
        let request = read(
            "<request xmlns='urn:xmpp:http:upload:0' filename='très cool.jpg' size='23456' content-type='image/jpeg'/>",
        );
        let request = request.unwrap();
        assert_eq!((&*request.name, request.size), ("très cool.jpg", 23456));
        assert_eq!((request.media_type.as_deref(), request.purpose), (Some("image/jpeg"), Purpose::Message));
        for wrong in
            ["size='7'", "filename='a'", "filename='' size='7'", "filename='a' size='0'", "filename='a' size='-1'"]
        {
            assert!(read(&format!("<request xmlns='urn:xmpp:http:upload:0' {wrong}/>")).is_err(), "{wrong}");
        }
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        assert!(read(&format!("<request xmlns='urn:xmpp:http:upload:0' filename='{long}' size='7'/>")).is_err());
        assert!(
            read(&format!("<request xmlns='urn:xmpp:http:upload:0' filename='a' size='7' content-type='{long}'/>"))
                .is_err()
        );
    }

    #[test]
    fn a_purpose_is_one_of_four_and_there_is_one_of_them() {
        assert_eq!(with(""), Ok(Purpose::Message));
        assert_eq!(with("<message xmlns='urn:xmpp:http:upload:purpose:0'/>"), Ok(Purpose::Message));
        assert_eq!(with("<profile xmlns='urn:xmpp:http:upload:purpose:0'/>"), Ok(Purpose::Profile));
        assert_eq!(with("<permanent xmlns='urn:xmpp:http:upload:purpose:0'/>"), Ok(Purpose::Permanent));
        let until = "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='2025-09-10T23:08:25Z'/>";
        assert_eq!(with(until), Ok(Purpose::Ephemeral(1_757_545_705_000)));
        assert_eq!(with("<other xmlns='urn:example'/>"), Ok(Purpose::Message));
        for wrong in [
            "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0'/>",
            "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='tomorrow'/>",
            "<story xmlns='urn:xmpp:http:upload:purpose:0'/>",
            "<message xmlns='urn:xmpp:http:upload:purpose:0'/><profile xmlns='urn:xmpp:http:upload:purpose:0'/>",
        ] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_slot_has_two_addresses_and_the_headers_of_one() {
        let slot = Slot {
            put: "https://a.example/upload/1/a&b".into(),
            headers: vec![("Authorization", "Bearer x".into())],
            get: "https://a.example/upload/1/a".into(),
        };
        assert_eq!(
            String::from_utf8_lossy(Content::from_tree(&slot.tree()).bytes()),
            "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://a.example/upload/1/a&amp;b'>\
             <header name='Authorization'>Bearer x</header></put><get url='https://a.example/upload/1/a'/></slot>"
        );
        assert_eq!(
            String::from_utf8_lossy(Content::from_tree(&retry(1_512_344_525_000)).bytes()),
            "<retry xmlns='urn:xmpp:http:upload:0' stamp='2017-12-03T23:42:05.000Z'/>"
        );
    }
}
