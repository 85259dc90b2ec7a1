//! Remote domains whose server an administrator has put at a place of its own, whatever their records say: a partner behind a private
//! line, a gateway, or one server through which everything goes. Read by whoever connects to a domain.

use std::net::IpAddr;

use metronome_proto::jid::prepare_domain;

use crate::options::{Kind, Setting, Unfit, Values};

/// The places.
pub const ROUTES: Setting = Setting::new(
    "federation.routes",
    Kind::List,
    "[]",
    "Where the servers of some remote domains are, whatever their records say: `\"partner.example=10.1.0.5:5269\"`, or with `tls:` before the \
     place for TLS from the first byte, `\"partner.example=tls:gate.example:5270\"`; `*` stands for all other domains. Who answers there must \
     prove all the same that it speaks for the domain. `federation.allow_addresses` need not name these places.",
);

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// A name to look up, or an address.
    pub host: Place,
    /// The port.
    pub port: u16,
    /// How a connection begins there.
    pub begins: Begins,
}

/// What stands for a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A name with addresses of its own.
    Host(Box<str>),
    /// An address.
    Address(IpAddr),
}

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// In clear text.
    InClear,
    /// With TLS.
    WithTls,
}

/// Where the configuration says that a prepared remote domain is; the domain's own route before the one for all.
pub fn route(values: &Values, remote: &str) -> Option<Route> {
    let routes = || values.list(&ROUTES).iter().filter_map(|entry| read(entry).ok());
    let own = routes().find(|(domain, _)| **domain == *remote);
    own.or_else(|| routes().find(|(domain, _)| **domain == *"*")).map(|(_, route)| route)
}

/// Finds entries that are no routes.
pub fn check(values: &Values) -> Result<(), Unfit> {
    for entry in values.list(&ROUTES) {
        read(entry).map_err(|why| Unfit {
            setting: &ROUTES,
            message: format!("`{entry}` {why}"),
            hint: "write \"partner.example=10.1.0.5:5269\" or \"partner.example=tls:gate.example:5270\"",
        })?;
    }
    Ok(())
}

fn read(entry: &str) -> Result<(Box<str>, Route), &'static str> {
    let (domain, place) = entry.split_once('=').ok_or("has no `=`")?;
    let domain = match domain.trim() {
        "*" => "*".into(),
        domain => prepare_domain(domain).map_err(|_| "does not begin with a domain")?.into(),
    };
    let (begins, place) = match place.trim().strip_prefix("tls:") {
        Some(place) => (Begins::WithTls, place),
        None => (Begins::InClear, place.trim()),
    };
    let (host, port) = place.rsplit_once(':').ok_or("has no port at its end")?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or("has no port at its end")?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = match bare.parse::<IpAddr>() {
        Ok(address) if address.is_ipv6() == (bare.len() != host.len()) => Place::Address(address),
        Ok(_) => return Err("has an address that is not written as one; one of IPv6 stands in brackets"),
        Err(_) => Place::Host(prepare_domain(host).map_err(|_| "does not lead to a host")?.into()),
    };
    Ok((domain, Route { host, port, begins }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(routes: &str) -> Values {
        Values::defaults(&[&[ROUTES]]).with(ROUTES.key, routes)
    }

    fn led(routes: &str, remote: &str) -> Option<(Place, u16, Begins)> {
        route(&values(routes), remote).map(|route| (route.host, route.port, route.begins))
    }

    #[test]
    fn a_domain_has_the_place_that_is_written_for_it() {
        let routes = r#"["Partner.example=10.1.0.5:5269", "gate.example = tls:Host.example:5270", "six.example=[2001:db8::1]:5269"]"#;
        let address = |text: &str| Place::Address(text.parse().unwrap());
        assert_eq!(led(routes, "partner.example"), Some((address("10.1.0.5"), 5269, Begins::InClear)));
        assert_eq!(led(routes, "gate.example"), Some((Place::Host("host.example".into()), 5270, Begins::WithTls)));
        assert_eq!(led(routes, "six.example"), Some((address("2001:db8::1"), 5269, Begins::InClear)));
        assert_eq!(led(routes, "sub.partner.example"), None);
    }

    #[test]
    fn one_for_all_others_comes_last() {
        let routes = r#"["*=smart.example:5269", "partner.example=10.1.0.5:5269"]"#;
        assert!(matches!(led(routes, "partner.example"), Some((Place::Address(_), ..))));
        assert!(matches!(led(routes, "anybody.example"), Some((Place::Host(_), ..))));
    }

    #[test]
    fn what_is_no_route_is_told() {
        for (entry, why) in [
            ("partner.example", "has no `=`"),
            ("a b=10.1.0.5:5269", "does not begin with a domain"),
            ("partner.example=10.1.0.5", "has no port at its end"),
            ("partner.example=10.1.0.5:0", "has no port at its end"),
            ("partner.example=10.1.0.5:99999", "has no port at its end"),
            ("partner.example=2001:db8::1:5269", "has an address"),
            ("partner.example=a b:5269", "does not lead to a host"),
        ] {
            let unfit = check(&values(&format!("[\"{entry}\"]"))).unwrap_err();
            assert!(unfit.message.contains(why), "{}", unfit.message);
        }
        assert!(check(&values("[\"*=tls:smart.example:443\"]")).is_ok());
    }
}
