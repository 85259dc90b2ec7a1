//! XEP-0279: Server IP Check.

use std::net::{IpAddr, SocketAddr};

use crate::ns;
use crate::xml::{Child, Tree};

/// The `<address/>` of a result: where the server sees its client. The port is said only where it is known.
pub fn result(ip: IpAddr, port: Option<u16>) -> Tree {
    let child = |name: &str, text: String| Tree::new(ns::SIC, name).text(text);
    let port = port.map(|port| child("port", port.to_string()));
    request().child(child("ip", ip.to_canonical().to_string())).children(port)
}

/// Reads the `<address/>` of a result that has both.
pub fn read_result(address: &Child<'_>) -> Option<SocketAddr> {
    let text = |name| address.child(ns::SIC, name).map(|child| child.text().into_owned());
    Some(SocketAddr::new(text("ip")?.parse().ok()?, text("port")?.parse().ok()?))
}

/// The `<address/>` of a request.
pub fn request() -> Tree {
    Tree::new(ns::SIC, "address")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    #[test]
    fn addresses_of_both_families_are_told() {
        for (ip, told) in
            [("192.168.4.1", "192.168.4.1"), ("2001:db8::9:1", "2001:db8::9:1"), ("::ffff:192.0.2.1", "192.0.2.1")]
        {
            let content = Content::from_tree(&result(ip.parse().unwrap(), Some(12345)));
            let expected = format!("<address xmlns='urn:xmpp:sic:1'><ip>{told}</ip><port>12345</port></address>");
            assert_eq!(content.bytes(), expected.as_bytes());
            let read = read_result(&content.iter().next().unwrap());
            assert_eq!(read, Some(SocketAddr::new(told.parse().unwrap(), 12345)));
        }
        let content = Content::from_tree(&result("192.0.2.1".parse().unwrap(), None));
        assert!(!content.iter().next().unwrap().children().any(|child| child.name() == "port"));
    }
}
