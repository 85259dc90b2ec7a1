//! The syntax of SCRAM's messages (RFC 5802 section 7), read strictly: attributes in their order, nothing doubled,
//! no mandatory extension (`m=`), escapes `=2C` and `=3D` only.

use crate::failure::Failure;

/// The client's first message: `gs2-header n=user,r=nonce[,extensions]`.
pub(crate) struct ClientFirst<'a> {
    pub(crate) flag: Gs2Flag<'a>,
    pub(crate) authzid: String,
    /// With its last comma.
    pub(crate) gs2_header: &'a str,
    /// What follows the header, as it is signed.
    pub(crate) bare: &'a str,
    pub(crate) username: String,
    pub(crate) nonce: &'a str,
}

/// What the client says about channel binding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gs2Flag<'a> {
    /// `n`: it cannot.
    No,
    /// `y`: it can, and believes that the server cannot.
    NotSeen,
    /// `p=name`: it does.
    Use(&'a str),
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<ClientFirst<'a>, Failure> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',').ok_or(Failure::MalformedRequest)?;
        let (authzid, bare) = rest.split_once(',').ok_or(Failure::MalformedRequest)?;
        let gs2_header = &text[..text.len() - bare.len()];
        let mut attributes = bare.split(',');
        let username = attribute(attributes.next(), "n=")?;
        let nonce = attribute(attributes.next(), "r=")?;
        if !is_nonce(nonce) || !attributes.all(is_extension) {
            return Err(Failure::MalformedRequest);
        }
        Ok(ClientFirst {
            flag: parse_flag(flag)?,
            authzid: if authzid.is_empty() { String::new() } else { unescape_name(attribute(Some(authzid), "a=")?)? },
            gs2_header,
            bare,
            username: unescape_name(username)?,
            nonce,
        })
    }
}

/// The client's last message: `c=channel,r=nonce[,extensions],p=proof`.
pub(crate) struct ClientFinal<'a> {
    /// Base64.
    pub(crate) channel: &'a str,
    pub(crate) nonce: &'a str,
    /// Base64.
    pub(crate) proof: &'a str,
    /// Everything before `,p=`, as it is signed.
    pub(crate) without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Result<ClientFinal<'a>, Failure> {
        let text = text(message)?;
        let (without_proof, proof) = text.rsplit_once(',').ok_or(Failure::MalformedRequest)?;
        let mut attributes = without_proof.split(',');
        let channel = attribute(attributes.next(), "c=")?;
        let nonce = attribute(attributes.next(), "r=")?;
        if !attributes.all(is_extension) {
            return Err(Failure::MalformedRequest);
        }
        Ok(ClientFinal { channel, nonce, proof: attribute(Some(proof), "p=")?, without_proof })
    }
}

fn text(message: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
    if text.contains('\0') { Err(Failure::MalformedRequest) } else { Ok(text) }
}

fn attribute<'a>(field: Option<&'a str>, name: &str) -> Result<&'a str, Failure> {
    match field.and_then(|field| field.strip_prefix(name)) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Failure::MalformedRequest),
    }
}

fn parse_flag(flag: &str) -> Result<Gs2Flag<'_>, Failure> {
    match flag {
        "n" => Ok(Gs2Flag::No),
        "y" => Ok(Gs2Flag::NotSeen),
        flag => attribute(Some(flag), "p=").map(Gs2Flag::Use),
    }
}

/// Printable ASCII but for the comma.
fn is_nonce(nonce: &str) -> bool {
    nonce.bytes().all(|byte| matches!(byte, 0x21..=0x2B | 0x2D..=0x7E))
}

/// An optional extension may be ignored; the letters that mean something elsewhere may not turn up here.
fn is_extension(field: &str) -> bool {
    let bytes = field.as_bytes();
    bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b'='
        && !matches!(bytes[0], b'a' | b'n' | b'r' | b'm' | b'c' | b'p' | b's' | b'i' | b'v' | b'e')
}

fn unescape_name(name: &str) -> Result<String, Failure> {
    let mut pieces = name.split('=');
    let mut plain = String::from(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (sign, rest) = match piece.split_at_checked(2) {
            Some(("2C", rest)) => (',', rest),
            Some(("3D", rest)) => ('=', rest),
            _ => return Err(Failure::MalformedRequest),
        };
        plain.push(sign);
        plain.push_str(rest);
    }
    Ok(plain)
}

/// The client's side of `unescape_name`.
pub(crate) fn escape_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped() {
        assert_eq!(unescape_name("ju=2Cliet=3D"), Ok(String::from("ju,liet=")));
        assert_eq!(unescape_name(&escape_name("=2C,=")), Ok(String::from("=2C,=")));
        for bad in ["a=", "a=2", "a=2c", "a=3d", "a=40b", "=", "==", "a=é"] {
            assert_eq!(unescape_name(bad), Err(Failure::MalformedRequest), "{bad}");
        }
    }

    #[test]
    fn first_message_is_read_strictly() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=me@x,n=user,r=abc,x=1").unwrap();
        assert_eq!((first.gs2_header, first.bare), ("p=tls-exporter,a=me@x,", "n=user,r=abc,x=1"));
        assert_eq!((first.username.as_str(), first.authzid.as_str(), first.nonce), ("user", "me@x", "abc"));
        assert_eq!(first.flag, Gs2Flag::Use("tls-exporter"));
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            ",,n=u,r=x",
            "n,,n=u",
            "n,,n=,r=x",
            "n,,n=u,r=",
            "n,,r=x,n=u",
            "n,,m=1,n=u,r=x",
            "n,,n=u,r=x,m=1",
            "n,,n=u,r=x,",
            "n,,n=u,r=x,n=v",
            "z,,n=u,r=x",
            "p=,,n=u,r=x",
            "n,a=,n=u,r=x",
            "n,me@x,n=u,r=x",
            "n,,n=u,r=a b",
            "n,,n=u,r=é",
            "n,,n=u\0,r=x",
            "N,,n=u,r=x",
            "n,,n=u,r=x,1=2",
            "nn,,n=u,r=x",
        ] {
            assert!(ClientFirst::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(ClientFirst::parse(b"n,,n=\xFF,r=x").is_err());
    }

    #[test]
    fn final_message_is_read_strictly() {
        let last = ClientFinal::parse(b"c=biws,r=abc,x=y,p=AAAA").unwrap();
        assert_eq!((last.channel, last.nonce, last.proof), ("biws", "abc", "AAAA"));
        assert_eq!(last.without_proof, "c=biws,r=abc,x=y");
        for bad in [
            "",
            "c=biws",
            "c=biws,r=abc",
            "c=biws,p=AAAA",
            "r=abc,c=biws,p=AAAA",
            "c=biws,r=abc,p=",
            "c=,r=abc,p=AAAA",
            "c=biws,r=abc,p=AAAA,x=y",
            "c=biws,r=abc,p=AAAA,p=BBBB",
            "c=biws,r=abc,m=1,p=AAAA",
            "c=biws,r=abc,r=abc,p=AAAA",
        ] {
            assert!(ClientFinal::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
