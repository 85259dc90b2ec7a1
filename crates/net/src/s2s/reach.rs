//! Which addresses may be connected to because a remote domain's records say so. Whoever writes records must not make this server
//! talk to its own machine or network; judged for each address right before it is connected to, so a second answer changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use metronome_host::network::any_contains;
use metronome_host::options::{Kind, Setting, Values};

/// Networks that may be reached though they are not the internet.
pub const ALLOW_ADDRESSES: Setting = Setting::new(
    "federation.allow_addresses",
    Kind::Networks,
    "[]",
    "Networks that other servers may be in though they are not part of the public internet, such as `\"10.1.0.0/16\"`. Without this \
     no connection is made to loopback, link-local, private and other special addresses, nor to an address of this machine, whatever the \
     records of a domain say.",
);

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Special(pub &'static str);

/// Refuses addresses that are not part of the public internet, unless the configuration names them.
pub fn refuse_special(values: &Values, address: IpAddr) -> Result<(), Special> {
    match special(address.to_canonical()) {
        Some(_) if any_contains(values.networks(&ALLOW_ADDRESSES), address) => Ok(()),
        Some(kind) => Err(Special(kind)),
        None => Ok(()),
    }
}

/// Refuses addresses of this machine itself, unless the configuration names them: whatever listens there takes this server for a friend.
pub fn refuse_own(values: &Values, address: IpAddr) -> Result<(), Special> {
    const ANY_PORT: u16 = 5269;
    let is_own = source(SocketAddr::new(address, ANY_PORT)) == Some(address);
    match is_own && !any_contains(values.networks(&ALLOW_ADDRESSES), address) {
        true => Err(Special("this machine's own")),
        false => Ok(()),
    }
}

/// The address from which this one would be reached: itself, if it is this machine's. A datagram socket that is connected has sent nothing.
pub(crate) fn source(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// Whether it is none of the public internet.
pub fn is_special(address: IpAddr) -> bool {
    special(address.to_canonical()).is_some()
}

/// What is special about an address; none for those of the public internet (RFC 6890, IANA's registries of special addresses).
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let octets = address.octets();
    Some(match octets {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "shared between customers of a provider",
        [169, 254, ..] => "link-local",
        [192, 0, 0, _] => "for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation",
        [192, 88, 99, _] => "a relay",
        [198, 18..=19, ..] => "for benchmarks",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let inner = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // Those that hold an address of IPv4 lead there.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => special_v4(inner(high, low)),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Some("private"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("for documentation"),
        // Teredo, benchmarks, ORCHID and other protocols (RFC 2928).
        [0x2001, 0..=0x1ff, ..] => Some("for protocols"),
        // All that is assigned for the internet so far.
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(allowed: &str, address: &str) -> Result<(), &'static str> {
        let values = Values::defaults(&[&[ALLOW_ADDRESSES]]).with(ALLOW_ADDRESSES.key, allowed);
        refuse_special(&values, address.parse().unwrap()).map_err(|special| special.0)
    }

    #[test]
    fn what_is_not_the_internet_is_not_reached() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.0.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "100::1",
            "4000::1",
            "3fff::1",
        ] {
            assert!(judged("[]", address).is_err(), "{address}");
        }
    }

    #[test]
    fn the_internet_is_reached() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2a01:4f8::1",
            "2001:470::1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert_eq!(judged("[]", address), Ok(()), "{address}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_not_reached_unless_the_configuration_names_it() {
        let judged = |allowed: &str, address: &str| {
            let values = Values::defaults(&[&[ALLOW_ADDRESSES]]).with(ALLOW_ADDRESSES.key, allowed);
            refuse_own(&values, address.parse().unwrap()).map_err(|special| special.0)
        };
        assert_eq!(judged("[]", "127.0.0.1"), Err("this machine's own"), "as it is with every address that it has");
        assert_eq!(judged("[\"127.0.0.1\"]", "127.0.0.1"), Ok(()));
        assert_eq!(judged("[]", "192.0.2.1"), Ok(()));
    }

    #[test]
    fn the_configuration_may_name_others() {
        assert_eq!(judged("[\"127.0.0.0/8\"]", "127.0.0.2"), Ok(()));
        assert_eq!(judged("[\"127.0.0.0/8\"]", "::ffff:127.0.0.2"), Ok(()));
        assert_eq!(judged("[\"127.0.0.0/8\"]", "::1"), Err("loopback"));
        assert_eq!(judged("[\"fd00::/8\"]", "fd12::1"), Ok(()));
        assert_eq!(judged("[\"fd00::/8\"]", "10.0.0.1"), Err("private"));
    }
}
