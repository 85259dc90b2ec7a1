//! What the first bytes of an image tell: its format, whatever anybody says that it is, and how large it is. Nothing is decoded.

/// A format that pictures of cards may have (XEP-0153 section 4.6), and one that is common now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// Graphics Interchange Format.
    Gif,
    /// WebP.
    Webp,
}

impl Format {
    /// The format of an image; none of another file.
    pub fn of(image: &[u8]) -> Option<Format> {
        match image {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::Webp),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::Gif => "image/gif",
            Format::Webp => "image/webp",
        }
    }
}

/// Width and height of an image in pixels, as far as its head tells.
pub fn size(image: &[u8]) -> Option<(u32, u32)> {
    let pixels = match Format::of(image)? {
        Format::Png => {
            let (width, height) = (be32(image, 16)?, be32(image, 20)?);
            (image.get(12..16)? == b"IHDR").then_some((width, height))
        }
        Format::Gif => Some((le16(image, 6)?, le16(image, 8)?)),
        Format::Jpeg => jpeg_size(image),
        Format::Webp => webp_size(image),
    };
    pixels.filter(|(width, height)| *width > 0 && *height > 0)
}

/// The frame header comes behind other segments, each of which says how long it is.
fn jpeg_size(image: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let [0xff, marker] = *image.get(at..at + 2)? else { return None };
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 | 0xda => return None,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((be16(image, at + 7)?, be16(image, at + 5)?));
            }
            _ => at += 2 + usize::try_from(be16(image, at + 2)?).ok()?.max(2),
        }
    }
}

/// Three kinds of content, each with its own head.
fn webp_size(image: &[u8]) -> Option<(u32, u32)> {
    match image.get(12..16)? {
        b"VP8X" => Some((le24(image, 24)? + 1, le24(image, 27)? + 1)),
        b"VP8 " => Some((le16(image, 26)? & 0x3fff, le16(image, 28)? & 0x3fff)),
        b"VP8L" => {
            let bits = u32::from_le_bytes(image.get(21..25)?.try_into().ok()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        _ => None,
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let [low, middle, high] = *bytes.get(at..at + 3)? else { return None };
    Some(u32::from_le_bytes([low, middle, high, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x30\x08\x06";
    const GIF: &[u8] = b"GIF89a\x40\0\x30\0\x80";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xff\xc2\0\x11\x08\0\x30\0\x40\x03";
    const WEBP: &[u8] = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x2f\0\0";
    const WEBP_LOSSY: &[u8] = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x40\0\x30\0";
    const WEBP_LOSSLESS: &[u8] = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x3f\xc0\x0b\0";

    #[test]
    fn an_image_is_what_its_first_bytes_say() {
        for (image, format) in [(PNG, Format::Png), (GIF, Format::Gif), (JPEG, Format::Jpeg), (WEBP, Format::Webp)] {
            assert_eq!(Format::of(image), Some(format));
        }
        for other in [&b""[..], b"GIF", b"<svg/>", b"RIFF\0\0\0\0WAVE", b"BM"] {
            assert_eq!((Format::of(other), size(other)), (None, None));
        }
    }

    #[test]
    fn the_head_tells_the_size() {
        for image in [PNG, GIF, JPEG, WEBP, WEBP_LOSSY, WEBP_LOSSLESS] {
            assert_eq!(size(image), Some((64, 48)), "{:?}", Format::of(image));
        }
    }

    #[test]
    fn an_image_that_ends_early_has_no_size() {
        for image in [PNG, GIF, JPEG, WEBP, WEBP_LOSSY, WEBP_LOSSLESS] {
            for len in 0..image.len() {
                // Some bytes behind the size are not needed; none before it may be missing.
                assert!(size(&image[..len]).is_none_or(|pixels| pixels == (64, 48)));
            }
        }
        assert_eq!(size(b"\xff\xd8\xff\xe0\0\0\xff\xe0\0\0\xff\xe0\0\0"), None);
        assert_eq!(size(b"GIF89a\0\0\x30\0"), None);
    }

    #[test]
    fn bytes_of_any_kind_are_looked_at_without_harm() {
        let mut rng = fastrand::Rng::with_seed(7);
        for image in [PNG, GIF, JPEG, WEBP, WEBP_LOSSY, WEBP_LOSSLESS] {
            for _ in 0..2000 {
                let mut image = image.to_vec();
                for _ in 0..rng.usize(1..6) {
                    let at = rng.usize(0..image.len());
                    image[at] = rng.u8(..);
                }
                image.truncate(rng.usize(0..=image.len()));
                let _ = size(&image);
            }
        }
    }
}
