//! Base64 as XMPP writes SASL messages: strict, without whitespace inside; in RFC 6120 section 6.4.2 with `=` for "present but empty",
//! in XEP-0388 without.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::exchange::MESSAGE_BYTES_MAX;
use crate::failure::Failure;

/// Decodes the text of `<auth/>` or `<response/>`; `=` and an empty text are zero bytes.
///
/// Whether an empty `<auth/>` means "no initial response" is for the caller to tell ([`crate::Input::NoInitialResponse`]).
pub fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    if text.len() > MESSAGE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(Failure::MalformedRequest);
    }
    match text {
        "=" => Ok(Vec::new()),
        text => STANDARD.decode(text).map_err(|_| Failure::IncorrectEncoding),
    }
}

/// Encodes a challenge, or the data of a success; zero bytes become `=`.
pub fn encode(data: &[u8]) -> String {
    if data.is_empty() { String::from("=") } else { STANDARD.encode(data) }
}

/// Decodes the text of an element of XEP-0388, where an element that is there and empty is zero bytes and `=` means nothing. White space
/// around the data is passed over, as in the examples of the specification.
pub fn decode_plain(text: &str) -> Result<Vec<u8>, Failure> {
    if text.len() > MESSAGE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(Failure::MalformedRequest);
    }
    STANDARD.decode(text.trim_matches([' ', '\n', '\r', '\t'])).map_err(|_| Failure::IncorrectEncoding)
}

/// Encodes data for an element of XEP-0388.
pub fn encode_plain(data: &[u8]) -> String {
    base64(data)
}

pub(crate) fn base64(data: &[u8]) -> String {
    STANDARD.encode(data)
}

pub(crate) fn url_base64(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(data)
}

pub(crate) fn unbase64(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD.decode(text).map_err(|_| Failure::MalformedRequest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_strict() {
        assert_eq!(decode("="), Ok(Vec::new()));
        assert_eq!(decode(""), Ok(Vec::new()));
        assert_eq!(decode("AGE="), Ok(vec![0, b'a']));
        for bad in ["AGE", "AGE =", "AG\nE=", "!!!!", "==", "AGF=", "é"] {
            assert_eq!(decode(bad), Err(Failure::IncorrectEncoding), "{bad:?}");
        }
        assert_eq!(decode(&"A".repeat(8000)), Err(Failure::MalformedRequest));
        assert_eq!(decode_plain(""), Ok(Vec::new()));
        assert_eq!(decode_plain("\n  AGE=\n"), Ok(vec![0, b'a']));
        for bad in ["=", "AG\nE=", "AGE"] {
            assert_eq!(decode_plain(bad), Err(Failure::IncorrectEncoding), "{bad:?}");
        }
        assert_eq!((encode_plain(b"").as_str(), encode_plain(b"\0a").as_str()), ("", "AGE="));
        assert_eq!((encode(b"").as_str(), encode(b"\0a").as_str()), ("=", "AGE="));
    }
}
