//! XEP-0215: External Service Discovery: what a client asks for, and what it is told of services that are not XMPP, such as relays of calls.
//! The older version of the namespace has other words for the end of credentials.

use super::Malformed;
use super::delay::format_time;
use crate::ns;
use crate::xml::{Child, Tree};

/// What a client wants to know, section 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All services, or those of one type.
    Services(Option<String>),
    /// Credentials for one service.
    Credentials {
        /// Its host.
        host: String,
        /// Its type.
        kind: String,
        /// Its port, if the client knows it.
        port: Option<u16>,
    },
}

impl Asked {
    /// Reads `<services/>` or `<credentials/>` of either version.
    pub fn read(child: &Child<'_>) -> Result<Asked, Malformed> {
        if child.name() == "services" {
            return Ok(Asked::Services(child.attr("type").map(|kind| kind.into_owned())));
        }
        let service = child.child(child.ns(), "service").ok_or(Malformed("no service is named"))?;
        let host = service.attr("host").ok_or(Malformed("the service has no host"))?.into_owned();
        let kind = service.attr("type").ok_or(Malformed("the service has no type"))?.into_owned();
        let port = service.attr("port").map(|port| port.parse().map_err(|_| Malformed("the port is no number")));
        Ok(Asked::Credentials { host, kind, port: port.transpose()? })
    }
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is, such as `turn`.
    pub kind: String,
    /// Its domain or address.
    pub host: String,
    /// Its port, if it is not the usual one.
    pub port: Option<u16>,
    /// `udp` or `tcp`.
    pub transport: Option<String>,
    /// What opens it.
    pub credentials: Option<Credentials>,
}

/// A name and a password for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
    /// When they end: Unix time in seconds.
    pub expires_s: u64,
}

impl Service {
    /// The `<service/>`, in the version of the namespace that was asked; `now_s` is Unix time in seconds.
    pub fn tree(&self, version: &str, now_s: u64) -> Tree {
        let tree = Tree::new(version, "service")
            .attr("type", &self.kind)
            .attr("host", &self.host)
            .attr_opt("port", self.port.map(|port| port.to_string()))
            .attr_opt("transport", self.transport.as_ref());
        let Some(credentials) = &self.credentials else { return tree };
        let tree = tree.attr("username", &credentials.username).attr("password", &credentials.password);
        if version == ns::EXTERNAL_SERVICES_1 {
            return tree.attr("ttl", credentials.expires_s.saturating_sub(now_s).to_string());
        }
        let at_ms = i64::try_from(credentials.expires_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        tree.attr("expires", format_time(at_ms)).attr("restricted", "true")
    }
}

/// The `<services/>` of a result; `kind` is the type that was asked for.
pub fn services(version: &str, kind: Option<&str>, services: impl IntoIterator<Item = Tree>) -> Tree {
    Tree::new(version, "services").attr_opt("type", kind).children(services)
}

/// The `<credentials/>` of a result.
pub fn credentials(version: &str, services: impl IntoIterator<Item = Tree>) -> Tree {
    Tree::new(version, "credentials").children(services)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(xml: &str) -> Result<Asked, Malformed> {
        let content = Content::parse(xml.as_bytes()).unwrap();
        Asked::read(&content.iter().next().unwrap())
    }

    #[test]
    fn services_are_asked_for_by_type_and_credentials_by_host() {
        assert_eq!(read("<services xmlns='urn:xmpp:extdisco:2'/>"), Ok(Asked::Services(None)));
        let turn = read("<services xmlns='urn:xmpp:extdisco:1' type='turn'/>");
        assert_eq!(turn, Ok(Asked::Services(Some("turn".into()))));
        let asked = |service: &str| read(&format!("<credentials xmlns='urn:xmpp:extdisco:2'>{service}</credentials>"));
        let (host, kind) = ("turn.example".to_owned(), "turn".to_owned());
        let named = asked("<service host='turn.example' type='turn' port='3478'/>");
        assert_eq!(named, Ok(Asked::Credentials { host, kind, port: Some(3478) }));
        for wrong in ["", "<service type='turn'/>", "<service host='a'/>", "<service host='a' type='b' port='99999'/>"]
        {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_version_says_the_end_of_credentials_in_its_way() {
        let credentials = Credentials { username: "u".into(), password: "p".into(), expires_s: 1_757_545_705 };
        let service = Service {
            kind: "turn".into(),
            host: "a.example".into(),
            port: Some(3478),
            transport: Some("udp".into()),
            credentials: Some(credentials),
        };
        let xml = |version| {
            String::from_utf8_lossy(Content::from_tree(&service.tree(version, 1_757_545_700)).bytes()).into_owned()
        };
        assert_eq!(
            xml(ns::EXTERNAL_SERVICES),
            "<service xmlns='urn:xmpp:extdisco:2' type='turn' host='a.example' port='3478' transport='udp' username='u' \
             password='p' expires='2025-09-10T23:08:25.000Z' restricted='true'/>"
        );
        assert!(xml(ns::EXTERNAL_SERVICES_1).ends_with("password='p' ttl='5'/>"));
    }
}
