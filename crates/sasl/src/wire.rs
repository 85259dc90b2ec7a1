//! Base64 as XMPP writes SASL messages (RFC 6120 section 6.4.2): strict, without whitespace, `=` for "present but empty".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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

pub(crate) fn base64(data: &[u8]) -> String {
    STANDARD.encode(data)
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
        assert_eq!((encode(b"").as_str(), encode(b"\0a").as_str()), ("=", "AGE="));
    }
}
