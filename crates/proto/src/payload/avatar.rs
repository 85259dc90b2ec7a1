//! Avatars in their three places: the nodes of XEP-0084, the picture in the card of XEP-0054, and the hash in presence of XEP-0153; with
//! what it takes to keep them the same (XEP-0398). Images stay text in base64: whoever has a decoder and a hash looks inside.

mod image;
pub mod update;

use super::{Malformed, digits};
use crate::ns;
use crate::xml::{Child, Tree};

pub use image::{Format, size};

/// Most formats of one avatar that are read.
const FORMATS_MAX: usize = 32;

/// One format of an avatar, section 4.2.1 of XEP-0084.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Bytes of the image.
    pub bytes: u64,
    /// The SHA-1 hash of the image, in hexadecimal digits.
    pub id: Box<str>,
    /// Its media type.
    pub kind: Box<str>,
    /// Pixels from side to side.
    pub width: Option<u32>,
    /// Pixels from top to bottom.
    pub height: Option<u32>,
    /// Where it is, if it is not in the node with the data.
    pub url: Option<Box<str>>,
}

/// What is told of an avatar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The same image in several formats; none, if there is no avatar.
    pub formats: Vec<Info>,
}

impl Metadata {
    /// Reads `<metadata/>`; malformed if a format lacks what is required.
    pub fn read(metadata: &Child<'_>) -> Result<Metadata, Malformed> {
        let formats = metadata.children().filter(|child| child.is(ns::AVATAR_METADATA, "info"));
        let formats = formats.take(FORMATS_MAX).map(|info| Info::read(&info));
        Ok(Metadata { formats: formats.collect::<Result<_, _>>()? })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::AVATAR_METADATA, "metadata").children(self.formats.iter().map(Info::tree))
    }

    /// The format whose data is in the node of this account: the one that does not point elsewhere (XEP-0398 section 3.1). Should there be
    /// several, the one that everybody can show.
    pub fn stored(&self) -> Option<&Info> {
        let mut stored = self.formats.iter().filter(|info| info.url.is_none());
        let first = stored.next()?;
        let is_png = |info: &&Info| &*info.kind == Format::Png.media_type();
        Some([first].into_iter().chain(stored).find(is_png).unwrap_or(first))
    }
}

impl Info {
    fn read(info: &Child<'_>) -> Result<Info, Malformed> {
        let required =
            |name| info.attr(name).filter(|value| !value.is_empty()).ok_or(Malformed("an avatar that lacks something"));
        let pixels =
            |name| info.attr(name).and_then(|value| digits(&value)).and_then(|value| u32::try_from(value).ok());
        Ok(Info {
            bytes: digits(&required("bytes")?).ok_or(Malformed("an avatar of no size"))?,
            id: required("id")?.into(),
            kind: required("type")?.into(),
            width: pixels("width"),
            height: pixels("height"),
            url: info.attr("url").map(Box::from),
        })
    }

    fn tree(&self) -> Tree {
        Tree::new(ns::AVATAR_METADATA, "info")
            .attr("bytes", self.bytes.to_string())
            .attr_opt("height", self.height.map(|pixels| pixels.to_string()))
            .attr("id", &self.id)
            .attr("type", &self.kind)
            .attr_opt("url", self.url.as_ref())
            .attr_opt("width", self.width.map(|pixels| pixels.to_string()))
    }
}

/// The element with an image, section 4.1 of XEP-0084.
pub fn data(base64: &str) -> Tree {
    Tree::new(ns::AVATAR_DATA, "data").text(base64)
}

/// The image in `<data/>`, in base64 without white space.
pub fn read_data(data: &Child<'_>) -> String {
    without_space(&data.text())
}

/// The picture of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// What the card says that it is: a hint only (XEP-0153 section 5).
    pub kind: Option<Box<str>>,
    /// The image, in base64 without white space.
    pub base64: String,
}

impl Photo {
    /// The picture in `<vCard/>`; none if there is none, or it is somewhere else.
    pub fn of(card: &Child<'_>) -> Option<Photo> {
        Photo::read(&card.child(ns::VCARD, "PHOTO")?)
    }

    /// All pictures in `<vCard/>`, but for those that are somewhere else: a room has the same one in several formats (XEP-0486).
    pub fn all_of(card: &Child<'_>) -> Vec<Photo> {
        let photos = card.children().filter(|child| child.is(ns::VCARD, "PHOTO"));
        photos.filter_map(|photo| Photo::read(&photo)).collect()
    }

    fn read(photo: &Child<'_>) -> Option<Photo> {
        let base64 = without_space(&photo.child(ns::VCARD, "BINVAL")?.text());
        let kind = photo.child(ns::VCARD, "TYPE").map(|kind| Box::<str>::from(kind.text().trim()));
        (!base64.is_empty()).then_some(Photo { kind: kind.filter(|kind| !kind.is_empty()), base64 })
    }

    fn tree(&self) -> Tree {
        let element = |name| Tree::new(ns::VCARD, name);
        let kind = self.kind.as_ref().map(|kind| element("TYPE").text(kind));
        element("PHOTO").children(kind).child(element("BINVAL").text(&self.base64))
    }
}

