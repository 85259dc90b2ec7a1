//! XEP-0065: SOCKS5 Bytestreams: where a proxy is, and the request to let bytes flow through it.

use super::Malformed;
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Tree};

/// Asks a proxy to let the bytes of a stream flow, section 6.3.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The name of the stream between the two who use it.
    pub sid: String,
    /// The other one's address, as written.
    pub target: String,
}

impl Activation {
    /// Reads `<query/>`.
    pub fn read(query: &Child<'_>) -> Result<Activation, Malformed> {
        let sid = query.attr("sid").filter(|sid| !sid.is_empty()).ok_or(Malformed("the stream has no `sid`"))?;
        let mut asked = query.children().filter(|child| child.is(ns::BYTESTREAMS, "activate"));
        let (Some(activate), None) = (asked.next(), asked.next()) else {
            return Err(Malformed("one stream is activated at a time"));
        };
        let target = activate.text();
        Ok(Activation { sid: sid.into_owned(), target: target.trim().to_owned() })
    }
}

/// The `<query/>` with which a proxy says where it is, section 4. An IPv6 address stands without brackets (RFC 5952).
pub fn stream_host(jid: &Jid, host: &str, port: u16) -> Tree {
    let place = Tree::new(ns::BYTESTREAMS, "streamhost").attr("jid", jid.as_str()).attr("host", host);
    Tree::new(ns::BYTESTREAMS, "query").child(place.attr("port", port.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(xml: &str) -> Result<Activation, Malformed> {
        let content = Content::parse(xml.as_bytes()).unwrap();
        Activation::read(&content.iter().next().unwrap())
    }

    #[test]
    fn an_activation_names_a_stream_and_its_target() {
        let query = |attributes: &str, inside: &str| {
            read(&format!("<query xmlns='http://jabber.org/protocol/bytestreams'{attributes}>{inside}</query>"))
        };
        let activation = query(" sid='vxf9n471bn46'", "<activate>target@example.org/b&amp;r</activate>");
        let (sid, target) = ("vxf9n471bn46".to_owned(), "target@example.org/b&r".to_owned());
        assert_eq!(activation, Ok(Activation { sid, target }));
        let one = "<activate>a@b/c</activate>";
        assert_eq!(query(" sid='x'", "<activate>\n  a@b/c\n</activate>").unwrap().target, "a@b/c");
        assert!(query("", one).is_err());
        assert!(query(" sid=''", one).is_err());
        assert!(query(" sid='x'", "").is_err());
        assert!(query(" sid='x'", "<activate xmlns='other'>a@b/c</activate>").is_err());
        assert!(query(" sid='x'", &format!("{one}{one}")).is_err());
    }

    #[test]
    fn a_proxy_says_where_it_is() {
        let query = stream_host(&Jid::parse("proxy.example.org").unwrap(), "2001:db8::1", 5000);
        let expected = "<query xmlns='http://jabber.org/protocol/bytestreams'>\
                        <streamhost jid='proxy.example.org' host='2001:db8::1' port='5000'/></query>";
        assert_eq!(String::from_utf8(query.to_vec("")).unwrap(), expected);
    }
}
