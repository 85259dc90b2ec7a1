//! XEP-0231: Bits of Binary: small images that stanzas name by their hash and carry, or that are asked for by that name.

use std::collections::BTreeSet;

use super::{Malformed, digits};
use crate::ns;
use crate::xml::{Child, Content, Tree};

/// Longest name that is read, in bytes.
const CID_BYTES_MAX: usize = 256;

/// Most elements of a message's markup that are looked through for images.
const ELEMENTS_MAX: usize = 1000;

/// `<data/>`, as it is asked for or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Its name, of the form `algorithm+hash@bob.xmpp.org`.
    pub cid: Box<str>,
    /// Its media type.
    pub kind: Option<Box<str>>,
    /// For how many seconds others may keep it.
    pub max_age_s: Option<u64>,
    /// The data in base64, without white space; empty in a request.
    pub base64: String,
}

/// A hash that a name is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1, under the name that it has for historical reasons.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl Data {
    /// Reads `<data/>`.
    pub fn read(data: &Child<'_>) -> Result<Data, Malformed> {
        let cid = data.attr("cid").filter(|cid| !cid.is_empty()).ok_or(Malformed("data without a cid"))?;
        if cid.len() > CID_BYTES_MAX {
            return Err(Malformed("a cid that is too long"));
        }
        let kind = data.attr("type").filter(|kind| !kind.is_empty());
        Ok(Data {
            cid: cid.into(),
            kind: kind.map(Box::from),
            max_age_s: data.attr("max-age").and_then(|age| digits(&age)),
            base64: data.text().split_ascii_whitespace().collect(),
        })
    }

    /// A request for what has this name.
    pub fn request(cid: &str) -> Data {
        Data { cid: cid.into(), kind: None, max_age_s: None, base64: String::new() }
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::BOB, "data")
            .attr("cid", &self.cid)
            .attr_opt("max-age", self.max_age_s.map(|age| age.to_string()))
            .attr_opt("type", self.kind.as_ref())
            .text(&self.base64)
    }
}

/// The hash that a name is made of, in hexadecimal digits; none if it is not one of those that are known here.
pub fn hash(cid: &str) -> Option<(Algorithm, &str)> {
    let (algorithm, hash) = cid.strip_suffix("@bob.xmpp.org")?.split_once('+')?;
    let (algorithm, digits) = match algorithm {
        "sha1" => (Algorithm::Sha1, 40),
        "sha-256" => (Algorithm::Sha256, 64),
        _ => return None,
    };
    (hash.len() == digits && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((algorithm, hash))
}

/// The names of images in the markup of a message (XEP-0071), up to `most` of them.
pub fn named(content: &Content, most: usize) -> Vec<Box<str>> {
    let Some(html) = content.child(ns::XHTML_IM, "html") else { return Vec::new() };
    let (mut named, mut waiting) = (BTreeSet::new(), vec![html]);
    for _ in 0..ELEMENTS_MAX {
        let Some(element) = waiting.pop() else { break };
        let source = element.attr("src").filter(|_| element.name() == "img");
        named.extend(source.and_then(|source| source.strip_prefix("cid:").map(Box::<str>::from)));
        waiting.extend(element.children());
    }
    named.into_iter().filter(|cid| cid.len() <= CID_BYTES_MAX).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org";

    fn read(xml: &str) -> Result<Data, Malformed> {
        Data::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    #[test]
    fn data_is_read_as_it_was_written() {
        let xml = format!("<data xmlns='urn:xmpp:bob' cid='{CID}' max-age='86400' type='image/png'>iVBORw0K</data>");
        let data = read(&xml).unwrap();
        assert_eq!(String::from_utf8(data.tree().to_vec(ns::CLIENT)).unwrap(), xml);
        assert_eq!((data.max_age_s, &*data.base64), (Some(86_400), "iVBORw0K"));
        assert_eq!(read(&xml.replace("iVBORw0K", "\n iVBO\r\nRw0K ")), Ok(data));
        let request = read(&format!("<data xmlns='urn:xmpp:bob' cid='{CID}'/>")).unwrap();
        assert_eq!(request, Data::request(CID));
        assert!(read("<data xmlns='urn:xmpp:bob'/>").is_err());
        assert!(read(&format!("<data xmlns='urn:xmpp:bob' cid='{}'/>", "x".repeat(257))).is_err());
    }

    #[test]
    fn a_name_is_a_hash() {
        assert_eq!(hash(CID), Some((Algorithm::Sha1, "8f35fef110ffc5df08d579a50083ff9308fb6242")));
        let sha256 = format!("sha-256+{}@bob.xmpp.org", "0".repeat(64));
        assert_eq!(hash(&sha256).map(|(algorithm, _)| algorithm), Some(Algorithm::Sha256));
        for none in
            ["", "sha1+8f35@bob.xmpp.org", "md5+0@bob.xmpp.org", &CID.replace("bob", "eve"), &CID.replace('8', "x")]
        {
            assert_eq!(hash(none), None, "{none}");
        }
    }

    #[test]
    fn images_are_found_wherever_they_stand_in_the_markup() {
        let of = |inside: &str| {
            let xml = format!(
                "<body>x</body><html xmlns='http://jabber.org/protocol/xhtml-im'>\
                 <body xmlns='http://www.w3.org/1999/xhtml'>{inside}</body></html>"
            );
            named(&Content::parse(xml.as_bytes()).unwrap(), 2).iter().map(|cid| cid.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            of("<p>a <b><img alt='a' src='cid:one'/></b></p><img src='cid:one'/><img src='http://x'/>"),
            ["one"]
        );
        assert_eq!(of("<img src='cid:c'/><img src='cid:b'/><img src='cid:a'/>").len(), 2);
        assert!(of("<p src='cid:one'/>").is_empty());
        assert!(of(&"<p/>".repeat(5000)).is_empty());
    }
}