/// Appends the card with this picture in the place of any other, or without one; the rest is as it was, byte by byte. Without a card there is
/// one with a picture only.
pub fn write_card(out: &mut Vec<u8>, card: Option<&Child<'_>>, photo: Option<&Photo>) {
    let photo = photo.map(Photo::tree);
    let rest = card.into_iter().flat_map(Child::children).filter(|child| !child.is(ns::VCARD, "PHOTO"));
    out.extend_from_slice(b"<vCard xmlns='vcard-temp'>");
    // What brings along too many declarations would not have been let in as a card of its own either.
    rest.filter_map(|child| child.alone().ok()).for_each(|bytes| out.extend_from_slice(&bytes));
    photo.iter().for_each(|photo| photo.write(out, ns::VCARD));
    out.extend_from_slice(b"</vCard>");
}

fn without_space(text: &str) -> String {
    text.split_ascii_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn content(xml: &str) -> Content {
        Content::parse(xml.as_bytes()).unwrap()
    }

    fn metadata(inside: &str) -> Result<Metadata, Malformed> {
        let xml = format!("<metadata xmlns='urn:xmpp:avatar:metadata'>{inside}</metadata>");
        Metadata::read(&content(&xml).iter().next().unwrap())
    }

    #[test]
    fn the_format_in_the_node_is_the_one_that_points_nowhere() {
        let png = "<info bytes='12345' height='64' id='111f' type='image/png' width='64'/>";
        let gif = "<info bytes='23456' id='357a' type='image/gif' url='http://avatars.example.org/happy.gif'/>";
        let webp = "<info bytes='9' id='999' type='image/webp'/>";
        let of = |inside: &str| metadata(inside).unwrap().stored().map(|info| String::from(&*info.id));
        assert_eq!(of(&[gif, png].concat()).as_deref(), Some("111f"));
        assert_eq!(of(&[webp, gif, png].concat()).as_deref(), Some("111f"));
        assert_eq!(of(&[webp, gif].concat()).as_deref(), Some("999"));
        assert_eq!(of(gif), None);
        assert_eq!(of(""), None);
        let read = metadata(&[gif, png].concat()).unwrap();
        assert_eq!(Metadata::read(&Content::from_tree(&read.tree()).iter().next().unwrap()), Ok(read));
    }

    #[test]
    fn a_format_says_its_size_its_hash_and_its_type() {
        for wrong in [
            "<info id='1' type='image/png'/>",
            "<info bytes='x' id='1' type='image/png'/>",
            "<info bytes='1' type='image/png'/>",
            "<info bytes='1' id='1'/>",
            "<info bytes='1' id='' type='image/png'/>",
        ] {
            assert!(metadata(wrong).is_err(), "{wrong}");
        }
        let read = metadata("<info bytes='1' id='1' type='image/png' width='-3' height='99999999999'/>").unwrap();
        assert_eq!((read.formats[0].width, read.formats[0].height), (None, None));
    }

    #[test]
    fn the_picture_of_a_card_is_read_without_white_space() {
        let of = |inside: &str| {
            Photo::of(&content(&format!("<vCard xmlns='vcard-temp'>{inside}</vCard>")).iter().next().unwrap())
        };
        let photo = of("<FN>x</FN><PHOTO><TYPE> image/png </TYPE><BINVAL>\r\n iVBO\n Rw0K </BINVAL></PHOTO>").unwrap();
        assert_eq!((photo.kind.as_deref(), &*photo.base64), (Some("image/png"), "iVBORw0K"));
        for none in [
            "",
            "<PHOTO/>",
            "<PHOTO><EXTVAL>http://x</EXTVAL></PHOTO>",
            "<PHOTO><TYPE>x</TYPE><BINVAL> </BINVAL></PHOTO>",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
        let read = read_data(&Content::from_tree(&data(" iVBO\nRw0K ")).iter().next().unwrap());
        assert_eq!(read, "iVBORw0K");
    }

    #[test]
    fn a_card_keeps_everything_but_its_picture() {
        let rewritten = |card: Option<&str>, photo: Option<&Photo>| {
            let card = card.map(content);
            let mut out = Vec::new();
            write_card(&mut out, card.as_ref().and_then(|card| card.iter().next()).as_ref(), photo);
            String::from_utf8(out).unwrap()
        };
        let photo = Photo { kind: Some("image/png".into()), base64: "iVBO".into() };
        let card = "<vCard xmlns='vcard-temp'><FN a=\"1\">J &amp; R</FN><PHOTO><BINVAL>old</BINVAL></PHOTO><p:X xmlns:p='urn:x'/></vCard>";
        let kept = "<FN xmlns='vcard-temp' a=\"1\">J &amp; R</FN><p:X xmlns:p='urn:x'/>";
        let written = "<PHOTO><TYPE>image/png</TYPE><BINVAL>iVBO</BINVAL></PHOTO>";
        assert_eq!(rewritten(Some(card), Some(&photo)), format!("<vCard xmlns='vcard-temp'>{kept}{written}</vCard>"));
        assert_eq!(rewritten(Some(card), None), format!("<vCard xmlns='vcard-temp'>{kept}</vCard>"));
        assert_eq!(rewritten(None, Some(&photo)), format!("<vCard xmlns='vcard-temp'>{written}</vCard>"));
    }
}
